//! The refused rows as a file to mend and bring again.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{file::FileError, header::Presence, row::ROSTER};

/// One refused row, as it is kept.
#[derive(Clone, Copy)]
pub struct RefusedRow<'r> {
    /// Its number; a mended row brings it back, so that the refusal is settled.
    pub refusal: i64,
    /// Its line in the file that was brought.
    pub line: u64,
    /// The column at fault, or `row`.
    pub column: &'r str,
    /// What is wrong, in a sentence.
    pub reason: &'r str,
    /// The cells of [`RowFault`](super::RowFault). Personal data.
    pub cells: &'r [String],
}

/// A file of refused rows in the making. It appears under its name only when it is whole.
///
/// It is UTF-8 with a byte-order mark, by which spreadsheet programs know it, and only its owner may read it.
pub struct RefusedFile {
    path: PathBuf,
    writer: csv::Writer<NamedTempFile>,
}

impl RefusedFile {
    /// Starts the file. What is there under this name stays until [`RefusedFile::finish`].
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let start = || {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all("\u{feff}".as_bytes())?;
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(file);
            writer.write_record(ROSTER.iter().map(|column| column.name))?;
            Ok(writer)
        };
        let writer = start().map_err(|reason| unwritable(path, reason))?;
        Ok(Self {
            path: path.into(),
            writer,
        })
    }

    /// Adds a row.
    pub fn write(&mut self, row: &RefusedRow<'_>) -> Result<(), FileError> {
        let own = ROSTER
            .iter()
            .filter(|column| column.presence != Presence::Refused);
        let mut cells = row.cells.iter();
        let mut record: Vec<String> = own
            .map(|column| written(column.name, cells.next().map_or("", String::as_str)))
            .collect();
        record.extend([
            row.refusal.to_string(),
            row.line.to_string(),
            row.column.to_owned(),
            written("reason", row.reason),
        ]);
        // Cells that stood under no column stay so, and the row stays refused until they are gone.
        record.extend(cells.map(|cell| written(WITHOUT_COLUMN, cell)));
        self.writer
            .write_record(&record)
            .map_err(|error| unwritable(&self.path, error.into()))
    }

    /// Puts the file in its place.
    pub fn finish(self) -> Result<(), FileError> {
        let path = self.path;
        let finish = || {
            let file = self
                .writer
                .into_inner()
                .map_err(csv::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        finish().map_err(|reason| unwritable(&path, reason))
    }
}

const WITHOUT_COLUMN: &str = "";

/// A cell as it is written: guarded, and with � for each character that would be seen only by what it does.
/// As long as it stands there the row is refused again.
fn written(column: &str, cell: &str) -> String {
    let cell = cell.replace(char::is_control, "\u{fffd}");
    let is_number = column == "phone"
        && cell
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ' '));
    if is_formula(&cell) && !is_number {
        format!("'{cell}")
    } else {
        cell
    }
}

/// Takes back the mark that keeps a spreadsheet program from running a cell as a formula.
pub(super) fn unguarded(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest.into(),
        _ => cell.into(),
    }
}

/// Whether the cell starts as formulas do. One that is guarded already counts too, or it would come back bare.
fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
}

