//! When each unit comes.
//!
//! The sites go through the round together, minute by minute, each through its own units in building order. Where the
//! city's cap is what binds, each site spreads its units evenly until the deadline, and whenever the city has room to
//! spare everybody's clock is put forward a little: so the city is filled to its cap from the first minute to the last.

use std::ops::Range;

use super::{
    Choice, PlanInput,
    assign::{Assignment, NOWHERE},
    capacity::{Capacity, Seeking, Taken},
    pick,
};

/// When a site's next unit does not fit beside those under way, one of so many after it may go first.
const LOOK_AHEAD: usize = 3;

/// The unit at the head of the order is passed by no more people than the site samples in so many of the shortest
/// windows, and none goes first that stands further behind: more would part the units of a building.
const PASSES_WINDOWS: f64 = 0.75;

/// The same where room is so short that some would find none.
const PASSES_WINDOWS_IF_SHORT: f64 = 3.0;

/// Fractions of the golden ratio's multiples lie as far apart as can be.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// The clock of evenly spread units may be so many minutes fast.
const LEAD_MAX: usize = 15;

/// A unit that has waited so long for room in the city keeps others from taking it, so that large units get room too.
const PATIENCE_MINUTES: u16 = 10;

/// After that it has been shown that waiting is in vain.
const PATIENCE_ENDS_MINUTES: u16 = 120;

/// Where the site stands between 0 and 1, as far from the sites before it as can be.
pub(super) fn own_share(site: usize) -> f64 {
    (site as f64 * GOLDEN).fract()
}

/// How a site starts its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starts {
    /// Evenly until the site's deadline.
    Even,
    /// As the people before have been sampled, from a minute of the site's own on: starts fall on no common grid.
    Spread,
    /// As soon as there is room, from a minute of the site's own on.
    Staggered,
    /// As soon as there is room, from opening on.
    Packed,
    /// The same, and in whatever order fills the desks.
    Crammed,
}

/// A window found.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    pub(super) unit: u32,
    pub(super) site: u32,
    pub(super) people: u32,
    /// Counted from the first midnight.
    pub(super) start: u32,
    pub(super) minutes: u32,
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
    /// By unit; without room, [`Placed::site`] is [`NOWHERE`].
    pub(super) placed: Vec<Placed>,
    /// In the order of the input.
    pub(super) left: Vec<Left>,
}

impl Placement {
    pub(super) fn people_left(&self) -> u64 {
        self.left.iter().map(|left| u64::from(left.people)).sum()
    }
}

/// What is to be placed.
pub(super) struct Job<'a> {
    pub(super) input: &'a PlanInput,
    pub(super) capacity: &'a Capacity,
    /// Regular people by unit.
    pub(super) people: &'a [u32],
    pub(super) assignment: &'a Assignment,
    /// Units by site in the order in which they go.
    pub(super) order: &'a Order,
}

/// Units by site.
pub(super) struct Order {
    pub(super) units: Vec<u32>,
    /// Each site's part of them.
    pub(super) ends: Vec<u32>,
}

impl Order {
    /// In building order; another building is the first each round, so that all get their turn at being early.
    pub(super) fn of(input: &PlanInput, sites: &[u32], count: usize) -> Self {
        let mut ends = vec![0_u32; count + 1];
        for &site in sites.iter().filter(|&&site| site != NOWHERE) {
            ends[site as usize + 1] += 1;
        }
        for site in 0..count {
            ends[site + 1] += ends[site];
        }
        let mut next = ends.clone();
        let mut units = vec![0; ends[count] as usize];
        for (unit, &site) in sites.iter().enumerate() {
            if site != NOWHERE {
                units[next[site as usize] as usize] = unit as u32;
                next[site as usize] += 1;
            }
        }
        ends.remove(0);
        let mut order = Self { units, ends };
        let turn = (f64::from(input.round_number) * GOLDEN).fract();
        if turn > 0.0 {
            for site in 0..count {
                let range = order.range(site);
                rotate(&mut order.units[range], input, turn);
            }
        }
        order
    }

    pub(super) fn range(&self, site: usize) -> Range<usize> {
        let start = site.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[site] as usize
    }
}

/// Lets the building that stands at this share of the order be the first.
fn rotate(units: &mut [u32], input: &PlanInput, turn: f64) {
    let building = |unit: u32| input.units[unit as usize].building;
    let from = (units.len() as f64 * turn) as usize;
    let first = (from..units.len()).find(|&at| at == 0 || building(units[at]) != building(units[at - 1]));
    units.rotate_left(first.unwrap_or(0));
}

