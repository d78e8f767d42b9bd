//! Claim, pace, send, record: one step at a time, one lane for each channel and share.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::delivery::{Attempt, Outcome, after};
use crate::{
    channels::{Channel, SendError, sms::smpp::SEND_SECONDS_MAX},
    clock::Clock,
    domain::{Address, ChannelKind, ContactId, NoticeKind},
    pacing::limits::{Limits, Share},
    store::{Change, Claimed, Pause, Store, StoreError},
};

/// Deliveries claimed at once; fewer where the limits are low, so that none waits long in a dispatcher's hands.
const BATCH_LEN_MAX: usize = 2_000;
const REPLY_BATCH_LEN_MAX: usize = 100;
/// Sends in flight in one lane.
const IN_FLIGHT_MAX: usize = 256;
/// What one contact's messages may take of a step.
const ONE_CONTACT_MAX: Duration = Duration::from_secs(2);
/// Outcomes recorded at once.
const RECORD_LEN_MAX: usize = 1_000;
/// A delivery that is still claimed after this belongs to a dispatcher that hangs.
const LEASE: Duration = Duration::from_mins(5);
/// How often an idle lane looks; it is woken earlier when something is written into the outbox.
const IDLE: Duration = Duration::from_millis(500);
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Where the names of live messages are kept, among those of parts.
const LIVE: &str = "live";
/// A channel that is not reachable is left alone for so long.
const UNREACHABLE_PAUSE: Duration = Duration::from_secs(2);
// A lease shorter than a send would let a second dispatcher write to the same household.
const _: () = assert!(SEND_SECONDS_MAX < LEASE.as_secs());
/// Shorter pauses than this are not worth a write to the store.
const PAUSE_STORED_MIN: Duration = Duration::from_secs(2);

/// Until when a channel asked to be left alone, as seen by all its lanes.
#[derive(Debug, Default)]
pub struct PauseFlag(AtomicI64);

impl PauseFlag {
    /// Leaves the channel alone until then; a later end counts.
    pub fn until(&self, at: DateTime<Utc>) {
        self.0.fetch_max(at.timestamp_millis(), Ordering::SeqCst);
    }

    /// The end of the pause, if one lasts.
    pub fn lasts(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).filter(|until| *until > now)
    }
}

/// What all lanes share.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// Where deliveries are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Attempts before a delivery fails for good.
    pub attempts_max: u32,
    /// `channels.only_to`.
    pub only_to: Option<Arc<HashSet<Address>>>,
    /// Changes when something is written into the outbox.
    pub written: watch::Receiver<u64>,
}

/// One way out for one share of the traffic.
#[derive(Clone, Debug)]
pub struct Lane {
    /// What it is called in logs and pauses: `telegram`, or the carrier's name.
    pub name: String,
    /// The channel.
    pub channel: Channel,
    /// Its kind.
    pub kind: ChannelKind,
    /// Replies, or the rest.
    pub share: Share,
    /// The channel's limits, shared by its lanes.
    pub limits: Arc<Limits>,
    /// The channel's pause, shared by its lanes.
    pub pause: Arc<PauseFlag>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing was due.
    Idle,
    /// The channel is not connected; nothing was claimed.
    NotConnected,
    /// The channel asked to be left alone; nothing was claimed.
    Paused(DateTime<Utc>),
    /// So many deliveries were claimed and recorded.
    Worked(usize),
}

/// Drains one lane.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    outbox: Outbox,
    lane: Lane,
}

impl Dispatcher {
    /// A dispatcher for a lane of the outbox.
    pub fn new(outbox: Outbox, lane: Lane) -> Self {
        Self { outbox, lane }
    }

