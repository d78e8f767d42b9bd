//! Steers all releases: every few seconds the registration system's load and what has been told go into the law, and
//! its decision into the store, where the releaser finds it.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    moves,
    plan::{self, PlanError},
    replan::{self, ReplanQuota},
};
use crate::{
    clock::Clock,
    config::Config,
    domain::{ChannelKind, IncidentScope, LoadSample, RoundState},
    pacing::{
        forecast::Forecast,
        kernel::{BUCKET_SECONDS, Responses},
        law::{self, Action, ByHand, Decision, Mode, Params, State, Tick, WindowOrder},
        release::CityPace,
    },
    registration::RegistrationClient,
    store::{
        LoadMinute, LogKind, NewDecision, NewIncident, NewLogEntry, PacingRow, Round, Store, StoreError,
        ToldRound,
    },
};

/// A decision that is older than this is treated as silence.
pub const STALE_AFTER: TimeDelta = TimeDelta::seconds(20);
/// What was told longer ago brings nobody any more, by the kernels.
const LOOK_BACK: TimeDelta = TimeDelta::hours(1);
/// The law looks no further ahead than this.
const LOOK_AHEAD: TimeDelta = TimeDelta::hours(1);
const FORECAST_HOURS: u32 = 2;
/// People who come whenever they like do so within a day.
const WHENEVER: TimeDelta = TimeDelta::hours(24);
/// Counts over whole rounds change slowly and cost most; they are read anew after this.
const ROUNDS_EVERY: TimeDelta = TimeDelta::seconds(60);
/// How often it is looked for windows that come too near untold.
const BEHIND_EVERY: TimeDelta = TimeDelta::seconds(60);
/// An order is carried out as it was decided within this; the law looks anew at told windows after as long.
const ORDER_HOLDS: TimeDelta = TimeDelta::minutes(2);
/// Where the feed says nothing of the capacity, what completes tells it only while the system is this busy.
const MEASURABLE_UTILISATION: f64 = 0.3;
/// While nothing is steered there is only somebody's word to look for.
const UNSTEERED_REST: Duration = Duration::from_millis(500);
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// The mode's word where there is nothing to steer by.
pub const UNSTEERED: &str = "unsteered";
/// Somebody's word: nothing is released.
pub const HELD: &str = "held";
/// Somebody's word: a pause or a silent feed holds nothing back.
pub const FREED: &str = "freed";
/// Who acts where no person does.
const LAW: &str = "law";

/// There is something to steer by: a load feed, or the capacity that the system is known to have.
pub fn is_steered(config: &Config) -> bool {
    has_feed(config) || config.pacing.nominal_capacity.is_some()
}

fn has_feed(config: &Config) -> bool {
    config.registration.url.is_some() || config.registration.metrics_url.is_some()
}

/// How fast the city may be told at this moment: by the stored decision while it is fresh, by the safe rate where
/// nobody has decided for a while, not at all where the law paused or somebody holds it.
pub fn city_pace(config: &Config, row: &PacingRow, now: DateTime<Utc>) -> CityPace {
    if is_held(row) {
        return CityPace::Stopped;
    }
    if !is_steered(config) {
        return CityPace::Unsteered;
    }
    match row.decided_at {
        None => CityPace::Stopped,
        Some(at) if now - at > STALE_AFTER => CityPace::from_rate(row.per_second.min(row.safe_per_second)),
        Some(_) => CityPace::from_rate(row.per_second),
    }
}

pub(super) fn is_held(row: &PacingRow) -> bool {
    row.by_hand.as_ref().is_some_and(|by_hand| by_hand.what == HELD)
}

fn by_hand(row: &PacingRow) -> Option<ByHand> {
    match row.by_hand.as_ref()?.what.as_str() {
        HELD => Some(ByHand::Held),
        FREED => Some(ByHand::Freed),
        _ => None,
    }
}

