//! What can be chosen about a visit at home. Like every choice, each carries all it means, and can be forged.

use std::{fmt, str::FromStr};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{menu::UnknownChoice, places::Area};
use crate::domain::{VisitFor, VisitId};

/// What a request for a visit says, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Field {
    Whom,
    Name,
    Where,
    Door,
    Why,
    When,
    Phone,
    Access,
}

impl Field {
    /// Every one, in order, with its word in button data.
    pub(super) const ALL: [(Self, &'static str); 8] = [
        (Self::Whom, "whom"),
        (Self::Name, "name"),
        (Self::Where, "where"),
        (Self::Door, "door"),
        (Self::Why, "why"),
        (Self::When, "when"),
        (Self::Phone, "phone"),
        (Self::Access, "access"),
    ];
}

/// A part of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Morning,
    Noon,
    Afternoon,
    Evening,
}

impl Part {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Morning, "morning"),
        (Self::Noon, "noon"),
        (Self::Afternoon, "afternoon"),
        (Self::Evening, "evening"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VisitChoice {
    /// Another visit than those that are open.
    New,
    /// The request that waits.
    GoOn,
    /// No visit after all.
    Drop,
    /// The question before.
    Back,
    /// Ask for it, as the summary says.
    Send,
    /// Something in the summary is wrong.
    Fix,
    /// This is.
    FixAt(Field),
    For(VisitFor),
    /// Somebody of the household that the contact stands for, as offered.
    Who(usize),
    Area(Area),
    /// Another screen of the places within `within`, counted from 0.
    Page {
        within: Option<Area>,
        page: usize,
    },
    /// One of the usual reasons.
    Why(usize),
    /// In this part of this day, or at any time.
    When(Option<(NaiveDate, Part)>),
    /// One of the usual notes.
    Note(usize),
    NoNote,
    /// How this visit stands.
    Show(VisitId),
    Move(VisitId),
    Phone(VisitId),
    Access(VisitId),
    Again(VisitId),
    Cancel(VisitId),
}

const PLAIN: [(VisitChoice, &str); 8] = [
    (VisitChoice::New, "new"),
    (VisitChoice::GoOn, "go_on"),
    (VisitChoice::Drop, "drop"),
    (VisitChoice::Back, "back"),
    (VisitChoice::Send, "send"),
    (VisitChoice::Fix, "fix"),
    (VisitChoice::NoNote, "no_note"),
    (VisitChoice::When(None), "any_time"),
];

fn word<T: PartialEq>(all: &'static [(T, &'static str)], wanted: &T) -> &'static str {
    all.iter()
        .find(|(one, _)| one == wanted)
        .map_or("", |(_, word)| word)
}

fn of_word<T: Copy>(all: &[(T, &str)], wanted: &str) -> Result<T, UnknownChoice> {
    let found = all.iter().find(|(_, word)| *word == wanted);
    found.map(|(one, _)| *one).ok_or(UnknownChoice)
}

impl fmt::Display for VisitChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FixAt(field) => write!(f, "fix:{}", word(&Field::ALL, field)),
            Self::For(whom) => write!(f, "for:{whom}"),
            Self::Who(index) => write!(f, "who:{index}"),
            Self::Area(area) => write!(f, "area:{area}"),
            Self::Page { within: None, page } => write!(f, "page:{page}"),
            Self::Page {
                within: Some(area),
                page,
            } => write!(f, "page:{page}:{area}"),
            Self::Why(index) => write!(f, "why:{index}"),
            Self::When(Some((date, part))) => write!(f, "when:{date}:{}", word(&Part::ALL, part)),
            Self::Note(index) => write!(f, "note:{index}"),
            Self::Show(visit) => write!(f, "show:{visit}"),
            Self::Move(visit) => write!(f, "move:{visit}"),
            Self::Phone(visit) => write!(f, "phone:{visit}"),
            Self::Access(visit) => write!(f, "access:{visit}"),
            Self::Again(visit) => write!(f, "again:{visit}"),
            Self::Cancel(visit) => write!(f, "cancel:{visit}"),
            plain => f.write_str(word(&PLAIN, plain)),
        }
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, UnknownChoice> {
    text.parse().map_err(|_| UnknownChoice)
}

impl FromStr for VisitChoice {
    type Err = UnknownChoice;
    fn from_str(data: &str) -> Result<Self, UnknownChoice> {
        let Some((kind, rest)) = data.split_once(':') else {
            return of_word(&PLAIN, data);
        };
        Ok(match kind {
            "fix" => Self::FixAt(of_word(&Field::ALL, rest)?),
            "for" => Self::For(VisitFor::parse(rest).ok_or(UnknownChoice)?),
            "who" => Self::Who(number(rest)?),
            "area" => Self::Area(number(rest)?),
            "page" => {
                let (page, within) = match rest.split_once(':') {
                    Some((page, area)) => (page, Some(number(area)?)),
                    None => (rest, None),
                };
                let page = number(page)?;
                Self::Page { within, page }
            }
            "why" => Self::Why(number(rest)?),
            "when" => {
                let (day, part) = rest.split_once(':').ok_or(UnknownChoice)?;
                Self::When(Some((number(day)?, of_word(&Part::ALL, part)?)))
            }
            "note" => Self::Note(number(rest)?),
            "show" => Self::Show(number(rest)?),
            "move" => Self::Move(number(rest)?),
            "phone" => Self::Phone(number(rest)?),
            "access" => Self::Access(number(rest)?),
            "again" => Self::Again(number(rest)?),
            "cancel" => Self::Cancel(number(rest)?),
            _ => return Err(UnknownChoice),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{conversation::places::Level, domain::UnitId};

    #[test]
    fn button_data_is_read_back_and_fits() {
        let area = Area {
            level: Level::Community,
            unit: UnitId(i64::MIN),
        };
        let day = NaiveDate::from_ymd_opt(2026, 9, 4).expect("exists");
        let visit = VisitId(i64::MIN);
        let mut all: Vec<VisitChoice> = PLAIN.iter().map(|(choice, _)| *choice).collect();
        all.extend(Field::ALL.map(|(field, _)| VisitChoice::FixAt(field)));
        all.extend(VisitFor::ALL.iter().map(|whom| VisitChoice::For(*whom)));
        all.extend(Part::ALL.map(|(part, _)| VisitChoice::When(Some((day, part)))));
        all.extend([
            VisitChoice::Who(0),
            VisitChoice::Area(area),
            VisitChoice::Page {
                within: None,
                page: 0,
            },
            VisitChoice::Page {
                within: Some(area),
                page: usize::MAX,
            },
            VisitChoice::Why(1),
            VisitChoice::Note(2),
            VisitChoice::Show(visit),
            VisitChoice::Move(visit),
            VisitChoice::Phone(visit),
            VisitChoice::Access(visit),
            VisitChoice::Again(visit),
            VisitChoice::Cancel(visit),
        ]);
        for choice in all {
            let data = format!("v:{choice}");
            assert!(data.len() <= 64, "{data} is longer than Telegram takes");
            assert_eq!(choice.to_string().parse().ok(), Some(choice), "{data}");
        }
        for data in [
            "",
            "dance",
            "for:nobody",
            "when:2026-02-30:morning",
            "when:2026-09-04:",
            "page:x",
        ] {
            assert!(data.parse::<VisitChoice>().is_err(), "{data}");
        }
    }
}
