//! What all windows add up to.

use super::{
    MINUTES_PER_DAY, SitePlan,
    assign::NOWHERE,
    capacity::{self, Seeking},
    green::GreenLane,
    place::{Job, Placed},
};

/// The city's expected arrivals by day and minute, and what each site has to do.
pub(super) fn of(job: &Job<'_>, green: &GreenLane, placed: &[Placed]) -> (Vec<Vec<f64>>, Vec<SitePlan>) {
    let capacity = job.capacity;
    let sites = &job.input.supply.sites;
    let mut city = vec![0_i64; capacity.horizon + 1];
    for (stretch, &people) in green.people.iter().enumerate().filter(|(_, people)| **people > 0) {
        let open = capacity.stretches[stretch];
        let share = capacity::quanta(people as f64 / f64::from(open.to - open.from));
        city[open.from as usize] += share;
        city[open.to as usize] -= share;
    }
    let by_site = by_site(placed, sites.len());
    let mut changes: Vec<(u32, i64)> = Vec::new();
    let plans = (0..sites.len())
        .map(|site| {
            changes.clear();
            let mut people = 0;
            for &unit in by_site.of(site) {
                let window = &placed[unit as usize];
                let share = Seeking::new(window.people, window.minutes).share;
                people += u64::from(window.people);
                changes.push((window.start, share));
                changes.push((window.start + window.minutes, -share));
                city[window.start as usize] += share;
                city[(window.start + window.minutes) as usize] -= share;
            }
            let own = green.sites[site];
            let desk_minutes =
                sites[site].desk_people_per_minute * f64::from(capacity.sites[site].open_minutes);
            SitePlan {
                site: sites[site].site,
                people,
                peak_per_minute: capacity::people(peak(&mut changes)),
                green_people: own.people,
                green_desks_needed: if own.wanted > 0 && desk_minutes > 0.0 {
                    (own.wanted as f64 / desk_minutes - 1e-9).ceil() as u32
                } else {
                    0
                },
            }
        })
        .collect();
    let mut now = 0;
    let by_minute: Vec<f64> = city
        .iter()
        .map(|change| {
            now += change;
            capacity::people(now)
        })
        .collect();
    let load = by_minute[..capacity.horizon]
        .chunks(MINUTES_PER_DAY)
        .map(<[f64]>::to_vec)
        .collect();
    (load, plans)
}

/// The highest sum of changes up to a minute.
fn peak(changes: &mut [(u32, i64)]) -> i64 {
    // In one minute, those who leave go before those who come.
    changes.sort_unstable();
    let mut now = 0;
    let mut peak = 0;
    for &(_, change) in changes.iter() {
        now += change;
        peak = peak.max(now);
    }
    peak
}

struct BySite {
    units: Vec<u32>,
    ends: Vec<u32>,
}

impl BySite {
    fn of(&self, site: usize) -> &[u32] {
        &self.units[self.ends[site] as usize..self.ends[site + 1] as usize]
    }
}

fn by_site(placed: &[Placed], sites: usize) -> BySite {
    let known = || placed.iter().filter(|window| window.site != NOWHERE);
    let mut ends = vec![0_u32; sites + 1];
    for window in known() {
        ends[window.site as usize + 1] += 1;
    }
    for site in 0..sites {
        ends[site + 1] += ends[site];
    }
    let mut next = ends.clone();
    let mut units = vec![0; ends[sites] as usize];
    for window in known() {
        let at = &mut next[window.site as usize];
        units[*at as usize] = window.unit;
        *at += 1;
    }
    BySite { units, ends }
}
