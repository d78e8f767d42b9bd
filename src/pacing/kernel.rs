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
/// Those who come at a start have come after so many times their mean delay: all but one in 3,000.
const LATE_MEANS: f64 = 8.0;
const BUCKETS_PER_MINUTE: usize = 60 / BUCKET_SECONDS as usize;

/// How many times as fast as assumed people may act: what is weighed against each other while they are watched.
pub const SPEEDS: [f64; 5] = [0.5, 0.7, 1.0, 1.4, 2.0];
/// The one that is assumed before anybody has been seen.
const AS_ASSUMED: usize = 2;

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

    /// The same people, acting so many times as fast.
    #[must_use]
    pub fn at_speed(&self, speed: f64) -> Self {
        Self {
            read_median_seconds: self.read_median_seconds / speed,
            early_seconds: self.early_seconds / speed,
            late_mean_seconds: self.late_mean_seconds / speed,
            through_seconds: self.through_seconds / speed,
            ..*self
        }
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
    /// Share of those told that comes in each bucket from [`Kernel::before_start`] before the start on.
    pub around_start: Vec<f64>,
    /// Buckets before a start in which the first come.
    pub before_start: usize,
    /// Share of those told that comes evenly over the day.
    pub whenever: f64,
    /// Chance that somebody who is told comes because of the notice or the window.
    pub heed: f64,
}

impl Kernel {
    /// A response cut into buckets; what comes after the last bucket is counted in the last.
    pub fn of(response: &Response) -> Self {
        let bucket_seconds = BUCKET_SECONDS as f64;
        let seconds = |bucket: usize| bucket as f64 * bucket_seconds;
        let mut after_notice: Vec<f64> = (0..AFTER_NOTICE)
            .map(|bucket| {
                response.on_reading_by(seconds(bucket + 1)) - response.on_reading_by(seconds(bucket))
            })
            .collect();
        let before_start = (response.early_seconds / bucket_seconds).ceil().max(0.0) as usize;
        let late = LATE_MEANS * (response.early_seconds + response.late_mean_seconds);
        let after_start = (response.through_seconds.max(late) / bucket_seconds)
            .ceil()
            .max(1.0) as usize;
        let early = seconds(before_start);
        let mut around_start: Vec<f64> = (0..before_start + after_start)
            .map(|bucket| {
                response.from_start_by(seconds(bucket + 1) - early)
                    - response.from_start_by(seconds(bucket) - early)
            })
            .collect();
        after_notice[AFTER_NOTICE - 1] += response.on_reading - response.on_reading_by(seconds(AFTER_NOTICE));
        around_start[before_start + after_start - 1] +=
            response.at_start + response.through_window - response.from_start_by(seconds(after_start));
        Self {
            after_notice,
            around_start,
            before_start,
            whenever: response.whenever,
            heed: response.heed(),
        }
    }

    /// By how much the busiest ten seconds of a minute exceed its mean where as many windows start on every whole
    /// minute, as a share of the mean. People who come at once at a start bring a wave with each.
    pub fn ripple(&self) -> f64 {
        let mut phases = [0.0; BUCKETS_PER_MINUTE];
        for (bucket, share) in self.around_start.iter().enumerate() {
            phases[bucket % BUCKETS_PER_MINUTE] += share;
        }
        let even = self.after_notice.iter().sum::<f64>() / BUCKETS_PER_MINUTE as f64;
        let busiest = (0..BUCKETS_PER_MINUTE)
            .map(|phase| f64::midpoint(phases[phase], phases[(phase + 1) % BUCKETS_PER_MINUTE]) + even)
            .fold(0.0, f64::max);
        let mean = self.heed / BUCKETS_PER_MINUTE as f64;
        if mean > 0.0 {
            (busiest / mean - 1.0).max(0.0)
        } else {
            0.0
        }
    }
}

/// What is believed of how fast people act, from how many of them came when: counts alone, nobody is followed.
///
/// Each of [`SPEEDS`] forecasts the demand; the belief in those that forecast it better grows. While they say the same,
/// nothing is learned and nothing forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Speed {
    /// The logarithm of the belief in each, the strongest at 0.
    log_beliefs: [f64; SPEEDS.len()],
}

