//! What was seen, second by second, and what it adds up to: the figures of `weir rehearse`, by the same definitions.

use std::{fmt::Write as _, ops::Range};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::Args;

/// Errors of more than this are trouble.
const FEW_ERRORS: f64 = 0.01;
const SET_POINT: f64 = 0.85;
const WHENEVER: f64 = 0.09;
const DAY_SECONDS: f64 = 86_400.0;

/// One second: totals since the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Second {
    at: DateTime<Utc>,
    told: u32,
    tries: f64,
    fresh: f64,
    failed: f64,
    registered: f64,
    heeding: f64,
    heeding_registered: f64,
    missed: f64,
    capacity: f64,
}

impl Second {
    /// Reads what the simulator says.
    pub fn of(at: DateTime<Utc>, told: u32, status: &Value, people: &Value) -> Self {
        let of = |name: &str| people[name].as_f64().unwrap_or_default();
        Self {
            at,
            told,
            tries: of("tries"),
            fresh: of("came") + of("strangers"),
            failed: of("failed"),
            registered: of("registered"),
            heeding: of("heeding"),
            heeding_registered: of("heeding_registered"),
            missed: of("missed"),
            capacity: status["capacity_per_second"].as_f64().unwrap_or_default(),
        }
    }
}

/// One minute of the curve, a second, in the mean.
#[derive(Clone, Copy, Debug, Default)]
pub struct Minute {
    /// From the first window's start.
    pub since_first: i64,
    /// Phones that heard a window.
    pub told: f64,
    /// Sessions begun.
    pub arrived: f64,
    /// People registered.
    pub registered: f64,
    /// Sessions that could be completed.
    pub capacity: f64,
}

/// The columns of `weir rehearse`.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    peak_over_set_point: f64,
    overload_seconds: u64,
    done_99_over_oracle: Option<f64>,
    done_99_minutes: Option<f64>,
    missed_share: f64,
    recovery_seconds: Option<i64>,
}

impl Figures {
    /// What the columns are.
    pub const HEADS: [&str; 5] = [
        "peak/set point",
        "overload s",
        "99 %/oracle",
        "missed %",
        "recovery s",
    ];

    /// What a rehearsal came to.
    pub fn of_rehearsal(outcome: &Value) -> Self {
        Self {
            peak_over_set_point: outcome["peak_over_set_point"].as_f64().unwrap_or_default(),
            overload_seconds: outcome["overload_seconds"].as_u64().unwrap_or_default(),
            done_99_over_oracle: outcome["done_99_over_oracle"].as_f64(),
            done_99_minutes: None,
            missed_share: outcome["missed_online_share"].as_f64().unwrap_or_default(),
            recovery_seconds: outcome["recovery_seconds"].as_i64(),
        }
    }

    /// As they are printed.
    pub fn cells(&self) -> [String; 5] {
        let ratio = self
            .done_99_over_oracle
            .map_or("never".into(), |ratio| format!("{ratio:.2}"));
        [
            format!("{:.2}", self.peak_over_set_point),
            self.overload_seconds.to_string(),
            ratio,
            format!("{:.2}", self.missed_share * 100.0),
            self.recovery_seconds
                .map_or("–".into(), |seconds| seconds.to_string()),
        ]
    }
}

/// Everything that was seen.
pub struct Watch {
    /// Second by second.
    pub seconds: Vec<Second>,
    /// When the capacity fell.
    pub drop: Option<Range<DateTime<Utc>>>,
    /// How often a phone heard of a move.
    pub moved_phones: u32,
    first: DateTime<Utc>,
    capacity: f64,
    background: f64,
    recipients: f64,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(args: &Args, first: DateTime<Utc>) -> Self {
        Self {
            seconds: Vec::new(),
            drop: None,
            moved_phones: 0,
            first,
            capacity: args.capacity,
            background: 0.03 * args.capacity,
            recipients: f64::from(args.recipients),
        }
    }

    /// Takes a second in.
    pub fn second(&mut self, second: &Second) {
        self.seconds.push(*second);
    }

    /// Minutes since the first window's start.
    pub fn minutes_since_first(&self, now: DateTime<Utc>) -> i64 {
        (now - self.first).num_minutes()
    }

    /// Everybody has been told, and nearly all who come have come.
    pub fn is_over(&self, phones: usize, now: DateTime<Utc>) -> bool {
        let Some(last) = self.seconds.last() else {
            return false;
        };
        let disturbed = self
            .drop
            .as_ref()
            .is_some_and(|drop| now < drop.end + TimeDelta::minutes(5));
        !disturbed && phones as f64 >= self.recipients && last.heeding_registered >= 0.995 * last.heeding
    }

    /// How it stands.
    pub fn words(&self, people: &Value) -> String {
        let last_minute = self.curve().last().copied().unwrap_or_default();
        format!(
            "{:.1}/s told, {:.1}/s begun, {:.1}/s registered, {} told in all, {} of {} registered",
            last_minute.told,
            last_minute.arrived,
            last_minute.registered,
            people["told"],
            people["heeding_registered"],
            people["heeding"],
        )
    }

