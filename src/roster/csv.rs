//! Text files: one physical line is one row, so that a stray quotation mark spoils only its own line.

use std::{
    borrow::Cow,
    io::{self, BufRead, BufReader, Read},
};

use encoding_rs::GB18030;

use super::file::{Line, LineFault};

/// Longer lines are refused and not kept in memory.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;
/// More cells than any file of Weir's has, and room for the empty ones that spreadsheet programs leave.
pub(super) const CELLS_MAX: usize = 256;
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// How the bytes of a text file are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Gb18030,
}

impl Encoding {
    /// Decides by one pass over the whole file, in flat memory.
    ///
    /// A file is GB18030 when most of its lines that are not plain ASCII are no UTF-8. So one damaged line
    /// does not turn a whole file of UTF-8 into nonsense, wherever it stands.
    pub fn detect(reader: impl Read) -> io::Result<Self> {
        let mut lines = PhysicalLines::new(reader);
        let mut line = Vec::new();
        let (mut beyond_ascii, mut not_utf8) = (0_u64, 0_u64);
        while let Some(length) = lines.next(&mut line)? {
            if lines.number == 1 && line.starts_with("\u{feff}".as_bytes()) {
                return Ok(Self::Utf8);
            }
            beyond_ascii += u64::from(!line.is_ascii());
            not_utf8 += u64::from(length == Length::Whole && std::str::from_utf8(&line).is_err());
        }
        Ok(if not_utf8 * 2 > beyond_ascii {
            Self::Gb18030
        } else {
            Self::Utf8
        })
    }

    /// The text of a line, and whether all of its bytes could be read.
    fn decode(self, line: &[u8]) -> (Cow<'_, str>, bool) {
        match self {
            Self::Utf8 => {
                let text = String::from_utf8_lossy(line);
                let whole = matches!(text, Cow::Borrowed(_));
                (text, whole)
            }
            Self::Gb18030 => {
                let (text, damaged) = GB18030.decode_without_bom_handling(line);
                (text, !damaged)
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
        }
    }
}

/// The rows of a text file.
pub(super) struct CsvLines {
    lines: PhysicalLines<Box<dyn Read + Send>>,
    encoding: Encoding,
    splitter: Splitter,
    line: Vec<u8>,
}

impl CsvLines {
    /// Starts at the first line, the header; [`CsvLines::header`] comes first.
    pub fn new(reader: Box<dyn Read + Send>, encoding: Encoding) -> Self {
        Self {
            lines: PhysicalLines::new(reader),
            encoding,
            splitter: Splitter::new(b','),
            line: Vec::new(),
        }
    }

    /// Reads the header and takes from it what stands between the cells: a comma, a semicolon or a tab.
    /// `None`: there is no line at all.
    pub fn header(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(length) = self.lines.next(&mut self.line)? else {
                return Ok(None);
            };
            let (text, _) = self.encoding.decode(&self.line);
            if text
                .trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
                .is_empty()
            {
                continue;
            }
            for delimiter in [b';', b'\t'] {
                let mut splitter = Splitter::new(delimiter);
                if splitter.split(&text).0.len() > self.splitter.split(&text).0.len() {
                    self.splitter = splitter;
                }
            }
            return Ok(Some(self.read(length)));
        }
    }

    /// The next line that is not blank.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        while let Some(length) = self.lines.next(&mut self.line)? {
            let line = self.read(length);
            if line.fault.is_some() || !line.is_blank() {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    fn read(&mut self, length: Length) -> Line {
        let (text, whole) = self.encoding.decode(&self.line);
        let (mut cells, mut fault) = self.splitter.split(&text);
        if length == Length::CutOff {
            // Only the cells before the one that was cut are what the file says.
            cells.pop();
            fault = Some(LineFault::TooLong);
        } else if !whole {
            fault = Some(LineFault::Undecodable(self.encoding.name()));
        }
        Line {
            number: self.lines.number,
            cells,
            fault,
        }
    }
}

/// Splits one line into its cells.
struct Splitter {
    parser: csv_core::Reader,
    delimiter: char,
    input: Vec<u8>,
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        Self {
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter: delimiter.into(),
            input: Vec::new(),
            output: Vec::new(),
            ends: vec![0; CELLS_MAX],
        }
    }

    fn split(&mut self, text: &str) -> (Vec<String>, Option<LineFault>) {
        self.parser.reset();
        self.input.clear();
        self.input.extend_from_slice(text.as_bytes());
        // Inside quotation marks the line's end is one more character of the cell, so the row never ends.
        self.input.push(b'\n');
        if self.output.len() < self.input.len() {
            self.output.resize(self.input.len(), 0);
        }
        let (result, _, _, cells) = self
            .parser
            .read_record(&self.input, &mut self.output, &mut self.ends);
        let fault = match result {
            csv_core::ReadRecordResult::Record => None,
            csv_core::ReadRecordResult::OutputEndsFull => Some(LineFault::TooManyCells),
            // Nothing at all, or a byte-order mark.
            _ if !text.contains('"') => None,
            _ => {
                // Where a cell ends is not known. Each mark becomes �, with which no row is taken unmended.
                let cell = |cell: &str| cell.replace('"', "\u{fffd}");
                let cells = text.split(self.delimiter).take(CELLS_MAX).map(cell).collect();
                return (cells, Some(LineFault::OpenQuotation));
            }
        };
        let mut start = 0;
        let cells = self.ends[..cells].iter().map(|end| {
            // Only ASCII marks were taken out of text that was whole, so nothing is lost here.
            let cell = String::from_utf8_lossy(&self.output[start..*end]).into_owned();
            start = *end;
            cell
        });
        (cells.collect(), fault)
    }
}

