//! Findings about pacing that one step, or a few, can show; each with its counterpart.

use super::*;
use crate::{
    pacing::kernel::Responses,
    registration::simulator::model::{Offer, ServerModel, Settings},
};

const CAPACITY: f64 = 500.0;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(1) + TimeDelta::seconds(seconds)
}

fn sample(seconds: i64, utilisation: f64) -> LoadSample {
    LoadSample {
        as_of: at(seconds),
        started_per_second: utilisation * CAPACITY,
        completed_per_second: utilisation * CAPACITY,
        capacity_per_second: None,
        utilisation,
        queue_seconds: 0.0,
        p95_ms: None,
        error_rate: 0.0,
    }
}

fn nothing_told() -> Forecast {
    Forecast::new(&Responses::default(), DateTime::UNIX_EPOCH, 4)
}

fn stepped(state: &mut State, expected: &Forecast, seconds: i64, sample: Option<LoadSample>) -> Decision {
    let tick = Tick {
        now: at(seconds),
        sample,
        expected,
        telegram_share: 0.0,
        by_hand: None,
    };
    step(&Params::for_capacity(CAPACITY), state, &tick)
}

/// The longest that anybody waits in a minute of so many sessions a second.
fn longest_wait(per_second: u32) -> f64 {
    let mut server = ServerModel::new(Settings::reference(CAPACITY));
    for second in 0..60 {
        for id in 0..per_second {
            assert_eq!(server.offer(id), Offer::Queued);
        }
        server.advance(f64::from(second) + 1.0, |_, _| {});
    }
    server.take_counts().longest_wait_seconds
}

/// Finding 3: latency hardly rises until utilisation is near 1.
#[test]
fn utilisation_tells_what_latency_does_not() {
    assert!(
        longest_wait(490) < longest_wait(250) + 0.6,
        "98 % is hardly slower than 50 %"
    );
    assert!(longest_wait(550) > 5.0, "and 110 % is far too late");
    let after_two_minutes = |utilisation: f64| {
        let mut state = State::default();
        let steps = (0..24).map(|step| {
            stepped(
                &mut state,
                &nothing_told(),
                step * 5,
                Some(sample(step * 5, utilisation)),
            )
        });
        steps.last().map_or(0.0, |decision| decision.per_second)
    };
    // Queue and errors say that all is well both times; a law that looked at nothing else would not slow down.
    let (free, busy) = (after_two_minutes(0.5), after_two_minutes(0.99));
    assert!(busy < 0.4 * free, "{busy} against {free}");
}

/// Finding 5: capacity measured at low load counts, or the estimate sticks low.
#[test]
fn an_estimate_that_is_low_rises_while_little_is_asked_for() {
    let after_quiet = |queue_seconds: f64| {
        let mut state = State {
            capacity_share: 0.4,
            ..State::default()
        };
        for step in 0..150 {
            let quiet = LoadSample {
                queue_seconds,
                ..sample(step * 5, 0.1)
            };
            stepped(&mut state, &nothing_told(), step * 5, Some(quiet));
        }
        state.capacity_share
    };
    assert!(after_quiet(0.0) > 0.99, "{}", after_quiet(0.0));
    // Where it is not trusted, it stays: few are told, so little is asked for, so nothing is measured.
    assert!(after_quiet(1.5) < 0.41, "{}", after_quiet(1.5));
}

/// Finding 6: the forecast must contain the moved windows, or a second wave follows.
#[test]
fn who_was_moved_to_the_coming_minutes_is_on_the_way() {
    let rate =
        |forecast: &Forecast| stepped(&mut State::default(), forecast, 0, Some(sample(0, 0.5))).per_second;
    let mut forgotten = nothing_told();
    let mut known = nothing_told();
    for minute in 0..10 {
        // More than the system takes come at their start, whatever is told now.
        let moved = 1_200.0 * 60.0;
        let (before, after) = (at(-3600 + minute * 60), at(300 + minute * 60));
        forgotten.add_starts(before, ChannelKind::Sms, moved);
        known.add_starts(before, ChannelKind::Sms, moved);
        known.add_starts(before, ChannelKind::Sms, -moved);
        known.add_starts(after, ChannelKind::Sms, moved);
    }
    for forecast in [&mut forgotten, &mut known] {
        for second in (-1800..0).step_by(5) {
            forecast.add_told(at(second), ChannelKind::Sms, 5.0 * 700.0);
        }
    }
    assert!(rate(&forgotten) > 300.0, "{}", rate(&forgotten));
    assert!(rate(&known) < 0.5 * rate(&forgotten), "{}", rate(&known));
}

/// Finding 7: silence brings a safe rate within seconds, and a lower one as it lasts.
#[test]
fn a_silent_feed_is_followed_at_a_safe_rate() {
    let params = Params::for_capacity(CAPACITY);
    let run = |silent: bool| {
        let mut state = State::default();
        let rates = (0..120).map(|step| {
            let heard = (step < 12 || !silent).then(|| sample(step * 5, 0.6));
            stepped(&mut state, &nothing_told(), step * 5, heard).per_second
        });
        rates.collect::<Vec<f64>>()
    };
    let safe = |share: f64| share * params.set_point * CAPACITY / 0.81;
    let silent = run(true);
    // The last sample came in step 11; 25 s later it is more than 20 s old.
    assert!(silent[16] <= safe(params.safe_share), "{}", silent[16]);
    assert!(silent[119] <= safe(params.safe_share_min), "{}", silent[119]);
    assert!(silent[119] > 0.0);
    let heard = run(false);
    assert!(heard[16] > 1.2 * silent[16] && heard[119] > 1.5 * silent[119]);
}

/// What was stored before a field existed is read as if nothing had been learned of it.
#[test]
fn an_older_state_is_read() {
    let state: State =
        serde_json::from_str(r#"{"mode":"slowed","capacity_share":0.5}"#).expect("an older state");
    assert_eq!(state.mode, Mode::Slowed);
    assert_eq!(state.speed, Speed::default());
    let order: WindowOrder = serde_json::from_str(r#"{"told":true,"paused":false,"starts_per_second":3.0}"#)
        .expect("an older order");
    assert_eq!(order.failing_since, None);
}

#[test]
fn a_small_system_is_kept_further_below_its_capacity() {
    let kept = |capacity| Params::for_capacity(capacity).kept_share(0.1);
    assert!((kept(500.0) - 0.85).abs() < 1e-9);
    assert!(kept(25.0) < 0.75 && kept(1.0) > 0.2);
    assert!(
        Params::for_capacity(500.0).kept_share(0.25) < 0.80,
        "larger waves leave less"
    );
}
