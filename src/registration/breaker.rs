//! When to leave a failing server alone; pure.

use chrono::{DateTime, TimeDelta, Utc};

/// When a [`Breaker`] opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct BreakerParams {
    /// Failures in a row that open it.
    pub failures_max: u32,
    /// How long it stays open at first; doubled each time that the probe fails.
    pub open_min: TimeDelta,
    /// The longest that it stays open.
    pub open_max: TimeDelta,
    /// How long a probe may be under way before another is let through: one that was abandoned reports nothing.
    pub probe_max: TimeDelta,
}

/// Closed: calls go through. Open: none does. Half open: one does, to probe.
#[derive(Debug)]
pub(super) struct Breaker {
    params: BreakerParams,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: DateTime<Utc>, lasted: TimeDelta },
    HalfOpen { until: DateTime<Utc>, lasted: TimeDelta },
}

impl Breaker {
    /// Closed.
    pub fn new(params: BreakerParams) -> Self {
        let state = State::Closed { failures: 0 };
        Self { params, state }
    }

    /// Whether a call may go through now; if not, how long none will. Whoever is let through reports what came of it.
    pub fn admit(&mut self, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } | State::HalfOpen { until, .. } if now < until => Err(until - now),
            State::Open { lasted, .. } | State::HalfOpen { lasted, .. } => {
                let until = now + self.params.probe_max;
                self.state = State::HalfOpen { until, lasted };
                Ok(())
            }
        }
    }

    /// The server answered.
    pub fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// The server did not answer, or answered that it cannot.
    pub fn failed(&mut self, now: DateTime<Utc>) {
        let lasted = match self.state {
            State::Closed { failures } if failures + 1 < self.params.failures_max => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
                return;
            }
            State::Closed { .. } => self.params.open_min,
            State::HalfOpen { lasted, .. } => (lasted * 2).min(self.params.open_max),
            // A call that was let through before it opened; it tells nothing new.
            State::Open { .. } => return,
        };
        let until = now + lasted;
        self.state = State::Open { until, lasted };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line for each second: what happens (`ok`, `fail`, nothing), and whether the next call is admitted.
    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_a_probe() {
        let params = BreakerParams {
            failures_max: 3,
            open_min: TimeDelta::seconds(4),
            open_max: TimeDelta::seconds(6),
            probe_max: TimeDelta::seconds(3),
        };
        let mut breaker = Breaker::new(params);
        let at = |second: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second);
        let table: [(i64, &str, Result<(), i64>); 18] = [
            (0, "", Ok(())),
            (1, "fail", Ok(())),
            (2, "fail", Ok(())),
            (3, "ok", Ok(())), // a success forgets the failures before it
            (4, "fail", Ok(())),
            (5, "fail", Ok(())),
            (6, "fail", Err(4)),
            (8, "fail", Err(2)),  // one that was under way
            (10, "", Ok(())),     // the probe
            (11, "", Err(2)),     // nobody else meanwhile
            (12, "fail", Err(6)), // twice as long, at most open_max
            (17, "", Err(1)),
            (18, "", Ok(())),
            (20, "", Err(1)),
            (21, "", Ok(())), // the probe before never came back
            (22, "ok", Ok(())),
            (23, "fail", Ok(())),
            (24, "", Ok(())),
        ];
        for (second, happens, admitted) in table {
            match happens {
                "ok" => breaker.succeeded(),
                "fail" => breaker.failed(at(second)),
                _ => {}
            }
            let expected = admitted.map_err(TimeDelta::seconds);
            assert_eq!(breaker.admit(at(second)), expected, "second {second}");
        }
    }
}
