//! roster.csv: who lives where and how they are reached.

use std::{fmt, path::Path};

use super::{
    cells::{self, Cells, PLACE_CHARACTERS_MAX, Problem, Reason, RowFault, TEXT_CHARACTERS_MAX},
    file::{FileError, Table},
    header::{Layout, optional, refused, required},
};
use crate::domain::{Language, PhoneNumber, Tag, UnitPlace};

/// The columns of a roster; the last four are those of its refused rows.
pub(super) const ROSTER: &Layout = &[
    required("district", "区"),
    required("street", "街道"),
    required("community", "社区"),
    required("building", "楼栋"),
    required("unit", "单元"),
    required("door", "门牌"),
    required("name", "姓名"),
    required("phone", "电话"),
    required("language", "语言"),
    required("tags", "标签"),
    optional("ref", "资料编号"),
    refused("refusal"),
    refused("line"),
    refused("column"),
    refused("reason"),
];

/// What splits several phone numbers in one cell.
const PHONE_SEPARATORS: [char; 9] = ['/', '／', ';', '；', '、', ',', '，', '|', '｜'];

/// One resident, as an office wrote them down. `Debug` leaves personal data out.
#[derive(Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// The line in the file, from 1; the header has a number too.
    pub line: u64,
    /// The building unit.
    pub place: UnitPlace,
    /// The household's door. Personal data.
    pub door: String,
    /// The resident's name. Personal data.
    pub name: String,
    /// The resident's phone, if there is one.
    pub phone: Option<PhoneNumber>,
    /// The language to write in, if the office knows it.
    pub language: Option<Language>,
    /// What the office notes: sorted, each once. Personal data.
    pub tags: Vec<Tag>,
    /// The person's id in the registration system, if the office knows it. Personal data.
    pub reference: Option<String>,
    /// The refusal that this row mends, if it comes from a file of refused rows.
    pub refusal: Option<i64>,
}

impl RosterRow {
    /// Refuses a row that is well written, for a reason that the row alone does not show: a repeat.
    pub fn refuse(self, column: &'static str, reason: Reason) -> RowFault {
        let place = Box::new(self.place.clone());
        let tags: Vec<&str> = self.tags.iter().map(|tag| tag.as_str()).collect();
        RowFault {
            line: self.line,
            column,
            reason,
            refusal: self.refusal,
            cells: vec![
                self.place.district,
                self.place.street,
                self.place.community,
                self.place.building,
                self.place.unit,
                self.door,
                self.name,
                self.phone
                    .map(|phone| phone.as_e164().to_owned())
                    .unwrap_or_default(),
                self.language
                    .map(|language| language.code().to_owned())
                    .unwrap_or_default(),
                tags.join(";"),
                self.reference.unwrap_or_default(),
            ],
            place,
        }
    }
}

impl fmt::Debug for RosterRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RosterRow")
            .field("line", &self.line)
            .field("place", &self.place)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

/// A roster, row by row: the good ones and the faults, nothing dropped. An error ends it.
pub struct RosterFile {
    table: Table,
}

impl RosterFile {
    /// Opens a roster, or a file of refused rows that was mended. Blocks while the file is read through once.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self {
            table: Table::open(path, ROSTER)?,
        })
    }

    /// How large the file is.
    pub fn bytes_total(&self) -> u64 {
        self.table.bytes_total()
    }

    /// How much of it has been read, for a progress bar.
    pub fn bytes_read(&self) -> u64 {
        self.table.bytes_read()
    }
}

impl Iterator for RosterFile {
    type Item = Result<Result<RosterRow, RowFault>, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.table.next_line().transpose()?;
        Some(line.map(|line| cells::read_line(self.table.columns(), &line, read)))
    }
}

fn read(cells: &Cells<'_>) -> Result<RosterRow, Problem> {
    let place = |column| cells.needed(column, PLACE_CHARACTERS_MAX);
    let reference = cells.text("ref", TEXT_CHARACTERS_MAX)?;
    Ok(RosterRow {
        line: cells.line(),
        place: UnitPlace {
            district: place("district")?,
            street: place("street")?,
            community: place("community")?,
            building: place("building")?,
            unit: place("unit")?,
        },
        door: place("door")?,
        name: cells.needed("name", TEXT_CHARACTERS_MAX)?,
        phone: phone(&cells.text("phone", TEXT_CHARACTERS_MAX)?)
            .map_err(|reason| Problem("phone", reason))?,
        language: language(&cells.text("language", TEXT_CHARACTERS_MAX)?)?,
        tags: tags(&cells.text("tags", TEXT_CHARACTERS_MAX)?)?,
        reference: (!reference.is_empty()).then_some(reference),
        refusal: cells.refusal()?,
    })
}

