//! The sites within a walk, by a grid over the city.

use std::collections::HashMap;

use crate::domain::Coordinates;

use super::choices::Choice;

/// Metres of one degree of latitude.
const METRES_PER_DEGREE: f64 = 111_194.93;

/// East, north, and the place in the list of sites.
type Known = (f64, f64, u32);

/// The sites whose place is known, by squares as wide as the longest walk.
#[derive(Clone, Debug)]
pub struct SiteGrid {
    walk_max_metres: f64,
    /// How much shorter a degree of longitude is than one of latitude, about the middle of the city.
    shrink: f64,
    /// East and north in metres, with the site's place in the list.
    squares: HashMap<(i64, i64), Vec<Known>>,
}

impl SiteGrid {
    /// Of the sites in the planner's order. Those without coordinates are near nobody.
    pub fn new(sites: &[Option<Coordinates>], walk_max_metres: f64) -> Self {
        let walk_max_metres = if walk_max_metres.is_finite() {
            walk_max_metres.max(1.0)
        } else {
            1.0
        };
        let known = || sites.iter().flatten().filter(|at| is_sound(at));
        let middle = known().map(|at| at.lat).sum::<f64>() / known().count().max(1) as f64;
        let mut grid = Self {
            walk_max_metres,
            shrink: middle.to_radians().cos(),
            squares: HashMap::new(),
        };
        for (index, at) in sites.iter().enumerate() {
            if let Some(at) = at.as_ref().filter(|at| is_sound(at)) {
                let (east, north) = grid.metres(at);
                let square = grid.square(east, north);
                grid.squares
                    .entry(square)
                    .or_default()
                    .push((east, north, index as u32));
            }
        }
        grid
    }

    /// The sites within the longest walk, the nearest first; of those equally far, the first in the list.
    pub fn nearest(&self, from: Coordinates) -> Vec<Choice> {
        if !is_sound(&from) {
            return Vec::new();
        }
        let (east, north) = self.metres(&from);
        let (column, row) = self.square(east, north);
        let mut found: Vec<(f64, u32)> = (-1..=1)
            .flat_map(|down| (-1..=1).map(move |right| (column + right, row + down)))
            .filter_map(|square| self.squares.get(&square))
            .flatten()
            .map(|&(site_east, site_north, site)| ((site_east - east).hypot(site_north - north), site))
            .filter(|&(metres, _)| metres <= self.walk_max_metres)
            .collect();
        found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found
            .into_iter()
            .map(|(metres, site)| Choice {
                site,
                metres: Some(metres as f32),
            })
            .collect()
    }

    /// East and north in metres; equirectangular, which is exact to a metre over a city.
    fn metres(&self, at: &Coordinates) -> (f64, f64) {
        (
            at.lon * METRES_PER_DEGREE * self.shrink,
            at.lat * METRES_PER_DEGREE,
        )
    }

    fn square(&self, east: f64, north: f64) -> (i64, i64) {
        let of = |metres: f64| (metres / self.walk_max_metres).floor() as i64;
        (of(east), of(north))
    }
}

fn is_sound(at: &Coordinates) -> bool {
    at.lat.is_finite() && at.lon.is_finite()
}

/// The sites within a walk of one place, the nearest first. For many places, make a [`SiteGrid`] once.
pub fn nearest(sites: &[Option<Coordinates>], from: Coordinates, walk_max_metres: f64) -> Vec<Choice> {
    SiteGrid::new(sites, walk_max_metres).nearest(from)
}
