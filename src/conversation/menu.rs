//! The choices at each state: buttons on Telegram, digits by SMS.

use std::{fmt, fmt::Write as _, str::FromStr};

use crate::{
    domain::{Button, Language, ResidentId},
    i18n::{Text, Voice, visits::ASK_VISITS},
};

use super::{places::Area, visit_choice::VisitChoice};

/// Something a person can ask for: by a button, a digit or a word.
///
/// Its printed form is a button's data. It carries all it means, so that an old button still works; it can be
/// forged, so that what it names must be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Menu,
    Windows,
    /// To say where one lives, from the start.
    Home,
    /// This part of the city, or this unit as one's home.
    Area(Area),
    /// Another screen of the places within `within`, counted from 0.
    Page {
        within: Option<Area>,
        page: usize,
    },
    Languages,
    Speak(Language),
    Phone,
    Later,
    Resident(ResidentId),
    NoneOfThem,
    /// The linked resident is somebody else.
    NotMe,
    /// Another time than one's own.
    OtherTime,
    /// Another time in place of this one, of those listed.
    OtherTimeOf(usize),
    /// This time, of those offered.
    Take(usize),
    /// No other time after all.
    KeepTime,
    /// Whether one's pass still counts.
    Pass,
    /// The pass of this resident, of those behind the contact.
    PassOf(ResidentId),
    /// The windows of a place, without living there.
    Look(Area),
    Stop,
    StopEverywhere,
    Start,
    Help,
    /// To ask for a visit at home, or to see, change or cancel one.
    Visits,
    /// Something about a visit at home.
    Visit(VisitChoice),
    /// To speak with a worker.
    Person,
    /// To speak with the bot again.
    Done,
    /// What is kept of the person.
    Privacy,
    /// To have it erased.
    Forget,
    /// Yes, erase it.
    ForgetYes,
}

/// Choices without anything in them, and their button data.
const PLAIN: [(Choice, &str); 21] = [
    (Choice::Menu, "menu"),
    (Choice::Windows, "windows"),
    (Choice::Home, "home"),
    (Choice::Languages, "languages"),
    (Choice::Phone, "phone"),
    (Choice::Later, "later"),
    (Choice::NoneOfThem, "none_of_them"),
    (Choice::NotMe, "not_me"),
    (Choice::OtherTime, "other_time"),
    (Choice::KeepTime, "keep_time"),
    (Choice::Stop, "stop"),
    (Choice::StopEverywhere, "stop_everywhere"),
    (Choice::Start, "start"),
    (Choice::Help, "help"),
    (Choice::Visits, ASK_VISITS),
    (Choice::Person, "person"),
    (Choice::Pass, "pass"),
    (Choice::Done, "done"),
    (Choice::Privacy, "privacy"),
    (Choice::Forget, "forget"),
    (Choice::ForgetYes, "forget_yes"),
];

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Area(area) => write!(f, "{area}"),
            Self::Page { within: None, page } => write!(f, "page:{page}"),
            Self::Page {
                within: Some(area),
                page,
            } => write!(f, "page:{page}:{area}"),
            Self::Speak(language) => write!(f, "lang:{}", language.code()),
            Self::Resident(resident) => write!(f, "resident:{resident}"),
            Self::OtherTimeOf(index) => write!(f, "other_time:{index}"),
            Self::Take(index) => write!(f, "take:{index}"),
            Self::PassOf(resident) => write!(f, "pass:{resident}"),
            Self::Look(area) => write!(f, "look:{area}"),
            Self::Visit(choice) => write!(f, "v:{choice}"),
            plain => f.write_str(
                PLAIN
                    .iter()
                    .find(|(choice, _)| choice == plain)
                    .map_or("menu", |(_, data)| data),
            ),
        }
    }
}

/// The data is of no button that Weir makes.
#[derive(Debug)]
pub(super) struct UnknownChoice;

impl FromStr for Choice {
    type Err = UnknownChoice;
    fn from_str(data: &str) -> Result<Self, UnknownChoice> {
        if let Some((choice, _)) = PLAIN.iter().find(|(_, plain)| *plain == data) {
            return Ok(*choice);
        }
        let (kind, rest) = data.split_once(':').ok_or(UnknownChoice)?;
        match kind {
            "lang" => rest.parse().map(Self::Speak).map_err(|_| UnknownChoice),
            "other_time" => rest.parse().map(Self::OtherTimeOf).map_err(|_| UnknownChoice),
            "take" => rest.parse().map(Self::Take).map_err(|_| UnknownChoice),
            "pass" => rest.parse().map(Self::PassOf).map_err(|_| UnknownChoice),
            "look" => rest.parse().map(Self::Look).map_err(|_| UnknownChoice),
            "v" => rest.parse().map(Self::Visit),
            "resident" => rest.parse().map(Self::Resident).map_err(|_| UnknownChoice),
            "page" => {
                let (page, within) = match rest.split_once(':') {
                    Some((page, area)) => (page, Some(area.parse().map_err(|_| UnknownChoice)?)),
                    None => (rest, None),
                };
                let page = page.parse().map_err(|_| UnknownChoice)?;
                Ok(Self::Page { within, page })
            }
            _ => data.parse().map(Self::Area).map_err(|_| UnknownChoice),
        }
    }
}

