//! Which units are told and called now: through each round's own gate and the city's.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    pacer, plan,
    releaser::{Releaser, Said, UNITS_PER_STEP, units_of},
};
use crate::{
    domain::{ChannelKind, ContactId, DeliveryState, RoundState, UnitId, WindowView},
    pacing::release::{self, CityGate, CityPace, ReleaseGate, RoundGate, Waiting},
    store::{AudienceContact, CityMove, NewDelivery, Round, Steering, StoreError, ToldCount, UnitToTell},
};

/// While something steers, no more may wait in the outbox than the channels send within this: what waits there is out
/// of the law's hands.
const OUTBOX_SECONDS: u64 = 60;
/// A gate is so far ahead of itself at most, a round's beside what its last unit takes. What is further ahead was stored
/// before this machine's clock was set back.
const GATE_AHEAD: TimeDelta = TimeDelta::minutes(1);
const WAIT_MINUTES_MAX: f64 = 24.0 * 60.0;
/// Parts that a text message usually has.
const PARTS_USUAL: u64 = 2;

/// The city's gate as it was read, and as it is moved by one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct City {
    pub(super) gate: CityGate,
    seen: (f64, DateTime<Utc>),
}

impl City {
    /// Nothing may be released.
    pub(super) fn is_stopped(&self) -> bool {
        self.gate.pace.is_stopped()
    }

    pub(super) fn is_steered(&self) -> bool {
        matches!(self.gate.pace, CityPace::PerSecond(_))
    }

    /// What is to be stored, if the gate moved.
    pub(super) fn moved(&self) -> Option<CityMove> {
        let next = (self.gate.level, self.gate.at);
        (next != self.seen).then_some(CityMove {
            seen: self.seen,
            next,
        })
    }

    /// It is stored.
    pub(super) fn settled(&mut self) {
        self.seen = (self.gate.level, self.gate.at);
    }
}

impl Releaser {
    /// The city's gate as it stands, at the pace that holds at this moment.
    pub(super) async fn city_gate(&self) -> Result<City, StoreError> {
        let row = self.store.pacing().await?;
        let now = self.clock.now();
        let pace = pacer::city_pace(&self.config, &row, now);
        // After this machine's clock was set back the gate would be shut until it is as late again.
        let (level, at) = if row.gate_at > now + GATE_AHEAD {
            (0.0, now)
        } else {
            (row.gate_level, row.gate_at)
        };
        Ok(City {
            gate: CityGate { level, at, pace },
            seen: (row.gate_level, row.gate_at),
        })
    }

    /// Tells the units whose turn it is, of all rounds together. Gives how many.
    pub(super) async fn tell(&self, rounds: &[Round], city: &mut City) -> Result<usize, StoreError> {
        let now = self.clock.now();
        if city.is_stopped() || (city.is_steered() && self.outbox_is_full().await?) {
            return Ok(0);
        }
        let (mut gates, mut queues, mut releasing) = (Vec::new(), Vec::new(), Vec::new());
        for round in rounds {
            let (Some(pace), Some(next_at)) = (round.pace_per_minute, round.next_release_at) else {
                continue;
            };
            let waits = next_at > now && next_at <= now + GATE_AHEAD;
            if round.state != RoundState::Releasing || waits {
                continue;
            }
            let notice_from = plan::round_spec(round).map_or(now, |spec| spec.notice_from);
            if next_at > now && next_at <= notice_from {
                continue;
            }
            let queue = self.store.units_to_tell(round.id, UNITS_PER_STEP).await?;
            let is_of_another_clock = next_at > latest(&queue, pace, now).max(notice_from);
            let next_at = if is_of_another_clock { now } else { next_at };
            let steps = plan::steps(round);
            let ahead = steps.ahead_minutes.map(TimeDelta::minutes);
            let mut gate = RoundGate::new(ReleaseGate { next_at }, pace, ahead);
            gate.passes_city = steps.two_step;
            gates.push(gate);
            queues.push(queue);
            releasing.push(round);
        }
        if release::next(in_order(&queues), &mut gates, &mut city.gate, now) == 0 {
            return Ok(0);
        }
        let mut told = 0;
        for ((round, gate), mut units) in releasing.into_iter().zip(&gates).zip(queues) {
            units.truncate(gate.admitted);
            if !units.is_empty() && self.tell_units(round, &units, gate, city, now).await? {
                told += units.len();
            }
        }
        self.written.send_modify(|count| *count += 1);
        metrics::counter!("weir_units_told_total").increment(told as u64);
        Ok(told)
    }

    async fn tell_units(
        &self,
        round: &Round,
        units: &[UnitToTell],
        gate: &RoundGate,
        city: &mut City,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let audience = self.audience_of(units).await?;
        let details = self.windows_of(&audience, round.id).await?;
        let deliveries = self.window_notices(round, &audience, &details, now);
        let counts = count(units, &deliveries, &details);
        let known = units_of(&details);
        let windows: Vec<i64> = units.iter().map(|unit| unit.window).collect();
        let steering = Steering {
            // Stored with the first round that passed it: later ones, and a crash between them, find it moved.
            city: city.moved(),
            counts: &counts,
            two_step: gate.passes_city,
            known: &known,
            corrects: false,
        };
        let written = self
            .store
            .tell(
                round,
                &windows,
                &deliveries,
                Some(gate.gate.next_at),
                &steering,
                now,
            )
            .await?;
        if written {
            city.settled();
        }
        Ok(written)
    }

    async fn audience_of(&self, units: &[UnitToTell]) -> Result<Vec<AudienceContact>, StoreError> {
        let units: Vec<UnitId> = units.iter().map(|unit| unit.unit).collect();
        self.store.audience(&units).await
    }

