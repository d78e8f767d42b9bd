//! Places, times and numbers in a message, in their normal forms.

use std::fmt;

use chrono::{Days, NaiveDate, NaiveTime};
use serde::{Serialize, Serializer};

/// What a message names. Serialises as strings, without those it does not name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slots {
    /// The building's number: `3` of 3栋.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub building: Option<String>,
    /// The unit's number: `2` of 2单元.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The door's number: `1203` of 1203室.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// A phone number's digits, without country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// A day: today's distance (`+1`), or a calendar day (`09-03`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<SaidDate>,
    /// A time of the day, `14:30`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "as_hours_and_minutes"
    )]
    pub time: Option<NaiveTime>,
    /// A person's name, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A day as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidDate {
    /// So many days from today: 0 today, 1 tomorrow, -1 yesterday.
    InDays(i8),
    /// A day of the calendar, without its year.
    Calendar {
        /// 1–12.
        month: u8,
        /// 1–31.
        day: u8,
    },
}

impl SaidDate {
    /// The date that is meant, where `today` is the day in the city. A calendar day is the one nearest to today.
    pub fn on(self, today: NaiveDate) -> Option<NaiveDate> {
        use chrono::Datelike;
        match self {
            Self::InDays(days) if days >= 0 => today.checked_add_days(Days::new(days.unsigned_abs().into())),
            Self::InDays(days) => today.checked_sub_days(Days::new(days.unsigned_abs().into())),
            Self::Calendar { month, day } => (-1..=1)
                .filter_map(|years| NaiveDate::from_ymd_opt(today.year() + years, month.into(), day.into()))
                .min_by_key(|date| (*date - today).num_days().abs()),
        }
    }
}

impl fmt::Display for SaidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InDays(days) => write!(f, "{days:+}"),
            Self::Calendar { month, day } => write!(f, "{month:02}-{day:02}"),
        }
    }
}

impl Serialize for SaidDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_hours_and_minutes<S: Serializer>(time: &Option<NaiveTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(&time.format("%H:%M")),
        None => serializer.serialize_none(),
    }
}
