//! What is missing for everybody to be sampled in time, and what would cure it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::SiteId;

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
