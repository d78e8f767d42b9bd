//! What has been told and planned into the load of the coming minutes, by the kernels of [`super::kernel`].

use chrono::{DateTime, Utc};

use super::kernel::{BUCKET_SECONDS, Kernel, Response, Responses, SPEEDS, Speed};
use crate::domain::ChannelKind;

const DAY_SECONDS: f64 = 24.0 * 3600.0;

/// Minutes after which nobody comes any more because of a start: the slowest of a million have come.
const KERNEL_MINUTES: usize = 40;

/// No round's course is looked at for longer: three days.
const MINUTES_MAX: f64 = 3.0 * 24.0 * 60.0;

/// The fastest that people are taken to act, against what is assumed.
const FASTEST: f64 = SPEEDS[SPEEDS.len() - 1];

/// The most people that come online within any 60 s when so many are all told to come at the same instant.
///
/// Notices are taken to have been read before the start, so those who come on reading have come and gone.
pub fn at_once_peak_per_minute(people: u64) -> f64 {
    let response = Response::default();
    let start = -response.early_seconds as i64;
    let end = KERNEL_MINUTES as i64 * 60;
    let share = (start..end)
        .map(|second| response.from_start_by((second + 60) as f64) - response.from_start_by(second as f64))
        .fold(0.0, f64::max);
    people as f64 * (share + response.whenever * 60.0 / DAY_SECONDS)
}

/// People coming online by minute, for people whose windows start in each minute of `starts`.
///
/// The first minute of both is the same. Those who come up to 60 s early for the first minute are counted in it, and
/// those who come whenever they like are spread over what is given of the day.
pub fn online_per_minute(starts: &[f64]) -> Vec<f64> {
    let response = Response::default();
    let kernel: Vec<f64> = (-1..KERNEL_MINUTES as i64)
        .map(|minute| {
            response.from_start_by((minute + 1) as f64 * 60.0) - response.from_start_by(minute as f64 * 60.0)
        })
        .collect();
    let whenever = starts.iter().sum::<f64>() * response.whenever * 60.0 / DAY_SECONDS;
    let mut online = vec![whenever; starts.len()];
    for (minute, &people) in starts.iter().enumerate().filter(|(_, people)| **people > 0.0) {
        for (after, share) in kernel.iter().enumerate() {
            // The kernel begins one minute before the start.
            if let Some(online) = online.get_mut((minute + after).saturating_sub(1)) {
                *online += people * share;
            }
        }
    }
    online
}

/// What a round asks of the registration system, for [`starts_profile`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Sessions a second that are left for people who heed their notice or their window.
    pub line: f64,
    /// Recipients told a second, from the first notice to the last.
    pub told_per_second: f64,
    /// Minutes from the first notice to the first window.
    pub ahead_minutes: u32,
    /// Recipients in all.
    pub recipients: f64,
}

/// Recipients whose windows may start in each minute of a round, so that the load is at its line from the first minute
/// to the last and never over it.
///
/// At first few come who were told half an hour ago and few through the window, so there is room for more starts; and
/// again when the last have been told. Who comes through the window builds up over half an hour, or over a quarter
/// where people act twice as fast as assumed, which nobody knows yet when the first windows start. There are as many
/// starts as recipients; what it comes to after the last minute is the settled rate.
pub fn starts_profile(response: &Response, course: &Course) -> Vec<f64> {
    let build_up = |speed: f64| (response.through_seconds / speed / 60.0).round().max(1.0) as usize;
    let (slowly, fast) = (build_up(1.0), build_up(FASTEST));
    let told_for = course.recipients / course.told_per_second.max(1e-9);
    let minutes = (told_for / 60.0).min(MINUTES_MAX) as usize + 2 * slowly;
    let mut starts: Vec<f64> = Vec::with_capacity(minutes);
    let mut left = course.recipients;
    for minute in 0..minutes {
        let since_first = (minute as f64 + f64::from(course.ahead_minutes)) * 60.0;
        // Who is told just now reads later: what is read in the middle of the minute counts.
        let read_by = |seconds: f64| response.on_reading_by(seconds + 30.0);
        let reading = course.told_per_second * (read_by(since_first) - read_by(since_first - told_for));
        // While they are told, all of them are counted: those who read fast must not come on top.
        let reading = if since_first < told_for {
            response.on_reading * course.told_per_second
        } else {
            reading
        };
        let free = (course.line - reading).max(0.0);
        let through = [slowly, fast]
            .map(|minutes| {
                let still_coming: f64 = starts[minute.saturating_sub(minutes)..].iter().sum();
                response.through_window * still_coming / (minutes as f64 * 60.0)
            })
            .into_iter()
            .fold(0.0, f64::max);
        let more = ((free - through).max(0.0) / response.at_start.max(1e-3) * 60.0).min(left);
        left -= more;
        starts.push(more);
        if left <= 0.0 {
            break;
        }
    }
    starts
}

