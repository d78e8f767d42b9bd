//! Who is registered with the simulator, and the tests that follow from it. Only hashes of people are kept.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::wire::{ProofEntry, RegistrationBody};

/// Registrations kept; the oldest go first.
const REGISTRATIONS_LEN_MAX: usize = 500_000;
/// Tests told of one person.
const PROOFS_LEN_MAX: usize = 8;
/// A sample is taken one to three hours after the registration, and reported four to nine hours after that.
const SAMPLED_AFTER_HOURS: (u64, u64) = (1, 3);
const REPORTED_AFTER_HOURS: (u64, u64) = (4, 9);

/// The register.
#[derive(Debug, Default)]
pub(super) struct Books {
    keys: HashSet<u64>,
    by_person: HashMap<u64, Vec<Entry>>,
    in_order: VecDeque<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    round: u64,
    at: DateTime<Utc>,
}

/// The person of a request, or what is wrong with it.
pub(super) fn person(body: &RegistrationBody<'_>) -> Result<u64, &'static str> {
    let given = |text: &Option<std::borrow::Cow<'_, str>>| {
        let text = text.as_deref().unwrap_or_default().trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    match (given(&body.reference), given(&body.name), given(&body.phone)) {
        (Some(reference), ..) => Ok(by_reference(&reference)),
        (None, Some(name), Some(phone)) => Ok(hash(&("name", name, phone))),
        _ => Err("ref, or name and phone, must be given"),
    }
}

fn by_reference(reference: &str) -> u64 {
    hash(&("ref", reference))
}

pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Books {
    /// Registers a person for a round; false if they were there, by the key or by themselves.
    pub fn register(&mut self, key: &str, person: u64, round: &str, at: DateTime<Utc>) -> bool {
        let key = hash(&key);
        let round = hash(&round);
        if self.keys.contains(&key) {
            return false;
        }
        while self.in_order.len() >= REGISTRATIONS_LEN_MAX {
            let Some((key, person)) = self.in_order.pop_front() else {
                break;
            };
            self.keys.remove(&key);
            self.by_person.remove(&person);
        }
        self.keys.insert(key);
        self.in_order.push_back((key, person));
        let entries = self.by_person.entry(person).or_default();
        let is_new = entries.iter().all(|entry| entry.round != round);
        if is_new {
            if entries.len() >= PROOFS_LEN_MAX {
                entries.remove(0);
            }
            entries.push(Entry { round, at });
        }
        is_new
    }

    /// How many people are registered.
    pub fn people(&self) -> usize {
        self.by_person.len()
    }

    /// A person's tests, the newest first; none if nobody has registered them.
    pub fn proofs(&self, reference: &str, seed: u64, now: DateTime<Utc>) -> Option<Vec<ProofEntry>> {
        let person = by_reference(reference);
        let entries = self.by_person.get(&person)?;
        let mut proofs: Vec<ProofEntry> = entries
            .iter()
            .filter_map(|entry| {
                let within = |(from, to): (u64, u64), salt: u64| {
                    let span_minutes = (to - from) * 60;
                    let minutes = from * 60 + hash(&(seed, person, entry.round, salt)) % span_minutes;
                    TimeDelta::minutes(minutes as i64)
                };
                let sampled_at = entry.at + within(SAMPLED_AFTER_HOURS, 1);
                let reported_at = sampled_at + within(REPORTED_AFTER_HOURS, 2);
                let is_reported = reported_at <= now;
                (sampled_at <= now).then(|| ProofEntry {
                    sampled_at,
                    result: if is_reported { "negative" } else { "pending" }.into(),
                    reported_at: is_reported.then_some(reported_at),
                })
            })
            .collect();
        proofs.sort_by_key(|proof| std::cmp::Reverse(proof.sampled_at));
        Some(proofs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_registered_once_and_tested_hours_later() {
        let at = |hour: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hour);
        let mut books = Books::default();
        let person = by_reference("a");
        assert!(books.register("k1", person, "1", at(0)));
        assert!(!books.register("k1", person, "1", at(1)), "the same key");
        assert!(
            !books.register("k2", person, "1", at(1)),
            "another key, the same round"
        );
        assert!(books.register("k3", person, "2", at(24)));
        assert!(books.proofs("b", 7, at(0)).is_none());
        let results = |hour: i64| -> Vec<String> {
            let proofs = books.proofs("a", 7, at(hour)).expect("known");
            proofs.into_iter().map(|proof| proof.result).collect()
        };
        assert!(results(0).is_empty());
        assert_eq!(results(4), ["pending"]);
        assert_eq!(results(13), ["negative"]);
        assert_eq!(results(28), ["pending", "negative"]);
    }
}
