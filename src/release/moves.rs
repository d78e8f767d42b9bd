//! Where windows go when the law orders them to move. Pure: the service and the rehearsal run the same.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    pacing::{kernel::Response, law::WindowOrder},
    planner::{self, Announced, GivenWindow, MOVES_MAX, Moved, Restagger, Supply},
};

/// A window that nobody has been told of so shortly before it starts comes too late.
const LEAD_MIN: TimeDelta = TimeDelta::minutes(10);

/// Of told people who could still follow a change, those who do not heed it or read too late.
const STAY_BEHIND: f64 = 0.325;

/// Between instants and minutes counted from the round's first midnight.
pub struct Minutes<'a> {
    /// The instant of a minute.
    pub instant: &'a dyn Fn(u32) -> DateTime<Utc>,
    /// The first whole minute that is not before an instant.
    pub minute: &'a dyn Fn(DateTime<Utc>) -> u32,
}

/// What moving needs to know beside the windows.
pub struct Ground<'a> {
    /// Sites, hours and caps.
    pub supply: &'a Supply,
    /// Windows of other live rounds.
    pub given: &'a [GivenWindow],
    /// How people respond to a start: who has come is not counted any more.
    pub response: &'a Response,
    /// The calendar.
    pub minutes: Minutes<'a>,
}

/// Recipients of other live rounds whose windows start, by minute counted from the round's first midnight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// They stay where they are.
    pub staying: BTreeMap<u32, f64>,
    /// The same order will move them after this round.
    pub moving: BTreeMap<u32, f64>,
}

impl Beside {
    /// What is left of a quota of so many starts a minute for a round with these windows, by minute from `from` on;
    /// beyond its end all of it is.
    ///
    /// What stays is taken off. Where there is too little for what may still move, each round has its part: as much of
    /// the quota as it has of the starts.
    pub fn quota(&self, windows: &[Announced], per_minute: f64, from: u32) -> Vec<f64> {
        let last = self.staying.keys().chain(self.moving.keys()).max();
        let Some(last) = last.filter(|&&last| last >= from) else {
            return Vec::new();
        };
        let mut own = vec![0.0; (last - from + 1) as usize];
        for window in windows {
            if let Some(own) = window
                .start
                .checked_sub(from)
                .and_then(|at| own.get_mut(at as usize))
            {
                *own += f64::from(window.recipients);
            }
        }
        let of = |starts: &BTreeMap<u32, f64>, minute: u32| starts.get(&minute).copied().unwrap_or(0.0);
        own.iter()
            .zip(from..)
            .map(|(&own, minute)| {
                let left = (per_minute - of(&self.staying, minute)).max(0.0);
                let others = of(&self.moving, minute);
                let part = if own > 0.0 {
                    left * own / (own + others)
                } else {
                    0.0
                };
                part.max(left - others)
            })
            .collect()
    }
}

/// Of the people of a told window that moves, the share who come at the old time all the same: they have come already,
/// do not heed the change, or read of it too late.
pub fn stay_behind(response: &Response, starts_at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    let coming = response.still_coming((now - starts_at).as_seconds_f64());
    1.0 - coming * (1.0 - STAY_BEHIND)
}

/// The windows that move under an order, by their place in `windows`.
///
/// Those that were told are placed first, since they may only move later and nobody else may take their place; then
/// the others around them, which may come back to where they were planned once there is room again.
pub fn moved(
    windows: &[Announced],
    order: &WindowOrder,
    ground: &Ground<'_>,
    now: DateTime<Utc>,
) -> Vec<Moved> {
    moved_beside(windows, order, ground, &Beside::default(), now)
}

/// The same where other rounds take their part of the quota.
pub fn moved_beside(
    windows: &[Announced],
    order: &WindowOrder,
    ground: &Ground<'_>,
    beside: &Beside,
    now: DateTime<Utc>,
) -> Vec<Moved> {
    let from = (ground.minutes.minute)(now);
    let quota = beside.quota(windows, order.starts_per_second * 60.0, from);
    let (told, untold): (Vec<usize>, Vec<usize>) = (0..windows.len()).partition(|&index| windows[index].told);
    let mut seen: Vec<Announced> = told
        .iter()
        .map(|&index| as_seen(&windows[index], order, ground, now))
        .collect();
    let mut moved = Vec::new();
    if order.told {
        let places = placed(&seen, order, &quota, ground, now);
        for ((seen, place), &index) in seen.iter_mut().zip(places).zip(&told) {
            if seen.moves < MOVES_MAX && place.start != windows[index].start {
                seen.start = place.start;
                moved.push(Moved {
                    index: index as u32,
                    ..place
                });
            }
        }
    }
    for seen in &mut seen {
        // Where those that were told now are, they stay.
        seen.moves = MOVES_MAX;
    }
    seen.extend(
        untold
            .iter()
            .map(|&index| as_seen(&windows[index], order, ground, now)),
    );
    let places = placed(&seen, order, &quota, ground, now);
    for (place, &index) in places[told.len()..].iter().zip(&untold) {
        if place.start != windows[index].start {
            moved.push(Moved {
                index: index as u32,
                ..*place
            });
        }
    }
    moved
}