/// Finds room for the units at their sites.
pub(super) fn place(job: &Job<'_>, taken: &Taken, starts: &[Starts]) -> Placement {
    let nobody = Placed {
        unit: 0,
        site: NOWHERE,
        people: 0,
        start: 0,
        minutes: 0,
    };
    let mut placer = Placer {
        job,
        taken: taken.clone(),
        units: job.order.units.clone(),
        placed: vec![nobody; job.input.units.len()],
        lines: Vec::new(),
        least_share: i64::MAX,
    };
    placer.lines = (0..job.capacity.sites.len())
        .map(|site| placer.line(site, starts[site]))
        .collect();
    placer.go_through_the_round();
    let left = placer.fill_gaps();
    Placement {
        placed: placer.placed,
        left,
    }
}

/// One site's units and how far it has come.
struct Line {
    /// The first unit that waits, and the end of those that do, by place in the order.
    head: usize,
    end: usize,
    starts: Starts,
    stretch: usize,
    stretches_end: usize,
    /// When the next unit is due, in minutes that the site has been open.
    due: f64,
    /// People placed.
    before: f64,
    /// People a minute.
    pace: f64,
    /// Open minutes until the deadline.
    horizon: f64,
    /// People who have passed the first one.
    passed: f64,
    /// How many may.
    passed_max: f64,
    /// Minutes that the first one has waited for the city.
    waited: u16,
}

/// What a site does next.
enum Next {
    /// Nothing more.
    Done,
    /// Its next unit is due in that minute.
    Due(usize),
    /// It has room for its next unit in that minute.
    Room(usize),
    /// It waits for room in the city.
    City,
}

struct Placer<'a> {
    job: &'a Job<'a>,
    taken: Taken,
    units: Vec<u32>,
    placed: Vec<Placed>,
    lines: Vec<Line>,
    /// The smallest of all units' arrivals a minute: with less left, nobody needs to ask the city for room.
    least_share: i64,
}

