//! How many people's windows a plan may start in a minute, so that those who come online then stay within what the
//! registration system is to be kept at. Pure.

use crate::{
    pacing::{forecast, kernel::Response},
    planner::StartsCap,
};

const DAY_SECONDS: f64 = 24.0 * 3600.0;
/// The share of the steady rate at which people are taken to be told while windows start. Telling a little more slowly
/// than windows start lets the last hear of theirs later before it, and leaves their place to those who come at its
/// start.
const TOLD_SHARE: f64 = 0.95;

/// What the cap rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registration {
    /// Sessions a second that the system completes when all is well.
    pub nominal_capacity: f64,
    /// Share of it that the load is kept at, 0 to 1.
    pub set_point: f64,
    /// Sessions a second that come without being told.
    pub background: f64,
}

/// The cap on starts for a city of so many people who are told by so many contacts.
///
/// At the opening more may start than later: who comes through the window builds up over half an hour.
pub fn starts_cap(system: &Registration, response: &Response, people: u64, recipients: u64) -> StartsCap {
    let whenever = response.whenever * recipients as f64 / DAY_SECONDS;
    let line = (system.set_point * system.nominal_capacity - system.background - whenever).max(0.0);
    let told = TOLD_SHARE * line / response.heed().max(1e-3);
    // One phone tells a household.
    let people_each = if recipients == 0 {
        1.0
    } else {
        (people as f64 / recipients as f64).max(1.0)
    };
    let of_people = |starts: f64| (starts * people_each).max(1.0);
    let settled = (line - response.on_reading * told).max(0.0)
        / (response.at_start + response.through_window).max(1e-3)
        * 60.0;
    StartsCap {
        per_minute: of_people(settled),
        opening: forecast::starts_profile(response, line, told)
            .into_iter()
            .map(of_people)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(people: u64) -> StartsCap {
        let system = Registration {
            nominal_capacity: 500.0,
            set_point: 0.85,
            background: 15.0,
        };
        starts_cap(&system, &Response::default(), people, 8_000_000)
    }

    #[test]
    fn more_may_start_at_the_opening_than_later_and_the_load_stays_at_its_line() {
        let cap = cap(8_000_000);
        assert!(cap.opening[0] > 1.2 * cap.per_minute, "{cap:?}");
        // Whoever comes at a start comes in its minute, whoever comes through the window in the next thirty.
        let response = Response::default();
        let line = 0.85 * 500.0 - 15.0 - 0.09 * 8e6 / DAY_SECONDS;
        let reading = response.on_reading * TOLD_SHARE * line / response.heed();
        let starts = |minute: usize| cap.opening.get(minute).copied().unwrap_or(cap.per_minute) / 60.0;
        // Where the opening ends, the starts that go on are a little more than its last.
        for minute in 0..120_usize {
            let through: f64 = (minute.saturating_sub(30)..minute).map(starts).sum();
            let load =
                reading + response.at_start * starts(minute) + response.through_window * through / 30.0;
            let over = if minute < cap.opening.len() { 0.001 } else { 0.025 };
            assert!(
                (load / line - 1.0).abs() <= over,
                "{load} of {line} in minute {minute}"
            );
        }
    }

    #[test]
    fn one_phone_tells_a_household_and_a_system_without_room_still_lets_somebody_start() {
        assert!((cap(20_000_000).per_minute / cap(8_000_000).per_minute - 2.5).abs() < 1e-9);
        let none = Registration {
            nominal_capacity: 1.0,
            set_point: 0.85,
            background: 15.0,
        };
        let cap = starts_cap(&none, &Response::default(), 10, 0);
        assert!((cap.per_minute - 1.0).abs() < 1e-9 && cap.opening.iter().all(|starts| *starts >= 1.0));
    }
}
