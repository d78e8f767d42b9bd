//! How people act on what they are told: when they come online, how they try again, and whether they heed a change.
//! The reference model's figures; each person's choices are drawn from the generator that is given.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, StandardNormal};

/// The habits of a population.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habits {
    /// Share of people who never open the notice.
    pub never: f64,
    /// Share who come online as soon as they have read it.
    pub on_reading: f64,
    /// Share who come at their window's start.
    pub at_start: f64,
    /// Share who come evenly in the half hour from their window's start.
    pub through_window: f64,
    // The rest come whenever they like.
    /// Seconds until a notice is read, in the median; the spread is log-normal.
    pub read_median_seconds: f64,
    /// Standard deviation of the logarithm of that time.
    pub read_sigma: f64,
    /// How early the first come at a start, in seconds.
    pub early_seconds: f64,
    /// How long after the start they come in the mean, in seconds.
    pub late_mean_seconds: f64,
    /// How long those who come through the window take, in seconds.
    pub through_seconds: f64,
    /// Seconds until a correction is read, in the median.
    pub correction_median_seconds: f64,
    /// Share of those who read a correction in time and follow it.
    pub heed: f64,
    /// Seconds until the first retry, in the mean; each further one takes 1.6 times as long.
    pub retry_seconds: f64,
    /// The longest wait between two tries, in seconds.
    pub retry_max_seconds: f64,
    /// Share of people who try again after a failure.
    pub persistence: f64,
    /// What all times above are multiplied with: below 1 people act faster.
    pub time_scale: f64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            never: 0.10,
            on_reading: 0.27,
            at_start: 0.405,
            through_window: 0.135,
            read_median_seconds: 180.0,
            read_sigma: 1.1,
            early_seconds: 60.0,
            late_mean_seconds: 90.0,
            through_seconds: 1800.0,
            correction_median_seconds: 120.0,
            heed: 0.75,
            retry_seconds: 17.5,
            retry_max_seconds: 300.0,
            persistence: 0.94,
            time_scale: 1.0,
        }
    }
}

/// When a person means to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Not at all.
    Never,
    /// As soon as they have read the notice.
    OnReading,
    /// At their window's start.
    AtStart,
    /// At some moment of the half hour from their window's start.
    ThroughWindow,
    /// Whenever they like.
    Whenever,
}

const RETRY_GROWTH: f64 = 1.6;

impl Habits {
    /// What kind of person this is.
    pub fn draw(&self, rng: &mut impl Rng) -> Habit {
        let mut left: f64 = rng.random();
        for (share, habit) in [
            (self.never, Habit::Never),
            (self.on_reading, Habit::OnReading),
            (self.at_start, Habit::AtStart),
            (self.through_window, Habit::ThroughWindow),
        ] {
            if left < share {
                return habit;
            }
            left -= share;
        }
        Habit::Whenever
    }

    /// Seconds until a notice is read.
    pub fn read_after(&self, rng: &mut impl Rng) -> f64 {
        self.log_normal(self.read_median_seconds, rng)
    }

    /// Seconds until a correction is read.
    pub fn correction_read_after(&self, rng: &mut impl Rng) -> f64 {
        self.log_normal(self.correction_median_seconds, rng)
    }

    /// Seconds from their window's start at which somebody comes who minds it; some are early.
    pub fn from_start(&self, habit: Habit, rng: &mut impl Rng) -> f64 {
        self.time_scale
            * match habit {
                Habit::ThroughWindow => self.through_seconds * rng.random::<f64>(),
                _ => (self.early_seconds + self.late_mean_seconds) * exp1(rng) - self.early_seconds,
            }
    }

    /// Seconds until the next try after so many failures, or none if the person gives up.
    pub fn retry_after(&self, failures: u32, rng: &mut impl Rng) -> Option<f64> {
        if rng.random::<f64>() >= self.persistence {
            return None;
        }
        let mean = self.retry_seconds * RETRY_GROWTH.powi(failures.saturating_sub(1).min(16) as i32);
        Some((mean * rng.random_range(0.5..1.5)).min(self.retry_max_seconds))
    }

    fn log_normal(&self, median: f64, rng: &mut impl Rng) -> f64 {
        let normal: f64 = StandardNormal.sample(rng);
        self.time_scale * median * (self.read_sigma * normal).exp()
    }
}

fn exp1(rng: &mut impl Rng) -> f64 {
    Exp1.sample(rng)
}
