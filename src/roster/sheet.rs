//! The first sheet of an .xlsx workbook, row by row.

use std::{
    io::{self, BufReader, Read, Seek},
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
};

use calamine::{DataRef, Reader, SheetType, Xlsx, XlsxError};

use super::{
    csv::{CELLS_MAX, LINE_BYTES_MAX},
    file::{Counted, Line, LineFault},
};

/// What a workbook may hold unpacked: its table of repeated texts is kept in memory while it is read.
const UNPACKED_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Rows read ahead of the import.
const ROWS_AHEAD_MAX: usize = 1024;
/// Whole numbers below this are exact in the cells of a spreadsheet.
const EXACT_BELOW: f64 = 1e15;
const MINUTES_PER_DAY: f64 = 24.0 * 60.0;

/// Why a workbook cannot be read further.
#[derive(Debug)]
pub(super) enum SheetError {
    Damaged(String),
    TooLarge { bytes_max: u64 },
    Unreadable(io::Error),
}

/// The rows of a sheet.
///
/// The reader of cells borrows the workbook, so both live on a thread of their own, which hands rows over
/// and ends with this value. It also keeps whatever a hostile workbook does to the reader away from the caller.
pub(super) struct SheetLines {
    messages: Receiver<Message>,
}

enum Message {
    Row(Line),
    Failed(SheetError),
    End,
}

/// Whoever wanted the rows is gone.
struct Unwanted;

impl SheetLines {
    pub fn open(file: Counted) -> Result<Self, SheetError> {
        let (sender, messages) = mpsc::sync_channel(ROWS_AHEAD_MAX);
        thread::Builder::new()
            .name("workbook".into())
            .spawn(move || {
                let last = match read(file, &sender) {
                    Ok(Ok(())) => Message::End,
                    Ok(Err(Unwanted)) => return,
                    Err(error) => Message::Failed(error),
                };
                // Nobody listening is as good as done.
                let _ = sender.send(last);
            })
            .map_err(SheetError::Unreadable)?;
        Ok(Self { messages })
    }

    /// The next row that is not blank; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Line>, SheetError> {
        match self.messages.recv() {
            Ok(Message::Row(line)) => Ok(Some(line)),
            Ok(Message::Failed(error)) => Err(error),
            Ok(Message::End) => {
                // Whoever asks again gets the same answer.
                self.messages = {
                    let (sender, messages) = mpsc::sync_channel(1);
                    let _ = sender.send(Message::End);
                    messages
                };
                Ok(None)
            }
            Err(mpsc::RecvError) => Err(SheetError::Damaged("it cannot be read to its end".into())),
        }
    }
}

/// Reads every row into `rows`.
fn read(file: Counted, rows: &SyncSender<Message>) -> Result<Result<(), Unwanted>, SheetError> {
    let mut workbook = open(file)?;
    let sheet = workbook
        .sheets_metadata()
        .iter()
        .find(|sheet| sheet.typ == SheetType::WorkSheet);
    let Some(sheet) = sheet.map(|sheet| sheet.name.clone()) else {
        return Err(SheetError::Damaged("it has no sheet".into()));
    };
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(damaged)?;
    let mut row = Row::new(0);
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row_index, column) = cell.get_position();
        if row_index != row.index {
            if row.hand_over(rows).is_err() {
                return Ok(Err(Unwanted));
            }
            row = Row::new(row_index);
        }
        row.put(column as usize, cell.get_value());
    }
    Ok(row.hand_over(rows))
}

fn open(mut file: Counted) -> Result<Xlsx<BufReader<Counted>>, SheetError> {
    verify(BufReader::new(&mut file))?;
    file.restart().map_err(SheetError::Unreadable)?;
    Xlsx::new(BufReader::new(file)).map_err(damaged)
}

/// Unpacks every part once and keeps nothing: a damaged byte is found before the first row is handed over,
/// and a small file that unpacks without end is not followed.
fn verify<R: Read + Seek>(file: R) -> Result<(), SheetError> {
    let damaged = |error: zip::result::ZipError| SheetError::Damaged(error.to_string());
    let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
    let mut left = UNPACKED_BYTES_MAX;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(damaged)?;
        let unpacked = io::copy(&mut part.take(left), &mut io::sink());
        left -= unpacked.map_err(|error| SheetError::Damaged(error.to_string()))?;
        if left == 0 {
            return Err(SheetError::TooLarge {
                bytes_max: UNPACKED_BYTES_MAX,
            });
        }
    }
    Ok(())
}

