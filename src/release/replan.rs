//! Re-planning in flight.

use chrono::{DateTime, TimeDelta, Utc};

use super::plan::PlanError;
use crate::{config::Config, store::{Round, Store}};

/// What may move, and onto what.
#[derive(Clone, Debug, Default)]
pub struct ReplanQuota {
    /// Windows that start from here on may move.
    pub from: Option<DateTime<Utc>>,
    /// None of them starts before `from` and this.
    pub delay: Option<TimeDelta>,
    /// People whose windows may start a minute.
    pub starts_per_minute: Option<f64>,
}

/// What moved.
#[derive(Clone, Debug, Default)]
pub struct Replanned {
    /// Units.
    pub moved_units: usize,
    /// Of them, those that were told before.
    pub told_units: usize,
}

/// Moves windows later.
pub async fn replan(
    _store: &Store,
    _config: &Config,
    _round: &Round,
    _quota: &ReplanQuota,
    _now: DateTime<Utc>,
) -> Result<Replanned, PlanError> {
    Ok(Replanned::default())
}
