//! Other times for a household that cannot come at its own.

use crate::domain::BuildingId;

use super::{
    Choice, GivenWindow, MINUTES_PER_DAY, Supply,
    capacity::{Capacity, Taken},
    place::Search,
};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct OfferRequest<'a> {
    /// Sites, hours and caps.
    pub supply: &'a Supply,
    /// Every window that is given, in this round and the others. The household's own may be left out.
    pub given: &'a [GivenWindow],
    /// Where the household may go, its present site first.
    pub choices: &'a [Choice],
    /// Whose must-not times count.
    pub building: BuildingId,
    /// Residents who would come.
    pub people: u32,
    /// No window starts before this day and minute.
    pub not_before: (u16, u16),
    /// How many are wanted.
    pub count: usize,
}

/// A free window. The store takes it by one atomic update that counts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// By place in [`Supply::sites`].
    pub site: usize,
    /// The date, counted from the round's first day, which is 0.
    pub day: u16,
    /// First minute, counted from midnight.
    pub start_minute: u16,
    /// Length.
    pub minutes: u16,
}

/// The next free windows: those at the first choice first, each site's in order of time and apart from each other.
pub fn offers(request: &OfferRequest<'_>) -> Vec<Offer> {
    let capacity = Capacity::of(request.supply);
    let taken = Taken::by_others(&capacity, request.supply, request.given);
    let search = Search {
        capacity: &capacity,
        taken: &taken,
        within_city_cap: true,
    };
    let (day, minute) = request.not_before;
    let from = u32::from(day) * MINUTES_PER_DAY as u32 + u32::from(minute);
    let mut offers = Vec::new();
    for site in request.choices.iter().map(Choice::index) {
        let Some(window) = (site < capacity.sites.len())
            .then(|| capacity.seeking(site, request.people.max(1)))
            .flatten()
        else {
            continue;
        };
        for stretch in capacity.sites[site].stretches.clone() {
            let mut next = from;
            while let Some(start) = search.first(site, stretch, next, window, request.building) {
                if offers.len() >= request.count {
                    return offers;
                }
                offers.push(Offer {
                    site,
                    day: (start as usize / MINUTES_PER_DAY) as u16,
                    start_minute: (start as usize % MINUTES_PER_DAY) as u16,
                    minutes: window.minutes as u16,
                });
                next = start + window.minutes;
            }
        }
    }
    offers
}
