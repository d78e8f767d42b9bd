//! The pace at which a round's notices go to the outbox, and the gate that keeps it. Pure: both run in the rehearsal.

use chrono::{DateTime, TimeDelta, Utc};

/// Units that are already late are told within so many minutes.
const LATE_MINUTES: f64 = 10.0;

/// A deadline nearer than this asks for no higher pace: nothing is gained by a burst.
const NEAREST_DEADLINE_MINUTES: f64 = 1.0;

/// The slowest pace, recipients a minute.
const PACE_MIN: f64 = 1.0;

/// A wait that is longer than this is no wait but a stop; also keeps times within what can be told.
const WAIT_MINUTES_MAX: f64 = 365.0 * 24.0 * 60.0;

/// How fast a round's units must be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Recipients a minute.
    pub per_minute: f64,
    /// Units that can no longer be told before their deadline.
    pub late: usize,
}

/// The smallest constant pace at which every unit is told by its deadline (its window's start less the lead).
///
/// `units` are those still to be told, with their recipients, the earliest deadline first; they are released in that
/// order from `notice_from` on, or from now if that is past. Late units therefore go first, at the pace of all.
pub fn pace(units: &[(DateTime<Utc>, u32)], notice_from: DateTime<Utc>, now: DateTime<Utc>) -> Pace {
    let start = now.max(notice_from);
    let mut pace = Pace {
        per_minute: PACE_MIN,
        late: 0,
    };
    let mut recipients = 0.0;
    for &(deadline, count) in units {
        recipients += f64::from(count);
        let minutes = if deadline <= start {
            pace.late += 1;
            LATE_MINUTES
        } else {
            minutes_between(start, deadline).max(NEAREST_DEADLINE_MINUTES)
        };
        pace.per_minute = pace.per_minute.max(recipients / minutes);
    }
    pace
}

/// Lets units through at a pace. Stored with the round, so that a restart goes on where it was.
///
/// A virtual queue (GCRA): each unit takes the time that its recipients take at the pace, and is let through while the
/// queue reaches no further ahead than the burst. So in any stretch of time no more recipients pass than
/// pace · time + burst + one unit, however long nothing passed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseGate {
    /// When all that has passed would have passed at the pace without a burst.
    pub next_at: DateTime<Utc>,
}

impl ReleaseGate {
    /// A gate that nothing has passed yet.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { next_at: now }
    }

    /// Lets a unit through, or says until when it must wait. At a pace of 0 it asks to be asked again in a minute.
    pub fn admit(
        self,
        now: DateTime<Utc>,
        recipients: u32,
        per_minute: f64,
        burst: u32,
    ) -> Result<Self, DateTime<Utc>> {
        if per_minute.is_nan() || per_minute <= 0.0 {
            return Err(now + TimeDelta::minutes(1));
        }
        let opens_at = self.next_at - time_for(burst, per_minute);
        if opens_at > now {
            return Err(opens_at);
        }
        Ok(Self {
            next_at: self.next_at.max(now) + time_for(recipients, per_minute),
        })
    }
}

fn minutes_between(start: DateTime<Utc>, end: DateTime<Utc>) -> f64 {
    (end - start).as_seconds_f64() / 60.0
}

