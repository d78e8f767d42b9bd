//! Broadcasts: counted exactly before anybody confirms them, and fanned out into the outbox by the same steps, gates and
//! bounds as rounds are. Whatever walks over an audience takes a few units at a time, so memory stays flat.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    paced::City,
    releaser::{Releaser, UNITS_PER_STEP},
};
use crate::{
    channels::sms::segment,
    config::{Config, parse_cron},
    domain::{
        Actor, Area, Audience, BROADCAST_CHARACTERS_MAX, Body, BroadcastCount, BroadcastId, BroadcastState,
        ChannelKind, ContactId, DeliveryState, Language, Missed, NoticeKind, Right, UnitId, Words, Worker,
        may_in_all,
    },
    i18n::{Texts, Voice, notices, work},
    store::{
        AudienceContact, Broadcast, BroadcastDeliveries, BroadcastPerson, ContactState, NewDelivery, Store,
        StoreError, Unreached,
    },
};

/// While something steers, so few units pass the city's gate at once, as rounds pass it unit by unit.
const UNITS_STEERED: usize = 4;
/// A run that begins later than this after it was due was missed.
const RUN_GRACE: TimeDelta = TimeDelta::minutes(10);
/// Firings looked at after a long sleep; the latest is the one that counts.
const FIRINGS_MAX: usize = 10_000;
/// How far a broadcast is, is told no more often.
const LIVE_EVERY: TimeDelta = TimeDelta::seconds(5);
/// A word to a worker is worth reading for so long.
const WORKER_NEWS_EXPIRES: TimeDelta = TimeDelta::hours(24);

/// Why a text cannot be sent as it is, in words for whoever wrote it.
pub fn word_fault(words: &Words) -> Option<String> {
    if words.0.is_empty() {
        return Some("there is no text: write it in at least one language".into());
    }
    words.0.iter().find_map(|(language, text)| {
        let count = text.chars().count();
        let bad = |c: char| c.is_control() && c != '\n';
        (count == 0 || count > BROADCAST_CHARACTERS_MAX || text.chars().any(bad)).then(|| {
            format!(
                "{}: write 1 to {BROADCAST_CHARACTERS_MAX} characters; there are {count}",
                language.code()
            )
        })
    })
}

/// The next instants at which a repeating broadcast runs.
pub fn next_runs(cron: &str, zone: chrono_tz::Tz, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    let Ok(schedule) = parse_cron(cron) else {
        return Vec::new();
    };
    let runs = schedule.after(&after.with_timezone(&zone)).take(count);
    runs.map(|at| at.to_utc()).collect()
}

/// How residents are written to: the words, the settings.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// The approved words around a worker's own.
    pub texts: &'a Texts,
    /// The city's language, the sender's name.
    pub config: &'a Config,
}

impl Writing<'_> {
    /// What somebody reads: the worker's words, with the sender and how to stop around them.
    pub fn body(&self, words: &Words, language: Option<Language>, channel: ChannelKind) -> Body {
        let city = self.config.city.default_language;
        let language = language.unwrap_or(city);
        let voice = Voice {
            texts: self.texts,
            language,
            channel,
            sender_name: &self.config.sms.sender_name,
        };
        notices::announcement(&voice, words.for_reader(language, city).unwrap_or_default())
    }
}

/// Those of a few units whom a broadcast concerns.
#[derive(Clone, Debug, Default)]
struct Page {
    /// Everybody there, counted once over the whole audience.
    count: BroadcastCount,
    /// Whom to write to; some may have been written to with an earlier unit.
    to: Vec<AudienceContact>,
}

