//! When each unit comes.
//!
//! The sites go through the day together, minute by minute, each through its own units in building order. Since no
//! window starts before one that is already placed, what is taken only falls from the present minute on: a window that
//! fits in its first minute fits to its end.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use super::{
    Choice, MINUTES_PER_DAY, PlanInput,
    capacity::{Capacity, Taken},
};

/// When a site's next unit does not fit beside those under way, one of so many after it may go first.
const LOOK_AHEAD: usize = 3;

/// So many units may pass one that waits; more would part the units of its building.
const PASSES_MAX: usize = 3;

/// Fractions of the golden ratio's multiples lie as far apart as can be.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// Where the site stands between 0 and 1, as far from the sites before it as can be.
fn own_share(site: usize) -> f64 {
    (site as f64 * GOLDEN).fract()
}

/// How a site starts its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starts {
    /// As the people before have been sampled, from a minute of the site's own on: starts fall on no common grid.
    Spread,
    /// As soon as there is room, from a minute of the site's own on.
    Staggered,
    /// As soon as there is room, from opening on.
    Packed,
}

/// A window found.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    pub(super) unit: usize,
    pub(super) site: usize,
    pub(super) people: u32,
    pub(super) day: usize,
    pub(super) start: usize,
    pub(super) minutes: usize,
}

/// A unit for which no room is left.
pub(super) struct Left {
    pub(super) unit: usize,
    pub(super) site: usize,
    pub(super) people: u32,
    /// It is the city's cap that keeps it out.
    pub(super) desks_are_free: bool,
}

pub(super) struct Placement {
    /// By unit.
    pub(super) placed: Vec<Option<Placed>>,
    /// In the order of the input.
    pub(super) left: Vec<Left>,
}

impl Placement {
    pub(super) fn people_left(&self) -> u64 {
        self.left.iter().map(|left| u64::from(left.people)).sum()
    }
}

/// Finds room for the units at their sites.
pub(super) fn place(
    input: &PlanInput,
    capacity: &Capacity,
    sites: &[Option<usize>],
    starts: &[Starts],
) -> Placement {
    let mut placer = Placer {
        input,
        capacity,
        taken: Taken::nothing(capacity),
        due: f64::NEG_INFINITY,
        placed: vec![None; input.units.len()],
    };
    placer.go_through_the_days(queues(input, capacity, sites, starts));
    let left = placer.fill_gaps(sites);
    Placement {
        placed: placer.placed,
        left,
    }
}

/// A unit waiting for its window.
#[derive(Clone, Copy)]
struct Waiting {
    unit: usize,
    people: u32,
    minutes: usize,
}

impl Waiting {
    fn share(&self) -> f64 {
        f64::from(self.people) / self.minutes as f64
    }
}

/// One site's units and how far it has come.
struct Queue {
    site: usize,
    starts: Starts,
    waiting: VecDeque<Waiting>,
    day: usize,
    /// Minute of the day from which the next unit may start.
    due: f64,
    /// How many units have passed the first one.
    passed: usize,
}

fn queues(input: &PlanInput, capacity: &Capacity, sites: &[Option<usize>], starts: &[Starts]) -> Vec<Queue> {
    let mut queues: Vec<Queue> = (0..input.supply.sites.len())
        .map(|site| Queue {
            site,
            starts: starts[site],
            waiting: VecDeque::new(),
            day: 0,
            due: 0.0,
            passed: 0,
        })
        .collect();
    for (unit, site) in sites.iter().enumerate() {
        let Some(site) = *site else { continue };
        let people = input.units[unit].people;
        if let Some(minutes) = capacity.window_minutes(site, people) {
            queues[site].waiting.push_back(Waiting {
                unit,
                people,
                minutes,
            });
        }
    }
    for queue in &mut queues {
        queue.open(capacity);
    }
    queues
}

impl Queue {
    /// Sets the day's first start. Sites differ by up to the first window, so that the city begins evenly.
    fn open(&mut self, capacity: &Capacity) {
        let site = capacity.sites[self.site];
        let opens = site.opens_on(self.day);
        let first = self.waiting.front().map_or(0, |unit| unit.minutes);
        let phase = match self.starts {
            Starts::Spread | Starts::Staggered => {
                own_share(self.site) * first.min((site.closes - opens).saturating_sub(first)) as f64
            }
            Starts::Packed => 0.0,
        };
        self.due = opens as f64 + phase.floor();
    }

    /// The minute from the first midnight on which the site next wants to start a unit.
    fn turn(&self) -> usize {
        self.day * MINUTES_PER_DAY + whole_minute(self.due)
    }

    /// The first minute from `minute` on in which the site has room for a unit, and which of the waiting that is.
    fn next_start(&self, capacity: &Capacity, taken: &Taken, minute: usize) -> Option<(usize, usize)> {
        let closes = capacity.sites[self.site].closes;
        let reach = if self.passed < PASSES_MAX {
            LOOK_AHEAD + 1
        } else {
            1
        };
        (minute..closes).find_map(|minute| {
            self.waiting
                .iter()
                .take(reach)
                .position(|unit| {
                    minute + unit.minutes <= closes
                        && taken.site_has_room(capacity, self.site, self.day, minute, unit.share())
                })
                .map(|position| (minute, position))
        })
    }

