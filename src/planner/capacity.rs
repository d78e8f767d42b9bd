//! Desks, hours and caps into room for windows; and what is missing where the room ends.

use super::{MINUTES_PER_DAY, PlanInput, PlanSite, Shortage, SiteShortage, Supply, place::Placement};

/// Sums of fractions differ in their last digits; arrivals a minute that differ by less are equal.
const TOLERANCE: f64 = 1e-10;

/// What the round has to give, cleaned of what cannot be (negative rates, closing before opening).
pub(super) struct Capacity {
    /// In the order of the input.
    pub(super) sites: Vec<SiteCapacity>,
    /// Arrivals a minute in the whole city; infinite without a cap.
    pub(super) city: f64,
    /// Dates in use.
    pub(super) days: usize,
    window_min: usize,
}

/// One site's day: the same on each date, but that the first may begin later.
#[derive(Clone, Copy)]
pub(super) struct SiteCapacity {
    /// People a minute.
    pub(super) rate: f64,
    /// First minute of the day.
    pub(super) opens: usize,
    /// The same on the round's first day; from `opens` to `closes`.
    opens_first: usize,
    /// Minute of the day at which it closes; at least `opens`.
    pub(super) closes: usize,
}

/// How much of the capacity is taken, minute by minute.
pub(super) struct Taken {
    /// By day and minute of the day.
    city: Vec<Vec<f64>>,
    /// By site, day and minute since opening; empty until a day is first used.
    sites: Vec<Vec<Vec<f64>>>,
}

impl Capacity {
    pub(super) fn of(input: &PlanInput) -> Self {
        Self {
            sites: input
                .supply
                .sites
                .iter()
                .map(|site| SiteCapacity::of(site, &input.supply))
                .collect(),
            city: input.supply.city_cap.map_or(f64::INFINITY, |cap| cap.max(0.0)),
            days: input.supply.days(),
            window_min: input.supply.window_min(),
        }
    }

    /// The shortest window.
    pub(super) fn window_min(&self) -> usize {
        self.window_min
    }

    /// How long the people's window at the site lasts; none if they cannot be sampled there within a day.
    pub(super) fn window_minutes(&self, site: usize, people: u32) -> Option<usize> {
        let minutes = self.minutes_wanted(site, people);
        (minutes <= self.sites[site].open_minutes()).then_some(minutes)
    }

    /// How long the window would last if no day ended; `usize::MAX` where nobody is sampled.
    pub(super) fn minutes_wanted(&self, site: usize, people: u32) -> usize {
        // A single unit must stay below the city's cap too. The cast saturates: a rate of 0 gives infinity.
        let minutes = (f64::from(people) / self.sites[site].rate.min(self.city) - TOLERANCE).ceil() as usize;
        minutes.max(self.window_min)
    }

    /// When the site would have sampled so many people, in minutes from the first midnight, if it never stood idle.
    pub(super) fn finished(&self, site: usize, people: u64) -> f64 {
        let site = self.sites[site];
        let open = site.open_minutes() as f64;
        // What has passed of the first day counts as worked.
        let work = people as f64 / site.rate + site.lost_minutes() as f64;
        let full_days = ((work / open).ceil() - 1.0).max(0.0);
        full_days * MINUTES_PER_DAY as f64 + site.opens as f64 + work - full_days * open
    }
}

impl SiteCapacity {
    fn of(site: &PlanSite, supply: &Supply) -> Self {
        let last_day = supply.days() - 1;
        let opens_on =
            |day| usize::from(site.open.first().map_or(0, |open| open.from)).max(supply.samples_from(day));
        let opens = opens_on(last_day);
        let closes = usize::from(site.open.last().map_or(0, |open| open.to).min(supply.to_minute))
            .min(MINUTES_PER_DAY);
        let closes = closes.max(opens);
        let rate = site.people_per_minute();
        Self {
            rate: if rate.is_finite() { rate.max(0.0) } else { 0.0 },
            opens,
            opens_first: opens_on(0).min(closes),
            closes,
        }
    }

    /// First minute of sampling on this day.
    pub(super) fn opens_on(&self, day: usize) -> usize {
        if day == 0 { self.opens_first } else { self.opens }
    }

