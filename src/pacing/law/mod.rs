//! The control law: what the registration system says of itself, into how fast residents may be told.
//!
//! One pure step every [`PERIOD`]: state, load sample or silence, and clock in; rate, quota of window starts and actions
//! out, with the reasons in words. The messages act minutes later, through people, so the law looks at what has been
//! told and planned (the [`Forecast`]) as well as at what is seen. It runs unchanged in the service and in the rehearsal.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    forecast::Forecast,
    kernel::{BUCKET_SECONDS, Response, Speed},
};
use crate::domain::{ChannelKind, LoadSample};

/// How often the law steps.
pub const PERIOD: TimeDelta = TimeDelta::seconds(5);

/// Silence of the load feed after which the pace falls to a safe rate.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(20);
/// From here on the safe rate falls further …
const SAFE_FALLS_FROM: TimeDelta = TimeDelta::seconds(60);
/// … until here.
const SAFE_FALLS_FOR: TimeDelta = TimeDelta::minutes(5);

/// Samples whose median is taken for the capacity.
const CAPACITY_SAMPLES: usize = 5;
/// Capacity that is not even asked for cannot be measured well.
const MEASURABLE_UTILISATION: f64 = 0.3;
/// The estimate never falls below this share of the nominal capacity: a system in collapse completes hardly anything,
/// which says nothing of what it can do.
const CAPACITY_FLOOR: f64 = 0.25;

/// How the estimate rises, a sample, while nothing can be measured: a tenth in 100 s.
const TRUST_STEP: f64 = 0.005;

/// Weight of the newest sample in the demand seen: a mean of some two minutes, or its noise would count as demand.
const DEMAND_SMOOTHING: f64 = 0.04;
const BIAS_STEP: f64 = 0.02;
/// Where more came than expected, as after trouble, it goes back to what is assumed at this step.
const BIAS_STEP_BACK: f64 = 0.01;
/// Who is slow looks as if they did not come: only what lasts longer than the slowest kernel may raise the rate.
const BIAS_STEP_DOWN: f64 = 0.003;
/// Of less expected demand than this share of the nominal capacity, nothing is learned.
const BIAS_FROM: f64 = 0.3;
const BIAS_MIN: f64 = 0.6;
const BIAS_MAX: f64 = 1.6;
/// Where errors are rarer, what is started is fresh demand and no retries.
const FEW_ERRORS: f64 = 0.005;

const TRIM_MIN: f64 = 0.2;
const TRIM_DOWN: f64 = 0.7;
const TRIM_UP: f64 = 0.01;
const TRIM_EVERY: TimeDelta = TimeDelta::seconds(15);
const TRIM_ERRORS: f64 = 0.02;
const TRIM_QUEUE_SECONDS: f64 = 2.0;
const TRIM_UTILISATION: f64 = 0.97;
/// Weight of the newest sample in the smoothed utilisation.
const SMOOTHING: f64 = 0.3;

const PAUSE_ERRORS: f64 = 0.10;
const PAUSE_QUEUE_SECONDS: f64 = 6.0;
/// Reports in running that must be bad before a pause.
const PAUSE_REPORTS: u32 = 3;
const RESUME_ERRORS: f64 = 0.01;
const RESUME_QUEUE_SECONDS: f64 = 1.0;
const RESUME_UTILISATION: f64 = 0.65;
const RESUME_AFTER: TimeDelta = TimeDelta::seconds(120);
const RESUME_TRIM: f64 = 0.5;

/// Windows that were told move no more often than this: each move is a message that people must read …
const RESTAGGER_EVERY: TimeDelta = TimeDelta::minutes(3);
/// … while nobody notices how often the others do.
const REPLAN_EVERY: TimeDelta = TimeDelta::minutes(1);
/// In a pause windows that began so long ago move as well: who failed then tries on and on, and is told to stop.
const REACH_BACK: TimeDelta = TimeDelta::minutes(30);
/// In a pause no told window starts sooner than this.
const HOLD_FOR: TimeDelta = TimeDelta::minutes(20);
/// So many times people are told to stay calm, as often as their windows move.
const CALM_TIMES: u32 = 3;
/// Windows that nobody knows yet start no sooner than this, so that their people can be told.
const UNTOLD_LEAD: TimeDelta = TimeDelta::minutes(15);
/// The share of the nominal set point that windows are put onto in a pause: what a system in collapse can do is not
/// known, and a window that has been moved too far cannot come back.
const PAUSED_SHARE: f64 = 0.5;
/// Windows that start sooner are too near to be moved.
pub const RESTAGGER_FROM: TimeDelta = TimeDelta::minutes(2);
const RESTAGGER_TO: TimeDelta = TimeDelta::minutes(22);
/// The share of the set point that moved windows are put onto.
const RESTAGGER_SHARE: f64 = 0.95;

