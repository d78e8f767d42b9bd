//! Fans releasing rounds out into the outbox: which units next, at the round's pace, and whom to remind.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
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
        Body, ChannelKind, ContactId, DeliveryState, IncidentId, Lane, Language, NoticeKind, RoundId,
        RoundState, UnitId, WindowView,
    },
    i18n::{Texts, Voice, notices},
    store::{AudienceContact, ContactState, DueReminder, NewDelivery, Round, Store, StoreError, Told},
};

/// Units told by one transaction: some 5,000 contacts, so that memory stays flat whatever the round's size.
pub(super) const UNITS_PER_STEP: usize = 64;
/// Who was told a moment ago needs no reminder on its heels.
const JUST_TOLD: TimeDelta = TimeDelta::minutes(15);
/// Contacts told by one step beside the units whose turn it is.
const LATECOMERS_PER_STEP: usize = 1_000;
const IDLE: Duration = Duration::from_millis(500);
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// A call that the law held back still helps so long after its window: the site registers by hand.
pub(super) const CALL_GRACE: TimeDelta = TimeDelta::hours(1);

/// What a delivery says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A window.
    Window {
        /// Without the link: the call follows.
        two_step: bool,
    },
    /// Come online now: the second of two steps.
    Call,
    /// It is almost time.
    Reminder,
    /// The windows as they are now that some moved.
    Correction {
        /// Without the link: the call follows.
        two_step: bool,
    },
    /// The windows do not hold any more, and there are no others yet.
    CalledOff,
}

impl Said {
    fn kind(self) -> NoticeKind {
        match self {
            Self::Window { .. } | Self::Call => NoticeKind::Window,
            Self::Reminder => NoticeKind::Reminder,
            Self::Correction { .. } | Self::CalledOff => NoticeKind::Correction,
        }
    }

    fn too_late(self) -> &'static str {
        match self {
            Self::Window { .. } | Self::Reminder | Self::Correction { .. } => {
                "released when its window had begun"
            }
            Self::CalledOff => "called off when its window had ended",
            Self::Call => "released when its window had long ended",
        }
    }
}