    /// Steps until told to stop; what is claimed then and not yet sent goes back to the queue.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            let rest = match self.step(&stop).await {
                Ok(done) => {
                    failing = false;
                    match done {
                        Step::Worked(_) => continue,
                        Step::Idle | Step::NotConnected => IDLE,
                        Step::Paused(until) => (until - self.outbox.clock.now())
                            .to_std()
                            .unwrap_or_default()
                            .min(IDLE),
                    }
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(lane = self.lane.name, %error, "the outbox cannot be read; trying again");
                    }
                    failing = true;
                    AFTER_ERROR
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                changed = self.outbox.written.changed(), if rest == IDLE => if changed.is_err() { break },
                () = stop.cancelled() => {}
            }
        }
    }

    /// Claims what is due, sends it within the limits, records every outcome.
    pub async fn step(&self, stop: &CancellationToken) -> Result<Step, StoreError> {
        let now = self.outbox.clock.now();
        if let Some(until) = self.lane.pause.lasts(now) {
            return Ok(Step::Paused(until));
        }
        if !self.lane.channel.is_connected() {
            return Ok(Step::NotConnected);
        }
        let claimed = self
            .outbox
            .store
            .claim(
                self.lane.kind,
                self.priorities(),
                self.batch_len(),
                now,
                now + LEASE,
            )
            .await?;
        if claimed.is_empty() {
            return Ok(Step::Idle);
        }
        let count = claimed.len();
        let (changes, recorded) = mpsc::channel(RECORD_LEN_MAX);
        let sending = async move {
            stream::iter(by_contact(claimed))
                .for_each_concurrent(IN_FLIGHT_MAX, |to_one| self.send_in_order(to_one, &changes, stop))
                .await;
            drop(changes);
        };
        let ((), recorded) = tokio::join!(sending, self.record_all(recorded));
        recorded?;
        Ok(Step::Worked(count))
    }

    fn priorities(&self) -> std::ops::RangeInclusive<i64> {
        match self.lane.share {
            Share::Reply => NoticeKind::Reply.priority()..=NoticeKind::Reply.priority(),
            Share::Bulk => NoticeKind::Reply.priority() + 1..=NoticeKind::PRIORITY_MAX,
        }
    }

    fn batch_len(&self) -> usize {
        match self.lane.share {
            Share::Reply => REPLY_BATCH_LEN_MAX,
            // Two seconds' worth.
            Share::Bulk => (self.lane.limits.per_second() as usize * 2).clamp(1, BATCH_LEN_MAX),
        }
    }

    /// Sends what is for one contact, each after the one before it. What takes too long goes back to the queue, so
    /// that a chat with many messages, which leave a second apart, does not hold up the lane.
    async fn send_in_order(
        &self,
        to_one: Vec<Claimed>,
        changes: &mpsc::Sender<Change>,
        stop: &CancellationToken,
    ) {
        let started = self.outbox.clock.now();
        let patience = TimeDelta::from_std(ONE_CONTACT_MAX).unwrap_or_default();
        for claimed in to_one {
            let change = if self.outbox.clock.now() - started > patience {
                self.next_state(&claimed, Outcome::NotTried)
            } else {
                self.attempt(claimed, stop).await
            };
            // The receiver lives until this sender is dropped.
            let _ = changes.send(change).await;
        }
    }

    async fn attempt(&self, claimed: Claimed, stop: &CancellationToken) -> Change {
        let outcome = self.try_send(&claimed, stop).await;
        count(&self.lane, &outcome);
        match &outcome {
            Outcome::Failed(SendError::Throttled { retry_after }) => self.pause(*retry_after).await,
            // Nobody is there: the rest of the queue need not find that out one by one.
            Outcome::Failed(SendError::Unreachable(_)) => self.pause(UNREACHABLE_PAUSE).await,
            _ => {}
        }
        self.next_state(&claimed, outcome)
    }

    fn next_state(&self, claimed: &Claimed, outcome: Outcome) -> Change {
        let attempt = Attempt {
            id: claimed.message.delivery,
            number: claimed.attempt,
            expires_at: claimed.message.expires_at,
        };
        let now = self.outbox.clock.now();
        // What a live message is called must be known, to edit it. Messages are numbered by chat, so the delivery's id
        // stands before it.
        let named = match &outcome {
            Outcome::Taken(taken) if claimed.message.live.is_some() => taken.refs.last().cloned(),
            _ => None,
        };
        let change = after(
            attempt,
            outcome,
            &self.lane.name,
            self.outbox.attempts_max,
            now,
            rand::random(),
        );
        match named {
            Some(name) => Change {
                refs: Some((LIVE.into(), vec![format!("{}:{name}", change.id)])),
                ..change
            },
            None => change,
        }
    }

    async fn try_send(&self, claimed: &Claimed, stop: &CancellationToken) -> Outcome {
        let message = &claimed.message;
        if claimed.stopped && claimed.kind != NoticeKind::Reply {
            return Outcome::OptedOut;
        }
        if self
            .outbox
            .only_to
            .as_ref()
            .is_some_and(|allowed| !allowed.contains(&message.to))
        {
            return Outcome::NotAllowed;
        }
        let mut place = None;
        for _ in 0..self.lane.channel.cost(message) {
            // Or it would wait for itself.
            drop(place.take());
            place = tokio::select! {
                place = self.lane.limits.ready(self.lane.share, claimed.contact.0) => Some(place),
                () = stop.cancelled() => return Outcome::NotTried,
            };
        }
        // Waiting takes time: look again at what may have changed meanwhile.
        let now = self.outbox.clock.now();
        if message.expires_at <= now {
            return Outcome::TooLate;
        }
        if stop.is_cancelled() || self.lane.pause.lasts(now).is_some() {
            return Outcome::NotTried;
        }
        let sent = self.lane.channel.send(message, now).await;
        drop(place);
        match sent {
            Ok(taken) => Outcome::Taken(taken),
            Err(error) => Outcome::Failed(error),
        }
    }

    /// Leaves the whole channel alone for as long as it asked, also after a restart.
    async fn pause(&self, retry_after: Duration) {
        let now = self.outbox.clock.now();
        let until = now + retry_after;
        let news = self.lane.pause.lasts(now).is_none_or(|known| known < until);
        self.lane.pause.until(until);
        if !news || retry_after < PAUSE_STORED_MIN {
            return;
        }
        tracing::warn!(
            lane = self.lane.name,
            seconds = retry_after.as_secs(),
            "the channel asks to be left alone; it is"
        );
        let pause = Pause {
            channel: self.lane.name.clone(),
            until,
            reason: "asked by the channel".into(),
        };
        if let Err(error) = self.outbox.store.pause_channel(&pause).await {
            tracing::error!(lane = self.lane.name, %error, "the pause could not be stored; a restart would not know it");
        }
    }

    /// Records outcomes in batches as they come; keeps trying while the database is away, since what was sent is
    /// known only here.
    async fn record_all(&self, mut changes: mpsc::Receiver<Change>) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(RECORD_LEN_MAX);
        while changes.recv_many(&mut batch, RECORD_LEN_MAX).await > 0 {
            let mut failing = false;
            while let Err(error) = self.outbox.store.record(&batch, self.outbox.clock.now()).await {
                if !error.is_outage() {
                    return Err(error);
                }
                if !failing {
                    tracing::error!(lane = self.lane.name, %error, "outcomes cannot be recorded; trying again");
                }
                failing = true;
                tokio::time::sleep(AFTER_ERROR).await;
            }
            batch.clear();
        }
        Ok(())
    }
}

/// What is for each contact, in the order of the claim.
fn by_contact(claimed: Vec<Claimed>) -> Vec<Vec<Claimed>> {
    let mut places: HashMap<ContactId, usize> = HashMap::new();
    let mut groups: Vec<Vec<Claimed>> = Vec::new();
    for one in claimed {
        let place = *places.entry(one.contact).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn count(lane: &Lane, outcome: &Outcome) {
    let word = match outcome {
        Outcome::Taken(_) => "taken",
        Outcome::Failed(SendError::Throttled { .. }) => "throttled",
        Outcome::Failed(SendError::Unreachable(_)) => "unreachable",
        Outcome::Failed(SendError::Ambiguous(_)) => "ambiguous",
        Outcome::Failed(SendError::Refused(_) | SendError::BadAddress(_)) => "refused",
        Outcome::NotTried => return,
        Outcome::TooLate => "too_late",
        Outcome::OptedOut | Outcome::NotAllowed => "suppressed",
    };
    metrics::counter!("weir_attempts_total", "lane" => lane.name.clone(), "outcome" => word).increment(1);
}