/// How far ahead telling somebody now must leave the load below its line.
const LOOK_AHEAD: TimeDelta = TimeDelta::minutes(15);
/// The load is judged by the mean of a minute.
const MINUTE: TimeDelta = TimeDelta::minutes(1);
/// Telling is judged as if it went on for so many buckets.
const TOLD_BUCKETS: f64 = 4.0;
const BUCKETS_PER_MINUTE: usize = 60 / BUCKET_SECONDS as usize;
/// Told people may push the load this much over the set point.
const OVER_SET_POINT: f64 = 1.018;
/// The most by which the rate exceeds the steady one, to catch up.
const CATCH_UP: f64 = 1.25;

/// Sessions a second vary by chance: the load is kept so many standard deviations of ten seconds' count below the
/// capacity. A small system needs more room than a large one.
const DEVIATIONS: f64 = 3.5;
const BUSY_SECONDS: f64 = 10.0;
/// The least share of the capacity that is left by that.
const LEFT_BY_CHANCE: f64 = 0.3;

/// Where the believed speeds differ by this share in what they forecast, nothing is learned of how many come.
const DISAGREEMENT: f64 = 0.2;
/// So much faster or slower, as a logarithm, is another speed …
const SPEED_CHANGE: f64 = 0.2;
/// … and for so long after it nobody is taken not to come at all: the slow may still be on their way.
const SPEED_SETTLES_FOR: TimeDelta = TimeDelta::minutes(60);
/// A speed that is believed less than this has no say in it.
const BELIEVED: f64 = 0.05;

/// Untold windows are placed anew where so much less may start than when they were placed …
const QUOTA_LESS: f64 = 0.96;
/// … or so much more, and not before the last order has had its effect.
const QUOTA_MORE: f64 = 1.05;
const MORE_EVERY: TimeDelta = TimeDelta::minutes(5);

/// What the law is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Share of the capacity that the load is kept at, 0 to 1.
    pub set_point: f64,
    /// Sessions a second that the system is known to complete when all is well.
    pub nominal_capacity: f64,
    /// Sessions a second that come without being told.
    pub background: f64,
    /// Share of the set point's rate that is safe while the load feed is silent …
    pub safe_share: f64,
    /// … and what it falls to while the silence lasts.
    pub safe_share_min: f64,
}

impl Params {
    /// The defaults for a system of so many sessions a second.
    pub fn for_capacity(nominal_capacity: f64) -> Self {
        Self {
            set_point: 0.85,
            nominal_capacity,
            background: 0.03 * nominal_capacity,
            safe_share: 0.5,
            safe_share_min: 0.3,
        }
    }

    /// Share of the capacity that the load is kept at where the busiest ten seconds of a minute exceed its mean by
    /// `ripple`: the set point, or less where waves and chance would exceed the capacity.
    pub fn kept_share(&self, ripple: f64) -> f64 {
        let by_chance = DEVIATIONS / (BUSY_SECONDS * self.nominal_capacity.max(1e-3)).sqrt();
        let left = (1.0 - by_chance).max(LEFT_BY_CHANCE);
        self.set_point.min(left / (1.0 + ripple.max(0.0)))
    }
}

/// How the law sees things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As planned.
    #[default]
    Steady,
    /// The system is busier, or can do less, than it should: fewer are told.
    Slowed,
    /// Nobody is told.
    Paused,
    /// After a pause: slowly again.
    Recovering,
    /// The load feed is silent: a safe rate.
    Blind,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 5] = [
        Self::Steady,
        Self::Slowed,
        Self::Paused,
        Self::Recovering,
        Self::Blind,
    ];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Slowed => "slowed",
            Self::Paused => "paused",
            Self::Recovering => "recovering",
            Self::Blind => "blind",
        }
    }

    /// The mode of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// A person's word over the law's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByHand {
    /// Nobody is told until the person says so.
    Held,
    /// No pause and no silence holds anything back; rate and quota still follow the load.
    Freed,
}

