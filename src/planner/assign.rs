//! Which site each unit goes to.
//!
//! Everybody starts at the nearest site. Then a deadline is sought, as early as can be, by which every site is done if
//! the overloaded ones hand people on: whole buildings where that goes, single units where not, with the least extra
//! walk first. This is push–relabel on the graph of sites that share people. Where it gets stuck, the sites that cannot
//! hand on are closed among themselves, so that the deadline must rise to what they need together. Beyond the day on
//! which the rest of the city is done, it rises for these sites alone.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
};

use super::{
    Choice, ChoicesId, MINUTES_PER_DAY, PlanInput, PlanUnit,
    capacity::{Capacity, SiteCapacity},
};

/// No site.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A chain of sites through which people are handed on is no longer than this before it is searched anew.
const LABEL_MAX: u32 = 12;

/// So often a site may hand people on by a long way.
const DETOURS_MAX: u16 = 8;

/// A site has room if one in so many of its people is free.
const WORTH_A_DETOUR: u64 = 400;

/// The deadline rises by no less, so that it gets where it must.
const LEAST_RISE_MINUTES: f64 = 0.5;

/// Where the round is too short, deadlines lie beyond it, but by no more than so many rounds.
const LATEST_ROUNDS: f64 = 8.0;

/// The city's cap binds if more than this share of it is needed until the deadline.
const CITY_BINDS_FROM: f64 = 0.9;

/// What a place further down a list counts for in metres where distances are not known.
const METRES_PER_PLACE: f32 = 300.0;

/// Where everybody goes, and by when each site should be done.
pub(super) struct Assignment {
    /// The site of each unit, by place in the input; [`NOWHERE`] for units without people or sites.
    pub(super) sites: Vec<u32>,
    /// By site, in minutes from the first midnight.
    pub(super) deadlines: Vec<f64>,
    /// People by site, those of other rounds included.
    pub(super) people: Vec<u64>,
    /// Whether the city's cap, not the sites, says how soon the city is done.
    pub(super) city_binds: bool,
}

/// Units of one building at one site, which share one list of sites.
#[derive(Clone, Copy)]
struct Group {
    first: u32,
    end: u32,
    people: u64,
    choices: ChoicesId,
    site: u32,
}

/// A push of some of a group's units to another site.
#[derive(Clone, Copy)]
struct Push {
    /// Place in the list of the site's groups.
    position: usize,
    to: u32,
    /// How many units, from the last.
    units: u32,
    people: u64,
    /// A push that parts no building goes first, then the one with the least extra walk.
    rank: (bool, f32),
}

/// Assigns people, given by unit, to sites.
pub(super) fn assign(input: &PlanInput, people: &[u32], capacity: &Capacity, given: &[u64]) -> Assignment {
    let mut balance = Balance::nearest(input, people, capacity, given);
    balance.relax();
    balance.send_back();
    balance.reunite();
    balance.done()
}

struct Balance<'a> {
    input: &'a PlanInput,
    unit_people: &'a [u32],
    capacity: &'a Capacity,
    /// People of other rounds, by site.
    given: &'a [u64],
    groups: Vec<Group>,
    at_site: Vec<Vec<u32>>,
    people: Vec<u64>,
    /// What each site can do until its deadline.
    limits: Vec<u64>,
    labels: Vec<u32>,
    /// The common deadline, and those of sites that have one of their own.
    deadline: f64,
    own_deadlines: Vec<Option<f64>>,
    /// Overloaded sites, each once.
    queue: VecDeque<u32>,
    queued: Vec<bool>,
    detours: Vec<u16>,
    /// People by whom sites may be fuller than the deadline allows, since whole buildings do not flow like water.
    grain: Vec<u64>,
    /// The part of each site's capacity that whole units can fill.
    yields: Vec<f64>,
}

impl<'a> Balance<'a> {
    fn nearest(
        input: &'a PlanInput,
        unit_people: &'a [u32],
        capacity: &'a Capacity,
        given: &'a [u64],
    ) -> Self {
        let sites = capacity.sites.len();
        let mut balance = Self {
            input,
            unit_people,
            capacity,
            given,
            groups: Vec::new(),
            at_site: vec![Vec::new(); sites],
            people: vec![0; sites],
            limits: vec![0; sites],
            labels: vec![0; sites],
            deadline: 0.0,
            own_deadlines: vec![None; sites],
            queue: VecDeque::new(),
            queued: vec![false; sites],
            detours: vec![0; sites],
            grain: capacity.sites.iter().map(|site| grain(site, capacity)).collect(),
            yields: yields(input, unit_people, capacity),
        };
        for run in runs(&input.units, unit_people) {
            let choices = input.units[run.start].choices;
            let Some(site) = preferred_site(input.choices.of(choices), capacity) else {
                continue;
            };
            let people = unit_people[run.clone()]
                .iter()
                .map(|&people| u64::from(people))
                .sum();
            balance.people[site] += people;
            balance.at_site[site].push(balance.groups.len() as u32);
            balance.groups.push(Group {
                first: run.start as u32,
                end: run.end as u32,
                people,
                choices,
                site: site as u32,
            });
        }
        balance
    }

