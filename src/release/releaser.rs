//! Fans releasing rounds out into the outbox: which units next, at the round's pace, and whom to remind.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::plan;
use crate::{
    channels::sms::segment,
    clock::Clock,
    config::Config,
    domain::{
        Body, ChannelKind, ContactId, DeliveryState, Language, NoticeKind, RoundId, RoundState, UnitId,
        WindowView,
    },
    i18n::{Texts, Voice, notices},
    pacing::release::ReleaseGate,
    store::{AudienceContact, ContactState, NewDelivery, Round, Store, StoreError, UnitToTell},
};

/// Units told by one transaction: some 5,000 contacts, so that memory stays flat whatever the round's size.
const UNITS_PER_STEP: usize = 64;
/// The pace may be ahead of itself by this much: what one step takes.
const BURST: Duration = Duration::from_secs(30);
/// Who was told a moment ago needs no reminder on its heels.
const JUST_TOLD: TimeDelta = TimeDelta::minutes(15);
/// Contacts told by one step beside the units whose turn it is.
const LATECOMERS_PER_STEP: usize = 1_000;
const IDLE: Duration = Duration::from_millis(500);
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// What the releaser needs.
#[derive(Clone, Debug)]
pub struct Releaser {
    /// Where rounds are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The words.
    pub texts: Texts,
    /// Settings.
    pub config: Config,
    /// Told when something is written into the outbox.
    pub written: watch::Sender<u64>,
    /// The audience for which everybody is known to be told; see [`Store::audience_version`].
    pub audience_seen: Arc<Mutex<Option<(i64, i64)>>>,
}

