//! How many people's windows may start in a minute.

use super::{MINUTES_PER_DAY, Supply};

/// Minutes over which a unit larger than a minute's cap is measured.
const SPREAD_MINUTES: usize = 5;

/// The cap on starts and what is taken of it, by minute from the first midnight. Empty without a cap.
#[derive(Clone)]
pub(super) struct StartsRoom {
    caps: Vec<f64>,
    people: Vec<u64>,
    /// Minutes in which one unit starts that is larger than their cap.
    large: Vec<bool>,
}

impl StartsRoom {
    pub(super) fn of(supply: &Supply) -> Self {
        let caps = supply.starts_cap.as_ref().map_or(Vec::new(), |cap| {
            let mut caps = vec![cap.per_minute.max(0.0); supply.days() * MINUTES_PER_DAY];
            for day in 0..supply.days() {
                let first = day * MINUTES_PER_DAY + supply.samples_from(day);
                for (minute, &opening) in cap.opening.iter().enumerate() {
                    if let Some(cap) = caps.get_mut(first + minute) {
                        *cap = opening.max(0.0);
                    }
                }
            }
            caps
        });
        Self::with(caps)
    }

    /// With these caps by minute.
    pub(super) fn with(caps: Vec<f64>) -> Self {
        Self {
            people: vec![0; caps.len()],
            large: vec![false; caps.len()],
            caps,
        }
    }

    /// Whether so many people's window may start in this minute.
    pub(super) fn has_room(&self, minute: u32, people: u32) -> bool {
        let minute = minute as usize;
        let Some(&cap) = self.caps.get(minute) else {
            return true;
        };
        let is_large = f64::from(people) > cap;
        if is_large && self.people[minute] > 0 {
            return false;
        }
        if !is_large && (self.people[minute] + u64::from(people)) as f64 > cap {
            return false;
        }
        let around = minute.saturating_sub(SPREAD_MINUTES - 1)..minute + SPREAD_MINUTES;
        if !is_large && !self.large[around.start..around.end.min(self.large.len())].contains(&true) {
            return true;
        }
        (around.start..=minute).all(|first| {
            let five = first..(first + SPREAD_MINUTES).min(self.caps.len());
            let cap: f64 = self.caps[five.clone()].iter().sum();
            let others: u64 = self.people[five].iter().sum();
            (others + u64::from(people)) as f64 <= cap || (is_large && others == 0 && cap > 0.0)
        })
    }

    pub(super) fn take(&mut self, minute: u32, people: u32) {
        let minute = minute as usize;
        if let Some(taken) = self.people.get_mut(minute) {
            *taken += u64::from(people);
            self.large[minute] |= f64::from(people) > self.caps[minute];
        }
    }

    pub(super) fn give_back(&mut self, minute: u32, people: u32) {
        let minute = minute as usize;
        if let Some(taken) = self.people.get_mut(minute) {
            *taken -= u64::from(people);
            self.large[minute] &= *taken > 0;
        }
    }
}
