//! One run of testing and the windows it gives.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{SiteId, UnitId, UnitPlace};

/// `draft → releasing ⇄ paused → done`, or `cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundState {
    /// Planned; nobody has been told.
    Draft,
    /// Notices go out at the round's pace.
    Releasing,
    /// Nothing of the round leaves until it is resumed.
    Paused,
    /// Every window is over.
    Done,
    /// Withdrawn; what had not left never will.
    Cancelled,
}

impl RoundState {
    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Releasing => "releasing",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Draft,
            Self::Releasing,
            Self::Paused,
            Self::Done,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }
}

/// A unit's start–end at a site; its people are taken to arrive evenly over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Whose window.
    pub unit: UnitId,
    /// Where to go.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Residents expected, without those of the green lane.
    pub people: u32,
    /// Placed beyond what the site can take; see promise 4.
    pub over_capacity: bool,
    /// Where and when those who may use the green lane come instead.
    pub green: Option<GreenWindow>,
}

/// A wide window at a site's green desks: its people may come at any time of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GreenWindow {
    /// Where to go.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Residents expected.
    pub people: u32,
}

/// Which desks of a site somebody goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Those for everybody.
    #[default]
    Regular,
    /// Those for students, the elderly and city-support workers.
    Green,
}

/// A window with all that is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowView {
    /// Whose window.
    pub unit: UnitId,
    /// The unit's path.
    pub place: UnitPlace,
    /// Where to go.
    pub site_name: String,
    /// Its address; may be empty.
    pub address: String,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// More people than the site can take in the time.
    pub over_capacity: bool,
    /// Which desks.
    pub lane: Lane,
    /// Counts how often it has moved.
    pub revision: i64,
    /// The person asked for this time in place of their unit's.
    pub own: bool,
}