/// The load as it was last looked at.
#[derive(Debug, Default)]
struct Seen {
    /// The feed does not answer; said once.
    failing: bool,
    /// Whole rounds, and when they were counted.
    rounds: Option<(DateTime<Utc>, Vec<ToldRound>)>,
    /// When it was last looked for windows that come too near untold.
    behind_at: Option<DateTime<Utc>>,
    /// The order that stands could not be carried out; said once.
    order_fails: bool,
}

/// What the pacer needs.
#[derive(Clone, Debug)]
pub struct Pacer {
    store: Store,
    clock: Clock,
    config: Config,
    feed: Option<RegistrationClient>,
    /// Told when held deliveries are queued again.
    written: watch::Sender<u64>,
    seen: Arc<Mutex<Seen>>,
}

impl Pacer {
    /// A pacer of the rounds in this store; `feed` is asked for the load.
    pub fn new(
        store: Store,
        clock: Clock,
        config: Config,
        feed: Option<RegistrationClient>,
        written: watch::Sender<u64>,
    ) -> Self {
        Self {
            feed: feed.filter(|_| has_feed(&config)),
            store,
            clock,
            config,
            written,
            seen: Arc::default(),
        }
    }

    /// Steps until told to stop. Moving windows takes its time in a large city, and the law must not wait for it.
    pub async fn run(self, stop: CancellationToken) {
        let period = law::PERIOD.to_std().unwrap_or(AFTER_ERROR);
        let mut failing = false;
        let mut acting = JoinSet::new();
        while !stop.is_cancelled() {
            let rest = match self.step().await {
                Ok(None) => self.clock.rest(UNSTEERED_REST).max(UNSTEERED_REST / 2),
                Ok(Some(_)) => {
                    while acting.try_join_next().is_some() {}
                    // What is ordered while the last is still being carried out stands until then.
                    if acting.is_empty() {
                        let pacer = self.clone();
                        acting.spawn(async move { pacer.carry_out().await });
                    }
                    self.clock.rest(period)
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "the pace cannot be decided; without a decision the safe rate holds");
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
        while acting.join_next().await.is_some() {}
    }

    /// One step: load, forecast, law, store. Gives the decision; none where there is nothing to steer by.
    pub async fn step(&self) -> Result<Option<Decision>, StoreError> {
        let row = self.store.pacing().await?;
        if !is_steered(&self.config) {
            self.step_unsteered(&row).await?;
            return Ok(None);
        }
        let sample = self.sample().await;
        let now = self.clock.now();
        let mut state = law_state(&row, now);
        if self.feed.is_none() {
            // Nobody will ever speak: the silence has lasted for long.
            state.heard_at = Some(now - WHENEVER);
        }
        let nominal = nominal_capacity(&self.config, &row, sample.as_ref());
        let (mut decision, safe_per_second) = match nominal {
            Some(nominal) => {
                let params = params(&self.config, nominal);
                let (forecast, telegram_share) = self.forecast(now).await?;
                let tick = Tick {
                    now,
                    sample,
                    expected: &forecast,
                    telegram_share,
                    by_hand: by_hand(&row),
                };
                let decision = law::step(&params, &mut state, &tick);
                (decision, safe_rate(&params, &forecast, telegram_share, now))
            }
            None => (waiting(&row), 0.0),
        };
        let mut reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        if nominal.is_none() {
            reasons.push(
                "the load feed has not said yet what the system can do; pacing.nominal_capacity would".into(),
            );
        }
        if decision.order.is_none()
            && nominal.is_some()
            && let Some(order) = self.behind(decision.starts_per_second, now).await?
        {
            decision.order = Some(order);
            decision.actions.push(Action::Replan);
        }
        self.hold_or_free(decision.mode == Mode::Paused).await?;
        let new = NewDecision {
            law: serde_json::to_string(&state).unwrap_or_default(),
            sample: sample.and_then(|sample| serde_json::to_string(&sample).ok()),
            mode: decision.mode.as_str(),
            per_second: decision.per_second,
            starts_per_second: decision.starts_per_second,
            safe_per_second,
            nominal_capacity: nominal,
            reasons,
            ordered: decision.order.map(|order| ordered(now, order)),
        };
        // Both may be done twice without harm, so they come before the decision is stored.
        if self.config.incidents.open_on_pause && decision.actions.contains(&Action::Pause) {
            self.open_incident(&new.reasons, now).await?;
        }
        if self.config.incidents.open_on_pause && decision.actions.contains(&Action::Calm) {
            self.calm_again(&new.reasons, now).await?;
        }
        let log = log_of(&row, &decision, &new.reasons);
        self.store.save_decision(&new, &log, now).await?;
        if let Some(sample) = &sample {
            self.store.record_load(&minute(sample, new.mode, now)).await?;
        }
        self.after(&row, &decision, &new).await?;
        gauge(&row, &decision, sample.as_ref(), &state, nominal, now);
        Ok(Some(decision))
    }

    /// Declares a fault for the whole city, so that people near their windows are told and staff go on by hand. A person
    /// closes it. Where one is open already, nothing changes.
    async fn open_incident(&self, reasons: &[String], now: DateTime<Utc>) -> Result<(), StoreError> {
        let incident = NewIncident {
            scope: IncidentScope::default(),
            reason: format!("pacing paused: {}", reasons.join("; ")),
            message_zh: None,
            message_en: None,
            actor: LAW.into(),
        };
        let near = now + self.config.incidents.near();
        let (id, opened) = self.store.open_incident(&incident, near, now).await?;
        if opened {
            tracing::warn!(incident = id.0, "incident {id} is open: a person closes it");
            let entry = NewLogEntry {
                kind: LogKind::Action,
                what: format!("incident {id} opened"),
                reason: reasons.join("; "),
                actor: LAW.into(),
            };
            self.store.log_pacing(&[entry], now).await?;
        }
        Ok(())
    }

    /// The pause lasts: those who were told of the fault and whose window has come, or is near, are told again. Where a
    /// person has closed the incident, nobody is.
    async fn calm_again(&self, reasons: &[String], now: DateTime<Utc>) -> Result<(), StoreError> {
        let open = self.store.open_incidents().await?;
        let Some(incident) = open.iter().find(|incident| incident.scope.is_everywhere()) else {
            return Ok(());
        };
        let reach = WindowOrder {
            told: true,
            paused: true,
            starts_per_second: 0.0,
            failing_since: None,
        };
        let near = reach.reaches_back_to(now)..now + self.config.incidents.near();
        let reason = reasons.join("; ");
        if self
            .store
            .calm_again(incident.id, near, LAW, &reason, now)
            .await?
        {
            let entry = NewLogEntry {
                kind: LogKind::Action,
                what: format!("those near are told of incident {} again", incident.id),
                reason,
                actor: LAW.into(),
            };
            self.store.log_pacing(&[entry], now).await?;
        }
        Ok(())
    }

    /// Logs a change of mode, brings rounds up to their time once all is well, and ends a word that is no longer
    /// needed.
    async fn after(&self, row: &PacingRow, decision: &Decision, new: &NewDecision) -> Result<(), StoreError> {
        if row.mode != new.mode {
            let why = new.reasons.join("; ");
            let (mode, rate) = (new.mode, new.per_second);
            if decision.mode == Mode::Steady {
                tracing::info!(mode, rate, "pacing is {mode}: {why}");
            } else {
                tracing::warn!(mode, rate, "pacing is {mode}: {why}");
            }
            if decision.mode == Mode::Steady && !row.mode.is_empty() {
                for round in self.releasing().await? {
                    plan::raise_pace(&self.store, &round, self.clock.now()).await?;
                }
            }
        }
        if by_hand(row) == Some(ByHand::Freed) && decision.mode == Mode::Steady {
            let why = "pacing is steady: it need not be freed any more";
            self.store
                .set_pacing_by_hand("", LAW, why, self.clock.now())
                .await?;
        }
        Ok(())
    }

    /// With nothing to steer by there is still somebody's word.
    async fn step_unsteered(&self, row: &PacingRow) -> Result<(), StoreError> {
        let held = is_held(row);
        self.hold_or_free(held).await?;
        let mode = if held { Mode::Paused.as_str() } else { UNSTEERED };
        if row.mode == mode {
            return Ok(());
        }
        let reason = if held { "held by hand" } else { NOT_STEERED };
        let decision = NewDecision {
            law: row.law.clone(),
            sample: None,
            mode,
            per_second: 0.0,
            starts_per_second: 0.0,
            safe_per_second: 0.0,
            nominal_capacity: None,
            reasons: vec![reason.to_owned()],
            ordered: None,
        };
        tracing::info!(mode, "pacing is {mode}: {reason}");
        self.store.save_decision(&decision, &[], self.clock.now()).await
    }

    /// A pause also holds what waits in the outbox, again at each step, since a dispatcher or a resumed round may put
    /// something back; the end of it lets that go. Both may happen twice without harm, so they come before the decision
    /// is stored.
    async fn hold_or_free(&self, paused: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        if paused {
            let held = self.store.hold_queued(now).await?;
            if held > 0 {
                tracing::info!(held, "{held} notices that had not left are held");
            }
        } else if !self.is_halted().await? {
            let freed = self.store.free_held(now).await?;
            if freed > 0 {
                tracing::info!(freed, "{freed} notices that were held go on");
                self.written.send_modify(|count| *count += 1);
            }
        }
        Ok(())
    }

    /// A fault is declared for the whole city: what a pause held waits for its end, too.
    async fn is_halted(&self) -> Result<bool, StoreError> {
        let incidents = self.store.open_incidents().await?;
        Ok(incidents.iter().any(|incident| incident.scope.is_everywhere()))
    }

    async fn sample(&self) -> Option<LoadSample> {
        let feed = self.feed.as_ref()?;
        let answer = feed.load(self.clock.now()).await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(reading) => {
                if seen.failing {
                    tracing::info!("the load feed answers again");
                }
                seen.failing = false;
                reading.is_new.then_some(reading.sample)
            }
            Err(error) => {
                if !seen.failing {
                    tracing::warn!(%error, "the load feed does not answer; pacing falls to a safe rate");
                }
                seen.failing = true;
                None
            }
        }
    }

    /// What is on its way, from counts alone, and the share of recipients that are told by Telegram.
    async fn forecast(&self, now: DateTime<Utc>) -> Result<(Forecast, f64), StoreError> {
        let origin = now - LOOK_BACK;
        let mut forecast = Forecast::new(&Responses::default(), origin, FORECAST_HOURS);
        for told in self
            .store
            .told_by_bucket(origin, TimeDelta::seconds(BUCKET_SECONDS))
            .await?
        {
            forecast.add_told(told.at, ChannelKind::Sms, told.sms as f64);
            forecast.add_told(told.at, ChannelKind::Telegram, told.chat as f64);
        }
        for start in self.store.told_by_start(origin, now + LOOK_AHEAD).await? {
            forecast.add_starts(start.starts_at, ChannelKind::Sms, start.sms as f64);
            forecast.add_starts(start.starts_at, ChannelKind::Telegram, start.chat as f64);
        }
        for moved in self.store.moved(origin, now + LOOK_AHEAD).await? {
            forecast.add_starts(moved.starts_at, ChannelKind::Sms, moved.sms);
            forecast.add_starts(moved.starts_at, ChannelKind::Telegram, moved.chat);
        }
        let (mut sms, mut chat) = (0.0, 0.0);
        for round in self.told_rounds(now).await? {
            let from = round.first_told_at;
            let to = round.last_window_ends_at.min(from + WHENEVER);
            forecast.add_whenever(from, to, ChannelKind::Sms, round.sms as f64);
            forecast.add_whenever(from, to, ChannelKind::Telegram, round.chat as f64);
            sms += round.sms as f64;
            chat += round.chat as f64;
        }
        let all = sms + chat;
        Ok((forecast, if all > 0.0 { chat / all } else { 0.0 }))
    }

    async fn told_rounds(&self, now: DateTime<Utc>) -> Result<Vec<ToldRound>, StoreError> {
        let known = {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.rounds
                .clone()
                .filter(|(at, _)| (TimeDelta::zero()..ROUNDS_EVERY).contains(&(now - *at)))
        };
        if let Some((_, rounds)) = known {
            return Ok(rounds);
        }
        let rounds = self.store.told_rounds(now - WHENEVER).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.rounds = Some((now, rounds.clone()));
        Ok(rounds)
    }

    async fn releasing(&self) -> Result<Vec<Round>, StoreError> {
        let mut rounds = self.store.rounds().await?;
        rounds.retain(|round| round.state == RoundState::Releasing);
        Ok(rounds)
    }

    /// Once a minute: whether a round's telling fell so far behind that its next windows come too near.
    async fn behind(
        &self,
        starts_per_second: f64,
        now: DateTime<Utc>,
    ) -> Result<Option<WindowOrder>, StoreError> {
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen
                .behind_at
                .is_some_and(|at| (TimeDelta::zero()..BEHIND_EVERY).contains(&(now - at)))
            {
                return Ok(None);
            }
            seen.behind_at = Some(now);
        }
        for round in self.releasing().await? {
            let Ok(spec) = plan::round_spec(&round) else {
                continue;
            };
            let lead = TimeDelta::minutes(spec.lead_minutes);
            if let Some((first, next)) = self.store.first_and_next_start(round.id).await?
                && let Some(order) = moves::behind(first, next, lead, starts_per_second, now)
            {
                return Ok(Some(order));
            }
        }
        Ok(None)
    }

