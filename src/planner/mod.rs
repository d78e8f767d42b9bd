//! Units and capacity in, windows out. Pure: the same input gives the same plan.
//!
//! A unit's people are taken to arrive evenly over its window. In every minute the arrivals so expected stay within
//! what each site can sample and within the city's cap. Nobody is dropped: where capacity is short, units go to later
//! days, and beyond the last day to windows marked as over capacity, with the shortage stated.

mod assign;
mod capacity;
pub mod chart;
mod place;

use crate::domain::{BuildingId, SiteId, UnitId};

use capacity::Capacity;
use place::{Placed, Placement, Starts};

/// Minutes of a date.
pub const MINUTES_PER_DAY: usize = 24 * 60;

/// What a round asks of the planner.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanInput {
    /// The units in building order: those of one building follow each other.
    pub units: Vec<PlanUnit>,
    /// The sites; units name them by their place in this list.
    pub sites: Vec<PlanSite>,
    /// Dates that may be used, from the first day to the round's last.
    pub days: u16,
    /// First minute of the day at which the round samples; sites may open later.
    pub from_minute: u16,
    /// The same on the first day, a part of which may have passed; it counts where it is later.
    pub first_day_from_minute: u16,
    /// Minute of the day at which the round's sampling ends; sites may close earlier.
    pub to_minute: u16,
    /// Arrivals a minute that the whole city may expect; without one the sites alone are the limit.
    pub city_cap: Option<f64>,
    /// The shortest window, in minutes.
    pub window_min_minutes: u32,
}

/// A building unit that needs a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanUnit {
    /// Whose window.
    pub unit: UnitId,
    /// Units of one building are sent to one site where that is possible.
    pub building: BuildingId,
    /// Residents expected. A unit without people gets no window.
    pub people: u32,
    /// Where they may go, by place in [`PlanInput::sites`], the preferred site first.
    pub sites: Vec<usize>,
}

/// A sampling site's regular lane.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSite {
    /// Which site.
    pub site: SiteId,
    /// People a minute that all regular desks sample.
    pub people_per_minute: f64,
    /// People a minute that one desk samples; shortages are stated in desks.
    pub desk_people_per_minute: f64,
    /// First minute of the day.
    pub opens_minute: u16,
    /// Minute of the day at which it closes.
    pub closes_minute: u16,
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
    /// Expected arrivals in each site's busiest minute, in the order of [`PlanInput::sites`].
    pub site_peaks: Vec<f64>,
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
    /// Residents expected.
    pub people: u32,
    /// Placed beyond what the site or the city can take.
    pub over_capacity: bool,
}

/// What is missing for everybody to be sampled within the round. More desks *or* more hours cure it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Shortage {
    /// People in windows over capacity.
    pub people: u64,
    /// Regular desks missing, over all sites.
    pub desks: u32,
    /// Opening hours missing at the site that is short of most, or under the city's cap if that is more.
    pub hours: f64,
    /// Of `people`, those for whom desks are free but the city's cap leaves no room: more desks do not help them.
    pub people_beyond_city_cap: u64,
    /// The sites that are short, in the order of the input.
    pub sites: Vec<SiteShortage>,
}

/// What is missing at one site.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SiteShortage {
    /// Where.
    pub site: SiteId,
    /// People in windows over capacity.
    pub people: u64,
    /// Desks missing through all the round's hours at this site.
    pub desks: u32,
    /// Hours missing with the desks that it has.
    pub hours: f64,
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

impl PlanInput {
    /// First minute of this day at which the round samples.
    fn samples_from(&self, day: usize) -> usize {
        let first = if day == 0 { self.first_day_from_minute } else { 0 };
        usize::from(self.from_minute.max(first))
    }
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
    let mut starts = vec![Starts::Spread; input.sites.len()];
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
    let (load, site_peaks) = place::load_and_peaks(input, windows.iter().flatten().map(|(placed, _)| placed));
    let windows = windows
        .into_iter()
        .flatten()
        .map(|(placed, over_capacity)| PlannedWindow {
            unit: input.units[placed.unit].unit,
            site: input.sites[placed.site].site,
            day: placed.day as u16,
            start_minute: placed.start as u16,
            minutes: placed.minutes as u16,
            people: placed.people,
            over_capacity,
        })
        .collect();
    Plan {
        windows,
        without_site,
        shortage,
        load,
        site_peaks,
    }
}

#[cfg(test)]
mod tests;
