//! Answers what people wrote: load, step, render, store the state and the replies together.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::DashMapStateStore};
use tokio::sync::{RwLock, watch};
use tokio_util::sync::CancellationToken;

use super::{
    dialogue::{self, Effect, Known, Person, PersonResident, PhoneMatch, Reply, State},
    places::{PlaceRow, Places},
    times::Times,
};
use crate::{
    channels::sms::segment,
    clock::Clock,
    config::Config,
    domain::{
        Body, ChannelKind, ContactId, DeliveryState, InboundContent, NoticeKind, PhoneNumber, ResidentId,
        UnitId,
    },
    i18n::{Texts, Voice, notices},
    store::{self, NewDelivery, ReplyRow, Store, StoreError, WaitingInbound},
};

const BATCH_LEN_MAX: usize = 500;
/// People answered at the same time.
const PEOPLE_AT_ONCE: usize = 16;
const IDLE: Duration = Duration::from_millis(500);
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// A reply that could not leave for this long answers nothing any more.
const REPLY_EXPIRES: TimeDelta = TimeDelta::hours(12);
/// Messages a minute from one person that are answered; more than that is no conversation.
const MESSAGES_PER_MINUTE: std::num::NonZeroU32 = std::num::NonZeroU32::new(30).expect("not zero");
/// How long the directory of places is used before it is looked at again.
const PLACES_KEPT: Duration = Duration::from_secs(30);

type PerPerson = RateLimiter<i64, DashMapStateStore<i64>, DefaultClock>;

type Answered = futures_util::future::BoxFuture<'static, Result<bool, StoreError>>;

/// What is asked before the conversation is: true where it has answered the message.
#[derive(Clone)]
pub struct First(Arc<dyn Fn(WaitingInbound) -> Answered + Send + Sync>);

impl First {
    /// Asks this.
    pub fn new(ask: impl Fn(WaitingInbound) -> Answered + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl std::fmt::Debug for First {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("First")
    }
}

/// Answers people.
#[derive(Debug)]
pub struct Runner {
    first: Option<First>,
    store: Store,
    clock: Clock,
    texts: Texts,
    config: Config,
    places: RwLock<(Arc<Places>, std::time::Instant, Option<String>)>,
    per_person: PerPerson,
    written: watch::Sender<u64>,
}

impl Runner {
    /// A runner that tells `written` when it has put replies into the outbox.
    pub fn new(
        store: Store,
        clock: Clock,
        texts: Texts,
        config: Config,
        written: watch::Sender<u64>,
    ) -> Self {
        let long_ago = std::time::Instant::now().checked_sub(PLACES_KEPT * 2);
        Self {
            first: None,
            store,
            clock,
            texts,
            config,
            places: RwLock::new((
                Arc::new(Places::new(&[])),
                long_ago.unwrap_or_else(std::time::Instant::now),
                None,
            )),
            per_person: RateLimiter::dashmap(Quota::per_minute(MESSAGES_PER_MINUTE)),
            written,
        }
    }

    /// The same, with somebody to be asked first.
    #[must_use]
    pub fn asking_first(self, first: First) -> Self {
        Self {
            first: Some(first),
            ..self
        }
    }