/// The least that is believed of a speed, as a logarithm: people may act otherwise tomorrow, and two minutes of
/// evidence must be able to show it.
const LOG_BELIEF_MIN: f64 = -6.0;
/// Before anybody has been seen: e times less than of the next slower or faster one.
const LOG_BELIEF_STEP: f64 = 1.0;
/// Weight of one report in the belief. Neighbouring reports tell much the same, and no forecast is exact.
const REPORT_WEIGHT: f64 = 0.25;
/// No forecast of the demand is better than this, as a share of it.
const FORECAST_ERROR: f64 = 0.08;

impl Default for Speed {
    fn default() -> Self {
        let mut log_beliefs = [0.0; SPEEDS.len()];
        for (index, belief) in log_beliefs.iter_mut().enumerate() {
            *belief = -LOG_BELIEF_STEP * index.abs_diff(AS_ASSUMED) as f64;
        }
        Self { log_beliefs }
    }
}

impl Speed {
    /// How much each of [`SPEEDS`] is believed; together 1.
    pub fn beliefs(&self) -> [f64; SPEEDS.len()] {
        let weights = self.log_beliefs.map(f64::exp);
        let sum: f64 = weights.iter().sum();
        weights.map(|weight| weight / sum)
    }

    /// The believed speed, in the geometric mean.
    pub fn mean(&self) -> f64 {
        let beliefs = self.beliefs();
        let log: f64 = SPEEDS
            .iter()
            .zip(beliefs)
            .map(|(speed, belief)| belief * speed.ln())
            .sum();
        log.exp()
    }

    /// So many sessions a second came over `seconds`, where each speed forecast so many.
    pub fn learn(&mut self, seen: f64, forecast: &[f64; SPEEDS.len()], seconds: f64) {
        if !seen.is_finite() || forecast.iter().any(|forecast| !forecast.is_finite()) {
            return;
        }
        for (belief, forecast) in self.log_beliefs.iter_mut().zip(forecast) {
            // Chance alone makes counts vary by their root.
            let by_chance = forecast.max(1.0) / seconds.max(1.0);
            let variance = by_chance + (FORECAST_ERROR * forecast).powi(2);
            *belief -= REPORT_WEIGHT * ((seen - forecast).powi(2) / variance + variance.ln()) / 2.0;
        }
        let strongest = self.log_beliefs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for belief in &mut self.log_beliefs {
            *belief = (*belief - strongest).max(LOG_BELIEF_MIN);
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
    fn who_acts_twice_as_fast_comes_in_larger_waves() {
        let ripple = |speed| Kernel::of(&Response::default().at_speed(speed)).ripple();
        // 40.5 of 81 come by e-functions of 150 s and 75 s: 21 % and 45 % over their mean at a start.
        assert!((0.08..0.11).contains(&ripple(1.0)), "{}", ripple(1.0));
        assert!((0.17..0.24).contains(&ripple(2.0)), "{}", ripple(2.0));
        assert!(ripple(0.5) < ripple(1.0));
    }

    #[test]
    fn the_speed_is_learned_from_counts_and_only_where_they_differ() {
        let mut speed = Speed::default();
        let forecast = [60.0, 80.0, 100.0, 120.0, 140.0];
        for _ in 0..24 {
            speed.learn(138.0, &forecast, 5.0);
        }
        assert!(speed.beliefs()[4] > 0.9, "{:?}", speed.beliefs());
        let before = speed;
        for _ in 0..500 {
            speed.learn(90.0, &[100.0; SPEEDS.len()], 5.0);
        }
        assert!((speed.mean() - before.mean()).abs() < 1e-6);
        // And unlearned as soon.
        for _ in 0..24 {
            speed.learn(62.0, &forecast, 5.0);
        }
        assert!(speed.beliefs()[0] > 0.8, "{:?}", speed.beliefs());
        speed.learn(f64::NAN, &forecast, 5.0);
        assert!((speed.beliefs().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn half_of_the_readers_have_read_by_the_median() {
        let response = Response::default();
        assert!((response.on_reading_by(180.0) - 0.135).abs() < 1e-6);
        assert!((response.on_reading_by(180.0 * 1.1_f64.exp()) - 0.27 * 0.841_345).abs() < 1e-6);
    }
}