    /// Carries out the order that stands: windows that start soon are moved onto what the system can take. An order stands
    /// from when it is decided until its windows have moved, whatever becomes of the process meanwhile.
    pub async fn carry_out(&self) {
        let outcome = async {
            let row = self.store.pacing().await?;
            if row.ordered.is_empty() {
                return Ok(());
            }
            if let Some(order) = still_to_do(&row, self.clock.now()) {
                self.act(&order).await?;
            }
            Ok::<_, PlanError>(self.store.order_done(&row.ordered).await?)
        };
        let failed = outcome.await.err();
        let news = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut seen.order_fails, failed.is_some()) != failed.is_some()
        };
        if let Some(error) = failed.filter(|_| news) {
            tracing::error!(%error, "windows could not be moved; trying again");
        }
    }

    /// Moves windows as ordered. Of a paused round only told ones move: nobody comes for the others yet.
    pub async fn act(&self, order: &WindowOrder) -> Result<(), PlanError> {
        let now = self.clock.now();
        let quota = ReplanQuota {
            order: Some(*order),
            ..ReplanQuota::default()
        };
        let mut fault = None;
        let mut rounds = self.store.rounds().await?;
        rounds.retain(|round| {
            round.state == RoundState::Releasing || (order.told && round.state == RoundState::Paused)
        });
        for round in rounds {
            let moved = match replan::replan(&self.store, &self.config, &round, &quota, now).await {
                Ok(moved) if moved.moved_units > 0 => moved,
                Ok(_) => continue,
                Err(error) => {
                    fault = Some(error);
                    continue;
                }
            };
            let entry = NewLogEntry {
                kind: LogKind::Action,
                what: format!(
                    "round {}: {} units moved, {} of them told before",
                    round.id, moved.moved_units, moved.told_units
                ),
                reason: if order.told {
                    "more was planned for the coming minutes than the system can take"
                } else {
                    "they fit what the system can take now, and their people still hear of them in time"
                }
                .into(),
                actor: LAW.into(),
            };
            tracing::warn!(round = round.id.0, "{}", entry.what);
            self.store.log_pacing(&[entry], now).await?;
        }
        fault.map_or(Ok(()), Err)
    }
}

