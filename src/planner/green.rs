//! The green lane: students, the elderly and city-support workers come at any time of a wide window, to desks of
//! their own.

use super::{MINUTES_PER_DAY, PlanInput, capacity::Capacity};

/// A stretch shorter than this is no wide window, unless the site has no other that day.
const WIDE_MINUTES: u32 = 120;

/// Where the green people go.
pub(super) struct GreenLane {
    /// By unit: the stretch in which its green people may come. Empty if there are none in the round.
    pub(super) stretches: Vec<Option<GreenPlace>>,
    /// Regular people by unit: all but those in the green lane.
    pub(super) regular: Vec<u32>,
    /// By site.
    pub(super) sites: Vec<GreenSite>,
    /// Green people by stretch.
    pub(super) people: Vec<u64>,
}

/// Where and when a unit's green people may come.
#[derive(Clone, Copy)]
pub(super) struct GreenPlace {
    pub(super) site: u32,
    pub(super) stretch: u32,
}

/// One site's green lane.
#[derive(Clone, Copy, Default)]
pub(super) struct GreenSite {
    /// Those for whom the site is the first that could be theirs.
    pub(super) wanted: u64,
    /// Those who have a window here.
    pub(super) people: u64,
    /// Of those wanted, the ones whom no green desk has room for although the site has some.
    pub(super) refused: u64,
}

/// Gives green people their windows: on the first date, at the nearest site, that has room for all of a unit.
pub(super) fn lane(input: &PlanInput, capacity: &Capacity) -> GreenLane {
    let mut lane = GreenLane {
        stretches: Vec::new(),
        regular: input.units.iter().map(|unit| unit.people).collect(),
        sites: vec![GreenSite::default(); capacity.sites.len()],
        people: vec![0; capacity.stretches.len()],
    };
    if input.units.iter().all(|unit| unit.green_people == 0) {
        return lane;
    }
    lane.stretches = vec![None; input.units.len()];
    let mut room = Room::of(input, capacity);
    for (index, unit) in input.units.iter().enumerate() {
        let green = unit.green_people.min(unit.people);
        if green == 0 {
            continue;
        }
        let place = room.take(input, index, green);
        if let Some(first) = room.first_choice(input, index) {
            let first = &mut lane.sites[first];
            first.wanted += u64::from(green);
            if place.is_none() && room.has_green_desks(input, index) {
                first.refused += u64::from(green);
            }
        }
        if let Some(place) = place {
            lane.sites[place.site as usize].people += u64::from(green);
            lane.people[place.stretch as usize] += u64::from(green);
            lane.regular[index] -= green;
            lane.stretches[index] = Some(place);
        }
    }
    lane
}

/// What green desks have left.
struct Room<'a> {
    capacity: &'a Capacity,
    rates: Vec<f64>,
    /// People by stretch.
    left: Vec<f64>,
    /// Arrivals a minute that the green lane may still add to the city, by date.
    city_left: Vec<f64>,
    /// Each site's stretches that are wide enough, as pairs of date and stretch.
    wide: Vec<Vec<(usize, usize)>>,
}

impl<'a> Room<'a> {
    fn of(input: &PlanInput, capacity: &'a Capacity) -> Self {
        let rates: Vec<f64> = (input.supply.sites.iter())
            .map(|site| {
                let rate = site.green_people_per_minute();
                if rate.is_finite() { rate.max(0.0) } else { 0.0 }
            })
            .collect();
        let mut left = vec![0.0; capacity.stretches.len()];
        let mut wide = vec![Vec::new(); rates.len()];
        for (site, &rate) in rates.iter().enumerate() {
            let stretches = capacity.sites[site].stretches.clone();
            for at in stretches.clone() {
                let stretch = capacity.stretches[at];
                let date = |at: usize| capacity.stretches[at].from as usize / MINUTES_PER_DAY;
                let is_only = stretches.clone().filter(|&other| date(other) == date(at)).count() == 1;
                if is_only || stretch.to - stretch.from >= WIDE_MINUTES {
                    left[at] = rate * f64::from(stretch.to - stretch.from);
                    wide[site].push((date(at), at));
                }
            }
        }
        let days = capacity.horizon / MINUTES_PER_DAY;
        Self {
            city_left: vec![capacity.city - given_peak(input, capacity); days],
            capacity,
            rates,
            left,
            wide,
        }
    }

    fn choices(&self, input: &PlanInput, unit: usize) -> impl Iterator<Item = usize> {
        let count = self.rates.len();
        let choices = input.choices.of(input.units[unit].choices);
        choices
            .iter()
            .map(super::Choice::index)
            .filter(move |&site| site < count)
    }

    /// The first site with green desks; the first at all where none has any.
    fn first_choice(&self, input: &PlanInput, unit: usize) -> Option<usize> {
        self.choices(input, unit)
            .find(|&site| self.rates[site] > 0.0)
            .or_else(|| self.choices(input, unit).next())
    }

    fn has_green_desks(&self, input: &PlanInput, unit: usize) -> bool {
        self.choices(input, unit).any(|site| self.rates[site] > 0.0)
    }

    /// Takes room for a unit's green people.
    fn take(&mut self, input: &PlanInput, unit: usize, green: u32) -> Option<GreenPlace> {
        let people = f64::from(green);
        for day in 0..self.city_left.len() {
            for choice in input.choices.of(input.units[unit].choices) {
                let site = choice.index();
                if site >= self.rates.len() {
                    continue;
                }
                let emptiest = self.wide[site]
                    .iter()
                    .filter(|&&(date, at)| date == day && self.left[at] >= people - 1e-9)
                    .max_by(|a, b| self.free_share(site, a.1).total_cmp(&self.free_share(site, b.1)));
                let Some(&(_, at)) = emptiest else { continue };
                let stretch = self.capacity.stretches[at];
                let share = people / f64::from(stretch.to - stretch.from);
                if share <= self.city_left[day] {
                    self.city_left[day] -= share;
                    self.left[at] -= people;
                    return Some(GreenPlace {
                        site: site as u32,
                        stretch: at as u32,
                    });
                }
            }
        }
        None
    }

    fn free_share(&self, site: usize, at: usize) -> f64 {
        let stretch = self.capacity.stretches[at];
        self.left[at] / (self.rates[site] * f64::from(stretch.to - stretch.from))
    }
}

/// The most that other rounds' people are in any minute: a bound that needs no minute by minute.
fn given_peak(input: &PlanInput, capacity: &Capacity) -> f64 {
    let mut arrivals = vec![0.0; capacity.horizon];
    for window in &input.given {
        let start = usize::from(window.day) * MINUTES_PER_DAY + usize::from(window.start_minute);
        let range = start..(start + usize::from(window.minutes)).min(arrivals.len());
        let share = f64::from(window.people) / f64::from(window.minutes.max(1));
        for minute in arrivals.get_mut(range).into_iter().flatten() {
            *minute += share;
        }
    }
    arrivals.into_iter().fold(0.0, f64::max)
}
