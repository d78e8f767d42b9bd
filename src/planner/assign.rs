//! Which site each unit goes to.
//!
//! Everybody starts at the preferred site. Then buildings, and where even that leaves a site with more than it can do
//! in the round, single units, go to another of their sites that would be done clearly sooner.

use std::ops::Range;

use super::{Choice, MINUTES_PER_DAY, PlanInput, PlanUnit, capacity::Capacity};

/// The site of each unit, by place in the input; none for units without people and for those that name no site.
pub(super) fn sites(input: &PlanInput, capacity: &Capacity) -> Vec<Option<usize>> {
    let mut assignment = Assignment::preferred(input, capacity);
    for building in runs(&input.units) {
        assignment.balance(building);
    }
    for unit in 0..input.units.len() {
        if assignment.is_overloaded(unit) {
            assignment.balance(unit..unit + 1);
        }
    }
    assignment.sites
}

struct Assignment<'a> {
    input: &'a PlanInput,
    capacity: &'a Capacity,
    sites: Vec<Option<usize>>,
    /// People by site.
    people: Vec<u64>,
}

impl<'a> Assignment<'a> {
    fn preferred(input: &'a PlanInput, capacity: &'a Capacity) -> Self {
        let mut people = vec![0; input.supply.sites.len()];
        let sites: Vec<Option<usize>> = input
            .units
            .iter()
            .map(|unit| preferred_site(input, unit, capacity))
            .collect();
        for (unit, site) in input.units.iter().zip(&sites) {
            if let Some(site) = site {
                people[*site] += u64::from(unit.people);
            }
        }
        Self {
            input,
            capacity,
            sites,
            people,
        }
    }

    /// Sends these units, which share one site and one list of sites, where they are done clearly soonest.
    fn balance(&mut self, units: Range<usize>) {
        let input = self.input;
        let unit = &input.units[units.start];
        let Some(now) = self.sites[units.start] else {
            return;
        };
        if input.choices.of(unit.choices).len() < 2 {
            return;
        }
        let moving: u64 = input.units[units.clone()]
            .iter()
            .map(|unit| u64::from(unit.people))
            .sum();
        self.people[now] -= moving;
        let finished = |site: &usize| self.capacity.finished(*site, self.people[*site] + moving);
        let soonest = usable(input, unit, self.capacity)
            .map(|site| finished(&site))
            .fold(f64::INFINITY, f64::min);
        // A site further down the list is worth the walk only if it saves a whole window.
        let good_enough = soonest + self.capacity.window_min() as f64;
        let chosen = usable(input, unit, self.capacity)
            .find(|site| finished(site) <= good_enough)
            .unwrap_or(now);
        self.people[chosen] += moving;
        for site in &mut self.sites[units] {
            *site = site.map(|_| chosen);
        }
    }

    /// Whether the unit's site has more to do than the round has hours.
    fn is_overloaded(&self, unit: usize) -> bool {
        self.sites[unit].is_some_and(|site| {
            let round_ends = (self.capacity.days - 1) * MINUTES_PER_DAY + self.capacity.sites[site].closes;
            self.capacity.finished(site, self.people[site]) > round_ends as f64
        })
    }
}

/// The first site that works, or the first at all.
fn preferred_site(input: &PlanInput, unit: &PlanUnit, capacity: &Capacity) -> Option<usize> {
    if unit.people == 0 {
        return None;
    }
    let any = || {
        input
            .choices
            .of(unit.choices)
            .iter()
            .map(Choice::index)
            .find(|&site| site < capacity.sites.len())
    };
    usable(input, unit, capacity).next().or_else(any)
}

fn usable<'a>(
    input: &'a PlanInput,
    unit: &'a PlanUnit,
    capacity: &'a Capacity,
) -> impl Iterator<Item = usize> + 'a {
    input
        .choices
        .of(unit.choices)
        .iter()
        .map(Choice::index)
        .filter(|&site| {
            capacity
                .sites
                .get(site)
                .is_some_and(super::capacity::SiteCapacity::is_usable)
        })
}

/// Stretches of units of one building with people and the same sites.
fn runs(units: &[PlanUnit]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    units
        .chunk_by(|a, b| {
            a.building == b.building && a.choices == b.choices && (a.people == 0) == (b.people == 0)
        })
        .map(move |run| {
            let range = start..start + run.len();
            start = range.end;
            range
        })
}
