//! What moves when an incident is over: the windows that it kept from their test.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{
    plan::{self, PlanError},
    replan::{self, Kept, ReplanQuota, Replanned},
};
use crate::{
    config::Config,
    domain::{RoundState, UnitId},
    store::{Incident, Store},
};

/// Gives the windows that an incident fell into a later time, as many in a minute as are safe: of each live round, those
/// whose people were not all registered on paper. Before it is closed: who hears a new time is not told again that it is
/// over.
pub async fn replan(
    store: &Store,
    config: &Config,
    incident: &Incident,
    now: DateTime<Utc>,
) -> Result<Replanned, PlanError> {
    let safe_per_minute = store.pacing().await?.safe_per_second * 60.0;
    let mut all = Replanned::default();
    for id in store.incident_rounds(incident.id).await? {
        let round = plan::existing(store, id).await?;
        let units: HashSet<UnitId> = store.kept_units(incident.id, id).await?.into_iter().collect();
        if !matches!(round.state, RoundState::Releasing | RoundState::Paused) || units.is_empty() {
            continue;
        }
        let quota = ReplanQuota {
            starts_per_minute: (safe_per_minute >= 1.0).then_some(safe_per_minute),
            kept: Some(Kept {
                units,
                since: incident.opened_at,
            }),
            ..ReplanQuota::default()
        };
        let moved = replan::replan(store, config, &round, &quota, now).await?;
        all.moved_units += moved.moved_units;
        all.told_units += moved.told_units;
        all.people += moved.people;
        all.minutes_max = all.minutes_max.max(moved.minutes_max);
        all.over_capacity += moved.over_capacity;
        all.stuck_recipients += moved.stuck_recipients;
        all.added_units += moved.added_units;
    }
    Ok(all)
}
