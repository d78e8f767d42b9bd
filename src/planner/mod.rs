//! Units and capacity in, windows out. Pure: the same input gives the same plan.
//!
//! A unit's people are taken to arrive evenly over its window. In every minute the arrivals so expected stay within
//! what each site can sample and within the city's cap. Nobody is dropped: where capacity is short, units go to later
//! days, and beyond the last day to windows marked as over capacity, with the shortage stated.

mod assign;
mod capacity;
pub mod chart;
mod choices;
mod explain;
mod green;
mod nearest;
mod offers;
mod over;
mod pick;
mod place;
pub mod request;
mod restagger;
mod shortage;
mod starts;
mod supply;
mod totals;

use crate::domain::{BuildingId, SiteId, UnitId};

pub use choices::{Choice, Choices, ChoicesId};
pub use explain::{Bound, Candidate, Explanation, explain};
pub use nearest::{SiteGrid, nearest};
pub use offers::{Offer, OfferRequest, offers};
pub use restagger::{Announced, MOVES_MAX, Moved, Restagger, Restaggered, restagger};
pub use shortage::{Remedy, Shortage, SiteShortage};
pub use supply::{GivenWindow, MustNot, PlanSite, Span, StartsCap, Supply, Whom};

use assign::NOWHERE;
use capacity::{Capacity, Taken};
use green::GreenLane;
use place::{Job, Order, Placed, Placement, Starts};

/// Minutes of a date.
pub const MINUTES_PER_DAY: usize = 24 * 60;

/// What a round asks of the planner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanInput {
    /// The units in building order: those of one building follow each other.
    pub units: Vec<PlanUnit>,
    /// Sites, hours and caps.
    pub supply: Supply,
    /// The lists of sites that units name.
    pub choices: Choices,
    /// Windows of other live rounds: their room is gone.
    pub given: Vec<GivenWindow>,
    /// How many rounds there were before: a site's buildings take turns at being first.
    pub round_number: u32,
}

/// A building unit that needs a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanUnit {
    /// Whose window.
    pub unit: UnitId,
    /// Units of one building are sent to one site where that is possible.
    pub building: BuildingId,
    /// Residents expected, the green ones included. A unit without people gets no window.
    pub people: u32,
    /// Of these, those who may use the green lane: students, the elderly, city-support workers.
    pub green_people: u32,
    /// Where they may go.
    pub choices: ChoicesId,
}

/// Every unit's window, and what they add up to.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One window for each unit with people, in the order of the input.
    pub windows: Vec<PlannedWindow>,
    /// Units with people that name no existing site: the caller must give them one. Empty in a sound input.
    pub without_site: Vec<UnitId>,
    /// Set if some windows are over capacity.
    pub shortage: Option<Shortage>,
    /// Expected arrivals a minute over the city, by day and by minute of the day, windows over capacity included.
    pub load: Vec<Vec<f64>>,
    /// What each site has to do, in the order of [`Supply::sites`].
    pub sites: Vec<SitePlan>,
}

/// What one site has to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SitePlan {
    /// Which site.
    pub site: SiteId,
    /// People of the regular lane, those over capacity included.
    pub people: u64,
    /// Expected arrivals of the regular lane in the busiest minute.
    pub peak_per_minute: f64,
    /// People of the green lane.
    pub green_people: u64,
    /// Green desks that all who may use them need within the round's hours; the site may have fewer.
    pub green_desks_needed: u32,
}

/// A unit's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedWindow {
    /// Whose window.
    pub unit: UnitId,
    /// Where to go.
    pub site: SiteId,
    /// The date, counted from the round's first day, which is 0.
    pub day: u16,
    /// First minute, counted from midnight.
    pub start_minute: u16,
    /// Length. The window ends before minute `start_minute + minutes`.
    pub minutes: u16,
    /// Residents expected in this window: all of the unit but those of `green`. None are left if everybody may use the
    /// green lane; the window is then the green one's.
    pub people: u32,
    /// Placed beyond what the site or the city can take.
    pub over_capacity: bool,
    /// Where and when the unit's green people may come instead.
    pub green: Option<GreenWindow>,
}

/// A wide window at a site's green desks: its people may come at any time of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GreenWindow {
    /// Where to go.
    pub site: SiteId,
    /// The date, counted from the round's first day, which is 0.
    pub day: u16,
    /// First minute, counted from midnight.
    pub start_minute: u16,
    /// Length, breaks included. The window ends before minute `start_minute + minutes`.
    pub minutes: u16,
    /// Residents expected.
    pub people: u32,
}

/// Gives every unit its window.
pub fn plan(input: &PlanInput) -> Plan {
    let capacity = Capacity::of(&input.supply);
    let green = green::lane(input, &capacity);
    let given = given_people(input, &capacity);
    let assignment = assign::assign(input, &green.regular, &capacity, &given);
    let order = Order::of(input, &assignment.sites, capacity.sites.len());
    let job = Job {
        input,
        capacity: &capacity,
        people: &green.regular,
        assignment: &assignment,
        order: &order,
    };
    let mut taken = Taken::by_others(&capacity, &input.supply, &input.given);
    for (stretch, &people) in green.people.iter().enumerate().filter(|(_, people)| **people > 0) {
        let open = capacity.stretches[stretch];
        let share = people as f64 / f64::from(open.to - open.from);
        taken.add_in_city(open.from..open.to, capacity::quanta(share));
    }
    let placement = placement(&job, &taken);
    let shortage = shortage::of(&job, &placement, &green);
    summed_up(&job, &green, placement, shortage)
}