/// What the law remembers from step to step. Stored, so that a restart goes on where it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// How it sees things.
    pub mode: Mode,
    /// Ĉ as a share of the nominal capacity.
    pub capacity_share: f64,
    /// The newest measurements of that share, the oldest first.
    measured: Vec<f64>,
    /// b: demand seen against demand expected.
    pub bias: f64,
    /// Demand seen against demand expected over the last minutes.
    demand: f64,
    /// How fast people act, against what is assumed.
    pub speed: Speed,
    /// Its mean when it last changed much, and when that was.
    speed_settled: f64,
    speed_changed_at: Option<DateTime<Utc>>,
    /// m: what the rate is multiplied with.
    pub trim: f64,
    trimmed_at: Option<DateTime<Utc>>,
    utilisation: f64,
    bad_reports: u32,
    /// Since when reports have been bad, in a pause also when they no longer are.
    failing_since: Option<DateTime<Utc>>,
    /// How often people were told to stay calm in this pause.
    calmed: u32,
    calm_since: Option<DateTime<Utc>>,
    restaggered_at: Option<DateTime<Utc>>,
    replanned_at: Option<DateTime<Utc>>,
    /// Recipients a second whose windows could start when windows were last placed.
    placed_at_starts: Option<f64>,
    /// When a sample last came.
    pub heard_at: Option<DateTime<Utc>>,
    last_as_of: Option<DateTime<Utc>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            mode: Mode::Steady,
            capacity_share: 1.0,
            measured: Vec::new(),
            bias: 1.0,
            demand: 1.0,
            speed: Speed::default(),
            speed_settled: 1.0,
            speed_changed_at: None,
            trim: 1.0,
            trimmed_at: None,
            utilisation: 0.0,
            bad_reports: 0,
            failing_since: None,
            calmed: 0,
            calm_since: None,
            restaggered_at: None,
            replanned_at: None,
            placed_at_starts: None,
            heard_at: None,
            last_as_of: None,
        }
    }
}

/// What one step is given.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// The time.
    pub now: DateTime<Utc>,
    /// The newest load sample, if one came; the same one again counts as silence.
    pub sample: Option<LoadSample>,
    /// What is on its way.
    pub expected: &'a Forecast,
    /// Share of recipients that are told by Telegram, 0 to 1; the others by text message.
    pub telegram_share: f64,
    /// A person's word, if there is one.
    pub by_hand: Option<ByHand>,
}

/// What one step decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// How the law sees things.
    pub mode: Mode,
    /// Recipients that may be told a second until the next step.
    pub per_second: f64,
    /// Recipients whose windows may start a second.
    pub starts_per_second: f64,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// How windows are to move, where the actions ask for it.
    #[serde(default)]
    pub order: Option<WindowOrder>,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// What the law asks for beside a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A pause begins: releases stop, people are told calmly, staff go on by hand.
    Pause,
    /// Those who were told are told, or told again, to stay calm and to wait.
    Calm,
    /// The pause is over.
    Resume,
    /// Windows that start from [`RESTAGGER_FROM`] on are moved later, onto the quota.
    Restagger,
    /// Windows that nobody has been told of are placed anew, onto the quota.
    Replan,
}

/// Which windows are to move, and how near they may then be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowOrder {
    /// Windows that were told move as well.
    pub told: bool,
    /// It is a pause: told windows are held off, and those that began a while ago move too.
    pub paused: bool,
    /// Recipients whose windows may start a second.
    pub starts_per_second: f64,
    /// Since when those who come fail; they are to come again. None: they do not.
    #[serde(default)]
    pub failing_since: Option<DateTime<Utc>>,
}

impl WindowOrder {
    /// Of those who come because of a start, the share still to come or to come again.
    pub fn still_coming(&self, response: &Response, starts_at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
        let until = self.failing_since.map_or(now, |since| since.min(now));
        response.still_coming((until - starts_at).as_seconds_f64())
    }

    /// The earliest instant at which a window may start now; none if it stays where it is.
    pub fn earliest(
        &self,
        starts_at: DateTime<Utc>,
        told: bool,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        if !told {
            return Some(now + UNTOLD_LEAD);
        }
        let movable_from = if self.paused {
            now - REACH_BACK
        } else {
            now + RESTAGGER_FROM
        };
        if !self.told || starts_at < movable_from {
            return None;
        }
        let held = if self.paused { now + HOLD_FOR } else { starts_at };
        Some(starts_at.max(held))
    }