/// Who was told when and whose windows start when, and so what load is on its way, for each speed at which people may
/// act.
///
/// Counts only: of recipients by channel, at steps of [`BUCKET_SECONDS`].
#[derive(Clone, Debug)]
pub struct Forecast {
    origin: i64,
    /// By speed.
    speeds: Vec<AtSpeed>,
    /// Sessions a second in each bucket by people who come whenever they like, at whatever speed.
    whenever: Vec<f64>,
}

/// What is expected if people act at one speed.
#[derive(Clone, Debug)]
struct AtSpeed {
    kernels: [Kernel; 2],
    /// Sessions a second that are expected in each bucket, by people who heed their notice or their window.
    expected: Vec<f64>,
}

impl Forecast {
    /// Nothing told yet. It speaks of the time from `origin` on, `hours` long.
    pub fn new(responses: &Responses, origin: DateTime<Utc>, hours: u32) -> Self {
        let buckets = (i64::from(hours) * 3600 / BUCKET_SECONDS) as usize;
        let at_speed = |speed: &f64| AtSpeed {
            kernels: [
                Kernel::of(&responses.sms.at_speed(*speed)),
                Kernel::of(&responses.telegram.at_speed(*speed)),
            ],
            expected: vec![0.0; buckets],
        };
        Self {
            origin: origin.timestamp(),
            speeds: SPEEDS.iter().map(at_speed).collect(),
            whenever: vec![0.0; buckets],
        }
    }

    /// Chance that somebody told by a channel comes because of the notice or the window.
    pub fn heed(&self, channel: ChannelKind) -> f64 {
        self.speeds[0].kernels[lane(channel)].heed
    }

    /// By how much the busiest ten seconds of a minute exceed its mean while windows start on every minute; 0 to 1.
    pub fn ripple(&self, channel: ChannelKind, speed: &Speed) -> f64 {
        let beliefs = speed.beliefs();
        let ripples = self
            .speeds
            .iter()
            .map(|at_speed| at_speed.kernels[lane(channel)].ripple());
        ripples.zip(beliefs).map(|(ripple, belief)| ripple * belief).sum()
    }

    /// Sessions a second by people who come whenever they like.
    pub fn whenever_per_second(&self, at: DateTime<Utc>) -> f64 {
        self.at(&self.whenever, at)
    }

    /// So many recipients were told.
    pub fn add_told(&mut self, at: DateTime<Utc>, channel: ChannelKind, recipients: f64) {
        let first = self.bucket(at);
        for at_speed in &mut self.speeds {
            let kernel = &at_speed.kernels[lane(channel)];
            add(&mut at_speed.expected, first, &kernel.after_notice, recipients);
        }
    }

    /// The windows of so many recipients start then; fewer than none takes back what was added, since it moved.
    pub fn add_starts(&mut self, at: DateTime<Utc>, channel: ChannelKind, recipients: f64) {
        let start = self.bucket(at);
        for at_speed in &mut self.speeds {
            let kernel = &at_speed.kernels[lane(channel)];
            let first = start - kernel.before_start as i64;
            add(&mut at_speed.expected, first, &kernel.around_start, recipients);
        }
    }

    /// So many recipients have a window between these instants; some of them come whenever they like.
    pub fn add_whenever(
        &mut self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        channel: ChannelKind,
        recipients: f64,
    ) {
        let end = self.whenever.len() as i64;
        let (first, last) = (self.bucket(from).clamp(0, end), self.bucket(to).clamp(0, end));
        let seconds = (to - from).num_seconds().max(BUCKET_SECONDS) as f64;
        let per_second = recipients * self.speeds[0].kernels[lane(channel)].whenever / seconds;
        for bucket in first..last {
            self.whenever[bucket as usize] += per_second;
        }
    }

