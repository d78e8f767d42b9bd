//! Why a unit has its window: facts first, then sentences.

use std::{collections::HashMap, fmt};

use crate::domain::{BuildingId, SiteId, UnitId};

use super::{
    GivenWindow, MINUTES_PER_DAY, Plan, PlanInput, PlannedWindow,
    capacity::{Capacity, Seeking, Taken},
    place::Search,
};

/// Why a unit has its window. `Display` says it in plain sentences, with sites by their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Whose.
    pub unit: UnitId,
    /// The window.
    pub window: PlannedWindow,
    /// The sites that the unit may go to, the preferred first.
    pub candidates: Vec<Candidate>,
    /// Of so many buildings at the site, the how-manieth its building is, counted from 1.
    pub building_rank: (usize, usize),
    /// The first minute of the round in which the site's desks alone would have had room, as day and minute.
    pub first_free_at_site: Option<(u16, u16)>,
    /// What kept the unit from starting then.
    pub bound: Bound,
}

/// A site that the unit may go to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which.
    pub site: SiteId,
    /// How far, if known.
    pub metres: Option<f32>,
    /// People with a window there in this round.
    pub people: u64,
    /// What the site can sample in the round's hours.
    pub people_max: u64,
    /// Whether it is the one.
    pub chosen: bool,
}

/// What decided the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing: it starts as soon as the round samples.
    None,
    /// Others before it in the site's order.
    Order,
    /// The site's desks.
    Site,
    /// The city's cap on arrivals.
    City,
    /// The cap on starts.
    Starts,
    /// A time at which it must not be called.
    MustNot,
    /// There is no room at all: the window is over capacity.
    NoRoom,
}

/// Why this unit has its window; none for a unit that the plan has no window for.
pub fn explain(input: &PlanInput, plan: &Plan, unit: UnitId) -> Option<Explanation> {
    let window = *plan.windows.iter().find(|window| window.unit == unit)?;
    let asked = input.units.iter().find(|other| other.unit == unit)?;
    let capacity = Capacity::of(&input.supply);
    let of_unit = input.choices.of(asked.choices);
    let candidates = of_unit
        .iter()
        .filter(|choice| choice.index() < capacity.sites.len())
        .map(|choice| {
            let site = &capacity.sites[choice.index()];
            Candidate {
                site: plan.sites[choice.index()].site,
                metres: choice.metres,
                people: plan.sites[choice.index()].people,
                people_max: (site.rate * f64::from(site.open_minutes)) as u64,
                chosen: plan.sites[choice.index()].site == window.site,
            }
        })
        .collect();
    let room = Others::of(input, plan, &capacity, &window);
    let first_free = room.first_free(asked.building, false);
    Some(Explanation {
        unit,
        window,
        candidates,
        building_rank: building_rank(input, plan, asked.building, window.site),
        first_free_at_site: first_free.map(day_and_minute),
        bound: room.bound(asked.building, first_free),
    })
}

fn day_and_minute(minute: u32) -> (u16, u16) {
    let day = MINUTES_PER_DAY as u32;
    ((minute / day) as u16, (minute % day) as u16)
}

/// The building's place among those at the site, by when their first units come.
fn building_rank(input: &PlanInput, plan: &Plan, building: BuildingId, site: SiteId) -> (usize, usize) {
    let buildings: HashMap<UnitId, BuildingId> =
        (input.units.iter().map(|unit| (unit.unit, unit.building))).collect();
    let mut firsts: HashMap<BuildingId, (u16, u16)> = HashMap::new();
    for window in plan.windows.iter().filter(|window| window.site == site) {
        if let Some(&building) = buildings.get(&window.unit) {
            let at = (window.day, window.start_minute);
            let first = firsts.entry(building).or_insert(at);
            *first = at.min(*first);
        }
    }
    let own = firsts.get(&building).copied();
    let before = firsts
        .iter()
        .filter(|&(&other, &first)| Some((first, other)) < own.map(|own| (own, building)))
        .count();
    (before + 1, firsts.len())
}

/// What all other windows of the plan have taken.
struct Others<'a> {
    capacity: &'a Capacity,
    taken: Taken,
    window: &'a PlannedWindow,
    site: Option<usize>,
}

