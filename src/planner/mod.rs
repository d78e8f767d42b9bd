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
mod nearest;
mod offers;
mod place;
pub mod request;
mod restagger;
mod shortage;
mod supply;

use crate::domain::{BuildingId, SiteId, UnitId};

pub use choices::{Choice, Choices, ChoicesId};
pub use explain::{Bound, Candidate, Explanation, explain};
pub use nearest::{SiteGrid, nearest};
pub use offers::{Offer, OfferRequest, offers};
pub use restagger::{Announced, MOVES_MAX, Moved, Restagger, Restaggered, restagger};
pub use shortage::{Remedy, Shortage, SiteShortage};
pub use supply::{GivenWindow, MustNot, PlanSite, Span, StartsCap, Supply, Whom};

use capacity::Capacity;
use place::{Placed, Placement, Starts};

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
    let capacity = Capacity::of(input);
    let sites = assign::sites(input, &capacity);
    let placement = placement(input, &capacity, &sites);
    let shortage = capacity::shortage(input, &capacity, &placement);
    let windows = all_windows(input, &capacity, &sites, placement);
    summed_up(input, &sites, windows, shortage)
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
        self.windows.iter().map(|window| u64::from(window.people)).sum()
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

/// Spread starts are best, but cost a site a part of its first windows. Sites that have no room for somebody do
/// without: wholly where that finds room for everybody; elsewhere they keep a first minute of their own, since a city
/// that is short must not begin all at once either.
fn placement(input: &PlanInput, capacity: &Capacity, sites: &[Option<usize>]) -> Placement {
    let with = |starts: &[Starts]| place::place(input, capacity, sites, starts);
    let mut starts = vec![Starts::Spread; input.supply.sites.len()];
    let spread = with(&starts);
    if spread.left.is_empty() {
        return spread;
    }
    for left in &spread.left {
        starts[left.site] = Starts::Packed;
    }
    let mut packed = with(&starts);
    if !packed.left.is_empty() {
        for left in &packed.left {
            starts[left.site] = Starts::Staggered;
        }
        packed = with(&starts);
    }
    if packed.people_left() < spread.people_left() {
        packed
    } else {
        spread
    }
}

/// The placed windows and those over capacity together, in the order of the input.
fn all_windows(
    input: &PlanInput,
    capacity: &Capacity,
    sites: &[Option<usize>],
    placement: Placement,
) -> Vec<Option<(Placed, bool)>> {
    let over = place::over_capacity(input, capacity, &placement.left);
    let mut windows: Vec<Option<(Placed, bool)>> = placement
        .placed
        .into_iter()
        .map(|placed| placed.map(|placed| (placed, false)))
        .collect();
    for (unit, placed) in over {
        windows[unit] = Some((placed, true));
    }
    debug_assert!(
        (0..input.units.len()).all(|unit| windows[unit].is_some() == sites[unit].is_some()),
        "every unit with people and a site has its window"
    );
    windows
}

fn summed_up(
    input: &PlanInput,
    sites: &[Option<usize>],
    windows: Vec<Option<(Placed, bool)>>,
    shortage: Option<Shortage>,
) -> Plan {
    let without_site = input
        .units
        .iter()
        .zip(sites)
        .filter(|(unit, site)| unit.people > 0 && site.is_none())
        .map(|(unit, _)| unit.unit)
        .collect();
    let (load, peaks) = place::load_and_peaks(input, windows.iter().flatten().map(|(placed, _)| placed));
    let mut people = vec![0_u64; peaks.len()];
    for (placed, _) in windows.iter().flatten() {
        people[placed.site] += u64::from(placed.people);
    }
    let sites = (input.supply.sites.iter().zip(peaks).zip(people))
        .map(|((site, peak_per_minute), people)| SitePlan {
            site: site.site,
            people,
            peak_per_minute,
            green_people: 0,
            green_desks_needed: 0,
        })
        .collect();
    let windows = windows
        .into_iter()
        .flatten()
        .map(|(placed, over_capacity)| PlannedWindow {
            unit: input.units[placed.unit].unit,
            site: input.supply.sites[placed.site].site,
            day: placed.day as u16,
            start_minute: placed.start as u16,
            minutes: placed.minutes as u16,
            people: placed.people,
            over_capacity,
            green: None,
        })
        .collect();
    Plan {
        windows,
        without_site,
        shortage,
        load,
        sites,
    }
}

#[cfg(test)]
mod tests;
