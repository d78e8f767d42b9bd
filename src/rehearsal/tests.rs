//! Each finding about load and pacing as a rehearsal that fails when its remedy is taken out. Seeded; figures are those
//! of a small city, and a large one is steadier.

use super::{Outcome, Rehearsal, Scenario, Without, city, rehearse};
use crate::pacing::law::Params;

const RECIPIENTS: u32 = 400_000;
const SEED: u64 = 7;

fn rehearsed(scenario: Scenario, without: Option<Without>) -> Outcome {
    let params = Params::for_capacity(f64::from(RECIPIENTS) * super::CAPACITY_PER_RECIPIENT);
    rehearse(Rehearsal {
        scene: city::made(RECIPIENTS, &params, SEED),
        scenario,
        params,
        corrections_per_second: None,
        seed: SEED,
        without,
    })
}

#[test]
fn everybody_at_once_never_recovers_and_with_windows_nothing_happens() {
    let at_once = rehearsed(Scenario::Chengdu2022, None);
    assert!(
        at_once.peak_over_set_point > 20.0,
        "{}",
        at_once.peak_over_set_point
    );
    assert!(at_once.missed_online_share > 0.5 && at_once.done_99_over_oracle.is_none());
    let with = rehearsed(Scenario::Nominal, None);
    assert!(with.peak_over_set_point < 1.12, "{}", with.peak_over_set_point);
    assert!(with.missed_online_share < 0.001, "{}", with.missed_online_share);
}

#[test]
fn when_capacity_falls_announced_windows_must_move() {
    let moved = rehearsed(Scenario::CapacityDrop, None);
    assert!(moved.missed_online_share < 0.01, "{}", moved.missed_online_share);
    assert!(moved.corrected_windows > 0);
    // Pausing the sender is not enough: announced windows are load already on its way.
    let stayed = rehearsed(Scenario::CapacityDrop, Some(Without::Moves));
    assert!(
        stayed.missed_online_share > 3.0 * moved.missed_online_share,
        "{}",
        stayed.missed_online_share
    );
    assert!(
        stayed.overload_seconds > 2 * moved.overload_seconds,
        "{}",
        stayed.overload_seconds
    );
}

#[test]
fn without_feedback_a_capacity_drop_takes_the_system_down_for_the_day() {
    let blind = rehearsed(Scenario::CapacityDrop, Some(Without::Feedback));
    assert!(blind.overload_seconds > 5_000, "{}", blind.overload_seconds);
    assert!(blind.missed_online_share > 0.2, "{}", blind.missed_online_share);
}

#[test]
fn a_rumour_passes() {
    let rumour = rehearsed(Scenario::Rumour, None);
    assert!(
        rumour.missed_online_share < 0.01,
        "{}",
        rumour.missed_online_share
    );
    assert!(
        rumour.recovery_seconds.is_some_and(|seconds| seconds <= 240),
        "{:?}",
        rumour.recovery_seconds
    );
}

#[test]
fn a_silent_feed_brings_a_safe_rate_within_seconds() {
    let silent = rehearsed(Scenario::SilentFeed, None);
    assert!(
        silent
            .safe_rate_after_seconds
            .is_some_and(|seconds| seconds <= 25),
        "{:?}",
        silent.safe_rate_after_seconds
    );
    assert!(silent.modes.iter().any(|(_, mode)| *mode == "blind"));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = || serde_json::to_string(&rehearsed(Scenario::CapacityDrop, None)).expect("serializes");
    assert_eq!(bytes(), bytes());
}
