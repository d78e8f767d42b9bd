//! The pace at which a round's notices go to the outbox, and the gate that keeps it. Pure: both run in the rehearsal.

//!
//! Two gates stand in a row. Each round has its own, at the pace that its plan asks for. The city has one for all of
//! them, at the rate that the law allows at the moment; it steers releases, so that what waits in the outbox is little.

use chrono::{DateTime, TimeDelta, Utc};

/// Units that are already late are told within so many minutes.
const LATE_MINUTES: f64 = 10.0;

/// A deadline nearer than this asks for no higher pace: nothing is gained by a burst.
const NEAREST_DEADLINE_MINUTES: f64 = 1.0;

const MILLISECONDS_MAX: f64 = WAIT_MINUTES_MAX * 60e3;

/// The fastest pace that is looked for, recipients a minute: a country in a minute.
const PACE_MAX: f64 = 1e9;

/// The slowest pace, recipients a minute.
const PACE_MIN: f64 = 1.0;

/// A round's pace may be ahead of itself by this much: what one step takes.
const ROUND_BURST_SECONDS: f64 = 30.0;

/// The city's rate may be ahead of itself by what passes until the law decides anew.
pub const CITY_BURST_SECONDS: f64 = 5.0;

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

/// The smallest constant pace at which every unit is told by its deadline when none may be told earlier than `ahead`
/// before its window, which is `lead` after the deadline. Like [`pace`] otherwise.
pub fn pace_ahead(
    units: &[(DateTime<Utc>, u32)],
    notice_from: DateTime<Utc>,
    now: DateTime<Utc>,
    lead: TimeDelta,
    ahead: TimeDelta,
) -> Pace {
    let free = pace(units, notice_from, now);
    let start = now.max(notice_from);
    let in_time = |per_minute: f64| {
        let mut last = start;
        units.iter().all(|&(deadline, count)| {
            let late = deadline <= start;
            let deadline =
                deadline.max(start + TimeDelta::minutes(if late { LATE_MINUTES as i64 } else { 1 }));
            last = last.max(deadline + lead - ahead) + time_for(count, per_minute);
            last <= deadline || late
        })
    };
    let (mut low, mut high) = (free.per_minute, free.per_minute);
    while !in_time(high) && high < PACE_MAX {
        (low, high) = (high, high * 2.0);
    }
    // The pace to a hundredth; a headroom of a tenth comes on top.
    while high > low * 1.01 {
        let middle = f64::midpoint(low, high);
        if in_time(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Pace {
        per_minute: high,
        late: free.late,
    }
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

/// How fast the city as a whole may be told at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CityPace {
    /// Nothing is known of the registration system and nothing is to be kept to: each round goes at its own pace.
    Unsteered,
    /// Recipients a second.
    PerSecond(f64),
    /// Nothing may be released.
    Stopped,
}

impl CityPace {
    /// The pace of a decision: a rate of nothing is a stop.
    pub fn from_rate(per_second: f64) -> Self {
        if per_second.is_finite() && per_second > 0.0 {
            Self::PerSecond(per_second)
        } else {
            Self::Stopped
        }
    }

    /// Nothing may be released.
    pub fn is_stopped(self) -> bool {
        self == Self::Stopped
    }
}

/// The one gate for all rounds together. Stored, so that a restart goes on where it was.
///
/// Like [`ReleaseGate`], but kept as recipients and not as an instant: the law changes its rate every few seconds, and
/// what passed at a low rate must not shut the gate for as long at a high one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CityGate {
    /// Recipients let through that the rate has not caught up with yet, at `at`.
    pub level: f64,
    /// When that was so.
    pub at: DateTime<Utc>,
    /// How fast it lets through.
    pub pace: CityPace,
}

impl CityGate {
    /// A gate that nothing has passed yet.
    pub fn new(now: DateTime<Utc>, pace: CityPace) -> Self {
        Self {
            level: 0.0,
            at: now,
            pace,
        }
    }

    /// Lets recipients through, or says until when they must wait. In any stretch of time no more pass than
    /// rate · time + [`CITY_BURST_SECONDS`] of the rate + one unit.
    pub fn admit(&mut self, now: DateTime<Utc>, recipients: u32) -> Result<(), DateTime<Utc>> {
        match self.pace {
            CityPace::Unsteered => Ok(()),
            CityPace::Stopped => Err(now + TimeDelta::seconds(1)),
            CityPace::PerSecond(rate) => {
                let passed = (now - self.at).as_seconds_f64().max(0.0) * rate;
                let level = (self.level - passed).max(0.0);
                let too_much = level - rate * CITY_BURST_SECONDS;
                if too_much > 0.0 {
                    let wait = (too_much / rate * 1e3).ceil().min(MILLISECONDS_MAX);
                    return Err(now + TimeDelta::milliseconds(wait as i64));
                }
                (self.level, self.at) = (level + f64::from(recipients), self.at.max(now));
                Ok(())
            }
        }
    }
}

/// A round's own gate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundGate {
    /// Where its virtual queue stands.
    pub gate: ReleaseGate,
    /// Recipients a minute.
    pub per_minute: f64,
    /// A unit is told no earlier than so long before its window; none: as early as the pace brings it.
    pub ahead: Option<TimeDelta>,
    /// Its notices bring nobody online by themselves (the first of two steps), so only a stop of the city concerns
    /// them.
    pub passes_city: bool,
    /// Units let through by [`next`]: so many from the front of what waits in this round.
    pub admitted: usize,
    /// Whatever comes next of this round must wait.
    pub closed: bool,
}