/// An order as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Ordered {
    at: DateTime<Utc>,
    order: WindowOrder,
}

fn ordered(at: DateTime<Utc>, order: WindowOrder) -> String {
    serde_json::to_string(&Ordered { at, order }).unwrap_or_default()
}

/// What is to be done now of the order that stands; none where it has had its time. The law orders told windows anew
/// within minutes where they must move still; untold ones may not be ordered again, and move by what may start now.
fn still_to_do(row: &PacingRow, now: DateTime<Utc>) -> Option<WindowOrder> {
    let Ordered { at, mut order } = serde_json::from_str(&row.ordered).ok()?;
    if (TimeDelta::zero()..ORDER_HOLDS).contains(&(now - at)) {
        return Some(order);
    }
    order.starts_per_second = row.starts_per_second;
    (!order.told && order.starts_per_second > 0.0).then_some(order)
}

/// What every status says where nothing is steered.
pub const NOT_STEERED: &str = "not steered: each round goes at its own pace. Set registration.url or \
    registration.metrics_url, or at least pacing.nominal_capacity";

/// What the law remembers. Where the clock was set back, instants that are still to come are forgotten: the law would
/// wait for them to pass.
fn law_state(row: &PacingRow, now: DateTime<Utc>) -> State {
    if row.decided_at.is_none_or(|at| at <= now + STALE_AFTER) {
        return serde_json::from_str(&row.law).unwrap_or_default();
    }
    let mut law: serde_json::Value = serde_json::from_str(&row.law).unwrap_or_default();
    for value in law
        .as_object_mut()
        .into_iter()
        .flat_map(|fields| fields.values_mut())
    {
        let at: Option<DateTime<Utc>> = value.as_str().and_then(|text| text.parse().ok());
        if at.is_some_and(|at| at > now) {
            *value = serde_json::Value::Null;
        }
    }
    serde_json::from_value(law).unwrap_or_default()
}

