//! How fast each channel, chat and carrier may be written to. The one part of pacing that keeps state: governor's
//! limiters, on the given clock.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock as GovernorClock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

use tokio::sync::OwnedMutexGuard;

use crate::clock::Clock;

/// A [`Clock`] as governor reads it.
#[derive(Clone, Debug)]
struct LimitClock(Clock);

impl GovernorClock for LimitClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let unix_ns = self.0.now().timestamp_nanos_opt().unwrap_or_default();
        Nanos::from(u64::try_from(unix_ns).unwrap_or_default())
    }
}

type Direct = RateLimiter<NotKeyed, InMemoryState, LimitClock, NoOpMiddleware<Nanos>>;
/// When a chat was last written to, in Unix milliseconds. Who holds it is the next to write.
type Turn = Arc<tokio::sync::Mutex<i64>>;

/// Chats remembered before those long silent are forgotten.
const CHATS_MAX: usize = 50_000;

/// The limits of one channel or carrier.
#[derive(Debug)]
pub struct Limits {
    clock: LimitClock,
    all: Direct,
    /// What bulk messages may take of the whole, so that a broadcast leaves room for replies.
    bulk: Direct,
    per_chat: Option<Chats>,
    per_second: u32,
}

/// Keeps messages to one chat apart, first come, first served. A governor takes a chat's place when it is asked,
/// and the message may then wait for the channel: the next one would follow on its heels.
#[derive(Debug)]
struct Chats {
    gap: Duration,
    /// Nobody knows to whom the process before this one wrote last.
    began_ms: i64,
    turns: Mutex<HashMap<i64, Turn>>,
}

/// A chat's turn: until it is dropped, when its message is with the channel or has failed, nothing else goes to that chat,
/// and the gap to the next message counts from then. Counted from when a message sets out, one that is slow on the way and
/// the next, which is not, could arrive within one second.
#[derive(Debug)]
#[must_use = "the chat is free again once this is dropped"]
pub struct Place {
    clock: LimitClock,
    last_ms: Option<OwnedMutexGuard<i64>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(last_ms) = &mut self.last_ms {
            **last_ms = self.clock.0.now().timestamp_millis();
        }
    }
}

/// Who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// An answer to a person: the whole rate is open to it.
    Reply,
    /// Everything else: up to four fifths of the rate.
    Bulk,
}

impl Limits {
    /// Limits of `per_second` units over all, and `per_chat` a second to one chat.
    ///
    /// They hold in every window of time, from the first instant: whatever the process before this one sent in the
    /// last second, nothing more leaves in that same second.
    pub fn new(clock: &Clock, per_second: u32, per_chat: Option<u32>) -> Self {
        let clock = LimitClock(clock.clone());
        let direct = |rate: u32| RateLimiter::direct_with_clock(strict(rate), clock.clone());
        let limits = Self {
            all: direct(per_second),
            bulk: direct((per_second * 4 / 5).max(1)),
            per_chat: per_chat.map(|rate| Chats::new(rate, clock.0.now().timestamp_millis())),
            per_second,
            clock,
        };
        for limiter in [&limits.all, &limits.bulk] {
            // Starts empty: a full one would add a burst to what was sent just before a restart.
            while limiter.check().is_ok() {}
        }
        limits
    }

    /// Units a second over all.
    pub fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Waits until one unit may be sent to `chat`, and takes it; what it gives is kept while that is sent.
    pub async fn ready(&self, share: Share, chat: i64) -> Place {
        if share == Share::Bulk {
            while let Err(wait) = self.bulk.check() {
                self.wait(&wait).await;
            }
        }
        let mut last_ms = None;
        if let Some(chats) = &self.per_chat {
            let turn = chats.turn(chat, self.now_ms()).lock_owned().await;
            let free_ms = *turn + chats.gap.as_millis() as i64;
            while let Ok(left @ 1..) = u64::try_from(free_ms - self.now_ms()) {
                self.clock.0.sleep(Duration::from_millis(left)).await;
            }
            last_ms = Some(turn);
        }
        self.any_ready().await;
        Place {
            clock: self.clock.clone(),
            last_ms,
        }
    }

    async fn any_ready(&self) {
        while let Err(wait) = self.all.check() {
            self.wait(&wait).await;
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.0.now().timestamp_millis()
    }

    async fn wait(&self, until: &NotUntil<Nanos>) {
        let wait = until.earliest_possible().duration_since(self.clock.now());
        // The clock counts milliseconds: round up, or a rest of less than one would spin.
        self.clock
            .0
            .sleep(Duration::from(wait) + Duration::from_millis(1))
            .await;
    }
}

impl Chats {
    fn new(per_second: u32, now_ms: i64) -> Self {
        // A twentieth more than the rate asks for: what leaves a second apart may arrive a little closer.
        let gap = Duration::from_secs(1).mul_f64(1.05) / per_second.max(1);
        Self {
            gap,
            began_ms: now_ms,
            turns: Mutex::default(),
        }
    }

