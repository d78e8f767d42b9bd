//! Which column of a file means what.

use unicode_normalization::UnicodeNormalization;

/// A column that Weir knows.
pub(super) struct Column {
    /// The name in English, and in reports.
    pub name: &'static str,
    /// The name in Chinese; empty where a file never carries one.
    pub chinese: &'static str,
    /// Whether a file must have it.
    pub presence: Presence,
}

/// Whether a file must have a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// A file without it is refused.
    Required,
    /// A file may leave it out.
    Optional,
    /// Weir itself adds it to the refused rows that it writes.
    Refused,
}

/// The columns of one kind of file, in the order in which Weir writes them.
pub(super) type Layout = [Column];

/// A column that every file of its kind has.
pub(super) const fn required(name: &'static str, chinese: &'static str) -> Column {
    Column {
        name,
        chinese,
        presence: Presence::Required,
    }
}

/// A column that a file may leave out.
pub(super) const fn optional(name: &'static str, chinese: &'static str) -> Column {
    Column {
        name,
        chinese,
        presence: Presence::Optional,
    }
}

/// A column of refused rows.
pub(super) const fn refused(name: &'static str) -> Column {
    Column {
        name,
        chinese: "",
        presence: Presence::Refused,
    }
}

/// What is wrong with the line that names the columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// None of the columns is known: no table, a table without a header, or one of another kind.
    #[error(
        "this is not a table that Weir can read here. Bring a .csv file (UTF-8 or GB18030) or an .xlsx workbook \
         whose first line names its columns: {allowed}"
    )]
    NotATable {
        /// The columns that are allowed.
        allowed: String,
    },
    /// One column is not known.
    #[error(
        "there is no column \"{found}\"{}. Rename or remove it; allowed are {allowed}",
        nearest.map(|name| format!(" (perhaps \"{name}\" is meant)")).unwrap_or_default()
    )]
    UnknownColumn {
        /// Its name in the file.
        found: String,
        /// The known name that looks most like it.
        nearest: Option<&'static str>,
        /// The columns that are allowed.
        allowed: String,
    },
    /// A column has no name.
    #[error("column {position} has no name. Name it or remove it; allowed are {allowed}")]
    UnnamedColumn {
        /// Its position, from 1.
        position: usize,
        /// The columns that are allowed.
        allowed: String,
    },
    /// Two columns have the same meaning.
    #[error("the columns \"{first}\" and \"{second}\" are both {column}. Remove one")]
    DuplicateColumn {
        /// The English name of both.
        column: &'static str,
        /// The first name in the file.
        first: String,
        /// The second name in the file.
        second: String,
    },
    /// Columns are missing that every file of this kind needs.
    #[error("these columns are missing: {missing}. Add them; the whole list is {allowed}")]
    MissingColumns {
        /// Those missing.
        missing: String,
        /// The columns that are allowed.
        allowed: String,
    },
}

/// A file's header, understood: where each known column stands.
pub(super) struct Columns {
    pub layout: &'static Layout,
    /// For each column of the layout its position in the file.
    positions: Vec<Option<usize>>,
    /// How many cells a line has.
    pub count: usize,
}

impl Columns {
    /// Reads the header, whatever the order, case, width and spacing of its names.
    pub fn read(layout: &'static Layout, header: &[String]) -> Result<Self, HeaderFault> {
        let count = header
            .iter()
            .rposition(|name| !folded(name).is_empty())
            .map_or(0, |last| last + 1);
        let header = &header[..count];
        let known: Vec<Option<usize>> = header.iter().map(|name| index_of(layout, name)).collect();
        if known.iter().all(Option::is_none) {
            return Err(HeaderFault::NotATable {
                allowed: names(layout.iter()),
            });
        }
        let mut positions = vec![None; layout.len()];
        for (position, index) in known.into_iter().enumerate() {
            let index = index.ok_or_else(|| unknown(layout, header, position))?;
            if let Some(first) = positions[index].replace(position) {
                return Err(HeaderFault::DuplicateColumn {
                    column: layout[index].name,
                    first: shown(&header[first]),
                    second: shown(&header[position]),
                });
            }
        }
        let missing = |(column, position): &(&Column, &Option<usize>)| {
            column.presence == Presence::Required && position.is_none()
        };
        let mut missing = layout
            .iter()
            .zip(&positions)
            .filter(missing)
            .map(|(column, _)| column)
            .peekable();
        if missing.peek().is_some() {
            return Err(HeaderFault::MissingColumns {
                missing: names(missing),
                allowed: names(layout.iter()),
            });
        }
        Ok(Self {
            layout,
            positions,
            count,
        })
    }