/// Whom the people of some units make. `behind` are all people behind the contacts among them: a contact counts with
/// the first of its units, and a chat that chose a home is a person only where it stands for no resident.
fn page(
    audience: &Audience,
    city: Language,
    units: &[UnitId],
    people: &[BroadcastPerson],
    behind: &[BroadcastPerson],
    parts: &mut impl FnMut(Language, ChannelKind) -> u32,
) -> Page {
    let language = |contact: &AudienceContact| contact.language.unwrap_or(city);
    let fits = |person: &BroadcastPerson| {
        let speaks = person
            .contact
            .as_ref()
            .is_none_or(|contact| audience.speaks(language(contact)));
        speaks && audience.fits(&person.tags)
    };
    let mut first: HashMap<ContactId, UnitId> = HashMap::new();
    let mut residents: BTreeSet<ContactId> = BTreeSet::new();
    for person in behind.iter().chain(people).filter(|person| fits(person)) {
        if let Some(contact) = &person.contact {
            let unit = first.entry(contact.contact).or_insert(person.unit);
            *unit = (*unit).min(person.unit);
            if person.resident.is_some() {
                residents.insert(contact.contact);
            }
        }
    }
    let mut page = Page::default();
    let mut to: BTreeMap<ContactId, AudienceContact> = BTreeMap::new();
    for person in people.iter().filter(|person| fits(person)) {
        let Some(contact) = &person.contact else {
            page.count.unreached += 1;
            continue;
        };
        to.entry(contact.contact).or_insert_with(|| contact.clone());
        if person.resident.is_none() && residents.contains(&contact.contact) {
            continue;
        }
        match contact.state {
            ContactState::Active => page.count.people += 1,
            ContactState::Stopped => page.count.opted_out += 1,
            ContactState::Unreachable => page.count.unreached += 1,
        }
    }
    for contact in to.values() {
        let here = first
            .get(&contact.contact)
            .is_some_and(|unit| units.contains(unit));
        if here && contact.state == ContactState::Active {
            let language = language(contact);
            page.count
                .add_message(contact.channel, language, parts(language, contact.channel));
        }
    }
    page.to = to.into_values().collect();
    page
}

/// The people of the next units of an audience; with `exactly`, counted once over the whole of it.
async fn next_page(
    store: &Store,
    writing: &Writing<'_>,
    (audience, words): (&Audience, &Words),
    units: &[UnitId],
    exactly: bool,
) -> Result<Page, StoreError> {
    let people = store.broadcast_people(audience, units).await?;
    let mut behind = Vec::new();
    if exactly {
        let contacts = people.iter().filter_map(|person| person.contact.as_ref());
        let contacts: BTreeSet<ContactId> = contacts.map(|contact| contact.contact).collect();
        let contacts: Vec<ContactId> = contacts.into_iter().collect();
        behind = store.broadcast_people_behind(audience, &contacts).await?;
    }
    let mut known: HashMap<(Language, ChannelKind), u32> = HashMap::new();
    let mut parts = |language, channel| {
        *known.entry((language, channel)).or_insert_with(|| {
            let body = writing.body(words, Some(language), channel);
            segment::parts(&body.text)
        })
    };
    let city = writing.config.city.default_language;
    Ok(page(audience, city, units, &people, &behind, &mut parts))
}

/// Counts whom a broadcast reaches, exactly, by walking over the whole audience.
pub async fn count(
    store: &Store,
    writing: &Writing<'_>,
    audience: &Audience,
    words: &Words,
) -> Result<BroadcastCount, StoreError> {
    let mut total = BroadcastCount::default();
    let mut cursor = UnitId(0);
    loop {
        let units = store.broadcast_units(audience, cursor, UNITS_PER_STEP).await?;
        let Some(last) = units.last() else { break };
        cursor = *last;
        total.add(
            &next_page(store, writing, (audience, words), &units, true)
                .await?
                .count,
        );
    }
    Ok(total)
}

/// Walks over everybody whom a broadcast did not reach, a few units at a time.
pub async fn unreached(
    store: &Store,
    broadcast: &Broadcast,
    mut take: impl FnMut(&[Unreached]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut cursor = UnitId(0);
    loop {
        let units = store
            .broadcast_units(&broadcast.audience, cursor, UNITS_PER_STEP)
            .await?;
        let Some(last) = units.last() else { return Ok(()) };
        cursor = *last;
        take(&store.broadcast_unreached(broadcast, &units).await?)?;
    }
}

/// The states from which a broadcast may be paused, let go on, or withdrawn.
pub fn may_move_from(to: BroadcastState) -> &'static [BroadcastState] {
    use BroadcastState::{Active, Draft, Paused, Sending, Waiting};
    match to {
        Paused => &[Sending, Active],
        Sending => &[Paused],
        _ => &[Draft, Waiting, Active, Sending, Paused],
    }
}

