//! What is missing for everybody to be sampled in time, and what would cure it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::SiteId;

use super::{
    MINUTES_PER_DAY, PlanSite,
    assign::NOWHERE,
    green::{GreenLane, GreenSite},
    place::{Job, Placement},
};

/// What is missing for everybody to be sampled within the round. More desks *or* more hours cure it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shortage {
    /// People in windows over capacity.
    pub people: u64,
    /// Regular desks missing, over all sites.
    pub desks: u32,
    /// Opening hours missing at the site that is short of most, or under the city's cap if that is more.
    pub hours: f64,
    /// Of `people`, those for whom desks are free but the city's cap leaves no room: more desks do not help them.
    pub people_beyond_city_cap: u64,
    /// Green people whom the green desks cannot take, so that they go to the regular lane. They may all have windows
    /// within capacity there.
    #[serde(default)]
    pub green_people: u64,
    /// The sites that are short, in the order of the input.
    pub sites: Vec<SiteShortage>,
    /// What would cure it, the cheapest first. Each is enough for those it names, by itself.
    #[serde(default)]
    pub remedies: Vec<Remedy>,
}

/// What is missing at one site.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteShortage {
    /// Where.
    pub site: SiteId,
    /// People in windows over capacity.
    pub people: u64,
    /// Desks missing through all the round's hours at this site.
    pub desks: u32,
    /// Hours missing with the desks that it has.
    pub hours: f64,
    /// Green people whom its green desks cannot take.
    #[serde(default)]
    pub green_people: u64,
    /// Green desks missing for them.
    #[serde(default)]
    pub green_desks: u32,
}

/// What would cure a shortage. `Display` names sites by their ids; [`Remedy::words`] by their names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "remedy")]
pub enum Remedy {
    /// Green desks that stand idle sample in the regular lane.
    GreenDesksRegular {
        /// Where.
        site: SiteId,
        /// How many of them.
        desks: u32,
        /// Whom that helps.
        people: u64,
    },
    /// Some go to a site further away that has room.
    Neighbour {
        /// From here.
        site: SiteId,
        /// To there.
        neighbour: SiteId,
        /// How many.
        people: u64,
    },
    /// More cases a minute in the whole city, if the registration system can bear them.
    CityCap {
        /// So many people a minute in all.
        people_per_minute: f64,
        /// Whom that helps.
        people: u64,
    },
    /// The site samples longer, the added hours spread over all dates of the round.
    Hours {
        /// Where.
        site: SiteId,
        /// Hours in all.
        hours: f64,
        /// Whom that helps.
        people: u64,
    },
    /// More desks through all the round's hours.
    Desks {
        /// Where.
        site: SiteId,
        /// How many.
        desks: u32,
        /// Whom that helps.
        people: u64,
    },
    /// More dates with the same hours.
    Dates {
        /// How many.
        days: u16,
        /// Whom that helps.
        people: u64,
    },
}

impl Remedy {
    /// In words, with the sites' names.
    pub fn words(&self, name: &dyn Fn(SiteId) -> String) -> String {
        match *self {
            Self::GreenDesksRegular { site, desks, people } => {
                format!(
                    "{}: {desks} idle green desks sample everybody: room for {people} people",
                    name(site)
                )
            }
            Self::Neighbour {
                site,
                neighbour,
                people,
            } => {
                format!(
                    "{}: {people} people go to {} instead",
                    name(site),
                    name(neighbour)
                )
            }
            Self::CityCap {
                people_per_minute,
                people,
            } => format!(
                "raise the city's cap to {people_per_minute:.0} people a minute: room for {people} people"
            ),
            Self::Hours { site, hours, people } => {
                format!(
                    "{}: {hours:.1} more hours over the round: room for {people} people",
                    name(site)
                )
            }
            Self::Desks { site, desks, people } => {
                format!("{}: {desks} more desks: room for {people} people", name(site))
            }
            Self::Dates { days, people } => format!("{days} more dates: room for {people} people"),
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&|site| format!("site {site}")))
    }
}

