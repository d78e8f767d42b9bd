//! How many people's windows a plan may start in a minute, so that those who come online then stay within what the
//! registration system is to be kept at. Pure.

use crate::{
    pacing::{
        forecast::{self, Course},
        kernel::{Kernel, Response},
        law::Params,
    },
    planner::StartsCap,
};

const DAY_SECONDS: f64 = 24.0 * 3600.0;
/// The share of the steady rate at which people are taken to be told while windows start. Telling a little more slowly
/// than windows start lets the last hear of theirs later before it, and leaves their place to those who come at its
/// start.
const TOLD_SHARE: f64 = 0.94;
/// How long before their windows people are taken to be told, in minutes.
pub const AHEAD_MINUTES: u32 = 30;

/// Sessions a second that are left for people who heed their windows: what the system is kept at, without what comes
/// untold and without those who come at any hour of the day.
pub fn line(params: &Params, response: &Response, recipients: u64) -> f64 {
    let share = params.kept_share(Kernel::of(response).ripple());
    let whenever = response.whenever * recipients as f64 / DAY_SECONDS;
    (share * params.nominal_capacity - params.background - whenever).max(0.0)
}

/// The cap on starts that holds the load at its line (sessions a second) for a city of so many people who are told by so
/// many contacts.
///
/// At the opening more may start than later: who comes through the window builds up over half an hour.
pub fn starts_cap(line: f64, response: &Response, people: u64, recipients: u64) -> StartsCap {
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
    let course = Course {
        line,
        told_per_second: told,
        ahead_minutes: AHEAD_MINUTES,
        recipients: recipients as f64,
    };
    StartsCap {
        per_minute: of_people(settled),
        opening: forecast::starts_profile(response, &course)
            .into_iter()
            .map(of_people)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(background: f64) -> Params {
        Params {
            background,
            ..Params::for_capacity(500.0)
        }
    }

    #[test]
    fn more_may_start_at_the_opening_than_later_and_the_load_stays_under_its_line() {
        let response = Response::default();
        let line = line(&params(15.0), &response, 8_000_000);
        let cap = starts_cap(line, &response, 8_000_000, 8_000_000);
        assert!(cap.opening[0] > cap.per_minute, "{cap:?}");
        // Whoever comes at a start comes in its minute, whoever comes through the window in the next thirty.
        let reading = response.on_reading * TOLD_SHARE * line / response.heed();
        let starts = |minute: usize| cap.opening[minute] / 60.0;
        for minute in 0..120_usize {
            let through: f64 = (minute.saturating_sub(30)..minute).map(starts).sum();
            let load =
                reading + response.at_start * starts(minute) + response.through_window * through / 30.0;
            assert!(load <= line * 1.001, "{load} of {line} in minute {minute}");
            assert!(load >= line * 0.9, "{load} of {line} in minute {minute}");
        }
    }

    #[test]
    fn one_phone_tells_a_household_and_a_system_without_room_still_lets_somebody_start() {
        let response = Response::default();
        let cap = |people| starts_cap(300.0, &response, people, 8_000_000).per_minute;
        assert!((cap(20_000_000) / cap(8_000_000) - 2.5).abs() < 1e-9);
        assert!(line(&params(600.0), &response, 10).abs() < 1e-9);
        let cap = starts_cap(0.0, &response, 10, 0);
        assert!((cap.per_minute - 1.0).abs() < 1e-9 && cap.opening.iter().all(|starts| *starts >= 1.0));
    }
}