/// What became of a broadcast's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Messages written so far.
    pub written: u64,
    /// Not yet at their end.
    pub open: u64,
    /// On the phone, or taken by a channel that gives no receipt.
    pub arrived: u64,
    /// Refused, or too late.
    pub failed: u64,
    /// Withdrawn before they left.
    pub cancelled: u64,
    /// Opted out.
    pub opted_out: u64,
    /// SMS parts of those that were sent.
    pub sms_parts: u64,
}

impl Progress {
    /// Of these counts.
    pub fn of(counts: &[BroadcastDeliveries]) -> Self {
        let mut progress = Self::default();
        for count in counts {
            let deliveries = count.deliveries as u64;
            progress.written += deliveries;
            match DeliveryState::parse(&count.state) {
                Some(DeliveryState::Delivered | DeliveryState::Sent) => progress.arrived += deliveries,
                Some(DeliveryState::Suppressed) => progress.opted_out += deliveries,
                Some(DeliveryState::Cancelled) => progress.cancelled += deliveries,
                Some(state) if state.is_final() => progress.failed += deliveries,
                _ => progress.open += deliveries,
            }
            let left = ["accepted", "delivered", "sent"].contains(&count.state.as_str());
            if count.is_sms() && left {
                progress.sms_parts += count.parts as u64;
            }
        }
        progress
    }
}

/// A word to a worker in their chat.
pub fn to_worker(key: String, contact: ContactId, text: String, now: DateTime<Utc>) -> NewDelivery {
    NewDelivery {
        key,
        round: None,
        contact,
        channel: ChannelKind::Telegram,
        kind: NoticeKind::Reply,
        body: Body::text(text),
        parts: 1,
        state: DeliveryState::Queued,
        reason: "",
        next_at: now,
        expires_at: now + WORKER_NEWS_EXPIRES,
    }
}

/// Tells everybody who may approve a broadcast, and did not write it, that it waits for them. Gives how many.
pub async fn ask_approvers(
    store: &Store,
    writing: &Writing<'_>,
    (id, author): (BroadcastId, Actor),
    (areas, people): (&[Area], u64),
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let workers = store.workers().await?;
    let asked: Vec<NewDelivery> = workers
        .iter()
        .filter(|worker| Actor::Worker(worker.id) != author && may_in_all(worker, Right::Approve, areas))
        .filter_map(|worker| {
            let contact = worker.contact?;
            let language = worker.language.unwrap_or(writing.config.city.default_language);
            let key = format!("approve:{id}:{}:{}", worker.id, now.timestamp_millis());
            let mut news = to_worker(key, contact, String::new(), now);
            news.body = notices::broadcast_waits(writing.texts, language, id.0, people);
            Some(news)
        })
        .collect();
    store.enqueue(&asked, now).await?;
    Ok(asked.len())
}

/// What became of a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It goes out, or repeats from now on.
    Sent,
    /// Another must approve it.
    Waits,
    /// The count is another one now; nothing was sent.
    Counted(Box<BroadcastCount>),
    /// It was no draft any more.
    Decided,
}

/// Confirms a draft by the count that its author typed: counted anew, so that nobody confirms a number that holds no
/// more. `greatest` allows a repeating one to grow.
pub async fn confirm(
    store: &Store,
    writing: &Writing<'_>,
    draft: &Broadcast,
    (actor, typed, greatest): (Actor, u64, Option<u64>),
    now: DateTime<Utc>,
) -> Result<Confirmed, StoreError> {
    let count = count(store, writing, &draft.audience, &draft.words).await?;
    if count.people != typed || count.messages == 0 {
        return Ok(Confirmed::Counted(Box::new(count)));
    }
    let greatest = greatest.unwrap_or(0).max(count.people);
    let waits = greatest > writing.config.broadcast.approval_size;
    if !store
        .confirm_broadcast(draft.id, actor, waits, greatest, now)
        .await?
    {
        return Ok(Confirmed::Decided);
    }
    if waits {
        let areas = draft.audience.areas();
        ask_approvers(store, writing, (draft.id, draft.author), (&areas, greatest), now).await?;
        return Ok(Confirmed::Waits);
    }
    Ok(Confirmed::Sent)
}

