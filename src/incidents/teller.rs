//! Tells people of an incident, and of its end: each contact once, in batches, from what the store has noted, so that
//! a restart goes on where it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    channels::sms::segment,
    clock::Clock,
    config::Config,
    domain::{
        Body, ChannelKind, ContactId, DeliveryState, IncidentId, Lane, Language, NoticeKind, RoundId, UnitId,
        WindowView,
    },
    i18n::{Texts, Voice, notices},
    store::{
        Appointment, AudienceContact, ContactState, Incident, IncidentWindow, NewDelivery, Store, StoreError,
    },
};

/// Units told by one transaction: some 5,000 contacts.
const UNITS_PER_STEP: usize = 64;
/// Contacts told that it is over by one transaction.
const CONTACTS_PER_STEP: usize = 1_000;
/// A notice of an incident helps people at the site for a while after their window.
const AFTER_WINDOW: TimeDelta = TimeDelta::minutes(30);
/// That it is over is worth knowing for half a day, where no window is still to come.
const OVER_WORTH: TimeDelta = TimeDelta::hours(12);
const IDLE: Duration = Duration::from_millis(500);
/// How often windows that have come near meanwhile are looked for, in steps without other work.
const REST: Duration = Duration::from_secs(5);
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// What the teller needs.
#[derive(Clone, Debug)]
pub struct Teller {
    /// Where incidents are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The words.
    pub texts: Texts,
    /// Settings.
    pub config: Config,
    /// Told when something is written into the outbox.
    pub written: watch::Sender<u64>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Told so many contacts, or noted so many windows.
    Worked(usize),
    /// An incident is open; everybody it concerns so far is told.
    Watching,
    /// There is no incident.
    Idle,
}

impl Teller {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            let rest = match self.step().await {
                Ok(Step::Worked(_)) => Duration::ZERO,
                Ok(Step::Watching) => self.clock.rest(REST),
                Ok(Step::Idle) => self.clock.rest(IDLE),
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "nobody can be told of incidents; trying again");
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

    /// Tells the next batch of those whom an open incident concerns, or of those who were told of one that is over.
    pub async fn step(&self) -> Result<Step, StoreError> {
        let open = self.store.open_incidents().await?;
        let mut worked = 0;
        for incident in &open {
            let now = self.clock.now();
            let near_until = now + self.config.incidents.near();
            worked += self.store.reach_incident(incident.id, near_until, now).await? as usize;
            worked += self.calm(incident).await?;
        }
        for id in self.store.incidents_to_end().await? {
            worked += self.end(id).await?;
        }
        Ok(match worked {
            0 if open.is_empty() => Step::Idle,
            0 => Step::Watching,
            _ => Step::Worked(worked),
        })
    }

    async fn calm(&self, incident: &Incident) -> Result<usize, StoreError> {
        let windows = self.store.windows_to_calm(incident.id, UNITS_PER_STEP).await?;
        if windows.is_empty() {
            return Ok(0);
        }
        let now = self.clock.now();
        let mut deliveries = BTreeMap::new();
        let mut withdrawn = BTreeSet::new();
        // Whoever is told again, also for one of several windows, hears the newest.
        for ((calmed, round), windows) in by_round(&windows).into_iter().rev() {
            let near = Near {
                until: now + self.config.incidents.near(),
                windows,
            };
            let units: BTreeSet<UnitId> = near.windows.iter().map(|window| window.unit).collect();
            let units: Vec<UnitId> = units.into_iter().collect();
            let mut audience = self.store.audience(&units).await?;
            let contacts: Vec<ContactId> = audience.iter().map(|contact| contact.contact).collect();
            let views = self.store.contact_windows(&contacts, round).await?;
            // Others of these units have another time: of the green lane, or one of their own.
            let concerned: BTreeSet<ContactId> = views
                .iter()
                .filter(|(_, view)| near.noted(view).is_some())
                .map(|(contact, _)| *contact)
                .collect();
            audience.retain(|contact| concerned.contains(&contact.contact));
            let ends_at = near.windows.iter().map(|window| window.ends_at).max();
            for contact in &audience {
                let new = self.notice(
                    incident,
                    calmed,
                    contact,
                    ends_at.unwrap_or(now) + AFTER_WINDOW,
                    now,
                );
                deliveries.entry(contact.contact).or_insert(new);
            }
            withdrawn.extend(self.superseded(round, &near, &concerned, &views).await?);
        }
        let deliveries: Vec<NewDelivery> = deliveries.into_values().collect();
        let withdrawn: Vec<String> = withdrawn.into_iter().collect();
        self.store
            .calm(incident.id, &windows, &deliveries, &withdrawn, now)
            .await?;
        self.written.send_modify(|count| *count += 1);
        metrics::counter!("weir_incident_notices_total").increment(deliveries.len() as u64);
        Ok(windows.len())
    }

    /// The keys of what says that these times will be as planned: their reminders, and window notices and calls that
    /// speak of no later one. When it is over, those told hear the time that holds then.
    async fn superseded(
        &self,
        round: RoundId,
        near: &Near,
        concerned: &BTreeSet<ContactId>,
        views: &[(ContactId, WindowView)],
    ) -> Result<BTreeSet<String>, StoreError> {
        let Some(stored) = self.store.round(round).await? else {
            return Ok(BTreeSet::new());
        };
        let mut later = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for (contact, view) in views.iter().filter(|(contact, _)| concerned.contains(contact)) {
            // It may have been moved by now; a reminder was written for the time it had.
            let noted = near.noted(view);
            for starts_at in noted.into_iter().chain([view.starts_at]) {
                if starts_at <= near.until {
                    let minute = starts_at.timestamp() / 60;
                    keys.insert(format!("reminder:{round}:{contact}:{minute}"));
                    let revision = stored.plan_revision;
                    keys.insert(format!("call:{round}:{revision}:{contact}:{minute}"));
                }
            }
            if noted.unwrap_or(view.starts_at) > near.until {
                later.insert(*contact);
            }
        }
        for contact in concerned.difference(&later) {
            keys.insert(format!("window:{round}:{}:{contact}", stored.plan_revision));
        }
        Ok(keys)
    }

