//! Where people live and where they go.

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

use super::SiteId;

/// The full path to a building unit. None of it is personal data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnitPlace {
    /// 区
    pub district: String,
    /// 街道
    pub street: String,
    /// 社区
    pub community: String,
    /// 栋
    pub building: String,
    /// 单元
    pub unit: String,
}

impl std::fmt::Display for UnitPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {} {}{}",
            self.district, self.street, self.community, self.building, self.unit
        )
    }
}

impl UnitPlace {
    /// Without district and street, as its own people call it: `锦绣社区1 3栋2单元`. A Chinese building and its
    /// unit are written as one word.
    pub fn within_community(&self) -> String {
        let Self { community, building, unit, .. } = self;
        let gap = if building.ends_with(|c: char| c.is_ascii()) { " " } else { "" };
        format!("{community} {building}{gap}{unit}")
    }
}

impl std::fmt::Display for UnitPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.district, self.street, self.within_community())
    }
}

/// A point on the map, in degrees (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Latitude, −90 to 90.
    pub lat: f64,
    /// Longitude, −180 to 180.
    pub lon: f64,
}

/// A sampling site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Row id; 0 before it is stored.
    pub id: SiteId,
    /// Name, unique in the city.
    pub name: String,
    /// District the site lies in.
    pub district: String,
    /// Street the site lies in.
    pub street: String,
    /// Community the site serves first.
    pub community: String,
    /// Address as residents know it.
    pub address: String,
    /// All desks, the green ones included.
    pub desks: u32,
    /// Desks kept for the green lane.
    pub green_desks: u32,
    /// Samples that one desk takes in an hour.
    pub samples_per_desk_hour: u32,
    /// First minute of the day at which people are sampled.
    pub opens: NaiveTime,
    /// End of the day's sampling.
    pub closes: NaiveTime,
    /// Where it lies, if known.
    pub coordinates: Option<Coordinates>,
}

impl Site {
    /// People a minute that the regular lane samples.
    pub fn people_per_minute(&self) -> f64 {
        f64::from(self.desks.saturating_sub(self.green_desks)) * f64::from(self.samples_per_desk_hour) / 60.0
    }
}