    /// Raises the deadline and hands people on until no site has more to do than it can.
    fn relax(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        self.deadline = self.least_deadline();
        let midnight = (self.deadline / MINUTES_PER_DAY as f64).floor() * MINUTES_PER_DAY as f64;
        let day_ends = self.day_ends(midnight);
        self.set_limits();
        for site in 0..self.people.len() as u32 {
            self.enqueue(site);
        }
        while let Some(site) = self.queue.pop_front() {
            self.queued[site as usize] = false;
            if !self.discharge(site) {
                self.stuck(site, day_ends);
            }
        }
    }

    /// The end of the last stretch that begins on the date of this midnight, or the midnight if there is none.
    fn day_ends(&self, midnight: f64) -> f64 {
        let date = midnight as u32..midnight as u32 + MINUTES_PER_DAY as u32;
        let stretches = self.capacity.stretches.iter();
        let ends = stretches.filter(|stretch| date.contains(&stretch.from));
        f64::from(ends.map(|stretch| stretch.to).max().unwrap_or(date.start))
    }

    /// No plan is done sooner: all sites together have no more room, nor has the city.
    fn least_deadline(&self) -> f64 {
        let all: Vec<u32> = (0..self.people.len() as u32).collect();
        let by_sites = self.done_together(&all, 0.0);
        let people: u64 = self.people.iter().chain(self.given).sum();
        let by_city = self.opens() + people as f64 / self.capacity.city;
        by_sites
            .unwrap_or(self.capacity.horizon as f64)
            .max(by_city.min(self.capacity.horizon as f64))
    }

    /// The first minute in which a site is open.
    fn opens(&self) -> f64 {
        let first = self.capacity.stretches.iter().map(|stretch| stretch.from).min();
        f64::from(first.unwrap_or(0))
    }

    /// When these sites have done what they have to, if they share it; none if not within the round.
    fn done_together(&self, sites: &[u32], from: f64) -> Option<f64> {
        let todo: u64 = sites
            .iter()
            .map(|&site| self.people[site as usize] + self.given[site as usize])
            .sum();
        let done = |minute: f64| -> f64 {
            let of = |&site: &u32| self.can_do(site as usize, minute);
            sites.iter().map(of).sum()
        };
        let (mut early, mut late) = (from, self.latest());
        if done(late) < todo as f64 {
            return None;
        }
        // A twentieth of a minute is three people at the largest site.
        while late - early > 0.05 {
            let middle = f64::midpoint(early, late);
            if done(middle) < todo as f64 {
                early = middle;
            } else {
                late = middle;
            }
        }
        Some(late)
    }

    /// People whom the site can really sample until this minute, in whole units. Beyond the round it goes on evenly, so
    /// that sites which are short share what is missing.
    fn can_do(&self, site: usize, minute: f64) -> f64 {
        let horizon = self.capacity.horizon as f64;
        let within = self.capacity.people_until(site, minute.min(horizon)) * self.yields[site];
        within * (minute / horizon).max(1.0)
    }

    /// No deadline is later: that much too short no sites can be.
    fn latest(&self) -> f64 {
        self.capacity.horizon as f64 * LATEST_ROUNDS
    }

    fn set_limits(&mut self) {
        for site in 0..self.limits.len() {
            let deadline = self.own_deadlines[site].unwrap_or(self.deadline);
            let room = self.can_do(site, deadline) as u64 + self.grain[site];
            self.limits[site] = room.saturating_sub(self.given[site]);
        }
    }

    fn enqueue(&mut self, site: u32) {
        let is_given_up = self.detours[site as usize] == u16::MAX;
        if self.excess(site) > 0 && !self.queued[site as usize] && !is_given_up {
            self.queued[site as usize] = true;
            self.queue.push_back(site);
        }
    }

    fn excess(&self, site: u32) -> u64 {
        self.people[site as usize].saturating_sub(self.limits[site as usize])
    }