fn damaged(error: XlsxError) -> SheetError {
    match error {
        XlsxError::Io(error) => SheetError::Unreadable(error),
        error => SheetError::Damaged(error.to_string()),
    }
}

/// A row in the making.
struct Row {
    /// From 0.
    index: u32,
    cells: Vec<String>,
    bytes: usize,
    fault: Option<LineFault>,
}

impl Row {
    fn new(index: u32) -> Self {
        Self {
            index,
            cells: Vec::new(),
            bytes: 0,
            fault: None,
        }
    }

    fn put(&mut self, column: usize, value: &DataRef<'_>) {
        let text = match value {
            DataRef::Empty => return,
            DataRef::Int(number) => number.to_string(),
            DataRef::Float(number) => plain_number(*number),
            DataRef::String(text) => text.clone(),
            DataRef::SharedString(text) => (*text).to_owned(),
            DataRef::Bool(is) => is.to_string(),
            DataRef::DateTime(time) if (0.0..1.0).contains(&time.as_f64()) => time_of_day(time.as_f64()),
            DataRef::DateTime(_) | DataRef::DateTimeIso(_) | DataRef::DurationIso(_) => {
                self.fault.get_or_insert(LineFault::DateCell(column));
                return;
            }
            DataRef::Error(_) => {
                self.fault.get_or_insert(LineFault::ErrorCell(column));
                return;
            }
        };
        self.bytes += text.len();
        if column >= CELLS_MAX {
            if !text.trim().is_empty() {
                self.fault = Some(LineFault::TooManyCells);
            }
        } else if self.bytes > LINE_BYTES_MAX {
            self.fault = Some(LineFault::TooLong);
        } else {
            if self.cells.len() <= column {
                self.cells.resize(column + 1, String::new());
            }
            self.cells[column] = text;
        }
    }

    fn hand_over(self, rows: &SyncSender<Message>) -> Result<(), Unwanted> {
        let line = Line {
            number: u64::from(self.index) + 1,
            cells: self.cells,
            fault: self.fault,
        };
        if line.is_blank() && line.fault.is_none() {
            return Ok(());
        }
        rows.send(Message::Row(line)).map_err(|_| Unwanted)
    }
}

