//! Four digits sent to a number and asked back: a text message's sender can be forged, but not who receives the answer.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a code holds.
const HOLDS: TimeDelta = TimeDelta::minutes(10);
/// So often may a code be answered wrongly.
const TRIES_MAX: u8 = 5;
/// So many codes are sent to one person within [`ASKED_WITHIN`]: a forger who makes Weir write to somebody stops there,
/// and so do guesses.
const CODES_MAX: usize = 5;
const ASKED_WITHIN: TimeDelta = TimeDelta::hours(1);
/// Digits of a code.
const DIGITS: usize = 4;

/// A code that was sent and is awaited. It keeps the code's hash only, and is itself part of a sealed state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Challenge {
    hash: String,
    until: DateTime<Utc>,
    tries_left: u8,
}

/// When codes were sent to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct CodesSent(Vec<DateTime<Utc>>);

/// What an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// No four digits: the person speaks of something else.
    NoCode,
    /// It is the code.
    Right,
    /// It is not; so many tries are left.
    Wrong(u8),
    /// Too late, or wrong too often.
    Over,
}

impl Challenge {
    /// For a code that is about to be sent; none where too many were sent.
    pub(super) fn new(code: &str, sent: &mut CodesSent, now: DateTime<Utc>) -> Option<Self> {
        sent.0.retain(|at| *at > now - ASKED_WITHIN && *at <= now);
        if sent.0.len() >= CODES_MAX {
            return None;
        }
        sent.0.push(now);
        let until = now + HOLDS;
        Some(Self {
            hash: hash(code, until),
            until,
            tries_left: TRIES_MAX,
        })
    }

    /// Takes an answer, and a try with it.
    pub(super) fn answer(&mut self, text: &str, now: DateTime<Utc>) -> Answer {
        if text.len() != DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Answer::NoCode;
        }
        if now > self.until || self.tries_left == 0 {
            return Answer::Over;
        }
        self.tries_left -= 1;
        match (hash(text, self.until) == self.hash, self.tries_left) {
            (true, _) => Answer::Right,
            (false, 0) => Answer::Over,
            (false, left) => Answer::Wrong(left),
        }
    }
}

/// Its end, in milliseconds, makes the same code another hash each time.
fn hash(code: &str, until: DateTime<Utc>) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(format!("weir code {} {code}", until.timestamp_millis()));
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-09-03T04:00:00Z".parse().expect("an instant")
    }

    #[test]
    fn a_code_has_five_tries_and_ten_minutes() {
        let mut sent = CodesSent::default();
        let fresh = Challenge::new("4821", &mut sent, noon()).expect("the first");
        assert!(!serde_json::to_string(&fresh).expect("plain").contains("4821"));
        let mut challenge = fresh.clone();
        for left in [4, 3, 2, 1] {
            assert_eq!(challenge.answer("1111", noon()), Answer::Wrong(left));
        }
        assert_eq!(challenge.answer("1111", noon()), Answer::Over);
        assert_eq!(
            challenge.answer("4821", noon()),
            Answer::Over,
            "the tries are used up"
        );
        let mut challenge = fresh.clone();
        for text in ["", "48211", "482", "abcd", "４８２１"] {
            assert_eq!(challenge.answer(text, noon()), Answer::NoCode);
        }
        assert_eq!(
            challenge.answer("4821", noon() + TimeDelta::minutes(10)),
            Answer::Right
        );
        let mut challenge = fresh;
        assert_eq!(
            challenge.answer("4821", noon() + TimeDelta::seconds(601)),
            Answer::Over
        );
    }

    #[test]
    fn few_codes_are_sent_in_an_hour() {
        let mut sent = CodesSent::default();
        for minute in 0..5 {
            assert!(Challenge::new("4821", &mut sent, noon() + TimeDelta::minutes(minute)).is_some());
        }
        assert_eq!(
            Challenge::new("4821", &mut sent, noon() + TimeDelta::minutes(59)),
            None
        );
        assert!(Challenge::new("4821", &mut sent, noon() + TimeDelta::minutes(60)).is_some());
    }
}
