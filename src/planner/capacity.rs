//! Desks, hours and caps into room for windows, minute by minute.
//!
//! Arrivals are counted in whole quanta, so that sums do not depend on their order and a cap is either kept or not.
//! Minutes count from the round's first midnight. A site's day is a list of stretches: a break, a must-not time and the
//! night all end one, and a window lies in one stretch.

use std::{collections::HashMap, ops::Range};

use crate::domain::BuildingId;

use super::{GivenWindow, MINUTES_PER_DAY, PlanSite, Span, Supply, Whom, starts::StartsRoom};

/// Parts of a person in which arrivals a minute are counted.
const QUANTA_PER_PERSON: f64 = 4_294_967_296.0;

/// Shares are rounded to quanta: so many of them over a cap are no arrivals over it. Some 10⁻⁸ people.
const TOLERANCE: i64 = 64;

/// Quotients that differ by less are equal.
const QUOTIENT_TOLERANCE: f64 = 1e-10;

/// As much as is in a minute in which nobody may come. Some can be added to it.
const CLOSED: i64 = i64::MAX / 4;

/// No city sees more people in a minute.
const PEOPLE_PER_MINUTE_MAX: f64 = 1e8;

/// Arrivals a minute in quanta.
pub(super) fn quanta(people_per_minute: f64) -> i64 {
    (people_per_minute.clamp(0.0, PEOPLE_PER_MINUTE_MAX) * QUANTA_PER_PERSON).round() as i64
}

/// Quanta as people a minute.
pub(super) fn people(quanta: i64) -> f64 {
    quanta as f64 / QUANTA_PER_PERSON
}

/// What the round has to give, cleaned of what cannot be (negative rates, closing before opening).
pub(super) struct Capacity {
    /// In the order of the supply.
    pub(super) sites: Vec<SiteCapacity>,
    /// When sites are open, each site's stretches after those of the site before it.
    pub(super) stretches: Vec<Stretch>,
    /// Arrivals a minute in the whole city; infinite without a cap.
    pub(super) city: f64,
    /// Minutes of all dates in use.
    pub(super) horizon: usize,
    window_min: usize,
    /// When single buildings must not be called.
    must_not: HashMap<BuildingId, Vec<Range<u32>>>,
    /// When nobody must be called.
    closed_city: Vec<Range<u32>>,
}

/// One site's room.
#[derive(Clone)]
pub(super) struct SiteCapacity {
    /// People a minute.
    pub(super) rate: f64,
    /// The same in quanta, and what rounding may add.
    limit: i64,
    /// Which of the stretches are the site's.
    pub(super) stretches: Range<usize>,
    /// Minutes that it is open in the round.
    pub(super) open_minutes: u32,
    longest: u32,
}

/// Minutes without a break in which a site is open.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    /// First minute.
    pub(super) from: u32,
    /// Minute after the last.
    pub(super) to: u32,
    /// Minutes that the site was open before.
    pub(super) open_before: u32,
}

/// A window that seeks its place.
#[derive(Clone, Copy)]
pub(super) struct Seeking {
    pub(super) people: u32,
    pub(super) minutes: u32,
    /// Its arrivals a minute, in quanta.
    pub(super) share: i64,
}

