//! Moving windows that are already announced: later only, and no unit too often.

use crate::domain::{BuildingId, UnitId};

use super::{
    Supply,
    capacity::{Capacity, Seeking, Taken},
    place::own_share,
    starts::StartsRoom,
};

/// A unit's announced window may be moved so many times.
pub const MOVES_MAX: u8 = 3;

/// A window as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Whose.
    pub unit: UnitId,
    /// Where they live: its must-not times are kept.
    pub building: BuildingId,
    /// Residents expected.
    pub people: u32,
    /// Contacts that are told: the quota counts these, since they are who opens the registration.
    pub recipients: u32,
    /// By place in [`Supply::sites`].
    pub site: u32,
    /// First minute, counted from the first midnight of the round.
    pub start: u32,
    /// Length.
    pub minutes: u16,
    /// Whether its people have been told: moving it then is a correction, and counted.
    pub told: bool,
    /// How often it has been moved after it was told.
    pub moves: u8,
}

/// What is asked when windows must move.
#[derive(Clone, Copy, Debug)]
pub struct Restagger<'a> {
    /// Every window of the round that is not over yet, in any order.
    pub windows: &'a [Announced],
    /// Sites, hours, caps and must-not times. Windows of other rounds are to be among `given`.
    pub supply: &'a Supply,
    /// Windows of other live rounds.
    pub given: &'a [super::GivenWindow],
    /// Windows that start before this minute, counted from the first midnight, stay as they are.
    pub from: u32,
    /// Recipients whose windows may start, by minute from `from` on.
    pub quota: &'a [f64],
    /// The same in all minutes after those.
    pub quota_after: f64,
    /// If set, only windows at this place in [`Supply::sites`] move: what it can take has changed. Told ones move too
    /// where it has no room for them any more.
    pub site: Option<u32>,
}

/// A window's new time. It is never earlier than the old one, and at the same site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// By place in [`Restagger::windows`].
    pub index: u32,
    /// Whose.
    pub unit: UnitId,
    /// First minute, counted from the first midnight of the round.
    pub start: u32,
    /// Length.
    pub minutes: u16,
    /// No later minute of the round has room.
    pub over_capacity: bool,
}

/// The windows that move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restaggered {
    /// In the order of the input.
    pub moved: Vec<Moved>,
    /// Recipients of windows that should move but have been moved too often already.
    pub stuck_recipients: u64,
}

/// Moves windows later so that no more of them start than the quota allows.
///
/// Told windows that fit into their minute's quota stay. The others, and all that nobody has been told of, go to the
/// first later minute with room, in the order of their times: so the fewest people hear of a change.
pub fn restagger(asked: &Restagger<'_>) -> Restaggered {
    let capacity = Capacity::of(asked.supply);
    let mut taken = Taken::by_others(&capacity, asked.supply, asked.given);
    taken.starts = StartsRoom::with(Vec::new());
    let mut run = Run {
        quota: Quota::of(asked, capacity.horizon),
        asked,
        capacity: &capacity,
        taken,
        done: Restaggered::default(),
        beyond: 0,
    };
    let order = by_start(asked.windows, capacity.horizon);
    let displaced = run.keep(&order);
    for &index in &displaced {
        run.seek(index);
    }
    run.done.moved.sort_unstable_by_key(|moved| moved.index);
    run.done
}

struct Run<'a> {
    asked: &'a Restagger<'a>,
    capacity: &'a Capacity,
    taken: Taken,
    quota: Quota,
    done: Restaggered,
    /// Windows that found no room, so that they do not all go to one minute.
    beyond: usize,
}