    /// Windows that started before this stay, whatever is ordered.
    pub fn reaches_back_to(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.paused { now - REACH_BACK } else { now }
    }
}

/// Why a step decided as it did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A person holds it.
    HeldByHand,
    /// A person freed it.
    FreedByHand,
    /// No sample for so many seconds.
    Silent {
        /// Seconds since the last one.
        seconds: i64,
    },
    /// Too many errors.
    Errors {
        /// Share of sessions that failed.
        rate: f64,
    },
    /// The queue is too long.
    Queue {
        /// Seconds of waiting.
        seconds: f64,
    },
    /// Hardly any capacity is free.
    Busy {
        /// Share in use.
        utilisation: f64,
    },
    /// The capacity is less than it should be.
    Capacity {
        /// Its share of the nominal one.
        share: f64,
    },
    /// What has been told and planned is all that the capacity allows for the coming minutes.
    Forecast {
        /// The most sessions a second that are expected.
        per_second: f64,
    },
    /// All is well, but not yet for long enough.
    Calming {
        /// Seconds still to go.
        seconds: i64,
    },
    /// The rate is still rising after trouble.
    Trim {
        /// What it is multiplied with.
        factor: f64,
    },
    /// All is well.
    AsPlanned,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HeldByHand => f.write_str("held by hand"),
            Self::FreedByHand => f.write_str("freed by hand"),
            Self::Silent { seconds } => write!(f, "the load feed has been silent for {seconds} s"),
            Self::Errors { rate } => write!(f, "{:.1} % of sessions fail", rate * 100.0),
            Self::Queue { seconds } => write!(f, "people wait {seconds:.1} s in the queue"),
            Self::Busy { utilisation } => write!(f, "{:.0} % of the capacity is in use", utilisation * 100.0),
            Self::Capacity { share } => {
                write!(f, "the system can do {:.0} % of what it should", share * 100.0)
            }
            Self::Forecast { per_second } => {
                write!(f, "{per_second:.0} sessions/s are on their way already")
            }
            Self::Calming { seconds } => write!(f, "calm, but {seconds} s too short to go on"),
            Self::Trim { factor } => write!(f, "back to {:.0} % of the rate after trouble", factor * 100.0),
            Self::AsPlanned => f.write_str("all is well"),
        }
    }
}

/// One step: what may be told until the next, and what is to be done.
pub fn step(params: &Params, state: &mut State, tick: &Tick) -> Decision {
    let mut reasons = Vec::new();
    let mut actions = Vec::new();
    let fresh = tick
        .sample
        .filter(|sample| state.last_as_of.is_none_or(|last| sample.as_of > last));
    match fresh {
        Some(sample) => state.hear(params, &sample, tick),
        None => _ = state.heard_at.get_or_insert(tick.now),
    }
    if let Some(sample) = &fresh {
        state.judge(sample, tick.now, &mut actions, &mut reasons);
    }
    let silence = tick.now - state.heard_at.unwrap_or(tick.now);
    let rate = Rate::of(params, state, tick);
    let mut per_second = rate.per_second(params, state, tick, &mut reasons);
    if silence > SILENT_AFTER {
        reasons.insert(
            0,
            Reason::Silent {
                seconds: silence.num_seconds(),
            },
        );
        per_second = per_second.min(rate.safe(params, silence));
    }
    if state.mode == Mode::Paused {
        per_second = 0.0;
    }
    let (mode, per_second) = seen(state, silence, tick.by_hand, per_second, &rate, &mut reasons);
    let action = state.wants_other_windows(params, &rate, tick);
    actions.extend(action);
    if action == Some(Action::Restagger) && state.mode == Mode::Paused && state.calmed < CALM_TIMES {
        state.calmed += 1;
        actions.push(Action::Calm);
    }
    let order = action.map(|action| WindowOrder {
        told: action == Action::Restagger,
        paused: state.mode == Mode::Paused,
        starts_per_second: rate.starts(params, state),
        failing_since: state.failing_since,
    });
    if reasons.is_empty() {
        reasons.push(Reason::AsPlanned);
    }
    Decision {
        mode,
        per_second,
        starts_per_second: rate.starts(params, state),
        actions,
        order,
        reasons,
    }
}

