//! The contract's messages, and what is made of those that come in.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{LoadSample, PhoneNumber, Proof, ProofResult};

/// The header that makes a repeated registration harmless.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What `GET /v1/load` answers. Each number may be missing; [`LoadReport::sample`] says what then holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The end of the period that the numbers speak of.
    pub as_of: DateTime<Utc>,
    /// Sessions begun a second.
    #[serde(rename = "sessions_started_per_second", default)]
    pub started_per_second: Option<f64>,
    /// Sessions that ended well, a second.
    #[serde(default)]
    pub completed_per_second: Option<f64>,
    /// Sessions a second that can be completed.
    #[serde(default)]
    pub capacity_per_second: Option<f64>,
    /// Share of the capacity in use, 0 to 1.
    #[serde(default)]
    pub utilisation: Option<f64>,
    /// Seconds that a new session waits.
    #[serde(default)]
    pub queue_seconds: Option<f64>,
    /// Milliseconds within which 95 % of sessions end.
    #[serde(default)]
    pub p95_ms: Option<f64>,
    /// Share of sessions that fail, 0 to 1.
    #[serde(default)]
    pub error_rate: Option<f64>,
}

impl LoadReport {
    /// The sample that the report amounts to, or what is wrong with it. What is missing is derived:
    ///
    /// - started = completed ÷ (1 − error rate); completed = started · (1 − error rate). One must be there.
    /// - error rate = 1 − completed ÷ started, else 0. A backlog that grows then looks like errors: careful, not wrong.
    /// - utilisation = completed ÷ capacity, at most 1. One must be there. A little above 1 counts as 1.
    /// - queue = p95, which holds the time of service too, so rather too much; without p95 it counts as 0, and the
    ///   law goes by utilisation and errors alone.
    /// - capacity and p95 stay unknown: the law then reckons the capacity from completed ÷ utilisation.
    pub fn sample(&self) -> Result<LoadSample, String> {
        /// A system may count what waits as load; beyond this the number is something else, such as per cent.
        const UTILISATION_MAX: f64 = 2.0;
        for (name, value, max) in [
            ("sessions_started_per_second", self.started_per_second, f64::MAX),
            ("completed_per_second", self.completed_per_second, f64::MAX),
            ("capacity_per_second", self.capacity_per_second, f64::MAX),
            ("utilisation", self.utilisation, UTILISATION_MAX),
            ("queue_seconds", self.queue_seconds, f64::MAX),
            ("p95_ms", self.p95_ms, f64::MAX),
            ("error_rate", self.error_rate, 1.0),
        ] {
            // Written so that NaN, too, is out of range.
            if value.is_some_and(|value| !(0.0..=max).contains(&value)) {
                return Err(format!("{name} is out of range"));
            }
        }
        let succeeded = 1.0 - self.error_rate.unwrap_or(0.0);
        let (started, completed) = match (self.started_per_second, self.completed_per_second) {
            (Some(started), Some(completed)) => (started, completed),
            (Some(started), None) => (started, started * succeeded),
            (None, Some(completed)) if succeeded > 0.0 => (completed / succeeded, completed),
            (None, Some(completed)) => (completed, completed),
            (None, None) => return Err("neither sessions started nor completed are there".into()),
        };
        let utilisation = match (self.utilisation, self.capacity_per_second) {
            (Some(utilisation), _) => utilisation.min(1.0),
            (None, Some(capacity)) if capacity > 0.0 => (completed / capacity).min(1.0),
            (None, Some(_)) => 1.0,
            (None, None) => return Err("neither utilisation nor capacity_per_second is there".into()),
        };
        let by_difference = if started > completed {
            1.0 - completed / started
        } else {
            0.0
        };
        Ok(LoadSample {
            as_of: self.as_of,
            started_per_second: started,
            completed_per_second: completed,
            capacity_per_second: self.capacity_per_second,
            utilisation,
            queue_seconds: self
                .queue_seconds
                .or(self.p95_ms.map(|p95_ms| p95_ms / 1000.0))
                .unwrap_or(0.0),
            p95_ms: self.p95_ms,
            error_rate: self.error_rate.unwrap_or(by_difference),
        })
    }
}

/// One entry of what `GET /v1/people/{ref}/proofs` answers.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ProofEntry {
    pub sampled_at: DateTime<Utc>,
    pub result: String,
    #[serde(default)]
    pub reported_at: Option<DateTime<Utc>>,
}

impl ProofEntry {
    pub fn proof(&self) -> Proof {
        let result = match self.result.trim().to_ascii_lowercase().as_str() {
            "negative" | "neg" | "阴性" => ProofResult::Negative,
            "positive" | "pos" | "阳性" => ProofResult::Positive,
            _ => ProofResult::Unclear,
        };
        Proof {
            sampled_at: self.sampled_at,
            result,
            reported_at: self.reported_at,
        }
    }
}