/// How long so many recipients take at the pace.
fn time_for(recipients: u32, per_minute: f64) -> TimeDelta {
    let minutes = (f64::from(recipients) / per_minute).min(WAIT_MINUTES_MAX);
    // Microseconds: at the pace of a whole country a unit still takes some hundred of them.
    TimeDelta::microseconds((minutes * 60e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn at(minute: f64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::microseconds((minute * 60e6) as i64)
    }

    /// Units as `<deadline>:<recipients>`; all times in minutes.
    fn paced(units: &str, notice_from: f64, now: f64) -> String {
        let unit = |text: &str| {
            let (deadline, recipients) = text.split_once(':').expect("deadline:recipients");
            (
                at(deadline.parse().expect("minutes")),
                recipients.parse().expect("recipients"),
            )
        };
        let units: Vec<_> = units.split_whitespace().map(unit).collect();
        let Pace { per_minute, late } = pace(&units, at(notice_from), at(now));
        format!("{per_minute} a minute, {late} late")
    }

    #[test]
    fn the_pace_is_the_smallest_that_meets_every_deadline() {
        assert_eq!(paced("", 0.0, 0.0), "1 a minute, 0 late");
        assert_eq!(paced("10:50", 0.0, 0.0), "5 a minute, 0 late");
        assert_eq!(
            paced("10:90 60:30", 0.0, 0.0),
            "9 a minute, 0 late",
            "the first decides"
        );
        assert_eq!(
            paced("10:10 20:50", 0.0, 0.0),
            "3 a minute, 0 late",
            "the last decides"
        );
        assert_eq!(
            paced("10:50", 5.0, 0.0),
            "10 a minute, 0 late",
            "not before its time"
        );
        assert_eq!(
            paced("10:50", 0.0, 8.0),
            "25 a minute, 0 late",
            "what is past is lost"
        );
        assert_eq!(
            paced("1000:5", 0.0, 0.0),
            "1 a minute, 0 late",
            "never slower than this"
        );
        assert_eq!(
            paced("0.01:60", 0.0, 0.0),
            "60 a minute, 0 late",
            "no burst for the last second"
        );
    }

    #[test]
    fn late_units_go_first_and_soon() {
        assert_eq!(
            paced("1:50 2:50", 0.0, 3.0),
            "10 a minute, 2 late",
            "within ten minutes"
        );
        assert_eq!(
            paced("1:50 7:50", 0.0, 3.0),
            "25 a minute, 1 late",
            "the next deadline is met as well"
        );
    }

    #[test]
    fn the_gate_keeps_the_pace() {
        let gate = ReleaseGate::new(at(0.0));
        let gate = gate.admit(at(0.0), 60, 30.0, 0).expect("nothing passed before");
        assert_eq!(gate.next_at, at(2.0));
        assert_eq!(
            gate.admit(at(1.0), 1, 30.0, 0),
            Err(at(2.0)),
            "the next waits for its turn"
        );
        let gate = gate
            .admit(at(1.0), 30, 30.0, 30)
            .expect("a burst of 30 is one minute's pace");
        assert_eq!(gate.next_at, at(3.0));
    }

    #[test]
    fn an_outage_earns_no_burst() {
        let gate = ReleaseGate::new(at(0.0))
            .admit(at(500.0), 60, 30.0, 0)
            .expect("the gate is idle");
        assert_eq!(gate.admit(at(500.0), 1, 30.0, 0), Err(at(502.0)));
    }

    #[test]
    fn a_pace_of_nothing_stops_the_gate_and_no_number_breaks_it() {
        let gate = ReleaseGate::new(at(0.0));
        for stopped in [0.0, -1.0, f64::NAN] {
            assert_eq!(gate.admit(at(0.0), 1, stopped, 5), Err(at(1.0)));
        }
        for odd in [f64::MIN_POSITIVE, f64::INFINITY] {
            assert!(gate.admit(at(0.0), u32::MAX, odd, u32::MAX).is_ok());
        }
    }

    proptest! {
        /// Asks at random moments and counts what passes in every stretch of time.
        #[test]
        fn never_more_than_the_pace_the_burst_and_one_unit(
            asks in vec((0.0_f64..3.0, 1_u32..200), 1..80),
            per_minute in 1.0_f64..500.0,
            burst in 0_u32..300,
        ) {
            let mut gate = ReleaseGate::new(at(0.0));
            let (mut minute, mut passed) = (0.0, Vec::new());
            for (wait, recipients) in asks {
                minute += wait;
                if let Ok(next) = gate.admit(at(minute), recipients, per_minute, burst) {
                    gate = next;
                    passed.push((minute, f64::from(recipients)));
                }
            }
            for first in 0..passed.len() {
                let mut sum = 0.0;
                for &(minute, recipients) in &passed[first..] {
                    sum += recipients;
                    let allowed = per_minute * (minute - passed[first].0) + f64::from(burst) + recipients;
                    prop_assert!(sum <= allowed + 0.01, "{sum} passed where {allowed} may");
                }
            }
        }

        /// At the pace, with the gate asked whenever it says, every unit passes by its deadline.
        #[test]
        fn the_pace_meets_the_deadlines(units in vec((2.0_f64..600.0, 1_u32..200), 1..60)) {
            let mut units: Vec<_> = units.into_iter().map(|(deadline, count)| (at(deadline), count)).collect();
            units.sort_unstable();
            let pace = pace(&units, at(0.0), at(0.0));
            let (mut gate, mut now) = (ReleaseGate::new(at(0.0)), at(0.0));
            for (deadline, count) in units {
                if let Err(until) = gate.admit(now, count, pace.per_minute, 0) {
                    now = until;
                }
                gate = gate.admit(now, count, pace.per_minute, 0).expect("its time has come");
                prop_assert!(now <= deadline);
            }
        }
    }
}