fn params(config: &Config, nominal_capacity: f64) -> Params {
    let pacing = &config.pacing;
    Params {
        set_point: pacing.set_point,
        nominal_capacity,
        background: pacing.background_share * nominal_capacity,
        safe_share: pacing.safe_share,
        safe_share_min: pacing.safe_share_min,
    }
}

/// What the system can do when all is well: as set, else the most that its feed has ever told or shown.
fn nominal_capacity(config: &Config, row: &PacingRow, sample: Option<&LoadSample>) -> Option<f64> {
    if config.pacing.nominal_capacity.is_some() {
        return config.pacing.nominal_capacity;
    }
    let told = sample.and_then(|sample| {
        let shown = || {
            (sample.utilisation >= MEASURABLE_UTILISATION)
                .then(|| sample.completed_per_second / sample.utilisation)
        };
        sample.capacity_per_second.or_else(shown)
    });
    [row.nominal_capacity, told]
        .into_iter()
        .flatten()
        .filter(|capacity| capacity.is_finite() && *capacity > 0.0)
        .reduce(f64::max)
}

/// Before anything is known of the capacity nobody is told.
fn waiting(row: &PacingRow) -> Decision {
    Decision {
        mode: if is_held(row) { Mode::Paused } else { Mode::Blind },
        per_second: 0.0,
        starts_per_second: 0.0,
        actions: Vec::new(),
        order: None,
        reasons: Vec::new(),
    }
}