impl Placer<'_> {
    fn line(&mut self, site: usize, starts: Starts) -> Line {
        let range = self.job.order.range(site);
        let capacity = &self.job.capacity.sites[site];
        // Units that do not fit between opening and closing are not for this line.
        let fit = |unit: u32| {
            self.job
                .capacity
                .seeking(site, self.job.people[unit as usize])
                .is_some()
        };
        let mut end = range.start;
        for at in range.clone() {
            if fit(self.units[at]) {
                self.least_share = self.least_share.min(self.window(site, at).share);
                self.units.swap(at, end);
                end += 1;
            }
        }
        let people: u64 = self.units[range.start..end]
            .iter()
            .map(|&unit| u64::from(self.job.people[unit as usize]))
            .sum();
        let horizon = self
            .job
            .capacity
            .open_until(site, self.job.assignment.deadlines[site]);
        let pace = match starts {
            Starts::Even => (people as f64 / horizon.max(1.0)).min(capacity.rate),
            _ => capacity.rate,
        };
        let mut line = Line {
            head: range.start,
            end,
            starts,
            stretch: capacity.stretches.start,
            stretches_end: capacity.stretches.end,
            due: 0.0,
            before: 0.0,
            pace,
            horizon,
            passed: 0.0,
            passed_max: capacity.rate
                * self.job.capacity.window_min() as f64
                * match starts {
                    Starts::Crammed | Starts::Staggered | Starts::Spread => PASSES_WINDOWS_IF_SHORT,
                    Starts::Packed | Starts::Even => PASSES_WINDOWS,
                },
            waited: 0,
        };
        if line.head < line.end && line.stretch < line.stretches_end {
            line.due = self.first_due(site, &line);
        }
        line
    }

    /// When the site's first unit is due. Sites differ by up to the first window, so that the city begins evenly.
    fn first_due(&self, site: usize, line: &Line) -> f64 {
        let first = f64::from(self.window(site, line.head).minutes);
        let open = self.job.capacity.stretches[line.stretch];
        match line.starts {
            Starts::Even => self.even_due(site, line),
            Starts::Spread | Starts::Staggered => {
                (own_share(site) * first.min((f64::from(open.to - open.from) - first).max(0.0))).floor()
            }
            Starts::Packed | Starts::Crammed => 0.0,
        }
    }

    /// The middle of a window is due when half of its people would be, were they all to come evenly.
    fn even_due(&self, site: usize, line: &Line) -> f64 {
        let window = self.window(site, line.head);
        let minutes = f64::from(window.minutes);
        let middle = (line.before + f64::from(window.people) / 2.0) / line.pace;
        (middle - minutes / 2.0).min(line.horizon - minutes).max(0.0)
    }

    fn window(&self, site: usize, at: usize) -> Seeking {
        let people = self.job.people[self.units[at] as usize];
        let minutes = self.job.capacity.minutes_wanted(site, people);
        Seeking::new(people, minutes as u32)
    }

    /// Minute by minute: whoever waits longest goes first, then the sites whose units become due.
    fn go_through_the_round(&mut self) {
        let horizon = self.job.capacity.horizon;
        let mut due: Vec<Vec<u32>> = vec![Vec::new(); horizon];
        let mut room: Vec<Vec<u32>> = vec![Vec::new(); horizon];
        for site in 0..self.lines.len() {
            match self.next(site) {
                Next::Due(minute) | Next::Room(minute) if minute < horizon => due[minute].push(site as u32),
                _ => {}
            }
        }
        let mut waiting: Vec<u32> = Vec::new();
        let mut clock = 0;
        for now in 0..horizon {
            let mut active = std::mem::take(&mut waiting);
            active.append(&mut room[now]);
            while clock < now {
                clock += 1;
                active.append(&mut due[clock.min(horizon - 1)]);
            }
            if now == 0 {
                active.append(&mut due[0]);
            }
            loop {
                let mut held = false;
                for site in active.drain(..) {
                    if held {
                        waiting.push(site);
                        continue;
                    }
                    match self.advance(site as usize, now, clock) {
                        Next::Done => {}
                        Next::Due(minute) => due[minute].push(site),
                        Next::Room(minute) => room[minute].push(site),
                        Next::City => {
                            let waited = &mut self.lines[site as usize].waited;
                            *waited = waited.saturating_add(1);
                            held = (PATIENCE_MINUTES..PATIENCE_ENDS_MINUTES).contains(waited);
                            waiting.push(site);
                        }
                    }
                }
                let spare = !held && waiting.is_empty() && self.is_city_spare(now);
                if !spare || clock >= (now + LEAD_MAX).min(horizon - 1) {
                    break;
                }
                clock += 1;
                active.append(&mut due[clock]);
            }
        }
    }

    /// Whether the city's clock may be put forward.
    fn is_city_spare(&self, now: usize) -> bool {
        self.job.capacity.city.is_finite() && self.taken.left_in_city(now as u32) > 0
    }

    /// Starts units of a site until none is due or has room.
    fn advance(&mut self, site: usize, now: usize, clock: usize) -> Next {
        loop {
            match self.next(site) {
                // Only evenly spread units may come before they are due.
                Next::Due(minute) if self.lines[site].starts == Starts::Even && minute > clock => {
                    return Next::Due(minute);
                }
                Next::Due(minute) if self.lines[site].starts != Starts::Even && minute > now => {
                    return Next::Room(minute);
                }
                Next::Due(_) | Next::Room(_) => {}
                done => return done,
            }
            if self.taken.left_in_city(now as u32) < self.least_share {
                return Next::City;
            }
            match self.start_one(site, now as u32) {
                None => {}
                Some(Next::Room(minute)) if minute >= self.job.capacity.horizon => return Next::Done,
                Some(next) => return next,
            }
        }
    }

    /// When the first unit is due.
    fn next(&self, site: usize) -> Next {
        let line = &self.lines[site];
        if line.head >= line.end || line.stretch >= line.stretches_end {
            return Next::Done;
        }
        let stretch = self.job.capacity.stretches[line.stretch];
        let since = (line.due - f64::from(stretch.open_before) - 1e-9).ceil();
        Next::Due(((f64::from(stretch.from) + since.max(0.0)) as usize).min(self.job.capacity.horizon - 1))
    }

    /// Starts the site's next unit now; otherwise says what it waits for.
    fn start_one(&mut self, site: usize, now: u32) -> Option<Next> {
        let (minute, position) = match self.room_at_site(site, now) {
            Some(found) => found,
            None => return Some(self.next_stretch(site)),
        };
        if minute > now {
            return Some(Next::Room(minute as usize));
        }
        let at = self.lines[site].head + position;
        let window = self.window(site, at);
        if self.taken.full_in_city(now, window).is_some() || !self.taken.starts.has_room(now, window.people) {
            return Some(Next::City);
        }
        let unit = self.units[at];
        let line = &mut self.lines[site];
        self.units[line.head..=at].rotate_right(1);
        line.passed = if position == 0 {
            0.0
        } else {
            line.passed + f64::from(window.people)
        };
        line.head += 1;
        line.before += f64::from(window.people);
        line.waited = 0;
        let stretch = line.stretch;
        self.settle(unit, site, stretch, now, window);
        self.set_due(site, now, window);
        None
    }

    fn set_due(&mut self, site: usize, now: u32, window: Seeking) {
        let line = &self.lines[site];
        let stretch = self.job.capacity.stretches[line.stretch];
        let open = f64::from(stretch.open_before + now - stretch.from);
        let due = match line.starts {
            Starts::Packed | Starts::Crammed | Starts::Staggered => open,
            // Time lost while there was no room is made good, but for a window at most.
            Starts::Spread => {
                let lost_max = self.job.capacity.window_min() as f64;
                line.due.max(open - lost_max) + f64::from(window.people) / line.pace
            }
            Starts::Even if line.head < line.end => self.even_due(site, line),
            Starts::Even => open,
        };
        self.lines[site].due = due;
    }

    /// The site goes on when it next opens.
    fn next_stretch(&mut self, site: usize) -> Next {
        let line = &mut self.lines[site];
        line.stretch += 1;
        if line.stretch >= line.stretches_end {
            return Next::Done;
        }
        let stretch = self.job.capacity.stretches[line.stretch];
        line.due = line.due.max(f64::from(stretch.open_before));
        if line.starts != Starts::Even {
            let phase = self.first_due(site, &self.lines[site]);
            self.lines[site].due = f64::from(stretch.open_before) + phase;
        }
        match self.next(site) {
            Next::Due(minute) => Next::Room(minute),
            done => done,
        }
    }

    /// The first minute of this stretch in which the site has room for a unit, and which of the waiting that is.
    fn room_at_site(&self, site: usize, now: u32) -> Option<(u32, usize)> {
        let line = &self.lines[site];
        let stretch = self.job.capacity.stretches[line.stretch];
        let reach = self.reach(site, now, LOOK_AHEAD + 1);
        if matches!(line.starts, Starts::Packed | Starts::Crammed)
            && reach > 1
            && now >= stretch.from
            && now < stretch.to
        {
            if let Some(position) = self.best_fit(site, now) {
                return Some((now, position));
            }
        }
        let mut best: Option<(u32, usize)> = None;
        for position in 0..reach {
            let until = best.map_or(u32::MAX, |(minute, _)| minute);
            if let Some(minute) = self.first_room(site, line.head + position, line.stretch, now, until) {
                best = Some((minute, position));
                if minute <= now {
                    break;
                }
            }
        }
        best
    }

    /// How many of the waiting may go first.
    fn reach(&self, site: usize, now: u32, most: usize) -> usize {
        let line = &self.lines[site];
        let waiting = line.end - line.head;
        let stretch = self.job.capacity.stretches[line.stretch];
        // What is left of the day is for whoever still fits.
        if now + self.window(site, line.head).minutes > stretch.to {
            return most.min(waiting);
        }
        if line.passed >= line.passed_max {
            return 1.min(waiting);
        }
        if matches!(line.starts, Starts::Spread | Starts::Staggered) {
            return most.min(waiting);
        }
        let mut before = 0.0;
        self.units[line.head..line.end]
            .iter()
            .take(most)
            .take_while(|unit| {
                let is_near = before <= line.passed_max;
                before += f64::from(self.job.people[**unit as usize]);
                is_near
            })
            .count()
    }

    /// Which unit to start now so that it and some of those after it fill the desks best.
    fn best_fit(&self, site: usize, now: u32) -> Option<usize> {
        let line = &self.lines[site];
        let stretch = self.job.capacity.stretches[line.stretch];
        let left = self
            .taken
            .left_at_site(self.job.capacity, site, line.stretch, now);
        let reach = self.reach(site, now, pick::REACH);
        let mut shares = [i64::MAX; pick::REACH];
        for (position, share) in shares.iter_mut().enumerate().take(reach) {
            let window = self.window(site, line.head + position);
            if now + window.minutes <= stretch.to {
                *share = window.share;
            }
        }
        let position = {
            let waste = left / if line.starts == Starts::Crammed { 200 } else { 20 };
            pick::first_of_best(&shares[..reach], left, waste, line.passed < line.passed_max)?
        };
        self.first_room(site, line.head + position, line.stretch, now, now + 1)
            .map(|_| position)
    }

    /// The first minute before `until` in which the site has room for the unit at this place of the order.
    fn first_room(&self, site: usize, at: usize, stretch: usize, now: u32, until: u32) -> Option<u32> {
        let open = self.job.capacity.stretches[stretch];
        let window = self.window(site, at);
        let building = self.job.input.units[self.units[at] as usize].building;
        let mut start = now.max(open.from);
        while start < until && start + window.minutes <= open.to {
            let full = self
                .taken
                .full_at_site(self.job.capacity, site, stretch, start, window)
                .or_else(|| {
                    self.job
                        .capacity
                        .must_not(building, &(start..start + window.minutes))
                });
            match full {
                None => return Some(start),
                Some(full) => start = full + 1,
            }
        }
        None
    }

    fn settle(&mut self, unit: u32, site: usize, stretch: usize, start: u32, window: Seeking) {
        self.taken.take(self.job.capacity, stretch, start, window);
        self.placed[unit as usize] = Placed {
            unit,
            site: site as u32,
            people: window.people,
            start,
            minutes: window.minutes,
        };
    }

    /// Puts units that found no room into gaps between the others, at any of their sites.
    fn fill_gaps(&mut self) -> Vec<Left> {
        let mut gaps = Gaps::unknown(self.job.capacity.sites.len());
        let mut left = Vec::new();
        for unit in 0..self.placed.len() {
            let site = self.job.assignment.sites[unit];
            if site == NOWHERE || self.placed[unit].site != NOWHERE {
                continue;
            }
            let input = self.job.input;
            let gap = input
                .choices
                .of(input.units[unit].choices)
                .iter()
                .map(Choice::index)
                .filter(|&site| site < self.job.capacity.sites.len())
                .find_map(|site| gaps.first(self, site, unit, true).map(|gap| (site, gap)));
            if let Some((site, (window, stretch, start))) = gap {
                self.settle(unit as u32, site, stretch, start, window);
            } else {
                let site = site as usize;
                left.push(Left {
                    unit,
                    site,
                    people: self.job.people[unit],
                    desks_are_free: gaps.first(self, site, unit, false).is_some(),
                });
            }
        }
        left
    }

    /// The last gap that is wide enough, on the first day that has one.
    fn gap(&self, site: usize, unit: usize, window: Seeking, within_city_cap: bool) -> Option<(usize, u32)> {
        let building = self.job.input.units[unit].building;
        self.job.capacity.sites[site]
            .stretches
            .clone()
            .find_map(|stretch| {
                let search = Search {
                    capacity: self.job.capacity,
                    taken: &self.taken,
                    within_city_cap,
                };
                // The others of the building are most often among the last of the day: so is the best gap.
                let mut start = search.first(site, stretch, 0, window, building)?;
                while let Some(later) = search.first(site, stretch, start + 1, window, building) {
                    start = later;
                }
                Some((stretch, start))
            })
    }
}

