//! A file that an office brings, whatever program saved it, as a stream of lines in flat memory.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use encoding_rs_io::DecodeReaderBytesBuilder;

use super::{
    csv::{CsvLines, Encoding},
    header::{Columns, HeaderFault, Layout},
    sheet::{SheetError, SheetLines},
};

/// Why a file cannot be read as a whole, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path leads nowhere.
    #[error("{}: there is no such file. Check its name and folder", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The path leads to a folder, a pipe or a device.
    #[error("{}: this is not a file. Name a .csv or .xlsx file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// The machine does not let this user read it.
    #[error("{}: this user may not read the file. Change its permissions, or run as its owner", path.display())]
    NotAllowed {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read further.
    #[error("{}: the file cannot be read: {reason}. Check the disk, or copy the file again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the machine says.
        reason: io::Error,
    },
    /// There is nothing in it.
    #[error("{}: the file is empty. Save the table again as .csv or .xlsx", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It names its columns and ends.
    #[error("{}: there are no rows below the line that names the columns. Check that the right file was saved", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// Its columns are not those of this kind of file.
    #[error("{}: {fault}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        fault: HeaderFault,
    },
    /// A workbook of before 2007, or one that is locked.
    #[error(
        "{}: this is an old .xls workbook, or one with a password. Save it as .xlsx without a password, or as CSV UTF-8",
        path.display()
    )]
    OldWorkbook {
        /// The file.
        path: PathBuf,
    },
    /// A workbook that ends early or contradicts itself.
    #[error("{}: the workbook is damaged ({reason}). Open it in a spreadsheet program and save it again as .xlsx or CSV UTF-8", path.display())]
    DamagedWorkbook {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A workbook that would not fit into memory.
    #[error("{}: the workbook is too large: unpacked it may have {} MiB. Save it as CSV UTF-8", path.display(), bytes_max / 1024 / 1024)]
    WorkbookTooLarge {
        /// The file.
        path: PathBuf,
        /// What is allowed.
        bytes_max: u64,
    },
    /// More rows than a city has sites or buildings.
    #[error("{}: there are more than {rows_max} rows. Check that the right file was named, or split it", path.display())]
    TooManyRows {
        /// The file.
        path: PathBuf,
        /// What is allowed.
        rows_max: usize,
    },
    /// The file of refused rows cannot be written.
    #[error("{}: the file cannot be written: {reason}. Check the folder, its permissions and the space left", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the machine says.
        reason: io::Error,
    },
}

/// One line of a table.
#[derive(PartialEq, Eq)]
pub(super) struct Line {
    /// From 1, as an editor or the spreadsheet counts it; the header has one too.
    pub number: u64,
    /// Its cells as far as they could be read.
    pub cells: Vec<String>,
    /// What spoiled the line before its cells could be looked at.
    pub fault: Option<LineFault>,
}

impl Line {
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// What spoiled a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    /// Longer than a line may be.
    TooLong,
    /// More cells than any file has.
    TooManyCells,
    /// A quotation mark opens a cell and none closes it on this line.
    OpenQuotation,
    /// Bytes that are no text in this encoding.
    Undecodable(&'static str),
    /// The cell at this position is a date: the spreadsheet program took a number such as 1-2 for one.
    DateCell(usize),
    /// The cell at this position shows an error such as #REF!.
    ErrorCell(usize),
}

/// The lines of a file below its header.
pub(super) struct Table {
    path: PathBuf,
    columns: Columns,
    source: Source,
    bytes_total: u64,
    progress: Progress,
    has_rows: bool,
}

enum Source {
    Csv(Box<CsvLines>),
    Sheet(SheetLines),
}

/// What a file's first bytes say that it is.
enum Kind {
    Csv(Encoding),
    /// Text of two-byte units, which some spreadsheet programs save as "Unicode text".
    Utf16,
    Workbook,
}

impl Table {
    /// Opens a file and reads its header. It is read through once before, a text file to
    /// learn its encoding, a workbook to find damage.
    pub fn open(path: &Path, layout: &'static Layout) -> Result<Self, FileError> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if !metadata.is_file() {
            return Err(FileError::NotAFile { path: path.into() });
        }
        let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
        let kind = Kind::of(path, &mut file)?;
        let progress = Progress::default();
        let file = Counted {
            file,
            progress: progress.clone(),
        };
        let (source, header) = match kind {
            Kind::Csv(encoding) => Source::csv(path, Box::new(file), encoding)?,
            Kind::Utf16 => {
                let decoder = DecodeReaderBytesBuilder::new().build(file);
                Source::csv(path, Box::new(decoder), Encoding::Utf8)?
            }
            Kind::Workbook => Source::sheet(path, file)?,
        };
        let header = header.ok_or_else(|| FileError::Empty { path: path.into() })?;
        let columns = Columns::read(layout, &header.cells).map_err(|fault| FileError::Header {
            path: path.into(),
            fault,
        })?;
        Ok(Self {
            path: path.into(),
            columns,
            source,
            bytes_total: metadata.len(),
            progress,
            has_rows: false,
        })
    }