/// A window at the earliest start that it may have now.
fn as_seen(window: &Announced, order: &WindowOrder, ground: &Ground<'_>, now: DateTime<Utc>) -> Announced {
    let starts_at = (ground.minutes.instant)(window.start);
    let mut seen = *window;
    match order.earliest(starts_at, window.told, now) {
        Some(_) if window.told && window.moves >= MOVES_MAX => {}
        Some(earliest) => seen.start = (ground.minutes.minute)(earliest),
        None => seen.moves = MOVES_MAX,
    }
    if window.told {
        let coming = order.still_coming(ground.response, starts_at, now);
        seen.recipients = (f64::from(window.recipients) * coming).round() as u32;
    }
    seen
}

/// Untold windows that have come too near, because telling fell behind, are placed anew even when all is well: their
/// people would hear of them too late. `first` is the start of the round's first window, `next` that of the next
/// window that nobody has been told of, `lead` how long before its window a notice of the round leaves at least.
pub fn behind(
    first: DateTime<Utc>,
    next: DateTime<Utc>,
    lead: TimeDelta,
    starts_per_second: f64,
    now: DateTime<Utc>,
) -> Option<WindowOrder> {
    (now > first && next < now + lead.min(LEAD_MIN)).then_some(WindowOrder {
        told: false,
        paused: false,
        starts_per_second,
        failing_since: None,
    })
}

/// Where the planner puts each of the windows.
fn placed(
    windows: &[Announced],
    order: &WindowOrder,
    quota: &[f64],
    ground: &Ground<'_>,
    now: DateTime<Utc>,
) -> Vec<Moved> {
    let mut supply = ground.supply.clone();
    // The quota says how many may start.
    supply.starts_cap = None;
    let restaggered = planner::restagger(&Restagger {
        windows,
        supply: &supply,
        given: ground.given,
        from: (ground.minutes.minute)(now),
        quota,
        quota_after: order.starts_per_second * 60.0,
        site: None,
    });
    let mut places: Vec<Moved> = windows
        .iter()
        .map(|window| Moved {
            index: 0,
            unit: window.unit,
            start: window.start,
            minutes: window.minutes,
            over_capacity: false,
        })
        .collect();
    for moved in restaggered.moved {
        places[moved.index as usize] = moved;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BuildingId, UnitId};

    fn window(start: u32, recipients: u32) -> Announced {
        Announced {
            unit: UnitId(i64::from(start)),
            building: BuildingId(0),
            people: recipients,
            recipients,
            site: 0,
            start,
            minutes: 10,
            told: false,
            moves: 0,
        }
    }

    #[test]
    fn what_other_rounds_start_is_taken_off_the_quota() {
        let none = Beside::default();
        assert_eq!(none.quota(&[window(10, 5)], 60.0, 10), Vec::<f64>::new());
        let beside = Beside {
            staying: [(9, 60.0), (10, 20.0), (12, 90.0)].into(),
            moving: BTreeMap::new(),
        };
        assert_eq!(beside.quota(&[window(10, 5)], 60.0, 10), [40.0, 60.0, 0.0]);
    }

    /// Two rounds after one another: together they start no more than the quota in any minute, and where both have too
    /// many, neither is left with nothing.
    #[test]
    fn rounds_that_move_after_one_another_share_the_quota() {
        let (one, other) = (window(10, 90), window(10, 30));
        let first = Beside {
            staying: BTreeMap::new(),
            moving: [(10, 30.0)].into(),
        };
        let first = first.quota(&[one], 60.0, 10);
        assert_eq!(first, [45.0]);
        let second = Beside {
            staying: [(10, first[0])].into(),
            moving: BTreeMap::new(),
        };
        assert_eq!(second.quota(&[other], 60.0, 10), [15.0]);
    }

    #[test]
    fn who_has_come_stays_behind_and_who_is_still_to_come_mostly_moves() {
        let response = Response::default();
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let share = |minutes| stay_behind(&response, now - TimeDelta::minutes(minutes), now);
        assert!((share(-20) - 0.325).abs() < 1e-9);
        assert!(
            share(1) > 0.4 && share(10) > 0.8 && share(31) > 0.999,
            "{}",
            share(1)
        );
    }

    #[test]
    fn a_round_is_behind_once_its_next_window_comes_sooner_than_its_people_could_hear() {
        let at = |minute| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let is_behind = |next, lead| behind(at(0), at(next), TimeDelta::minutes(lead), 1.0, at(30)).is_some();
        assert!(is_behind(39, 30) && !is_behind(40, 30));
        assert!(
            is_behind(34, 5) && !is_behind(35, 5),
            "no sooner than the round's own lead"
        );
        let early = behind(at(60), at(61), TimeDelta::minutes(30), 1.0, at(59));
        assert_eq!(early, None, "before the first window nothing is late");
    }
}
