//! What the registration system says of itself.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The load of the registration system over the period that ended at `as_of`. Every number is finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadSample {
    /// The end of the period that the numbers speak of, by the registration system's clock.
    pub as_of: DateTime<Utc>,
    /// Sessions that began, a second.
    pub started_per_second: f64,
    /// Sessions that ended well, a second.
    pub completed_per_second: f64,
    /// Sessions a second that it can complete, where it says so.
    pub capacity_per_second: Option<f64>,
    /// The share of its capacity in use, 0 to 1.
    pub utilisation: f64,
    /// Seconds that a new session waits before it is served.
    pub queue_seconds: f64,
    /// Milliseconds within which 95 % of sessions end, where it says so.
    pub p95_ms: Option<f64>,
    /// The share of sessions that failed, 0 to 1.
    pub error_rate: f64,
}

/// Whether notices went out in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Going {
    /// At their full pace.
    Fully,
    /// Slower.
    Slowly,
    /// Not at all.
    Not,
}

/// The registration system's load by minute, as far as a picture of it needs to know. It travels as these figures and is
/// drawn where it is sent, so that a second try shows the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadPicture {
    /// The hour (0 to 23) and minute, on the city's clocks, in which the first one lies.
    pub from: (u8, u8),
    /// A minute each, from the first to the last: per cent of the capacity that was in use, and whether notices went out.
    /// None where nothing is known.
    pub minutes: Vec<Option<(u8, Going)>>,
}
