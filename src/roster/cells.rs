//! One line seen through its file's header: what its cells hold, or what is wrong with one of them.

use std::{borrow::Cow, fmt, ops::RangeInclusive, str::FromStr};

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::{
    file::{Line, LineFault},
    header::{Columns, Presence},
    refused,
};
use crate::domain::{BadPhone, Coordinates, UnitPlace, UnknownLanguage, UnknownTag};

/// Characters in the name of a place, a door included.
pub(super) const PLACE_CHARACTERS_MAX: usize = 60;
/// Characters in any other cell.
pub(super) const TEXT_CHARACTERS_MAX: usize = 100;
/// What [`RowFault::column`] says when no single cell is at fault.
pub(super) const WHOLE_ROW: &str = "row";

/// A line that was refused, where it is wrong, and why. `Debug` leaves personal data out.
#[derive(Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The line in the file, from 1; the header has a number too.
    pub line: u64,
    /// The English name of the column at fault, or `row`.
    pub column: &'static str,
    /// What is wrong, and what is allowed.
    pub reason: Reason,
    /// What of the place could be read; the other parts are empty. Boxed, since faults travel as `Err`.
    pub place: Box<UnitPlace>,
    /// The refusal that the row was written out for, if it comes from a file of refused rows.
    pub refusal: Option<i64>,
    /// The cells as they stand in the file, in the order in which Weir writes the columns; � is one that
    /// could not be read. After them come those that stand under no column. Personal data.
    pub cells: Vec<String>,
}

impl RowFault {
    /// The place, if the whole of it could be read.
    pub fn unit(&self) -> Option<&UnitPlace> {
        let UnitPlace {
            district,
            street,
            community,
            building,
            unit,
        } = &*self.place;
        let whole = [district, street, community, building, unit]
            .into_iter()
            .all(|part| !part.is_empty());
        whole.then_some(&self.place)
    }
}

impl fmt::Debug for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowFault")
            .field("line", &self.line)
            .field("column", &self.column)
            .field("reason", &self.reason)
            .field("place", &self.place)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