/// What is missing for those left without room, and for green people without green desks.
pub(super) fn of(job: &Job<'_>, placement: &Placement, green: &GreenLane) -> Option<Shortage> {
    let sites = job.capacity.sites.len();
    let green_people: u64 = green.sites.iter().map(|site| site.refused).sum();
    if placement.left.is_empty() && green_people == 0 {
        return None;
    }
    let mut short = vec![Short::default(); sites];
    for left in &placement.left {
        let short = &mut short[left.site];
        short.people += u64::from(left.people);
        if left.desks_are_free {
            short.beyond_city_cap += u64::from(left.people);
        }
    }
    let at_sites: Vec<SiteShortage> = (0..sites)
        .filter(|&site| short[site].people > 0 || green.sites[site].refused > 0)
        .map(|site| at_site(job, site, short[site], green.sites[site]))
        .collect();
    let people_beyond_city_cap: u64 = short.iter().map(|short| short.beyond_city_cap).sum();
    let city_hours = hours(people_beyond_city_cap, job.capacity.city);
    Some(Shortage {
        people: short.iter().map(|short| short.people).sum(),
        desks: at_sites
            .iter()
            .fold(0, |desks, site| desks.saturating_add(site.desks)),
        hours: at_sites.iter().map(|site| site.hours).fold(city_hours, f64::max),
        people_beyond_city_cap,
        green_people,
        remedies: remedies(job, placement, green, &at_sites, people_beyond_city_cap),
        sites: at_sites,
    })
}

/// People without room at one site.
#[derive(Clone, Copy, Default)]
struct Short {
    people: u64,
    beyond_city_cap: u64,
}

fn at_site(job: &Job<'_>, index: usize, short: Short, green: GreenSite) -> SiteShortage {
    let site = &job.input.supply.sites[index];
    let capacity = &job.capacity.sites[index];
    let per_desk = site.desk_people_per_minute * f64::from(capacity.open_minutes);
    // A site that is closed all round lacks hours; desks would stand idle.
    let desks = |people: u64| {
        if per_desk > 0.0 {
            (people as f64 / per_desk).ceil() as u32
        } else {
            0
        }
    };
    let beyond_desks = short.people - short.beyond_city_cap;
    SiteShortage {
        site: site.site,
        people: short.people,
        desks: desks(beyond_desks),
        hours: hours(beyond_desks, capacity.rate.max(site.desk_people_per_minute)),
        green_people: green.refused,
        green_desks: desks(green.refused),
    }
}

fn hours(people: u64, per_minute: f64) -> f64 {
    if people > 0 && per_minute > 0.0 {
        people as f64 / per_minute / 60.0
    } else {
        0.0
    }
}

/// What would cure it, the cheapest in added hours of desks first.
fn remedies(
    job: &Job<'_>,
    placement: &Placement,
    green: &GreenLane,
    short: &[SiteShortage],
    beyond_city_cap: u64,
) -> Vec<Remedy> {
    let mut remedies: Vec<(f64, Remedy)> = Vec::new();
    let mut slack = slack(job, placement);
    let near = Near::of(job);
    for short in short.iter().filter(|short| short.people > 0) {
        let Some(index) = (job.input.supply.sites.iter()).position(|site| site.site == short.site) else {
            continue;
        };
        let site = &job.input.supply.sites[index];
        let open_minutes = f64::from(job.capacity.sites[index].open_minutes);
        let per_desk = site.desk_people_per_minute * open_minutes;
        let mut people = short
            .people
            .min((f64::from(short.desks) * per_desk).ceil() as u64);
        let idle = idle_green_desks(site, open_minutes, green.sites[index]);
        if idle > 0 && people > 0 && per_desk > 0.0 {
            let desks = idle.min((people as f64 / per_desk).ceil() as u32);
            let helped = people.min((f64::from(desks) * per_desk) as u64);
            remedies.push((
                0.0,
                Remedy::GreenDesksRegular {
                    site: site.site,
                    desks,
                    people: helped,
                },
            ));
            people -= helped;
        }
        if let Some((neighbour, room)) = near.with_room(index, people, &mut slack) {
            let neighbour = job.input.supply.sites[neighbour].site;
            remedies.push((
                0.0,
                Remedy::Neighbour {
                    site: site.site,
                    neighbour,
                    people: room,
                },
            ));
            people -= room;
        }
        if people > 0 && short.desks > 0 {
            let desks = (people as f64 / per_desk).ceil() as u32;
            let hours = hours(
                people,
                job.capacity.sites[index].rate.max(site.desk_people_per_minute),
            );
            let staffed = f64::from(site.desks.saturating_sub(site.green_desks).max(1));
            remedies.push((
                hours * staffed,
                Remedy::Hours {
                    site: site.site,
                    hours,
                    people,
                },
            ));
            remedies.push((
                f64::from(desks) * open_minutes / 60.0 + 0.001,
                Remedy::Desks {
                    site: site.site,
                    desks,
                    people,
                },
            ));
        }
    }
    remedies.extend(for_all(job, placement, beyond_city_cap));
    remedies.sort_by(|a, b| a.0.total_cmp(&b.0));
    remedies.into_iter().map(|(_, remedy)| remedy).collect()
}