    fn slack(&self, site: u32) -> u64 {
        self.limits[site as usize].saturating_sub(self.people[site as usize])
    }

    /// Hands people on until the site can do the rest; false if it cannot hand on enough.
    fn discharge(&mut self, site: u32) -> bool {
        while self.excess(site) > 0 {
            let (push, lowest) = self.best_push(site);
            if let Some(push) = push {
                self.carry_out(site, push);
                self.enqueue(push.to);
            } else {
                match lowest {
                    // Nobody can move without making it worse: half a unit too many is as near as one comes.
                    Some(label) if label < self.labels[site as usize] => return true,
                    Some(label) if label < LABEL_MAX => self.labels[site as usize] = label + 1,
                    _ => return false,
                }
            }
        }
        true
    }

    /// The best push downhill, and the lowest label among the sites to which the site's people may go.
    fn best_push(&self, site: u32) -> (Option<Push>, Option<u32>) {
        let excess = self.excess(site);
        let own_label = self.labels[site as usize];
        let mut best: Option<Push> = None;
        let mut lowest = None;
        for (position, &group) in self.at_site[site as usize].iter().enumerate() {
            let group = &self.groups[group as usize];
            let choices = self.input.choices.of(group.choices);
            let here = choices.iter().position(|choice| choice.site == site).unwrap_or(0);
            for (place, choice) in choices.iter().enumerate() {
                let Some(&label) = self.labels.get(choice.index()) else {
                    continue;
                };
                if choice.site == site || !self.capacity.sites[choice.index()].is_usable() {
                    continue;
                }
                lowest = Some(lowest.map_or(label, |lowest: u32| lowest.min(label)));
                if label >= own_label {
                    continue;
                }
                let walk = extra_walk(choices, here, place);
                if best.is_some_and(|best| best.rank <= (false, walk)) {
                    continue;
                }
                let room = if label == 0 {
                    self.slack(choice.site) + self.grain[choice.index()]
                } else {
                    u64::MAX
                };
                let Some((units, people)) = self.part(group, excess, room) else {
                    continue;
                };
                let rank = (units < group.end - group.first, walk);
                if best.is_none_or(|best| rank < best.rank) {
                    best = Some(Push {
                        position,
                        to: choice.site,
                        units,
                        people,
                        rank,
                    });
                }
            }
        }
        (best, lowest)
    }

    /// How many of a group's units, from the last, go best: no more than must and, unless it is one, than fit.
    fn part(&self, group: &Group, excess: u64, room: u64) -> Option<(u32, u64)> {
        let most = excess.min(room.max(1));
        // A building stays whole if that brings the site nearer to its limit than if it stayed.
        if group.people <= room && group.people < 2 * excess {
            return Some((group.end - group.first, group.people));
        }
        let (mut units, mut people) = (0, 0);
        for &unit in self.unit_people[group.first as usize..group.end as usize]
            .iter()
            .rev()
        {
            let with = people + u64::from(unit);
            // The first may pass the mark if it then lies nearer.
            if with > most && (units > 0 || with >= 2 * excess) {
                break;
            }
            (units, people) = (units + 1, with);
        }
        (units > 0).then_some((units, people))
    }

    fn carry_out(&mut self, site: u32, push: Push) {
        let list = &mut self.at_site[site as usize];
        let id = list[push.position];
        let group = &mut self.groups[id as usize];
        self.people[site as usize] -= push.people;
        self.people[push.to as usize] += push.people;
        if push.units == group.end - group.first {
            group.site = push.to;
            list.swap_remove(push.position);
            self.at_site[push.to as usize].push(id);
            return;
        }
        group.end -= push.units;
        group.people -= push.people;
        let part = Group {
            first: group.end,
            end: group.end + push.units,
            people: push.people,
            site: push.to,
            ..*group
        };
        self.at_site[push.to as usize].push(self.groups.len() as u32);
        self.groups.push(part);
    }