fn unwritable(path: &Path, reason: io::Error) -> FileError {
    FileError::Unwritable {
        path: path.into(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::roster::{Reason, RosterFile, RowFault, row::tests::read_bytes};

    const DIRTY: &str = "区,街道,社区,楼栋,单元,门牌,姓名,电话,语言,标签\n\
        锦江区,春熙街道,社区1,1栋,,101,\"=cmd|\"\"x\"\"\",+8613900000001,zh-Hans,\n\
        锦江区,春熙街道,社区1,1栋,1单元,102,'@李四,=1+1,,student\n\
        锦江区,春熙街道,社区1,1栋,1单元,103,王\x07五,,,\n\
        锦江区,春熙街道,社区1,1栋,1单元,104,\"赵六,,,\n\
        锦江区,春熙街道,社区1\n\
        锦江区,春熙街道,社区1,1栋,1单元,105,钱七,,,,-more\n";

    fn faults(bytes: &[u8]) -> Vec<RowFault> {
        read_bytes(bytes)
            .into_iter()
            .map(|row| row.expect_err("every row is refused"))
            .collect()
    }

    fn write(faults: &[RowFault], path: &Path) {
        let mut file = RefusedFile::create(path).expect("the folder can be written");
        for (refusal, fault) in (100..).zip(faults) {
            let row = RefusedRow {
                refusal,
                line: fault.line,
                column: fault.column,
                reason: &fault.reason.to_string(),
                cells: &fault.cells,
            };
            file.write(&row).expect("the disk has room");
        }
        file.finish().expect("the disk has room");
    }

    #[test]
    fn refused_rows_come_back_as_they_were_until_mended() {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let path = folder.path().join("refused.csv");
        let first = faults(DIRTY.as_bytes());
        assert_eq!(first.len(), 6);
        write(&first, &path);
        let text = fs::read_to_string(&path).expect("the file is there");
        assert!(text.contains(",\"'=cmd|\"\"x\"\"\",+8613900000001,"), "{text}");
        assert!(text.contains(",100,2,unit,empty: every row needs it\n"), "{text}");

        let again = faults(text.as_bytes());
        for (refusal, (first, again)) in (100..).zip(first.iter().zip(&again)) {
            assert_eq!(again.refusal, Some(refusal));
            assert_eq!(again.place, first.place);
            let written: Vec<String> = first
                .cells
                .iter()
                .map(|cell| cell.replace('\x07', "\u{fffd}"))
                .collect();
            assert_eq!(again.cells, written);
        }
        assert_eq!(
            [2, 3].map(|row| again[row].reason.clone()),
            [Reason::LostCharacter, Reason::LostCharacter]
        );

        let mended = text
            .replace("1栋,,101", "1栋,9单元,101")
            .replace("'=1+1", "13900000002")
            .replace("王\u{fffd}五", "王五")
            .replace("\u{fffd}赵六", "赵六")
            .replace(
                &format!("社区1{},", ",\u{fffd}".repeat(7)),
                "社区1,2栋,2单元,201,孙八,,,,",
            )
            .replace(",'-more", "");
        let rows: Result<Vec<_>, _> = read_bytes(mended.as_bytes()).into_iter().collect();
        let rows = rows.expect("every row is mended");
        let names: Vec<(&str, Option<i64>)> = rows.iter().map(|row| (&*row.name, row.refusal)).collect();
        assert_eq!(
            names,
            [
                ("=cmd|\"x\"", Some(100)),
                ("'@李四", Some(101)),
                ("王五", Some(102)),
                ("赵六", Some(103)),
                ("孙八", Some(104)),
                ("钱七", Some(105))
            ]
        );
        assert_eq!(
            rows[0].phone.as_ref().map(|phone| phone.as_e164().len()),
            Some(14)
        );
    }

    #[test]
    fn a_changed_number_is_refused() {
        let text = DIRTY
            .replace("标签\n", "标签,refusal\n")
            .replace("zh-Hans,\n", "zh-Hans,,12x\n");
        let fault = &faults(text.replace("1栋,,", "1栋,1单元,").as_bytes())[0];
        assert_eq!(
            (fault.column, &fault.reason, fault.refusal),
            ("refusal", &Reason::Refusal, None)
        );
    }

    #[test]
    fn the_file_appears_whole_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let path = folder.path().join("refused.csv");
        drop(RefusedFile::create(&path).expect("the folder can be written"));
        assert_eq!(
            fs::read_dir(folder.path()).expect("a folder").count(),
            0,
            "nothing is left behind"
        );
        write(&faults(DIRTY.as_bytes()), &path);
        assert!(
            fs::read(&path)
                .expect("the file is there")
                .starts_with(b"\xef\xbb\xbfdistrict,")
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path)
                .expect("the file is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let nowhere = RefusedFile::create(&folder.path().join("no/refused.csv"));
        let message = nowhere.err().expect("there is no such folder").to_string();
        assert!(message.contains("the file cannot be written"), "{message}");
    }

    #[test]
    fn a_file_without_refused_rows_has_no_rows() {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let path = folder.path().join("refused.csv");
        write(&[], &path);
        let mut rows = RosterFile::open(&path).expect("a header is there");
        assert!(matches!(rows.next(), Some(Err(FileError::NoRows { .. }))));
    }

    proptest! {
        #[test]
        fn the_guard_is_taken_back_exactly(cell in "['=+@x1 -]{0,6}", column in prop_oneof![Just("phone"), Just("name")]) {
            let guarded = written(column, &cell);
            prop_assert_eq!(unguarded(&guarded), &*cell);
            prop_assert!(column == "phone" || !guarded.starts_with(['=', '+', '-', '@']));
        }
    }
}