impl Releaser {
    fn writing(&self) -> Writing<'_> {
        Writing {
            texts: &self.texts,
            config: &self.config,
        }
    }

    /// Writes the next units of each broadcast into the outbox, begins runs that are due, and tells authors how theirs
    /// ended. Gives how much was done. While the city is `halted`, only what makes nobody register goes on.
    pub(super) async fn broadcast(&self, city: &mut City, halted: bool) -> Result<usize, StoreError> {
        let at_work = self.store.broadcasts_at_work().await?;
        let mut worked = 0;
        for broadcast in &at_work {
            worked += match broadcast.state {
                BroadcastState::Active => self.begin_due(broadcast).await?,
                BroadcastState::Paused => 0,
                _ if broadcast.written_all || (halted && !broadcast.calm) => 0,
                _ if self.outbox_is_full().await? => 0,
                _ => self.write_page(broadcast, city).await?,
            };
        }
        let now = self.clock.now();
        for broadcast in at_work.iter().filter(|one| one.state != BroadcastState::Active) {
            worked += self.keep_told(broadcast, now).await?;
        }
        if at_work.iter().any(|broadcast| broadcast.written_all) {
            worked += self.store.finish_broadcasts(now).await? as usize;
        }
        for ended in self.store.broadcasts_to_report().await? {
            self.report(&ended, now).await?;
            worked += 1;
        }
        if worked > 0 {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(worked)
    }

    async fn write_page(&self, broadcast: &Broadcast, city: &mut City) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let limit = if city.is_steered() && !broadcast.calm {
            UNITS_STEERED
        } else {
            UNITS_PER_STEP
        };
        let (audience, words) = (&broadcast.audience, &broadcast.words);
        let units = self
            .store
            .broadcast_units(audience, broadcast.cursor, limit)
            .await?;
        let written_all = units.len() < limit;
        let cursor = units.last().copied().unwrap_or(broadcast.cursor);
        let page = next_page(&self.store, &self.writing(), (audience, words), &units, false).await?;
        let deliveries: Vec<NewDelivery> = page
            .to
            .iter()
            .map(|contact| self.announcement(broadcast, contact, now))
            .collect();
        let recipients = deliveries
            .iter()
            .filter(|delivery| delivery.state == DeliveryState::Queued)
            .count();
        let mut passing = *city;
        if !broadcast.calm && passing.gate.admit(now, recipients as u32).is_err() {
            return Ok(0);
        }
        let gate = passing.moved().filter(|_| !broadcast.calm);
        let written = self
            .store
            .write_broadcast(broadcast, &deliveries, (cursor, written_all), gate, now)
            .await?;
        if written && !broadcast.calm {
            passing.settled();
            *city = passing;
        }
        metrics::counter!("weir_broadcast_messages_total").increment(deliveries.len() as u64);
        Ok(usize::from(written) * deliveries.len().max(1))
    }

    fn announcement(
        &self,
        broadcast: &Broadcast,
        contact: &AudienceContact,
        now: DateTime<Utc>,
    ) -> NewDelivery {
        let body = self
            .writing()
            .body(&broadcast.words, contact.language, contact.channel);
        let expires_at = broadcast.expires_at();
        let (state, reason) = match contact.state {
            ContactState::Stopped => (DeliveryState::Suppressed, "the contact has opted out"),
            ContactState::Unreachable => (DeliveryState::Failed, "the address does not work"),
            ContactState::Active if expires_at <= now => {
                (DeliveryState::Expired, "it could no longer be in time")
            }
            ContactState::Active => (DeliveryState::Queued, ""),
        };
        NewDelivery {
            key: format!("broadcast:{}:{}", broadcast.id, contact.contact),
            round: None,
            contact: contact.contact,
            channel: contact.channel,
            kind: NoticeKind::Announcement,
            parts: match contact.channel {
                ChannelKind::Sms => segment::parts(&body.text),
                ChannelKind::Telegram => 1,
            },
            body,
            state,
            reason,
            next_at: now,
            expires_at,
        }
    }

    /// Begins the latest run of a repeating broadcast that is due and not on record. A missed one is made up for or
    /// left out, as it says; one of more people than were approved waits.
    async fn begin_due(&self, series: &Broadcast) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let zone = self.config.city.time_zone;
        let Some(schedule) = series.cron.as_deref().and_then(|cron| parse_cron(cron).ok()) else {
            return Ok(0);
        };
        let since = series.looked_at.unwrap_or(series.created_at).with_timezone(&zone);
        let firings = schedule.after(&since).take(FIRINGS_MAX);
        let Some(due) = firings.take_while(|at| at.to_utc() <= now).last() else {
            return Ok(0);
        };
        let missed = now - due.to_utc() > RUN_GRACE && series.missed == Missed::Skip;
        let (state, count) = if missed {
            (BroadcastState::Skipped, BroadcastCount::default())
        } else {
            let count = count(&self.store, &self.writing(), &series.audience, &series.words).await?;
            let state = if count.people > series.greatest {
                BroadcastState::Waiting
            } else {
                BroadcastState::Sending
            };
            (state, count)
        };
        let name = due.format("%Y-%m-%d %H:%M").to_string();
        let run = self.store.begin_run(series, &name, state, &count, now).await?;
        if let (Some(run), BroadcastState::Waiting) = (run, state) {
            let areas = series.audience.areas();
            let who = (run, series.author);
            ask_approvers(&self.store, &self.writing(), who, (&areas, count.people), now).await?;
        }
        Ok(1)
    }

    /// Edits how far a broadcast is into the message that its author watches, where it changed and not too often.
    async fn keep_told(&self, broadcast: &Broadcast, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let Some((author, contact)) = self.author(broadcast).await? else {
            return Ok(0);
        };
        let name = live_name(broadcast.id);
        let Some((shown, written_at, open)) = self.store.last_live(contact, &name).await? else {
            return Ok(0);
        };
        if open || now - written_at < LIVE_EVERY {
            return Ok(0);
        }
        let progress = Progress::of(&self.store.count_broadcast(broadcast.id).await?);
        let language = author.language.unwrap_or(self.config.city.default_language);
        let text = report_words(&self.texts, language, broadcast, &progress);
        if text == shown.text {
            return Ok(0);
        }
        let key = format!("live:{name}:{}", now.timestamp_millis());
        let mut news = to_worker(key, contact, text, now);
        news.body.buttons = shown.buttons;
        self.store.enqueue_live(&news, &name, now).await?;
        Ok(1)
    }

    /// Its author, where they are a worker with a chat.
    async fn author(&self, broadcast: &Broadcast) -> Result<Option<(Worker, ContactId)>, StoreError> {
        let Actor::Worker(id) = broadcast.author else {
            return Ok(None);
        };
        let author = self.store.worker(id).await?.filter(|worker| !worker.removed);
        Ok(author.and_then(|author| author.contact.map(|contact| (author, contact))))
    }

    /// Tells its author how a broadcast ended, where they have a chat.
    async fn report(&self, ended: &Broadcast, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut news = None;
        if let Some((author, contact)) = self.author(ended).await? {
            let progress = Progress::of(&self.store.count_broadcast(ended.id).await?);
            let language = author.language.unwrap_or(self.config.city.default_language);
            let text = report_words(&self.texts, language, ended, &progress);
            let name = live_name(ended.id);
            if self.store.last_live(contact, &name).await?.is_some() {
                let last = to_worker(format!("live:{name}:end"), contact, text.clone(), now);
                self.store.enqueue_live(&last, &name, now).await?;
            }
            news = Some(to_worker(
                format!("broadcast-report:{}", ended.id),
                contact,
                text,
                now,
            ));
        }
        self.store.report_broadcast(ended.id, news.as_ref(), now).await
    }
}