impl Run<'_> {
    /// Counts the windows that stay, and returns the others in the order of their times.
    fn keep(&mut self, order: &[u32]) -> Vec<u32> {
        let mut displaced = Vec::new();
        for &index in order {
            let window = self.asked.windows[index as usize];
            let is_past = window.start < self.asked.from;
            let may_move = !is_past && (!window.told || window.moves < MOVES_MAX);
            let elsewhere = self.asked.site.is_some_and(|site| site != window.site);
            let fits = || self.asked.site.is_none() || self.has_room(&window);
            let stays = is_past
                || elsewhere
                || (window.told && fits() && self.quota.take(window.start, window.recipients));
            if stays || !may_move {
                if !stays {
                    self.done.stuck_recipients += u64::from(window.recipients);
                    self.quota.overdraw(window.start, window.recipients);
                }
                self.occupy(&window, window.start);
            } else {
                displaced.push(index);
            }
        }
        displaced
    }

    /// Counts a window's arrivals at this time, at its site if that is open then.
    fn occupy(&mut self, window: &Announced, start: u32) {
        let seeking = Seeking::new(window.people, u32::from(window.minutes));
        match self.stretch_of(window, start) {
            Some(stretch) => self.taken.take(self.capacity, stretch, start, seeking),
            None => self
                .taken
                .add_in_city(start..start + seeking.minutes, seeking.share),
        }
    }

    /// Whether its site can take a window at its present time beside those that stay.
    fn has_room(&self, window: &Announced) -> bool {
        let seeking = Seeking::new(window.people, u32::from(window.minutes));
        self.stretch_of(window, window.start).is_some_and(|stretch| {
            let site = window.site as usize;
            let full = self
                .taken
                .full_at_site(self.capacity, site, stretch, window.start, seeking);
            full.is_none()
        })
    }

    fn stretch_of(&self, window: &Announced, start: u32) -> Option<usize> {
        let stretches = self.capacity.sites.get(window.site as usize)?.stretches.clone();
        stretches.into_iter().find(|&at| {
            let open = self.capacity.stretches[at];
            open.from <= start && start + u32::from(window.minutes) <= open.to
        })
    }

    /// Gives a window the first minute from its own on that has room.
    fn seek(&mut self, index: u32) {
        let window = self.asked.windows[index as usize];
        let found = self.first_room(&window);
        let start = found.unwrap_or_else(|| self.beyond_room(&window));
        if let Some(start) = found {
            // The search has seen that it is there.
            let _ = self.quota.take(start, window.recipients);
        }
        self.occupy(&window, start);
        if start > window.start {
            self.done.moved.push(Moved {
                index,
                unit: window.unit,
                start,
                minutes: window.minutes,
                over_capacity: found.is_none(),
            });
        } else if found.is_none() {
            self.done.stuck_recipients += u64::from(window.recipients);
        }
    }

    fn first_room(&mut self, window: &Announced) -> Option<u32> {
        let site = window.site as usize;
        let stretches = self.capacity.sites.get(site)?.stretches.clone();
        let seeking = Seeking::new(window.people, u32::from(window.minutes));
        for stretch in stretches {
            let open = self.capacity.stretches[stretch];
            let mut start = window.start.max(open.from);
            while start + seeking.minutes <= open.to {
                start = self.quota.next_open(start);
                if start + seeking.minutes > open.to {
                    break;
                }
                let full = self
                    .taken
                    .full_at_site(self.capacity, site, stretch, start, seeking)
                    .or_else(|| self.taken.full_in_city(start, seeking))
                    .or_else(|| self.must_not(window, start));
                match full {
                    Some(full) => start = full + 1,
                    None if self.quota.has_room(start, window.recipients) => return Some(start),
                    None => start += 1,
                }
            }
        }
        None
    }

    /// A later minute of the site's last stretch for those whom nothing has room for; their own if there is none.
    fn beyond_room(&mut self, window: &Announced) -> u32 {
        let last = self
            .capacity
            .sites
            .get(window.site as usize)
            .and_then(|site| self.capacity.stretches[site.stretches.clone()].last());
        let Some(last) = last else { return window.start };
        let from = window.start.max(last.from);
        let to = last.to.saturating_sub(u32::from(window.minutes));
        if to <= from {
            return window.start;
        }
        self.beyond += 1;
        let own = from + (f64::from(to - from) * own_share(self.beyond)) as u32;
        (own..=to)
            .chain(from..own)
            .find(|&start| self.must_not(window, start).is_none())
            .unwrap_or(window.start)
    }

    /// The last minute of the window in which its building must not be called.
    fn must_not(&self, window: &Announced, start: u32) -> Option<u32> {
        let minutes = start..start + u32::from(window.minutes);
        self.capacity.must_not(window.building, &minutes)
    }
}