/// The mode by name and the rate under a person's word.
fn seen(
    state: &State,
    silence: TimeDelta,
    by_hand: Option<ByHand>,
    per_second: f64,
    rate: &Rate,
    reasons: &mut Vec<Reason>,
) -> (Mode, f64) {
    let blind = silence > SILENT_AFTER;
    match by_hand {
        Some(ByHand::Held) => {
            reasons.insert(0, Reason::HeldByHand);
            (Mode::Paused, 0.0)
        }
        Some(ByHand::Freed) if blind || state.mode == Mode::Paused => {
            reasons.insert(0, Reason::FreedByHand);
            (Mode::Recovering, per_second.max(rate.steady))
        }
        _ if state.mode == Mode::Paused => (Mode::Paused, per_second),
        _ if blind => (Mode::Blind, per_second),
        _ => (state.mode, per_second),
    }
}

/// What the capacity allows, in recipients.
struct Rate {
    /// Chance that somebody who is told comes because of it, bias included.
    heed: f64,
    /// Sessions a second that come whatever is told.
    untold: f64,
    /// r_ss: recipients a second at which the load stays at the set point.
    steady: f64,
    /// Ĉ, in sessions a second.
    capacity: f64,
    /// Share of it that the load is kept at.
    share: f64,
}

impl Rate {
    fn of(params: &Params, state: &State, tick: &Tick) -> Self {
        let mix = |sms: f64, telegram: f64| sms + tick.telegram_share.clamp(0.0, 1.0) * (telegram - sms);
        let expected = tick.expected;
        let heed = mix(
            expected.heed(ChannelKind::Sms),
            expected.heed(ChannelKind::Telegram),
        );
        let heed = heed.max(1e-3) * state.bias;
        let untold = params.background + expected.whenever_per_second(tick.now);
        let capacity = state.capacity_share * params.nominal_capacity;
        let ripple = mix(
            expected.ripple(ChannelKind::Sms, &state.speed),
            expected.ripple(ChannelKind::Telegram, &state.speed),
        );
        let share = params.kept_share(ripple);
        let line = share * state.trim * capacity - untold;
        Self {
            heed,
            untold,
            steady: line.max(0.0) / heed,
            capacity,
            share,
        }
    }

    /// Recipients that may be told a second, by the load on its way in the coming minutes.
    fn per_second(&self, params: &Params, state: &State, tick: &Tick, reasons: &mut Vec<Reason>) -> f64 {
        let line = OVER_SET_POINT * self.share * state.trim * self.capacity - params.background;
        let mix = tick.telegram_share.clamp(0.0, 1.0);
        let (sms, telegram) = (
            tick.expected.after_notice(ChannelKind::Sms, &state.speed),
            tick.expected.after_notice(ChannelKind::Telegram, &state.speed),
        );
        let expected = tick
            .expected
            .expected_between(tick.now - MINUTE, tick.now + LOOK_AHEAD, &state.speed);
        let mut most: f64 = 0.0;
        let mut rate = CATCH_UP * self.steady;
        // Windows start on whole minutes, so only the mean of a minute says how busy it will be.
        for (after, minute) in expected.windows(BUCKETS_PER_MINUTE).skip(1).enumerate() {
            let expected = minute.iter().sum::<f64>() / minute.len() as f64;
            most = most.max(expected);
            let share = sms[after] + mix * (telegram[after] - sms[after]);
            let free = line - state.bias * expected;
            if share > 1e-6 {
                rate = rate.min(free.max(0.0) / (state.bias * share * TOLD_BUCKETS));
            }
        }
        if rate < 0.5 * self.steady {
            reasons.push(Reason::Forecast {
                per_second: state.bias * most + params.background,
            });
        }
        rate
    }

    /// The most that is safe after so much silence.
    fn safe(&self, params: &Params, silence: TimeDelta) -> f64 {
        let fallen =
            ((silence - SAFE_FALLS_FROM).as_seconds_f64() / SAFE_FALLS_FOR.as_seconds_f64()).clamp(0.0, 1.0);
        let share = params.safe_share - fallen * (params.safe_share - params.safe_share_min);
        (share * params.set_point * params.nominal_capacity - self.untold).max(0.0) / self.heed
    }

    fn starts(&self, params: &Params, state: &State) -> f64 {
        let line = match state.mode {
            Mode::Steady => self.share * self.capacity,
            Mode::Paused => (RESTAGGER_SHARE * self.share * self.capacity)
                .max(PAUSED_SHARE * params.set_point * params.nominal_capacity),
            _ => RESTAGGER_SHARE * self.share * self.capacity,
        };
        (line - self.untold).max(0.0) / self.heed
    }
}

