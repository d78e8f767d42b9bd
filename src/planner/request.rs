//! A round as people ask for it, and as the planner reads it: dates and times of the city into days and minutes, sites
//! into supply, homes into the sites near them.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Choice, Choices, ChoicesId, GivenWindow, MustNot, PlanSite, SiteGrid, Span, Supply};
use crate::{
    config::PlannerConfig,
    domain::{Coordinates, Site, SiteId, UnitPlace},
};

/// What is asked of the planner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundSpec {
    /// First day.
    pub date: NaiveDate,
    /// Last day, used where one does not suffice.
    pub until: NaiveDate,
    /// First minute of each day.
    pub from: NaiveTime,
    /// End of each day.
    pub to: NaiveTime,
    /// Names of the communities, as people write them; none means all.
    pub communities: Vec<String>,
    /// People a minute over the whole city, where the registration system cannot take more.
    pub city_cap: Option<f64>,
    /// A notice leaves at least this many minutes before its window.
    pub lead_minutes: i64,
    /// No notice leaves before.
    pub notice_from: DateTime<Utc>,
    /// A notice leaves at most this many minutes before its window; none: as early as the pace brings it.
    #[serde(default)]
    pub ahead_minutes: Option<i64>,
    /// The first notice tells the window, a second one, at its time, brings the link.
    #[serde(default)]
    pub two_step: bool,
    /// When people must not be called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_not: Vec<MustNotTime>,
}

/// A time of each day at which nobody, or nobody of a community, is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MustNotTime {
    /// Only its people: as people write it when a round is asked for, `district/street/community` in a round that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<String>,
    /// First minute.
    pub from: NaiveTime,
    /// The minute after the last.
    pub to: NaiveTime,
}

impl MustNotTime {
    /// Whether it concerns the people who live there.
    pub fn concerns(&self, place: &UnitPlace) -> bool {
        self.community.as_ref().is_none_or(|community| {
            let mut parts = community.split('/');
            [&place.district, &place.street, &place.community]
                .iter()
                .all(|own| parts.next() == Some(own))
        })
    }

    /// Its minutes.
    pub fn span(&self) -> Span {
        Span {
            from: minute_of(self.from),
            to: minute_of(self.to),
        }
    }
}

/// The city's days, counted from a first one.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// The city's time zone.
    pub zone: Tz,
    /// Day 0.
    pub first: NaiveDate,
}

impl Calendar {
    /// The instant of a minute, counted from the midnight of a day.
    pub fn instant(&self, day: u16, minute: u32) -> DateTime<Utc> {
        local(self.zone, self.first + Days::new(u64::from(day)), NaiveTime::MIN)
            + TimeDelta::minutes(i64::from(minute))
    }

    /// Day and minute of an instant; none before day 0.
    pub fn day_and_minute(&self, at: DateTime<Utc>) -> Option<(u16, u16)> {
        let date = at.with_timezone(&self.zone).date_naive();
        let day = u16::try_from((date - self.first).num_days()).ok()?;
        let midnight = local(self.zone, date, NaiveTime::MIN);
        Some((day, (at - midnight).num_minutes().clamp(0, 1439) as u16))
    }

    /// Minutes from the midnight of day 0, every day taken for 24 hours.
    pub fn minutes(&self, at: DateTime<Utc>) -> Option<u32> {
        self.day_and_minute(at)
            .map(|(day, minute)| u32::from(day) * 1440 + u32::from(minute))
    }

    /// The instant of [`Calendar::minutes`].
    pub fn instant_of(&self, minutes: u32) -> DateTime<Utc> {
        self.instant((minutes / 1440) as u16, minutes % 1440)
    }
}

/// An instant of the city's day; in a gap that a clock change leaves, the first instant after it.
pub fn local(zone: Tz, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let naive = date.and_time(time);
    (0..=24)
        .find_map(|quarters| {
            zone.from_local_datetime(&(naive + TimeDelta::minutes(15 * quarters)))
                .earliest()
        })
        .map_or_else(|| naive.and_utc(), |at| at.to_utc())
}

/// Minute of the day.
pub fn minute_of(time: NaiveTime) -> u16 {
    (time.num_seconds_from_midnight() / 60) as u16
}