    /// What the header says.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How large the file is.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// How much of it has been read; never more than [`Table::bytes_total`].
    pub fn bytes_read(&self) -> u64 {
        self.progress.0.load(Ordering::Relaxed).min(self.bytes_total)
    }

    /// The next line that is not blank; `None` at the end. A file without any is an error.
    pub fn next_line(&mut self) -> Result<Option<Line>, FileError> {
        let line = match &mut self.source {
            Source::Csv(lines) => lines.next().map_err(|error| unreadable(&self.path, error))?,
            Source::Sheet(lines) => {
                let mut line = lines.next().map_err(|error| error.at(&self.path))?;
                if let Some(line) = &mut line {
                    // A sheet does not store the empty cells at the end of a row.
                    let cells = line.cells.len().max(self.columns.count);
                    line.cells.resize(cells, String::new());
                }
                line
            }
        };
        if line.is_none() && !self.has_rows {
            return Err(FileError::NoRows {
                path: self.path.clone(),
            });
        }
        self.has_rows = true;
        Ok(line.map(|line| self.without_empty_end(line)))
    }

    /// Spreadsheet programs write empty cells beyond the table's last column.
    fn without_empty_end(&self, mut line: Line) -> Line {
        let count = self.columns.count;
        if line.cells.len() > count && line.cells[count..].iter().all(|cell| cell.trim().is_empty()) {
            line.cells.truncate(count);
        }
        line
    }
}

impl Source {
    fn csv(
        path: &Path,
        reader: Box<dyn Read + Send>,
        encoding: Encoding,
    ) -> Result<(Self, Option<Line>), FileError> {
        let mut lines = CsvLines::new(reader, encoding);
        let header = lines.header().map_err(|error| unreadable(path, error))?;
        Ok((Self::Csv(Box::new(lines)), header))
    }

    fn sheet(path: &Path, file: Counted) -> Result<(Self, Option<Line>), FileError> {
        let mut lines = SheetLines::open(file).map_err(|error| error.at(path))?;
        let header = lines.next().map_err(|error| error.at(path))?;
        Ok((Self::Sheet(lines), header))
    }
}

impl Kind {
    /// Tells by the first bytes, never by the name, and leaves the file at its start.
    fn of(path: &Path, file: &mut File) -> Result<Self, FileError> {
        const ZIP: &[u8] = b"PK\x03\x04";
        const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
        let mut start = Vec::new();
        let failed = |error| unreadable(path, error);
        file.by_ref().take(8).read_to_end(&mut start).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if start.is_empty() {
            return Err(FileError::Empty { path: path.into() });
        }
        if start.starts_with(COMPOUND_FILE) {
            return Err(FileError::OldWorkbook { path: path.into() });
        }
        if start.starts_with(ZIP) {
            return Ok(Self::Workbook);
        }
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Ok(Self::Utf16);
        }
        let encoding = Encoding::detect(&mut *file).map_err(failed)?;
        file.rewind().map_err(failed)?;
        Ok(Self::Csv(encoding))
    }
}

impl SheetError {
    fn at(self, path: &Path) -> FileError {
        let path = path.into();
        match self {
            Self::Damaged(reason) => FileError::DamagedWorkbook { path, reason },
            Self::TooLarge { bytes_max } => FileError::WorkbookTooLarge { path, bytes_max },
            Self::Unreadable(reason) => FileError::Unreadable { path, reason },
        }
    }
}

fn unreadable(path: &Path, error: io::Error) -> FileError {
    let path = path.into();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::Missing { path },
        io::ErrorKind::PermissionDenied => FileError::NotAllowed { path },
        io::ErrorKind::IsADirectory => FileError::NotAFile { path },
        _ => FileError::Unreadable { path, reason: error },
    }
}

/// Bytes read so far, for a progress bar.
#[derive(Clone, Default)]
struct Progress(Arc<AtomicU64>);

/// A file that counts what is read of it.
pub(super) struct Counted {
    file: File,
    progress: Progress,
}

impl Counted {
    /// Goes back to the start, and counts from there.
    pub fn restart(&mut self) -> io::Result<()> {
        self.progress.0.store(0, Ordering::Relaxed);
        self.file.rewind()
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.progress.0.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::roster::header::{optional, required};

    const LAYOUT: &Layout = &[
        required("name", "姓名"),
        required("door", "门牌"),
        optional("phone", "电话"),
    ];

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("temporary files can be made");
        file.write_all(bytes).expect("the disk has room");
        file
    }

    fn read(bytes: &[u8]) -> Result<Vec<Line>, FileError> {
        let file = file(bytes);
        let mut table = Table::open(file.path(), LAYOUT)?;
        let mut lines = Vec::new();
        while let Some(line) = table.next_line()? {
            lines.push(line);
        }
        assert_eq!(table.bytes_read(), table.bytes_total());
        Ok(lines)
    }