/// Who is registered. Personal data: its `Debug` says only which kind it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Person {
    /// By the id that the registration system gave.
    Ref(String),
    /// By name and phone, where it gave none.
    Named {
        /// The name as on the roster.
        name: String,
        /// The phone.
        phone: PhoneNumber,
    },
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ref(_) => "Ref(***)",
            Self::Named { .. } => "Named(***)",
        })
    }
}

/// One registration to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Who.
    pub person: Person,
    /// For which round, by a name that stays the same.
    pub round: String,
    /// The building unit, as its path.
    pub unit: String,
    /// How it came in, such as `sheet`.
    pub source: String,
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It is there now.
    New,
    /// It was there before.
    Known,
}

/// The body of `POST /v1/registrations`.
#[derive(Serialize, Deserialize)]
pub(super) struct RegistrationBody<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<std::borrow::Cow<'a, str>>,
    pub round: std::borrow::Cow<'a, str>,
    pub unit: std::borrow::Cow<'a, str>,
    pub source: std::borrow::Cow<'a, str>,
}

impl<'a> From<&'a Registration> for RegistrationBody<'a> {
    fn from(registration: &'a Registration) -> Self {
        let (reference, name, phone) = match &registration.person {
            Person::Ref(reference) => (Some(reference.as_str().into()), None, None),
            Person::Named { name, phone } => (None, Some(name.as_str().into()), Some(phone.as_e164().into())),
        };
        Self {
            reference,
            name,
            phone,
            round: registration.round.as_str().into(),
            unit: registration.unit.as_str().into(),
            source: registration.source.as_str().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(change: impl FnOnce(&mut LoadReport)) -> LoadReport {
        let mut report = LoadReport {
            started_per_second: Some(90.0),
            completed_per_second: Some(80.0),
            capacity_per_second: Some(100.0),
            utilisation: Some(0.9),
            queue_seconds: Some(0.5),
            p95_ms: Some(700.0),
            error_rate: Some(0.01),
            ..LoadReport::default()
        };
        change(&mut report);
        report
    }

    #[test]
    fn what_is_there_is_taken_as_it_is() {
        let json = r#"{"as_of":"2026-09-02T10:00:00+08:00","sessions_started_per_second":90,"completed_per_second":80.0,
            "capacity_per_second":100,"utilisation":0.9,"queue_seconds":0.5,"p95_ms":700,"error_rate":0.01,"more":[]}"#;
        let read: LoadReport = serde_json::from_str(json).expect("a report");
        let as_of = "2026-09-02T02:00:00Z".parse().expect("an instant");
        assert_eq!(read, report(|report| report.as_of = as_of));
        let sample = read.sample().expect("a sample");
        assert!((sample.utilisation - 0.9).abs() < 1e-12 && (sample.error_rate - 0.01).abs() < 1e-12);
    }

    #[test]
    fn what_is_missing_is_derived() {
        let sample = |change: fn(&mut LoadReport)| report(change).sample().expect("a sample");
        let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-9, "{value} {expected}");
        near(
            sample(|r| r.started_per_second = None).started_per_second,
            80.0 / 0.99,
        );
        near(
            sample(|r| r.completed_per_second = None).completed_per_second,
            90.0 * 0.99,
        );
        near(sample(|r| r.utilisation = None).utilisation, 0.8);
        near(sample(|r| r.utilisation = Some(1.3)).utilisation, 1.0);
        near(sample(|r| r.error_rate = None).error_rate, 1.0 / 9.0);
        near(sample(|r| r.queue_seconds = None).queue_seconds, 0.7);
        near(
            sample(|r| {
                r.queue_seconds = None;
                r.p95_ms = None;
            })
            .queue_seconds,
            0.0,
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (change, word) in [
            (
                (|r| r.utilisation = Some(f64::NAN)) as fn(&mut LoadReport),
                "utilisation",
            ),
            (|r| r.utilisation = Some(85.0), "utilisation"),
            (|r| r.started_per_second = Some(-1.0), "started"),
            (|r| r.queue_seconds = Some(f64::INFINITY), "queue"),
            (|r| r.error_rate = Some(1.5), "error_rate"),
            (
                |r| {
                    r.started_per_second = None;
                    r.completed_per_second = None;
                },
                "neither",
            ),
            (
                |r| {
                    r.utilisation = None;
                    r.capacity_per_second = None;
                },
                "neither",
            ),
        ] {
            let said = report(change).sample().expect_err(word);
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn persons_are_not_shown() {
        let registration = Registration {
            person: Person::Ref("510104-secret".into()),
            round: "1".into(),
            unit: "1栋1单元".into(),
            source: "sheet".into(),
        };
        assert!(!format!("{registration:?}").contains("secret"));
    }
}
