//! Answers what people wrote: load, step, render, store the state and the replies together.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::DashMapStateStore};
use tokio::sync::{RwLock, watch};
use tokio_util::sync::CancellationToken;

use super::{
    dialogue::{self, Effect, Fetched, Known, Person, PersonResident, PhoneMatch, Reply, State, Want},
    places::{PlaceRow, Places},
    proofs::Proofs,
    times::Times,
    visits::Visits,
};
use crate::{
    channels::sms::segment,
    clock::Clock,
    config::{CityConfig, Config},
    domain::{
        Body, ChannelKind, ContactId, DeliveryState, InboundContent, Language, NoticeKind, PhoneNumber,
        ResidentId, Site, UnitId,
    },
    i18n::{
        Text, Texts, Voice,
        answers::{self, Facts},
        notices,
        visits::VisitTeller,
    },
    registration::RegistrationClient,
    store::{self, NewDelivery, ReplyRow, Store, StoreError, ThreadChange, ToldWindow, WaitingInbound},
    understanding::{Intent, Understanding},
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
/// Who writes more than that is told so at most once in this time.
const TOO_MANY_SAID_PER_MINUTE: std::num::NonZeroU32 = std::num::NonZeroU32::new(1).expect("not zero");
/// A window that ended so long ago is still spoken of: who missed it may have another.
const MISSED: TimeDelta = TimeDelta::hours(24);
/// How long the directory of places is used before it is looked at again.
const PLACES_KEPT: Duration = Duration::from_secs(30);

type PerPerson = RateLimiter<i64, DashMapStateStore<i64>, DefaultClock>;

/// Where everything is, kept for a while.
#[derive(Debug, Default)]
struct Directory {
    places: Arc<Places>,
    /// Sites with the address of their map.
    maps: Vec<(String, String)>,
}

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
    registration: Option<RegistrationClient>,
    directory: RwLock<(Arc<Directory>, std::time::Instant, Option<String>)>,
    per_person: PerPerson,
    told_too_many: PerPerson,
    written: watch::Sender<u64>,
}

