//! A day's visits in routes: near ones together, urgent ones first, times that are promised as ranges and kept. One
//! more visit moves nobody's promise.
//!
//! Visits with a promise keep their team and their range; between them the others are inserted, the one first that
//! would lose most by waiting (regret), and then moved about as long as that helps (or-opt, 2-opt). Against the best
//! of all routes, found by trying them all, this is measured in `tests.rs`.

#[cfg(test)]
mod tests;

use crate::domain::{Coordinates, UnitPlace};

/// How fast a team goes: a bicycle in narrow streets, or a brisk walk that is not far.
const METRES_PER_MINUTE: f64 = 120.0;
/// Streets are longer than the straight line.
const DETOUR: f64 = 1.3;
/// Between two doors of one building, of one community, and beyond it, where nothing is known of the map. Minutes.
const SAME_BUILDING_MINUTES: u32 = 2;
const SAME_COMMUNITY_MINUTES: u32 = 6;
const ELSEWHERE_MINUTES: u32 = 15;
const EARTH_RADIUS_METRES: f64 = 6_371_000.0;
/// A minute that an urgent visit waits weighs as much as so many minutes on the way.
const URGENT_WEIGHT: f64 = 10.0;
/// A minute that any visit waits, likewise: of two equally long routes the one that serves people sooner.
const WAITING_WEIGHT: f64 = 0.01;
/// Rounds of improvement at most; each looks at every move once.
const ROUNDS_MAX: usize = 50;
/// Stops that are moved together at most.
const SEGMENT_LEN_MAX: usize = 3;
/// Ranges begin at full five minutes.
const RANGE_STEP_MINUTES: u32 = 5;

/// A team on this day. Minutes count from the day's midnight.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteTeam {
    /// From and to of the times at which it works, in order and apart from each other.
    pub works: Vec<(u32, u32)>,
    /// Visits that it makes an hour at most.
    pub visits_per_hour: u32,
    /// Not before, and from where: what it is doing now.
    pub busy: Option<(u32, Spot)>,
}

/// Where something is.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// In words.
    pub place: UnitPlace,
    /// On the map, if known.
    pub coordinates: Option<Coordinates>,
}

/// A visit to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// Where.
    pub spot: Spot,
    /// It goes before others.
    pub urgent: bool,
    /// How long it takes at the door.
    pub minutes: u32,
    /// Arrival not before.
    pub from: u32,
    /// Arrival not after.
    pub to: u32,
    /// The teams that may make it, by index.
    pub teams: Vec<usize>,
    /// The team that is promised, and when it was to arrive: `from` and `to` are the promised range.
    pub promised: Option<(usize, u32)>,
}

/// A day to be planned.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteDay {
    /// Nobody arrives earlier.
    pub now: u32,
    /// Who goes.
    pub teams: Vec<RouteTeam>,
    /// Where to: of two alike, the earlier in this list has waited longer.
    pub stops: Vec<Stop>,
    /// How long a promised range is.
    pub range_minutes: u32,
}

/// When a stop is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// By which team.
    pub team: usize,
    /// When it is expected at the door.
    pub at: u32,
    /// What to promise, or what is promised already: not before,
    pub from: u32,
    /// and not after.
    pub to: u32,
    /// What was promised could not be kept: this is another time.
    pub broken: bool,
}

/// A day's routes.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// For each stop, when it is made; none where there is no room for it.
    pub stops: Vec<Option<Planned>>,
    /// The stops of each team, in order.
    pub order: Vec<Vec<usize>>,
    /// Minutes that all teams are on their way.
    pub travel_minutes: u32,
}

impl Routes {
    /// Stops for which there is no room on this day.
    pub fn unplaced(&self) -> impl Iterator<Item = usize> + '_ {
        self.stops
            .iter()
            .enumerate()
            .filter(|(_, planned)| planned.is_none())
            .map(|(stop, _)| stop)
    }
}

/// Plans a day. Every stop is planned or has no room; what is promised stays, unless it cannot be kept any more.
pub fn plan(day: &RouteDay) -> Routes {
    let mut table = Table::of(day);
    let mut routes = vec![Vec::new(); day.teams.len()];
    let mut waiting = Vec::new();
    table.keep_promises(&mut routes, &mut waiting);
    let (urgent, others): (Vec<usize>, Vec<usize>) =
        waiting.into_iter().partition(|stop| day.stops[*stop].urgent);
    // Urgent ones first; what comes after them pays dearly for each minute that it puts them off.
    for stop in urgent {
        table.insert_early(&mut routes, stop);
    }
    table.insert_by_regret(&mut routes, others);
    table.improve(&mut routes);
    table.answer(routes)
}

