//! How soon people act on what they are told: response kernels, by channel.
//!
//! The defaults are the reference model's:
//!
//! | share | when |
//! |---|---|
//! | 27 % | on reading the notice: log-normal, median 180 s, σ 1.1 |
//! | 40.5 % | at the announced start: from 60 s early on, exponentially, 90 s after it in the mean |
//! | 13.5 % | evenly in the 30 minutes from the start |
//! | 9 % | whenever they like: evenly over the day |
//! | 10 % | never |

use serde::{Deserialize, Serialize};

use crate::domain::ChannelKind;

/// Kernels and forecasts count in buckets of so many seconds.
pub const BUCKET_SECONDS: i64 = 5;

/// Buckets after which nobody comes any more because of a notice: an hour.
const AFTER_NOTICE: usize = 3600 / BUCKET_SECONDS as usize;
/// Buckets before a start in which the first come.
pub const BEFORE_START: usize = 12;
/// Buckets after a start in which the last come: 40 minutes.
const AFTER_START: usize = 2400 / BUCKET_SECONDS as usize;

/// How the people of one channel respond, as shares of those told and times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Share who come online on reading the notice.
    pub on_reading: f64,
    /// Time until it is read, in the median.
    pub read_median_seconds: f64,
    /// Standard deviation of the logarithm of that time.
    pub read_sigma: f64,
    /// Share who come because the announced start has come.
    pub at_start: f64,
    /// How early the first of them are.
    pub early_seconds: f64,
    /// How long after the start they come in the mean.
    pub late_mean_seconds: f64,
    /// Share who come evenly from the start on.
    pub through_window: f64,
    /// How long that takes.
    pub through_seconds: f64,
    /// Share who come evenly over the day, whatever they were told.
    pub whenever: f64,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            on_reading: 0.27,
            read_median_seconds: 180.0,
            read_sigma: 1.1,
            at_start: 0.405,
            early_seconds: 60.0,
            late_mean_seconds: 90.0,
            through_window: 0.135,
            through_seconds: 1800.0,
            whenever: 0.09,
        }
    }
}

impl Response {
    /// Chance that somebody who is told comes because of the notice or the window.
    pub fn heed(&self) -> f64 {
        self.on_reading + self.at_start + self.through_window
    }

    /// Share of all told people that have come because they read the notice, so many seconds after it was sent.
    pub fn on_reading_by(&self, seconds: f64) -> f64 {
        if seconds <= 0.0 {
            return 0.0;
        }
        let deviations = (seconds / self.read_median_seconds).ln() / self.read_sigma;
        self.on_reading * normal_by(deviations)
    }

    /// Of those who come because of the start, the share still to come so many seconds after it.
    pub fn still_coming(&self, seconds: f64) -> f64 {
        let all = self.at_start + self.through_window;
        if all > 0.0 {
            (1.0 - self.from_start_by(seconds) / all).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// Share of all told people that the start has brought, so many seconds after it.
    pub fn from_start_by(&self, seconds: f64) -> f64 {
        let since_first = (seconds + self.early_seconds).max(0.0);
        let at_start = 1.0 - (-since_first / (self.early_seconds + self.late_mean_seconds)).exp();
        let through_window = (seconds / self.through_seconds).clamp(0.0, 1.0);
        self.at_start * at_start + self.through_window * through_window
    }
}

/// The standard normal distribution function, to 7.5 · 10⁻⁸ (Abramowitz and Stegun, 26.2.17).
fn normal_by(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = t
        * (0.319_381_530
            + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

/// A response in buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Share of those told that comes in each bucket after the notice.
    pub after_notice: Vec<f64>,
    /// Share of those told that comes in each bucket from [`BEFORE_START`] before the start on.
    pub around_start: Vec<f64>,
    /// Share of those told that comes evenly over the day.
    pub whenever: f64,
    /// Chance that somebody who is told comes because of the notice or the window.
    pub heed: f64,
}

impl Kernel {
    /// A response cut into buckets; what comes after the last bucket is counted in the last.
    pub fn of(response: &Response) -> Self {
        let seconds = |bucket: usize| bucket as f64 * BUCKET_SECONDS as f64;
        let mut after_notice: Vec<f64> = (0..AFTER_NOTICE)
            .map(|bucket| {
                response.on_reading_by(seconds(bucket + 1)) - response.on_reading_by(seconds(bucket))
            })
            .collect();
        let early = seconds(BEFORE_START);
        let mut around_start: Vec<f64> = (0..BEFORE_START + AFTER_START)
            .map(|bucket| {
                response.from_start_by(seconds(bucket + 1) - early)
                    - response.from_start_by(seconds(bucket) - early)
            })
            .collect();
        after_notice[AFTER_NOTICE - 1] += response.on_reading - response.on_reading_by(seconds(AFTER_NOTICE));
        around_start[BEFORE_START + AFTER_START - 1] +=
            response.at_start + response.through_window - response.from_start_by(seconds(AFTER_START));
        Self {
            after_notice,
            around_start,
            whenever: response.whenever,
            heed: response.heed(),
        }
    }
}

/// The responses of all channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Responses {
    /// Of people who are told by text message.
    pub sms: Response,
    /// Of people who are told by Telegram.
    pub telegram: Response,
}

impl Responses {
    /// Of one channel.
    pub fn of(&self, channel: ChannelKind) -> &Response {
        match channel {
            ChannelKind::Sms => &self.sms,
            ChannelKind::Telegram => &self.telegram,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_is_in_the_buckets() {
        let response = Response::default();
        let kernel = Kernel::of(&response);
        let on_reading: f64 = kernel.after_notice.iter().sum();
        let from_start: f64 = kernel.around_start.iter().sum();
        assert!((on_reading - 0.27).abs() < 1e-6, "{on_reading}");
        assert!((from_start - 0.54).abs() < 1e-6, "{from_start}");
        assert!((kernel.heed - 0.81).abs() < 1e-12);
        assert!(
            kernel
                .after_notice
                .iter()
                .chain(&kernel.around_start)
                .all(|share| *share >= -1e-9)
        );
    }

    #[test]
    fn half_of_the_readers_have_read_by_the_median() {
        let response = Response::default();
        assert!((response.on_reading_by(180.0) - 0.135).abs() < 1e-6);
        assert!((response.on_reading_by(180.0 * 1.1_f64.exp()) - 0.27 * 0.841_345).abs() < 1e-6);
    }
}
