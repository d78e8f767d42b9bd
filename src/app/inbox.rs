//! Brings what residents ask a person to the workers, and their answers back.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::visits::Visits;
use crate::{
    channels::sms::segment,
    clock::Clock,
    config::Config,
    domain::{
        Actor, Area, Body, ChannelKind, ContactId, DeliveryState, Intent, NoticeKind, Right, ThreadAuthor,
        ThreadId, UnitPlace, Worker,
    },
    i18n::{
        Text, Texts, Voice,
        answers::{self, Facts},
    },
    store::{
        Claim, NewAudit, NewDelivery, Store, StoreError, Thread, ThreadFilter, ThreadMessage, VisitNews,
    },
    workers::inbox::{self, Allowed, Card, Decision, Outcome, Wish},
};

const IDLE: Duration = Duration::from_secs(1);
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// A message of the inbox that has not left by then is of no more use.
const EXPIRES: TimeDelta = TimeDelta::hours(12);
/// Talks that `/inbox` shows at once.
const LISTED_MAX: usize = 10;

/// What is needed to act on talks.
#[derive(Clone, Copy, Debug)]
pub struct Talks<'a> {
    /// Where they are.
    pub store: &'a Store,
    /// The words.
    pub texts: &'a Texts,
    /// Settings.
    pub config: &'a Config,
}

/// A talk with all that its messages say.
struct Talk {
    thread: Thread,
    messages: Vec<ThreadMessage>,
    place: Option<UnitPlace>,
    answers: Vec<Intent>,
}

/// A talk in a worker's words.
struct Sheet<'a> {
    talks: Talks<'a>,
    talk: &'a Talk,
    worker: &'a Worker,
    holder: Option<String>,
    now: DateTime<Utc>,
}

impl Sheet<'_> {
    /// As a card; `kept` where it is the message that is kept up to date.
    fn card(&self, kept: bool) -> Card<'_> {
        Card {
            texts: self.talks.texts,
            language: self
                .worker
                .language
                .unwrap_or(self.talks.config.city.default_language),
            thread: &self.talk.thread,
            messages: &self.talk.messages,
            place: self.talk.place.as_ref(),
            holder: self.holder.as_deref(),
            answers: &self.talk.answers,
            kept,
            now: self.now,
        }
    }
}

/// What came of a wish: what the worker is told, and whether their next words are an answer.
#[derive(Debug)]
pub struct Carried {
    /// What is said.
    pub replies: Vec<Body>,
    /// Their next words answer this talk.
    pub awaited: Option<ThreadId>,
    /// They lack this right, in this area.
    pub refused: Option<(Right, Area)>,
}

impl Carried {
    fn say(replies: Vec<Body>) -> Self {
        Self {
            replies,
            awaited: None,
            refused: None,
        }
    }
}

impl<'a> Talks<'a> {
    async fn talk(&self, thread: Thread) -> Result<Talk, StoreError> {
        let messages = self.store.thread_messages(thread.id).await?;
        Ok(Talk {
            answers: inbox::fitting(&messages),
            messages,
            place: match thread.unit {
                Some(unit) => self.store.unit_place(unit).await?,
                None => None,
            },
            thread,
        })
    }

    async fn holder(&self, talk: &Talk) -> Result<Option<String>, StoreError> {
        Ok(match talk.thread.claimed_by {
            Some(id) => self.store.worker(id).await?.map(|worker| worker.name),
            None => None,
        })
    }

