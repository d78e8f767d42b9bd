//! How pacing stands, for people and programs.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::pacer::{NOT_STEERED, STALE_AFTER, UNSTEERED, city_pace, is_held, is_steered};
use crate::{
    config::Config,
    domain::{IncidentId, LoadSample},
    pacing::{
        law::{Mode, State},
        release::CityPace,
    },
    store::{ByHandRecord, PacingRow},
};

/// How pacing stands.
#[derive(Clone, Debug, Serialize)]
pub struct PacingStatus {
    /// There is something to steer by.
    pub steered: bool,
    /// `steady`, `slowed`, `paused`, `recovering`, `blind`, or `unsteered`.
    pub mode: String,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Recipients that may be told a second at this moment; none where each round goes at its own pace.
    pub per_second: Option<f64>,
    /// Recipients whose windows may start a second.
    pub starts_per_second: Option<f64>,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// Nobody has decided for a while, so the safe rate holds.
    pub stale: bool,
    /// When the law last decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// The last load sample.
    pub load: Option<LoadSample>,
    /// How old it is.
    pub load_age_seconds: Option<i64>,
    /// Sessions a second that the law takes the system to be able to do.
    pub capacity_per_second: Option<f64>,
    /// Sessions a second that it can do when all is well.
    pub nominal_capacity: Option<f64>,
    /// Somebody holds or frees it.
    pub by_hand: Option<ByHandRecord>,
    /// Open incidents: what they concern is not released, whatever the rate.
    pub incidents: Vec<IncidentId>,
}

impl PacingStatus {
    /// How pacing stands at this moment, whatever incidents are open.
    pub fn of(config: &Config, row: &PacingRow, now: DateTime<Utc>) -> Self {
        let steered = is_steered(config);
        let held = is_held(row);
        let pace = city_pace(config, row, now);
        let stale = steered && row.decided_at.is_none_or(|at| now - at > STALE_AFTER);
        let load: Option<LoadSample> = serde_json::from_str(&row.sample).ok();
        let law: State = serde_json::from_str(&row.law).unwrap_or_default();
        let nominal = config.pacing.nominal_capacity.or(row.nominal_capacity);
        let mut reasons = row.reasons.clone();
        if held {
            // What the law thought before says nothing of why it stands still now.
            reasons = vec!["held by hand".to_owned()];
        } else if !steered {
            reasons = vec![NOT_STEERED.to_owned()];
        } else if stale {
            reasons.insert(
                0,
                match row.decided_at {
                    None => "nothing is decided yet: `weir serve` does that".to_owned(),
                    Some(at) => format!(
                        "nothing was decided for {} s, so no more than the safe rate holds",
                        (now - at).num_seconds()
                    ),
                },
            );
        }
        let mode = match (held, steered, row.mode.as_str()) {
            (true, ..) => Mode::Paused.as_str(),
            (_, false, _) => UNSTEERED,
            (_, _, "" | UNSTEERED) => Mode::Blind.as_str(),
            _ if stale && row.mode != Mode::Paused.as_str() => Mode::Blind.as_str(),
            (_, _, mode) => mode,
        };
        Self {
            steered,
            mode: mode.to_owned(),
            since: row.mode_since,
            per_second: match pace {
                CityPace::Unsteered => None,
                CityPace::Stopped => Some(0.0),
                CityPace::PerSecond(rate) => Some(rate),
            },
            starts_per_second: steered.then_some(row.starts_per_second),
            reasons,
            stale,
            decided_at: row.decided_at,
            load,
            load_age_seconds: load.map(|sample| (now - sample.as_of).num_seconds()),
            capacity_per_second: nominal
                .filter(|_| steered)
                .map(|nominal| law.capacity_share * nominal),
            nominal_capacity: nominal,
            by_hand: row.by_hand.clone(),
            incidents: Vec::new(),
        }
    }

    /// One line that names the mode and says why.
    pub fn words(&self) -> String {
        let why = self.reasons.join("; ");
        let mut incidents = String::new();
        for id in &self.incidents {
            incidents.push_str(&format!(
                "\nincident {id} is open: what it concerns is not released until `weir incident close {id}`"
            ));
        }
        let pacing = match (self.per_second, self.steered) {
            (None, _) => format!("pacing: {why}"),
            (Some(rate), true) => {
                format!("pacing is {}: {rate:.1} recipients a second ({why})", self.mode)
            }
            (Some(_), false) => format!("pacing is {}: nothing is released ({why})", self.mode),
        };
        pacing + &incidents
    }
}
