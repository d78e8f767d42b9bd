//! Where people live and where they go.

use std::cmp::Ordering;

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
        write!(f, "{} {} {}", self.district, self.street, self.within_community())
    }
}

impl UnitPlace {
    /// The order in which people list places: 2栋 before 10栋.
    pub fn natural_cmp(&self, other: &Self) -> Ordering {
        self.parts()
            .into_iter()
            .zip(other.parts())
            .map(|(part, other)| natural_cmp(part, other))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// Without district and street, as its own people call it: `锦绣社区1 3栋2单元`. A Chinese building and its
    /// unit are written as one word.
    pub fn within_community(&self) -> String {
        let Self {
            community,
            building,
            unit,
            ..
        } = self;
        let gap = if building.ends_with(|c: char| c.is_ascii()) {
            " "
        } else {
            ""
        };
        format!("{community} {building}{gap}{unit}")
    }

    /// From the district down to the unit.
    fn parts(&self) -> [&str; 5] {
        [
            &self.district,
            &self.street,
            &self.community,
            &self.building,
            &self.unit,
        ]
    }
}

/// Compares texts so that the numbers in them count as numbers. Only equal texts are equal.
pub fn natural_cmp(text: &str, other: &str) -> Ordering {
    let (mut rest, mut other_rest) = (text, other);
    while !rest.is_empty() && !other_rest.is_empty() {
        let (number, other_number) = (leading_digits(rest), leading_digits(other_rest));
        let (order, read, other_read) = if number.is_empty() || other_number.is_empty() {
            let (first, other_first) = (rest.chars().next(), other_rest.chars().next());
            let width = |first: Option<char>| first.map_or(0, char::len_utf8);
            (first.cmp(&other_first), width(first), width(other_first))
        } else {
            // Of two numbers without leading zeros the longer is the larger, however long.
            let (digits, other_digits) = (
                number.trim_start_matches('0'),
                other_number.trim_start_matches('0'),
            );
            let order = digits
                .len()
                .cmp(&other_digits.len())
                .then_with(|| digits.cmp(other_digits));
            (order, number.len(), other_number.len())
        };
        if order.is_ne() {
            return order;
        }
        (rest, other_rest) = (&rest[read..], &other_rest[other_read..]);
    }
    rest.len().cmp(&other_rest.len()).then_with(|| text.cmp(other))
}

fn leading_digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
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
    /// Community the site lies in, and serves first.
    pub community: String,
    /// Other communities that it serves, as people write them: by name in the same street, else as `street/community` or
    /// `district/street/community`.
    pub serves: Vec<String>,
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
    /// From and to of the times between at which nobody is sampled, in order and apart from each other.
    pub breaks: Vec<(NaiveTime, NaiveTime)>,
    /// Where it lies, if known.
    pub coordinates: Option<Coordinates>,
}

impl Site {
    /// Whether it serves this community.
    pub fn serves(&self, [district, street, community]: [&str; 3]) -> bool {
        let own = [&self.district, &self.street, &self.community];
        own == [district, street, community]
            || self.serves.iter().any(|name| {
                let parts: Vec<&str> = name.split('/').map(str::trim).collect();
                match parts[..] {
                    [one] => [&*self.district, &*self.street, one] == [district, street, community],
                    [of, one] => [&*self.district, of, one] == [district, street, community],
                    [far, of, one] => [far, of, one] == [district, street, community],
                    _ => false,
                }
            })
    }

    /// When it is open, without its breaks: from and to of each time, in order.
    pub fn open(&self) -> Vec<(NaiveTime, NaiveTime)> {
        let mut from = self.opens;
        let mut open = Vec::with_capacity(self.breaks.len() + 1);
        for &(begins, ends) in &self.breaks {
            open.push((from, begins.min(self.closes)));
            from = ends;
        }
        open.push((from, self.closes));
        open.retain(|(from, to)| from < to);
        open
    }

    /// People a minute that the regular lane samples.
    pub fn people_per_minute(&self) -> f64 {
        f64::from(self.desks.saturating_sub(self.green_desks)) * f64::from(self.samples_per_desk_hour) / 60.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_listed_as_people_count() {
        let place = |building: &str, unit: &str| UnitPlace {
            district: "锦江区".into(),
            street: "春熙街道".into(),
            community: "锦绣社区9".into(),
            building: building.into(),
            unit: unit.into(),
        };
        let listed = [
            ("", "2单元"),
            ("1栋", "2单元"),
            ("2栋", "1单元"),
            ("2栋", "10单元"),
            ("002栋", "1单元"),
            ("10栋", "1单元"),
            ("10栋A座2", "1单元"),
            ("10栋A座10", "1单元"),
            ("99999999999999999999999栋", "1单元"),
            ("A栋", "1单元"),
        ]
        .map(|(building, unit)| place(building, unit));
        let mut sorted = listed.clone();
        sorted.reverse();
        sorted.sort_by(UnitPlace::natural_cmp);
        // 002栋 and 2栋 are two texts for one number; the text decides.
        let mut expected = listed;
        expected[2..5].rotate_right(1);
        assert_eq!(sorted, expected);
        assert!(
            sorted
                .iter()
                .zip(&sorted[1..])
                .all(|(a, b)| a.natural_cmp(b) == Ordering::Less)
        );
    }
}
