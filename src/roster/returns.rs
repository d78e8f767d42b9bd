//! The tables of sheets on which staff registered people by hand, as they come back.

use std::path::Path;

use super::{
    cells::{Cells, Problem, Reason, RowFault},
    file::FileError,
    header::{Layout, optional, required},
    sites::read_all,
};

const RETURNS: &Layout = &[
    optional("row", "行"),
    required("code", "编号"),
    required("done", "登记"),
    optional("time", "时间"),
    optional("site", "采样点"),
    optional("hour", "时段"),
    optional("page", "页"),
    optional("unit", "单元"),
    optional("door", "门牌"),
    optional("name", "姓名"),
];
/// One table is of one site; a city's in one file are more than anybody fills in.
const RETURNS_MAX: usize = 1_000_000;
const CODE_CHARACTERS_MAX: usize = 20;
const TICKS: [&str; 14] = [
    "✓",
    "✔",
    "√",
    "x",
    "X",
    "1",
    "y",
    "Y",
    "yes",
    "是",
    "已",
    "已登记",
    "有",
    "v",
];
const NO_TICKS: [&str; 6] = ["", "0", "n", "no", "否", "未"];

/// A row of a returned sheet.
#[derive(Clone, PartialEq, Eq)]
pub struct ReturnedRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The code on the sheet.
    pub code: String,
    /// The box is ticked.
    pub ticked: bool,
    /// The time as written; may be empty.
    pub time: String,
}

/// Reads a returned table: the good rows and the faults, in the file's order.
pub fn read_returns(path: &Path) -> Result<Vec<Result<ReturnedRow, RowFault>>, FileError> {
    read_all(path, RETURNS, RETURNS_MAX, read_row, "code", |row| {
        row.code.clone()
    })
}

fn read_row(cells: &Cells<'_>) -> Result<ReturnedRow, Problem> {
    let code = cells.needed("code", CODE_CHARACTERS_MAX)?;
    // Full-width letters are what Chinese input methods leave behind.
    let code = match cells.ascii("code")? {
        plain if plain.is_empty() => code,
        plain => plain.to_ascii_uppercase(),
    };
    let done = cells.ascii("done")?.to_lowercase();
    let ticked = TICKS.iter().any(|tick| tick.to_lowercase() == done);
    if !ticked && !NO_TICKS.contains(&done.as_str()) {
        return Err(Problem("done", Reason::Tick));
    }
    Ok(ReturnedRow {
        line: cells.line(),
        code,
        ticked,
        time: cells.text("time", CODE_CHARACTERS_MAX)?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<String> {
        let mut file = tempfile::NamedTempFile::new().expect("temporary files can be made");
        file.write_all(bytes).expect("the disk has room");
        let rows = read_returns(file.path()).expect("a table");
        rows.into_iter()
            .map(|row| match row {
                Ok(row) => format!("{}: {} {} {}", row.line, row.code, row.ticked, row.time),
                Err(fault) => format!("{}: {}: {}", fault.line, fault.column, fault.reason),
            })
            .collect()
    }

    #[test]
    fn ticks_are_read_as_people_make_them_and_a_bad_row_spoils_no_other() {
        let text = "编号,登记,时间\n11A2-B,√,17:20\n１１ａ３-c,是,\n11A4-D,,\n11A5-E,也许,\n,√,\n11A2-B,√,\n";
        let expected = [
            "2: 11A2-B true 17:20",
            "3: 11A3-C true ",
            "4: 11A4-D false ",
            "5: done: put a tick such as ✓, 1 or 是, or leave it empty",
            "6: code: empty: every row needs it",
            "7: code: same as line 2: remove one of the two",
        ];
        assert_eq!(read(text.as_bytes()), expected);
        assert_eq!(read(&encoding_rs::GB18030.encode(text).0), expected);
    }
}
