//! A made-up city for the planner: clustered sites, people around them, some sites with far too many.

use std::collections::HashMap;

use weir::{
    domain::{BuildingId, Coordinates, SiteId, UnitId},
    planner::{Choice, Plan, PlanInput, PlanSite, PlanUnit, SiteGrid, Span, Supply},
};

/// Units for each site, as in a city of a million units and 8,400 sites.
const UNITS_PER_SITE: f64 = 1_000_000.0 / 8_400.0;
/// Sites in a cluster.
const CLUSTER: usize = 40;
/// No site lies further from the middle of its cluster, in metres.
const CLUSTER_METRES: f64 = 1_500.0;
const WALK_MAX_METRES: f64 = 900.0;
/// Clusters lie in a grid so far apart that nobody walks from one to the next.
const CLUSTERS_APART_METRES: f64 = 6_000.0;
const METRES_PER_DEGREE: f64 = 111_194.93;
/// First minute of the day.
pub const OPENS: u16 = 7 * 60;
const CLOSES: u16 = 22 * 60;
/// Samples of a desk a minute.
const DESK_PEOPLE_PER_MINUTE: f64 = 1.5;
/// One site in so many is overloaded, by two to three times.
const OVERLOADED_EVERY: usize = 10;

/// Randomness without a crate: splitmix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.share().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share()).cos()
    }
}

/// A city of about so many units.
pub fn city(units: usize, seed: u64) -> PlanInput {
    let mut dice = Dice::new(seed);
    let count = ((units as f64 / UNITS_PER_SITE).round() as usize).max(1);
    let clusters = count.div_ceil(CLUSTER);
    let columns = (clusters as f64).sqrt().ceil() as usize;
    let places: Vec<(f64, f64)> = (0..count)
        .map(|site| {
            let cluster = site / CLUSTER;
            let middle = |at: usize| at as f64 * CLUSTERS_APART_METRES;
            // Evenly over a disc.
            let (radius, turn) = (
                CLUSTER_METRES * dice.share().sqrt(),
                std::f64::consts::TAU * dice.share(),
            );
            (
                middle(cluster % columns) + radius * turn.cos(),
                middle(cluster / columns) + radius * turn.sin(),
            )
        })
        .collect();
    let coordinates = |(east, north): (f64, f64)| Coordinates {
        lat: north / METRES_PER_DEGREE,
        lon: east / METRES_PER_DEGREE,
    };
    let known: Vec<Option<Coordinates>> = places.iter().map(|&at| Some(coordinates(at))).collect();
    let grid = SiteGrid::new(&known, WALK_MAX_METRES);
    let mut input = PlanInput::default();
    let mut people = vec![0_u64; count];
    let mut building = 0;
    while input.units.len() < units {
        let site = (dice.share() * count as f64) as usize % count;
        let (east, north) = places[site];
        let at = (east + dice.normal() * 200.0, north + dice.normal() * 200.0);
        let mut near = grid.nearest(coordinates(at));
        near.truncate(8);
        if near.is_empty() {
            near.push(Choice::at(site));
        }
        let first = near[0].index();
        let choices = input.choices.add(near);
        let in_building = 1 + (dice.share() * 5.0) as usize;
        for _ in 0..in_building.min(units - input.units.len()) {
            // Log-normal, 20 people in the median.
            let unit = (20.0 * (0.5 * dice.normal()).exp()).round().clamp(1.0, 200.0) as u32;
            people[first] += u64::from(unit);
            input.units.push(PlanUnit {
                unit: UnitId(input.units.len() as i64),
                building: BuildingId(building),
                people: unit,
                green_people: 0,
                choices,
            });
        }
        building += 1;
    }
    input.supply = supply(&people, &mut dice);
    input
}

/// Desks for the people around each site: most have somewhat more than enough for a day, some not half.
fn supply(people: &[u64], dice: &mut Dice) -> Supply {
    let minutes = f64::from(CLOSES - OPENS);
    let sites = people
        .iter()
        .enumerate()
        .map(|(site, &people)| {
            let enough = people as f64 / minutes / DESK_PEOPLE_PER_MINUTE;
            let load = if site % OVERLOADED_EVERY == 0 {
                2.0 + dice.share()
            } else {
                0.3 + 0.5 * dice.share()
            };
            PlanSite {
                site: SiteId(site as i64),
                desks: ((enough / load).round() as u32).max(1),
                green_desks: 0,
                desk_people_per_minute: DESK_PEOPLE_PER_MINUTE,
                open: vec![Span {
                    from: OPENS,
                    to: CLOSES,
                }],
            }
        })
        .collect();
    Supply {
        sites,
        days: 2,
        to_minute: 1440,
        window_min_minutes: 10,
        ..Supply::default()
    }
}