    /// Where the column of this English name stands in the file, if the file has it.
    pub fn position(&self, name: &str) -> Option<usize> {
        let index = self.layout.iter().position(|column| column.name == name)?;
        self.positions[index]
    }

    /// The English name of what stands at this position.
    pub fn name_at(&self, position: usize) -> Option<&'static str> {
        let index = self.positions.iter().position(|at| *at == Some(position))?;
        Some(self.layout[index].name)
    }
}

fn index_of(layout: &Layout, name: &str) -> Option<usize> {
    let name = folded(name);
    layout.iter().position(|column| {
        !name.is_empty() && (folded(column.name) == name || folded(column.chinese) == name)
    })
}

fn unknown(layout: &'static Layout, header: &[String], position: usize) -> HeaderFault {
    let allowed = names(layout.iter());
    let found = folded(&header[position]);
    if found.is_empty() {
        return HeaderFault::UnnamedColumn {
            position: position + 1,
            allowed,
        };
    }
    HeaderFault::UnknownColumn {
        found: shown(&header[position]),
        nearest: nearest(layout, &found),
        allowed,
    }
}

/// The known name that looks most like `found`, if one does.
fn nearest(layout: &'static Layout, found: &str) -> Option<&'static str> {
    const LIKENESS_MIN: f64 = 0.8;
    layout
        .iter()
        .flat_map(|column| [column.name, column.chinese])
        .filter(|name| !name.is_empty())
        .map(|name| (strsim::jaro_winkler(&folded(name), found), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A name without what people vary: case, width, spaces, joining marks and a byte-order mark.
fn folded(name: &str) -> String {
    name.nfkc()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '\u{feff}' | '\u{200b}'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name as it can be shown: not endless, and without characters that act on a terminal.
fn shown(name: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 40;
    let name: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    match name.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

fn names<'c>(columns: impl Iterator<Item = &'c Column>) -> String {
    columns
        .filter(|column| column.presence != Presence::Refused)
        .map(|column| format!("{} ({})", column.name, column.chinese))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: &Layout = &[
        required("district", "区"),
        required("phone", "电话"),
        optional("green_desks", "绿色通道台数"),
        refused("reason"),
    ];

    fn read(header: &[&str]) -> Result<Columns, HeaderFault> {
        Columns::read(
            LAYOUT,
            &header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn names_are_known_in_any_dress() {
        for header in [
            ["district", "phone", "green_desks"],
            ["\u{feff}District ", " PHONE", "Green Desks"],
            ["\u{3000}区", "电 话", "绿色通道台数"],
            ["ｄｉｓｔｒｉｃｔ", "ＰＨＯＮＥ", "green-desks"],
        ] {
            let columns = read(&header).expect("known names");
            assert_eq!(columns.position("phone"), Some(1), "{header:?}");
            assert_eq!(columns.position("green_desks"), Some(2), "{header:?}");
            assert_eq!(columns.name_at(0), Some("district"), "{header:?}");
        }
    }

    #[test]
    fn the_order_is_free_and_empty_columns_at_the_end_are_nothing() {
        let columns = read(&["reason", "电话", "district", "", " "]).expect("known names");
        assert_eq!(
            (columns.position("phone"), columns.position("district")),
            (Some(1), Some(2))
        );
        assert_eq!(
            (columns.position("reason"), columns.position("green_desks")),
            (Some(0), None)
        );
        assert_eq!(columns.count, 3);
    }

    #[test]
    fn a_faulty_header_is_refused_with_what_to_do() {
        for (header, sentence) in [
            (
                vec!["district", "phone", "phones"],
                "there is no column \"phones\" (perhaps \"phone\" is meant). Rename",
            ),
            (
                vec!["区", "电话", "电话号码"],
                "there is no column \"电话号码\" (perhaps \"电话\" is meant). Rename",
            ),
            (
                vec!["区", "电话", "zodiac"],
                "there is no column \"zodiac\". Rename or remove it; allowed are district (区)",
            ),
            (vec!["district", "", "phone"], "column 2 has no name"),
            (
                vec!["district", "phone", "电话"],
                "the columns \"phone\" and \"电话\" are both phone",
            ),
            (
                vec!["phone"],
                "these columns are missing: district (区). Add them",
            ),
            (
                vec!["张三", "13900000001"],
                "this is not a table that Weir can read here",
            ),
            (vec![], "this is not a table"),
        ] {
            let fault = read(&header).err().expect("a fault").to_string();
            assert!(fault.starts_with(sentence), "{fault}");
        }
    }
}
