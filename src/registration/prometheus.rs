//! The load by any Prometheus text endpoint; pure. Only the text format's lines with wanted names are kept.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::wire::LoadReport;
use crate::config::{RegistrationMetricsConfig, Series};

/// With more in use than this, some session ends in every period: counters that stand still are an old copy's.
const UTILISATION_IDLE: f64 = 0.05;
/// Closer scrapes would make rates of a few sessions.
const BETWEEN_SCRAPES_MIN_SECONDS: f64 = 0.5;

/// Turns scrapes into reports: keeps what counters showed last.
#[derive(Debug)]
pub(super) struct PrometheusReader {
    metrics: RegistrationMetricsConfig,
    previous: Option<Counts>,
}

/// What a scrape amounts to.
#[derive(Debug, PartialEq)]
pub(super) enum Scraped {
    /// A report.
    Report(LoadReport),
    /// Counters were read for the first time: the next scrape makes rates of them.
    First,
    /// The text speaks of the same instant as the one before.
    Same,
}

/// What the rates are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    as_of: DateTime<Utc>,
    started: Measure,
    completed: Measure,
    failed: Measure,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    Missing,
    /// A number a second.
    Rate(f64),
    /// A number since some start.
    Total(f64),
}

impl Measure {
    fn is_total(self) -> bool {
        matches!(self, Self::Total(_))
    }

    /// A number a second, from what was shown `seconds` before. A counter that fell began anew at 0.
    fn per_second(self, before: Option<Self>, seconds: f64) -> Option<f64> {
        match (self, before) {
            (Self::Rate(rate), _) => Some(rate),
            (Self::Total(now), Some(Self::Total(then))) if now >= then => Some((now - then) / seconds),
            (Self::Total(now), Some(Self::Total(_))) => Some(now / seconds),
            (Self::Missing | Self::Total(_), _) => None,
        }
    }
}

impl PrometheusReader {
    /// A reader that has seen nothing.
    pub fn new(metrics: RegistrationMetricsConfig) -> Self {
        Self {
            metrics,
            previous: None,
        }
    }

    /// Reads a scrape that came at `now`. The error is a sentence's part.
    pub fn read(&mut self, text: &str, now: DateTime<Utc>) -> Result<Scraped, String> {
        let scrape = Scrape::read(text, &self.metrics)?;
        let metrics = &self.metrics;
        let counts = Counts {
            as_of: scrape.as_of(metrics.as_of.as_ref())?.unwrap_or(now),
            started: scrape.measure(metrics.started.as_ref()),
            completed: scrape.measure(metrics.completed.as_ref()),
            failed: scrape.measure(metrics.failed.as_ref()),
        };
        let utilisation = scrape.worst(metrics.utilisation.as_ref());
        let before = self.previous;
        let measures = [counts.started, counts.completed, counts.failed];
        if measures.into_iter().any(Measure::is_total) {
            let Some(before) = before else {
                self.previous = Some(counts);
                return Ok(Scraped::First);
            };
            let unmoved = measures == [before.started, before.completed, before.failed];
            let is_copy = unmoved && utilisation.is_some_and(|share| share > UTILISATION_IDLE);
            if is_copy || (seconds_between(before.as_of, counts.as_of)) < BETWEEN_SCRAPES_MIN_SECONDS {
                // A clock that was set back must not end the feed for good.
                if counts.as_of < before.as_of {
                    self.previous = Some(counts);
                }
                return Ok(Scraped::Same);
            }
        }
        self.previous = Some(counts);
        let seconds = before.map_or(1.0, |before| seconds_between(before.as_of, counts.as_of));
        let completed = counts
            .completed
            .per_second(before.map(|counts| counts.completed), seconds);
        let failed = counts
            .failed
            .per_second(before.map(|counts| counts.failed), seconds);
        let by_count = match (failed, completed) {
            (Some(failed), Some(completed)) if failed + completed > 0.0 => {
                Some(failed / (failed + completed))
            }
            (Some(_), Some(_)) => Some(0.0),
            _ => None,
        };
        Ok(Scraped::Report(LoadReport {
            as_of: counts.as_of,
            started_per_second: counts
                .started
                .per_second(before.map(|counts| counts.started), seconds),
            completed_per_second: completed,
            capacity_per_second: scrape.sum(metrics.capacity_per_second.as_ref()),
            utilisation,
            queue_seconds: scrape.worst(metrics.queue_seconds.as_ref()),
            p95_ms: scrape.worst(metrics.p95_ms.as_ref()),
            error_rate: scrape.worst(metrics.error_rate.as_ref()).or(by_count),
        }))
    }
}

