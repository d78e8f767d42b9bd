//! What workers do about visits at home in their chats, and what they are told of them unasked.

use chrono::{DateTime, Utc};

use crate::{
    channels::sms::segment,
    config::Config,
    domain::{Actor, Area, Body, ContactId, RaisedTo, Right, Role, Visit, VisitState, Worker},
    i18n::{Texts, visits::VisitTeller},
    store::{NewAudit, Store, StoreError, VisitAnswer, VisitChange, VisitFilter, VisitNews},
    workers::visits::{self, Decision, Sheet, Wish},
};

/// Visits that `/visits` shows at once.
const LISTED_MAX: usize = 10;
const SEEN: [VisitState; 5] = [
    VisitState::OnTheWay,
    VisitState::Scheduled,
    VisitState::Asked,
    VisitState::Accepted,
    VisitState::Missed,
];

/// What is needed to act on visits.
#[derive(Clone, Copy, Debug)]
pub struct Visits<'a> {
    /// Where they are.
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
    /// They may not, in this area.
    pub refused: Option<(Right, Area)>,
}

impl<'a> Visits<'a> {
    fn sheet(&self, worker: &'a Worker) -> Sheet<'a> {
        Sheet {
            texts: self.texts,
            config: self.config,
            worker,
        }
    }

    /// Does what a worker wants of visits; `key` names their message, so that a repeat does nothing twice.
    pub async fn carry_out(
        &self,
        wish: &Wish,
        worker: &'a Worker,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Carried, StoreError> {
        let sheet = self.sheet(worker);
        let visit = match wish.seen() {
            Some(seen) => self.store.visit(seen.visit).await?,
            None => None,
        };
        if visit.is_none() && *wish != Wish::List {
            return Ok(Carried {
                replies: vec![sheet.none()],
                ..Carried::default()
            });
        }
        let area = visit.as_ref().map(|visit| Area::of(&visit.place));
        let actor = Actor::Worker(worker.id);
        let whom = visit.as_ref().map(|visit| format!("visit:{}", visit.id));
        let whom = whom.unwrap_or_default();
        let allowed = match visits::decide(wish, worker, area.as_ref()) {
            Decision::Do(allowed) => allowed,
            Decision::Refused(right, area) => {
                let refused = NewAudit::refused(actor, right, whom);
                self.store.audit(&refused, now).await?;
                return Ok(Carried {
                    refused: Some((right, area)),
                    ..Carried::default()
                });
            }
        };
        let Some(visit) = visit else {
            return self.list(worker, now).await;
        };
        let replies = match allowed.wish() {
            Wish::List => Vec::new(),
            Wish::Choose(_, act) => vec![sheet.choices(&visit, *act, &self.store.teams().await?)],
            Wish::Do(seen, act) => {
                // Of two who act at once one act is done, and one goes on record.
                let record = NewAudit::new(actor, format!("visit.{}", act.kind()), whom);
                let change = VisitChange {
                    seen: Some(seen.revision),
                    key: Some(key.to_owned()),
                    record: Some(record),
                    ..VisitChange::new(visit.id, act.clone(), allowed.by().clone())
                };
                let teller = VisitTeller::new(self.texts, self.config, segment::parts);
                match self.store.act_on_visit(&change, &teller, now).await? {
                    VisitAnswer::Done(visit) | VisitAnswer::Already(visit) => vec![sheet.card(&visit)],
                    VisitAnswer::Refused { visit, refusal } => sheet.refused(&refusal, visit.as_ref()),
                }
            }
        };
        Ok(Carried {
            replies,
            refused: None,
        })
    }

    /// What is this worker's today, in the order of the way.
    async fn list(&self, worker: &'a Worker, now: DateTime<Utc>) -> Result<Carried, StoreError> {
        let filter = VisitFilter {
            states: SEEN.to_vec(),
            ..VisitFilter::default()
        };
        let teams = self.store.teams().await?;
        let zone = self.config.city.time_zone;
        let today = now.with_timezone(&zone).date_naive();
        let due = |visit: &&Visit| {
            let promised = visit
                .promise
                .map(|promise| promise.from.with_timezone(&zone).date_naive());
            // Who was not met on an earlier day is not on today's way.
            match visit.state {
                VisitState::Missed => promised == Some(today),
                _ => promised.is_none_or(|date| date <= today),
            }
        };
        let all = self.store.visits(&filter).await?;
        let mut theirs: Vec<&Visit> = all
            .iter()
            .filter(due)
            .filter(|visit| visits::is_theirs(worker, visit, &teams))
            .collect();
        theirs.sort_by_key(|visit| visit.state == VisitState::Missed);
        let sheet = self.sheet(worker);
        let shown = theirs.iter().take(LISTED_MAX);
        let mut replies: Vec<Body> = shown.map(|visit| sheet.card(visit)).collect();
        if theirs.len() > LISTED_MAX {
            replies.push(sheet.more(theirs.len() - LISTED_MAX));
        }
        if replies.is_empty() {
            replies.push(sheet.none());
        }
        Ok(Carried {
            replies,
            refused: None,
        })
    }

    /// Who is told of something that happened to a visit, and what. Each hears it once.
    pub async fn told(
        &self,
        news: &VisitNews,
        workers: &'a [Worker],
    ) -> Result<Vec<(String, ContactId, Body)>, StoreError> {
        let Some(visit) = self.store.visit(news.visit).await? else {
            return Ok(Vec::new());
        };
        let key = |contact: ContactId| format!("visit_news:{}:{contact}", news.line);
        let chat = |worker: &'a Worker| worker.contact.map(|contact| (worker, contact));
        let Some(level) = news.raised else {
            let Some(team) = visit.team else {
                return Ok(Vec::new());
            };
            let team = self.store.team(team).await?;
            let members = workers.iter().filter(|worker| {
                team.as_ref().is_some_and(|team| visits::is_of(worker, team))
                    && visits::may_act(worker, &visit)
            });
            let said = members
                .filter_map(chat)
                .map(|(worker, contact)| (key(contact), contact, self.sheet(worker).called_off(&visit)));
            return Ok(said.collect());
        };
        if !visit.state.is_open() {
            return Ok(Vec::new());
        }
        let role = match level {
            RaisedTo::Coordinator => Role::Coordinator,
            RaisedTo::Operator => Role::Operator,
        };
        let able: Vec<&Worker> = workers
            .iter()
            .filter(|worker| {
                worker.role >= role && worker.contact.is_some() && visits::may_act(worker, &visit)
            })
            .collect();
        // Those on duty; where none is, all of them: somebody must.
        let on_duty = able.iter().any(|worker| worker.on_duty);
        let told = able.into_iter().filter(|worker| worker.on_duty || !on_duty);
        let said = told
            .filter_map(chat)
            .map(|(worker, contact)| (key(contact), contact, self.sheet(worker).raised(&visit)));
        Ok(said.collect())
    }
}
