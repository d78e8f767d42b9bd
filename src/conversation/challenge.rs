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
/// Longer texts say something else.
const ANSWER_CHARACTERS_MAX: usize = 24;

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

    /// It can still be answered.
    pub(super) fn holds(&self, now: DateTime<Utc>) -> bool {
        now <= self.until && self.tries_left > 0
    }

    /// Takes an answer, and a try with it.
    pub(super) fn answer(&mut self, text: &str, now: DateTime<Utc>) -> Answer {
        let Some(code) = code_in(text) else {
            return Answer::NoCode;
        };
        if !self.holds(now) {
            return Answer::Over;
        }
        self.tries_left -= 1;
        match (hash(&code, self.until) == self.hash, self.tries_left) {
            (true, _) => Answer::Right,
            (false, 0) => Answer::Over,
            (false, left) => Answer::Wrong(left),
        }
    }
}

/// The four digits in a short answer that has no others: 4821, 48 21, "4821。", "确认4821"; not the door 1203室.
fn code_in(text: &str) -> Option<String> {
    if text.chars().count() > ANSWER_CHARACTERS_MAX {
        return None;
    }
    let is_digits = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    if text.chars().all(is_digits) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        return (digits.len() == DIGITS).then_some(digits);
    }
    let runs = text.split(|c: char| !c.is_ascii_digit());
    let mut runs = runs.filter(|run| !run.is_empty());
    let code = runs.next().filter(|run| run.len() == DIGITS)?;
    let after = text
        .split_once(code)
        .and_then(|(_, rest)| rest.trim_start().chars().next());
    let is_other = runs.next().is_some() || after.is_some_and(|c| "室号號户戶栋棟幢座单單".contains(c));
    (!is_other).then(|| code.to_owned())
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
        for text in [
            "",
            "48211",
            "482",
            "abcd",
            "４８２１",
            "4821室",
            "3栋4821",
            "4821 1234",
        ] {
            assert_eq!(challenge.answer(text, noon()), Answer::NoCode);
        }
        assert_eq!(
            challenge.answer("4821", noon() + TimeDelta::minutes(10)),
            Answer::Right
        );
        for text in ["4821。", "48 21", "确认4821", "yes, 4821!", " 4821 "] {
            assert_eq!(fresh.clone().answer(text, noon()), Answer::Right, "{text}");
        }
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
