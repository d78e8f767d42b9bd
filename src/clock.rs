//! The only reader of system time. Everything else is given a [`Clock`] or an instant.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

/// Where time comes from: the machine, a faster run of it (the demo), or a hand (tests).
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's time.
    System,
    /// Starts at a given instant and runs `factor` times as fast as the machine's monotonic time.
    Fast {
        /// The instant shown when the clock was made.
        origin: DateTime<Utc>,
        /// The machine's monotonic time at that moment.
        started: Instant,
        /// Seconds shown per second of the machine.
        factor: f64,
    },
    /// Stands still until [`Clock::advance`] or [`Clock::set`].
    Manual(Arc<ManualTime>),
}

/// The hands of a [`Clock::Manual`].
#[derive(Debug)]
pub struct ManualTime {
    unix_ms: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// A clock that shows `origin` now and runs `factor` times as fast as the machine's.
    pub fn fast(origin: DateTime<Utc>, factor: f64) -> Self {
        Self::Fast {
            origin,
            started: Instant::now(),
            factor,
        }
    }

    /// A clock that stands at `at` until it is moved by hand.
    pub fn manual(at: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(ManualTime {
            unix_ms: AtomicI64::new(at.timestamp_millis()),
            moved: Notify::new(),
        }))
    }

    /// The present instant, to the millisecond (the store's precision).
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
    pub fn now(&self) -> DateTime<Utc> {
        let unix_ms = match self {
            Self::System => Utc::now().timestamp_millis(),
            Self::Fast {
                origin,
                started,
                factor,
            } => origin.timestamp_millis() + (started.elapsed().as_secs_f64() * factor * 1000.0) as i64,
            Self::Manual(time) => time.unix_ms.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_millis(unix_ms).unwrap_or_default()
    }

    /// Waits until this clock has moved on by `duration`.
    pub async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Fast { factor, .. } => tokio::time::sleep(duration.div_f64(*factor)).await,
            Self::Manual(time) => {
                let until = time.unix_ms.load(Ordering::SeqCst) + duration.as_millis() as i64;
                loop {
                    let moved = time.moved.notified();
                    if time.unix_ms.load(Ordering::SeqCst) >= until {
                        return;
                    }
                    moved.await;
                }
            }
        }
    }

    /// How long a loop with nothing to do sleeps: `duration` by this clock, but at least 20 ms of the machine's, so
    /// that a fast clock does not make loops spin; a manual clock's loops sleep by the machine's.
    pub fn rest(&self, duration: Duration) -> Duration {
        match self {
            Self::System | Self::Manual(_) => duration,
            Self::Fast { factor, .. } => duration.div_f64(*factor).max(Duration::from_millis(20)),
        }
    }

    /// Moves a manual clock on and wakes whoever sleeps by it; other clocks are left alone.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Manual(time) = self {
            time.unix_ms.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
            time.moved.notify_waiters();
        }
    }

    /// Sets a manual clock and wakes whoever sleeps by it; other clocks are left alone.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Self::Manual(time) = self {
            time.unix_ms.store(at.timestamp_millis(), Ordering::SeqCst);
            time.moved.notify_waiters();
        }
    }
}
