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