    /// A site cannot hand on downhill. If room can be reached all the same, people are handed on along the shortest way;
    /// else it and all that its people can reach need more time.
    fn stuck(&mut self, site: u32, day_ends: f64) {
        let reached = self.reachable(site);
        if let Some(way) = &reached.way {
            let detours = &mut self.detours[site as usize];
            *detours += 1;
            if *detours <= DETOURS_MAX && self.hand_on(way) {
                self.enqueue(site);
            }
            return;
        }
        let now = self.own_deadlines[site as usize].unwrap_or(self.deadline);
        let needed = self.done_together(&reached.sites, now);
        let needed = needed
            .map(|needed| needed.max(now + LEAST_RISE_MINUTES))
            .filter(|&needed| needed <= self.latest());
        match needed {
            Some(needed) if needed <= day_ends => self.deadline = self.deadline.max(needed),
            _ => {
                let deadline = needed.unwrap_or(self.latest());
                for &site in &reached.sites {
                    self.own_deadlines[site as usize] = Some(deadline);
                }
            }
        }
        self.set_limits();
        for &site in &reached.sites {
            if needed.is_some() {
                self.labels[site as usize] = 0;
                self.enqueue(site);
            } else {
                // The round has no room for them: nobody else is sent here.
                self.labels[site as usize] = LABEL_MAX;
                self.detours[site as usize] = u16::MAX;
            }
        }
    }

    /// Hands people on from each site of the way to the next, the last first; true if anybody moved.
    fn hand_on(&mut self, way: &[u32]) -> bool {
        let (Some(&first), Some(&last)) = (way.first(), way.last()) else {
            return false;
        };
        let amount = self.excess(first).min(self.slack(last)).max(1);
        for pair in way.windows(2).rev() {
            let Some(push) = self.best_push_to(pair[0], pair[1], amount) else {
                return false;
            };
            self.carry_out(pair[0], push);
            self.enqueue(pair[1]);
        }
        true
    }

    /// The push of about so many people to one site that costs the least extra walk.
    fn best_push_to(&self, site: u32, to: u32, amount: u64) -> Option<Push> {
        let mut best: Option<Push> = None;
        for (position, &group) in self.at_site[site as usize].iter().enumerate() {
            let group = &self.groups[group as usize];
            let choices = self.input.choices.of(group.choices);
            let Some(there) = choices.iter().position(|choice| choice.site == to) else {
                continue;
            };
            let here = choices.iter().position(|choice| choice.site == site).unwrap_or(0);
            let Some((units, people)) = self.part(group, amount, u64::MAX) else {
                continue;
            };
            let rank = (units < group.end - group.first, extra_walk(choices, here, there));
            if best.is_none_or(|best| rank < best.rank) {
                best = Some(Push {
                    position,
                    to,
                    units,
                    people,
                    rank,
                });
            }
        }
        best
    }

    /// The sites to which people can be handed on from here, step by step, up to the first with room.
    fn reachable(&self, site: u32) -> Reached {
        let mut before: HashMap<u32, u32> = HashMap::from([(site, site)]);
        let mut sites = vec![site];
        let mut next = 0;
        while let Some(&from) = sites.get(next) {
            next += 1;
            for &group in &self.at_site[from as usize] {
                for choice in self.input.choices.of(self.groups[group as usize].choices) {
                    let is_usable =
                        (self.capacity.sites.get(choice.index())).is_some_and(SiteCapacity::is_usable);
                    if !is_usable || before.contains_key(&choice.site) {
                        continue;
                    }
                    before.insert(choice.site, from);
                    sites.push(choice.site);
                    if self.slack(choice.site) > self.limits[choice.index()] / WORTH_A_DETOUR {
                        return Reached {
                            way: Some(way(&before, choice.site)),
                            sites,
                        };
                    }
                }
            }
        }
        Reached { sites, way: None }
    }

    /// Whoever was sent further than needs be goes back to a nearer site that has room after all.
    fn send_back(&mut self) {
        for id in 0..self.groups.len() {
            let group = self.groups[id];
            let nearer = self
                .input
                .choices
                .of(group.choices)
                .iter()
                .take_while(|choice| choice.site != group.site)
                .find(|choice| {
                    choice.index() < self.people.len()
                        && self.capacity.sites[choice.index()].is_usable()
                        && self.slack(choice.site) >= group.people
                });
            if let Some(choice) = nearer {
                self.people[group.site as usize] -= group.people;
                self.people[choice.index()] += group.people;
                self.groups[id].site = choice.site;
            }
        }
    }

