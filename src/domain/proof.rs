//! What the registration system knows of a person's tests.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One test of one person. Personal data: it is shown to nobody but that person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When the sample was taken.
    pub sampled_at: DateTime<Utc>,
    /// What came out.
    pub result: ProofResult,
    /// When the result was reported; none while it is awaited.
    pub reported_at: Option<DateTime<Utc>>,
}

/// What came out of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofResult {
    /// No trace of the virus.
    Negative,
    /// A trace of it.
    Positive,
    /// Awaited, or a word that Weir does not know; nothing may be concluded.
    Unclear,
}
