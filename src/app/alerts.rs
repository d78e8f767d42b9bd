//! Tells those on duty, unasked, of what goes wrong: looks, lets `workers/alerts.rs` decide, writes it down, tells. Rows and
//! messages have names of their own, so that neither a restart nor a second process tells anybody twice.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::site::{Field, message};
use crate::{
    channels::Channel,
    clock::Clock,
    config::Config,
    domain::{Alert, AlertId, AlertKind, Area, Body, ContactId, Proposal, ProposalId, RoundState, Worker},
    i18n::Texts,
    release::status::PacingStatus,
    store::{Store, StoreError, ThreadFilter},
    workers::alerts::{self, Act, Card, Seen},
};

const IDLE: Duration = Duration::from_secs(2);
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How often channels are asked whether they are there.
const ASK_EVERY: TimeDelta = TimeDelta::seconds(10);

/// Looks for what goes wrong, and tells those on duty.
#[derive(Debug)]
pub struct Alerts {
    /// Where it is kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The words.
    pub texts: Texts,
    /// Settings.
    pub config: Config,
    /// Told when something is written into the outbox.
    pub written: watch::Sender<u64>,
    /// The channels that are asked whether they are there, by name.
    pub channels: Vec<(String, Channel)>,
    /// Those that do not answer, and since when.
    pub down: HashMap<String, DateTime<Utc>>,
    /// When they were last asked.
    pub asked_at: Option<DateTime<Utc>>,
    /// What was told to whom, so that it need not be written again.
    pub shown: HashMap<AlertId, Shown>,
}

/// What was told of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Somebody saw to it.
    acked: bool,
    contacts: HashSet<ContactId>,
    /// It is on record that nobody could be told.
    in_vain: bool,
}

/// An alert with all that its message says.
struct Whole {
    alert: Alert,
    proposal: Option<Proposal>,
    place: String,
    holder: Option<String>,
}

