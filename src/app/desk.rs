//! Carries out what workers do in their chats, and keeps the menu in the corner of each worker's chat fitting their role.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::DashMapStateStore};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{inbox::Talks, site::Field, visits::Visits};
use crate::{
    channels::telegram::Telegram,
    clock::Clock,
    config::Config,
    conversation::runner::First,
    domain::{
        Actor, Address, Area, BroadcastId, BroadcastState, ChannelKind, CommunityId, ContactId,
        DeliveryState, InboundContent, InboundId, Language, NoticeKind, PhoneNumber, Role, RoundState, Scope,
        ThreadId, VisitState, Worker,
    },
    i18n::{Texts, work},
    release::broadcast::{self, Confirmed, Progress, Writing},
    store::{
        Accepted, DeskRow, NewAudit, NewBroadcast, NewDelivery, Store, StoreError, ThreadFilter, VisitFilter,
        WaitingInbound,
    },
    workers::{
        desk::{self, Desk, Effect, Glance, Known, Turn},
        inbox, site, today,
    },
};

/// What a worker was in the middle of is forgotten after this: what they write later is for the conversation.
const DESK_KEPT: TimeDelta = TimeDelta::minutes(30);
const REPLY_EXPIRES: TimeDelta = TimeDelta::hours(12);
/// Messages of a broadcast written on a phone are of no more use after this.
const EXPIRES_HOURS: u32 = 24;
const MESSAGES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// How often it is looked whether somebody became a worker, or is none any more.
const MENUS_EVERY: Duration = Duration::from_secs(5);
/// Between two menus that are set.
const MENU_PAUSE: Duration = Duration::from_millis(100);

type PerPerson = RateLimiter<i64, DashMapStateStore<i64>, DefaultClock>;

/// Answers workers.
#[derive(Debug)]
pub struct Front {
    store: Store,
    clock: Clock,
    texts: Texts,
    config: Config,
    per_person: PerPerson,
    written: watch::Sender<u64>,
}

impl Front {
    /// A front that tells `written` when it has put something into the outbox.
    pub fn new(
        store: Store,
        clock: Clock,
        texts: Texts,
        config: Config,
        written: watch::Sender<u64>,
    ) -> Self {
        Self {
            store,
            clock,
            texts,
            config,
            per_person: RateLimiter::dashmap(Quota::per_minute(MESSAGES_PER_MINUTE)),
            written,
        }
    }

    /// It as what the conversation asks first.
    pub fn first(self) -> First {
        let front = Arc::new(self);
        First::new(move |message| {
            let front = front.clone();
            Box::pin(async move { front.answer(&message).await })
        })
    }

    /// Answers a message that is one for the desk; false where it is not.
    pub async fn answer(&self, message: &WaitingInbound) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let stored = self.store.desk(message.contact, now - DESK_KEPT).await?;
        let replied = self.replied(message).await?;
        if stored.is_none() && replied.is_none() && !desk::may_concern(&message.content) {
            return Ok(false);
        }
        if self.per_person.check_key(&message.contact.0).is_err() {
            return Ok(false);
        }
        let desk: Desk = stored
            .and_then(|stored| serde_json::from_str(&stored).ok())
            .unwrap_or_default();
        // Who they are is asked now, at this message, and nowhere before.
        let worker = self.store.worker_of_contact(message.contact).await?;
        let asked = Asked {
            front: self,
            message,
            about: desk::about(&desk, &message.content),
            now,
        };
        let step = match (&replied, &worker) {
            (Some((thread, words)), Some(_)) => {
                let answer = |known: &Known<'_>| desk::replied(known, &desk, *thread, words);
                Some(asked.with(worker.as_ref(), answer).await?)
            }
            _ => {
                asked
                    .with(worker.as_ref(), |known| {
                        desk::step(known, &desk, &message.content)
                    })
                    .await?
            }
        };
        let Some(turn) = step else { return Ok(false) };
        let turn = asked.carry_out(turn, worker.as_ref()).await?;
        self.store_turn(message, &turn, now).await?;
        Ok(true)
    }

    /// The talk whose message in this chat this one replies to, and its words.
    async fn replied(&self, message: &WaitingInbound) -> Result<Option<(ThreadId, String)>, StoreError> {
        let (InboundContent::Text(words), Some(answered)) = (&message.content, message.tapped) else {
            return Ok(None);
        };
        if words.trim_start().starts_with('/') || words.trim().is_empty() {
            return Ok(None);
        }
        let name = self.store.live_name(message.contact, answered).await?;
        let thread = name.as_deref().and_then(inbox::of_live_name);
        Ok(thread.map(|thread| (thread, words.clone())))
    }

    async fn store_turn(
        &self,
        message: &WaitingInbound,
        turn: &Turn,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = DeskRow {
            state: (turn.desk != Desk::Idle)
                .then(|| serde_json::to_string(&turn.desk).expect("a desk always serialises")),
            replies: (0..)
                .zip(&turn.replies)
                .map(|(index, body)| {
                    let key = format!("reply:{}:{index}", message.id);
                    reply(key, message.contact, body.clone(), now)
                })
                .collect(),
            live: turn.live.map(broadcast::live_name),
        };
        if self
            .store
            .answer_at_desk(message.id, message.contact, &row, now)
            .await?
        {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    fn writing(&self) -> Writing<'_> {
        Writing {
            texts: &self.texts,
            config: &self.config,
        }
    }
}