/// The minutes from one door to another.
pub fn travel_minutes(one: &Spot, other: &Spot) -> u32 {
    let (here, there) = (&one.place, &other.place);
    let same_community =
        (&here.district, &here.street, &here.community) == (&there.district, &there.street, &there.community);
    if same_community && here.building == there.building {
        return SAME_BUILDING_MINUTES;
    }
    match (one.coordinates, other.coordinates) {
        (Some(from), Some(to)) => {
            let metres = metres(from, to) * DETOUR;
            (metres / METRES_PER_MINUTE).ceil() as u32 + SAME_BUILDING_MINUTES
        }
        _ if same_community => SAME_COMMUNITY_MINUTES,
        _ => ELSEWHERE_MINUTES,
    }
}

/// On a map this small the earth is flat.
fn metres(from: Coordinates, to: Coordinates) -> f64 {
    let north = (to.lat - from.lat).to_radians();
    let east = (to.lon - from.lon).to_radians() * f64::midpoint(from.lat, to.lat).to_radians().cos();
    EARTH_RADIUS_METRES * north.hypot(east)
}

/// A place in a team's route.
#[derive(Clone, Copy, Debug)]
struct Place {
    team: usize,
    index: usize,
    cost: f64,
}

struct Table<'a> {
    day: &'a RouteDay,
    /// Minutes between each two stops.
    travel: Vec<Vec<u32>>,
    /// Minutes from where a team is to each stop.
    start: Vec<Vec<u32>>,
    /// The promise of these stops is broken: they may go anywhere, and as soon as can be.
    broken: Vec<bool>,
}

impl<'a> Table<'a> {
    fn of(day: &'a RouteDay) -> Self {
        let spots: Vec<&Spot> = day.stops.iter().map(|stop| &stop.spot).collect();
        let to_all = |from: &Spot| spots.iter().map(|spot| travel_minutes(from, spot)).collect();
        Self {
            day,
            travel: spots.iter().map(|spot| to_all(spot)).collect(),
            start: day
                .teams
                .iter()
                .map(|team| match &team.busy {
                    Some((_, spot)) => to_all(spot),
                    // Where it starts from is not known: its day begins at the first door.
                    None => vec![0; spots.len()],
                })
                .collect(),
            broken: vec![false; spots.len()],
        }
    }

    fn is_promised(&self, stop: usize) -> bool {
        self.day.stops[stop].promised.is_some() && !self.broken[stop]
    }

    /// When each stop of a route is reached, and the minutes on the way; none where one cannot be in its time.
    fn times(&self, team: usize, route: &[usize]) -> Option<(Vec<u32>, u32)> {
        let of_team = &self.day.teams[team];
        let spacing = 60_u32.div_ceil(of_team.visits_per_hour.max(1));
        let mut times = Vec::with_capacity(route.len());
        let mut on_the_way = 0;
        let mut earliest = self.day.now;
        let mut before: Option<usize> = None;
        for &stop in route {
            let minutes = match before {
                Some(before) => self.travel[before][stop],
                None => self.start[team][stop],
            };
            on_the_way += minutes;
            let ready = match (before, &of_team.busy) {
                (Some(_), _) => earliest + minutes,
                (None, Some((until, _))) => self.day.now.max(*until) + minutes,
                (None, None) => earliest,
            };
            let spaced = times.last().map_or(0, |last| last + spacing);
            let at = self.open_at(team, stop, ready.max(spaced))?;
            earliest = at + self.day.stops[stop].minutes;
            times.push(at);
            before = Some(stop);
        }
        Some((times, on_the_way))
    }

    /// The first minute from `ready` on at which a team can arrive at a stop and end its work there.
    fn open_at(&self, team: usize, stop: usize, ready: u32) -> Option<u32> {
        let of_stop = &self.day.stops[stop];
        let (from, to) = if self.broken[stop] {
            (0, u32::MAX)
        } else {
            (of_stop.from, of_stop.to)
        };
        let ready = ready.max(from);
        self.day.teams[team]
            .works
            .iter()
            .map(|(opens, closes)| (ready.max(*opens), *closes))
            .find(|(at, closes)| at + of_stop.minutes <= *closes)
            .map(|(at, _)| at)
            .filter(|at| *at <= to)
    }

    /// What a route costs; none where it cannot be kept.
    fn cost(&self, team: usize, route: &[usize]) -> Option<f64> {
        let (times, on_the_way) = self.times(team, route)?;
        let waiting: f64 = route
            .iter()
            .zip(&times)
            .map(|(stop, at)| {
                let weight = if self.day.stops[*stop].urgent {
                    URGENT_WEIGHT
                } else {
                    WAITING_WEIGHT
                };
                weight * f64::from(at - self.day.now.min(*at))
            })
            .sum();
        Some(f64::from(on_the_way) + waiting)
    }