    /// Takes a unit out that starts now, and says when the next is due.
    fn start(&mut self, capacity: &Capacity, position: usize, minute: usize) -> Option<Waiting> {
        let unit = self.waiting.remove(position)?;
        self.passed = if position == 0 { 0 } else { self.passed + 1 };
        self.due = match self.starts {
            Starts::Staggered | Starts::Packed => minute as f64,
            Starts::Spread => next_due(
                self.due,
                minute,
                unit.people,
                capacity.sites[self.site].rate,
                capacity,
            ),
        };
        Some(unit)
    }
}

/// The first whole minute that is not before `due`.
fn whole_minute(due: f64) -> usize {
    (due - 1e-9).ceil() as usize
}

/// When the people of a unit that starts now will have been sampled, all before them included.
/// Time lost while there was no room is made good, but for a window at most.
fn next_due(due: f64, minute: usize, people: u32, per_minute: f64, capacity: &Capacity) -> f64 {
    due.max(minute as f64 - capacity.window_min() as f64) + f64::from(people) / per_minute
}

struct Placer<'a> {
    input: &'a PlanInput,
    capacity: &'a Capacity,
    taken: Taken,
    /// Minute from the first midnight on which the city's cap lets the next unit start.
    due: f64,
    placed: Vec<Option<Placed>>,
}

impl Placer<'_> {
    /// The site whose turn is earliest starts its next unit, until no unit waits or the last day is over.
    fn go_through_the_days(&mut self, mut queues: Vec<Queue>) {
        let mut turns: BinaryHeap<Reverse<(usize, usize)>> = queues
            .iter()
            .map(|queue| Reverse((queue.turn(), queue.site)))
            .collect();
        let mut now = 0;
        while let Some(Reverse((turn, site))) = turns.pop() {
            let queue = &mut queues[site];
            if queue.waiting.is_empty() {
                continue;
            }
            let earliest = turn.max(now);
            let midnight = queue.day * MINUTES_PER_DAY;
            let next = queue.next_start(self.capacity, &self.taken, earliest - midnight);
            if let Some((minute, _)) = next
                && midnight + minute > earliest
            {
                turns.push(Reverse((midnight + minute, site)));
                continue;
            }
            // Who has waited longest for room in the city goes first, so that large units are not passed for ever.
            let started = next.and_then(|(minute, position)| self.start(queue, minute, position));
            if let Some(minute) = started {
                now = midnight + minute;
            } else {
                queue.day += 1;
                queue.open(self.capacity);
            }
            if queue.day < self.capacity.days {
                turns.push(Reverse((queue.turn(), site)));
            }
        }
    }

    /// Starts a unit as soon as the city, too, has room; none if that is too late for the site today.
    fn start(&mut self, queue: &mut Queue, minute: usize, position: usize) -> Option<usize> {
        let unit = queue.waiting[position];
        let midnight = queue.day * MINUTES_PER_DAY;
        let last = self.capacity.sites[queue.site].closes - unit.minutes;
        if self.due < midnight as f64 {
            self.due = (midnight + minute) as f64; // The night is no time lost.
        }
        let due = match queue.starts {
            Starts::Spread => whole_minute(self.due).saturating_sub(midnight),
            Starts::Staggered | Starts::Packed => 0,
        };
        let minute = (minute.max(due)..=last).find(|&minute| {
            self.taken
                .city_has_room(self.capacity, queue.day, minute, unit.share())
        })?;
        let unit = queue.start(self.capacity, position, minute)?;
        self.due = next_due(
            self.due,
            midnight + minute,
            unit.people,
            self.capacity.city,
            self.capacity,
        );
        self.settle(unit, queue.site, queue.day, minute);
        Some(minute)
    }

    fn settle(&mut self, unit: Waiting, site: usize, day: usize, start: usize) {
        let Waiting {
            unit,
            people,
            minutes,
        } = unit;
        let share = f64::from(people) / minutes as f64;
        self.taken
            .take(self.capacity, site, day, start..start + minutes, share);
        self.placed[unit] = Some(Placed {
            unit,
            site,
            people,
            day,
            start,
            minutes,
        });
    }

    /// Puts units that found no room into gaps between the others, at any of their sites.
    fn fill_gaps(&mut self, sites: &[Option<usize>]) -> Vec<Left> {
        let mut gaps = Gaps::unknown(self.input.supply.sites.len());
        let mut left = Vec::new();
        for (unit, site) in sites.iter().enumerate() {
            let Some(site) = *site else { continue };
            if self.placed[unit].is_some() {
                continue;
            }
            let people = self.input.units[unit].people;
            let gap = self
                .input
                .choices
                .of(self.input.units[unit].choices)
                .iter()
                .map(Choice::index)
                .filter(|&site| site < self.input.supply.sites.len())
                .find_map(|site| gaps.first(self, site, unit, true).map(|gap| (site, gap)));
            if let Some((site, (unit, day, start))) = gap {
                self.settle(unit, site, day, start);
            } else {
                let desks_are_free = gaps.first(self, site, unit, false).is_some();
                left.push(Left {
                    unit,
                    site,
                    people,
                    desks_are_free,
                });
            }
        }
        left
    }

    /// The first gap that is wide enough, on any day.
    fn gap(&self, site: usize, unit: Waiting, within_city_cap: bool) -> Option<(usize, usize)> {
        let open = self.capacity.sites[site];
        (0..self.capacity.days).find_map(|day| {
            let opens = open.opens_on(day);
            let mut start = opens;
            for minute in opens..open.closes {
                let fits = self
                    .taken
                    .site_has_room(self.capacity, site, day, minute, unit.share())
                    && (!within_city_cap
                        || self.taken.city_has_room(self.capacity, day, minute, unit.share()));
                if !fits {
                    start = minute + 1;
                } else if minute + 1 - start == unit.minutes {
                    return Some((day, start));
                }
            }
            None
        })
    }
}