fn seconds_between(earlier: DateTime<Utc>, later: DateTime<Utc>) -> f64 {
    (later - earlier).as_seconds_f64()
}

/// The lines of a scrape that are wanted.
#[derive(Debug, Default)]
struct Scrape {
    lines: Vec<(Series, f64)>,
    counters: BTreeSet<String>,
    /// The oldest time stamp of a wanted line, in Unix milliseconds.
    oldest_ms: Option<i64>,
}

impl Scrape {
    fn read(text: &str, metrics: &RegistrationMetricsConfig) -> Result<Self, String> {
        let wanted: Vec<&Series> = [
            &metrics.started,
            &metrics.completed,
            &metrics.failed,
            &metrics.capacity_per_second,
            &metrics.utilisation,
            &metrics.queue_seconds,
            &metrics.p95_ms,
            &metrics.error_rate,
            &metrics.as_of,
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut scrape = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                let mut words = comment.split_whitespace();
                if words.next() == Some("TYPE")
                    && let (Some(name), Some("counter")) = (words.next(), words.next())
                {
                    scrape.counters.insert(name.to_owned());
                }
                continue;
            }
            // Other people's metrics may be written as they like; ours must be readable.
            if !wanted.iter().any(|series| line.starts_with(&series.name)) {
                continue;
            }
            let bad = || format!("line {number} is not in Prometheus' text format");
            let (series, rest) = Series::read(line).ok_or_else(bad)?;
            if !wanted.iter().any(|wanted| wanted.covers(&series)) {
                continue;
            }
            let mut words = rest.split_whitespace();
            let value: f64 = words.next().and_then(|word| word.parse().ok()).ok_or_else(bad)?;
            if let Some(stamp) = words.next() {
                let stamp_ms: i64 = stamp.parse().map_err(|_| bad())?;
                scrape.oldest_ms = Some(scrape.oldest_ms.map_or(stamp_ms, |oldest| oldest.min(stamp_ms)));
            }
            // NaN is the format's way to say that there is nothing to say, as a summary's before its first value.
            if !value.is_nan() {
                scrape.lines.push((series, value));
            }
        }
        if scrape.lines.is_empty() {
            return Err("none of the metrics named in registration.metrics is there".into());
        }
        Ok(scrape)
    }

    fn values<'a>(&'a self, wanted: Option<&'a Series>) -> impl Iterator<Item = f64> + 'a {
        self.lines
            .iter()
            .filter(move |(series, _)| wanted.is_some_and(|wanted| wanted.covers(series)))
            .map(|(_, value)| *value)
    }

    fn sum(&self, wanted: Option<&Series>) -> Option<f64> {
        self.values(wanted).reduce(|sum, value| sum + value)
    }

    fn worst(&self, wanted: Option<&Series>) -> Option<f64> {
        self.values(wanted).reduce(f64::max)
    }

    fn measure(&self, wanted: Option<&Series>) -> Measure {
        let (Some(series), Some(sum)) = (wanted, self.sum(wanted)) else {
            return Measure::Missing;
        };
        let is_counter = self.counters.contains(&series.name) || series.name.ends_with("_total");
        if is_counter {
            Measure::Total(sum)
        } else {
            Measure::Rate(sum)
        }
    }

    /// The oldest instant that the scrape speaks of, where it says so.
    fn as_of(&self, wanted: Option<&Series>) -> Result<Option<DateTime<Utc>>, String> {
        let by_metric = self
            .values(wanted)
            .reduce(f64::min)
            .map(|seconds| (seconds * 1000.0) as i64);
        let oldest_ms = match (by_metric, self.oldest_ms) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        oldest_ms
            .map(|ms| {
                DateTime::from_timestamp_millis(ms).ok_or_else(|| "a time stamp is out of range".to_owned())
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn reader(change: impl FnOnce(&mut RegistrationMetricsConfig)) -> PrometheusReader {
        let mut metrics = RegistrationMetricsConfig::default();
        change(&mut metrics);
        PrometheusReader::new(metrics)
    }

    fn series(text: &str) -> Series {
        text.parse().expect("a series")
    }

    fn report(scraped: Result<Scraped, String>) -> LoadReport {
        match scraped {
            Ok(Scraped::Report(report)) => report,
            other => panic!("no report: {other:?}"),
        }
    }

    #[test]
    fn counters_become_rates_and_gauges_count_as_they_are() {
        let mut reader = reader(|metrics| {
            metrics.started = Some(series("http_requests_total{path=\"/register\"}"));
            metrics.completed = Some(series("done"));
            metrics.failed = Some(series("failed_total"));
            metrics.utilisation = Some(series("busy"));
        });
        let text = |started: u32, other: u32, failed: u32| {
            format!(
                "# HELP http_requests_total All.\n# TYPE http_requests_total counter\n\
                 http_requests_total{{instance=\"a\",path=\"/register\"}} {started}\n\
                 http_requests_total{{instance=\"b\",path=\"/register\"}} {other}\n\
                 http_requests_total{{instance=\"b\",path=\"/}}\\\"\"}} 9e9\n\
                 # TYPE done gauge\ndone 40\n\nfailed_total {failed}\nbusy{{instance=\"a\"}} 0.5\n\
                 busy{{instance=\"b\"}} 0.75\nregistration_p95_ms NaN\nnoise{{ 1\n"
            )
        };
        assert_eq!(reader.read(&text(1000, 50, 3), at(10)), Ok(Scraped::First));
        let first = report(reader.read(&text(1100, 150, 53), at(15)));
        assert_eq!(first.as_of, at(15));
        assert_eq!(first.started_per_second, Some(40.0));
        assert_eq!(first.completed_per_second, Some(40.0));
        assert_eq!(first.utilisation, Some(0.75));
        assert_eq!(first.error_rate, Some(0.2));
        assert_eq!((first.p95_ms, first.queue_seconds), (None, None));
        // One of the two began anew: the sum fell, and counts from 0.
        let next = report(reader.read(&text(20, 180, 53), at(20)));
        assert_eq!(next.started_per_second, Some(40.0));
        assert_eq!(next.error_rate, Some(0.0));
    }

    #[test]
    fn old_copies_are_no_news() {
        let mut reader = reader(|_| ());
        let text = |count: u32, busy: f64| {
            format!("registration_sessions_completed_total {count}\nregistration_utilisation {busy}\n")
        };
        assert_eq!(reader.read(&text(10, 0.4), at(0)), Ok(Scraped::First));
        assert_eq!(reader.read(&text(10, 0.4), at(5)), Ok(Scraped::Same));
        assert_eq!(
            report(reader.read(&text(30, 0.4), at(10))).completed_per_second,
            Some(2.0)
        );
        // In the quiet of the night nothing moves, and that is the truth.
        assert_eq!(
            report(reader.read(&text(30, 0.0), at(15))).completed_per_second,
            Some(0.0)
        );
    }

    #[test]
    fn the_instant_is_the_oldest_that_is_written() {
        let mut reader = reader(|metrics| metrics.completed = Some(series("done")));
        let text = "done 4 7000\nregistration_utilisation 0.4 6000\nother 1 1000\n";
        assert_eq!(report(reader.read(text, at(9))).as_of, at(6));
        let text = "done 4\nregistration_utilisation 0.4\nregistration_as_of_seconds 8\n";
        assert_eq!(report(reader.read(text, at(9))).as_of, at(8));
    }

    #[test]
    fn what_is_not_the_format_is_refused_where_it_matters() {
        for bad in [
            "",
            "<html>registration_utilisation</html>",
            "registration_utilisation",
            "registration_utilisation much",
            "registration_utilisation{a=b} 1",
            "registration_utilisation 1 soon",
            "registration_utilisation 1 9999999999999999",
        ] {
            assert!(reader(|_| ()).read(bad, at(0)).is_err(), "{bad}");
        }
    }
}