/// What can be chosen under one message, in rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Menu {
    /// The label of Telegram's own-contact button, above the rest.
    share_contact: Option<String>,
    rows: Vec<Vec<(String, Choice)>>,
    /// The label of the way back to the question before: the last button, or by SMS the digit 0.
    back: Option<String>,
}

/// Labels up to this width stand two in a row; longer ones would be cut off on a small phone.
const HALF_ROW_WIDTH_MAX: usize = 16;

/// How wide a label is shown: a Chinese character is as wide as two Latin ones.
fn width(label: &str) -> usize {
    label.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

impl Menu {
    /// These choices in order, two in a row where all labels are short.
    pub(super) fn list(entries: &[(String, Choice)]) -> Self {
        let short = entries
            .iter()
            .all(|(label, _)| width(label) <= HALF_ROW_WIDTH_MAX);
        let columns = if short { 2 } else { 1 };
        let rows = entries.chunks(columns).map(<[_]>::to_vec).collect();
        Self {
            share_contact: None,
            rows,
            back: None,
        }
    }

    /// The main menu.
    pub(super) fn main(voice: &Voice<'_>, stopped: bool) -> Self {
        let notices = if stopped {
            (voice.say(&Text::MenuStart), Choice::Start)
        } else {
            (voice.say(&Text::MenuStop), Choice::Stop)
        };
        Self::list(&[
            (voice.say(&Text::MenuWindows), Choice::Windows),
            (voice.say(&Text::MenuPass), Choice::Pass),
            (voice.say(&Text::MenuHome), Choice::Home),
            (voice.say(&Text::MenuLanguage), Choice::Languages),
            notices,
            (voice.say(&Text::MenuHelp), Choice::Help),
            (voice.say(&Text::MenuPerson), Choice::Person),
            (voice.say(&Text::MenuVisits), Choice::Visits),
        ])
    }

    /// The languages, each in its own.
    pub(super) fn languages() -> Self {
        Self::list(&[
            ("简体中文".into(), Choice::Speak(Language::ZhHans)),
            ("繁體中文".into(), Choice::Speak(Language::ZhHant)),
            ("English".into(), Choice::Speak(Language::En)),
        ])
    }

    /// The same menu with one more row.
    pub(super) fn with_row(mut self, row: Vec<(String, Choice)>) -> Self {
        if !row.is_empty() {
            self.rows.push(row);
        }
        self
    }

    /// The same menu with Telegram's own-contact button above it.
    pub(super) fn with_share_contact(mut self, label: String) -> Self {
        self.share_contact = Some(label);
        self
    }

    /// The same menu with a way back to the question before.
    pub(super) fn with_back(mut self, label: String) -> Self {
        self.back = Some(label);
        self
    }

    /// The choices in the order of their digits.
    pub(super) fn choices(&self) -> impl Iterator<Item = Choice> {
        self.rows.iter().flatten().map(|(_, choice)| *choice)
    }

    /// As Telegram shows it.
    pub(super) fn buttons(&self) -> Vec<Vec<Button>> {
        let share = self
            .share_contact
            .iter()
            .map(|label| vec![Button::ShareContact { label: label.clone() }]);
        let rows = self.rows.iter().map(|row| {
            row.iter()
                .map(|(label, choice)| Button::Choice {
                    label: label.clone(),
                    data: choice.to_string(),
                })
                .collect()
        });
        let back = self.back.iter().map(|label| {
            vec![Button::Choice {
                label: label.clone(),
                data: Choice::Visit(VisitChoice::Back).to_string(),
            }]
        });
        share.chain(rows).chain(back).collect()
    }

    /// As SMS shows it: one line a choice, each with its digit.
    pub(super) fn numbered(&self) -> String {
        let mut lines = String::new();
        for (index, (label, _)) in self.rows.iter().flatten().enumerate() {
            let _ = write!(lines, "\n{} {label}", index + 1);
        }
        if let Some(label) = &self.back {
            let _ = write!(lines, "\n0 {label}");
        }
        lines
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
        let filled = [
            Choice::Area(area),
            Choice::Page {
                within: None,
                page: 0,
            },
            Choice::Page {
                within: Some(area),
                page: usize::MAX,
            },
            Choice::Speak(Language::ZhHant),
            Choice::Resident(ResidentId(i64::MIN)),
            Choice::OtherTimeOf(usize::MAX),
            Choice::Take(0),
            Choice::PassOf(ResidentId(i64::MIN)),
            Choice::Look(area),
        ];
        for choice in PLAIN.iter().map(|(choice, _)| *choice).chain(filled) {
            let data = choice.to_string();
            assert!(data.len() <= 64, "{data} is longer than Telegram takes");
            assert_eq!(data.parse().ok(), Some(choice), "{data}");
        }
    }

    #[test]
    fn data_that_weir_never_made_is_refused() {
        for data in [
            "",
            ":",
            "unit:",
            "unit:x",
            "unit:1:2",
            "page:",
            "page:-1",
            "page:1:",
            "lang:fr",
            "街道:1",
            "resident:9e9",
        ] {
            assert!(data.parse::<Choice>().is_err(), "{data}");
        }
    }
}