/// Whether a line was kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Whole,
    /// The part beyond [`LINE_BYTES_MAX`] was read past.
    CutOff,
}

/// Lines as an editor counts them: they end in LF, CR LF or CR.
struct PhysicalLines<R> {
    reader: BufReader<R>,
    /// The number of the line last read, from 1.
    number: u64,
    /// The line last read ended in CR; an LF right after it belongs to the same ending.
    after_cr: bool,
}

impl<R: Read> PhysicalLines<R> {
    fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(READ_BUFFER_BYTES, reader),
            number: 0,
            after_cr: false,
        }
    }

    /// Reads the next line into `line`, without its ending; `None` at the end of the file.
    fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Length>> {
        line.clear();
        let mut length = Length::Whole;
        let mut started = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if std::mem::take(&mut self.after_cr) && buffer.first() == Some(&b'\n') {
                self.reader.consume(1);
                continue;
            }
            if buffer.is_empty() {
                self.number += u64::from(started);
                return Ok(started.then_some(length));
            }
            started = true;
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = LINE_BYTES_MAX - line.len();
            if part.len() > room {
                length = Length::CutOff;
            }
            line.extend_from_slice(&part[..part.len().min(room)]);
            self.after_cr = end.is_some_and(|end| buffer[end] == b'\r');
            let consumed = part.len() + usize::from(end.is_some());
            self.reader.consume(consumed);
            if end.is_some() {
                self.number += 1;
                return Ok(Some(length));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = PhysicalLines::new(bytes);
        let mut all = Vec::new();
        let mut line = Vec::new();
        while lines.next(&mut line).expect("memory can be read").is_some() {
            all.push(line.clone());
        }
        assert_eq!(lines.number, all.len() as u64);
        all
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        let expected: Vec<Vec<u8>> = vec![b"a".into(), b"".into(), b"b".into()];
        for text in ["a\n\nb\n", "a\r\n\r\nb\r\n", "a\r\rb\r", "a\n\nb", "a\r\n\nb"] {
            assert_eq!(lines(text.as_bytes()), expected, "{text:?}");
        }
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn the_encoding_is_that_of_most_lines() {
        let gb = |text: &str| GB18030.encode(text).0.into_owned();
        let mostly_utf8 = [gb("张三\n"), "李四\n王五\n赵六\n".as_bytes().to_vec()].concat();
        let mostly_gb = [gb("李四\n王五\n赵六\n"), "张三丰\n".as_bytes().to_vec()].concat();
        let with_mark = [b"\xef\xbb\xbfname\n".to_vec(), gb("李四\n王五\n")].concat();
        for (bytes, encoding) in [
            (b"plain\n".to_vec(), Encoding::Utf8),
            (mostly_utf8, Encoding::Utf8),
            (mostly_gb, Encoding::Gb18030),
            (with_mark, Encoding::Utf8),
            (Vec::new(), Encoding::Utf8),
        ] {
            assert_eq!(
                Encoding::detect(&bytes[..]).expect("memory can be read"),
                encoding
            );
        }
    }

    #[test]
    fn an_open_quotation_mark_is_seen() {
        let mut splitter = Splitter::new(b',');
        for (text, cells, fault) in [
            ("a,b,c", vec!["a", "b", "c"], None),
            ("a,\"b, \"\"c\"\"\",d", vec!["a", "b, \"c\"", "d"], None),
            (
                "a,\"b,c",
                vec!["a", "\u{fffd}b", "c"],
                Some(LineFault::OpenQuotation),
            ),
            ("a,b\",c", vec!["a", "b\"", "c"], None),
            ("a,,", vec!["a", "", ""], None),
            ("\"\"", vec![""], None),
        ] {
            assert_eq!(
                splitter.split(text),
                (cells.into_iter().map(str::to_owned).collect(), fault),
                "{text}"
            );
        }
        assert_eq!(splitter.split(&",".repeat(999)).1, Some(LineFault::TooManyCells));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(cells in proptest::collection::vec("[^\r\n\u{feff}]{0,12}", 1..8)) {
            prop_assume!(cells.iter().any(|cell| !cell.is_empty()));
            let mut writer = ::csv::Writer::from_writer(Vec::new());
            writer.write_record(&cells).expect("memory can be written");
            let bytes = writer.into_inner().expect("memory can be written");
            let text = String::from_utf8(bytes).expect("was text");
            prop_assert_eq!(Splitter::new(b',').split(text.trim_end_matches('\n')), (cells, None));
        }
    }
}