    fn turn(&self, chat: i64, now_ms: i64) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() > CHATS_MAX {
            let gap_ms = self.gap.as_millis() as i64;
            // Whose turn is somebody's is known to others than this map.
            turns.retain(|_, turn| {
                Arc::strong_count(turn) > 1 || turn.try_lock().is_ok_and(|last| *last + gap_ms > now_ms)
            });
        }
        let began = || Arc::new(tokio::sync::Mutex::new(self.began_ms));
        turns.entry(chat).or_insert_with(began).clone()
    }
}

/// A quota under which no window of one second holds more than `per_second` units.
///
/// A bucket of b units refilled at r a second lets b − 1 + r through in the worst second, so r is lowered by b − 1; and
/// by one more where that costs little, since the network does not keep the gaps between messages.
fn strict(per_second: u32) -> Quota {
    let per_second = per_second.max(1);
    let burst = (per_second / 20).max(1);
    let margin = u32::from(per_second >= 10);
    let period = Duration::from_secs(1) / (per_second - (burst - 1) - margin);
    Quota::with_period(period)
        .expect("the period is never zero")
        .allow_burst(NonZeroU32::new(burst).expect("at least one"))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    /// Units let through at each millisecond of a run on a hand-set clock.
    fn run(limits: &Limits, clock: &Clock, millis: i64) -> Vec<u32> {
        (0..millis)
            .map(|_| {
                let mut taken = 0;
                while limits.all.check().is_ok() {
                    taken += 1;
                }
                clock.advance(TimeDelta::milliseconds(1));
                taken
            })
            .collect()
    }

    #[test]
    fn no_second_ever_holds_more_than_the_limit_even_across_a_restart() {
        for rate in [1u32, 2, 30, 100, 1000] {
            let clock = Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(1));
            let mut sent = run(&Limits::new(&clock, rate, None), &clock, 3_700);
            sent.extend(run(&Limits::new(&clock, rate, None), &clock, 3_000));
            let worst = sent.windows(1000).map(|second| second.iter().sum::<u32>()).max();
            assert!(
                worst <= Some(rate),
                "{worst:?} in one second at a limit of {rate}"
            );
            let all: u32 = sent.iter().sum();
            assert!(
                f64::from(all) > 0.85 * f64::from(rate) * 5.7,
                "{all} in 6.7 s at {rate}: too timid"
            );
        }
    }

    #[tokio::test]
    async fn a_chat_is_left_alone_for_a_second_however_long_its_message_waited_for_the_channel() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(1));
        let limits = Arc::new(Limits::new(&clock, 10, Some(1)));
        let mut waiting = tokio::task::JoinSet::new();
        for share in [Share::Bulk, Share::Reply, Share::Bulk, Share::Reply, Share::Reply] {
            let (limits, clock) = (limits.clone(), clock.clone());
            waiting.spawn(async move {
                drop(limits.ready(share, 7).await);
                clock.now().timestamp_millis()
            });
            tokio::task::yield_now().await;
        }
        let began = clock.now().timestamp_millis();
        let mut sent = Vec::new();
        for _ in 0..7_000 {
            clock.advance(TimeDelta::milliseconds(1));
            tokio::task::yield_now().await;
            while let Some(at) = waiting.try_join_next() {
                sent.push(at.expect("no panic"));
            }
        }
        assert_eq!(sent.len(), 5);
        let befores = std::iter::once(began).chain(sent.iter().copied());
        for (before, at) in befores.zip(&sent) {
            assert!((1_000..1_100).contains(&(at - before)), "{sent:?} from {began}");
        }
    }

    #[tokio::test]
    async fn the_gap_counts_from_when_a_slow_message_is_through() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(1));
        let limits = Arc::new(Limits::new(&clock, 10, Some(1)));
        clock.advance(TimeDelta::seconds(5));
        let slow = limits.ready(Share::Reply, 7).await;
        let next = tokio::spawn({
            let limits = limits.clone();
            async move { drop(limits.ready(Share::Reply, 7).await) }
        });
        let passes = async |millis: usize| {
            for _ in 0..millis {
                clock.advance(TimeDelta::milliseconds(1));
                tokio::task::yield_now().await;
            }
        };
        passes(3_000).await;
        assert!(!next.is_finished(), "the first is still on its way");
        drop(slow);
        passes(1_000).await;
        assert!(!next.is_finished(), "it may have arrived just now");
        passes(100).await;
        assert!(next.is_finished());
    }

    #[test]
    fn bulk_leaves_a_fifth_of_the_rate_to_replies() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH + TimeDelta::days(1));
        let limits = Limits::new(&clock, 100, None);
        clock.advance(TimeDelta::seconds(1));
        let mut bulk = 0;
        for millisecond in 0..1000 {
            while limits.bulk.check().is_ok() {
                assert!(limits.all.check().is_ok(), "bulk alone never uses up the whole");
                bulk += 1;
            }
            if millisecond % 60 == 0 {
                assert!(limits.all.check().is_ok(), "a reply never waits for bulk");
            }
            clock.advance(TimeDelta::milliseconds(1));
        }
        assert!((70..=80).contains(&bulk), "{bulk}");
    }
}
