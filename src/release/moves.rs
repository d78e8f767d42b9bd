//! Where windows go when the law orders them to move. Pure: the service and the rehearsal run the same.

use chrono::{DateTime, Utc};

use crate::{
    pacing::{kernel::Response, law::WindowOrder},
    planner::{self, Announced, GivenWindow, MOVES_MAX, Moved, Restagger, Supply},
};

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
    let (told, untold): (Vec<usize>, Vec<usize>) = (0..windows.len()).partition(|&index| windows[index].told);
    let mut seen: Vec<Announced> = told
        .iter()
        .map(|&index| as_seen(&windows[index], order, ground, now))
        .collect();
    let mut moved = Vec::new();
    if order.told {
        let places = placed(&seen, order, ground, now);
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
    let places = placed(&seen, order, ground, now);
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

/// Where the planner puts each of the windows.
fn placed(windows: &[Announced], order: &WindowOrder, ground: &Ground<'_>, now: DateTime<Utc>) -> Vec<Moved> {
    let mut supply = ground.supply.clone();
    // The quota says how many may start.
    supply.starts_cap = None;
    let restaggered = planner::restagger(&Restagger {
        windows,
        supply: &supply,
        given: ground.given,
        from: (ground.minutes.minute)(now),
        quota: &[],
        quota_after: order.starts_per_second * 60.0,
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