impl State {
    /// Takes a sample in: capacity, bias, trim.
    fn hear(&mut self, params: &Params, sample: &LoadSample, tick: &Tick) {
        self.heard_at = Some(tick.now);
        self.last_as_of = Some(sample.as_of);
        self.utilisation += SMOOTHING * (sample.utilisation - self.utilisation);
        self.measure_capacity(params, sample);
        if sample.error_rate < FEW_ERRORS {
            self.learn_people(params, sample, tick);
        }
        let due = self.trimmed_at.is_none_or(|at| tick.now - at >= TRIM_EVERY);
        let trouble = sample.error_rate > TRIM_ERRORS
            || sample.queue_seconds > TRIM_QUEUE_SECONDS
            || self.utilisation > TRIM_UTILISATION;
        if trouble && due {
            self.trim = (self.trim * TRIM_DOWN).max(TRIM_MIN);
            self.trimmed_at = Some(tick.now);
        } else if !trouble {
            self.trim = (self.trim + TRIM_UP).min(1.0);
        }
    }

    /// How fast people act, and how many of them.
    fn learn_people(&mut self, params: &Params, sample: &LoadSample, tick: &Tick) {
        let by_speed = tick.expected.by_speed(sample.as_of - PERIOD / 2);
        let fresh = sample.started_per_second - params.background;
        let forecast = by_speed.map(|expected| self.bias * expected);
        self.speed.learn(fresh, &forecast, PERIOD.as_seconds_f64());
        let speed = self.speed.mean();
        if (speed / self.speed_settled).ln().abs() > SPEED_CHANGE {
            self.speed_settled = speed;
            self.speed_changed_at = Some(tick.now);
            // That fewer seemed to come was learned at another speed.
            self.bias = self.bias.max(1.0);
            self.demand = self.demand.max(self.bias);
        }
        let (mut expected, mut least, mut most) = (0.0, f64::INFINITY, 0.0_f64);
        for (one, belief) in by_speed.into_iter().zip(self.speed.beliefs()) {
            expected += belief * one;
            if belief > BELIEVED {
                (least, most) = (least.min(one), most.max(one));
            }
        }
        if expected <= BIAS_FROM * params.nominal_capacity {
            return;
        }
        let agreed = (1.0 - (most - least) / expected / DISAGREEMENT).clamp(0.0, 1.0);
        self.demand += agreed * DEMAND_SMOOTHING * (fresh / expected - self.demand);
        let error = self.demand - self.bias;
        let step = if error > 0.0 {
            BIAS_STEP
        } else if self.bias > 1.0 {
            BIAS_STEP_BACK
        } else if self
            .speed_changed_at
            .is_some_and(|at| tick.now - at < SPEED_SETTLES_FOR)
        {
            0.0
        } else {
            BIAS_STEP_DOWN
        };
        self.bias = (self.bias + agreed * step * error).clamp(BIAS_MIN, BIAS_MAX);
    }

    /// Completed work over utilisation, the median of the last few; lower values count at once, higher ones slowly.
    fn measure_capacity(&mut self, params: &Params, sample: &LoadSample) {
        if sample.utilisation < MEASURABLE_UTILISATION {
            // What is not asked for cannot be measured: as long as all is well, the system is trusted a little more.
            if sample.error_rate < RESUME_ERRORS && sample.queue_seconds < RESUME_QUEUE_SECONDS {
                self.capacity_share = (self.capacity_share + TRUST_STEP).min(1.0);
            }
            return;
        }
        let share = sample.completed_per_second / sample.utilisation / params.nominal_capacity;
        self.measured.push(share.clamp(0.0, 1.0));
        if self.measured.len() > CAPACITY_SAMPLES {
            self.measured.remove(0);
        }
        let mut sorted = self.measured.clone();
        sorted.sort_by(f64::total_cmp);
        let median = sorted[sorted.len() / 2];
        if median < 0.93 * self.capacity_share {
            self.capacity_share += 0.5 * (median - self.capacity_share);
        } else if median > self.capacity_share {
            self.capacity_share += 0.05 * (median - self.capacity_share);
        }
        self.capacity_share = self.capacity_share.clamp(CAPACITY_FLOOR, 1.0);
    }