impl Releaser {
    /// Steps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        // While the service was away the rounds fell behind.
        if let Err(error) = self.catch_up().await {
            tracing::error!(%error, "the rounds' pace could not be looked at");
        }
        while !stop.is_cancelled() {
            let rest = match self.step().await {
                Ok(0) => self.clock.rest(IDLE),
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "rounds cannot be released; trying again");
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

    async fn catch_up(&self) -> Result<(), StoreError> {
        for round in self.store.rounds().await? {
            if round.state == RoundState::Releasing {
                plan::raise_pace(&self.store, &round, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    /// Tells the units whose turn it is, reminds those whose window is near, ends rounds that are over. Gives the
    /// number of units told or reminded.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let mut worked = 0;
        let version = self.store.audience_version().await?;
        let mut settled = true;
        let mut over = false;
        // While a fault is declared for the whole city nobody is told anything new; for a part of it, nobody there.
        let incidents = self.store.open_incidents().await?;
        let halted = incidents.iter().any(|incident| incident.scope.is_everywhere());
        settled &= incidents.is_empty();
        for round in self.store.rounds().await? {
            if round.state == RoundState::Releasing && !halted {
                worked += self.tell(&round).await?;
                worked += self.remind(&round).await?;
                if *self.audience_seen.lock().unwrap_or_else(PoisonError::into_inner) != Some(version) {
                    let late = self.tell_latecomers(&round).await?;
                    settled &= late == 0;
                    worked += late;
                }
            }
            over |= round.state == RoundState::Releasing && round.last_window_ends_at < self.clock.now();
        }
        if settled {
            *self.audience_seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
        }
        if over {
            self.store.finish_rounds(self.clock.now()).await?;
        }
        Ok(worked)
    }

    async fn tell(&self, round: &Round) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let (Some(pace), Some(next_at)) = (round.pace_per_minute, round.next_release_at) else {
            return Ok(0);
        };
        if next_at > now {
            return Ok(0);
        }
        let burst = (pace * BURST.as_secs_f64() / 60.0).ceil() as u32;
        let mut gate = ReleaseGate { next_at };
        let mut units = self.store.units_to_tell(round.id, UNITS_PER_STEP).await?;
        let admitted = units
            .iter()
            .take_while(|unit| match gate.admit(now, unit.recipients, pace, burst) {
                Ok(next) => {
                    gate = next;
                    true
                }
                Err(_) => false,
            })
            .count();
        units.truncate(admitted);
        if units.is_empty() {
            return Ok(0);
        }
        let deliveries = self.window_deliveries(round, &units, now).await?;
        let windows: Vec<i64> = units.iter().map(|unit| unit.window).collect();
        self.store
            .tell(round.id, &windows, false, &deliveries, Some(gate.next_at), now)
            .await?;
        self.written.send_modify(|count| *count += 1);
        metrics::counter!("weir_units_told_total").increment(units.len() as u64);
        Ok(units.len())
    }

    async fn window_deliveries(
        &self,
        round: &Round,
        units: &[UnitToTell],
        now: DateTime<Utc>,
    ) -> Result<Vec<NewDelivery>, StoreError> {
        let units: Vec<UnitId> = units.iter().map(|unit| unit.unit).collect();
        let audience = self.store.audience(&units).await?;
        self.to_contacts(round, &audience, now).await
    }

    /// The window notice of a round for each of these contacts.
    async fn to_contacts(
        &self,
        round: &Round,
        audience: &[AudienceContact],
        now: DateTime<Utc>,
    ) -> Result<Vec<NewDelivery>, StoreError> {
        let details = self.windows_of(audience, round.id).await?;
        Ok(audience
            .iter()
            .filter_map(|contact| {
                let windows = details.get(&contact.contact)?;
                let key = format!("window:{}:{}:{}", round.id, round.plan_revision, contact.contact);
                Some(self.delivery(key, round.id, contact, NoticeKind::Window, windows, now))
            })
            .collect())
    }

    async fn windows_of(
        &self,
        audience: &[AudienceContact],
        round: RoundId,
    ) -> Result<BTreeMap<ContactId, Vec<WindowView>>, StoreError> {
        let contacts: Vec<ContactId> = audience.iter().map(|contact| contact.contact).collect();
        let mut details: BTreeMap<ContactId, Vec<WindowView>> = BTreeMap::new();
        for (contact, window) in self.store.contact_windows(&contacts, round).await? {
            details.entry(contact).or_default().push(window);
        }
        Ok(details)
    }

    fn delivery(
        &self,
        key: String,
        round: RoundId,
        contact: &AudienceContact,
        kind: NoticeKind,
        windows: &[WindowView],
        now: DateTime<Utc>,
    ) -> NewDelivery {
        let body = self.body(kind, contact.language, contact.channel, windows, now);
        // In time for at least one of the windows it speaks of.
        let expires_at = windows.iter().map(|window| window.starts_at).max().unwrap_or(now);
        let (state, reason) = match contact.state {
            ContactState::Stopped => (DeliveryState::Suppressed, "the contact has opted out"),
            ContactState::Unreachable => (DeliveryState::Failed, "the address does not work"),
            ContactState::Active if expires_at <= now => {
                (DeliveryState::Expired, "released when its window had begun")
            }
            ContactState::Active => (DeliveryState::Queued, ""),
        };
        NewDelivery {
            key,
            round: Some(round),
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

    fn body(
        &self,
        kind: NoticeKind,
        language: Option<Language>,
        channel: ChannelKind,
        windows: &[WindowView],
        now: DateTime<Utc>,
    ) -> Body {
        let city = &self.config.city;
        let voice = Voice {
            texts: &self.texts,
            language: language.unwrap_or(city.default_language),
            channel,
            sender_name: &self.config.sms.sender_name,
        };
        let today = now.with_timezone(&city.time_zone).date_naive();
        match kind {
            NoticeKind::Reminder => notices::reminder(&voice, city.time_zone, windows, today),
            _ => notices::window_notice(&voice, city.time_zone, windows),
        }
    }

    async fn remind(&self, round: &Round) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let before = TimeDelta::from_std(self.config.notices.reminder_before).unwrap_or_default();
        let units = self
            .store
            .units_to_remind(round.id, now + before, UNITS_PER_STEP)
            .await?;
        if units.is_empty() {
            return Ok(0);
        }
        let windows: Vec<i64> = units.iter().map(|unit| unit.window).collect();
        let told_earlier: Vec<UnitToTell> = units
            .into_iter()
            .filter(|unit| unit.told_at.is_some_and(|at| now - at >= JUST_TOLD))
            .collect();
        let deliveries = self.reminders(round.id, &told_earlier, now).await?;
        self.store
            .tell(round.id, &windows, true, &deliveries, None, now)
            .await?;
        self.written.send_modify(|count| *count += 1);
        Ok(windows.len())
    }

    /// Tells those who became part of a told unit only afterwards, and by phone those whose chat stopped working.
    async fn tell_latecomers(&self, round: &Round) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let contacts = self
            .store
            .untold_contacts(round, now, LATECOMERS_PER_STEP)
            .await?;
        let deliveries = self.to_contacts(round, &contacts, now).await?;
        let added = self.store.enqueue(&deliveries, now).await? as usize;
        self.written.send_modify(|count| *count += 1);
        Ok(added)
    }

    /// One reminder for each contact and start: it speaks of the windows that start then.
    async fn reminders(
        &self,
        round: RoundId,
        units: &[UnitToTell],
        now: DateTime<Utc>,
    ) -> Result<Vec<NewDelivery>, StoreError> {
        let ids: Vec<UnitId> = units.iter().map(|unit| unit.unit).collect();
        let audience = self.store.audience(&ids).await?;
        let details = self.windows_of(&audience, round).await?;
        let mut deliveries = Vec::new();
        for contact in &audience {
            let mut by_start: BTreeMap<DateTime<Utc>, Vec<WindowView>> = BTreeMap::new();
            for window in details.get(&contact.contact).into_iter().flatten() {
                if ids.contains(&window.unit) {
                    by_start.entry(window.starts_at).or_default().push(window.clone());
                }
            }
            for (starts_at, windows) in by_start {
                let key = format!(
                    "reminder:{round}:{}:{}",
                    contact.contact,
                    starts_at.timestamp() / 60
                );
                deliveries.push(self.delivery(key, round, contact, NoticeKind::Reminder, &windows, now));
            }
        }
        Ok(deliveries)
    }
}
