//! A city, a day and a seed into a load curve, before the real day.
//!
//! The planner, the law and the release decisions are the production ones, in virtual time; the people and the
//! registration system are the models that `weir registration-sim` runs as well. The same seed gives the same bytes.

pub mod city;
mod crowd;
mod day;
mod measure;
mod others;
pub mod picture;
mod scenario;
mod verdict;

pub use city::Scene;
pub use measure::Minute;
pub use scenario::{Reading, Readings, Scenario, Without};
pub use verdict::Verdict;

use serde::Serialize;

use crate::pacing::law::Params;
use day::{DaySeen, Setting};

/// Sessions a second that the reference model's registration system completes for each of its recipients.
pub const CAPACITY_PER_RECIPIENT: f64 = 500.0 / 8_000_000.0;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The windows.
    pub scene: Scene,
    /// What goes wrong.
    pub scenario: Scenario,
    /// What the law is set to.
    pub params: Params,
    /// Corrections a second that the channels carry; none: as many as there are.
    pub corrections_per_second: Option<f64>,
    /// Everything by chance comes from it.
    pub seed: u64,
    /// What is left out, to see what it is for.
    pub without: Option<Without>,
    /// How the reference model is read.
    pub readings: Readings,
}

/// What a rehearsal came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// What went wrong.
    pub scenario: Scenario,
    /// Everything by chance came from it.
    pub seed: u64,
    /// How the reference model was read.
    pub readings: Readings,
    /// Contacts of the round.
    pub recipients: u64,
    /// Sessions a second that the registration system completes when all is well.
    pub nominal_capacity: f64,
    /// Share of it that the law keeps the load at.
    pub set_point: f64,
    /// The most sessions begun for the first time, in the mean of 60 s, as a share of the set point.
    pub peak_over_set_point: f64,
    /// Seconds in which more was offered, in the mean of 10 s, than the system could do.
    pub overload_seconds: u32,
    /// How long 99 of 100 took, as a share of what an oracle takes; none: it never came to that.
    pub done_99_over_oracle: Option<f64>,
    /// Share of those who come that never got through, or only 30 minutes after their first try.
    pub missed_online_share: f64,
    /// Seconds from the end of the disturbance until errors stayed below one in a hundred; none: never.
    pub recovery_seconds: Option<i64>,
    /// Seconds from the feed's silence until the rate was safe, where it fell silent.
    pub safe_rate_after_seconds: Option<i64>,
    /// Windows that moved.
    pub moved_windows: u64,
    /// Of these, the ones that had been told.
    pub corrected_windows: u64,
    /// Each change of mode: minutes after the first window, and its name.
    pub modes: Vec<(f64, &'static str)>,
    /// Whether it passed, in words.
    pub verdict: Verdict,
    /// By minute.
    pub curve: Vec<Minute>,
}

/// Plays a rehearsal through.
pub fn rehearse(rehearsal: Rehearsal) -> Outcome {
    let recipients = rehearsal
        .scene
        .windows
        .iter()
        .map(|window| u64::from(window.recipients))
        .sum();
    let setting = Setting {
        scenario: rehearsal.scenario,
        params: rehearsal.params,
        corrections_per_second: rehearsal.corrections_per_second,
        seed: rehearsal.seed,
        at_once: rehearsal.scenario == Scenario::Chengdu2022,
        without: rehearsal.without,
        readings: rehearsal.readings,
    };
    let seen = day::play(rehearsal.scene, &setting);
    outcome(&setting, recipients, seen)
}

/// The same city with everybody told at once: the curve that stands behind the picture.
pub fn at_once(rehearsal: Rehearsal) -> Vec<Minute> {
    let setting = Setting {
        scenario: Scenario::Chengdu2022,
        params: rehearsal.params,
        corrections_per_second: None,
        seed: rehearsal.seed,
        at_once: true,
        without: None,
        readings: rehearsal.readings,
    };
    day::play(rehearsal.scene, &setting).measure.curve
}

fn outcome(setting: &Setting, recipients: u64, seen: DaySeen) -> Outcome {
    let params = &setting.params;
    let ends = 24 * 3600 - 60;
    let recovery = setting.scenario.disturbed_until().and_then(|until| {
        let last = seen.last_errors.unwrap_or(until);
        (last < ends).then_some((last - until).max(0))
    });
    let ratio = seen
        .done_99
        .zip(seen.oracle_99)
        .map(|(done, oracle)| done as f64 / oracle.max(1) as f64);
    let mut outcome = Outcome {
        scenario: setting.scenario,
        seed: setting.seed,
        readings: setting.readings,
        recipients,
        nominal_capacity: params.nominal_capacity,
        set_point: params.set_point,
        peak_over_set_point: seen.measure.peak / (params.set_point * params.nominal_capacity),
        overload_seconds: seen.measure.overload_seconds,
        done_99_over_oracle: ratio,
        missed_online_share: seen.missed as f64 / recipients.max(1) as f64,
        recovery_seconds: recovery,
        safe_rate_after_seconds: seen.safe_after,
        moved_windows: seen.moved.0,
        corrected_windows: seen.moved.1,
        modes: seen
            .modes
            .iter()
            .map(|(since, mode)| (*since as f64 / 60.0, mode.as_str()))
            .collect(),
        verdict: Verdict::default(),
        curve: trimmed(seen.measure.curve),
    };
    outcome.verdict = Verdict::of(&outcome);
    outcome
}

/// The curve without the hours after everybody is through.
fn trimmed(mut curve: Vec<Minute>) -> Vec<Minute> {
    let busy = |minute: &Minute| minute.told > 0.0 || minute.registered > 0.15 * minute.capacity;
    let last = curve.iter().rposition(busy).unwrap_or(0);
    curve.truncate(last + 31);
    curve
}

#[cfg(test)]
mod tests;