    /// Minutes of sampling on a whole day.
    pub(super) fn open_minutes(&self) -> usize {
        self.closes - self.opens
    }

    /// Minutes by which the first day is shorter.
    fn lost_minutes(&self) -> usize {
        self.opens_first - self.opens
    }

    /// Whether anybody can be sampled here.
    pub(super) fn is_usable(&self) -> bool {
        self.rate > 0.0 && self.closes > self.opens
    }
}

impl Taken {
    pub(super) fn nothing(capacity: &Capacity) -> Self {
        Self {
            city: vec![vec![0.0; MINUTES_PER_DAY]; capacity.days],
            sites: vec![vec![Vec::new(); capacity.days]; capacity.sites.len()],
        }
    }

    /// Whether the site can take so many more arrivals in this minute.
    pub(super) fn site_has_room(
        &self,
        capacity: &Capacity,
        site: usize,
        day: usize,
        minute: usize,
        share: f64,
    ) -> bool {
        let SiteCapacity { rate, opens, .. } = capacity.sites[site];
        let taken = self.sites[site][day].get(minute - opens).copied().unwrap_or(0.0);
        taken + share <= rate + TOLERANCE
    }

    /// Whether the city can take so many more arrivals in this minute.
    pub(super) fn city_has_room(&self, capacity: &Capacity, day: usize, minute: usize, share: f64) -> bool {
        self.city[day][minute] + share <= capacity.city + TOLERANCE
    }

    /// Takes the room of a window.
    pub(super) fn take(
        &mut self,
        capacity: &Capacity,
        site: usize,
        day: usize,
        minutes: std::ops::Range<usize>,
        share: f64,
    ) {
        let SiteCapacity { opens, closes, .. } = capacity.sites[site];
        let at_site = &mut self.sites[site][day];
        at_site.resize(closes - opens, 0.0);
        for minute in minutes {
            at_site[minute - opens] += share;
            self.city[day][minute] += share;
        }
    }
}

/// What is missing for those left without room.
pub(super) fn shortage(input: &PlanInput, capacity: &Capacity, placement: &Placement) -> Option<Shortage> {
    if placement.left.is_empty() {
        return None;
    }
    let mut all = vec![0_u64; input.supply.sites.len()];
    let mut beyond_city_cap = vec![0_u64; input.supply.sites.len()];
    for left in &placement.left {
        all[left.site] += u64::from(left.people);
        if left.desks_are_free {
            beyond_city_cap[left.site] += u64::from(left.people);
        }
    }
    let sites: Vec<SiteShortage> = (0..input.supply.sites.len())
        .filter(|&site| all[site] > 0)
        .map(|site| {
            let beyond_desks = all[site] - beyond_city_cap[site];
            site_shortage(
                &input.supply.sites[site],
                capacity.sites[site],
                capacity.days,
                all[site],
                beyond_desks,
            )
        })
        .collect();
    let people_beyond_city_cap: u64 = beyond_city_cap.iter().sum();
    let city_hours = hours(people_beyond_city_cap, capacity.city);
    Some(Shortage {
        people: all.iter().sum(),
        desks: sites
            .iter()
            .fold(0, |desks, site| desks.saturating_add(site.desks)),
        hours: sites.iter().map(|site| site.hours).fold(city_hours, f64::max),
        people_beyond_city_cap,
        sites,
        ..Shortage::default()
    })
}

fn site_shortage(
    site: &PlanSite,
    capacity: SiteCapacity,
    days: usize,
    people: u64,
    beyond_desks: u64,
) -> SiteShortage {
    let open_minutes = capacity.open_minutes() * days - capacity.lost_minutes();
    let per_desk = site.desk_people_per_minute * open_minutes as f64;
    // A site that is closed all round lacks hours; desks would stand idle.
    let desks = if per_desk > 0.0 {
        (beyond_desks as f64 / per_desk).ceil() as u32
    } else {
        0
    };
    let hours = hours(beyond_desks, capacity.rate.max(site.desk_people_per_minute));
    SiteShortage {
        site: site.site,
        people,
        desks,
        hours,
        green_people: 0,
        green_desks: 0,
    }
}

fn hours(people: u64, per_minute: f64) -> f64 {
    if people > 0 && per_minute > 0.0 {
        people as f64 / per_minute / 60.0
    } else {
        0.0
    }
}