/// Recipients a second that are safe when nobody decides any more: what the law comes down to after long silence.
fn safe_rate(params: &Params, forecast: &Forecast, telegram_share: f64, now: DateTime<Utc>) -> f64 {
    let (sms, telegram) = (
        forecast.heed(ChannelKind::Sms),
        forecast.heed(ChannelKind::Telegram),
    );
    let heed = sms + telegram_share * (telegram - sms);
    let untold = params.background + forecast.whenever_per_second(now);
    let line = params.safe_share_min * params.set_point * params.nominal_capacity;
    (line - untold).max(0.0) / heed.max(1e-3)
}

fn log_of(row: &PacingRow, decision: &Decision, reasons: &[String]) -> Vec<NewLogEntry> {
    let entry = |kind, what: &str| NewLogEntry {
        kind,
        what: what.to_owned(),
        reason: reasons.join("; "),
        actor: row
            .by_hand
            .as_ref()
            .map_or_else(|| LAW.to_owned(), |by_hand| by_hand.actor.clone()),
    };
    let mut log = Vec::new();
    if row.mode != decision.mode.as_str() {
        log.push(entry(LogKind::Mode, decision.mode.as_str()));
    }
    for action in &decision.actions {
        match action {
            Action::Pause => log.push(entry(LogKind::Action, "pause")),
            Action::Resume => log.push(entry(LogKind::Action, "resume")),
            // What came of it is logged when it is done.
            Action::Restagger | Action::Replan | Action::Calm => {}
        }
    }
    log
}