    /// Promised stops in their order. Where one cannot be kept, it is planned like the others, from now on.
    fn keep_promises(&mut self, routes: &mut [Vec<usize>], waiting: &mut Vec<usize>) {
        let mut promised = Vec::new();
        for (stop, of_stop) in self.day.stops.iter().enumerate() {
            match of_stop.promised {
                Some((team, at)) if team < routes.len() => promised.push((at, stop, team)),
                Some(_) => {
                    self.broken[stop] = true;
                    waiting.push(stop);
                }
                None => waiting.push(stop),
            }
        }
        promised.sort_unstable();
        for (_, stop, team) in promised {
            // Mostly at the end; where that is too late, wherever it can be.
            let index = (0..=routes[team].len())
                .rev()
                .find(|index| self.times(team, &with(&routes[team], *index, &[stop])).is_some());
            match index {
                Some(index) => routes[team].insert(index, stop),
                None => {
                    self.broken[stop] = true;
                    waiting.push(stop);
                }
            }
        }
        waiting.sort_unstable();
    }

    /// The cheapest place for a stop in one team's route.
    fn cheapest(&self, routes: &[Vec<usize>], team: usize, stop: usize) -> Option<Place> {
        if !self.may(team, stop) {
            return None;
        }
        let now = self.cost(team, &routes[team])?;
        (0..=routes[team].len())
            .filter_map(|index| {
                let cost = self.cost(team, &with(&routes[team], index, &[stop]))? - now;
                Some(Place { team, index, cost })
            })
            .min_by(|one, other| one.cost.total_cmp(&other.cost))
    }

    fn may(&self, team: usize, stop: usize) -> bool {
        self.day.stops[stop].teams.contains(&team)
    }

    /// Puts a stop where it costs least: for an urgent one, where it is reached soonest.
    fn insert_early(&self, routes: &mut [Vec<usize>], stop: usize) {
        let place = (0..routes.len())
            .filter_map(|team| self.cheapest(routes, team, stop))
            .min_by(|one, other| one.cost.total_cmp(&other.cost));
        if let Some(place) = place {
            routes[place.team].insert(place.index, stop);
        }
    }

    /// Inserts the one first that would lose most if it did not get its best team.
    fn insert_by_regret(&self, routes: &mut [Vec<usize>], mut waiting: Vec<usize>) {
        let mut places: Vec<Vec<Option<Place>>> = waiting
            .iter()
            .map(|stop| {
                (0..routes.len())
                    .map(|team| self.cheapest(routes, team, *stop))
                    .collect()
            })
            .collect();
        loop {
            let mut chosen: Option<(f64, f64, usize, Place)> = None;
            for (at, of_stop) in places.iter().enumerate() {
                let mut costs: Vec<Place> = of_stop.iter().flatten().copied().collect();
                costs.sort_by(|one, other| one.cost.total_cmp(&other.cost));
                let Some(best) = costs.first().copied() else {
                    continue;
                };
                // With one team left it must not wait longer.
                let regret = costs.get(1).map_or(f64::MAX, |second| second.cost - best.cost);
                let better = chosen
                    .is_none_or(|(most, cost, ..)| regret > most || (regret >= most && best.cost < cost));
                if better {
                    chosen = Some((regret, best.cost, at, best));
                }
            }
            let Some((_, _, at, place)) = chosen else { return };
            routes[place.team].insert(place.index, waiting.remove(at));
            places.remove(at);
            for (of_stop, stop) in places.iter_mut().zip(&waiting) {
                of_stop[place.team] = self.cheapest(routes, place.team, *stop);
            }
        }
    }

    /// Moves what has no promise as long as that makes the day cheaper.
    fn improve(&self, routes: &mut [Vec<usize>]) {
        for _ in 0..ROUNDS_MAX {
            let mut better = false;
            for team in 0..routes.len() {
                better |= self.turn(routes, team);
                for other in 0..routes.len() {
                    better |= self.shift(routes, team, other);
                }
            }
            if !better {
                return;
            }
        }
    }