    /// Buildings whose units were parted come together again where one of their sites has room.
    fn reunite(&mut self) {
        let mut order: Vec<u32> = (0..self.groups.len() as u32).collect();
        order.sort_unstable_by_key(|&id| self.groups[id as usize].first);
        for pair in order.windows(2) {
            let (a, b) = (pair[0] as usize, pair[1] as usize);
            let (one, other) = (self.groups[a], self.groups[b]);
            let building = |group: Group| self.input.units[group.first as usize].building;
            if one.site == other.site || one.choices != other.choices || building(one) != building(other) {
                continue;
            }
            let both = one.people + other.people;
            let room = |site: u32| {
                let mine = |group: Group| if group.site == site { group.people } else { 0 };
                self.slack(site) + self.grain[site as usize] + mine(one) + mine(other)
            };
            let choices = self.input.choices.of(one.choices).iter();
            let usable = |choice: &&Choice| {
                (self.capacity.sites.get(choice.index())).is_some_and(SiteCapacity::is_usable)
            };
            let together = choices.filter(usable).find(|choice| room(choice.site) >= both);
            if let Some(site) = together.map(|choice| choice.site) {
                for id in [a, b] {
                    let group = &mut self.groups[id];
                    self.people[group.site as usize] -= group.people;
                    self.people[site as usize] += group.people;
                    group.site = site;
                }
            }
        }
    }

    fn done(self) -> Assignment {
        let mut sites = vec![NOWHERE; self.input.units.len()];
        for group in &self.groups {
            for unit in group.first..group.end {
                if self.unit_people[unit as usize] > 0 {
                    sites[unit as usize] = group.site;
                }
            }
        }
        let deadlines = self
            .own_deadlines
            .iter()
            .map(|own| own.unwrap_or(self.deadline).min(self.capacity.horizon as f64))
            .collect();
        let people: Vec<u64> = self
            .people
            .iter()
            .zip(self.given)
            .map(|(own, given)| own + given)
            .collect();
        let all: u64 = people.iter().sum();
        let open_minutes = self.deadline.min(self.capacity.horizon as f64) - self.opens();
        Assignment {
            sites,
            deadlines,
            city_binds: all as f64 > CITY_BINDS_FROM * self.capacity.city * open_minutes,
            people,
        }
    }
}

/// Half of what a site samples in the shortest window.
fn grain(site: &SiteCapacity, capacity: &Capacity) -> u64 {
    (site.rate * capacity.window_min() as f64 / 2.0) as u64
}

/// Where people can be handed on to.
struct Reached {
    sites: Vec<u32>,
    /// From the first site to one with room, if there is one.
    way: Option<Vec<u32>>,
}

/// The way by which a site was reached, from the first on.
fn way(before: &HashMap<u32, u32>, to: u32) -> Vec<u32> {
    let mut way = vec![to];
    let mut at = to;
    while let Some(&from) = before.get(&at) {
        if from == at {
            break;
        }
        way.push(from);
        at = from;
    }
    way.reverse();
    way
}

/// The part of each site's capacity that whole units can fill: few units beside each other leave gaps.
fn yields(input: &PlanInput, people: &[u32], capacity: &Capacity) -> Vec<f64> {
    let with_people = people.iter().filter(|&&people| people > 0);
    let mean =
        people.iter().map(|&people| f64::from(people)).sum::<f64>() / with_people.count().max(1) as f64;
    let window = f64::from(input.supply.window_min_minutes.max(1));
    capacity
        .sites
        .iter()
        .map(|site| {
            let beside = site.rate * window / mean.max(1.0);
            let step = YIELDS.iter().find(|(below, _)| beside < *below);
            step.map_or(1.0, |&(_, part)| part)
        })
        .collect()
}

/// What sites filled in trials, by how many units of the mean size are sampled beside each other.
const YIELDS: [(f64, f64); 6] = [
    (1.0, 0.93),
    (2.0, 0.75),
    (3.0, 0.85),
    (5.0, 0.92),
    (8.0, 0.96),
    (14.0, 0.985),
];

/// How much further a site is than another of the list, in metres.
fn extra_walk(choices: &[Choice], here: usize, there: usize) -> f32 {
    match (choices[here].metres, choices[there].metres) {
        (Some(here), Some(there)) => there - here,
        _ => (there as f32 - here as f32) * METRES_PER_PLACE,
    }
}

/// The first site that works, or the first at all.
fn preferred_site(choices: &[Choice], capacity: &Capacity) -> Option<usize> {
    let mut known = choices
        .iter()
        .map(Choice::index)
        .filter(|&site| site < capacity.sites.len());
    let first = known.clone().next();
    known.find(|&site| capacity.sites[site].is_usable()).or(first)
}

/// Stretches of units of one building with people and the same sites.
fn runs<'a>(units: &'a [PlanUnit], people: &'a [u32]) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut start = 0;
    std::iter::from_fn(move || {
        while start < units.len() && people[start] == 0 {
            start += 1;
        }
        let first = units.get(start)?;
        let from = start;
        while start < units.len()
            && people[start] > 0
            && units[start].building == first.building
            && units[start].choices == first.choices
        {
            start += 1;
        }
        Some(from..start)
    })
}