    /// Whether to pause, to go on, or just to slow down.
    fn judge(
        &mut self,
        sample: &LoadSample,
        now: DateTime<Utc>,
        actions: &mut Vec<Action>,
        reasons: &mut Vec<Reason>,
    ) {
        let bad = sample.error_rate > PAUSE_ERRORS || sample.queue_seconds > PAUSE_QUEUE_SECONDS;
        self.bad_reports = if bad { self.bad_reports + 1 } else { 0 };
        if bad {
            self.failing_since.get_or_insert(sample.as_of - PERIOD);
        } else if self.mode != Mode::Paused {
            self.failing_since = None;
        }
        let calm = sample.error_rate < RESUME_ERRORS
            && sample.queue_seconds < RESUME_QUEUE_SECONDS
            && sample.utilisation < RESUME_UTILISATION;
        if !calm {
            self.calm_since = None;
        }
        let calm_for = now - *self.calm_since.get_or_insert(now);
        self.say_trouble(sample, reasons);
        if self.mode == Mode::Paused {
            if calm && calm_for >= RESUME_AFTER {
                self.mode = Mode::Recovering;
                self.trim = RESUME_TRIM;
                actions.push(Action::Resume);
            } else if calm {
                reasons.push(Reason::Calming {
                    seconds: (RESUME_AFTER - calm_for).num_seconds(),
                });
            }
        } else if self.bad_reports >= PAUSE_REPORTS {
            self.mode = Mode::Paused;
            self.calmed = 0;
            self.restaggered_at = None;
            actions.push(Action::Pause);
        } else if self.trim > 0.95 && self.capacity_share > 0.9 {
            self.mode = Mode::Steady;
        } else if self.mode == Mode::Steady {
            self.mode = Mode::Slowed;
        }
    }

    fn say_trouble(&self, sample: &LoadSample, reasons: &mut Vec<Reason>) {
        if sample.error_rate > TRIM_ERRORS {
            reasons.push(Reason::Errors {
                rate: sample.error_rate,
            });
        }
        if sample.queue_seconds > TRIM_QUEUE_SECONDS {
            reasons.push(Reason::Queue {
                seconds: sample.queue_seconds,
            });
        }
        if self.utilisation > TRIM_UTILISATION {
            reasons.push(Reason::Busy {
                utilisation: self.utilisation,
            });
        }
        if self.capacity_share < 0.9 {
            reasons.push(Reason::Capacity {
                share: self.capacity_share,
            });
        }
        if self.trim < 0.95 {
            reasons.push(Reason::Trim { factor: self.trim });
        }
    }

    fn wants_other_windows(&mut self, params: &Params, rate: &Rate, tick: &Tick) -> Option<Action> {
        let due = |last: Option<DateTime<Utc>>, every| last.is_none_or(|at| tick.now - at >= every);
        // What the system can do for the moment is no matter of plans that reach over hours, and who has not come yet may
        // come later; trouble has its own orders.
        let heed = rate.heed / self.bias.min(1.0);
        let starts = (rate.share * params.nominal_capacity - rate.untold).max(0.0) / heed;
        let too_many = || {
            let (from, to) = (tick.now + RESTAGGER_FROM, tick.now + RESTAGGER_TO);
            let coming = tick.expected.expected_between(from, to, &self.speed);
            coming.iter().any(|expected| self.bias * expected > rate.capacity)
        };
        let action = if due(self.restaggered_at, RESTAGGER_EVERY) && (self.mode == Mode::Paused || too_many())
        {
            self.restaggered_at = Some(tick.now);
            Some(Action::Restagger)
        } else if due(self.replanned_at, REPLAN_EVERY) && self.wants_a_new_plan(starts, tick.now) {
            Some(Action::Replan)
        } else {
            None
        };
        if action.is_some() {
            self.replanned_at = Some(tick.now);
            self.placed_at_starts = Some(rate.starts(params, self));
        }
        action
    }

    /// Whether the windows that nobody knows yet are to be placed anew: in trouble, and where the quota has changed.
    fn wants_a_new_plan(&mut self, starts: f64, now: DateTime<Utc>) -> bool {
        let placed = *self.placed_at_starts.get_or_insert(starts);
        let settled = self.replanned_at.is_none_or(|at| now - at >= MORE_EVERY);
        self.mode != Mode::Steady || starts < QUOTA_LESS * placed || (settled && starts > QUOTA_MORE * placed)
    }
}

#[cfg(test)]
mod tests;