    /// Steps until told to stop; `arrived` changes when a message was recorded.
    pub async fn run(self, mut arrived: watch::Receiver<u64>, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            arrived.mark_unchanged();
            let rest = match self.step().await {
                Ok(0) => IDLE,
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "people cannot be answered; trying again");
                    }
                    AFTER_ERROR
                }
            };
            failing = rest == AFTER_ERROR;
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                changed = arrived.changed(), if rest == IDLE => if changed.is_err() { break },
                () = stop.cancelled() => {}
            }
        }
    }

    /// Answers the messages that wait: each person's in their order, different people's side by side.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let waiting = self.store.waiting_inbound(BATCH_LEN_MAX).await?;
        let count = waiting.len();
        if count == 0 {
            return Ok(0);
        }
        let places = self.places().await?;
        let mut people: HashMap<ContactId, Vec<WaitingInbound>> = HashMap::new();
        for message in waiting {
            people.entry(message.contact).or_default().push(message);
        }
        let outcomes: Vec<Result<(), StoreError>> = stream::iter(people.into_values())
            .map(|messages| async {
                for message in messages {
                    self.answer_or_set_aside(&message, &places).await?;
                }
                Ok(())
            })
            .buffer_unordered(PEOPLE_AT_ONCE)
            .collect()
            .await;
        self.per_person.retain_recent();
        outcomes.into_iter().collect::<Result<(), _>>()?;
        Ok(count)
    }

    /// A message that cannot be answered is set aside with an error in the log; it never stops the others.
    async fn answer_or_set_aside(&self, message: &WaitingInbound, places: &Places) -> Result<(), StoreError> {
        match self.answer_unless_first(message, places).await {
            Err(error) if !error.is_outage() => {
                tracing::error!(inbound = message.id.0, %error, "message {} cannot be answered", message.id);
                let now = self.clock.now();
                self.store
                    .answer(message.id, message.contact, &ReplyRow::default(), now)
                    .await?;
                Ok(())
            }
            other => other,
        }
    }

    async fn answer_unless_first(&self, message: &WaitingInbound, places: &Places) -> Result<(), StoreError> {
        if let Some(First(ask)) = &self.first
            && ask(message.clone()).await?
        {
            return Ok(());
        }
        self.answer(message, places).await
    }

    async fn answer(&self, message: &WaitingInbound, places: &Places) -> Result<(), StoreError> {
        let now = self.clock.now();
        if let InboundContent::Membership { allowed } = message.content {
            let row = ReplyRow {
                blocked: !allowed,
                ..ReplyRow::default()
            };
            self.store.answer(message.id, message.contact, &row, now).await?;
            return Ok(());
        }
        let stored = self.store.person(message.contact).await?;
        let channel = self.channel(message.contact).await?;
        let person = person(&stored, message);
        let state = self
            .store
            .dialogue(message.contact)
            .await?
            .map_or_else(State::default, |state| State::from_stored(&state));
        let fresh_code = format!("{:04}", rand::random_range(0..10_000));
        let matches = self.phone_matches(&message.content).await?;
        let known = Known {
            channel,
            person: &person,
            places,
            texts: &self.texts,
            city: &self.config.city,
            sender_name: &self.config.sms.sender_name,
            phone_matches: matches.as_deref(),
            fresh_code: &fresh_code,
            fetched: None,
            now,
        };
        let mut turn = dialogue::step(&known, &state, &message.content);
        if self.per_person.check_key(&message.contact.0).is_err() {
            // Too many to answer; but STOP is obeyed, however many came before it.
            metrics::counter!("weir_inbound_over_limit_total").increment(1);
            let stopped = turn.effects.contains(&Effect::Stop).then_some(true);
            let row = ReplyRow {
                stopped,
                ..ReplyRow::default()
            };
            self.store.answer(message.id, message.contact, &row, now).await?;
            return Ok(());
        }
        if let Some(want) = turn.wants.take() {
            let fetched = Some(&self.times().fetch(&person, want, now).await?);
            turn = dialogue::step(&Known { fetched, ..known }, &state, &message.content);
        }
        let mut row = ReplyRow {
            state: Some(turn.state.to_stored()),
            language_hint: stored.language.is_none().then_some(message.language).flatten(),
            ..ReplyRow::default()
        };
        for effect in &turn.effects {
            apply(effect, &mut row);
        }
        let bodies = self
            .render(turn.replies, &person, &row, channel, matches.as_deref(), now)
            .await?;
        row.replies = (0..)
            .zip(bodies)
            .map(|(index, body)| reply(message, channel, index, body, now))
            .collect();
        if self.store.answer(message.id, message.contact, &row, now).await? {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// Replies into bodies; the windows are looked up as the effects leave them.
    async fn render(
        &self,
        replies: Vec<Reply>,
        person: &Person,
        row: &ReplyRow,
        channel: ChannelKind,
        matches: Option<&[PhoneMatch]>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Body>, StoreError> {
        let city = &self.config.city;
        let language = row
            .language
            .or(person.language)
            .or(person.client_language)
            .unwrap_or(city.default_language);
        let voice = Voice {
            texts: &self.texts,
            language,
            channel,
            sender_name: &self.config.sms.sender_name,
        };
        let mut bodies = Vec::with_capacity(replies.len());
        for reply in replies {
            bodies.push(match reply {
                Reply::Say(body) => body,
                Reply::Windows => {
                    let (residents, units) = people_after(person, row, matches);
                    let windows = self.store.told_windows(&residents, &units, now).await?;
                    let windows: Vec<_> = windows.into_iter().map(|window| window.view).collect();
                    let today = now.with_timezone(&city.time_zone).date_naive();
                    notices::windows(&voice, city.time_zone, &windows, today)
                }
            });
        }
        Ok(bodies)
    }

    fn times(&self) -> Times<'_> {
        Times {
            store: &self.store,
            config: &self.config,
        }
    }

    async fn channel(&self, contact: ContactId) -> Result<ChannelKind, StoreError> {
        let address = self.store.address(contact).await?;
        address
            .map(|address| address.channel())
            .ok_or_else(|| StoreError::Corrupt(format!("contact {contact} has no address")))
    }

    /// Whom a person's own contact card names.
    async fn phone_matches(&self, content: &InboundContent) -> Result<Option<Vec<PhoneMatch>>, StoreError> {
        let InboundContent::Contact { phone, own: true } = content else {
            return Ok(None);
        };
        // Telegram gives the number without its plus sign.
        let written = if phone.starts_with('+') {
            phone.clone()
        } else {
            format!("+{phone}")
        };
        let Ok(phone) = PhoneNumber::parse(&written).or_else(|_| PhoneNumber::parse(phone)) else {
            return Ok(Some(Vec::new()));
        };
        let residents = self.store.phone_residents(&phone).await?;
        Ok(Some(
            residents
                .into_iter()
                .map(|found| PhoneMatch {
                    resident: found.resident,
                    unit: found.unit,
                    name: found.name,
                })
                .collect(),
        ))
    }

    /// The directory of places, read again when an import may have changed it.
    async fn places(&self) -> Result<Arc<Places>, StoreError> {
        {
            let known = self.places.read().await;
            if known.1.elapsed() < PLACES_KEPT {
                return Ok(known.0.clone());
            }
        }
        let mut known = self.places.write().await;
        let version = self.store.places_version().await?;
        if known.2.as_ref() != Some(&version) {
            let rows = self.store.units().await?;
            let rows: Vec<PlaceRow> = rows
                .into_iter()
                .map(|row| PlaceRow {
                    unit: row.unit,
                    place: row.place,
                    code: row.code,
                })
                .collect();
            known.0 = Arc::new(Places::new(&rows));
            known.2 = Some(version);
        }
        known.1 = std::time::Instant::now();
        Ok(known.0.clone())
    }
}

fn person(stored: &store::Person, message: &WaitingInbound) -> Person {
    Person {
        language: stored.language,
        client_language: message.language,
        stopped: stored.stopped,
        residents: stored
            .residents
            .iter()
            .map(|(resident, unit)| PersonResident {
                resident: *resident,
                unit: *unit,
            })
            .collect(),
        home: stored.home,
    }
}

fn apply(effect: &Effect, row: &mut ReplyRow) {
    match effect {
        Effect::SetLanguage(language) => row.language = Some(*language),
        Effect::Stop => row.stopped = Some(true),
        Effect::StopEverywhere => row.stop_everywhere = true,
        Effect::Start => row.stopped = Some(false),
        Effect::SetHome(unit) => row.home = Some(*unit),
        Effect::Link(resident) => row.link = Some(*resident),
        Effect::Unlink => row.unlink = true,
    }
}

/// The residents, and the home, whose windows concern a person once the effects are done.
fn people_after(
    person: &Person,
    row: &ReplyRow,
    matches: Option<&[PhoneMatch]>,
) -> (Vec<ResidentId>, Vec<UnitId>) {
    let mut residents: Vec<ResidentId> = if row.unlink {
        Vec::new()
    } else {
        person
            .residents
            .iter()
            .map(|resident| resident.resident)
            .collect()
    };
    let mut proven = matches.into_iter().flatten().map(|found| found.resident);
    residents.extend(
        row.link
            .filter(|linked| proven.any(|resident| resident == *linked)),
    );
    residents.sort_unstable();
    residents.dedup();
    (residents, row.home.or(person.home).into_iter().collect())
}

fn reply(
    message: &WaitingInbound,
    channel: ChannelKind,
    index: usize,
    body: Body,
    now: DateTime<Utc>,
) -> NewDelivery {
    NewDelivery {
        key: format!("reply:{}:{index}", message.id),
        round: None,
        contact: message.contact,
        channel,
        kind: NoticeKind::Reply,
        parts: match channel {
            ChannelKind::Sms => segment::parts(&body.text),
            ChannelKind::Telegram => 1,
        },
        body,
        state: DeliveryState::Queued,
        reason: "",
        next_at: now,
        expires_at: now + REPLY_EXPIRES,
    }
}