    /// Or-opt: takes up to three stops in a row to a better place, also in another team's route.
    fn shift(&self, routes: &mut [Vec<usize>], team: usize, other: usize) -> bool {
        let mut better = false;
        let mut from = 0;
        'from: while from < routes[team].len() {
            for len in 1..=SEGMENT_LEN_MAX.min(routes[team].len() - from) {
                let segment: Vec<usize> = routes[team][from..from + len].to_vec();
                let movable =
                    |stop: &usize| self.may(other, *stop) && (team == other || !self.is_promised(*stop));
                if !segment.iter().all(movable) {
                    break;
                }
                if self.shift_segment(routes, (team, from), &segment, other) {
                    better = true;
                    continue 'from;
                }
            }
            from += 1;
        }
        better
    }

    fn shift_segment(
        &self,
        routes: &mut [Vec<usize>],
        (team, from): (usize, usize),
        segment: &[usize],
        other: usize,
    ) -> bool {
        let mut rest = routes[team].clone();
        rest.drain(from..from + segment.len());
        let Some(old) = self.cost(team, &routes[team]) else {
            return false;
        };
        let (base, rest_cost) = if team == other {
            (old, 0.0)
        } else {
            let Some(old_other) = self.cost(other, &routes[other]) else {
                return false;
            };
            let Some(rest_cost) = self.cost(team, &rest) else {
                return false;
            };
            (old + old_other, rest_cost)
        };
        let into = if team == other { &rest } else { &routes[other] };
        let best = (0..=into.len())
            .filter_map(|index| {
                let route = with(into, index, segment);
                let cost = self.cost(other, &route)? + rest_cost;
                Some((cost, route))
            })
            .min_by(|one, other| one.0.total_cmp(&other.0));
        match best {
            Some((cost, route)) if cost < base - 1e-6 => {
                if team != other {
                    routes[team] = rest;
                }
                routes[other] = route;
                true
            }
            _ => false,
        }
    }

    /// 2-opt: goes a part of the route the other way round.
    fn turn(&self, routes: &mut [Vec<usize>], team: usize) -> bool {
        let mut better = false;
        let len = routes[team].len();
        for from in 0..len {
            for to in from + 2..=len {
                let mut turned = routes[team].clone();
                turned[from..to].reverse();
                let (Some(old), Some(new)) = (self.cost(team, &routes[team]), self.cost(team, &turned))
                else {
                    continue;
                };
                if new < old - 1e-6 {
                    routes[team] = turned;
                    better = true;
                }
            }
        }
        better
    }

    fn answer(&self, routes: Vec<Vec<usize>>) -> Routes {
        let mut stops = vec![None; self.day.stops.len()];
        let mut travel_minutes = 0;
        for (team, route) in routes.iter().enumerate() {
            let Some((times, on_the_way)) = self.times(team, route) else {
                continue;
            };
            travel_minutes += on_the_way;
            for (&stop, &at) in route.iter().zip(&times) {
                let (from, to) = if self.is_promised(stop) {
                    (self.day.stops[stop].from, self.day.stops[stop].to)
                } else {
                    self.range(team, stop, at)
                };
                stops[stop] = Some(Planned {
                    team,
                    at,
                    from,
                    to,
                    broken: self.broken[stop],
                });
            }
        }
        Routes {
            stops,
            order: routes,
            travel_minutes,
        }
    }

    /// The range to promise around an expected arrival: a quarter of it before, three quarters after, so that later
    /// visits and short delays find room in it; within the team's hours and what was wished.
    fn range(&self, team: usize, stop: usize, at: u32) -> (u32, u32) {
        let of_stop = &self.day.stops[stop];
        let range = self.day.range_minutes;
        let (opens, closes) = self.day.teams[team]
            .works
            .iter()
            .copied()
            .find(|(opens, closes)| *opens <= at && at < *closes)
            .unwrap_or((at, at + range));
        let (wished_from, wished_to) = if self.broken[stop] {
            (0, u32::MAX)
        } else {
            (of_stop.from, of_stop.to)
        };
        let low = opens.max(wished_from).max(self.day.now.min(at)).min(at);
        let high = closes.saturating_sub(of_stop.minutes).min(wished_to).max(at);
        let from = (at.saturating_sub(range / 4) / RANGE_STEP_MINUTES * RANGE_STEP_MINUTES).max(low);
        let to = (from + range).min(high);
        // Where the day's end cuts it, it begins earlier.
        let from = to.saturating_sub(range).div_ceil(RANGE_STEP_MINUTES) * RANGE_STEP_MINUTES;
        (from.max(low).min(at), to)
    }
}

fn with(route: &[usize], index: usize, stops: &[usize]) -> Vec<usize> {
    let mut longer = Vec::with_capacity(route.len() + stops.len());
    longer.extend_from_slice(&route[..index]);
    longer.extend_from_slice(stops);
    longer.extend_from_slice(&route[index..]);
    longer
}