/// People a minute of every site.
fn rates(input: &PlanInput) -> Vec<f64> {
    input
        .supply
        .sites
        .iter()
        .map(PlanSite::people_per_minute)
        .collect()
}

/// The least time in minutes in which sites could do their work if people were a fluid: computed by bisection over a
/// maximum flow, on other ground than the planner's.
pub fn fluid_bound(input: &PlanInput) -> f64 {
    let rates = rates(input);
    let mut lists: Vec<(u64, &[Choice])> = Vec::new();
    let mut by_list = HashMap::new();
    for unit in &input.units {
        let at = *by_list.entry(unit.choices).or_insert_with(|| {
            lists.push((0, input.choices.of(unit.choices)));
            lists.len() - 1
        });
        lists[at].0 += u64::from(unit.people);
    }
    let all: u64 = lists.iter().map(|list| list.0).sum();
    let (mut low, mut high) = (all as f64 / rates.iter().sum::<f64>(), 10.0 * 1440.0);
    while high - low > 0.05 {
        let middle = f64::midpoint(low, high);
        if flows(&lists, &rates, middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// Whether all people can flow to sites within so many minutes: Dinic's algorithm.
fn flows(lists: &[(u64, &[Choice])], rates: &[f64], minutes: f64) -> bool {
    let (source, sink) = (lists.len() + rates.len(), lists.len() + rates.len() + 1);
    let mut net = Net::new(sink + 1);
    let mut all = 0.0;
    for (at, (people, choices)) in lists.iter().enumerate() {
        all += *people as f64;
        net.edge(source, at, *people as f64);
        for choice in *choices {
            net.edge(at, lists.len() + choice.index(), f64::INFINITY);
        }
    }
    for (site, rate) in rates.iter().enumerate() {
        net.edge(lists.len() + site, sink, rate * minutes);
    }
    net.flow(source, sink) > all - 0.5
}

struct Net {
    /// Where an edge leads and what it can still carry; its opposite is beside it.
    edges: Vec<(u32, f64)>,
    of: Vec<Vec<u32>>,
    level: Vec<u32>,
    next: Vec<usize>,
}

impl Net {
    fn new(nodes: usize) -> Self {
        Self {
            edges: Vec::new(),
            of: vec![Vec::new(); nodes],
            level: vec![0; nodes],
            next: vec![0; nodes],
        }
    }

    fn edge(&mut self, from: usize, to: usize, most: f64) {
        self.of[from].push(self.edges.len() as u32);
        self.edges.push((to as u32, most));
        self.of[to].push(self.edges.len() as u32);
        self.edges.push((from as u32, 0.0));
    }

    fn flow(&mut self, source: usize, sink: usize) -> f64 {
        let mut flow = 0.0;
        while self.levels(source, sink) {
            self.next.fill(0);
            loop {
                let pushed = self.push(source, sink, f64::INFINITY);
                if pushed <= 1e-6 {
                    break;
                }
                flow += pushed;
            }
        }
        flow
    }

    fn levels(&mut self, source: usize, sink: usize) -> bool {
        self.level.fill(u32::MAX);
        self.level[source] = 0;
        let mut queue = std::collections::VecDeque::from([source]);
        while let Some(node) = queue.pop_front() {
            for &edge in &self.of[node] {
                let (to, left) = self.edges[edge as usize];
                if left > 1e-6 && self.level[to as usize] == u32::MAX {
                    self.level[to as usize] = self.level[node] + 1;
                    queue.push_back(to as usize);
                }
            }
        }
        self.level[sink] != u32::MAX
    }

    fn push(&mut self, node: usize, sink: usize, most: f64) -> f64 {
        if node == sink {
            return most;
        }
        while self.next[node] < self.of[node].len() {
            let edge = self.of[node][self.next[node]] as usize;
            let (to, left) = self.edges[edge];
            if left > 1e-6 && self.level[to as usize] == self.level[node] + 1 {
                let pushed = self.push(to as usize, sink, most.min(left));
                if pushed > 1e-6 {
                    self.edges[edge].1 -= pushed;
                    self.edges[edge ^ 1].1 += pushed;
                    return pushed;
                }
            }
            self.next[node] += 1;
        }
        0.0
    }
}

/// How long the fullest site would take if everybody went to the nearest, in minutes.
pub fn nearest_only(input: &PlanInput) -> f64 {
    let mut people = vec![0_u64; input.supply.sites.len()];
    for unit in &input.units {
        if let Some(first) = input.choices.of(unit.choices).first() {
            people[first.index()] += u64::from(unit.people);
        }
    }
    people
        .iter()
        .zip(rates(input))
        .map(|(&people, rate)| people as f64 / rate)
        .fold(0.0, f64::max)
}

/// What a plan is worth, read from its windows alone.
pub struct Figures {
    /// From opening to the end of the last window, in minutes.
    pub makespan: f64,
    /// Minutes from a building's first start to its last end, beyond what its site needs for its people, for 95 of
    /// 100 buildings.
    pub gap_p95: f64,
    /// The city's arrivals in its fullest minute.
    pub peak: f64,
    /// By how much the fullest minute of any site is over what the site can do.
    pub over_at_sites: f64,
    /// Metres that people walk further than to their nearest site, on average over all.
    pub extra_metres: f64,
}

/// Reads them.
pub fn figures(input: &PlanInput, plan: &Plan) -> Figures {
    let mut sites: Vec<Vec<f64>> = vec![Vec::new(); input.supply.sites.len()];
    let mut city = vec![0.0; 1440 * usize::from(input.supply.days) + 1];
    let (mut walked, mut people) = (0.0, 0.0);
    for (unit, window) in input.units.iter().zip(&plan.windows) {
        let site = window.site.0 as usize;
        let start = usize::from(window.day) * 1440 + usize::from(window.start_minute);
        let minutes = start..start + usize::from(window.minutes);
        sites[site].resize(city.len(), 0.0);
        for minute in minutes {
            sites[site][minute] += window.people_per_minute();
            city[minute] += window.people_per_minute();
        }
        let choices = input.choices.of(unit.choices);
        let metres = |choice: &Choice| f64::from(choice.metres.unwrap_or(0.0));
        let chosen = choices.iter().find(|choice| choice.index() == site);
        walked += chosen.map_or(0.0, |chosen| metres(chosen) - metres(&choices[0])) * f64::from(unit.people);
        people += f64::from(unit.people);
    }
    let over_at_sites = sites
        .iter()
        .zip(rates(input))
        .flat_map(|(minutes, rate)| minutes.iter().map(move |arrivals| arrivals - rate))
        .fold(f64::NEG_INFINITY, f64::max);
    let (day, end) = plan.ends().unwrap_or_default();
    Figures {
        makespan: f64::from(day) * 1440.0 + f64::from(end) - f64::from(OPENS),
        gap_p95: gap_p95(input, plan),
        peak: city.into_iter().fold(0.0, f64::max),
        over_at_sites,
        extra_metres: walked / people,
    }
}

fn gap_p95(input: &PlanInput, plan: &Plan) -> f64 {
    let rates = rates(input);
    let mut gaps = Vec::new();
    let mut at = 0;
    for building in input.units.chunk_by(|a, b| a.building == b.building) {
        let windows = &plan.windows[at..at + building.len()];
        at += building.len();
        let begin = |window: &weir::planner::PlannedWindow| {
            f64::from(window.day) * 1440.0 + f64::from(window.start_minute)
        };
        let first = windows.iter().map(begin).fold(f64::INFINITY, f64::min);
        let last = windows
            .iter()
            .map(|window| begin(window) + f64::from(window.minutes))
            .fold(0.0, f64::max);
        let mut by_site: HashMap<i64, f64> = HashMap::new();
        for window in windows {
            *by_site.entry(window.site.0).or_default() += f64::from(window.people);
        }
        // Of a building at two sites, the one that takes longer is its service.
        let service = by_site
            .iter()
            .map(|(&site, people)| people / rates[site as usize])
            .fold(0.0, f64::max);
        gaps.push((last - first - service).max(0.0));
    }
    gaps.sort_unstable_by(f64::total_cmp);
    gaps.get(gaps.len() * 95 / 100).copied().unwrap_or(0.0)
}