/// A search for room at a site at any time.
pub(super) struct Search<'a> {
    pub(super) capacity: &'a Capacity,
    pub(super) taken: &'a Taken,
    pub(super) within_city_cap: bool,
}

impl Search<'_> {
    /// The first minute of the stretch, from `from` on, in which a window of the building has room.
    pub(super) fn first(
        &self,
        site: usize,
        stretch: usize,
        from: u32,
        window: Seeking,
        building: crate::domain::BuildingId,
    ) -> Option<u32> {
        let open = self.capacity.stretches[stretch];
        let mut start = from.max(open.from);
        while start + window.minutes <= open.to {
            let in_city = || {
                let starts_full = !self.taken.starts.has_room(start, window.people);
                self.taken
                    .full_in_city(start, window)
                    .or(starts_full.then_some(start))
            };
            let full = self
                .taken
                .full_at_site(self.capacity, site, stretch, start, window)
                .or_else(|| self.capacity.must_not(building, &(start..start + window.minutes)))
                .or_else(|| self.within_city_cap.then(in_city).flatten());
            match full {
                None => return Some(start),
                Some(full) => start = full + 1,
            }
        }
        None
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
        placer: &Placer<'_>,
        site: usize,
        unit: usize,
        within_city_cap: bool,
    ) -> Option<(Seeking, usize, u32)> {
        let people = placer.job.people[unit];
        let none_for = &mut self.none_for[usize::from(within_city_cap)][site];
        if people >= *none_for {
            return None;
        }
        let window = placer.job.capacity.seeking(site, people)?;
        let gap = placer.gap(site, unit, window, within_city_cap);
        let building = placer.job.input.units[unit].building;
        // What one building must not do says nothing about the others.
        if gap.is_none() && placer.job.capacity.must_not(building, &(0..u32::MAX)).is_none() {
            *none_for = people;
        }
        gap.map(|(stretch, start)| (window, stretch, start))
    }
}