    async fn sheet<'b>(
        &self,
        talk: &'b Talk,
        worker: &'b Worker,
        now: DateTime<Utc>,
    ) -> Result<Sheet<'b>, StoreError>
    where
        'a: 'b,
    {
        Ok(Sheet {
            talks: *self,
            holder: self.holder(talk).await?,
            talk,
            worker,
            now,
        })
    }

    /// Does what a worker wants of a talk; `key` names their message, so that a repeat does nothing twice.
    pub async fn carry_out(
        &self,
        wish: &Wish,
        worker: &Worker,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let (mut thread, mut whom) = (None, String::new());
        if let Some(id) = wish.thread() {
            thread = self.store.thread(id).await?;
            whom = format!("thread:{id}");
            if thread.is_none() {
                return Ok(Carried::say(vec![self.told(worker, id, &Outcome::Over)]));
            }
        }
        let area = thread.as_ref().and_then(|thread| thread.area.as_ref());
        let allowed = match inbox::decide(wish, worker, area) {
            Decision::Do(allowed) => allowed,
            Decision::Refused(right, area) => {
                let refused = NewAudit::refused(Actor::Worker(worker.id), right, whom);
                self.store.audit(&refused, now).await?;
                return Ok(Carried {
                    refused: Some((right, area)),
                    ..Carried::say(Vec::new())
                });
            }
        };
        let Some(thread) = thread else {
            return self.list(worker, now).await;
        };
        let talk = self.talk(thread).await?;
        let id = talk.thread.id;
        let outcome = match allowed.wish() {
            Wish::Show(_) => {
                let sheet = self.sheet(&talk, worker, now).await?;
                return Ok(Carried::say(vec![sheet.card(false).body()]));
            }
            Wish::Preview(_, intent) => match self.preview(*intent, &talk, worker, now).await? {
                Ok(body) => return Ok(Carried::say(vec![body])),
                Err(outcome) => outcome,
            },
            _ => self.outcome(allowed, &talk, worker, key, now).await?,
        };
        Ok(Carried {
            awaited: (outcome == Outcome::Write).then_some(id),
            ..Carried::say(vec![self.told(worker, id, &outcome)])
        })
    }

    /// An approved answer as the resident would get it; or why it cannot be sent by this worker.
    async fn preview(
        &self,
        intent: Intent,
        talk: &Talk,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<Result<Body, Outcome>, StoreError> {
        let thread = &talk.thread;
        if !thread.open {
            return Ok(Err(Outcome::Over));
        }
        let relieved = inbox::may_relieve(worker, thread, inbox::up_to(thread, &self.config.inbox, now));
        let sheet = self.sheet(talk, worker, now).await?;
        if thread.claimed_by.is_some_and(|holder| holder != worker.id) && relieved.is_none() {
            return Ok(Err(Outcome::Taken(sheet.holder.unwrap_or_default())));
        }
        let Some(voice) = self.voice(thread).await? else {
            return Ok(Err(Outcome::Unreachable));
        };
        let Some(words) = self.approved(&voice, intent) else {
            return Ok(Err(Outcome::Over));
        };
        let words = voice.message(&[voice.say(&Text::InboxSaid { words: &words })]);
        Ok(Ok(sheet.card(false).preview(intent, &words)))
    }

    /// The approved answer's words, as the bot itself would say them.
    fn approved(&self, voice: &Voice<'_>, intent: Intent) -> Option<String> {
        // The sender is named once, before the whole message.
        let words = Voice {
            channel: ChannelKind::Telegram,
            ..*voice
        };
        answers::answer(&words, intent, &Facts::of_city(&self.config.city))
    }

    fn told(&self, worker: &Worker, id: ThreadId, outcome: &Outcome) -> Body {
        inbox::told(self.texts, self.config, worker, id, outcome)
    }

    async fn outcome(
        &self,
        allowed: Allowed<'_>,
        talk: &Talk,
        worker: &Worker,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Outcome, StoreError> {
        let id = talk.thread.id;
        let author = ThreadAuthor::Worker(worker.id.0);
        if let Wish::PassOn(_) = allowed.wish() {
            let passed = self.store.pass_thread_on(id, worker.id, now).await?
                || self
                    .store
                    .thread(id)
                    .await?
                    .is_some_and(|thread| thread.open && thread.raised && thread.claimed_by.is_none());
            return match (passed, self.holder(talk).await?) {
                (true, _) => Ok(Outcome::Passed),
                (false, Some(name)) if talk.thread.open => Ok(Outcome::Taken(name)),
                (false, _) => Ok(Outcome::Over),
            };
        }
        // Whatever else is done with a talk makes it theirs first, so that two never answer one.
        let up_to = inbox::up_to(&talk.thread, &self.config.inbox, now);
        let from = inbox::may_relieve(worker, &talk.thread, up_to);
        match self.store.claim_thread(id, worker.id, from, now).await? {
            Claim::Theirs => {}
            Claim::Over => return Ok(Outcome::Over),
            Claim::Held(other) => {
                let name = self.store.worker(other).await?.map(|other| other.name);
                return Ok(Outcome::Taken(name.unwrap_or_default()));
            }
        }
        Ok(match allowed.wish() {
            Wish::Write(_) => Outcome::Write,
            Wish::Say(_, words) => self.say(&talk.thread, author, words, key, now).await?,
            Wish::Send(_, intent, asked) => {
                let voice = self.voice(&talk.thread).await?;
                let Some(words) = voice.and_then(|voice| self.approved(&voice, *intent)) else {
                    return Ok(Outcome::Unreachable);
                };
                // However often it is tapped, it is one answer to what was asked by then.
                let key = format!("{intent}:{}", (*asked).min(talk.thread.asked));
                self.say(&talk.thread, author, &words, &key, now).await?
            }
            Wish::Close(_) => {
                self.close(&talk.thread, author, now).await?;
                Outcome::Closed
            }
            _ => Outcome::Claimed,
        })
    }

    /// Sends somebody's words to the resident, by whom they are.
    pub async fn say(
        &self,
        thread: &Thread,
        author: ThreadAuthor,
        words: &str,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Outcome, StoreError> {
        let said = Text::InboxSaid { words };
        let key = format!("thread:{}:answer:{key}", thread.id);
        let Some(delivery) = self.for_resident(thread, &said, key, now).await? else {
            return Ok(Outcome::Unreachable);
        };
        let sent = self
            .store
            .answer_thread(thread.id, author, words, &delivery, now)
            .await?;
        Ok(if sent { Outcome::Sent } else { Outcome::Over })
    }

    /// Ends a talk and tells the resident; false where it was over.
    pub async fn close(
        &self,
        thread: &Thread,
        author: ThreadAuthor,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        if let Ok(actor) = author.to_string().parse::<Actor>() {
            let record = NewAudit::new(actor, "thread.close", format!("thread:{}", thread.id));
            self.store.audit(&record, now).await?;
        }
        let key = format!("thread:{}:ended", thread.id);
        let delivery = self.for_resident(thread, &Text::TalkTimedOut, key, now).await?;
        self.store
            .close_thread(thread.id, author, delivery.as_ref(), now)
            .await
    }

    async fn for_resident(
        &self,
        thread: &Thread,
        text: &Text<'_>,
        key: String,
        now: DateTime<Utc>,
    ) -> Result<Option<NewDelivery>, StoreError> {
        let Some(voice) = self.voice(thread).await? else {
            return Ok(None);
        };
        let body = Body::text(voice.message(&[voice.say(text)]));
        Ok(Some(delivery(key, thread.contact, voice.channel, body, now)))
    }

    /// How the resident is spoken to; none where they cannot be reached.
    async fn voice(&self, thread: &Thread) -> Result<Option<Voice<'a>>, StoreError> {
        let Some(address) = self.store.address(thread.contact).await? else {
            return Ok(None);
        };
        let person = self.store.person(thread.contact).await?;
        Ok(Some(Voice {
            texts: self.texts,
            language: person.language.unwrap_or(self.config.city.default_language),
            channel: address.channel(),
            sender_name: &self.config.sms.sender_name,
        }))
    }

    async fn list(&self, worker: &Worker, now: DateTime<Utc>) -> Result<Carried, StoreError> {
        let open = ThreadFilter {
            open: true,
            ..ThreadFilter::default()
        };
        let mut replies = Vec::new();
        let threads = self.store.threads(&open).await?.into_iter();
        let theirs = threads.filter(|thread| inbox::may_answer(worker, thread.area.as_ref()));
        for thread in theirs.take(LISTED_MAX) {
            let talk = self.talk(thread).await?;
            replies.push(self.sheet(&talk, worker, now).await?.card(false).body());
        }
        if replies.is_empty() {
            let language = worker.language.unwrap_or(self.config.city.default_language);
            replies.push(inbox::nobody(self.texts, language));
        }
        Ok(Carried::say(replies))
    }
}

fn delivery(
    key: String,
    contact: ContactId,
    channel: ChannelKind,
    body: Body,
    now: DateTime<Utc>,
) -> NewDelivery {
    NewDelivery {
        key,
        round: None,
        contact,
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
        expires_at: now + EXPIRES,
    }
}

/// Tells workers of talks as they open, go on, are taken on, wait too long and end.
#[derive(Debug)]
pub struct Inbox {
    /// Where talks are.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The words.
    pub texts: Texts,
    /// Settings.
    pub config: Config,
    /// Told when something is written into the outbox.
    pub written: watch::Sender<u64>,
    /// What was told last.
    pub shown: HashMap<ThreadId, Shown>,
    /// Who could be told then.
    pub workers: Vec<Worker>,
    /// The line of the visits' log until which it was told.
    pub visits_until: i64,
}

/// What was last told of a talk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// How it stood.
    version: String,
    /// The name of its newest message.
    name: String,
    /// To whom.
    contacts: Vec<ContactId>,
}

