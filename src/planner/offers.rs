//! Other times for a household that cannot come at its own.

use super::{Choice, GivenWindow, Supply};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct OfferRequest<'a> {
    /// Sites, hours and caps.
    pub supply: &'a Supply,
    /// Every window that is given, in this round and the others. The household's own may be left out.
    pub given: &'a [GivenWindow],
    /// Where the household may go, its present site first.
    pub choices: &'a [Choice],
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

/// The next free windows: those at the first choice first, each site's in order of time.
pub fn offers(request: &OfferRequest<'_>) -> Vec<Offer> {
    let _ = request;
    Vec::new()
}