/// People of other rounds, by site.
fn given_people(input: &PlanInput, capacity: &Capacity) -> Vec<u64> {
    let mut people = vec![0; capacity.sites.len()];
    for window in &input.given {
        if let Some(people) = window.site.and_then(|site| people.get_mut(site)) {
            *people += u64::from(window.people);
        }
    }
    people
}

impl PlannedWindow {
    /// Expected arrivals a minute while the window lasts.
    pub fn people_per_minute(&self) -> f64 {
        f64::from(self.people) / f64::from(self.minutes.max(1))
    }

    /// Minute after the last, counted from midnight.
    pub fn end_minute(&self) -> u16 {
        self.start_minute + self.minutes
    }
}

impl Plan {
    /// Expected arrivals in the city's busiest minute.
    pub fn peak_per_minute(&self) -> f64 {
        self.load.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// People with a window.
    pub fn people(&self) -> u64 {
        self.windows
            .iter()
            .map(|window| u64::from(window.people) + window.green.map_or(0, |green| u64::from(green.people)))
            .sum()
    }

    /// People in windows over capacity.
    pub fn people_over_capacity(&self) -> u64 {
        self.shortage.as_ref().map_or(0, |shortage| shortage.people)
    }

    /// The last day and minute in use: when the round is over.
    pub fn ends(&self) -> Option<(u16, u16)> {
        self.windows
            .iter()
            .map(|window| (window.day, window.end_minute()))
            .max()
    }
}

/// How full of its time until the deadline a site may be to start its units one by one, as people are sampled.
const LEISURELY: f64 = 0.98;

/// Spread starts are best, but cost a site a part of its first windows. Sites that need that too do without, and where
/// even that finds no room for everybody they keep a first minute of their own, since a city that is short must not
/// begin all at once either.
fn placement(job: &Job<'_>, taken: &Taken) -> Placement {
    let mut starts: Vec<Starts> = (0..job.capacity.sites.len())
        .map(|site| first_try(job, site))
        .collect();
    let first = place::place(job, taken, &starts);
    if first.left.is_empty() {
        return first;
    }
    for left in &first.left {
        starts[left.site] = Starts::Crammed;
    }
    let mut packed = place::place(job, taken, &starts);
    if !packed.left.is_empty() {
        for left in &packed.left {
            starts[left.site] = Starts::Staggered;
        }
        packed = place::place(job, taken, &starts);
    }
    if packed.people_left() < first.people_left() {
        packed
    } else {
        first
    }
}

fn first_try(job: &Job<'_>, site: usize) -> Starts {
    let deadline = job.assignment.deadlines[site];
    let room = job.capacity.people_until(site, deadline);
    if job.assignment.people[site] as f64 > LEISURELY * room {
        Starts::Packed
    } else if job.assignment.city_binds {
        Starts::Even
    } else {
        Starts::Spread
    }
}

/// All windows together, in the order of the input, and what they add up to.
fn summed_up(job: &Job<'_>, green: &GreenLane, placement: Placement, shortage: Option<Shortage>) -> Plan {
    let Job { input, capacity, .. } = *job;
    let mut placed = placement.placed;
    let mut is_over = vec![
        false;
        if placement.left.is_empty() {
            0
        } else {
            placed.len()
        }
    ];
    for window in over::over_capacity(input, capacity, &placement.left) {
        is_over[window.unit as usize] = true;
        placed[window.unit as usize] = window;
    }
    let without_site = (input.units.iter().zip(&job.assignment.sites))
        .zip(&green.regular)
        .filter(|((_, site), people)| **people > 0 && **site == NOWHERE)
        .map(|((unit, _), _)| unit.unit)
        .collect();
    let (load, sites) = totals::of(job, green, &placed);
    let mut windows = Vec::with_capacity(placed.len());
    for (unit, placed) in placed.iter().enumerate() {
        let green = green_window(job, green, unit);
        let over_capacity = is_over.get(unit).is_some_and(|over| *over);
        if placed.site != NOWHERE {
            windows.push(planned(job, unit, placed, over_capacity, green));
        } else if let (Some(green), 0) = (green, job.people[unit]) {
            windows.push(PlannedWindow {
                unit: input.units[unit].unit,
                site: green.site,
                day: green.day,
                start_minute: green.start_minute,
                minutes: green.minutes,
                people: 0,
                over_capacity: false,
                green: Some(green),
            });
        }
    }
    Plan {
        windows,
        without_site,
        shortage,
        load,
        sites,
    }
}

fn planned(
    job: &Job<'_>,
    unit: usize,
    placed: &Placed,
    over_capacity: bool,
    green: Option<GreenWindow>,
) -> PlannedWindow {
    PlannedWindow {
        unit: job.input.units[unit].unit,
        site: job.input.supply.sites[placed.site as usize].site,
        day: (placed.start as usize / MINUTES_PER_DAY) as u16,
        start_minute: (placed.start as usize % MINUTES_PER_DAY) as u16,
        minutes: placed.minutes as u16,
        people: placed.people,
        over_capacity,
        green,
    }
}

fn green_window(job: &Job<'_>, green: &GreenLane, unit: usize) -> Option<GreenWindow> {
    let place = (*green.stretches.get(unit)?)?;
    let open = job.capacity.stretches[place.stretch as usize];
    let unit = &job.input.units[unit];
    Some(GreenWindow {
        site: job.input.supply.sites[place.site as usize].site,
        day: (open.from as usize / MINUTES_PER_DAY) as u16,
        start_minute: (open.from as usize % MINUTES_PER_DAY) as u16,
        minutes: (open.to - open.from) as u16,
        people: unit.green_people.min(unit.people),
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_more;
