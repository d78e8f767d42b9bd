//! Carries out what workers do from the field: reports from sites, incidents, proposals, and seeing to alerts. Each right
//! is asked for here once more, in its place, as it is at this moment.

use chrono::{DateTime, Utc};

use crate::{
    config::Config,
    domain::{
        Actor, Alert, AlertId, Area, Body, ChannelKind, ContactId, DeliveryState, FieldScope, IncidentReason,
        NoticeKind, Proposal, ProposalId, ProposalKind, ReportId, Right, Role, RoundState, Site, SiteId,
        Worker, may,
    },
    i18n::{Text, Texts, work},
    release::replan::{self, ReplanQuota, Replanned},
    store::{Acknowledged, Decided, NewAudit, NewDelivery, NewIncident, NewReport, Store, StoreError},
    workers::{
        alerts,
        site::{self, Seen, Sheet, Wish},
    },
};

/// Where somebody reported from so long ago they may be again.
const SAME_SITE: chrono::TimeDelta = chrono::TimeDelta::hours(18);
/// A message about what happens now is of no more use after this.
pub(super) const EXPIRES: chrono::TimeDelta = chrono::TimeDelta::hours(6);

/// What is needed to act on what comes from the field.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Where it is kept.
    pub store: &'a Store,
    /// The words.
    pub texts: &'a Texts,
    /// Settings.
    pub config: &'a Config,
}

/// What came of a wish.
#[derive(Debug, Default)]
pub struct Carried {
    /// What is said.
    pub replies: Vec<Body>,
    /// A photo of this report may follow.
    pub photo: Option<ReportId>,
    /// They lack this right in this place; it is on record.
    pub refused: Option<(Right, Area)>,
}

impl Carried {
    fn say(reply: Body) -> Self {
        Self {
            replies: vec![reply],
            ..Self::default()
        }
    }
}

/// What a decision came to.
#[derive(Debug)]
pub enum Outcome {
    /// There is none of this number.
    Unknown,
    /// They may not.
    Refused(Right, Area),
    /// It was decided before.
    Before(Proposal),
    /// It stays as it was.
    Left,
    /// The new number of desks holds; what moved.
    Desks(Proposal, Replanned),
    /// An incident is open: its id, whether it is new, and how many people it is about.
    Incident(i64, bool, i64),
}