impl RoundGate {
    /// A round's gate before it is asked.
    pub fn new(gate: ReleaseGate, per_minute: f64, ahead: Option<TimeDelta>) -> Self {
        Self {
            gate,
            per_minute,
            ahead,
            passes_city: false,
            admitted: 0,
            closed: false,
        }
    }

    fn admit(&self, now: DateTime<Utc>, unit: &Waiting) -> Option<ReleaseGate> {
        if self.ahead.is_some_and(|ahead| unit.starts_at - ahead > now) {
            return None;
        }
        let burst = (self.per_minute * ROUND_BURST_SECONDS / 60.0).ceil() as u32;
        self.gate.admit(now, unit.recipients, self.per_minute, burst).ok()
    }
}

/// A unit that waits to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which of the given rounds it belongs to, by index.
    pub round: usize,
    /// When its window starts.
    pub starts_at: DateTime<Utc>,
    /// Contacts that its notice will reach.
    pub recipients: u32,
}

/// Decides which units are told now. `units` wait in the order of their windows' starts, those of all rounds
/// together, so that no round keeps another from telling more urgent ones. Each is let through if its round's gate
/// and then the city's gate let it; the gates move on. A round never overtakes within itself: once a unit of it must
/// wait, the rest of it does. Gives how many units were let through in all; [`RoundGate::admitted`] says how many
/// from the front of each round.
pub fn next(
    units: impl IntoIterator<Item = Waiting>,
    rounds: &mut [RoundGate],
    city: &mut CityGate,
    now: DateTime<Utc>,
) -> usize {
    let mut admitted = 0;
    for unit in units {
        if city.pace.is_stopped() || rounds.iter().all(|round| round.closed) {
            break;
        }
        let Some(round) = rounds.get_mut(unit.round).filter(|round| !round.closed) else {
            continue;
        };
        let Some(gate) = round.admit(now, &unit) else {
            round.closed = true;
            continue;
        };
        if !round.passes_city && city.admit(now, unit.recipients).is_err() {
            // Later ones of rounds that the city's gate does not concern may still go.
            rounds
                .iter_mut()
                .filter(|round| !round.passes_city)
                .for_each(|round| round.closed = true);
            continue;
        }
        round.gate = gate;
        round.admitted += 1;
        admitted += 1;
    }
    admitted
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

    fn unit(round: usize, start: f64, recipients: u32) -> Waiting {
        Waiting {
            round,
            starts_at: at(start),
            recipients,
        }
    }

    fn city(pace: CityPace) -> CityGate {
        CityGate::new(at(0.0), pace)
    }

    fn fast(ahead: Option<TimeDelta>) -> RoundGate {
        RoundGate::new(ReleaseGate::new(at(0.0)), 1e6, ahead)
    }

    #[test]
    fn nothing_is_released_while_the_city_is_stopped() {
        let mut rounds = [fast(None)];
        for rate in [0.0, -1.0, f64::NAN] {
            let pace = CityPace::from_rate(rate);
            assert_eq!(next([unit(0, 60.0, 1)], &mut rounds, &mut city(pace), at(0.0)), 0);
        }
        let unsteered = next(
            [unit(0, 60.0, 1)],
            &mut rounds,
            &mut city(CityPace::Unsteered),
            at(0.0),
        );
        assert_eq!(unsteered, 1);
    }

    #[test]
    fn the_more_urgent_of_two_rounds_goes_first_through_the_citys_gate() {
        let mut rounds = [fast(None), fast(None)];
        let mut city = city(CityPace::PerSecond(10.0));
        let units = [unit(1, 30.0, 40), unit(0, 60.0, 40), unit(1, 61.0, 40)];
        // Five seconds' worth may be ahead: the second finds 40 of 50 taken and still passes.
        assert_eq!(next(units, &mut rounds, &mut city, at(0.0)), 2);
        assert_eq!((rounds[0].admitted, rounds[1].admitted), (1, 1));
        assert_eq!(
            city.admit(at(0.0), 1),
            Err(at(0.05)),
            "80 less 50, at 10 a second"
        );
    }

    #[test]
    fn what_passed_at_a_low_rate_does_not_shut_the_gate_at_a_high_one() {
        let mut city = city(CityPace::PerSecond(1.0));
        city.admit(at(0.0), 600).expect("it was open");
        let until = city.admit(at(1.0), 1).expect_err("ten minutes' worth");
        assert!(until > at(9.0));
        city.pace = CityPace::PerSecond(500.0);
        assert_eq!(city.admit(at(1.0), 1), Ok(()));
    }

    #[test]
    fn a_round_at_its_own_pace_does_not_hold_up_another() {
        let mut rounds = [RoundGate::new(ReleaseGate::new(at(5.0)), 10.0, None), fast(None)];
        let units = [
            unit(0, 30.0, 4),
            unit(1, 60.0, 4),
            unit(0, 60.0, 4),
            unit(1, 90.0, 4),
        ];
        let admitted = next(units, &mut rounds, &mut city(CityPace::PerSecond(100.0)), at(0.0));
        assert_eq!((admitted, rounds[0].admitted, rounds[1].admitted), (2, 0, 2));
    }

    #[test]
    fn no_unit_is_told_further_ahead_than_allowed() {
        let mut rounds = [fast(Some(TimeDelta::minutes(45)))];
        let units = [unit(0, 30.0, 1), unit(0, 45.0, 1), unit(0, 46.0, 1)];
        let admitted = next(units, &mut rounds, &mut city(CityPace::Unsteered), at(0.0));
        assert_eq!(admitted, 2);
    }

    #[test]
    fn a_first_of_two_steps_waits_for_a_stop_alone() {
        let mut rounds = [fast(None), fast(None)];
        rounds[1].passes_city = true;
        let units = [
            unit(0, 30.0, 9),
            unit(0, 31.0, 9),
            unit(1, 32.0, 9),
            unit(1, 33.0, 9),
        ];
        let mut slow = city(CityPace::PerSecond(1.0));
        assert_eq!(next(units, &mut rounds, &mut slow, at(0.0)), 3);
        assert_eq!((rounds[0].admitted, rounds[1].admitted), (1, 2));
        let mut rounds = [rounds[0], fast(None)];
        rounds[1].passes_city = true;
        assert_eq!(next(units, &mut rounds, &mut city(CityPace::Stopped), at(0.0)), 0);
    }

    #[test]
    fn with_a_limit_ahead_the_pace_is_what_the_fullest_stretch_asks_for() {
        let units = [(at(60.0), 50), (at(120.0), 50), (at(121.0), 50)];
        let (lead, ahead) = (TimeDelta::minutes(30), TimeDelta::minutes(40));
        let pace = pace_ahead(&units, at(0.0), at(0.0), lead, ahead);
        // From ten minutes before the deadline on: the last two take eleven minutes.
        assert!(
            (100.0 / 11.0..100.0 / 10.8).contains(&pace.per_minute),
            "{pace:?}"
        );
        let wide = pace_ahead(&units, at(0.0), at(0.0), lead, TimeDelta::hours(9));
        assert!(wide.per_minute < 1.3, "{wide:?}");
    }

    proptest! {
        /// Two rounds and changing rates: the city's gate never lets more through than the highest rate allows.
        #[test]
        fn the_city_is_never_told_faster_than_its_rate(
            steps in vec((0.0_f64..0.2, 1_u32..60, 0_usize..2), 1..120),
            rate in 1.0_f64..50.0,
        ) {
            let mut gates = [fast(None), fast(None)];
            let mut city = city(CityPace::PerSecond(rate));
            let (mut minute, mut passed) = (0.0, Vec::new());
            for (wait, recipients, round) in steps {
                minute += wait;
                for gate in &mut gates {
                    gate.closed = false;
                }
                if next([unit(round, 1e4, recipients)], &mut gates, &mut city, at(minute)) == 1 {
                    passed.push((minute, f64::from(recipients)));
                }
            }
            for first in 0..passed.len() {
                let mut sum = 0.0;
                for &(minute, recipients) in &passed[first..] {
                    sum += recipients;
                    let burst = rate * CITY_BURST_SECONDS;
                    let allowed = rate * 60.0 * (minute - passed[first].0) + burst + recipients;
                    prop_assert!(sum <= allowed + 0.01, "{sum} passed where {allowed} may");
                }
            }
        }

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
