//! What an incident was: what was sent, to how many, how late, what the load was, what came back on paper.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::{
    domain::{ContactId, ManualState},
    planner::chart::{self, ChartData, ChartDay, Legend},
    store::{Incident, IncidentNote, LoadMinute, NoticeCount, Store, StoreError, WindowCount},
};

/// Histories read at once.
const HISTORIES_PER_QUERY: usize = 5_000;
/// Delays beyond a day count as one.
const DELAY_SECONDS_MAX: usize = 24 * 60 * 60;
/// The load is shown from so long before the incident to so long after it.
const AROUND: TimeDelta = TimeDelta::minutes(30);

/// How late notices were, in seconds after they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Delays {
    /// Notices that came so far.
    pub count: u64,
    /// Half of them were sooner.
    pub median_seconds: u64,
    /// Nine of ten were sooner.
    pub p90_seconds: u64,
    /// 99 of 100 were sooner.
    pub p99_seconds: u64,
    /// The last one.
    pub max_seconds: u64,
}

/// The pacing law changed its mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeChange {
    /// The minute.
    pub at: DateTime<Utc>,
    /// The mode.
    pub mode: String,
}

/// Everything about an incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentReport {
    /// The incident.
    pub incident: Incident,
    /// Its log.
    pub log: Vec<IncidentNote>,
    /// The windows it fell into.
    pub windows: WindowCount,
    /// What was sent.
    pub notices: Vec<NoticeCount>,
    /// How late the channels took the notices about it.
    pub taken: Delays,
    /// How late phones had them, where there are receipts.
    pub delivered: Delays,
    /// Registrations on paper by state.
    pub sheets: BTreeMap<&'static str, i64>,
    /// The registration system's load by minute.
    pub load: Vec<LoadMinute>,
    /// The pacing law's modes.
    pub modes: Vec<ModeChange>,
}

/// Gathers everything about an incident.
pub async fn gather(
    store: &Store,
    incident: Incident,
    now: DateTime<Utc>,
) -> Result<IncidentReport, StoreError> {
    let until = incident.closed_at.unwrap_or(now);
    let load = store
        .load_minutes(incident.opened_at - AROUND, until + AROUND)
        .await?;
    let (taken, delivered) = delays(store, &incident).await?;
    Ok(IncidentReport {
        log: store.incident_log(incident.id).await?,
        windows: store.count_incident_windows(incident.id).await?,
        notices: store.count_incident_notices(incident.id).await?,
        taken,
        delivered,
        sheets: sheets(&store.count_manual(incident.id).await?),
        modes: modes(&load),
        load,
        incident,
    })
}

/// Every state with its count.
pub fn sheets(counts: &[(String, i64)]) -> BTreeMap<&'static str, i64> {
    ManualState::ALL
        .into_iter()
        .map(|state| {
            let count = counts.iter().find(|(word, _)| word == state.as_str());
            (state.as_str(), count.map_or(0, |(_, count)| *count))
        })
        .collect()
}

async fn delays(store: &Store, incident: &Incident) -> Result<(Delays, Delays), StoreError> {
    let (mut taken, mut delivered) = (Histogram::default(), Histogram::default());
    let mut after = ContactId(0);
    loop {
        let batch = store
            .incident_histories(incident.id, after, HISTORIES_PER_QUERY)
            .await?;
        let Some((last, ..)) = batch.last() else { break };
        after = *last;
        for (_, written_at, history) in &batch {
            taken.add(*written_at, reached(history, &["accepted", "sent"]));
            delivered.add(*written_at, reached(history, &["delivered"]));
        }
    }
    Ok((taken.delays(), delivered.delays()))
}

/// When a delivery first came into one of these states.
fn reached(history: &str, states: &[&str]) -> Option<DateTime<Utc>> {
    history.lines().find_map(|line| {
        let mut words = line.split(' ');
        let at = words.next()?.parse().ok()?;
        let state = words.next()?;
        states
            .contains(&state)
            .then(|| DateTime::from_timestamp_millis(at))?
    })
}

