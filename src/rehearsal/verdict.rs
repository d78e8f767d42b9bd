//! Whether a rehearsed plan holds, in words.

use serde::Serialize;

use super::{Outcome, Scenario};

/// What is told of a rehearsal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// It may be released as it is.
    pub passed: bool,
    /// Sentences, the weightiest first.
    pub says: Vec<String>,
}

/// Fresh demand may exceed the set point by so much, as a share.
const PEAK_MAX: f64 = 1.03;
/// Below this share of the set point the registration system holds nobody up.
const CLOSE_TO_SET_POINT: f64 = 0.5;
/// Of the recipients, so many may miss registering online when something goes wrong.
const MISSED_MAX: f64 = 0.005;
/// Overload that a disturbance may leave behind, in seconds.
const OVERLOAD_MAX: u32 = 900;
/// Seconds within which the system must be well again.
const RECOVERY_MAX: i64 = 120;

impl Verdict {
    /// Judges an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let disturbed = outcome.scenario.disturbed_until().is_some();
        let mut faults = Vec::new();
        let mut goods = Vec::new();
        let mut judge = |good: bool, says: String| if good { goods.push(says) } else { faults.push(says) };
        let allowed = if disturbed { OVERLOAD_MAX } else { 0 };
        judge(
            outcome.overload_seconds <= allowed,
            match outcome.overload_seconds {
                0 => "the registration system is never asked for more than it can do".into(),
                seconds => {
                    format!("the registration system is asked for more than it can do for {seconds} s")
                }
            },
        );
        let own_peak = outcome.scenario != Scenario::Rumour;
        judge(
            !own_peak || outcome.peak_over_set_point <= PEAK_MAX,
            format!(
                "the busiest minute is at {:.0} % of the set point",
                outcome.peak_over_set_point * 100.0
            ),
        );
        judge(
            outcome.missed_online_share <= MISSED_MAX,
            format!(
                "{:.2} % of the recipients miss registering online",
                outcome.missed_online_share * 100.0
            ),
        );
        if let Some(after) = outcome.safe_rate_after_seconds {
            judge(
                after <= 25,
                format!("{after} s after the feed fell silent the rate is safe"),
            );
        }
        if disturbed {
            judge(
                outcome
                    .recovery_seconds
                    .is_some_and(|seconds| seconds <= RECOVERY_MAX),
                match outcome.recovery_seconds {
                    Some(0) => "the system is well again before the disturbance is over".into(),
                    Some(seconds) => format!("the system is well again {seconds} s after the disturbance"),
                    None => "the system does not recover".into(),
                },
            );
        }
        match outcome.done_99_over_oracle {
            // Where the windows ask for far less than the system can do, the least possible time compares nothing.
            Some(_) if outcome.peak_over_set_point < CLOSE_TO_SET_POINT => {
                goods.push(
                    "99 of 100 are through; the windows set the time, not the registration system".into(),
                );
            }
            Some(ratio) => goods.push(format!(
                "99 of 100 are through in {ratio:.2} times the least possible time"
            )),
            None => faults.push("99 of 100 are never through".into()),
        }
        let passed = faults.is_empty();
        faults.extend(goods);
        Self { passed, says: faults }
    }
}
