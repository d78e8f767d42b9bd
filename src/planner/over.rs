//! Windows for those whom nothing has room for. Nobody is dropped.

use std::ops::Range;

use super::{
    MINUTES_PER_DAY, PlanInput,
    capacity::Capacity,
    place::{Left, Placed, own_share},
};

/// Windows for those left, evenly over the last day at their sites, at each from a minute of its own on.
pub(super) fn over_capacity(input: &PlanInput, capacity: &Capacity, left: &[Left]) -> Vec<Placed> {
    let sites = capacity.sites.len();
    let mut total = vec![0_u64; sites];
    let mut before = vec![0_u64; sites];
    for left in left {
        total[left.site] += u64::from(left.people);
    }
    let mut hours: Vec<Option<Range<usize>>> = vec![None; sites];
    left.iter()
        .map(|left| {
            let site = left.site;
            let hours = hours[site].get_or_insert_with(|| last_resort_hours(input, capacity, site));
            let minutes = capacity.minutes_wanted(site, left.people).min(hours.len());
            let share = (before[site] as f64 / total[site] as f64 + own_share(site)).fract();
            let start = hours.start + ((hours.len() - minutes) as f64 * share) as usize;
            before[site] += u64::from(left.people);
            Placed {
                unit: left.unit as u32,
                site: site as u32,
                people: left.people,
                start: start as u32,
                minutes: minutes as u32,
            }
        })
        .collect()
}

/// The site's longest stretch of the last date; the round's hours where it is closed all day, and the whole day where
/// even these are none.
fn last_resort_hours(input: &PlanInput, capacity: &Capacity, site: usize) -> Range<usize> {
    let midnight = capacity.horizon - MINUTES_PER_DAY;
    let open = capacity
        .open(site)
        .iter()
        .map(|stretch| stretch.from as usize..stretch.to as usize)
        .filter(|stretch| stretch.start >= midnight)
        .max_by_key(|stretch| (stretch.len(), std::cmp::Reverse(stretch.start)));
    let supply = &input.supply;
    let to = usize::from(supply.to_minute).min(MINUTES_PER_DAY);
    let round = midnight + supply.samples_from(supply.days() - 1)..midnight + to;
    open.into_iter()
        .chain([round])
        .find(|hours| !hours.is_empty())
        .unwrap_or(midnight..capacity.horizon)
}