/// The load as the report of an incident keeps it.
fn minute(sample: &LoadSample, mode: &str, now: DateTime<Utc>) -> LoadMinute {
    LoadMinute {
        minute: now,
        utilisation: sample.utilisation,
        queue_seconds: sample.queue_seconds,
        error_rate: sample.error_rate,
        completed_per_second: sample.completed_per_second,
        mode: mode.to_owned(),
    }
}

fn gauge(
    row: &PacingRow,
    decision: &Decision,
    sample: Option<&LoadSample>,
    state: &State,
    nominal: Option<f64>,
    now: DateTime<Utc>,
) {
    for mode in Mode::ALL {
        let is = if mode == decision.mode { 1.0 } else { 0.0 };
        metrics::gauge!("weir_pacing_mode", "mode" => mode.as_str()).set(is);
    }
    metrics::gauge!("weir_pacing_rate").set(decision.per_second);
    metrics::gauge!("weir_pacing_starts_per_second").set(decision.starts_per_second);
    if let Some(nominal) = nominal {
        metrics::gauge!("weir_pacing_capacity_estimate").set(state.capacity_share * nominal);
    }
    let last: Option<LoadSample> = serde_json::from_str(&row.sample).ok();
    if let Some(sample) = sample.or(last.as_ref()) {
        metrics::gauge!("weir_load_age_seconds").set((now - sample.as_of).as_seconds_f64());
        metrics::gauge!("weir_load_utilisation").set(sample.utilisation);
        metrics::gauge!("weir_load_queue_seconds").set(sample.queue_seconds);
        metrics::gauge!("weir_load_error_rate").set(sample.error_rate);
        metrics::gauge!("weir_load_started_per_second").set(sample.started_per_second);
        metrics::gauge!("weir_load_completed_per_second").set(sample.completed_per_second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ByHandRecord;

    #[test]
    fn what_is_not_decided_any_more_falls_to_the_safe_rate_and_a_pause_stays() {
        let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(1);
        let mut config = Config::default();
        let row = |per_second, age| PacingRow {
            per_second,
            safe_per_second: 10.0,
            decided_at: Some(now - TimeDelta::seconds(age)),
            ..PacingRow::default()
        };
        let pace = |config: &Config, row: &PacingRow| city_pace(config, row, now);
        assert_eq!(pace(&config, &row(40.0, 5)), CityPace::Unsteered);
        config.pacing.nominal_capacity = Some(50.0);
        assert_eq!(pace(&config, &PacingRow::default()), CityPace::Stopped);
        assert_eq!(pace(&config, &row(40.0, 20)), CityPace::PerSecond(40.0));
        assert_eq!(pace(&config, &row(40.0, 21)), CityPace::PerSecond(10.0));
        assert_eq!(pace(&config, &row(4.0, 21)), CityPace::PerSecond(4.0));
        assert_eq!(pace(&config, &row(0.0, 21)), CityPace::Stopped);
        let held = PacingRow {
            by_hand: Some(ByHandRecord {
                what: HELD.into(),
                actor: String::new(),
                reason: String::new(),
                at: now,
            }),
            ..row(40.0, 5)
        };
        assert_eq!(pace(&config, &held), CityPace::Stopped);
        config.pacing.nominal_capacity = None;
        assert_eq!(pace(&config, &held), CityPace::Stopped, "steered or not");
    }
}