/// Why a row is refused; it says what is allowed and never repeats what a cell holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The row's line is too long.
    #[error("the line is longer than 64 KiB, so only its beginning was read: shorten it")]
    LineTooLong,
    /// A quotation mark opens a cell and none closes it on the line.
    #[error(
        "a quotation mark is not closed, or a cell contains a line break: remove the mark, keep each row on one line"
    )]
    OpenQuotation,
    /// Bytes that are no text.
    #[error("some characters are damaged, they are not {0}: type them again and save as CSV UTF-8")]
    Undecodable(&'static str),
    /// More or fewer cells than columns.
    #[error(
        "the row has {found} columns and the header has {expected}: every row needs as many as the header"
    )]
    ColumnCount {
        /// In the row.
        found: usize,
        /// In the header.
        expected: usize,
    },
    /// So many cells that they were not all read.
    #[error("the row has more than 256 columns: every row needs as many as the header")]
    TooManyCells,
    /// A needed cell is empty.
    #[error("empty: every row needs it")]
    Empty,
    /// A cell holds more than it may.
    #[error("too long: at most {characters_max} characters")]
    TooLong {
        /// What is allowed.
        characters_max: usize,
    },
    /// A character that is no text, such as a bell or a line break.
    #[error("contains a control character, such as a line break: type the cell again")]
    ControlCharacter,
    /// An earlier conversion put � where it could not read a character.
    #[error("contains �, which stands for a character that was lost: type the cell again")]
    LostCharacter,
    /// A spreadsheet took the cell for a date.
    #[error("the spreadsheet took it for a date: format the column as text and type it again")]
    DateCell,
    /// A spreadsheet shows an error in the cell.
    #[error("the spreadsheet shows an error such as #REF!: type the value")]
    ErrorCell,
    /// No phone number.
    #[error(transparent)]
    Phone(#[from] BadPhone),
    /// A spreadsheet shortened the number.
    #[error(
        "the spreadsheet shortened the number, as in 1.39E+10: format the column as text and type it again"
    )]
    ShortenedPhone,
    /// Several phone numbers.
    #[error("several phone numbers: write one number a row")]
    SeveralPhones,
    /// No language that Weir speaks.
    #[error(transparent)]
    Language(#[from] UnknownLanguage),
    /// No tag.
    #[error(transparent)]
    Tag(#[from] UnknownTag),
    /// The number of the refusal was changed.
    #[error("not the number that was written there: leave this column as it was, or empty")]
    Refusal,
    /// No whole number, or out of range.
    #[error("write a whole number from {min} to {max}")]
    WholeNumber {
        /// The smallest allowed.
        min: u32,
        /// The largest allowed.
        max: u32,
    },
    /// No decimal number, or out of range.
    #[error("write a number of degrees from -{max} to {max}, such as 30.66")]
    Degrees {
        /// The largest allowed; its negative is the smallest.
        max: u32,
    },
    /// One coordinate without the other.
    #[error("give both lat and lon, or neither")]
    HalfCoordinates,
    /// No time of day.
    #[error("write a time from 00:00 to 23:59, such as 08:30")]
    Time,
    /// It closes before it opens.
    #[error("must be later than opens")]
    ClosesBeforeItOpens,
    /// Breaks that are none.
    #[error("write times between opens and closes that do not overlap, such as 12:00-13:00;17:30-18:00")]
    Breaks,
    /// The first community is where the site lies.
    #[error("name first the community that the site lies in, without its street; others follow, split by ;")]
    FirstCommunity,
    /// More green desks than desks.
    #[error("must not be more than desks: the green desks are counted among them")]
    MoreGreenDesks,
    /// Neither ticked nor empty.
    #[error("put a tick such as ✓, 1 or 是, or leave it empty")]
    Tick,
    /// Its place is not one that whoever imports it works for.
    #[error("not among the areas that whoever imports it works for: ask a coordinator of that community")]
    Elsewhere,
    /// A repeat.
    #[error("same as line {0}: remove one of the two")]
    SameAs(u64),
}

/// A column and what is wrong in it.
#[derive(Debug)]
pub(super) struct Problem(pub &'static str, pub Reason);

/// Reads one line with `read`; a fault carries what of the line can be told.
pub(super) fn read_line<T>(
    columns: &Columns,
    line: &Line,
    read: impl FnOnce(&Cells<'_>) -> Result<T, Problem>,
) -> Result<T, RowFault> {
    let cells = Cells { columns, line };
    cells
        .check()
        .and_then(|()| read(&cells))
        .map_err(|problem| cells.fault(problem))
}

/// The cells of one line, by the English names of their columns.
pub(super) struct Cells<'l> {
    columns: &'l Columns,
    line: &'l Line,
}

impl Cells<'_> {
    /// The line's number.
    pub fn line(&self) -> u64 {
        self.line.number
    }

    /// A cell's text, trimmed and in normal form C; empty if the cell is, or if the file has no such column.
    pub fn text(&self, column: &'static str, characters_max: usize) -> Result<String, Problem> {
        let raw = self.raw(column);
        let text = raw.trim_matches(is_invisible);
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(Problem(column, Reason::ControlCharacter));
        }
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Problem(column, Reason::LostCharacter));
        }
        if text.len() > characters_max && text.chars().count() > characters_max {
            return Err(Problem(column, Reason::TooLong { characters_max }));
        }
        Ok(match is_nfc_quick(text.chars()) {
            IsNormalized::Yes => text.to_owned(),
            _ => text.nfc().collect(),
        })
    }

    /// The text of a cell that may not be empty.
    pub fn needed(&self, column: &'static str, characters_max: usize) -> Result<String, Problem> {
        let text = self.text(column, characters_max)?;
        if text.is_empty() {
            return Err(Problem(column, Reason::Empty));
        }
        Ok(text)
    }

    /// A whole number; an empty cell is `if_empty`, where there is such a thing.
    pub fn whole_number(
        &self,
        column: &'static str,
        allowed: RangeInclusive<u32>,
        if_empty: Option<u32>,
    ) -> Result<u32, Problem> {
        let text = self.ascii(column)?;
        let number = if text.is_empty() {
            if_empty
        } else {
            text.parse().ok()
        };
        number.filter(|number| allowed.contains(number)).ok_or(Problem(
            column,
            Reason::WholeNumber {
                min: *allowed.start(),
                max: *allowed.end(),
            },
        ))
    }

    /// The cell with its full-width digits, letters and signs made plain.
    pub fn ascii(&self, column: &'static str) -> Result<String, Problem> {
        Ok(self.text(column, TEXT_CHARACTERS_MAX)?.nfkc().collect())
    }

    /// The columns `lat` and `lon`.
    pub fn coordinates(&self) -> Result<Option<Coordinates>, Problem> {
        match (self.degrees("lat", 90)?, self.degrees("lon", 180)?) {
            (Some(lat), Some(lon)) => Ok(Some(Coordinates { lat, lon })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(Problem("lon", Reason::HalfCoordinates)),
            (None, Some(_)) => Err(Problem("lat", Reason::HalfCoordinates)),
        }
    }

    /// The refusal that the row was written out for.
    pub fn refusal(&self) -> Result<Option<i64>, Problem> {
        let text = self.ascii("refusal")?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| Problem("refusal", Reason::Refusal))
    }

    fn degrees(&self, column: &'static str, max: u32) -> Result<Option<f64>, Problem> {
        let text = self.ascii(column)?;
        if text.is_empty() {
            return Ok(None);
        }
        let allowed = -f64::from(max)..=f64::from(max);
        let degrees = f64::from_str(&text)
            .ok()
            .filter(|degrees| allowed.contains(degrees));
        degrees.map(Some).ok_or(Problem(column, Reason::Degrees { max }))
    }

    /// The line as a whole: everything that is wrong before its cells are looked at.
    fn check(&self) -> Result<(), Problem> {
        let at = |position| self.columns.name_at(position).unwrap_or(WHOLE_ROW);
        let problem = match self.line.fault {
            None => {
                let (found, expected) = (self.line.cells.len(), self.columns.count);
                if found == expected {
                    return Ok(());
                }
                Problem(WHOLE_ROW, Reason::ColumnCount { found, expected })
            }
            Some(LineFault::TooLong) => Problem(WHOLE_ROW, Reason::LineTooLong),
            Some(LineFault::TooManyCells) => Problem(WHOLE_ROW, Reason::TooManyCells),
            Some(LineFault::OpenQuotation) => Problem(WHOLE_ROW, Reason::OpenQuotation),
            Some(LineFault::Undecodable(encoding)) => Problem(WHOLE_ROW, Reason::Undecodable(encoding)),
            Some(LineFault::DateCell(position)) => Problem(at(position), Reason::DateCell),
            Some(LineFault::ErrorCell(position)) => Problem(at(position), Reason::ErrorCell),
        };
        Err(problem)
    }

    fn fault(&self, Problem(column, reason): Problem) -> RowFault {
        let part = |column| self.text(column, PLACE_CHARACTERS_MAX).unwrap_or_default();
        let own = self
            .columns
            .layout
            .iter()
            .filter(|column| column.presence != Presence::Refused);
        let mut cells: Vec<String> = own.map(|column| self.kept(column.name)).collect();
        let beyond = self.line.cells.iter().skip(self.columns.count);
        cells.extend(beyond.map(|cell| self.unguarded(cell).into_owned()));
        RowFault {
            line: self.line.number,
            column,
            reason,
            place: Box::new(UnitPlace {
                district: part("district"),
                street: part("street"),
                community: part("community"),
                building: part("building"),
                unit: part("unit"),
            }),
            refusal: self.refusal().unwrap_or_default(),
            cells,
        }
    }

    /// A cell as it is kept with a refusal. One that the line lacks is �, so that the row stays refused
    /// until somebody has said what belongs there.
    fn kept(&self, column: &str) -> String {
        match self.columns.position(column) {
            Some(position) if position >= self.line.cells.len() => char::REPLACEMENT_CHARACTER.into(),
            _ => self.raw(column).into_owned(),
        }
    }

    /// A cell as it stands in the file.
    fn raw(&self, column: &str) -> Cow<'_, str> {
        let position = self.columns.position(column);
        let cell = position.and_then(|position| self.line.cells.get(position));
        self.unguarded(cell.map_or("", String::as_str))
    }

    /// Only a file of refused rows has guarded cells.
    fn unguarded<'c>(&self, cell: &'c str) -> Cow<'c, str> {
        if self.columns.position("refusal").is_some() {
            refused::unguarded(cell)
        } else {
            cell.into()
        }
    }
}

/// Spaces of any width, and the marks without width that copying from an address book leaves behind.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