    /// Calls the told people of two-step rounds whose window has started, in the order of the windows, through the
    /// city's gate. Gives how many units.
    pub(super) async fn call(&self, rounds: &[Round], city: &mut City) -> Result<usize, StoreError> {
        let now = self.clock.now();
        if city.is_stopped() {
            return Ok(0);
        }
        let mut called = 0;
        for round in rounds {
            if round.state != RoundState::Releasing || !plan::steps(round).two_step {
                continue;
            }
            let mut units = self.store.units_to_call(round.id, now, UNITS_PER_STEP).await?;
            let admitted = units
                .iter()
                .take_while(|unit| city.gate.admit(now, unit.recipients).is_ok())
                .count();
            units.truncate(admitted);
            if units.is_empty() {
                continue;
            }
            let audience = self.audience_of(&units).await?;
            let details = self.windows_of(&audience, round.id).await?;
            let deliveries = self.calls(round, &units, &audience, &details, now);
            let windows: Vec<i64> = units.iter().map(|unit| unit.window).collect();
            let steering = Steering {
                city: city.moved(),
                ..Steering::default()
            };
            if self
                .store
                .call(round, &windows, &deliveries, &steering, now)
                .await?
            {
                city.settled();
                called += units.len();
            }
        }
        if called > 0 {
            self.written.send_modify(|count| *count += 1);
            metrics::counter!("weir_units_called_total").increment(called as u64);
        }
        Ok(called)
    }

    /// A call for each contact and start: a window that moved needs another. It speaks of the windows that have come.
    fn calls(
        &self,
        round: &Round,
        units: &[UnitToTell],
        audience: &[AudienceContact],
        details: &BTreeMap<ContactId, Vec<WindowView>>,
        now: DateTime<Utc>,
    ) -> Vec<NewDelivery> {
        let starts: HashMap<UnitId, DateTime<Utc>> =
            units.iter().map(|unit| (unit.unit, unit.starts_at)).collect();
        audience
            .iter()
            .filter_map(|contact| {
                let come: Vec<WindowView> = details
                    .get(&contact.contact)?
                    .iter()
                    .filter(|window| starts.contains_key(&window.unit))
                    .cloned()
                    .collect();
                let start = come.iter().filter_map(|window| starts.get(&window.unit)).min()?;
                let key = format!(
                    "call:{}:{}:{}:{}",
                    round.id,
                    round.plan_revision,
                    contact.contact,
                    start.timestamp() / 60
                );
                Some(self.delivery(key, round.id, contact, Said::Call, &come, now))
            })
            .collect()
    }

    /// As many notices wait in the outbox as the channels send within a minute.
    pub(super) async fn outbox_is_full(&self) -> Result<bool, StoreError> {
        let texts = self.config.sms.smpp.first();
        let texts = texts.map(|carrier| u64::from(carrier.parts_per_second) / PARTS_USUAL);
        let telegram = &self.config.telegram;
        let messages = telegram
            .token
            .as_ref()
            .map(|_| u64::from(telegram.messages_per_second));
        for (channel, a_second) in [(ChannelKind::Sms, texts), (ChannelKind::Telegram, messages)] {
            // What waits for a channel that is not configured waits for ever, and for nobody.
            let Some(a_second) = a_second else { continue };
            let room = a_second.max(1) * OUTBOX_SECONDS;
            if self.store.queued_notices(channel, room).await? >= room {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A round's gate cannot be shut for longer than one of its units takes, by so much.
fn latest(queue: &[UnitToTell], per_minute: f64, now: DateTime<Utc>) -> DateTime<Utc> {
    let largest = queue.iter().map(|unit| unit.recipients).max().unwrap_or(0);
    let minutes = (2.0 * f64::from(largest) / per_minute.max(1e-3)).min(WAIT_MINUTES_MAX);
    now + GATE_AHEAD + TimeDelta::seconds((minutes * 60.0) as i64)
}

/// What waits in all rounds, in the order of the windows' starts.
fn in_order(queues: &[Vec<UnitToTell>]) -> Vec<Waiting> {
    let mut waiting: Vec<Waiting> = queues
        .iter()
        .enumerate()
        .flat_map(|(round, units)| {
            units.iter().map(move |unit| Waiting {
                round,
                starts_at: unit.starts_at,
                recipients: unit.recipients,
            })
        })
        .collect();
    // Stable: each round keeps its own order.
    waiting.sort_by_key(|unit| unit.starts_at);
    waiting
}

/// Whom each unit's notice reaches, by channel: counts for the forecast.
fn count(
    units: &[UnitToTell],
    deliveries: &[NewDelivery],
    details: &BTreeMap<ContactId, Vec<WindowView>>,
) -> Vec<ToldCount> {
    let mut counts: HashMap<UnitId, ToldCount> = units
        .iter()
        .map(|unit| {
            let none = ToldCount {
                id: unit.window,
                sms: 0,
                chat: 0,
            };
            (unit.unit, none)
        })
        .collect();
    for delivery in deliveries
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Queued)
    {
        let mut seen = Vec::new();
        for window in details.get(&delivery.contact).into_iter().flatten() {
            // Several residents of one unit share a phone.
            if seen.contains(&window.unit) {
                continue;
            }
            seen.push(window.unit);
            if let Some(count) = counts.get_mut(&window.unit) {
                match delivery.channel {
                    ChannelKind::Sms => count.sms += 1,
                    ChannelKind::Telegram => count.chat += 1,
                }
            }
        }
    }
    counts.into_values().collect()
}
