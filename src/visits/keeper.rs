//! Sees to it that nothing that was asked is without an owner: what is accepted gets a time, what is late another one,
//! and what waits too long goes to the coordinator and then to the operator.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::schedule::{self, Scheduled};
use crate::{
    channels::sms::segment,
    clock::Clock,
    config::Config,
    domain::{RaisedTo, Visit, VisitId, VisitState},
    i18n::{Texts, visits::VisitTeller},
    store::{Store, StoreError, VisitFilter},
};

const IDLE: Duration = Duration::from_secs(2);
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// What the keeper needs.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Where visits are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The words.
    pub texts: Texts,
    /// Settings.
    pub config: Config,
    /// Told when something is written into the outbox.
    pub written: watch::Sender<u64>,
    /// What it last saw and said.
    pub seen: Arc<Mutex<Seen>>,
}

/// What the keeper last saw and said.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What there was, and in which minute: where nothing has changed since, there is nothing new to plan.
    version: Option<(u64, i64)>,
    /// The shortage that was said: it is said once.
    shortage: Option<String>,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Times that were found or changed.
    pub scheduled: Scheduled,
    /// What was handed upwards.
    pub raised: Vec<(VisitId, RaisedTo)>,
}

impl Keeper {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            let rest = match self.step().await {
                Ok(_) => self.clock.rest(IDLE),
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "visits at home cannot be planned; trying again");
                    }
                    AFTER_ERROR
                }
            };
            failing = rest == AFTER_ERROR;
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Goes on with what was given up half-way, finds times, hands upwards what waits too long.
    pub async fn step(&self) -> Result<Step, StoreError> {
        let now = self.clock.now();
        let Some(fresh) = self.changed(now).await? else {
            return Ok(Step::default());
        };
        let teller = self.teller();
        for visit in self.in_states(&[VisitState::Missed, VisitState::Asked]).await? {
            // What was given up is asked for again; and what was accepted once, or comes from who stands for the
            // household, needs nobody to accept it.
            if visit.lapsed || (visit.proven && visit.state == VisitState::Asked) {
                schedule::take_up(&self.store, &teller, &visit, now).await?;
            }
        }
        let scheduled = schedule::step(&self.store, &self.config, &teller, now).await?;
        let visits = &self.config.visits;
        let before = |after: Duration| now - TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
        let raised = self
            .store
            .raise_visits(
                before(visits.coordinator_after),
                before(visits.operator_after),
                now,
            )
            .await?;
        note(&scheduled, &raised);
        if scheduled.changes() > 0 {
            self.written.send_modify(|count| *count += 1);
        }
        if let Ok(mut seen) = self.seen.lock() {
            if scheduled.changes() == 0 {
                seen.version = Some(fresh);
            }
            let shortage = scheduled.shortage();
            if let Some(shortage) = shortage
                .as_ref()
                .filter(|said| seen.shortage.as_ref() != Some(*said))
            {
                tracing::warn!(unplaced = scheduled.unplaced.len(), "{shortage}");
            }
            seen.shortage = shortage;
        }
        Ok(Step { scheduled, raised })
    }

    /// Puts visits' changes into words.
    pub fn teller(&self) -> VisitTeller<'_> {
        VisitTeller::new(&self.texts, &self.config, segment::parts)
    }

    async fn in_states(&self, states: &[VisitState]) -> Result<Vec<Visit>, StoreError> {
        let filter = VisitFilter {
            states: states.to_vec(),
            ..VisitFilter::default()
        };
        self.store.visits(&filter).await
    }

    /// What there is now, where that is not what was seen in this minute already.
    async fn changed(&self, now: DateTime<Utc>) -> Result<Option<(u64, i64)>, StoreError> {
        let fingerprint = self.store.visits_version().await?;
        let mut hasher = DefaultHasher::new();
        fingerprint.hash(&mut hasher);
        let fresh = (hasher.finish(), now.timestamp() / 60);
        let seen = self.seen.lock().ok().and_then(|seen| seen.version);
        Ok((seen != Some(fresh)).then_some(fresh))
    }
}

fn note(scheduled: &Scheduled, raised: &[(VisitId, RaisedTo)]) {
    metrics::gauge!("weir_visits_without_time").set(scheduled.unplaced.len() as f64);
    for (visit, level) in raised {
        metrics::counter!("weir_visits_raised_total", "to" => level.as_str()).increment(1);
        tracing::warn!(
            visit = visit.0,
            "visit {visit} has waited too long: it goes to the {level}"
        );
    }
}