/// The units of which such deliveries speak.
pub(super) fn units_of(details: &BTreeMap<ContactId, Vec<WindowView>>) -> Vec<UnitId> {
    let units: BTreeSet<UnitId> = details.values().flatten().map(|window| window.unit).collect();
    units.into_iter().collect()
}

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
    /// The incidents that were open at the last look.
    pub incidents_seen: Arc<Mutex<Vec<IncidentId>>>,
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
        let mut over = false;
        let rounds = self.store.rounds().await?;
        let mut city = self.city_gate().await?;
        // While a fault is declared for the whole city nobody is told anything new; for a part of it, nobody there.
        let incidents = self.store.open_incidents().await?;
        let open = incidents.iter().map(|incident| incident.id).collect();
        let seen = mem::replace(
            &mut *self.incidents_seen.lock().unwrap_or_else(PoisonError::into_inner),
            open,
        );
        if seen
            .iter()
            .any(|seen| incidents.iter().all(|incident| incident.id != *seen))
        {
            // While an incident held them the rounds fell behind.
            self.catch_up().await?;
        }
        let everywhere = incidents.iter().any(|incident| incident.scope.is_everywhere());
        let halted = everywhere || city.is_stopped();
        let mut settled = !halted && incidents.is_empty();
        // Corrections wait for no gate and no pause: until they come, people hold a time that is no longer so.
        for round in rounds.iter().filter(|round| self.has_corrections(round)) {
            worked += self.correct(round).await?;
        }
        if !halted {
            worked += self.tell(&rounds, &mut city).await?;
            worked += self.call(&rounds, &mut city).await?;
        }
        worked += self.broadcast(&mut city, halted).await?;
        for round in rounds {
            if round.state == RoundState::Releasing && !halted {
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

    /// The window notice of a round for each of these contacts that has windows in it.
    pub(super) fn window_notices(
        &self,
        round: &Round,
        audience: &[AudienceContact],
        details: &BTreeMap<ContactId, Vec<WindowView>>,
        now: DateTime<Utc>,
    ) -> Vec<NewDelivery> {
        let said = Said::Window {
            two_step: plan::steps(round).two_step,
        };
        audience
            .iter()
            .filter_map(|contact| {
                let windows = details.get(&contact.contact)?;
                let key = format!("window:{}:{}:{}", round.id, round.plan_revision, contact.contact);
                Some(self.delivery(key, round.id, contact, said, windows, now))
            })
            .collect()
    }

    pub(super) async fn windows_of(
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

    pub(super) fn delivery(
        &self,
        key: String,
        round: RoundId,
        contact: &AudienceContact,
        said: Said,
        windows: &[WindowView],
        now: DateTime<Utc>,
    ) -> NewDelivery {
        let body = self.body(said, contact.language, contact.channel, windows, now);
        // In time for at least one of the windows it speaks of.
        let in_time = |window: &WindowView| match said {
            Said::Call => window.ends_at + CALL_GRACE,
            Said::CalledOff => window.ends_at,
            // A green lane is open for hours, and one may come at any time of them.
            Said::Window { .. } | Said::Correction { .. } if window.lane == Lane::Green && !window.own => {
                window.ends_at
            }
            Said::Window { .. } | Said::Reminder | Said::Correction { .. } => window.starts_at,
        };
        let expires_at = windows.iter().map(in_time).max().unwrap_or(now);
        let (state, reason) = match contact.state {
            ContactState::Stopped => (DeliveryState::Suppressed, "the contact has opted out"),
            ContactState::Unreachable => (DeliveryState::Failed, "the address does not work"),
            ContactState::Active if expires_at <= now => (DeliveryState::Expired, said.too_late()),
            ContactState::Active => (DeliveryState::Queued, ""),
        };
        NewDelivery {
            key,
            round: Some(round),
            contact: contact.contact,
            channel: contact.channel,
            kind: said.kind(),
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
        said: Said,
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
        let link = self.config.registration.link.as_deref();
        match said {
            Said::Reminder => notices::reminder(&voice, city.time_zone, windows, today),
            Said::Correction { two_step } => {
                notices::correction(&voice, city.time_zone, windows, link.filter(|_| !two_step))
            }
            Said::Window { two_step: true } => notices::first_of_two(&voice, city.time_zone, windows),
            Said::Window { two_step: false } => notices::window_notice(&voice, city.time_zone, windows, link),
            Said::CalledOff => notices::called_off(&voice, city.time_zone, windows),
            Said::Call => notices::call(&voice, city.time_zone, windows, link, today),
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
        let told_earlier: Vec<DueReminder> = units
            .iter()
            .filter(|due| now - due.told_at >= JUST_TOLD)
            .copied()
            .collect();
        let deliveries = self.reminders(round.id, &told_earlier, now).await?;
        if !self.store.remind(round, &units, &deliveries, now).await? {
            return Ok(0);
        }
        self.written.send_modify(|count| *count += 1);
        Ok(units.len())
    }

    fn has_corrections(&self, round: &Round) -> bool {
        match round.state {
            RoundState::Releasing | RoundState::Paused => true,
            RoundState::Cancelled => round.last_window_ends_at > self.clock.now(),
            RoundState::Draft | RoundState::Done => false,
        }
    }

    /// Tells those who knew a window that moved its new time: one message with all their windows of the round as they are
    /// now; of a cancelled round, that they are off. It is not paced: until it comes they hold a time that is no longer
    /// so. Whoever is being sent an old time at this moment is told after that has left.
    async fn correct(&self, round: &Round) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let due = self.store.units_to_correct(round.id, UNITS_PER_STEP).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let units: Vec<UnitId> = due.iter().map(|(_, unit)| *unit).collect();
        let audience = self.store.audience(&units).await?;
        let contacts: Vec<ContactId> = audience.iter().map(|contact| contact.contact).collect();
        let told = self.store.told_contacts(round, &contacts).await?;
        let busy = self.store.hearing_old_times(round.id).await?;
        let mut details = self.windows_of(&audience, round.id).await?;
        for windows in details.values_mut() {
            windows.retain(|window| window.ends_at > now);
        }
        let mut waiting: Vec<UnitId> = Vec::new();
        let mut deliveries = Vec::new();
        for contact in &audience {
            let (Some(told), Some(windows)) = (told.get(&contact.contact), details.get(&contact.contact))
            else {
                continue;
            };
            if busy.contains(&contact.contact) {
                waiting.extend(windows.iter().map(|window| window.unit));
                continue;
            }
            deliveries.extend(self.corrected(round, contact, *told, windows, now));
        }
        let done: Vec<i64> = due
            .iter()
            .filter(|(_, unit)| !waiting.contains(unit))
            .map(|(window, _)| *window)
            .collect();
        let known = units_of(&details);
        if (done.is_empty() && deliveries.is_empty())
            || !self.store.correct(round, &done, &deliveries, &known, now).await?
        {
            return Ok(0);
        }
        self.written.send_modify(|count| *count += 1);
        Ok(done.len())
    }

    /// What corrects the picture that one contact has of a round; nothing where it is right. Whose first notice never left
    /// hears no correction of it, but the notice itself.
    fn corrected(
        &self,
        round: &Round,
        contact: &AudienceContact,
        told: Told,
        windows: &[WindowView],
        now: DateTime<Utc>,
    ) -> Option<NewDelivery> {
        if round.state == RoundState::Cancelled {
            let key = format!("called-off:{}:{}", round.id, contact.contact);
            let knows = told.heard && !windows.is_empty();
            let mut new =
                knows.then(|| self.delivery(key, round.id, contact, Said::CalledOff, windows, now))?;
            // A cancelled round withdraws what is its own.
            new.round = None;
            return Some(new);
        }
        let revision: i64 = windows.iter().map(|window| window.revision).sum();
        let as_told = |window: &WindowView| window.revision == 1 && !window.own;
        if told.left && windows.iter().all(as_told) {
            return None;
        }
        // Whatever moves next, or is withdrawn, makes another key; the same moves make no second message.
        let withdrawn = told.withdrawn;
        let key = format!(
            "correction:{}:{}:{revision}.{withdrawn}",
            round.id, contact.contact
        );
        let moved_before = windows.iter().any(|window| window.revision > 2);
        let two_step = plan::steps(round).two_step;
        let said = if told.left || moved_before {
            Said::Correction { two_step }
        } else {
            Said::Window { two_step }
        };
        Some(self.delivery(key, round.id, contact, said, windows, now))
    }

    /// Tells those who became part of a told unit only afterwards, and by phone those whose chat stopped working.
    async fn tell_latecomers(&self, round: &Round) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let contacts = self
            .store
            .untold_contacts(round, now, LATECOMERS_PER_STEP)
            .await?;
        let details = self.windows_of(&contacts, round.id).await?;
        let deliveries = self.window_notices(round, &contacts, &details, now);
        let known = units_of(&details);
        let added = self.store.tell_late(round, &deliveries, &known, now).await? as usize;
        self.written.send_modify(|count| *count += 1);
        Ok(added)
    }

    /// One reminder for each contact and start: it speaks of the windows that start then.
    async fn reminders(
        &self,
        round: RoundId,
        due: &[DueReminder],
        now: DateTime<Utc>,
    ) -> Result<Vec<NewDelivery>, StoreError> {
        let ids: Vec<UnitId> = due.iter().map(|due| due.unit).collect();
        let audience = self.store.audience(&ids).await?;
        let details = self.windows_of(&audience, round).await?;
        let mut deliveries = Vec::new();
        for contact in &audience {
            let mut by_start: BTreeMap<DateTime<Utc>, Vec<WindowView>> = BTreeMap::new();
            for window in details.get(&contact.contact).into_iter().flatten() {
                // A unit's people may have several times: its window, the green lane's, and their own.
                let is_due = |due: &DueReminder| (due.unit, due.starts_at) == (window.unit, window.starts_at);
                if due.iter().any(is_due) {
                    by_start.entry(window.starts_at).or_default().push(window.clone());
                }
            }
            for (starts_at, windows) in by_start {
                let key = format!(
                    "reminder:{round}:{}:{}",
                    contact.contact,
                    starts_at.timestamp() / 60
                );
                deliveries.push(self.delivery(key, round, contact, Said::Reminder, &windows, now));
            }
        }
        Ok(deliveries)
    }
}