impl Alerts {
    /// Steps until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            let rest = match self.step().await {
                Ok(()) => self.clock.rest(IDLE),
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "those on duty cannot be told what goes wrong; trying again");
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

    /// Looks once, writes down what began, went up or ended, and tells whoever is to be told.
    pub async fn step(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let open = self.store.open_alerts().await?;
        let seen = self.look(&open, now).await?;
        let found = alerts::conditions(&seen, &self.config.alerts, now);
        let acts = alerts::decide(&found, &open, &self.config.alerts, now);
        for act in &acts {
            self.carry_out(act, now).await?;
        }
        let open = if acts.is_empty() {
            open
        } else {
            self.store.open_alerts().await?
        };
        metrics::gauge!("weir_alerts_open").set(open.len() as f64);
        let over = self.store.alerts_to_end().await?;
        if open.is_empty() && over.is_empty() {
            self.shown.clear();
            return Ok(());
        }
        let workers = self.store.workers().await?;
        let mut told = 0;
        for alert in open {
            told += self.tell(alert, &workers, now).await?;
        }
        for alert in over {
            told += self.end(alert, &workers, now).await?;
        }
        if told > 0 {
            self.written.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    async fn look(&mut self, open: &[Alert], now: DateTime<Utc>) -> Result<Seen, StoreError> {
        let store = self.store.clone();
        let row = store.pacing().await?;
        let pacing = PacingStatus::of(&self.config, &row, now);
        // Who holds it by hand knows that it stands still.
        let by_hand = row.by_hand.is_some();
        let rounds = store.rounds().await?;
        let visit_after = TimeDelta::from_std(self.config.alerts.visit_after).unwrap_or_default();
        let reports = store.latest_reports().await?;
        let sites = if reports.is_empty() {
            Vec::new()
        } else {
            store.sites().await?
        };
        let of_site = reports.into_iter().filter_map(|report| {
            let site = sites.iter().find(|site| site.id == report.site)?;
            Some((site.clone(), report))
        });
        let sites = of_site.collect();
        Ok(Seen {
            round_goes_on: rounds
                .iter()
                .any(|round| matches!(round.state, RoundState::Releasing | RoundState::Paused)),
            pacing: if by_hand {
                (String::new(), None)
            } else {
                (pacing.mode, pacing.since)
            },
            down: self.down(open, now).await,
            ready: store.oldest_ready(now).await?,
            visits: store.overdue_visits(now - visit_after).await?,
            talks: self.talks().await?,
            sites,
            proposals: self.proposals(now).await?,
        })
    }

    /// Channels that do not answer. A process that has just begun goes on counting where the last one was.
    async fn down(&mut self, open: &[Alert], now: DateTime<Utc>) -> Vec<(String, DateTime<Utc>)> {
        let is_due = self.asked_at.is_none_or(|at| now - at >= ASK_EVERY);
        if is_due {
            self.asked_at = Some(now);
        }
        for (name, channel) in self.channels.iter().filter(|_| is_due) {
            if channel.answers().await {
                self.down.remove(name);
                continue;
            }
            let told = open
                .iter()
                .find(|alert| alert.kind == AlertKind::ChannelDown && alert.details.channel == *name);
            let since = told.and_then(|alert| alert.details.since).unwrap_or(now);
            self.down.entry(name.clone()).or_insert(since);
        }
        let mut down: Vec<_> = self
            .down
            .iter()
            .map(|(name, since)| (name.clone(), *since))
            .collect();
        down.sort();
        down
    }

    /// Those that wait; old ones are not so any more.
    async fn proposals(&self, now: DateTime<Utc>) -> Result<Vec<Proposal>, StoreError> {
        let waiting = self.store.waiting_proposals().await?;
        let before = now - alerts::PROPOSAL_HOLDS;
        if waiting.iter().all(|proposal| proposal.at >= before) {
            return Ok(waiting);
        }
        self.store.overtake_proposals(before, now).await?;
        self.store.waiting_proposals().await
    }

    async fn talks(&self) -> Result<Vec<(crate::domain::ThreadId, Option<Area>, DateTime<Utc>)>, StoreError> {
        let open = ThreadFilter {
            open: true,
            ..ThreadFilter::default()
        };
        let waiting = self.store.threads(&open).await?.into_iter();
        let waiting = waiting.filter_map(|thread| Some((thread.id, thread.area, thread.waiting_since?)));
        Ok(waiting.collect())
    }

    async fn carry_out(&self, act: &Act, now: DateTime<Utc>) -> Result<(), StoreError> {
        match act {
            Act::Open(new) => {
                if self.store.open_alert(new, now).await? {
                    tracing::info!(key = new.key, "those on duty are told: {}", new.key);
                }
            }
            Act::Raise(id, to) => {
                if self.store.raise_alert(*id, *to).await? {
                    let (id, to) = (id.0, to.as_str());
                    tracing::info!(
                        alert = id,
                        "nobody has seen to alert {id}: it goes up to the {to}s"
                    );
                }
            }
            Act::Quiet(id, since) => self.store.quiet_alert(*id, *since).await?,
            Act::End(id) => {
                if self.store.end_alert(*id, now).await? {
                    tracing::info!(alert = id.0, "alert {id} is over");
                }
            }
        }
        Ok(())
    }

    fn field(&self) -> Field<'_> {
        Field {
            store: &self.store,
            texts: &self.texts,
            config: &self.config,
        }
    }

    async fn whole(&self, alert: Alert) -> Result<Whole, StoreError> {
        let mut whole = Whole {
            holder: None,
            proposal: None,
            place: String::new(),
            alert,
        };
        let mut holder = whole.alert.acked_by;
        if let (AlertKind::Proposal, Some(id)) = (whole.alert.kind, whole.alert.details.id) {
            whole.proposal = self.store.proposal(ProposalId(id)).await?;
            if let Some(proposal) = &whole.proposal {
                holder = proposal.decided_by;
                let place = self.field().place(proposal.scope).await?;
                whole.place = place.map(|(name, _)| name).unwrap_or_default();
            }
        }
        if holder.is_some() {
            whole.holder = Some(self.field().name(holder).await?);
        }
        Ok(whole)
    }

    fn card<'a>(&'a self, whole: &'a Whole, worker: &Worker) -> Card<'a> {
        Card {
            texts: &self.texts,
            config: &self.config,
            language: worker.language.unwrap_or(self.config.city.default_language),
            alert: &whole.alert,
            proposal: whole.proposal.as_ref(),
            place: &whole.place,
            holder: whole.holder.as_deref(),
        }
    }

    /// Tells an alert that goes on to those who have not been told, and what became of it to those who have.
    async fn tell(
        &mut self,
        alert: Alert,
        workers: &[Worker],
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let (id, acked) = (alert.id, alert.acked_by.is_some());
        let last = self.shown.get(&id).cloned().unwrap_or_default();
        if acked && last.acked {
            return Ok(0);
        }
        let contacts: HashSet<ContactId> = if acked {
            let told = self.store.told_by_name(&alerts::live_name(id)).await?;
            told.into_iter().collect()
        } else {
            let audience = alerts::audience(&alert, workers).into_iter();
            let new = audience.filter_map(|worker| worker.contact);
            new.filter(|contact| !last.contacts.contains(contact)).collect()
        };
        let mut shown = Shown { acked, ..last };
        if contacts.is_empty() && shown.contacts.is_empty() && !shown.in_vain && !workers.is_empty() {
            shown.in_vain = true;
            let id = id.0;
            tracing::warn!(
                alert = id,
                "alert {id} reaches nobody: no worker has a chat. `weir alerts` shows it"
            );
        }
        let word = if acked { "ack" } else { "open" };
        let whole = if contacts.is_empty() {
            None
        } else {
            Some(self.whole(alert).await?)
        };
        let mut count = 0;
        for contact in contacts {
            let worker = workers.iter().find(|worker| worker.contact == Some(contact));
            if let (Some(worker), Some(whole)) = (worker, &whole) {
                let body = self.card(whole, worker).body();
                self.send(id, word, contact, body, now).await?;
                count += 1;
            }
            shown.contacts.insert(contact);
        }
        self.shown.insert(id, shown);
        Ok(count)
    }

    /// Writes an alert's message, in place of the one that is there.
    async fn send(
        &self,
        id: AlertId,
        word: &str,
        contact: ContactId,
        body: Body,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let delivery = message(format!("alert:{id}:{word}:{contact}"), contact, body, now);
        let name = alerts::live_name(id);
        self.store.enqueue_live(&delivery, &name, now).await
    }

    /// Takes the buttons off an alert that is over, and says so once to those who were told of it.
    async fn end(
        &mut self,
        alert: Alert,
        workers: &[Worker],
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let id = alert.id;
        let told = self.store.told_by_name(&alerts::live_name(id)).await?;
        let whole = self.whole(alert).await?;
        let mut count = 0;
        for contact in told {
            let Some(worker) = workers.iter().find(|worker| worker.contact == Some(contact)) else {
                continue;
            };
            let card = self.card(&whole, worker);
            self.send(id, "over", contact, card.body(), now).await?;
            // A decision is read where it was asked for; whoever made it has been answered.
            if whole.alert.kind != AlertKind::Proposal {
                let said = message(format!("alert:{id}:end:{contact}"), contact, card.over(), now);
                self.store.enqueue(&[said], now).await?;
            }
            count += 1;
        }
        self.store.end_of_alert_told(id).await?;
        self.shown.remove(&id);
        Ok(count)
    }
}
