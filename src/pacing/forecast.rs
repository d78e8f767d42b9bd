//! What has been told into the load of the coming minutes.
//!
//! The model of how told people come online is the rehearsal's reference model; figures count only with it:
//!
//! | share | when |
//! |---|---|
//! | 27 % | on reading the notice: log-normal, median 180 s, σ 1.1 |
//! | 40.5 % | at the announced start: from 60 s early on, exponentially, 90 s after it in the mean |
//! | 13.5 % | evenly in the 30 minutes from the start |
//! | 9 % | whenever they like: evenly over the day |
//! | 10 % | never |
//!
//! Here notices are taken to have been read before the start, so those who come on reading have come and gone.

/// Share of people who come because the announced start has come.
const AT_START: f64 = 0.405;
/// How early the first of them are.
const EARLY_SECONDS: f64 = 60.0;
/// How long after the start they come in the mean.
const LATE_SECONDS_MEAN: f64 = 90.0;
/// Share of people who come evenly through the window, and how long that takes.
const THROUGH_WINDOW: f64 = 0.135;
const THROUGH_WINDOW_SECONDS: f64 = 30.0 * 60.0;
/// Share of people who come evenly over the day, whatever they were told.
const WHENEVER: f64 = 0.09;
const DAY_SECONDS: f64 = 24.0 * 3600.0;

/// Minutes after which nobody comes any more because of a start: the slowest of a million have come.
const KERNEL_MINUTES: usize = 40;

/// The most people that come online within any 60 s when so many are all told to come at the same instant.
pub fn at_once_peak_per_minute(people: u64) -> f64 {
    let start = -EARLY_SECONDS as i64;
    let end = KERNEL_MINUTES as i64 * 60;
    let share = (start..end)
        .map(|second| come_by((second + 60) as f64) - come_by(second as f64))
        .fold(0.0, f64::max);
    people as f64 * (share + WHENEVER * 60.0 / DAY_SECONDS)
}

/// People coming online by minute, for people whose windows start in each minute of `starts`.
///
/// The first minute of both is the same. Those who come up to 60 s early for the first minute are counted in it, and
/// those who come whenever they like are spread over what is given of the day.
pub fn online_per_minute(starts: &[f64]) -> Vec<f64> {
    let kernel: Vec<f64> = (-1..KERNEL_MINUTES as i64)
        .map(|minute| come_by((minute + 1) as f64 * 60.0) - come_by(minute as f64 * 60.0))
        .collect();
    let whenever = starts.iter().sum::<f64>() * WHENEVER * 60.0 / DAY_SECONDS;
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

/// Share of all told people that the start has brought by so many seconds after it.
fn come_by(seconds: f64) -> f64 {
    let since_first = (seconds + EARLY_SECONDS).max(0.0);
    let at_start = 1.0 - (-since_first / (EARLY_SECONDS + LATE_SECONDS_MEAN)).exp();
    let through_window = (seconds / THROUGH_WINDOW_SECONDS).clamp(0.0, 1.0);
    AT_START * at_start + THROUGH_WINDOW * through_window
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
        let expected = 100.0 * (come_by(60.0) + WHENEVER / (24.0 * 60.0));
        assert!((online[0] - expected).abs() < 1e-9);
    }
}