fn reply(key: String, contact: ContactId, body: crate::domain::Body, now: DateTime<Utc>) -> NewDelivery {
    NewDelivery {
        key,
        round: None,
        contact,
        channel: ChannelKind::Telegram,
        kind: NoticeKind::Reply,
        parts: 1,
        body,
        state: DeliveryState::Queued,
        reason: "",
        next_at: now,
        expires_at: now + REPLY_EXPIRES,
    }
}

/// The message that made something: a repeat of it makes nothing new.
fn origin(message: InboundId) -> String {
    format!("inbound:{message}")
}

/// One message on its way through the desk.
struct Asked<'a> {
    front: &'a Front,
    message: &'a WaitingInbound,
    about: Option<BroadcastId>,
    now: DateTime<Utc>,
}

impl Asked<'_> {
    /// Asks a pure function of the desk with what it needs to know, as it stands at this moment.
    async fn with<T>(
        &self,
        worker: Option<&Worker>,
        ask: impl FnOnce(&Known<'_>) -> T,
    ) -> Result<T, StoreError> {
        self.with_broadcast(worker, self.about, ask).await
    }

    async fn with_broadcast<T>(
        &self,
        worker: Option<&Worker>,
        about: Option<BroadcastId>,
        ask: impl FnOnce(&Known<'_>) -> T,
    ) -> Result<T, StoreError> {
        let store = &self.front.store;
        let mut figures = work::BroadcastFigures::default();
        let mut broadcast = None;
        if let Some(id) = about {
            broadcast = store.broadcast(id).await?;
            let progress = Progress::of(&store.count_broadcast(id).await?);
            figures = broadcast::figures(id, &progress);
        }
        let known = Known {
            worker,
            texts: &self.front.texts,
            config: &self.front.config,
            nonce: self.message.id.0,
            broadcast: broadcast.as_ref(),
            figures,
            now: self.now,
        };
        Ok(ask(&known))
    }

    /// Does what a turn asks for; gives the turn that says what came of it.
    async fn carry_out(&self, turn: Turn, worker: Option<&Worker>) -> Result<Turn, StoreError> {
        let Some(effect) = &turn.effect else {
            return Ok(turn);
        };
        let store = &self.front.store;
        let desk = &turn.desk;
        let actor = worker.map_or(Actor::Owner, |worker| Actor::Worker(worker.id));
        match effect {
            Effect::Open(hash) => {
                let open = worker.is_none()
                    && store
                        .open_invitation(hash, self.message.contact, self.now)
                        .await?;
                self.with(worker, |known| desk::opened(known, open)).await
            }
            Effect::Accept(phone) => self.accept(phone).await,
            // Everything else is a worker's.
            _ if worker.is_none() => Ok(turn),
            Effect::Look(place) => {
                let below = store.places_below(place).await?;
                self.with(worker, |known| desk::place_shown(known, desk, below))
                    .await
            }
            Effect::Count(audience, words) => self.count(desk, worker, audience, words).await,
            Effect::Confirm(id, typed) => self.confirm(desk, worker, *id, *typed).await,
            Effect::Approve(id) => {
                let done = match store.broadcast(*id).await? {
                    Some(waiting) => {
                        let greatest = waiting.greatest.max(waiting.count.people);
                        store.approve_broadcast(*id, actor, greatest, self.now).await?
                    }
                    None => false,
                };
                self.with(worker, |known| desk::stands(known, desk, done)).await
            }
            Effect::Move(id, to) => {
                let from = broadcast::may_move_from(*to);
                let done = store.move_broadcast(*id, from, *to, actor, self.now).await?;
                if !turn.replies.is_empty() {
                    return Ok(turn);
                }
                self.with(worker, |known| desk::stands(known, desk, done)).await
            }
            Effect::Duty(on) => {
                if let Some(worker) = worker {
                    store.set_duty(worker.id, *on, self.now).await?;
                }
                Ok(turn)
            }
            Effect::Undo(id) => {
                let done = store.undo_invitation(*id, actor, self.now).await?.is_some();
                self.with(worker, |known| desk::undone(known, done)).await
            }
            Effect::Glance => {
                let glance = self.glance(worker).await?;
                self.with(worker, |known| desk::glance(known, &glance)).await
            }
            Effect::Inbox(_) | Effect::Visits(_) => self.for_residents(turn.clone(), worker).await,
            Effect::Field(wish) => self.in_the_field(&turn, wish, worker).await,
            Effect::Refused(right) => {
                let whom = self
                    .about
                    .map_or_else(String::new, |id| format!("broadcast:{id}"));
                store
                    .audit(&NewAudit::refused(actor, *right, whom), self.now)
                    .await?;
                Ok(turn)
            }
        }
    }

    /// What is wanted of a talk, or of visits.
    async fn for_residents(&self, turn: Turn, worker: Option<&Worker>) -> Result<Turn, StoreError> {
        let Some(worker) = worker else { return Ok(turn) };
        let Front {
            store, texts, config, ..
        } = self.front;
        let (replies, awaited, refused) = match &turn.effect {
            Some(Effect::Inbox(wish)) => {
                let talks = Talks { store, texts, config };
                let key = self.message.id.to_string();
                let carried = talks.carry_out(wish, worker, &key, self.now).await?;
                (carried.replies, carried.awaited, carried.refused)
            }
            Some(Effect::Visits(wish)) => {
                let visits = Visits { store, texts, config };
                let key = origin(self.message.id);
                let carried = visits.carry_out(wish, worker, &key, self.now).await?;
                (carried.replies, None, carried.refused)
            }
            _ => return Ok(turn),
        };
        if replies.is_empty() && refused.is_none() {
            return Ok(turn);
        }
        self.front.written.send_modify(|count| *count += 1);
        self.with(Some(worker), |known| {
            let refused = refused.as_ref().map(|(right, area)| (*right, area));
            desk::talked(known, &turn.desk, replies, awaited, refused)
        })
        .await
    }

    /// What is wanted from the field.
    async fn in_the_field(
        &self,
        turn: &Turn,
        wish: &site::Wish,
        worker: Option<&Worker>,
    ) -> Result<Turn, StoreError> {
        let Some(worker) = worker else {
            return Ok(turn.clone());
        };
        let Front {
            store, texts, config, ..
        } = self.front;
        let field = Field { store, texts, config };
        let carried = field
            .carry_out(wish, worker, &origin(self.message.id), self.now)
            .await?;
        self.front.written.send_modify(|count| *count += 1);
        self.with(Some(worker), |known| {
            let refused = carried.refused.as_ref().map(|(right, area)| (*right, area));
            desk::from_field(known, &turn.desk, carried.replies, carried.photo, refused)
        })
        .await
    }

    async fn accept(&self, phone: &PhoneNumber) -> Result<Turn, StoreError> {
        let store = &self.front.store;
        let mut outcome = store
            .accept_invitation(self.message.contact, phone, self.now)
            .await?;
        let worker = store.worker_of_contact(self.message.contact).await?;
        // It was accepted just before a crash, and nobody has heard it.
        if let (Accepted::Gone, Some(worker)) = (&outcome, &worker)
            && let Some(last) = store.invitations(worker.id).await?.into_iter().next()
        {
            outcome = Accepted::Now {
                invitation: last.id,
                worker: worker.clone(),
                invited_by: last.invited_by.parse().unwrap_or(Actor::Weir),
            };
        }
        if let Accepted::Now {
            invitation,
            worker,
            invited_by,
        } = &outcome
        {
            self.tell_inviter(*invitation, worker, *invited_by).await?;
        }
        self.with(worker.as_ref(), |known| desk::accepted(known, &outcome))
            .await
    }

    async fn tell_inviter(&self, invitation: i64, worker: &Worker, inviter: Actor) -> Result<(), StoreError> {
        let store = &self.front.store;
        let inviter = match inviter {
            // Who invites themselves knows.
            Actor::Worker(id) if id != worker.id => store.worker(id).await?,
            _ => None,
        };
        let inviter = inviter.filter(|inviter| !inviter.removed);
        if let Some((inviter, contact)) = inviter.and_then(|inviter| inviter.contact.map(|to| (inviter, to)))
        {
            let language = inviter
                .language
                .unwrap_or(self.front.config.city.default_language);
            let body = desk::taken(&self.front.texts, language, &worker.name, invitation);
            let news = reply(format!("taken:{invitation}"), contact, body, self.now);
            store.enqueue(&[news], self.now).await?;
        }
        Ok(())
    }

    async fn count(
        &self,
        desk: &Desk,
        worker: Option<&Worker>,
        audience: &crate::domain::Audience,
        words: &crate::domain::Words,
    ) -> Result<Turn, StoreError> {
        let store = &self.front.store;
        let count = broadcast::count(store, &self.front.writing(), audience, words).await?;
        let mut id = None;
        if let Some(worker) = worker.filter(|_| count.messages > 0) {
            let new = NewBroadcast {
                origin: origin(self.message.id),
                author: Actor::Worker(worker.id),
                audience: audience.clone(),
                words: words.clone(),
                calm: false,
                count: count.clone(),
                cron: None,
                missed: crate::domain::Missed::Skip,
                expires_hours: EXPIRES_HOURS,
            };
            id = Some(store.draft_broadcast(&new, self.now).await?);
        }
        self.with(worker, |known| desk::counted(known, desk, id, &count, words))
            .await
    }

    async fn confirm(
        &self,
        desk: &Desk,
        worker: Option<&Worker>,
        id: BroadcastId,
        typed: u64,
    ) -> Result<Turn, StoreError> {
        let (store, writing) = (&self.front.store, self.front.writing());
        let actor = worker.map_or(Actor::Owner, |worker| Actor::Worker(worker.id));
        let outcome = match store.broadcast(id).await? {
            Some(draft) if draft.state == BroadcastState::Draft => {
                broadcast::confirm(store, &writing, &draft, (actor, typed, None), self.now).await?
            }
            _ => Confirmed::Decided,
        };
        let outcome = match outcome {
            Confirmed::Sent => desk::Confirmed::Sent,
            Confirmed::Waits => desk::Confirmed::Waits,
            Confirmed::Counted(count) => desk::Confirmed::Counted(*count),
            Confirmed::Decided => desk::Confirmed::Decided,
        };
        self.with(worker, |known| desk::confirmed(known, desk, &outcome))
            .await
    }

    async fn glance(&self, worker: Option<&Worker>) -> Result<Glance, StoreError> {
        let store = &self.front.store;
        let all = store.broadcasts().await?;
        let in_state = |state| all.iter().filter(move |one| one.state == state);
        let rounds = store.rounds().await?;
        let pacing = store.pacing().await?;
        let by_hand = pacing.by_hand.map(|by_hand| by_hand.what);
        Ok(Glance {
            mode: by_hand.unwrap_or(pacing.mode),
            rounds: rounds
                .iter()
                .filter(|round| round.state == RoundState::Releasing)
                .count(),
            incidents: store.open_incidents().await?.len(),
            sending: in_state(BroadcastState::Sending).count(),
            waiting: in_state(BroadcastState::Waiting).map(|one| one.id).collect(),
            day: match worker {
                Some(worker) => self.day(&worker.scope).await?,
                None => today::Day::default(),
            },
        })
    }

    /// What is counted in an area.
    async fn day(&self, scope: &Scope) -> Result<today::Day, StoreError> {
        let (store, now) = (&self.front.store, self.now);
        let communities: Option<Vec<CommunityId>> = if scope.covers(&Area::City) {
            None
        } else {
            let all = store.communities().await?.into_iter();
            let own = all.filter(|(_, path)| scope.covers(&Area::Community(path.clone())));
            Some(own.map(|(id, _)| id).collect())
        };
        let visits = VisitFilter {
            states: vec![
                VisitState::Asked,
                VisitState::Accepted,
                VisitState::Scheduled,
                VisitState::OnTheWay,
            ],
            ..VisitFilter::default()
        };
        let notices = store.count_round_notices(communities.as_deref()).await?;
        let minutes = store.load_minutes(today::load_since(now), now).await?;
        Ok(today::Day {
            notices: today::Notices::of(&notices),
            sites: today::Sites::of(scope, &store.sites().await?, &store.latest_reports().await?, now),
            visits: today::Visits::of(scope, &store.visits(&visits).await?),
            waiting: self.waiting(communities.as_deref()).await?,
            load: today::load(&minutes, now, self.front.config.city.time_zone),
        })
    }

    /// Residents of these communities, and those of no known one, who wait for an answer, and for how many minutes the
    /// first of them has.
    async fn waiting(&self, communities: Option<&[CommunityId]>) -> Result<(usize, i64), StoreError> {
        let store = &self.front.store;
        let open = ThreadFilter {
            open: true,
            ..ThreadFilter::default()
        };
        let (mut count, mut longest) = (0, 0);
        for thread in store.threads(&open).await? {
            let own = |id: &CommunityId| communities.is_none_or(|own| own.contains(id));
            if !thread.community.as_ref().is_none_or(own) {
                continue;
            }
            if let Some(since) = thread.waiting_since {
                count += 1;
                longest = longest.max((self.now - since).num_minutes());
            }
        }
        Ok((count, longest))
    }
}

/// Keeps the menu of each worker's chat.
#[derive(Clone, Debug)]
pub struct Menus {
    /// Where workers are kept.
    pub store: Store,
    /// The words.
    pub texts: Texts,
    /// Where no language was chosen.
    pub language: Language,
    /// The bot.
    pub telegram: Telegram,
}

type MenuOf = (Role, Language);

impl Menus {
    /// Looks until told to stop. A menu is a convenience: what cannot be set is tried again, and holds nothing up.
    pub async fn run(self, stop: CancellationToken) {
        let mut shown: HashMap<i64, MenuOf> = HashMap::new();
        while !stop.is_cancelled() {
            if let Err(error) = self.step(&mut shown).await {
                tracing::warn!(%error, "the menus of workers' chats cannot be looked at; trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(MENUS_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn step(&self, shown: &mut HashMap<i64, MenuOf>) -> Result<(), StoreError> {
        let mut wanted: HashMap<i64, MenuOf> = HashMap::new();
        for worker in self.store.workers().await? {
            let Some(contact) = worker.contact else { continue };
            if let Some(Address::Chat(chat)) = self.store.address(contact).await? {
                wanted.insert(chat, (worker.role, worker.language.unwrap_or(self.language)));
            }
        }
        let gone: Vec<i64> = shown
            .keys()
            .filter(|chat| !wanted.contains_key(chat))
            .copied()
            .collect();
        for chat in gone {
            if self.telegram.clear_chat_menu(chat).await.is_ok() {
                shown.remove(&chat);
            }
        }
        for (chat, menu) in wanted {
            if shown.get(&chat) == Some(&menu) {
                continue;
            }
            if self.telegram.set_chat_menu(chat, &self.menu(menu)).await.is_ok() {
                shown.insert(chat, menu);
            }
            tokio::time::sleep(MENU_PAUSE).await;
        }
        Ok(())
    }

    /// A worker's own commands, then everybody's.
    fn menu(&self, (role, language): MenuOf) -> Vec<(String, String)> {
        let own = work::commands(&self.texts, language, role);
        let all = own.into_iter().chain(self.texts.commands(language));
        all.map(|(command, label)| (command.to_owned(), label)).collect()
    }
}