/// What helps everybody at once, with its cost in hours of desks.
fn for_all(job: &Job<'_>, placement: &Placement, beyond_city_cap: u64) -> Vec<(f64, Remedy)> {
    let mut remedies = Vec::new();
    let capacity = job.capacity;
    let days = capacity.horizon / MINUTES_PER_DAY;
    let minutes = capacity
        .sites
        .iter()
        .map(|site| site.open_minutes)
        .max()
        .unwrap_or(0);
    if beyond_city_cap > 0 && minutes > 0 {
        let more = beyond_city_cap as f64 / f64::from(minutes);
        remedies.push((
            0.0,
            Remedy::CityCap {
                people_per_minute: (capacity.city + more).ceil(),
                people: beyond_city_cap,
            },
        ));
    }
    let people = placement.people_left();
    let mut left = vec![0_u64; capacity.sites.len()];
    for unit in &placement.left {
        left[unit.site] += u64::from(unit.people);
    }
    let wanted = left
        .iter()
        .zip(&capacity.sites)
        .filter(|(left, site)| **left > 0 && site.is_usable())
        .map(|(&left, site)| left as f64 / (site.rate * f64::from(site.open_minutes) / days as f64))
        .fold(
            people as f64 / (capacity.city * f64::from(minutes) / days as f64).max(1.0),
            f64::max,
        );
    if people > 0 && wanted > 0.0 {
        let dates = wanted.ceil().min(f64::from(u16::MAX)) as u16;
        let desks: f64 = job
            .input
            .supply
            .sites
            .iter()
            .map(|site| f64::from(site.desks))
            .sum();
        let a_day = f64::from(minutes) / days as f64 / 60.0;
        remedies.push((
            f64::from(dates) * desks * a_day + 0.002,
            Remedy::Dates { days: dates, people },
        ));
    }
    remedies
}

/// Green desks that nobody needs.
fn idle_green_desks(site: &PlanSite, open_minutes: f64, green: GreenSite) -> u32 {
    let per_desk = site.desk_people_per_minute * open_minutes;
    if per_desk <= 0.0 {
        return 0;
    }
    let busy = (green.people as f64 / per_desk - 1e-9).ceil() as u32;
    site.green_desks.min(site.desks).saturating_sub(busy)
}

/// People whom each site could still sample.
fn slack(job: &Job<'_>, placement: &Placement) -> Vec<u64> {
    let mut people = vec![0_u64; job.capacity.sites.len()];
    for window in placement.placed.iter().filter(|window| window.site != NOWHERE) {
        people[window.site as usize] += u64::from(window.people);
    }
    job.capacity
        .sites
        .iter()
        .zip(people)
        .map(|(site, people)| ((site.rate * f64::from(site.open_minutes)) as u64).saturating_sub(people))
        .collect()
}

/// Which sites are choices of the same people: neighbours, whatever the distance.
struct Near<'a> {
    job: &'a Job<'a>,
    /// The lists that name a site.
    lists: Vec<Vec<u32>>,
}

/// A neighbour is at most so many lists away.
const STEPS_MAX: usize = 3;

impl<'a> Near<'a> {
    fn of(job: &'a Job<'a>) -> Self {
        let mut lists = vec![Vec::new(); job.capacity.sites.len()];
        for list in 0..job.input.choices.len() {
            for choice in job.input.choices.at(list) {
                if let Some(lists) = lists.get_mut(choice.index()) {
                    lists.push(list as u32);
                }
            }
        }
        Self { job, lists }
    }

    /// The nearest neighbour, in lists, that has room for a tenth of the people or more; takes that room.
    fn with_room(&self, site: usize, people: u64, slack: &mut [u64]) -> Option<(usize, u64)> {
        if people == 0 {
            return None;
        }
        let mut seen = std::collections::BTreeSet::from([site]);
        let mut ring = vec![site];
        for _ in 0..STEPS_MAX {
            let mut next = Vec::new();
            for &from in &ring {
                for &list in &self.lists[from] {
                    let known = |choice: &&super::Choice| choice.index() < slack.len();
                    for choice in self.job.input.choices.at(list as usize).iter().filter(known) {
                        if seen.insert(choice.index()) {
                            next.push(choice.index());
                        }
                    }
                }
            }
            let roomy = next
                .iter()
                .copied()
                .filter(|&site| slack[site] * 10 >= people.max(10));
            if let Some(best) = roomy.max_by_key(|&site| (slack[site].min(people), std::cmp::Reverse(site))) {
                let room = slack[best].min(people);
                slack[best] -= room;
                return Some((best, room));
            }
            ring = next;
        }
        None
    }
}