/// A number as the office typed it: phones and doors are whole, though a spreadsheet keeps them as fractions.
fn plain_number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < EXACT_BELOW {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

/// A fraction of a day, which is how a spreadsheet keeps a time, as HH:MM.
fn time_of_day(day_fraction: f64) -> String {
    let minutes = (day_fraction * MINUTES_PER_DAY).round() as u32;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::roster::{
        file::{FileError, Table},
        header::{Layout, required},
    };

    const LAYOUT: &Layout = &[
        required("name", "姓名"),
        required("phone", "电话"),
        required("opens", "开始时间"),
    ];

    /// The smallest workbook with these rows, given as the XML of the sheet's data.
    pub(in crate::roster) fn workbook(rows: &str) -> tempfile::NamedTempFile {
        const SPREADSHEET: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
        let parts = [
            (
                "[Content_Types].xml",
                "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>".to_owned(),
            ),
            (
                "_rels/.rels",
                format!(
                    "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/workbook.xml",
                format!(
                    "<workbook xmlns=\"{SPREADSHEET}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"名册\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/styles.xml",
                format!(
                    "<styleSheet xmlns=\"{SPREADSHEET}\"><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"20\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"
                ),
            ),
            (
                "xl/sharedStrings.xml",
                format!(
                    "<sst xmlns=\"{SPREADSHEET}\" count=\"2\" uniqueCount=\"2\"><si><t>姓名</t></si><si><t>张三</t></si></sst>"
                ),
            ),
            (
                "xl/worksheets/sheet1.xml",
                format!("<worksheet xmlns=\"{SPREADSHEET}\"><sheetData>{rows}</sheetData></worksheet>"),
            ),
        ];
        let file = tempfile::NamedTempFile::new().expect("temporary files can be made");
        let mut archive = zip::ZipWriter::new(file);
        for (name, text) in parts {
            archive
                .start_file(name, SimpleFileOptions::default())
                .expect("the disk has room");
            archive.write_all(text.as_bytes()).expect("the disk has room");
        }
        archive.finish().expect("the disk has room")
    }

    /// A row whose cells are all text.
    pub(in crate::roster) fn text_row(number: u32, cells: &[&str]) -> String {
        let cell = |(index, text): (usize, &&str)| {
            format!(
                "<c r=\"{}{number}\" t=\"inlineStr\"><is><t>{text}</t></is></c>",
                char::from(b'A' + index as u8)
            )
        };
        let cells: String = cells.iter().enumerate().map(cell).collect();
        format!("<row r=\"{number}\">{cells}</row>")
    }

    const HEADER: &str = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"inlineStr\"><is><t>电话</t></is></c>\
        <c r=\"C1\" t=\"inlineStr\"><is><t>开始时间</t></is></c></row>";

    fn shown(rows: &str) -> Result<Vec<String>, FileError> {
        let file = workbook(rows);
        let mut table = Table::open(file.path(), LAYOUT)?;
        let mut lines = Vec::new();
        while let Some(line) = table.next_line()? {
            let fault = line.fault.map(|fault| format!(" {fault:?}")).unwrap_or_default();
            lines.push(format!("{}: {}{fault}", line.number, line.cells.join("|")));
        }
        assert!(matches!(table.next_line(), Ok(None)), "the end stays the end");
        Ok(lines)
    }

    #[test]
    fn cells_are_read_as_they_were_typed() {
        let rows = [
            HEADER,
            "<row r=\"2\"><c r=\"A2\" t=\"s\"><v>1</v></c><c r=\"B2\"><v>13900000001.0</v></c><c r=\"C2\" s=\"1\"><v>0.354166666666667</v></c></row>",
            "<row r=\"4\"><c r=\"A4\"/></row>",
            "<row r=\"7\"><c r=\"A7\"><v>1.39E10</v></c><c r=\"B7\"><v>1.5</v></c></row>",
            "<row r=\"8\"><c r=\"A8\" s=\"2\"><v>44562</v></c><c r=\"B8\" t=\"inlineStr\"><is><t>x</t></is></c></row>",
            "<row r=\"9\"><c r=\"A9\" t=\"e\"><v>#REF!</v></c></row>",
            "<row r=\"10\"><c r=\"D10\" t=\"inlineStr\"><is><t>beyond</t></is></c></row>",
            "<row r=\"11\"><c r=\"ZZ11\" t=\"inlineStr\"><is><t>beyond</t></is></c></row>",
        ];
        assert_eq!(
            shown(&rows.concat()).expect("a readable workbook"),
            [
                "2: 张三|13900000001|08:30",
                "7: 13900000000|1.5|",
                "8: |x| DateCell(0)",
                "9: || ErrorCell(0)",
                "10: |||beyond",
                "11: || TooManyCells",
            ]
        );
    }

    #[test]
    fn a_cell_without_end_spoils_only_its_row() {
        let long = "长".repeat(LINE_BYTES_MAX);
        let rows = [
            HEADER.to_owned(),
            text_row(2, &["a", &long]),
            text_row(3, &["b", "1", "c"]),
        ];
        let lines = shown(&rows.concat()).expect("a readable workbook");
        assert_eq!(lines, ["2: a|| TooLong", "3: b|1|c"]);
    }

    #[test]
    fn a_workbook_without_rows_or_end_is_refused() {
        for (rows, sentence) in [
            (String::new(), "the file is empty"),
            (HEADER.to_owned(), "there are no rows below"),
            (
                format!("{HEADER}<row r=\"2\"><c r=\"A2\""),
                "the workbook is damaged",
            ),
            (
                format!("{HEADER}<row r=\"2\"><c r=\"A2\" t=\"s\"><v>99</v></c></row>"),
                "the workbook is damaged",
            ),
        ] {
            let message = shown(&rows).expect_err("the file is refused").to_string();
            assert!(message.contains(sentence), "{message}");
        }
    }

    #[test]
    fn a_damaged_byte_is_found_before_the_first_row() {
        let rows: String = (2..100)
            .map(|number| text_row(number, &["a", "1", "c"]))
            .collect();
        let file = workbook(&format!("{HEADER}{rows}"));
        let mut bytes = std::fs::read(file.path()).expect("the file is there");
        let middle = bytes.len() / 2;
        for damaged in [&bytes[..middle].to_vec(), {
            bytes[middle] ^= 0xff;
            &bytes
        }] {
            std::fs::write(file.path(), damaged).expect("the disk has room");
            let message = Table::open(file.path(), LAYOUT)
                .err()
                .expect("the file is refused")
                .to_string();
            assert!(message.contains("the workbook is damaged"), "{message}");
        }
    }

    #[test]
    fn rows_that_nobody_reads_end_the_thread() {
        let rows: String = (2..3000)
            .map(|number| text_row(number, &["a", "1", "c"]))
            .collect();
        let file = workbook(&format!("{HEADER}{rows}"));
        let mut table = Table::open(file.path(), LAYOUT).expect("a readable workbook");
        assert!(matches!(table.next_line(), Ok(Some(_))));
    }
}