impl Runner {
    /// A runner that tells `written` when it has put replies into the outbox.
    pub fn new(
        store: Store,
        clock: Clock,
        texts: Texts,
        config: Config,
        registration: Option<RegistrationClient>,
        written: watch::Sender<u64>,
    ) -> Self {
        let long_ago = std::time::Instant::now().checked_sub(PLACES_KEPT * 2);
        Self {
            first: None,
            store,
            clock,
            texts,
            config,
            registration,
            directory: RwLock::new((
                Arc::default(),
                long_ago.unwrap_or_else(std::time::Instant::now),
                None,
            )),
            per_person: RateLimiter::dashmap(Quota::per_minute(MESSAGES_PER_MINUTE)),
            told_too_many: RateLimiter::dashmap(Quota::per_minute(TOO_MANY_SAID_PER_MINUTE)),
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
        let directory = self.directory().await?;
        let mut people: HashMap<ContactId, Vec<WaitingInbound>> = HashMap::new();
        for message in waiting {
            people.entry(message.contact).or_default().push(message);
        }
        let outcomes: Vec<Result<(), StoreError>> = stream::iter(people.into_values())
            .map(|messages| async {
                for message in messages {
                    self.answer_or_set_aside(&message, &directory).await?;
                }
                Ok(())
            })
            .buffer_unordered(PEOPLE_AT_ONCE)
            .collect()
            .await;
        self.per_person.retain_recent();
        self.told_too_many.retain_recent();
        outcomes.into_iter().collect::<Result<(), _>>()?;
        Ok(count)
    }

    /// A message that cannot be answered is set aside with an error in the log; it never stops the others.
    async fn answer_or_set_aside(
        &self,
        message: &WaitingInbound,
        directory: &Directory,
    ) -> Result<(), StoreError> {
        match self.answer_unless_first(message, directory).await {
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

    async fn answer_unless_first(
        &self,
        message: &WaitingInbound,
        directory: &Directory,
    ) -> Result<(), StoreError> {
        if let Some(First(ask)) = &self.first
            && ask(message.clone()).await?
        {
            return Ok(());
        }
        self.answer(message, directory).await
    }

    async fn answer(&self, message: &WaitingInbound, directory: &Directory) -> Result<(), StoreError> {
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
        let person = person(&stored, message);
        let matches = self.phone_matches(&message.content).await?;
        let heard = Heard {
            message,
            channel: self.channel(message.contact).await?,
            person: &person,
            matches: matches.as_deref(),
            now,
        };
        let urgent = |effect: &Effect| matches!(effect, Effect::OpenTalk { urgent: true, .. });
        let too_many = self.per_person.check_key(&message.contact.0).is_err();
        let turn = self.turn(&heard, directory, !too_many).await?;
        if too_many && !turn.effects.iter().any(urgent) {
            return self.too_many(&heard, &turn).await;
        }
        let mut row = ReplyRow {
            state: Some(turn.state.to_stored()),
            language_hint: stored.language.is_none().then_some(message.language).flatten(),
            ..ReplyRow::default()
        };
        for effect in &turn.effects {
            apply(effect, &heard, &mut row);
        }
        let mut bodies = self.render(turn.replies, &heard, &row, directory).await?;
        let tap = matches!(message.content, InboundContent::Choice(_));
        if let (true, Some(first)) = (turn.in_place && tap, bodies.first_mut()) {
            first.replaces = message.tapped;
        }
        if let Some(ThreadChange::Open { words, .. }) = &mut row.thread {
            // Whoever takes over sees what the person was told.
            for body in &bodies {
                words.push_str("\n\n> ");
                words.push_str(&body.text.replace('\n', "\n> "));
            }
        }
        row.replies = (0..)
            .zip(bodies)
            .map(|(index, body)| heard.reply(index, body))
            .collect();
        if row.forget {
            // Before it is said to be done; a repeat finds nothing left.
            let teller = VisitTeller::new(&self.texts, &self.config, segment::parts);
            self.store.forget_visits(message.contact, &teller, now).await?;
        }
        if self.store.answer(message.id, message.contact, &row, now).await? {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// The turn that follows a message, with what it wanted to know or have done, where that may be.
    async fn turn(
        &self,
        heard: &Heard<'_>,
        directory: &Directory,
        may_act: bool,
    ) -> Result<dialogue::Turn, StoreError> {
        let state = self
            .store
            .dialogue(heard.message.contact)
            .await?
            .map_or_else(State::default, |state| State::from_stored(&state));
        let in_talk = self.store.open_thread(heard.message.contact).await?.is_some();
        let fresh_code = format!("{:04}", rand::random_range(0..10_000));
        let kept_days = self.config.privacy.retention.as_secs().div_ceil(24 * 60 * 60);
        let understand = |text: &str, language: Language| Understanding::shared().understand(text, language);
        let city = &self.config.city;
        let answer = |voice: &Voice<'_>, intent: Intent| approved(voice, intent, city);
        let known = Known {
            channel: heard.channel,
            person: heard.person,
            places: &directory.places,
            texts: &self.texts,
            city: &self.config.city,
            sender_name: &self.config.sms.sender_name,
            phone_matches: heard.matches,
            fresh_code: &fresh_code,
            fetched: None,
            in_talk,
            kept_days: kept_days as i64,
            understand: &understand,
            answer: &answer,
            now: heard.now,
        };
        let mut turn = dialogue::step(&known, &state, &heard.message.content);
        if let Some(want) = turn.wants.take()
            && may_act
        {
            let fetched = Some(&self.fetch(heard, want).await?);
            turn = dialogue::step(&Known { fetched, ..known }, &state, &heard.message.content);
        }
        Ok(turn)
    }

    async fn fetch(&self, heard: &Heard<'_>, want: Want) -> Result<Fetched, StoreError> {
        let (person, message, now) = (heard.person, heard.message, heard.now);
        let visits = Visits {
            store: &self.store,
            texts: &self.texts,
            config: &self.config,
        };
        let times = Times {
            store: &self.store,
            config: &self.config,
        };
        let proofs = Proofs {
            store: &self.store,
            registration: self.registration.as_ref(),
        };
        match want {
            Want::OtherTimes(of) => times.other_times(person, of, now).await,
            Want::Take(offer) => times.take(person, &offer, now).await,
            Want::Pass(of) => proofs.fetch(person, of, now).await,
            Want::Visits => visits.known(message.contact).await,
            Want::AskVisit(request) => visits.ask(request, message, now).await,
            Want::ChangeVisit(visit, edit) => visits.change(visit, edit, message, now).await,
        }
    }

    /// Too many to answer: one polite line, then silence. STOP is obeyed, however many came before it, and who speaks
    /// with a worker loses no word.
    async fn too_many(&self, heard: &Heard<'_>, turn: &dialogue::Turn) -> Result<(), StoreError> {
        metrics::counter!("weir_inbound_over_limit_total").increment(1);
        let mut row = ReplyRow::default();
        for effect in &turn.effects {
            if matches!(effect, Effect::Stop | Effect::AddToTalk { .. }) {
                apply(effect, heard, &mut row);
            }
        }
        if self.told_too_many.check_key(&heard.message.contact.0).is_ok() {
            let voice = self.voice(heard, &row);
            let emergency_number = self.config.city.emergency_number.as_str();
            let words = voice.say(&Text::TooMany { emergency_number });
            row.replies = vec![heard.reply(0, Body::text(voice.message(&[words])))];
        }
        let contact = heard.message.contact;
        if self
            .store
            .answer(heard.message.id, contact, &row, heard.now)
            .await?
        {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    fn voice(&self, heard: &Heard<'_>, row: &ReplyRow) -> Voice<'_> {
        let Person {
            language,
            client_language,
            ..
        } = heard.person;
        let known = row.language.or(*language).or(*client_language);
        Voice {
            texts: &self.texts,
            language: known.unwrap_or(self.config.city.default_language),
            channel: heard.channel,
            sender_name: &self.config.sms.sender_name,
        }
    }

    /// Replies into bodies; the windows are looked up as the effects leave them.
    async fn render(
        &self,
        replies: Vec<Reply>,
        heard: &Heard<'_>,
        row: &ReplyRow,
        directory: &Directory,
    ) -> Result<Vec<Body>, StoreError> {
        let (voice, zone) = (self.voice(heard, row), self.config.city.time_zone);
        let mut bodies = Vec::with_capacity(replies.len());
        for reply in replies {
            let of = match reply {
                Reply::Say(body) => {
                    bodies.push(body);
                    continue;
                }
                Reply::WindowsOf(unit) => Some(unit),
                Reply::Windows => None,
            };
            let (residents, units) = match of {
                Some(unit) => (Vec::new(), vec![unit]),
                None => people_after(heard.person, row, heard.matches),
            };
            let told = self
                .store
                .told_windows(&residents, &units, heard.now - MISSED)
                .await?;
            let (windows, missed): (Vec<_>, Vec<_>) = told
                .into_iter()
                .map(|ToldWindow { view, .. }| view)
                .partition(|view| view.ends_at > heard.now);
            let place = of.and_then(|unit| directory.places.place(unit));
            let asked = notices::AskedWindows {
                windows: &windows,
                missed: &missed,
                of: place.as_ref(),
                maps: &directory.maps,
                today: heard.now.with_timezone(&zone).date_naive(),
            };
            bodies.push(notices::asked_windows(&voice, zone, &asked));
        }
        Ok(bodies)
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
    async fn directory(&self) -> Result<Arc<Directory>, StoreError> {
        {
            let known = self.directory.read().await;
            if known.1.elapsed() < PLACES_KEPT {
                return Ok(known.0.clone());
            }
        }
        let mut known = self.directory.write().await;
        let version = self.store.places_version().await?;
        let mut places = known.0.places.clone();
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
            places = Arc::new(Places::new(&rows));
            known.2 = Some(version);
        }
        let maps = maps(&self.config.city.map_url, &self.store.sites().await?);
        known.0 = Arc::new(Directory { places, maps });
        known.1 = std::time::Instant::now();
        Ok(known.0.clone())
    }
}

/// A message, and who sent it from where.
struct Heard<'a> {
    message: &'a WaitingInbound,
    channel: ChannelKind,
    person: &'a Person,
    matches: Option<&'a [PhoneMatch]>,
    now: DateTime<Utc>,
}

impl Heard<'_> {
    /// What they wrote, for a worker's eyes.
    fn words(&self) -> String {
        match &self.message.content {
            InboundContent::Text(text) => text.clone(),
            InboundContent::Choice(data) => format!("[{data}]"),
            _ => String::new(),
        }
    }

    /// The home they chose, or where a resident behind the contact lives.
    fn unit(&self) -> Option<UnitId> {
        let first = self.person.residents.first();
        self.person.home.or(first.map(|resident| resident.unit))
    }

    fn reply(&self, index: usize, body: Body) -> NewDelivery {
        reply(self.message, self.channel, index, body, self.now)
    }
}

/// The approved text that answers a question, where there is one.
fn approved(voice: &Voice<'_>, intent: Intent, city: &CityConfig) -> Option<String> {
    let facts = Facts::of_city(city);
    // The words alone: the sender is named once, before the whole message.
    let words = Voice {
        channel: ChannelKind::Telegram,
        ..*voice
    };
    answers::answer(&words, intent, &facts)
}

/// Sites whose place is known, with the address of their map.
fn maps(template: &str, sites: &[Site]) -> Vec<(String, String)> {
    if template.is_empty() {
        return Vec::new();
    }
    let listed = sites.iter().filter_map(|site| {
        let at = site.coordinates?;
        let url = template
            .replace("{lat}", &at.lat.to_string())
            .replace("{lon}", &at.lon.to_string())
            .replace("{site}", &percent_encoded(&site.name));
        Some((site.name.clone(), url))
    });
    listed.collect()
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
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

fn apply(effect: &Effect, heard: &Heard<'_>, row: &mut ReplyRow) {
    match effect {
        Effect::SetLanguage(language) => row.language = Some(*language),
        Effect::Stop => row.stopped = Some(true),
        Effect::StopEverywhere => row.stop_everywhere = true,
        Effect::Start => row.stopped = Some(false),
        Effect::SetHome(unit) => row.home = Some(*unit),
        Effect::Link(resident) => row.link = Some(*resident),
        Effect::Unlink => row.unlink = true,
        Effect::OpenTalk { reason, urgent } => {
            row.thread = Some(ThreadChange::Open {
                reason: *reason,
                urgent: *urgent,
                unit: heard.unit(),
                words: heard.words(),
            });
        }
        Effect::AddToTalk { urgent } => {
            row.thread = Some(ThreadChange::Add {
                urgent: *urgent,
                words: heard.words(),
            });
        }
        Effect::CloseTalk => row.thread = Some(ThreadChange::Close),
        Effect::Forget => row.forget = true,
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