impl Capacity {
    pub(super) fn of(supply: &Supply) -> Self {
        let ranges = |whom: &dyn Fn(Whom) -> bool| -> Vec<Range<u32>> {
            (supply.must_not.iter().filter(|must_not| whom(must_not.whom)))
                .flat_map(|must_not| on_days(supply, must_not.day, must_not.span))
                .collect()
        };
        let closed_city = ranges(&|whom| whom == Whom::Everybody);
        let mut closed_sites: HashMap<usize, Vec<Range<u32>>> = HashMap::new();
        let mut must_not: HashMap<BuildingId, Vec<Range<u32>>> = HashMap::new();
        for rule in &supply.must_not {
            let days = on_days(supply, rule.day, rule.span);
            match rule.whom {
                Whom::Everybody => {}
                Whom::Building(building) => must_not.entry(building).or_default().extend(days),
                Whom::Site(site) => closed_sites.entry(site).or_default().extend(days),
            }
        }
        let mut stretches = Vec::new();
        let sites = supply
            .sites
            .iter()
            .enumerate()
            .map(|(index, site)| {
                let closed = closed_city
                    .iter()
                    .chain(closed_sites.get(&index).into_iter().flatten());
                let open = open(site, supply, closed);
                SiteCapacity::of(site, &open, &mut stretches)
            })
            .collect();
        Self {
            sites,
            stretches,
            city: supply.city_cap.map_or(f64::INFINITY, |cap| cap.max(0.0)),
            horizon: supply.days() * MINUTES_PER_DAY,
            window_min: supply.window_min(),
            must_not,
            closed_city,
        }
    }

    /// The shortest window.
    pub(super) fn window_min(&self) -> usize {
        self.window_min
    }

    /// A site's stretches.
    pub(super) fn open(&self, site: usize) -> &[Stretch] {
        &self.stretches[self.sites[site].stretches.clone()]
    }

    /// The people's window at the site; none if they cannot be sampled there without a break.
    pub(super) fn seeking(&self, site: usize, people: u32) -> Option<Seeking> {
        let minutes = self.minutes_wanted(site, people);
        (minutes <= self.sites[site].longest as usize).then(|| Seeking::new(people, minutes as u32))
    }

    /// How long the window would last if no day ended; `usize::MAX` where nobody is sampled.
    pub(super) fn minutes_wanted(&self, site: usize, people: u32) -> usize {
        // A single unit must stay below the city's cap too. The cast saturates: a rate of 0 gives infinity.
        let minutes = (f64::from(people) / self.sites[site].rate.min(self.city) - QUOTIENT_TOLERANCE).ceil();
        (minutes as usize).max(self.window_min)
    }

    /// People that the site can sample until this minute.
    pub(super) fn people_until(&self, site: usize, minute: f64) -> f64 {
        self.sites[site].rate * self.open_until(site, minute)
    }

    /// Minutes that the site is open until this one.
    pub(super) fn open_until(&self, site: usize, minute: f64) -> f64 {
        let open = self.open(site);
        let after = open.partition_point(|stretch| f64::from(stretch.from) < minute);
        after.checked_sub(1).map_or(0.0, |last| {
            let stretch = open[last];
            f64::from(stretch.open_before) + minute.min(f64::from(stretch.to)) - f64::from(stretch.from)
        })
    }

    /// The minute at which the site has been open for so long; beyond the round it goes on as on a whole day.
    pub(super) fn minute_after(&self, site: usize, open_minutes: f64) -> f64 {
        let open = self.open(site);
        let before = open
            .partition_point(|stretch| f64::from(stretch.open_before) < open_minutes)
            .max(1);
        let Some(stretch) = open.get(before - 1) else {
            return f64::INFINITY;
        };
        let minute = f64::from(stretch.from) + open_minutes - f64::from(stretch.open_before);
        let beyond = minute - f64::from(stretch.to);
        if beyond <= 0.0 {
            return minute;
        }
        let a_day = f64::from(self.sites[site].open_minutes) / (self.horizon / MINUTES_PER_DAY) as f64;
        self.horizon as f64 + beyond / a_day.max(1.0) * MINUTES_PER_DAY as f64
    }

    /// The last of these minutes in which the building must not be called.
    pub(super) fn must_not(&self, building: BuildingId, minutes: &Range<u32>) -> Option<u32> {
        if self.must_not.is_empty() {
            return None;
        }
        let times = self.must_not.get(&building)?;
        times
            .iter()
            .filter(|time| time.start < minutes.end && minutes.start < time.end)
            .map(|time| time.end.min(minutes.end) - 1)
            .max()
    }
}