/// Counts by second, so that it is as large for a city as for a street.
#[derive(Default)]
struct Histogram {
    counts: BTreeMap<usize, u64>,
    total: u64,
}

impl Histogram {
    fn add(&mut self, from: DateTime<Utc>, to: Option<DateTime<Utc>>) {
        if let Some(to) = to {
            let seconds = (to - from).num_seconds().max(0) as usize;
            *self.counts.entry(seconds.min(DELAY_SECONDS_MAX)).or_default() += 1;
            self.total += 1;
        }
    }

    fn delays(&self) -> Delays {
        Delays {
            count: self.total,
            median_seconds: self.at(0.5),
            p90_seconds: self.at(0.9),
            p99_seconds: self.at(0.99),
            max_seconds: self.at(1.0),
        }
    }

    fn at(&self, share: f64) -> u64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (seconds, count) in &self.counts {
            seen += count;
            if seen >= wanted {
                return *seconds as u64;
            }
        }
        0
    }
}

fn modes(load: &[LoadMinute]) -> Vec<ModeChange> {
    let mut changes: Vec<ModeChange> = Vec::new();
    for minute in load.iter().filter(|minute| !minute.mode.is_empty()) {
        if changes.last().is_none_or(|last| last.mode != minute.mode) {
            changes.push(ModeChange {
                at: minute.minute,
                mode: minute.mode.clone(),
            });
        }
    }
    changes
}

/// The load as a picture: percent of the capacity in use by minute, and what all of it is; none where no load was
/// reported.
pub fn picture(report: &IncidentReport, zone: Tz) -> Option<String> {
    let mut days: BTreeMap<NaiveDate, Vec<(usize, f64)>> = BTreeMap::new();
    for minute in &report.load {
        let local = minute.minute.with_timezone(&zone);
        let of_day = (local.hour() * 60 + local.minute()) as usize;
        days.entry(local.date_naive())
            .or_default()
            .push((of_day, minute.utilisation * 100.0));
    }
    let days: Vec<ChartDay> = days
        .into_iter()
        .filter_map(|(date, minutes)| day(date, &minutes))
        .collect();
    if days.is_empty() {
        return None;
    }
    Some(chart::svg(&ChartData {
        title: format!(
            "Load of the registration system around incident {}",
            report.incident.id
        ),
        days,
        cap: Some(100.0),
        at_once: None,
        legend: Legend {
            planned: "capacity in use".into(),
            cap: "all of it".into(),
            at_once: String::new(),
            unit: "%".into(),
        },
    }))
}

/// Whole hours around the minutes that were reported; those between that were not count as nothing.
fn day(date: NaiveDate, minutes: &[(usize, f64)]) -> Option<ChartDay> {
    let first = minutes.first()?.0 / 60 * 60;
    let last = (minutes.last()?.0 / 60 + 1) * 60;
    let mut per_minute = vec![0.0; last - first];
    for (minute, percent) in minutes {
        if let Some(value) = per_minute.get_mut(minute - first) {
            *value = *percent;
        }
    }
    Some(ChartDay {
        date,
        first_minute: first as u16,
        per_minute,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_read_from_histories() {
        let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).expect("an instant");
        let history = "1000000 queued \n1004000 sending \n1005000 accepted \n1009000 delivered DELIVRD\n";
        assert_eq!(reached(history, &["accepted", "sent"]), Some(at(1005)));
        assert_eq!(reached(history, &["delivered"]), Some(at(1009)));
        assert_eq!(reached("1000000 queued \nnonsense\n", &["delivered"]), None);
        let mut histogram = Histogram::default();
        for seconds in 1..=100 {
            histogram.add(at(0), Some(at(seconds)));
        }
        histogram.add(at(10), Some(at(5)));
        histogram.add(at(10), None);
        let delays = histogram.delays();
        assert_eq!(
            (delays.count, delays.median_seconds, delays.p90_seconds),
            (101, 50, 90)
        );
        assert_eq!((delays.p99_seconds, delays.max_seconds), (99, 100));
        assert_eq!(Histogram::default().delays(), Delays::default());
    }
}