    /// Sessions a second that this makes expect at an instant, by what is believed of the speed; the background is not
    /// in it.
    pub fn expected_per_second(&self, at: DateTime<Utc>, speed: &Speed) -> f64 {
        let by_speed = self.by_speed(at);
        by_speed
            .iter()
            .zip(speed.beliefs())
            .map(|(expected, belief)| expected * belief)
            .sum()
    }

    /// The same as each speed alone has it.
    pub fn by_speed(&self, at: DateTime<Utc>) -> [f64; SPEEDS.len()] {
        let whenever = self.whenever_per_second(at);
        std::array::from_fn(|index| whenever + self.at(&self.speeds[index].expected, at))
    }

    /// What is expected, by what is believed of the speed, for each bucket of a stretch of time.
    pub fn expected_between(&self, from: DateTime<Utc>, to: DateTime<Utc>, speed: &Speed) -> Vec<f64> {
        let end = self.whenever.len() as i64;
        let from = self.bucket(from).clamp(0, end) as usize;
        let to = (self.bucket(to).clamp(0, end) as usize).max(from);
        let mut expected = self.whenever[from..to].to_vec();
        for (at_speed, belief) in self.speeds.iter().zip(speed.beliefs()) {
            for (sum, one) in expected.iter_mut().zip(&at_speed.expected[from..to]) {
                *sum += belief * one;
            }
        }
        expected
    }

    /// Share of those told now that comes in each coming bucket, by what is believed of the speed.
    pub fn after_notice(&self, channel: ChannelKind, speed: &Speed) -> Vec<f64> {
        let mut shares = vec![0.0; self.speeds[0].kernels[lane(channel)].after_notice.len()];
        for (at_speed, belief) in self.speeds.iter().zip(speed.beliefs()) {
            for (sum, one) in shares
                .iter_mut()
                .zip(&at_speed.kernels[lane(channel)].after_notice)
            {
                *sum += belief * one;
            }
        }
        shares
    }

    fn at(&self, series: &[f64], at: DateTime<Utc>) -> f64 {
        let bucket = usize::try_from(self.bucket(at)).ok();
        bucket
            .and_then(|bucket| series.get(bucket))
            .copied()
            .unwrap_or(0.0)
    }

    fn bucket(&self, at: DateTime<Utc>) -> i64 {
        (at.timestamp() - self.origin).div_euclid(BUCKET_SECONDS)
    }
}

/// Adds the load that so many recipients bring from a bucket on.
fn add(expected: &mut [f64], first: i64, kernel: &[f64], recipients: f64) {
    let skipped = usize::try_from(-first).unwrap_or(0);
    let first = usize::try_from(first).unwrap_or(0);
    let per_second = recipients / BUCKET_SECONDS as f64;
    for (expected, share) in expected.iter_mut().skip(first).zip(kernel.iter().skip(skipped)) {
        *expected += per_second * share;
    }
}

fn lane(channel: ChannelKind) -> usize {
    match channel {
        ChannelKind::Sms => 0,
        ChannelKind::Telegram => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_at_once_is_a_seventh_of_them_within_a_minute() {
        // 40.5 % · (1 − e^(−60/150)) in the first minute; a little comes on top.
        let peak = at_once_peak_per_minute(1_000_000);
        assert!((133_000.0..140_000.0).contains(&peak), "{peak}");
        assert!((at_once_peak_per_minute(2_000_000) - 2.0 * peak).abs() < 1e-6);
        assert!(at_once_peak_per_minute(0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_curve_of_one_start_holds_those_it_brings() {
        let mut starts = vec![0.0; 24 * 60];
        starts[600] = 1000.0;
        let online = online_per_minute(&starts);
        let come: f64 = online.iter().sum();
        assert!(
            (come - 630.0).abs() < 1.0,
            "540 by the start and 90 over the day, not {come}"
        );
        let busiest = online.iter().copied().fold(0.0, f64::max);
        assert!(busiest <= at_once_peak_per_minute(1000) && busiest > 0.9 * at_once_peak_per_minute(1000));
    }

    #[test]
    fn spread_starts_bring_no_peak() {
        let online = online_per_minute(&vec![10.0; 300]);
        let settled = online[200];
        assert!(online.iter().all(|&people| people <= settled * 1.001));
    }

    #[test]
    fn people_who_come_early_for_the_first_minute_are_not_lost() {
        let online = online_per_minute(&[100.0]);
        let response = Response::default();
        let expected = 100.0 * (response.from_start_by(60.0) + response.whenever / (24.0 * 60.0));
        assert!((online[0] - expected).abs() < 1e-9);
    }
}
