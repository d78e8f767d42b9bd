//! Sessions by people whom nobody told: the background, and those whom a rumour brings.

use std::collections::BTreeMap;

use rand::rngs::Xoshiro256PlusPlus;

use crate::registration::simulator::{
    model::{Offer, ServerModel},
    people::Habits,
};

/// The request of somebody who looks once and does not come again.
const ONCE: u32 = u32::MAX;
/// The first request of somebody who tries again; each further one counts from here.
const AGAIN: u32 = u32::MAX - 1 - FAILURES_MAX;
/// Whoever has failed so often is not counted any further.
const FAILURES_MAX: u32 = 255;

/// They and their next tries.
#[derive(Debug)]
pub struct Others {
    rng: Xoshiro256PlusPlus,
    habits: Habits,
    /// Those whom a rumour brings try again when they fail.
    retries: bool,
    background_due: f64,
    rumour_due: f64,
    /// The requests that are due in a second.
    due: BTreeMap<u32, Vec<u32>>,
}

/// What they brought in a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought {
    /// Sessions begun for the first time.
    pub fresh: u32,
    /// Sessions begun at all.
    pub offered: u32,
}

impl Others {
    /// Nobody yet.
    pub fn new(habits: Habits, retries: bool, rng: Xoshiro256PlusPlus) -> Self {
        Self {
            rng,
            habits,
            retries,
            background_due: 0.0,
            rumour_due: 0.0,
            due: BTreeMap::new(),
        }
    }

    /// Whether a request is one of theirs.
    pub fn is_theirs(id: u32) -> bool {
        id >= AGAIN
    }

    /// A second's requests, of so many background and rumour sessions that are new.
    pub fn come(&mut self, server: &mut ServerModel, second: u32, background: f64, rumour: f64) -> Brought {
        let background = whole(&mut self.background_due, background);
        let rumour = whole(&mut self.rumour_due, rumour);
        for _ in 0..background {
            server.offer(ONCE);
        }
        let first = if self.retries { AGAIN } else { ONCE };
        let again = self.due.remove(&second).unwrap_or_default();
        let offered = background + rumour + again.len() as u32;
        for id in std::iter::repeat_n(first, rumour as usize).chain(again) {
            if server.offer(id) == Offer::Refused {
                self.failed(id, second);
            }
        }
        Brought {
            fresh: background + rumour,
            offered,
        }
    }

    /// A request of theirs came to nothing.
    pub fn failed(&mut self, id: u32, second: u32) {
        if id == ONCE {
            return;
        }
        let failures = (id - AGAIN + 1).min(FAILURES_MAX);
        if let Some(after) = self.habits.retry_after(failures, &mut self.rng) {
            let next = second + (after as u32).max(1);
            self.due.entry(next).or_default().push(AGAIN + failures);
        }
    }
}

/// The whole part of what is due, which is then no longer due.
fn whole(due: &mut f64, more: f64) -> u32 {
    *due += more;
    let whole = *due as u32;
    *due -= f64::from(whole);
    whole
}