    async fn end(&self, id: IncidentId) -> Result<usize, StoreError> {
        let contacts = self.store.contacts_to_end(id, CONTACTS_PER_STEP).await?;
        let now = self.clock.now();
        let ids: Vec<ContactId> = contacts.iter().map(|(contact, _)| contact.contact).collect();
        let mut windows: BTreeMap<ContactId, Vec<WindowView>> = BTreeMap::new();
        for round in self.store.incident_rounds(id).await? {
            for (contact, window) in self.store.contact_windows(&ids, round).await? {
                if window.ends_at > now {
                    windows.entry(contact).or_default().push(window);
                }
            }
        }
        let deliveries: Vec<NewDelivery> = contacts
            .iter()
            .filter(|(_, corrected)| !corrected)
            .map(|(contact, _)| {
                let concerned = windows.remove(&contact.contact).unwrap_or_default();
                self.over(id, contact, &concerned, now)
            })
            .collect();
        let log = self.store.incident_log(id).await?;
        let calmed = log.iter().filter(|line| line.kind == "calmed").count() as u32;
        let withdrawn: Vec<String> = ids
            .iter()
            .flat_map(|contact| (0..=calmed).map(|calmed| notice_key(id, calmed, *contact)))
            .collect();
        self.store.end(id, &ids, &deliveries, &withdrawn, now).await?;
        self.written.send_modify(|count| *count += 1);
        Ok(contacts.len())
    }

    fn notice(
        &self,
        incident: &Incident,
        calmed: u32,
        contact: &AudienceContact,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> NewDelivery {
        let voice = self.voice(contact);
        let beside = match voice.language {
            Language::En => incident.message_en.as_deref(),
            Language::ZhHans | Language::ZhHant => incident.message_zh.as_deref(),
        };
        let body = notices::incident(&voice, beside);
        let key = notice_key(incident.id, calmed, contact.contact);
        delivery((key, NoticeKind::Incident), contact, body, expires_at, now)
    }

    fn over(
        &self,
        id: IncidentId,
        contact: &AudienceContact,
        windows: &[WindowView],
        now: DateTime<Utc>,
    ) -> NewDelivery {
        let expires_at = windows
            .iter()
            .map(|window| window.ends_at)
            .max()
            .unwrap_or(now + OVER_WORTH);
        let body = notices::incident_over(&self.voice(contact), self.config.city.time_zone, windows);
        let key = format!("incident-over:{id}:{}", contact.contact);
        delivery((key, NoticeKind::Correction), contact, body, expires_at, now)
    }

    fn voice(&self, contact: &AudienceContact) -> Voice<'_> {
        Voice {
            texts: &self.texts,
            language: contact.language.unwrap_or(self.config.city.default_language),
            channel: contact.channel,
            sender_name: &self.config.sms.sender_name,
        }
    }
}

/// Times of one round that an incident fell into.
struct Near {
    until: DateTime<Utc>,
    windows: Vec<IncidentWindow>,
}

impl Near {
    /// When somebody's time began as it was noted; none where it is none of these.
    fn noted(&self, view: &WindowView) -> Option<DateTime<Utc>> {
        let of = match view.lane {
            _ if view.own => Appointment::Own,
            Lane::Green => Appointment::Green,
            Lane::Regular => Appointment::Unit,
        };
        // Several of a unit may have asked for times of their own, each for another.
        let is_it = |window: &IncidentWindow| {
            of != Appointment::Own || window.starts_at == view.starts_at || view.starts_at <= self.until
        };
        self.windows
            .iter()
            .find(|window| window.unit == view.unit && window.of == of && is_it(window))
            .map(|window| window.starts_at)
    }
}

/// Told again, somebody hears it again.
fn notice_key(incident: IncidentId, calmed: u32, contact: ContactId) -> String {
    match calmed {
        0 => format!("incident:{incident}:{contact}"),
        again => format!("incident:{incident}:{contact}:{again}"),
    }
}

/// By how often people are told again, and by round.
fn by_round(windows: &[IncidentWindow]) -> BTreeMap<(u32, RoundId), Vec<IncidentWindow>> {
    let mut rounds: BTreeMap<(u32, RoundId), Vec<IncidentWindow>> = BTreeMap::new();
    for window in windows {
        rounds
            .entry((window.calmed, window.round))
            .or_default()
            .push(*window);
    }
    rounds
}

fn delivery(
    (key, kind): (String, NoticeKind),
    contact: &AudienceContact,
    body: Body,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> NewDelivery {
    let (state, reason) = match contact.state {
        ContactState::Stopped => (DeliveryState::Suppressed, "the contact has opted out"),
        ContactState::Unreachable => (DeliveryState::Failed, "the address does not work"),
        ContactState::Active if expires_at <= now => {
            (DeliveryState::Expired, "it could no longer be in time")
        }
        ContactState::Active => (DeliveryState::Queued, ""),
    };
    NewDelivery {
        key,
        // A paused round holds what is its own; of a fault, and of its end, people hear all the same.
        round: None,
        contact: contact.contact,
        channel: contact.channel,
        kind,
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
