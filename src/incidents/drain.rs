//! Passes registrations on paper on to the registration system, slowly: only while it has room, at a modest pace, each
//! under a key by which it knows a repeat.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    domain::{ManualState, PhoneNumber},
    registration::{Person, Registration, RegistrationClient, RegistrationError},
    store::{ManualChange, ManualRegistration, Store, StoreError},
};

/// Registrations in flight at once.
const IN_FLIGHT_MAX: usize = 50;
/// Above these the system has other work to do: paper can wait.
const UTILISATION_MAX: f64 = 0.8;
const QUEUE_SECONDS_MAX: f64 = 1.0;
const ERROR_RATE_MAX: f64 = 0.05;
/// A load report older than this says nothing.
const LOAD_AGE_MAX: Duration = Duration::from_secs(30);
/// The pacing law's mode counts for so long.
const MODE_AGE_MAX: TimeDelta = TimeDelta::minutes(2);
/// A fault of the set-up is mended by a person.
const AFTER_FAULT: TimeDelta = TimeDelta::seconds(60);
const AFTER_BUSY: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(1);

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Asked the registration system to take so many.
    Sent(usize),
    /// The registration system has no room, or asked to be left alone.
    Busy,
    /// Nothing waits.
    Idle,
}

/// What the drain needs.
#[derive(Clone, Debug)]
pub struct Drain {
    /// Where registrations on paper are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Settings.
    pub config: Config,
    /// The registration system.
    pub client: RegistrationClient,
    /// Until when it asked to be left alone.
    pub alone_until: Arc<Mutex<Option<DateTime<Utc>>>>,
}

impl Drain {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        // What the last process had in flight is sent again; its key makes that harmless.
        if let Err(error) = self.store.recover_manual(self.clock.now()).await {
            tracing::error!(%error, "registrations on paper could not be looked at");
        }
        while !stop.is_cancelled() {
            let rest = match self.step().await {
                Ok(Step::Sent(count)) => {
                    failing = false;
                    self.clock.rest(Duration::from_secs_f64(
                        count as f64 / self.config.incidents.drain_per_second,
                    ))
                }
                Ok(Step::Busy) => self.clock.rest(AFTER_BUSY),
                Ok(Step::Idle) => self.clock.rest(IDLE),
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "registrations on paper cannot be passed on; trying again");
                    }
                    failing = true;
                    IDLE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Passes on what one second allows, if there is room.
    pub async fn step(&self) -> Result<Step, StoreError> {
        let now = self.clock.now();
        let alone_until = *self.alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        if alone_until.is_some_and(|until| until > now) {
            return Ok(Step::Busy);
        }
        if !self.store.manual_waits(now).await? {
            return Ok(Step::Idle);
        }
        if !self.has_room(now).await? {
            return Ok(Step::Busy);
        }
        let limit = (self.config.incidents.drain_per_second.ceil() as usize).clamp(1, IN_FLIGHT_MAX);
        let claimed = self.store.claim_manual(limit, now).await?;
        if claimed.is_empty() {
            return Ok(Step::Idle);
        }
        let changes = join_all(claimed.iter().map(|one| self.pass_on(one))).await;
        let now = self.clock.now();
        // It asked to be left alone, or is away: so are all that wait.
        let alone_until = changes.iter().filter_map(|change| change.next_at).max();
        *self.alone_until.lock().unwrap_or_else(PoisonError::into_inner) = alone_until;
        self.store.record_manual(&changes, now).await?;
        let registered = changes
            .iter()
            .filter(|change| change.to == ManualState::Registered)
            .count();
        metrics::counter!("weir_manual_registered_total").increment(registered as u64);
        Ok(Step::Sent(changes.len()))
    }

    /// The system has room: neither the pacing law nor the load says otherwise.
    async fn has_room(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let minutes = self
            .store
            .load_minutes(now - MODE_AGE_MAX, now + TimeDelta::minutes(1))
            .await?;
        if minutes.last().is_some_and(|minute| minute.mode == "paused") {
            return Ok(false);
        }
        Ok(match self.client.load(now).await {
            Ok(reading) if reading.age <= LOAD_AGE_MAX => {
                reading.sample.utilisation <= UTILISATION_MAX
                    && reading.sample.queue_seconds <= QUEUE_SECONDS_MAX
                    && reading.sample.error_rate <= ERROR_RATE_MAX
            }
            Ok(_) | Err(RegistrationError::Unavailable { .. }) => false,
            // It tells no load: then its answers alone say when it has enough.
            Err(_) => true,
        })
    }

    async fn pass_on(&self, one: &ManualRegistration) -> ManualChange {
        let change = |to, reason: String, wait: Option<TimeDelta>| ManualChange {
            id: one.id,
            to,
            reason,
            next_at: wait.map(|wait| self.clock.now() + wait),
        };
        let Some(registration) = registration(one) else {
            let reason =
                "there is neither an id of the registration system nor a phone: register the person there";
            return change(ManualState::Refused, reason.into(), None);
        };
        let key = format!("weir-sheet-{}-{}-{}", one.incident, one.round, one.resident);
        match self.client.register(&registration, &key, self.clock.now()).await {
            Ok(_) => change(ManualState::Registered, String::new(), None),
            Err(error) => match outcome(&error) {
                Some(wait) => change(ManualState::Waiting, error.to_string(), Some(wait)),
                None => change(ManualState::Refused, error.to_string(), None),
            },
        }
    }
}

/// How long to wait before the same is asked again; none where it will be answered the same.
fn outcome(error: &RegistrationError) -> Option<TimeDelta> {
    match error {
        RegistrationError::Unavailable { retry_after, .. } => {
            Some(TimeDelta::from_std(*retry_after).unwrap_or(AFTER_FAULT))
        }
        // The address, the token or an adapter between is wrong: no row is at fault.
        RegistrationError::NotSet(_)
        | RegistrationError::BadAnswer(_)
        | RegistrationError::Refused {
            code: 300..=399 | 401 | 403..=405 | 408,
        } => Some(AFTER_FAULT),
        RegistrationError::Refused { .. } | RegistrationError::Unknown => None,
    }
}

fn registration(one: &ManualRegistration) -> Option<Registration> {
    let person = match &one.reference {
        Some(reference) => Person::Ref(reference.clone()),
        None => Person::Named {
            name: one.name.clone(),
            phone: PhoneNumber::parse(&one.phone).ok()?,
        },
    };
    Some(Registration {
        person,
        round: one.round.to_string(),
        unit: one.unit.clone(),
        source: "sheet".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_set_up_costs_no_row() {
        let refused = |code| outcome(&RegistrationError::Refused { code });
        for code in [302, 401, 403, 404, 405, 408] {
            assert_eq!(refused(code), Some(AFTER_FAULT), "{code}");
        }
        for code in [400, 409, 422] {
            assert_eq!(refused(code), None, "{code}");
        }
        let throttled = RegistrationError::Unavailable {
            retry_after: Duration::from_secs(7),
            reason: "asked too much",
        };
        assert_eq!(outcome(&throttled), Some(TimeDelta::seconds(7)));
        assert_eq!(outcome(&RegistrationError::Unknown), None);
    }
}
