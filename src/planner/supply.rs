//! What a city has to give: sites, their hours, and the caps under which people may come.

use crate::domain::{BuildingId, SiteId};

use super::MINUTES_PER_DAY;

/// Sites, hours and caps. Planning, re-planning and offers all read them from here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Supply {
    /// The sites; everything else names them by their place in this list.
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
    /// People whose windows may start in a minute; without one nothing limits starts but the arrivals.
    pub starts_cap: Option<StartsCap>,
    /// When nobody may come, for everybody, a building or a site.
    pub must_not: Vec<MustNot>,
    /// The shortest window, in minutes.
    pub window_min_minutes: u32,
}

/// A sampling site.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSite {
    /// Which site.
    pub site: SiteId,
    /// All desks, the green ones included.
    pub desks: u32,
    /// Desks kept for the green lane.
    pub green_desks: u32,
    /// People a minute that one desk samples; shortages are stated in desks.
    pub desk_people_per_minute: f64,
    /// When it samples, on each date alike: the gaps are breaks. In order, and apart from each other.
    pub open: Vec<Span>,
}

/// Minutes of a day: `from` is the first, `to` the one after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First minute, counted from midnight.
    pub from: u16,
    /// Minute after the last; at most 1440.
    pub to: u16,
}

/// A limit on how many people's windows start together: the registration system feels starts, sites feel arrivals.
///
/// A unit of more people than a minute may have starts where five minutes in a row, however they are laid over it,
/// hold no more than five minutes' worth, and one of more than even that where nothing else starts within them.
#[derive(Clone, Debug, PartialEq)]
pub struct StartsCap {
    /// People a minute.
    pub per_minute: f64,
    /// People a minute in the first minutes after [`Supply::from_minute`] of each day, if they differ.
    pub opening: Vec<f64>,
}

/// A time at which people must not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MustNot {
    /// Who.
    pub whom: Whom,
    /// The day, counted from the round's first; all of them without one.
    pub day: Option<u16>,
    /// The minutes.
    pub span: Span,
}

/// Whom a must-not time concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The whole city.
    Everybody,
    /// The people of one building.
    Building(BuildingId),
    /// Those who would go to this site, by its place in [`Supply::sites`].
    Site(usize),
}

/// A window that somebody has already: its room is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenWindow {
    /// By place in [`Supply::sites`]; none if its site is not among them, so that it counts for the city alone.
    pub site: Option<usize>,
    /// The date, counted from the round's first day, which is 0.
    pub day: u16,
    /// First minute, counted from midnight.
    pub start_minute: u16,
    /// Length.
    pub minutes: u16,
    /// Residents expected.
    pub people: u32,
}

impl Supply {
    /// First minute of this day at which the round samples.
    pub(super) fn samples_from(&self, day: usize) -> usize {
        let first = if day == 0 { self.first_day_from_minute } else { 0 };
        usize::from(self.from_minute.max(first))
    }

    /// Dates in use, at least one.
    pub(super) fn days(&self) -> usize {
        usize::from(self.days.max(1))
    }

    /// The shortest window in minutes, at least one and at most a day.
    pub(super) fn window_min(&self) -> usize {
        (self.window_min_minutes.max(1) as usize).min(MINUTES_PER_DAY)
    }
}

impl PlanSite {
    /// People a minute that all regular desks sample.
    pub fn people_per_minute(&self) -> f64 {
        f64::from(self.desks.saturating_sub(self.green_desks)) * self.desk_people_per_minute
    }

    /// People a minute that the green desks sample.
    pub fn green_people_per_minute(&self) -> f64 {
        f64::from(self.green_desks.min(self.desks)) * self.desk_people_per_minute
    }
}

impl Span {
    /// Minutes from `from` to `to`; none if they are the wrong way round.
    pub fn minutes(&self) -> u16 {
        self.to.saturating_sub(self.from)
    }
}