fn phone(text: &str) -> Result<Option<PhoneNumber>, Reason> {
    if text.is_empty() {
        return Ok(None);
    }
    let has_digit = |part: &&str| part.chars().any(char::is_numeric);
    // 028-8888888/9 too: what follows the stroke would be read as more digits of one number.
    if text.split(PHONE_SEPARATORS).filter(has_digit).count() > 1 {
        return Err(Reason::SeveralPhones);
    }
    if text.contains(['E', 'e']) && text.parse::<f64>().is_ok() {
        return Err(Reason::ShortenedPhone);
    }
    Ok(Some(PhoneNumber::parse(text)?))
}

fn language(text: &str) -> Result<Option<Language>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|unknown| Problem("language", Reason::Language(unknown)))
}

fn tags(text: &str) -> Result<Vec<Tag>, Problem> {
    let words = text.split([';', '；']).filter(|word| !word.trim().is_empty());
    let tags: Result<Vec<Tag>, _> = words.map(str::parse).collect();
    let mut tags = tags.map_err(|unknown| Problem("tags", Reason::Tag(unknown)))?;
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{BadPhone, UnknownLanguage, UnknownTag},
        roster::sheet::tests::{text_row, workbook},
    };

    const HEADER: &str = "district,street,community,building,unit,door,name,phone,language,tags";
    const GOOD: &str = "锦江区,春熙街道,锦绣社区1,1栋,1单元,101,张三,+8619900000001,zh-Hans,student;elderly";

    pub(in crate::roster) fn read_bytes(bytes: &[u8]) -> Vec<Result<RosterRow, RowFault>> {
        let mut file = tempfile::NamedTempFile::new().expect("temporary files can be made");
        file.write_all(bytes).expect("the disk has room");
        read_path(file.path())
    }

    fn read_path(path: &Path) -> Vec<Result<RosterRow, RowFault>> {
        let rows: Result<Vec<_>, _> = RosterFile::open(path).expect("a roster").collect();
        rows.expect("the whole file can be read")
    }

    /// The one row of a roster that has only this line.
    fn read_one(line: &str) -> Result<RosterRow, RowFault> {
        let mut rows = read_bytes(format!("{HEADER}\n{line}\n").as_bytes());
        assert_eq!(rows.len(), 1, "{line}");
        rows.remove(0)
    }

    /// A good line with one cell of another text.
    fn with(column: &str, text: &str) -> String {
        let position = HEADER
            .split(',')
            .position(|name| name == column)
            .expect("a column of the header");
        let mut cells: Vec<&str> = GOOD.split(',').collect();
        cells[position] = text;
        cells.join(",")
    }

    #[test]
    fn a_good_row_is_read_whole() {
        let row = read_one(GOOD).expect("a good row");
        assert_eq!(row.line, 2);
        assert_eq!(row.place.community, "锦绣社区1");
        assert_eq!((&*row.door, &*row.name), ("101", "张三"));
        assert_eq!(
            row.phone.map(|phone| phone.as_e164().to_owned()),
            Some("+8619900000001".into())
        );
        assert_eq!(row.language, Some(Language::ZhHans));
        assert_eq!(row.tags, [Tag::Student, Tag::Elderly]);
        assert_eq!((row.reference, row.refusal), (None, None));
    }

    #[test]
    fn what_may_be_empty_may_be_empty() {
        let row = read_one("a,b,c,d,e,f,g,, \u{3000},;").expect("a good row");
        assert_eq!((row.phone, row.language, row.tags), (None, None, vec![]));
    }

    #[test]
    fn a_needed_cell_may_not_be_empty() {
        let needed = [
            "district",
            "street",
            "community",
            "building",
            "unit",
            "door",
            "name",
        ];
        for column in needed {
            for empty in ["", "  ", "\u{3000}", "\u{200b}\u{feff}"] {
                let fault = read_one(&with(column, empty)).expect_err("a needed cell is empty");
                assert_eq!(
                    (fault.line, fault.column, fault.reason),
                    (2, column, Reason::Empty)
                );
            }
        }
    }

    #[test]
    fn a_faulty_cell_is_told_with_its_reason() {
        for (column, text, reason) in [
            ("phone", "12345", Reason::Phone(BadPhone)),
            ("phone", "+86 1990000", Reason::Phone(BadPhone)),
            ("phone", "电话未登记", Reason::Phone(BadPhone)),
            ("phone", "+8619900000000000000", Reason::Phone(BadPhone)),
            ("phone", "1.39E+10", Reason::ShortenedPhone),
            ("phone", "13900000001/13900000002", Reason::SeveralPhones),
            ("phone", "13900000001；13900000002", Reason::SeveralPhones),
            ("phone", "\"13900000001, 13900000002\"", Reason::SeveralPhones),
            ("phone", "028-8888888、9", Reason::SeveralPhones),
            ("tags", "vip", Reason::Tag(UnknownTag)),
            ("tags", "student;vip", Reason::Tag(UnknownTag)),
            ("language", "tlh", Reason::Language(UnknownLanguage)),
            ("name", "张三\x07\x1b[31m", Reason::ControlCharacter),
            ("name", "张\u{2028}三", Reason::ControlCharacter),
            ("door", "1\0", Reason::ControlCharacter),
            ("name", "张\u{fffd}", Reason::LostCharacter),
            ("name", &"长".repeat(101), Reason::TooLong { characters_max: 100 }),
            (
                "building",
                &"1".repeat(61),
                Reason::TooLong { characters_max: 60 },
            ),
        ] {
            let fault = read_one(&with(column, text)).expect_err("a fault");
            assert_eq!(
                (fault.line, fault.column, &fault.reason),
                (2, column, &reason),
                "{text}"
            );
            assert_eq!(fault.unit().is_none(), column == "building", "{text}");
        }
    }

    #[test]
    fn a_faulty_line_is_told_with_its_reason() {
        for (line, reason) in [
            (
                "a,b,c,d,e,f".to_owned(),
                Reason::ColumnCount {
                    found: 6,
                    expected: 10,
                },
            ),
            (
                format!("{GOOD},more"),
                Reason::ColumnCount {
                    found: 11,
                    expected: 10,
                },
            ),
            (GOOD.replace("张三", "\"张三"), Reason::OpenQuotation),
            (",".repeat(300) + "x", Reason::TooManyCells),
        ] {
            let fault = read_one(&line).expect_err("a fault");
            assert_eq!(
                (fault.line, fault.column, &fault.reason),
                (2, "row", &reason),
                "{line}"
            );
        }
    }

    #[test]
    fn every_reason_says_what_to_do() {
        assert_eq!(Reason::Tag(UnknownTag).to_string(), UnknownTag.to_string());
        assert!(
            Reason::ColumnCount {
                found: 6,
                expected: 10
            }
            .to_string()
            .contains("6 columns")
        );
        assert!(
            Reason::OpenQuotation
                .to_string()
                .contains("or a cell contains a line break")
        );
    }

    #[test]
    fn a_fault_keeps_its_cells_and_what_of_the_place_can_be_read() {
        let fault = read_one("区,街道,\x07,1栋,1单元,101").expect_err("a fault");
        assert_eq!(fault.place.street, "街道");
        assert_eq!((&*fault.place.community, fault.unit()), ("", None));
        assert_eq!(fault.cells[..6], ["区", "街道", "\x07", "1栋", "1单元", "101"]);
        assert_eq!(fault.cells.len(), 11);

        let line = with("name", &"x".repeat(70_000));
        let fault = read_one(&line).expect_err("a fault");
        assert_eq!(fault.reason, Reason::LineTooLong);
        assert_eq!(fault.unit().map(|place| &*place.unit), Some("1单元"));
        assert_eq!(
            fault.cells[5..],
            ["101", "\u{fffd}", "\u{fffd}", "\u{fffd}", "\u{fffd}", ""]
        );

        let fault = read_one(&GOOD.replace("张三", "\"张三")).expect_err("a fault");
        assert_eq!((&*fault.cells[6], fault.unit().is_some()), ("\u{fffd}张三", true));
    }

    #[test]
    fn any_writing_is_a_name() {
        for name in [
            "𠮷田𪚥",
            "👩‍👩‍👧",
            "محمد بن علي",
            "Nguye\u{302}\u{303}n",
            "<script>alert(1)</script>",
            "=cmd|' /C calc'!A0",
            "'; drop table residents; --",
            &"长".repeat(100),
        ] {
            let row = read_one(&with("name", &format!(" \u{3000}{name}\u{200f}"))).expect("a good row");
            let composed: String = unicode_normalization::UnicodeNormalization::nfc(name).collect();
            assert_eq!(row.name, composed);
        }
    }

    #[test]
    fn phones_as_address_books_copy_them() {
        for text in [
            "\u{202d}13900000001\u{202c}",
            "8613900000001",
            "１３９ ００００ ０００１",
        ] {
            let phone = read_one(&with("phone", text)).expect("a good row").phone;
            assert_eq!(
                phone.map(|phone| phone.as_e164().to_owned()),
                Some("+8613900000001".into()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn chinese_headers_in_any_order_and_a_workbook_mean_the_same() {
        let expected = read_one(GOOD).expect("a good row");
        let chinese = "姓名,门牌,区,街道,社区,楼栋,单元,电话,语言,标签,资料编号\n\
            张三,101,锦江区,春熙街道,锦绣社区1,1栋,1单元,19900000001,ZH-HANS,elderly；student;elderly,R1\n";
        let with_reference = RosterRow {
            reference: Some("R1".into()),
            ..expected.clone()
        };
        let gb = encoding_rs::GB18030.encode(chinese).0;
        for bytes in [chinese.as_bytes(), &gb] {
            assert_eq!(read_bytes(bytes), [Ok(with_reference.clone())]);
        }
        let row = |number, text: &str| text_row(number, &text.split(',').collect::<Vec<_>>());
        let short = GOOD.trim_end_matches("student;elderly");
        let sheet = workbook(&[row(1, HEADER), row(2, GOOD), row(9, short)].concat());
        let untagged = RosterRow {
            line: 9,
            tags: vec![],
            ..expected.clone()
        };
        assert_eq!(read_path(sheet.path()), [Ok(expected), Ok(untagged)]);
    }

    #[test]
    fn debug_output_carries_no_personal_data() {
        let row = read_one(GOOD).expect("a good row");
        let fault = read_one(&with("tags", "vip")).expect_err("a fault");
        let refused = row.clone().refuse("row", Reason::SameAs(7));
        assert_eq!(
            refused.cells[..10],
            GOOD.split(',').map(str::to_owned).collect::<Vec<_>>()
        );
        for text in [format!("{row:?}"), format!("{fault:?}"), format!("{refused:?}")] {
            for secret in ["张三", "101", "9900000001", "student", "vip"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_cost_a_good_line(
            noise in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..200), any::<bool>()), 1..20),
            ending in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        ) {
            // The mark says UTF-8: else so much noise would outvote the good lines.
            let mut bytes = format!("\u{feff}{HEADER}{ending}").into_bytes();
            let mut good = Vec::new();
            for (number, (line, is_noise)) in (2..).zip(&noise) {
                if *is_noise {
                    bytes.extend(line.iter().filter(|byte| !matches!(byte, b'\n' | b'\r')));
                } else {
                    good.push(number);
                    bytes.extend(GOOD.as_bytes());
                }
                bytes.extend(ending.as_bytes());
            }
            bytes.extend(GOOD.as_bytes());
            good.push(noise.len() as u64 + 2);
            let read: Vec<u64> = read_bytes(&bytes)
                .into_iter()
                .filter_map(Result::ok)
                .filter(|row| row.name == "张三")
                .map(|row| row.line)
                .collect();
            prop_assert_eq!(read, good);
        }

        #[test]
        fn no_bytes_cause_a_panic(
            start in prop_oneof![Just(HEADER), Just(""), Just("PK\x03\x04"), Just("district;name\n"), Just("区\t姓名\r")],
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let mut file = tempfile::NamedTempFile::new().expect("temporary files can be made");
            file.write_all(start.as_bytes()).expect("the disk has room");
            file.write_all(&bytes).expect("the disk has room");
            if let Ok(rows) = RosterFile::open(file.path()) {
                let _ = rows.count();
            }
        }
    }
}
