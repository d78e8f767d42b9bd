//! The latest word on the load, and how old it is; pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::LoadSample;

/// A report may be this far ahead of our clock. One that is further ahead is refused: after its clock was set right,
/// the system's reports would look old for as long.
const AHEAD_MAX: TimeDelta = TimeDelta::seconds(60);

/// Keeps the latest sample. A report whose `as_of` does not advance is no news, however often it is repeated.
#[derive(Clone, Debug, Default)]
pub struct LoadFeed {
    latest: Option<(LoadSample, DateTime<Utc>)>,
}

/// What is known of the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadReading {
    /// The latest sample.
    pub sample: LoadSample,
    /// How long ago it was true.
    pub age: Duration,
    /// It came with this very call, and was not known before.
    pub is_new: bool,
}

impl LoadFeed {
    /// Takes a sample that arrived at `now`, and says whether it is news. The error is a sentence's part.
    pub fn take(&mut self, sample: LoadSample, now: DateTime<Utc>) -> Result<bool, &'static str> {
        if sample.as_of > now + AHEAD_MAX {
            return Err("its as_of is more than a minute ahead of this machine's clock: set the clocks");
        }
        let is_new = self.latest.is_none_or(|(known, _)| {
            // What is known from a time that has not come is from before this machine's clock was set back.
            sample.as_of > known.as_of || known.as_of > now + AHEAD_MAX
        });
        if is_new {
            self.latest = Some((sample, now));
        }
        Ok(is_new)
    }

    /// The latest sample and its age: since its `as_of`, and at least since it arrived, so that a clock that runs
    /// ahead makes nothing look fresh. None if there never was one.
    pub fn latest(&self, now: DateTime<Utc>) -> Option<(LoadSample, Duration)> {
        self.latest.map(|(sample, arrived_at)| {
            let age = (now - sample.as_of).max(now - arrived_at);
            (sample, age.to_std().unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_known_to_the_second_and_repeats_are_no_news() {
        let at = |second: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second);
        let sample = |second| LoadSample {
            as_of: at(second),
            started_per_second: 1.0,
            completed_per_second: 1.0,
            capacity_per_second: None,
            utilisation: 0.1,
            queue_seconds: 0.0,
            p95_ms: None,
            error_rate: 0.0,
        };
        let mut feed = LoadFeed::default();
        let age = |feed: &LoadFeed, second| feed.latest(at(second)).map(|(_, age)| age.as_secs());
        assert_eq!(age(&feed, 0), None);
        // (arrives at, as_of, is news, age at once, age ten seconds on)
        for (now, as_of, is_new, soon, later) in [
            (100, 98, true, 2, 12),
            (105, 98, false, 7, 17),
            (110, 90, false, 12, 22),
            (111, 110, true, 1, 11),
            (112, 150, true, 0, 10), // its clock is ahead: it ages since it came
            (130, 150, false, 18, 28),
        ] {
            assert_eq!(feed.take(sample(as_of), at(now)), Ok(is_new), "at {now}");
            assert_eq!(age(&feed, now), Some(soon), "at {now}");
            assert_eq!(age(&feed, now + 10), Some(later), "at {now}");
        }
        assert!(feed.take(sample(300), at(200)).is_err());
        // This machine's clock was an hour ahead, and is set right.
        assert_eq!(feed.take(sample(3_700), at(3_700)), Ok(true));
        assert_eq!(
            (feed.take(sample(105), at(105)), age(&feed, 105)),
            (Ok(true), Some(0))
        );
    }
}