/// A must-not time's minutes from the first midnight on.
fn on_days(supply: &Supply, day: Option<u16>, span: Span) -> impl Iterator<Item = Range<u32>> {
    let days = match day {
        Some(day) => usize::from(day)..usize::from(day) + 1,
        None => 0..supply.days(),
    };
    days.map(move |day| {
        let midnight = (day * MINUTES_PER_DAY) as u32;
        midnight + u32::from(span.from)..midnight + u32::from(span.to)
    })
}

/// A site's stretches without what is closed.
fn open<'a>(
    site: &PlanSite,
    supply: &Supply,
    closed: impl Iterator<Item = &'a Range<u32>>,
) -> Vec<Range<u32>> {
    let mut open: Vec<Range<u32>> = (0..supply.days())
        .flat_map(|day| {
            let midnight = (day * MINUTES_PER_DAY) as u32;
            let from = supply.samples_from(day) as u32;
            let to = u32::from(supply.to_minute).min(MINUTES_PER_DAY as u32);
            site.open.iter().map(move |span| {
                midnight + u32::from(span.from).max(from)..midnight + u32::from(span.to).min(to)
            })
        })
        .filter(|range| !range.is_empty())
        .collect();
    for closed in closed {
        open = open
            .into_iter()
            .flat_map(|range| {
                [
                    range.start..range.end.min(closed.start),
                    range.start.max(closed.end)..range.end,
                ]
            })
            .filter(|range| !range.is_empty())
            .collect();
    }
    open.sort_unstable_by_key(|range| range.start);
    // Hours that overlap or touch are one stretch: a window may lie across.
    let mut joined: Vec<Range<u32>> = Vec::with_capacity(open.len());
    for range in open {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

impl SiteCapacity {
    fn of(site: &PlanSite, open: &[Range<u32>], stretches: &mut Vec<Stretch>) -> Self {
        let first = stretches.len();
        let mut open_minutes = 0;
        for range in open {
            stretches.push(Stretch {
                from: range.start,
                to: range.end,
                open_before: open_minutes,
            });
            open_minutes += range.end - range.start;
        }
        let rate = site.people_per_minute();
        let rate = if rate.is_finite() {
            rate.clamp(0.0, PEOPLE_PER_MINUTE_MAX)
        } else {
            0.0
        };
        Self {
            rate,
            limit: quanta(rate) + TOLERANCE,
            stretches: first..stretches.len(),
            open_minutes,
            longest: (open.iter().map(|range| range.end - range.start))
                .max()
                .unwrap_or(0),
        }
    }

    /// Whether anybody can be sampled here.
    pub(super) fn is_usable(&self) -> bool {
        self.rate > 0.0 && self.open_minutes > 0
    }
}

impl Seeking {
    pub(super) fn new(people: u32, minutes: u32) -> Self {
        Self {
            people,
            minutes,
            share: quanta(f64::from(people) / f64::from(minutes.max(1))),
        }
    }
}

/// How much of the capacity is taken, minute by minute.
#[derive(Clone)]
pub(super) struct Taken {
    /// By minute.
    city: Vec<i64>,
    city_limit: i64,
    /// By stretch and minute of it; empty until first used.
    stretches: Vec<Vec<i64>>,
    pub(super) starts: StartsRoom,
}

impl Taken {
    /// Only what others have been given is taken.
    pub(super) fn by_others(capacity: &Capacity, supply: &Supply, given: &[GivenWindow]) -> Self {
        let mut taken = Self {
            city: vec![0; capacity.horizon],
            city_limit: if capacity.city.is_finite() {
                quanta(capacity.city) + TOLERANCE
            } else {
                CLOSED - 1
            },
            stretches: vec![Vec::new(); capacity.stretches.len()],
            starts: StartsRoom::of(supply),
        };
        for range in &capacity.closed_city {
            let range = range.start as usize..(range.end as usize).min(capacity.horizon);
            if let Some(minutes) = taken.city.get_mut(range) {
                minutes.fill(CLOSED);
            }
        }
        for window in given {
            taken.take_given(capacity, window);
        }
        taken
    }

    fn take_given(&mut self, capacity: &Capacity, window: &GivenWindow) {
        let start = u32::from(window.day) * MINUTES_PER_DAY as u32 + u32::from(window.start_minute);
        let Seeking { minutes, share, .. } = Seeking::new(window.people, u32::from(window.minutes.max(1)));
        if let Some(site) = window.site.filter(|&site| site < capacity.sites.len()) {
            for stretch in capacity.sites[site].stretches.clone() {
                let Stretch { from, to, .. } = capacity.stretches[stretch];
                let overlap = start.max(from)..(start + minutes).min(to);
                if !overlap.is_empty() {
                    self.add_at_site(capacity, stretch, overlap, share);
                }
            }
        }
        self.add_in_city(start..start + minutes, share);
        self.starts.take(start, window.people);
    }

    fn add_at_site(&mut self, capacity: &Capacity, stretch: usize, minutes: Range<u32>, share: i64) {
        let Stretch { from, to, .. } = capacity.stretches[stretch];
        let at_site = &mut self.stretches[stretch];
        if at_site.is_empty() {
            at_site.resize((to - from) as usize, 0);
        }
        for minute in &mut at_site[(minutes.start - from) as usize..(minutes.end - from) as usize] {
            *minute += share;
        }
    }

    /// Adds arrivals that are at no site's regular desks.
    pub(super) fn add_in_city(&mut self, minutes: Range<u32>, share: i64) {
        let range = minutes.start as usize..(minutes.end as usize).min(self.city.len());
        for minute in self.city.get_mut(range).into_iter().flatten() {
            *minute += share;
        }
    }

    /// The last minute of a window in which the site has no room for it.
    pub(super) fn full_at_site(
        &self,
        capacity: &Capacity,
        site: usize,
        stretch: usize,
        start: u32,
        window: Seeking,
    ) -> Option<u32> {
        let most = capacity.sites[site].limit - window.share;
        let at_site = &self.stretches[stretch];
        if at_site.is_empty() {
            return (most < 0).then_some(start + window.minutes - 1);
        }
        let first = (start - capacity.stretches[stretch].from) as usize;
        at_site[first..first + window.minutes as usize]
            .iter()
            .rposition(|&taken| taken > most)
            .map(|full| start + full as u32)
    }

    /// What the site has left in a minute of the stretch, in quanta.
    pub(super) fn left_at_site(&self, capacity: &Capacity, site: usize, stretch: usize, minute: u32) -> i64 {
        let taken = self.stretches[stretch]
            .get((minute - capacity.stretches[stretch].from) as usize)
            .copied()
            .unwrap_or(0);
        capacity.sites[site].limit - taken
    }

    /// The last minute of a window in which the city has no room for it.
    pub(super) fn full_in_city(&self, start: u32, window: Seeking) -> Option<u32> {
        let most = self.city_limit - window.share;
        let first = start as usize;
        self.city[first..first + window.minutes as usize]
            .iter()
            .rposition(|&taken| taken > most)
            .map(|full| start + full as u32)
    }

    /// What the city has left in a minute, in quanta.
    pub(super) fn left_in_city(&self, minute: u32) -> i64 {
        self.city_limit - self.city[minute as usize]
    }

    /// Takes the room of a window.
    pub(super) fn take(&mut self, capacity: &Capacity, stretch: usize, start: u32, window: Seeking) {
        let minutes = start..start + window.minutes;
        self.add_at_site(capacity, stretch, minutes.clone(), window.share);
        self.add_in_city(minutes, window.share);
        self.starts.take(start, window.people);
    }

    /// Gives the room of a window back.
    pub(super) fn give_back(&mut self, capacity: &Capacity, stretch: usize, start: u32, window: Seeking) {
        let minutes = start..start + window.minutes;
        self.add_at_site(capacity, stretch, minutes.clone(), -window.share);
        self.add_in_city(minutes, -window.share);
        self.starts.give_back(start, window.people);
    }
}
