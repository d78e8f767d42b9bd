//! An attempt and its outcome into the delivery's next state. Pure: time and chance are arguments.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    channels::{SendError, Taken},
    domain::{DeliveryId, DeliveryState},
    store::Change,
};

/// The wait after the first failed attempt; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(5);
const BACKOFF_MAX: Duration = Duration::from_mins(10);

/// What is known of a delivery when its attempt ends.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Which delivery.
    pub id: DeliveryId,
    /// Which attempt, from 1.
    pub number: u32,
    /// After this it must not arrive.
    pub expires_at: DateTime<Utc>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The channel took it.
    Taken(Taken),
    /// It did not.
    Failed(SendError),
    /// It was not tried: the lane is paused, or the service is stopping.
    NotTried,
    /// It was not tried: it could no longer be in time.
    TooLate,
    /// It was not tried: the contact has opted out.
    OptedOut,
    /// It was not tried: `channels.only_to` does not list the address.
    NotAllowed,
}

/// The next state. `chance` is in 0..1 and spreads retries; `carrier` names who took the parts.
pub fn after(
    attempt: Attempt,
    outcome: Outcome,
    carrier: &str,
    attempts_max: u32,
    now: DateTime<Utc>,
    chance: f64,
) -> Change {
    let becomes = |to: DeliveryState, reason: String| Change {
        id: attempt.id,
        to,
        reason,
        next_at: None,
        uncounted: false,
        may_repeat: false,
        refs: None,
        bad_address: false,
    };
    let uncounted = |reason: String, next_at: DateTime<Utc>| Change {
        next_at: Some(next_at),
        uncounted: true,
        ..becomes(DeliveryState::Queued, reason)
    };
    match outcome {
        Outcome::Taken(taken) if taken.receipts_follow => Change {
            refs: Some((carrier.to_owned(), taken.refs)),
            ..becomes(DeliveryState::Accepted, String::new())
        },
        Outcome::Taken(_) => becomes(DeliveryState::Sent, "this channel gives no receipts".into()),
        Outcome::NotTried => uncounted(String::new(), now),
        Outcome::TooLate => becomes(DeliveryState::Expired, "it could no longer be in time".into()),
        Outcome::OptedOut => becomes(DeliveryState::Suppressed, "the contact has opted out".into()),
        Outcome::NotAllowed => becomes(
            DeliveryState::Suppressed,
            "channels.only_to does not list it".into(),
        ),
        Outcome::Failed(error) => match error {
            SendError::Throttled { retry_after } => uncounted(error.to_string(), now + retry_after),
            SendError::Refused(_) => becomes(DeliveryState::Failed, error.to_string()),
            SendError::BadAddress(_) => Change {
                bad_address: true,
                ..becomes(DeliveryState::Failed, error.to_string())
            },
            // What was handed over may arrive each time, so it is not tried for ever.
            SendError::Ambiguous(_) if attempt.number >= attempts_max => becomes(
                DeliveryState::Failed,
                format!("{error}; given up after {} attempts", attempt.number),
            ),
            // What was never handed over is tried until it can no longer be in time: an outage loses nothing.
            SendError::Unreachable(_) | SendError::Ambiguous(_) => Change {
                // Comes due no later than it expires, so that it is then seen to have expired.
                next_at: Some((now + backoff(attempt.number, chance)).min(attempt.expires_at)),
                may_repeat: matches!(error, SendError::Ambiguous(_)),
                ..becomes(DeliveryState::Queued, error.to_string())
            },
        },
    }
}

/// 5 s, 10 s, 20 s … 10 min, each between half of it and the whole by chance.
fn backoff(attempt: u32, chance: f64) -> Duration {
    let full = BACKOFF_FIRST
        .saturating_mul(1 << (attempt.saturating_sub(1)).min(10))
        .min(BACKOFF_MAX);
    full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn next(number: u32, outcome: Outcome) -> Change {
        let attempt = Attempt {
            id: DeliveryId(1),
            number,
            expires_at: NOW + TimeDelta::minutes(30),
        };
        after(attempt, outcome, "carrier", 8, NOW, 1.0)
    }

    fn seconds_until_next(change: &Change) -> Option<i64> {
        change.next_at.map(|at| (at - NOW).num_seconds())
    }

    #[test]
    fn taken_is_accepted_where_receipts_follow_and_sent_where_none_do() {
        let taken = |receipts_follow| {
            Outcome::Taken(Taken {
                refs: vec!["a".into()],
                receipts_follow,
            })
        };
        assert_eq!(next(1, taken(true)).to, DeliveryState::Accepted);
        assert_eq!(
            next(1, taken(true)).refs,
            Some(("carrier".into(), vec!["a".into()]))
        );
        assert_eq!(next(1, taken(false)).to, DeliveryState::Sent);
    }

    #[test]
    fn a_throttle_is_obeyed_to_the_letter_and_costs_no_attempt() {
        let change = next(
            8,
            Outcome::Failed(SendError::Throttled {
                retry_after: Duration::from_secs(10_072),
            }),
        );
        assert_eq!((change.to, change.uncounted), (DeliveryState::Queued, true));
        assert_eq!(seconds_until_next(&change), Some(10_072));
    }

    #[test]
    fn an_outage_is_retried_with_growing_waits_and_loses_nothing() {
        let unreachable = || Outcome::Failed(SendError::Unreachable("connection refused".into()));
        let waits: Vec<_> = (1..9)
            .map(|n| seconds_until_next(&next(n, unreachable())))
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600].map(Some));
        assert_eq!(
            next(99, unreachable()).to,
            DeliveryState::Queued,
            "until it expires"
        );
        assert!(!next(1, unreachable()).may_repeat);
    }

    #[test]
    fn a_broken_connection_after_handing_over_counts_as_a_possible_repeat() {
        let lost = || Outcome::Failed(SendError::Ambiguous("connection lost".into()));
        assert!(next(1, lost()).may_repeat);
        let given_up = next(8, lost());
        assert_eq!(given_up.to, DeliveryState::Failed);
        assert!(
            given_up.reason.contains("given up after 8 attempts"),
            "{}",
            given_up.reason
        );
    }

    #[test]
    fn refusals_are_final_and_a_bad_address_is_not_written_to_again() {
        assert_eq!(
            next(1, Outcome::Failed(SendError::Refused("no".into()))).to,
            DeliveryState::Failed
        );
        let bad = next(1, Outcome::Failed(SendError::BadAddress("blocked".into())));
        assert_eq!((bad.to, bad.bad_address), (DeliveryState::Failed, true));
    }

    #[test]
    fn what_was_not_tried_costs_nothing_or_ends_with_its_reason() {
        assert!(next(3, Outcome::NotTried).uncounted);
        assert_eq!(next(1, Outcome::TooLate).to, DeliveryState::Expired);
        assert_eq!(next(1, Outcome::OptedOut).to, DeliveryState::Suppressed);
    }
}