/// Where searching on is in vain: the fewest people for whom a site had no gap, within the city's cap and without it.
struct Gaps {
    none_for: [Vec<u32>; 2],
}

impl Gaps {
    fn unknown(sites: usize) -> Self {
        Self {
            none_for: [vec![u32::MAX; sites], vec![u32::MAX; sites]],
        }
    }

    fn first(
        &mut self,
        placer: &Placer,
        site: usize,
        unit: usize,
        within_city_cap: bool,
    ) -> Option<(Waiting, usize, usize)> {
        let people = placer.input.units[unit].people;
        let none_for = &mut self.none_for[usize::from(within_city_cap)][site];
        if people >= *none_for {
            return None;
        }
        let minutes = placer.capacity.window_minutes(site, people)?;
        let waiting = Waiting {
            unit,
            people,
            minutes,
        };
        let gap = placer.gap(site, waiting, within_city_cap);
        if gap.is_none() {
            *none_for = people;
        }
        gap.map(|(day, start)| (waiting, day, start))
    }
}

/// Windows for those left, evenly over the last day at their sites, at each from a minute of its own on.
pub(super) fn over_capacity(input: &PlanInput, capacity: &Capacity, left: &[Left]) -> Vec<(usize, Placed)> {
    let mut total = vec![0_u64; input.supply.sites.len()];
    let mut before = vec![0_u64; input.supply.sites.len()];
    for left in left {
        total[left.site] += u64::from(left.people);
    }
    left.iter()
        .map(
            |&Left {
                 unit, site, people, ..
             }| {
                let hours = last_resort_hours(input, capacity, site);
                let minutes = capacity.minutes_wanted(site, people).min(hours.len());
                let share = (before[site] as f64 / total[site] as f64 + own_share(site)).fract();
                let start = hours.start + ((hours.len() - minutes) as f64 * share) as usize;
                before[site] += u64::from(people);
                (
                    unit,
                    Placed {
                        unit,
                        site,
                        people,
                        day: capacity.days - 1,
                        start,
                        minutes,
                    },
                )
            },
        )
        .collect()
}

/// The site's hours; the round's where it is closed all day, and the whole day where even these are none.
fn last_resort_hours(input: &PlanInput, capacity: &Capacity, site: usize) -> std::ops::Range<usize> {
    let site = capacity.sites[site];
    let last_day = capacity.days - 1;
    let round = input.supply.samples_from(last_day)..usize::from(input.supply.to_minute).min(MINUTES_PER_DAY);
    [site.opens..site.closes, round]
        .into_iter()
        .find(|hours| !hours.is_empty())
        .unwrap_or(0..MINUTES_PER_DAY)
}

/// The city's expected arrivals by day and minute, and each site's most in a minute.
pub(super) fn load_and_peaks<'a>(
    input: &PlanInput,
    windows: impl Iterator<Item = &'a Placed>,
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut load = vec![vec![0.0; MINUTES_PER_DAY]; input.supply.days()];
    let mut by_site: Vec<Vec<&Placed>> = vec![Vec::new(); input.supply.sites.len()];
    for window in windows {
        by_site[window.site].push(window);
    }
    let peaks = by_site
        .into_iter()
        .map(|windows| {
            let at_site = arrivals(&windows, load.len());
            for (load, at_site) in load.iter_mut().flatten().zip(&at_site) {
                *load += at_site;
            }
            at_site.into_iter().fold(0.0, f64::max)
        })
        .collect();
    (load, peaks)
}

/// Expected arrivals by minute from the first midnight.
fn arrivals(windows: &[&Placed], days: usize) -> Vec<f64> {
    let mut arrivals = vec![0.0; days * MINUTES_PER_DAY];
    for window in windows {
        let start = window.day * MINUTES_PER_DAY + window.start;
        let share = f64::from(window.people) / window.minutes as f64;
        for minute in &mut arrivals[start..start + window.minutes] {
            *minute += share;
        }
    }
    arrivals
}