impl<'a> Others<'a> {
    fn of(input: &PlanInput, plan: &Plan, capacity: &'a Capacity, window: &'a PlannedWindow) -> Self {
        let places: HashMap<SiteId, usize> = (input.supply.sites.iter().enumerate())
            .map(|(at, site)| (site.site, at))
            .collect();
        let others = plan.windows.iter().filter(|other| other.unit != window.unit);
        let given: Vec<GivenWindow> = input
            .given
            .iter()
            .copied()
            .chain(others.filter(|other| other.people > 0).map(|other| GivenWindow {
                site: places.get(&other.site).copied(),
                day: other.day,
                start_minute: other.start_minute,
                minutes: other.minutes,
                people: other.people,
            }))
            .collect();
        Self {
            capacity,
            taken: Taken::by_others(capacity, &input.supply, &given),
            window,
            site: places.get(&window.site).copied(),
        }
    }

    fn seeking(&self) -> Seeking {
        Seeking::new(self.window.people, u32::from(self.window.minutes))
    }

    /// The first minute with room beside all others, at the site alone or in the city too.
    fn first_free(&self, building: BuildingId, within_city_cap: bool) -> Option<u32> {
        let site = self.site?;
        let search = Search {
            capacity: self.capacity,
            taken: &self.taken,
            within_city_cap,
        };
        let mut stretches = self.capacity.sites[site].stretches.clone();
        stretches.find_map(|stretch| search.first(site, stretch, 0, self.seeking(), building))
    }

    /// What kept the unit from starting as soon as the site opens.
    fn bound(&self, building: BuildingId, first_free: Option<u32>) -> Bound {
        let start = u32::from(self.window.day) * MINUTES_PER_DAY as u32 + u32::from(self.window.start_minute);
        let Some(first) = first_free.filter(|_| !self.window.over_capacity) else {
            return Bound::NoRoom;
        };
        let opens = self.site.and_then(|site| self.capacity.open(site).first());
        let opens = opens.map_or(0, |stretch| stretch.from);
        if start == opens {
            return Bound::None;
        }
        let minutes = opens..opens + u32::from(self.window.minutes);
        if self.capacity.must_not(building, &minutes).is_some() && first >= start {
            return Bound::MustNot;
        }
        if first >= start {
            return Bound::Site;
        }
        if self.taken.full_in_city(first, self.seeking()).is_some() {
            return Bound::City;
        }
        if !self.taken.starts.has_room(first, self.window.people) {
            return Bound::Starts;
        }
        Bound::Order
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl Bound {
    /// The reason as a sentence.
    fn words(self) -> &'static str {
        match self {
            Self::None => "It starts as soon as the site opens.",
            Self::Order => "Others come before it in the order, so that starts are spread.",
            Self::Site => "Until then the site's desks are taken.",
            Self::City => "The site would have room earlier, but the city's cap does not.",
            Self::Starts => "The site would have room earlier, but no more windows may start then.",
            Self::MustNot => "Before that its people must not be called.",
            Self::NoRoom => "No time of the round has room for it: the window is over capacity.",
        }
    }
}

impl Explanation {
    /// In plain sentences, with the sites' names.
    pub fn words(&self, name: &dyn Fn(SiteId) -> String) -> String {
        let window = &self.window;
        let mut text = format!(
            "Unit {} ({} people) goes to {} on day {} at {}, for {} minutes.",
            self.unit,
            window.people,
            name(window.site),
            window.day + 1,
            clock(window.start_minute),
            window.minutes
        );
        for candidate in &self.candidates {
            let far = candidate
                .metres
                .map_or(String::new(), |metres| format!(", {metres:.0} m away,"));
            text.push_str(&format!(
                "\n{}{far} has {} people and can sample {}{}.",
                name(candidate.site),
                candidate.people,
                candidate.people_max,
                if candidate.chosen { ": it is the one" } else { "" }
            ));
        }
        if !self.candidates.first().is_none_or(|first| first.chosen) {
            text.push_str("\nThe preferred site would not be done in time with these people too.");
        }
        let (rank, of) = self.building_rank;
        text.push_str(&format!("\nIts building is number {rank} of {of} at the site."));
        if let Some((day, minute)) = self.first_free_at_site {
            let minute = clock(minute);
            text.push_str(&format!(
                " Beside all others the desks are first free on day {} at {minute}.",
                day + 1
            ));
        }
        text.push_str(&format!("\n{}", self.bound.words()));
        if let Some(green) = &window.green {
            text.push_str(&format!(
                "\n{} of the unit's people may use the green lane at {} on day {} at any time from {} for {} minutes.",
                green.people,
                name(green.site),
                green.day + 1,
                clock(green.start_minute),
                green.minutes
            ));
        }
        text
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&|site| format!("site {site}")))
    }
}