impl Inbox {
    /// Steps until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            let rest = match self.step().await {
                Ok(()) => self.clock.rest(IDLE),
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "talks cannot be brought to the workers; trying again");
                    }
                    AFTER_ERROR
                }
            };
            failing = rest == AFTER_ERROR;
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Tells whoever is to be told of each open talk, and ends the messages of those that are over.
    pub async fn step(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let open = ThreadFilter {
            open: true,
            ..ThreadFilter::default()
        };
        let threads = self.store.threads(&open).await?;
        metrics::gauge!("weir_threads_open").set(threads.len() as f64);
        let news = self.store.visit_news(self.visits_until, now - EXPIRES).await?;
        let workers = if threads.is_empty() && news.is_empty() {
            Vec::new()
        } else {
            self.store.workers().await?
        };
        let over: Vec<ThreadId> = self
            .shown
            .keys()
            .filter(|id| threads.iter().all(|thread| thread.id != **id))
            .copied()
            .collect();
        let mut told = self.tell_of_visits(&news, &workers, now).await?;
        for id in over {
            told += self.end(id, now).await?;
        }
        // Who comes on duty, goes, or may read less is told, or not, of what is as it was.
        let same_workers = workers == self.workers;
        for thread in threads {
            if !(same_workers && self.is_shown(&thread, now)) {
                told += self.tell(thread, &workers, now).await?;
            }
        }
        self.workers = workers;
        if told > 0 {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// It stands as it was told last, so that nothing of it need be read.
    fn is_shown(&self, thread: &Thread, now: DateTime<Utc>) -> bool {
        let as_it_is = self.version(thread, now);
        let name = inbox::live_name(thread.id, thread.asked);
        self.shown
            .get(&thread.id)
            .is_some_and(|last| last.version == as_it_is && last.name == name)
    }

    /// How a talk stands: by its messages, by who has it, and by who hears of it for how long it waits.
    fn version(&self, thread: &Thread, now: DateTime<Utc>) -> String {
        let held = thread.held_at.map_or(0, |at| at.timestamp_millis());
        let up_to = inbox::up_to(thread, &self.config.inbox, now);
        format!("{}:{held}:{}", thread.messages, up_to.as_str())
    }

    async fn tell(
        &mut self,
        thread: Thread,
        workers: &[Worker],
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let (store, texts, config) = (self.store.clone(), self.texts.clone(), self.config.clone());
        let talks = Talks {
            store: &store,
            texts: &texts,
            config: &config,
        };
        let (id, up_to) = (thread.id, inbox::up_to(&thread, &config.inbox, now));
        let area = thread.area.clone();
        let audience = inbox::audience(&thread, area.as_ref(), up_to, workers);
        let version = self.version(&thread, now);
        let name = inbox::live_name(id, thread.asked);
        let last = self.shown.get(&id).cloned().unwrap_or_default();
        // Who was told of this message sees also what becomes of it.
        let mut contacts: Vec<ContactId> = audience.iter().filter_map(|worker| worker.contact).collect();
        let before = last.contacts.iter().filter(|_| last.name == name);
        contacts.extend(
            before
                .filter(|contact| !contacts.contains(contact))
                .copied()
                .collect::<Vec<_>>(),
        );
        let shown = Shown {
            version,
            name,
            contacts,
        };
        if shown == last {
            return Ok(0);
        }
        if shown.contacts.is_empty() {
            tracing::warn!(
                thread = id.0,
                "a resident waits, and no worker has a chat: `weir thread list` shows it"
            );
        }
        let talk = talks.talk(thread).await?;
        let mut count = 0;
        for contact in &shown.contacts {
            // Rights may have gone meanwhile, and with them what they may read.
            let worker = workers.iter().find(|worker| worker.contact == Some(*contact));
            let may = |worker: &&Worker| inbox::may_answer(worker, area.as_ref());
            let Some(worker) = worker.filter(may) else {
                continue;
            };
            let body = talks.sheet(&talk, worker, now).await?.card(true).body();
            let key = format!("inbox:{id}:{}:{contact}", shown.version);
            let delivery = delivery(key, *contact, ChannelKind::Telegram, body, now);
            store.enqueue_live(&delivery, &shown.name, now).await?;
            count += 1;
        }
        self.shown.insert(id, shown);
        Ok(count)
    }

    /// Tells of visits that waited too long, and of those that were called off under way: each line once.
    async fn tell_of_visits(
        &mut self,
        news: &[VisitNews],
        workers: &[Worker],
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let visits = Visits {
            store: &self.store,
            texts: &self.texts,
            config: &self.config,
        };
        let (mut count, mut until) = (0, self.visits_until);
        for one in news {
            let told = visits.told(one, workers).await?;
            let messages: Vec<NewDelivery> = told
                .into_iter()
                .map(|(key, contact, body)| delivery(key, contact, ChannelKind::Telegram, body, now))
                .collect();
            if !messages.is_empty() {
                self.store.enqueue(&messages, now).await?;
            }
            count += messages.len();
            until = one.line;
        }
        self.visits_until = until;
        Ok(count)
    }

    /// Takes the buttons off a talk that is over.
    async fn end(&mut self, id: ThreadId, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let Some(shown) = self.shown.get(&id).cloned() else {
            return Ok(0);
        };
        let (store, texts, config) = (self.store.clone(), self.texts.clone(), self.config.clone());
        let talks = Talks {
            store: &store,
            texts: &texts,
            config: &config,
        };
        let mut count = 0;
        if let Some(thread) = store.thread(id).await? {
            let talk = talks.talk(thread).await?;
            for contact in &shown.contacts {
                let Some(worker) = store.worker_of_contact(*contact).await? else {
                    continue;
                };
                let body = talks.sheet(&talk, &worker, now).await?.card(true).body();
                let key = format!("inbox:{id}:over:{}:{contact}", shown.version);
                let delivery = delivery(key, *contact, ChannelKind::Telegram, body, now);
                store.enqueue_live(&delivery, &shown.name, now).await?;
                count += 1;
            }
        }
        self.shown.remove(&id);
        Ok(count)
    }
}