    /// Lines as `number: cell|cell`, with the fault if there is one.
    fn shown(bytes: &[u8]) -> Vec<String> {
        let lines = read(bytes).expect("a readable table");
        let fault = |line: &Line| line.fault.map(|fault| format!(" {fault:?}")).unwrap_or_default();
        lines
            .iter()
            .map(|line| format!("{}: {}{}", line.number, line.cells.join("|"), fault(line)))
            .collect()
    }

    fn refused(bytes: &[u8]) -> String {
        read(bytes).err().expect("the file is refused").to_string()
    }

    #[test]
    fn every_usual_way_to_save_a_table_is_read() {
        let text = "姓名,门牌\n张三,101\n𠮷田,102\n";
        let expected = ["2: 张三|101", "3: 𠮷田|102"];
        let gb = encoding_rs::GB18030.encode(text).0.into_owned();
        let utf16 = |bytes: fn(u16) -> [u8; 2]| {
            let text = format!("\u{feff}{}", text.replace(',', "\t"));
            text.encode_utf16().flat_map(bytes).collect::<Vec<_>>()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            gb,
            text.replace(',', ";").into_bytes(),
            text.replace(',', "\t").into_bytes(),
            text.replace('\n', "\r\n").into_bytes(),
            text.replace('\n', "\r").into_bytes(),
            text.replace('\n', ",,,\n").into_bytes(),
            text.replace("姓名", "\"姓名\"").into_bytes(),
            text.trim_end().as_bytes().to_vec(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ] {
            assert_eq!(shown(&bytes), expected);
        }
    }

    #[test]
    fn blank_lines_are_passed_over_and_counted() {
        assert_eq!(
            shown("\n \nname,door\n\n,\n\u{3000},\na,1\n\n".as_bytes()),
            ["7: a|1"]
        );
    }

    #[test]
    fn a_broken_line_spoils_no_other() {
        let long = "x".repeat(4 * 1024 * 1024);
        let text = format!("name,door\na,1\n\"b,2\nc,3\n{long},4\nd,5\ne,\0\n6,{long}\nf,7");
        assert_eq!(
            shown(text.as_bytes()),
            [
                "2: a|1",
                "3: \u{fffd}b|2 OpenQuotation",
                "4: c|3",
                "5:  TooLong",
                "6: d|5",
                "7: e|\0",
                "8: 6 TooLong",
                "9: f|7"
            ]
        );
        let damaged = [
            b"name,door\n".to_vec(),
            "张,1\n李,2\n".into(),
            b"\xd5\xc5,3\n".to_vec(),
            "王,4".into(),
        ];
        assert_eq!(
            shown(&damaged.concat()),
            [
                "2: 张|1",
                "3: 李|2",
                "4: \u{fffd}\u{fffd}|3 Undecodable(\"UTF-8\")",
                "5: 王|4"
            ]
        );
        let damaged = [
            b"\xd5\xc5,1\n".to_vec(),
            b"\xd5\xff,2\n".to_vec(),
            b"\xd5\xc5,3\n".to_vec(),
        ];
        let lines = shown(&[b"name,door\n".to_vec(), damaged.concat()].concat());
        assert_eq!((&*lines[0], &*lines[2]), ("2: 张|1", "4: 张|3"));
        assert!(lines[1].contains("Undecodable"), "{lines:?}");
    }

    #[test]
    fn what_is_no_table_is_refused_with_what_to_do() {
        for (bytes, sentence) in [
            (&b""[..], "the file is empty"),
            (b"\n\r\n \n", "the file is empty"),
            (b"\xef\xbb\xbf", "the file is empty"),
            (b"name,door\n", "there are no rows below"),
            (b"name,door\n\n,,\n", "there are no rows below"),
            (
                b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0",
                "this is not a table",
            ),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "this is not a table"),
            (b"\0\0\0\0", "this is not a table"),
            (b"\xff\xfe\0\xd8\0\xd8", "this is not a table"),
            (b"PK\x03\x04\x14\0\0\0garbage", "the workbook is damaged"),
            (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
                "this is an old .xls workbook",
            ),
        ] {
            let message = refused(bytes);
            assert!(message.contains(sentence), "{bytes:?}: {message}");
        }
        assert!(refused(&vec![b'x'; 1024 * 1024]).contains("this is not a table"));
    }

    #[test]
    fn what_cannot_be_opened_is_refused_with_its_path() {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let missing = folder.path().join("roster.csv");
        for (path, sentence) in [
            (missing.as_path(), "there is no such file"),
            (folder.path(), "this is not a file"),
        ] {
            let message = Table::open(path, LAYOUT)
                .err()
                .expect("the file is refused")
                .to_string();
            assert!(message.contains(sentence), "{message}");
            assert!(message.starts_with(&path.display().to_string()), "{message}");
        }
        let denied = unreadable(&missing, io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(denied.contains("this user may not read the file"), "{denied}");
    }
}