/// How a broadcast ended, or how far it is, as its author reads it.
pub fn report_words(texts: &Texts, language: Language, broadcast: &Broadcast, progress: &Progress) -> String {
    let figures = figures(broadcast.id, progress);
    work::broadcast_progress(texts, language, broadcast.state, &figures)
}

/// The name of the message that tells how far a broadcast is.
pub fn live_name(id: BroadcastId) -> String {
    format!("broadcast:{id}")
}

/// What became of its messages, as it is told.
pub fn figures(id: BroadcastId, progress: &Progress) -> work::BroadcastFigures {
    work::BroadcastFigures {
        id: id.0,
        messages: progress.written,
        arrived: progress.arrived,
        open: progress.open,
        failed: progress.failed,
        opted_out: progress.opted_out,
        cancelled: progress.cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(id: i64, state: ContactState, language: Option<Language>) -> AudienceContact {
        AudienceContact {
            contact: ContactId(id),
            channel: ChannelKind::Sms,
            state,
            language,
        }
    }

    fn resident(unit: i64, id: i64, contact: Option<AudienceContact>) -> BroadcastPerson {
        BroadcastPerson {
            unit: UnitId(unit),
            resident: Some(crate::domain::ResidentId(id)),
            tags: Vec::new(),
            contact,
        }
    }

    fn counted(units: &[i64], people: &[BroadcastPerson], behind: &[BroadcastPerson]) -> Page {
        let units: Vec<UnitId> = units.iter().map(|unit| UnitId(*unit)).collect();
        page(
            &Audience::default(),
            Language::ZhHans,
            &units,
            people,
            behind,
            &mut |_, _| 2,
        )
    }

    #[test]
    fn a_shared_contact_is_one_message_and_each_of_its_people_counts() {
        let shared = contact(1, ContactState::Active, None);
        let people = [
            resident(1, 1, Some(shared.clone())),
            resident(1, 2, Some(shared.clone())),
            resident(1, 3, None),
            resident(1, 4, Some(contact(2, ContactState::Stopped, None))),
        ];
        let page = counted(&[1], &people, &people);
        assert_eq!(
            (page.count.people, page.count.messages, page.count.sms_parts),
            (2, 1, 2)
        );
        assert_eq!((page.count.unreached, page.count.opted_out), (1, 1));
        assert_eq!(page.to.len(), 2, "that somebody opted out goes on record");
    }

    #[test]
    fn a_contact_of_several_units_counts_with_the_first_and_is_written_to_with_each() {
        let shared = contact(1, ContactState::Active, None);
        let (here, there) = (resident(5, 1, Some(shared.clone())), resident(9, 2, Some(shared)));
        let behind = [here.clone(), there.clone()];
        let first = counted(&[5], &[here], &behind);
        let second = counted(&[9], &[there], &behind);
        assert_eq!((first.count.people, first.count.messages), (1, 1));
        assert_eq!((second.count.people, second.count.messages), (1, 0));
        assert_eq!((first.to.len(), second.to.len()), (1, 1));
    }

    #[test]
    fn a_chat_that_follows_a_home_is_a_person_unless_it_is_a_residents() {
        let chat = contact(1, ContactState::Active, Some(Language::En));
        let follows = BroadcastPerson {
            resident: None,
            ..resident(1, 0, Some(chat.clone()))
        };
        let alone = counted(&[1], std::slice::from_ref(&follows), &[]);
        assert_eq!((alone.count.people, alone.count.messages), (1, 1));
        let both = [follows, resident(1, 7, Some(chat))];
        let linked = counted(&[1], &both, &[]);
        assert_eq!((linked.count.people, linked.count.messages), (1, 1));
        assert_eq!(linked.count.languages.get(&Language::En), Some(&1));
    }

    #[test]
    fn runs_come_in_the_citys_time() {
        let after = "2026-09-02T10:00:00Z".parse().expect("an instant");
        let runs = next_runs("0 8 * * *", chrono_tz::Asia::Shanghai, after, 2);
        let said: Vec<String> = runs.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["2026-09-03 00:00:00 UTC", "2026-09-04 00:00:00 UTC"]);
    }
}