/// What the city has to give to a round from `first` on.
pub fn supply(
    spec: &RoundSpec,
    first: NaiveDate,
    config: &PlannerConfig,
    sites: &[Site],
    must_not: Vec<MustNot>,
) -> Supply {
    Supply {
        sites: sites.iter().map(plan_site).collect(),
        days: ((spec.until - first).num_days() + 1).clamp(1, i64::from(u16::MAX)) as u16,
        from_minute: minute_of(spec.from),
        to_minute: minute_of(spec.to),
        city_cap: spec.city_cap,
        must_not,
        window_min_minutes: (config.window_min.as_secs() / 60).max(1) as u32,
        ..Supply::default()
    }
}

fn plan_site(site: &Site) -> PlanSite {
    let open = site.open().into_iter().map(|(from, to)| Span {
        from: minute_of(from),
        to: minute_of(to),
    });
    PlanSite {
        site: site.id,
        desks: site.desks,
        green_desks: site.green_desks,
        desk_people_per_minute: f64::from(site.samples_per_desk_hour) / 60.0,
        open: open.collect(),
    }
}

/// Which sites people may go to: those within a walk where it is known where they live, else those of their community.
#[derive(Debug)]
pub struct Reach<'a> {
    sites: &'a [Site],
    grid: SiteGrid,
    of_communities: HashMap<[String; 3], ChoicesId>,
}

impl<'a> Reach<'a> {
    /// Over these sites.
    pub fn new(sites: &'a [Site], config: &PlannerConfig) -> Self {
        let points: Vec<Option<Coordinates>> = sites.iter().map(|site| site.coordinates).collect();
        Self {
            sites,
            grid: SiteGrid::new(&points, f64::from(config.walk_max_metres)),
            of_communities: HashMap::new(),
        }
    }

    /// From a home, the preferred site first.
    pub fn choices(&self, place: &UnitPlace, at: Option<Coordinates>) -> Vec<Choice> {
        let near = self.near(at);
        if near.is_empty() {
            return of_community(place, self.sites);
        }
        near
    }

    /// The same as a list among others, for a building: those who go by community share one.
    pub fn list(&mut self, choices: &mut Choices, place: &UnitPlace, at: Option<Coordinates>) -> ChoicesId {
        let near = self.near(at);
        if !near.is_empty() {
            return choices.add(near);
        }
        let community = [&place.district, &place.street, &place.community].map(Clone::clone);
        let sites = self.sites;
        *self
            .of_communities
            .entry(community)
            .or_insert_with(|| choices.add(of_community(place, sites)))
    }

    fn near(&self, at: Option<Coordinates>) -> Vec<Choice> {
        at.map(|at| self.grid.nearest(at)).unwrap_or_default()
    }
}

/// The sites that serve a community, those that lie in it first; where there are none, those of its street, its
/// district, the city.
fn of_community(place: &UnitPlace, sites: &[Site]) -> Vec<Choice> {
    let own = [&*place.district, &*place.street, &*place.community];
    let of = |fits: &dyn Fn(&Site) -> bool| -> Vec<usize> {
        sites
            .iter()
            .enumerate()
            .filter(|(_, site)| fits(site))
            .map(|(index, _)| index)
            .collect()
    };
    let in_district = |site: &Site| site.district == place.district;
    let in_street = |site: &Site| in_district(site) && site.street == place.street;
    let mut serving = of(&|site| site.serves(own));
    serving.sort_by_key(|&index| !(in_street(&sites[index]) && sites[index].community == place.community));
    [serving, of(&in_street), of(&in_district), of(&|_| true)]
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
        .into_iter()
        .map(Choice::at)
        .collect()
}

/// Room that somebody has already, as the planner counts it; none for what began before day 0.
pub fn given(
    calendar: Calendar,
    site: Option<usize>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    people: u32,
) -> Option<GivenWindow> {
    let (day, start_minute) = calendar.day_and_minute(starts_at)?;
    Some(GivenWindow {
        site,
        day,
        start_minute,
        minutes: (ends_at - starts_at).num_minutes().clamp(1, 1440) as u16,
        people,
    })
}

/// Where each site stands in a list.
pub fn positions(sites: &[Site]) -> HashMap<SiteId, usize> {
    sites
        .iter()
        .enumerate()
        .map(|(index, site)| (site.id, index))
        .collect()
}
