//! What happens without a message: texts in other words come and go by their dates, and talks that nobody goes on with
//! come to an end.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    channels::sms::segment,
    clock::Clock,
    config::Config,
    domain::{Body, ChannelKind, DeliveryState, NoticeKind, ThreadAuthor},
    i18n::{NewWords, Text, Texts, Voice},
    store::{NewDelivery, Store, StoreError, Thread, ThreadFilter},
};

const PERIOD: Duration = Duration::from_secs(10);
/// A talk in which nobody has written for so long is over.
pub const TALK_IDLE_MAX: TimeDelta = TimeDelta::hours(12);
/// The line that says so answers nothing any more after this.
const SAID_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Keeps texts and talks in time.
#[derive(Debug)]
pub struct Keeper {
    /// Where they are.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Shared with all that speaks to people.
    pub texts: Texts,
    /// Settings.
    pub config: Config,
    /// Told when it has put messages into the outbox.
    pub written: watch::Sender<u64>,
}

impl Keeper {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            if let Err(error) = self.step().await {
                if !failing {
                    tracing::error!(%error, "texts and talks cannot be looked at; trying again");
                }
                failing = true;
            } else {
                failing = false;
            }
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Takes the texts that hold now, and ends the talks whose time is over; gives how many ended.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let set = self.store.set_texts(Some(now)).await?;
        let words = set.iter().map(|text| NewWords {
            key: &text.key,
            language: text.language,
            short: text.short,
            words: &text.words,
        });
        for (key, fault) in self.texts.hold(words) {
            tracing::warn!(key, %fault, "the words set for {key} do not fit this version; the built-in ones hold");
        }
        let open = ThreadFilter {
            open: true,
            ..ThreadFilter::default()
        };
        let mut ended = 0;
        for thread in self.store.threads(&open).await? {
            if thread.changed_at + TALK_IDLE_MAX <= now {
                let delivery = self.ending(&thread, now).await?;
                let closed = self
                    .store
                    .close_thread(thread.id, ThreadAuthor::Weir, delivery.as_ref(), now);
                ended += usize::from(closed.await?);
            }
        }
        if ended > 0 {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(ended)
    }

    /// The line that says that the bot answers again.
    async fn ending(&self, thread: &Thread, now: DateTime<Utc>) -> Result<Option<NewDelivery>, StoreError> {
        let Some(address) = self.store.address(thread.contact).await? else {
            return Ok(None);
        };
        let person = self.store.person(thread.contact).await?;
        let voice = Voice {
            texts: &self.texts,
            language: person.language.unwrap_or(self.config.city.default_language),
            channel: address.channel(),
            sender_name: &self.config.sms.sender_name,
        };
        let body = Body::text(voice.message(&[voice.say(&Text::TalkTimedOut)]));
        Ok(Some(NewDelivery {
            key: format!("thread:{}:ended", thread.id),
            round: None,
            contact: thread.contact,
            channel: voice.channel,
            kind: NoticeKind::Reply,
            parts: match voice.channel {
                ChannelKind::Sms => segment::parts(&body.text),
                ChannelKind::Telegram => 1,
            },
            body,
            state: DeliveryState::Queued,
            reason: "",
            next_at: now,
            expires_at: now + SAID_WITHIN,
        }))
    }
}