impl Field<'_> {
    /// Does what a worker wants; `origin` names their message, so that a repeat of it does nothing twice.
    pub async fn carry_out(
        &self,
        wish: &Wish,
        worker: &Worker,
        origin: &str,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let sheet = Sheet::of(self.texts, self.config, worker);
        match wish {
            Wish::Report | Wish::Choose => self.begin(worker, *wish == Wish::Report, &sheet, now).await,
            Wish::At(site) => {
                self.at_site(*site, worker, now, |site| sheet.ask_line(site, true, now))
                    .await
            }
            Wish::Line(seen, _) | Wish::Desks(seen, ..) | Wish::Store(seen, ..) if !seen.holds(now) => {
                Ok(Carried::say(sheet.old()))
            }
            Wish::Line(seen, line) => {
                let ask = |site: &Site| sheet.ask_desks(site, *seen, *line);
                self.at_site(seen.site, worker, now, ask).await
            }
            Wish::Desks(seen, line, desks) => {
                let ask = |_: &Site| sheet.ask_rest(*seen, *line, *desks);
                self.at_site(seen.site, worker, now, ask).await
            }
            Wish::Store(seen, ..) => self.report(wish, *seen, worker, &sheet, now).await,
            Wish::Photo(report, file) => self.photo(*report, file, worker, &sheet, now).await,
            Wish::Incident | Wish::Why(_) | Wish::Sure(..) | Wish::Declare(..) => {
                self.incident(wish, worker, &sheet, now).await
            }
            Wish::Decide(id, confirm) => {
                let outcome = self.decide(*id, *confirm, worker, origin, now).await?;
                self.decided(outcome, &sheet).await
            }
            Wish::SeeTo(id) => self.see_to(*id, worker, &sheet, now).await,
        }
    }

    async fn refuse(
        &self,
        worker: &Worker,
        (right, area): (Right, Area),
        whom: String,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let refused = NewAudit::refused(Actor::Worker(worker.id), right, whom);
        self.store.audit(&refused, now).await?;
        Ok(Carried {
            refused: Some((right, area)),
            ..Carried::default()
        })
    }

    async fn begin(
        &self,
        worker: &Worker,
        last: bool,
        sheet: &Sheet<'_>,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let all = self.store.sites().await?;
        let own = site::sites_of(worker, &all);
        let before = self.store.last_site_of(worker.id, now - SAME_SITE).await?;
        let before = before.filter(|_| last);
        let at = match own.as_slice() {
            [only] => Some(*only),
            _ => own.iter().copied().find(|site| Some(site.id) == before),
        };
        Ok(Carried::say(match at {
            Some(site) => sheet.ask_line(site, own.len() > 1, now),
            None if own.is_empty() => sheet.no_site(),
            None => sheet.which(&own),
        }))
    }

    /// Asks the next question about a site, where this worker may report from it.
    async fn at_site(
        &self,
        id: SiteId,
        worker: &Worker,
        now: DateTime<Utc>,
        ask: impl FnOnce(&Site) -> Body,
    ) -> Result<Carried, StoreError> {
        let sites = self.store.sites().await?;
        let Some(site) = sites.iter().find(|site| site.id == id) else {
            return Ok(Carried::say(Sheet::of(self.texts, self.config, worker).old()));
        };
        let area = alerts::site_area(site);
        if !may(worker, Right::ReportSite, &area) {
            return self
                .refuse(worker, (Right::ReportSite, area), format!("site:{id}"), now)
                .await;
        }
        Ok(Carried::say(ask(site)))
    }

    async fn report(
        &self,
        wish: &Wish,
        seen: Seen,
        worker: &Worker,
        sheet: &Sheet<'_>,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let Wish::Store(_, line, desks, rest) = wish else {
            return Ok(Carried::say(sheet.old()));
        };
        let mut found = None;
        let mut carried = self
            .at_site(seen.site, worker, now, |site| {
                found = Some(site.clone());
                Body::default()
            })
            .await?;
        let Some(site) = found else { return Ok(carried) };
        let new = NewReport {
            key: seen.key(worker),
            site: seen.site,
            worker: worker.id,
            queue: line.length,
            apart: line.apart,
            desks: desks.open,
            staff_short: desks.staff_short,
            rest: *rest,
        };
        let (report, proposal) = self.store.report_site(&new, now).await?;
        carried.photo = Some(report.id);
        carried.replies = vec![sheet.stored(&site, (seen, *line, *desks), &report, proposal.is_some())];
        Ok(carried)
    }

    /// Keeps a photo's name with its report, and shows it to those on duty there.
    async fn photo(
        &self,
        id: ReportId,
        file: &str,
        worker: &Worker,
        sheet: &Sheet<'_>,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let report = self.store.site_report(id).await?;
        let report = report.filter(|report| report.worker == worker.id);
        let sites = self.store.sites().await?;
        let site = report.and_then(|report| sites.into_iter().find(|site| site.id == report.site));
        let Some(site) = site else {
            return Ok(Carried::say(sheet.old()));
        };
        let area = alerts::site_area(&site);
        if !may(worker, Right::ReportSite, &area) {
            let whom = format!("report:{id}");
            return self.refuse(worker, (Right::ReportSite, area), whom, now).await;
        }
        self.store.photograph_report(id, worker.id, file).await?;
        let workers = self.store.workers().await?;
        let others = workers
            .iter()
            .filter(|other| other.on_duty && other.id != worker.id && may(other, Right::ReportSite, &area));
        let mut shown = Vec::new();
        for other in others {
            let Some(contact) = other.contact else { continue };
            let theirs = Sheet::of(self.texts, self.config, other);
            let caption = Text::SitePhotoOf {
                site: &site.name,
                name: &worker.name,
            };
            let body = Body {
                photo: Some(file.to_owned()),
                ..Body::text(theirs.say(&caption))
            };
            shown.push(message(
                format!("report:{id}:photo:{contact}"),
                contact,
                body,
                now,
            ));
        }
        self.store.enqueue(&shown, now).await?;
        Ok(Carried {
            photo: Some(id),
            ..Carried::say(Body::text(sheet.say(&Text::SitePhotoTaken)))
        })
    }

    /// The name and the place of what an incident or a proposal is about; none where it is there no more.
    pub async fn place(&self, scope: FieldScope) -> Result<Option<(String, Area)>, StoreError> {
        Ok(match scope {
            FieldScope::City => Some((String::new(), Area::City)),
            FieldScope::Site(id) => {
                let sites = self.store.sites().await?;
                let site = sites.into_iter().find(|site| site.id == id);
                site.map(|site| {
                    let area = alerts::site_area(&site);
                    (site.name, area)
                })
            }
            FieldScope::Community(id) => {
                let known = self.store.communities().await?;
                let found = known.into_iter().find(|(known, _)| *known == id);
                found.map(|(_, path)| (path[2].clone(), Area::Community(path)))
            }
        })
    }

    async fn incident(
        &self,
        wish: &Wish,
        worker: &Worker,
        sheet: &Sheet<'_>,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let scope = match wish {
            Wish::Why(scope) | Wish::Sure(scope, _) | Wish::Declare(scope, ..) => *scope,
            _ => {
                let (communities, sites) = (self.store.communities().await?, self.store.sites().await?);
                let places = site::places_of(worker, &communities, &sites);
                return Ok(Carried::say(sheet.ask_where(&places)));
            }
        };
        let Some((name, area)) = self.place(scope).await? else {
            return Ok(Carried::say(sheet.old()));
        };
        if !may(worker, Right::ProposeIncident, &area) {
            let whom = scope.to_string();
            return self
                .refuse(worker, (Right::ProposeIncident, area), whom, now)
                .await;
        }
        let opens = may(worker, Right::OpenIncident, &area);
        Ok(Carried::say(match wish {
            Wish::Sure(_, reason) => sheet.ask_sure(scope, &name, *reason, opens, now),
            Wish::Declare(_, _, minute) if !site::is_recent(*minute, now) => sheet.old(),
            Wish::Declare(_, reason, _) if opens => {
                let (id, is_new, people) = self.open(scope, *reason, worker, now).await?;
                Self::opened(id, is_new, people, sheet)
            }
            Wish::Declare(_, reason, _) => {
                let by = Actor::Worker(worker.id);
                self.store
                    .propose_incident(scope, &area, *reason, by, now)
                    .await?;
                Body::text(sheet.say(&Text::IncidentProposed))
            }
            _ => sheet.ask_why(scope),
        }))
    }

    /// Opens an incident, as `weir incident open` does: a second one of the same scope is the same one.
    async fn open(
        &self,
        scope: FieldScope,
        reason: IncidentReason,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<(i64, bool, i64), StoreError> {
        let record = NewAudit::new(Actor::Worker(worker.id), "incident.open", scope.to_string());
        self.store.audit(&record, now).await?;
        let new = NewIncident {
            scope: scope.of_incident(),
            reason: work::incident_reason(self.texts, self.config.city.default_language, reason),
            actor: format!("worker {}", worker.id),
            ..NewIncident::default()
        };
        let near_until = now + self.config.incidents.near();
        let (id, is_new) = self.store.open_incident(&new, near_until, now).await?;
        let windows = self.store.count_incident_windows(id).await?;
        Ok((id.0, is_new, windows.people))
    }

    fn opened(id: i64, is_new: bool, people: i64, sheet: &Sheet<'_>) -> Body {
        let (id, people) = (id.to_string(), people.to_string());
        let text = if is_new {
            Text::IncidentOpened {
                id: &id,
                people: &people,
            }
        } else {
            Text::IncidentOpenAlready { id: &id }
        };
        Body::text(sheet.say(&text))
    }

    /// Decides a proposal: of any number who try at once one does, and the others hear who. A confirmed number of desks is
    /// planned with from now on, and windows at that site that no longer fit move later.
    pub async fn decide(
        &self,
        id: ProposalId,
        confirm: bool,
        worker: &Worker,
        origin: &str,
        now: DateTime<Utc>,
    ) -> Result<Outcome, StoreError> {
        let Some(proposal) = self.store.proposal(id).await? else {
            return Ok(Outcome::Unknown);
        };
        let right = site::right_to_decide(proposal.kind);
        let actor = Actor::Worker(worker.id);
        if !may(worker, right, &proposal.area) {
            let refused = NewAudit::refused(actor, right, format!("proposal:{id}"));
            self.store.audit(&refused, now).await?;
            return Ok(Outcome::Refused(right, proposal.area));
        }
        let decided = self
            .store
            .decide_proposal(id, confirm, actor, origin, now)
            .await?;
        let proposal = match decided {
            None => return Ok(Outcome::Unknown),
            Some(Decided::Before(proposal)) => return Ok(Outcome::Before(proposal)),
            Some(Decided::Now(proposal)) => proposal,
        };
        if !confirm {
            return Ok(Outcome::Left);
        }
        if proposal.kind == ProposalKind::Incident {
            let reason = proposal.reason.unwrap_or(IncidentReason::Other);
            let (id, is_new, people) = self.open(proposal.scope, reason, worker, now).await?;
            return Ok(Outcome::Incident(id, is_new, people));
        }
        let moved = match proposal.scope {
            FieldScope::Site(site) => self.move_windows(site, now).await?,
            _ => Replanned::default(),
        };
        Ok(Outcome::Desks(proposal, moved))
    }

    /// Moves what does not fit at this site any more, in every round under way. Asking again moves nothing more.
    async fn move_windows(&self, site: SiteId, now: DateTime<Utc>) -> Result<Replanned, StoreError> {
        let quota = ReplanQuota {
            site: Some(site),
            ..ReplanQuota::default()
        };
        let mut all = Replanned::default();
        for round in self.store.rounds().await? {
            if !matches!(round.state, RoundState::Releasing | RoundState::Paused) {
                continue;
            }
            match replan::replan(self.store, self.config, &round, &quota, now).await {
                Ok(moved) => {
                    all.moved_units += moved.moved_units;
                    all.told_units += moved.told_units;
                    all.people += moved.people;
                    all.minutes_max = all.minutes_max.max(moved.minutes_max);
                    all.over_capacity += moved.over_capacity;
                    all.stuck_recipients += moved.stuck_recipients;
                }
                Err(error) => {
                    let round = round.id.0;
                    tracing::error!(round, %error, "windows of round {round} could not be moved for a site's new desks");
                }
            }
        }
        Ok(all)
    }

    async fn decided(&self, outcome: Outcome, sheet: &Sheet<'_>) -> Result<Carried, StoreError> {
        Ok(match outcome {
            Outcome::Unknown => Carried::say(sheet.old()),
            // What was refused is on record.
            Outcome::Refused(right, area) => Carried {
                refused: Some((right, area)),
                ..Carried::default()
            },
            Outcome::Before(proposal) => {
                let name = self.name(proposal.decided_by).await?;
                Carried::say(sheet.decided(&proposal, &name))
            }
            Outcome::Left => Carried::say(Body::text(sheet.say(&Text::ProposalYours))),
            Outcome::Incident(id, is_new, people) => Carried::say(Self::opened(id, is_new, people, sheet)),
            Outcome::Desks(proposal, moved) => {
                let place = self.place(proposal.scope).await?;
                let place = place.map(|(name, _)| name).unwrap_or_default();
                Carried::say(desks_set(&place, &proposal, &moved, sheet))
            }
        })
    }

    /// What somebody is called; empty for the machine's owner.
    pub(super) async fn name(&self, actor: Option<Actor>) -> Result<String, StoreError> {
        Ok(match actor {
            Some(Actor::Worker(id)) => {
                let worker = self.store.worker(id).await?;
                worker.map(|worker| worker.name).unwrap_or_default()
            }
            _ => String::new(),
        })
    }

    async fn see_to(
        &self,
        id: AlertId,
        worker: &Worker,
        sheet: &Sheet<'_>,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let Some(alert) = self.store.alert(id).await? else {
            return Ok(Carried::say(sheet.old()));
        };
        if !self.may_see_to(&alert, worker).await? {
            let right = alerts::right(alert.kind);
            let whom = format!("alert:{id}");
            return self.refuse(worker, (right, alert.area), whom, now).await;
        }
        let actor = Actor::Worker(worker.id);
        let text = match self.store.acknowledge_alert(id, actor, now).await? {
            Some(Acknowledged::Now) => sheet.say(&Text::AlertSeen),
            Some(Acknowledged::Before(other)) => {
                let name = self.name(Some(other)).await?;
                sheet.say(&Text::InboxTaken { name: &name })
            }
            Some(Acknowledged::Over) | None => sheet.say(&Text::AlertOver),
        };
        Ok(Carried::say(Body::text(text)))
    }

    /// Whether a worker may see to an alert.
    pub async fn may_see_to(&self, alert: &Alert, worker: &Worker) -> Result<bool, StoreError> {
        // Nobody is above the role that may at all.
        if worker.removed || worker.role < Role::Worker {
            return Ok(false);
        }
        Ok(alerts::may_see_to(alert, worker, &self.store.workers().await?))
    }
}

fn desks_set(place: &str, proposal: &Proposal, moved: &Replanned, sheet: &Sheet<'_>) -> Body {
    let number = |n: u64| n.to_string();
    let after = proposal.desks.1.to_string();
    let mut lines = vec![sheet.say(&Text::ProposalDesksSet { place, after: &after })];
    lines.push(if moved.moved_units == 0 {
        sheet.say(&Text::ProposalNotMoved)
    } else {
        sheet.say(&Text::ProposalMoved {
            windows: &number(moved.moved_units as u64),
            people: &number(moved.people),
            minutes: &moved.minutes_max.to_string(),
        })
    });
    if moved.stuck_recipients > 0 {
        lines.push(sheet.say(&Text::ProposalStuck {
            count: &number(moved.stuck_recipients),
        }));
    }
    Body::text(lines.join("\n"))
}

/// A message to a worker.
pub(super) fn message(key: String, contact: ContactId, body: Body, now: DateTime<Utc>) -> NewDelivery {
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
        expires_at: now + EXPIRES,
    }
}