    /// The mean a second over the last so many seconds, at each second. Looks are a second apart, more or less.
    fn sliding(&self, seconds: i64, of: impl Fn(&Second) -> f64) -> Vec<f64> {
        let mut first = 0;
        let mut means = Vec::with_capacity(self.seconds.len());
        for second in &self.seconds {
            while second.at - self.seconds[first].at > TimeDelta::milliseconds(1_000 * seconds + 500) {
                first += 1;
            }
            let from = &self.seconds[first];
            let span = (second.at - from.at).as_seconds_f64().max(seconds as f64 - 0.5);
            means.push((of(second) - of(from)) / span);
        }
        means
    }

    /// What it adds up to.
    pub fn figures(&self) -> Figures {
        let peak = self
            .sliding(60, |second| second.fresh)
            .into_iter()
            .fold(0.0, f64::max);
        let offered = self.sliding(10, |second| second.tries);
        let over = offered
            .iter()
            .zip(&self.seconds)
            .filter(|(offered, second)| **offered > second.capacity)
            .count();
        let last = self.seconds.last();
        let heeding = last.map_or(0.0, |last| last.heeding);
        let done = self
            .seconds
            .iter()
            .find(|second| heeding > 0.0 && second.heeding_registered >= 0.99 * heeding)
            .map(|second| (second.at - self.first).as_seconds_f64());
        let ratio = done
            .zip(self.oracle(0.99 * heeding))
            .map(|(done, oracle)| done / oracle);
        Figures {
            peak_over_set_point: peak / (SET_POINT * self.capacity),
            overload_seconds: over as u64,
            done_99_over_oracle: ratio,
            done_99_minutes: done.map(|seconds| seconds / 60.0),
            missed_share: last.map_or(0.0, |last| last.missed) / self.recipients,
            recovery_seconds: self.recovery(),
        }
    }

    /// Seconds until the capacity that is left would have served so many, from the first window's start on.
    fn oracle(&self, wanted: f64) -> Option<f64> {
        let whenever = WHENEVER * self.recipients / DAY_SECONDS;
        let mut done = 0.0;
        let mut last = self.first;
        for second in self.seconds.iter().filter(|second| second.at > self.first) {
            let free = (second.capacity - self.background - whenever).max(0.0);
            done += free * (second.at - last).as_seconds_f64();
            last = second.at;
            if done >= wanted {
                return Some((last - self.first).as_seconds_f64());
            }
        }
        None
    }

    /// From the end of the drop until errors stayed rare.
    fn recovery(&self) -> Option<i64> {
        let until = self.drop.as_ref()?.end;
        let (failed, tries) = (
            self.sliding(5, |second| second.failed),
            self.sliding(5, |second| second.tries),
        );
        let last = failed
            .iter()
            .zip(&tries)
            .zip(&self.seconds)
            .filter(|((failed, tries), _)| **tries > 0.0 && **failed / **tries > FEW_ERRORS)
            .map(|(_, second)| second.at)
            .next_back();
        Some((last.unwrap_or(until) - until).num_seconds().max(0))
    }

    /// When the capacity fell and came back, in minutes from the first window's start.
    pub fn drop_minutes(&self) -> Option<(f64, f64)> {
        let drop = self.drop.as_ref()?;
        let minutes = |at: DateTime<Utc>| (at - self.first).as_seconds_f64() / 60.0;
        Some((minutes(drop.start), minutes(drop.end)))
    }

    /// Minute by minute.
    pub fn curve(&self) -> Vec<Minute> {
        let minute_of = |second: &Second| (second.at - self.first).num_seconds().div_euclid(60);
        let mut curve = Vec::new();
        let mut before: Option<&Second> = self.seconds.first();
        for minute in self
            .seconds
            .chunk_by(|one, other| minute_of(one) == minute_of(other))
        {
            let (Some(from), Some(to)) = (before, minute.last()) else {
                continue;
            };
            let seconds = (to.at - from.at).as_seconds_f64().max(1.0);
            let told: u32 = minute.iter().map(|second| second.told).sum();
            curve.push(Minute {
                since_first: minute_of(to),
                told: f64::from(told) / seconds,
                arrived: (to.tries - from.tries) / seconds,
                registered: (to.registered - from.registered) / seconds,
                capacity: minute.iter().map(|second| second.capacity).sum::<f64>() / minute.len() as f64,
            });
            before = Some(to);
        }
        curve
    }
}

/// The curve as a table.
pub fn csv(curve: &[Minute]) -> String {
    let mut text =
        "minute,told_per_second,begun_per_second,registered_per_second,capacity_per_second\n".to_owned();
    for minute in curve {
        let _ = writeln!(
            text,
            "{},{:.2},{:.2},{:.2},{:.2}",
            minute.since_first, minute.told, minute.arrived, minute.registered, minute.capacity
        );
    }
    text
}