/// Windows in the order of their starts; equal ones in that of the input.
fn by_start(windows: &[Announced], horizon: usize) -> Vec<u32> {
    let key = |window: &Announced| (window.start as usize).min(horizon);
    let mut next = vec![0_u32; horizon + 2];
    for window in windows {
        next[key(window) + 1] += 1;
    }
    for minute in 1..next.len() {
        next[minute] += next[minute - 1];
    }
    let mut order = vec![0; windows.len()];
    for (index, window) in windows.iter().enumerate() {
        let at = &mut next[key(window)];
        order[*at as usize] = index as u32;
        *at += 1;
    }
    order
}

/// Minutes over which a unit larger than a minute's quota is counted.
const SPREAD_MINUTES: usize = 5;

/// What is left of the quota, minute by minute.
struct Quota {
    from: usize,
    whole: Vec<f64>,
    left: Vec<f64>,
    /// From each minute, one that is not later than the next with something left.
    next: Vec<u32>,
    /// A minute with less than this is used up.
    least: f64,
}

impl Quota {
    fn of(asked: &Restagger<'_>, horizon: usize) -> Self {
        let from = (asked.from as usize).min(horizon);
        let whole: Vec<f64> = (0..horizon - from)
            .map(|minute| {
                asked
                    .quota
                    .get(minute)
                    .copied()
                    .unwrap_or(asked.quota_after)
                    .max(0.0)
            })
            .collect();
        let fewest = asked
            .windows
            .iter()
            .map(|window| window.recipients)
            .min()
            .unwrap_or(0);
        Self {
            from,
            left: whole.clone(),
            next: (0..=whole.len() as u32).collect(),
            whole,
            least: f64::from(fewest).max(1e-9),
        }
    }

    /// The minutes that a unit is counted in, and how much of it.
    fn span(&self, start: u32, recipients: u32) -> Option<(usize, usize)> {
        let first = (start as usize).checked_sub(self.from)?;
        let whole = *self.whole.get(first)?;
        let minutes = if f64::from(recipients) <= whole {
            1
        } else {
            SPREAD_MINUTES
        };
        Some((first, (first + minutes).min(self.whole.len())))
    }

    fn has_room(&self, start: u32, recipients: u32) -> bool {
        let Some((first, end)) = self.span(start, recipients) else {
            return true;
        };
        let left: f64 = self.left[first..end].iter().sum();
        let whole: f64 = self.whole[first..end].iter().sum();
        // A unit of more than five minutes' quota starts where nobody else does.
        left > 0.0 && left + 1e-9 >= f64::from(recipients).min(whole)
    }

    /// Takes a unit's part if it is there.
    fn take(&mut self, start: u32, recipients: u32) -> bool {
        let has_room = self.has_room(start, recipients);
        if has_room {
            self.overdraw(start, recipients);
        }
        has_room
    }

    /// Takes what there is of a unit's part.
    fn overdraw(&mut self, start: u32, recipients: u32) {
        let Some((first, end)) = self.span(start, recipients) else {
            return;
        };
        let mut wanted = f64::from(recipients);
        for minute in first..end {
            let part = wanted.min(self.left[minute]);
            self.left[minute] -= part;
            wanted -= part;
        }
    }

    /// The first minute from this one on with something left.
    fn next_open(&mut self, start: u32) -> u32 {
        let Some(first) = (start as usize).checked_sub(self.from) else {
            return start;
        };
        let end = self.whole.len();
        let mut at = first.min(end);
        loop {
            while self.next[at] as usize != at {
                let skip = self.next[self.next[at] as usize];
                self.next[at] = skip;
                at = skip as usize;
            }
            let is_open =
                |at: usize| self.left[at] > 0.0 && self.left[at] + 1e-9 >= self.least.min(self.whole[at]);
            if at >= end || is_open(at) {
                return (self.from + at) as u32;
            }
            self.next[at] = at as u32 + 1;
        }
    }
}
