//! What workers see at their sites, and what they propose because of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    NewAudit, Result, Store, StoreError, append_audit, in_transaction, on_pool, service::instant, take_ids,
};
use crate::domain::{
    Actor, Area, FieldScope, IncidentReason, Proposal, ProposalId, ProposalKind, ProposalState, QueueLength,
    ReportId, SiteId, SiteReport, Supplies, Trouble, WorkerId,
};

pub(super) const PHOTO: &str = "site_reports.photo";

/// What a worker says of a site with one tap, or with several on the same keyboard.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// Worker, site and minute: a later tap with the same key mends the report, and makes no second one.
    pub key: String,
    /// Where.
    pub site: SiteId,
    /// Who.
    pub worker: WorkerId,
    /// How long the line is.
    pub queue: QueueLength,
    /// Those in it keep their distance.
    pub apart: bool,
    /// Open desks, the green ones included.
    pub desks: u32,
    /// Staff is missing.
    pub staff_short: bool,
    /// What it adds to what was said with the same key before.
    pub rest: Rest,
}

/// The last answer of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// All is well.
    Well,
    /// Supplies are not enough.
    Supplies(Supplies),
    /// Something else is wrong.
    Trouble(Trouble),
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It was this one's.
    Now(Proposal),
    /// Another was faster, or a newer report overtook it.
    Before(Proposal),
}

#[derive(sqlx::FromRow)]
struct ReportRow {
    id: i64,
    site_id: i64,
    worker_id: i64,
    at: i64,
    queue: String,
    apart: i64,
    desks: i64,
    staff_short: i64,
    supplies: String,
    trouble: String,
    photo: String,
}

const REPORTS: &str = "select r.id, r.site_id, r.worker_id, r.at, r.queue, r.apart, r.desks, r.staff_short, \
    r.supplies, r.trouble, r.photo from site_reports r";

#[derive(sqlx::FromRow)]
struct ProposalRow {
    id: i64,
    kind: String,
    scope: String,
    area: String,
    reason: String,
    desks_before: i64,
    desks_after: i64,
    proposed_by: String,
    at: i64,
    state: String,
    decided_by: String,
}

const PROPOSALS: &str = "select id, kind, scope, area, reason, desks_before, desks_after, proposed_by, at, state, \
    decided_by \
    from proposals";

impl ProposalRow {
    fn into_proposal(self) -> Result<Proposal> {
        let corrupt = |column: &str| StoreError::Corrupt(format!("proposals.{column}"));
        Ok(Proposal {
            id: ProposalId(self.id),
            kind: ProposalKind::parse(&self.kind).ok_or_else(|| corrupt("kind"))?,
            scope: FieldScope::parse(&self.scope).ok_or_else(|| corrupt("scope"))?,
            area: self.area.parse().map_err(|_| corrupt("area"))?,
            reason: IncidentReason::parse(&self.reason),
            desks: (desks(self.desks_before), desks(self.desks_after)),
            by: self.proposed_by.parse().map_err(|_| corrupt("proposed_by"))?,
            at: instant(self.at),
            state: ProposalState::parse(&self.state).ok_or_else(|| corrupt("state"))?,
            decided_by: self.decided_by.parse().ok(),
        })
    }
}

fn desks(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}

/// A proposal to be written down.
struct NewProposal {
    kind: ProposalKind,
    scope: FieldScope,
    area: Area,
    reason: Option<IncidentReason>,
    desks: (i64, i64),
    report: Option<i64>,
    by: Actor,
}

/// What those above left as it is is not proposed to them again so soon.
const LEFT_HOLDS: TimeDelta = TimeDelta::hours(2);

/// Writes a proposal down within a transaction, in place of one about the same that says something else; gives its id and
/// whether it is new.
macro_rules! propose {
    ($store:ident, $tx:ident, $new:expr, $now:expr) => {{
        let (new, now): (&NewProposal, DateTime<Utc>) = ($new, $now);
        let reason = new.reason.map_or("", IncidentReason::as_str);
        let waiting: Option<(i64, i64, String)> = sqlx::query_as(
            "select id, desks_after, reason from proposals where kind = $1 and scope = $2 and state = 'waiting'",
        )
        .bind(new.kind.as_str())
        .bind(new.scope.to_string())
        .fetch_optional(&mut *$tx)
        .await?;
        // Who left it as it was knows that; a while later it is worth asking again.
        let left: Option<(i64,)> = sqlx::query_as(
            "select id from proposals where kind = $1 and scope = $2 and state = 'left' and desks_after = $3 \
               and reason = $4 and decided_at > $5",
        )
        .bind(new.kind.as_str())
        .bind(new.scope.to_string())
        .bind(new.desks.1)
        .bind(reason)
        .bind((now - LEFT_HOLDS).timestamp_millis())
        .fetch_optional(&mut *$tx)
        .await?;
        match waiting {
            Some((id, after, said)) if (after, said.as_str()) == (new.desks.1, reason) => (id, false),
            None if left.is_some() => (left.map_or(0, |(id,)| id), false),
            other => {
                if let Some((id, ..)) = other {
                    sqlx::query("update proposals set state = 'overtaken', decided_at = $2 where id = $1")
                        .bind(id)
                        .bind(now.timestamp_millis())
                        .execute(&mut *$tx)
                        .await?;
                }
                let id = take_ids!($tx, "proposals", 1);
                sqlx::query(
                    "insert into proposals (id, kind, scope, area, reason, desks_before, desks_after, report_id, \
                       proposed_by, at, state) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'waiting')",
                )
                .bind(id)
                .bind(new.kind.as_str())
                .bind(new.scope.to_string())
                .bind(new.area.to_string())
                .bind(reason)
                .bind(new.desks.0)
                .bind(new.desks.1)
                .bind(new.report)
                .bind(new.by.to_string())
                .bind(now.timestamp_millis())
                .execute(&mut *$tx)
                .await?;
                let record = NewAudit::new(
                    new.by,
                    format!("proposal.{}", new.kind.as_str()),
                    format!("proposal:{id} {}", new.scope),
                );
                append_audit!($store, $tx, &record, now);
                (id, true)
            }
        }
    }};
}

/// Writes a report down within a transaction, on record, or mends the one of its key; gives its id.
macro_rules! write_report {
    ($store:ident, $tx:ident, $new:expr, $now:expr) => {{
        let (new, now): (&NewReport, DateTime<Utc>) = ($new, $now);
        let known: Option<(i64, String, String)> =
            sqlx::query_as("select id, supplies, trouble from site_reports where key = $1")
                .bind(&new.key)
                .fetch_optional(&mut *$tx)
                .await?;
        let (id, said) = match known {
            Some((id, supplies, trouble)) => (id, (supplies, trouble)),
            None => (
                take_ids!($tx, "site_reports", 1),
                (Supplies::Enough.as_str().to_owned(), String::new()),
            ),
        };
        let (supplies, trouble) = match new.rest {
            Rest::Well => (Supplies::Enough.as_str().to_owned(), String::new()),
            Rest::Supplies(supplies) => (supplies.as_str().to_owned(), said.1),
            Rest::Trouble(trouble) => (said.0, trouble.as_str().to_owned()),
        };
        sqlx::query(
            "insert into site_reports (id, key, site_id, worker_id, at, queue, apart, desks, staff_short, supplies, \
               trouble) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             on conflict (key) do update set queue = $6, apart = $7, desks = $8, staff_short = $9, supplies = $10, \
               trouble = $11",
        )
        .bind(id)
        .bind(&new.key)
        .bind(new.site.0)
        .bind(new.worker.0)
        .bind(now.timestamp_millis())
        .bind(new.queue.as_str())
        .bind(i64::from(new.apart))
        .bind(i64::from(new.desks))
        .bind(i64::from(new.staff_short))
        .bind(&supplies)
        .bind(&trouble)
        .execute(&mut *$tx)
        .await?;
        let whom = format!("report:{id} site:{}", new.site);
        append_audit!($store, $tx, &NewAudit::new(Actor::Worker(new.worker), "site.report", whom), now);
        id
    }};
}

/// What a report proposes: another number of desks than the site's, or an incident where none is open. Gives the
/// proposal's id.
macro_rules! propose_of {
    ($store:ident, $tx:ident, $new:expr, $id:expr, $now:expr) => {{
        let (new, now): (&NewReport, DateTime<Utc>) = ($new, $now);
        let site: Option<(i64, String, String, String)> =
            sqlx::query_as("select desks, district, street, community from sites where id = $1")
                .bind(new.site.0)
                .fetch_optional(&mut *$tx)
                .await?;
        let mut proposal = None;
        if let Some((planned, district, street, community)) = site {
            let scope = FieldScope::Site(new.site);
            if i64::from(new.desks) == planned || new.desks == 0 {
                // What was proposed before is not so any more; a closed site is no matter of desks.
                sqlx::query(
                    "update proposals set state = 'overtaken', decided_at = $2 where kind = 'desks' \
                     and scope = $1 and state = 'waiting'",
                )
                .bind(scope.to_string())
                .bind(now.timestamp_millis())
                .execute(&mut *$tx)
                .await?;
            }
            let closed = new.desks == 0;
            let declared: Option<(i64,)> = sqlx::query_as(
                "select i.id from incidents i where i.state = 'open' and (i.everywhere = 1 or exists \
                   (select 1 from incident_scopes z where z.incident_id = i.id and z.site_id = $1))",
            )
            .bind(new.site.0)
            .fetch_optional(&mut *$tx)
            .await?;
            // A fault that is declared there already need not be proposed.
            if i64::from(new.desks) != planned && (!closed || declared.is_none()) {
                let proposed = NewProposal {
                    kind: if closed {
                        ProposalKind::Incident
                    } else {
                        ProposalKind::Desks
                    },
                    scope,
                    area: Area::Community([district, street, community]),
                    reason: closed.then_some(IncidentReason::Closed),
                    desks: if closed {
                        (0, 0)
                    } else {
                        (planned, i64::from(new.desks))
                    },
                    report: Some($id),
                    by: Actor::Worker(new.worker),
                };
                proposal = Some(propose!($store, $tx, &proposed, now).0);
            }
        }
        proposal
    }};
}

impl Store {
    fn report_row(&self, row: &ReportRow) -> Result<SiteReport> {
        let corrupt = |column: &str| StoreError::Corrupt(format!("site_reports.{column}"));
        Ok(SiteReport {
            id: ReportId(row.id),
            site: SiteId(row.site_id),
            worker: WorkerId(row.worker_id),
            at: instant(row.at),
            queue: QueueLength::parse(&row.queue).ok_or_else(|| corrupt("queue"))?,
            apart: row.apart == 1,
            desks: desks(row.desks),
            staff_short: row.staff_short == 1,
            supplies: Supplies::parse(&row.supplies).ok_or_else(|| corrupt("supplies"))?,
            trouble: Trouble::parse(&row.trouble),
            photo: if row.photo.is_empty() {
                None
            } else {
                Some(self.keys.open_text(PHOTO, row.id, &row.photo)?)
            },
        })
    }

    /// Stores what a worker saw, on record; where the number of open desks is another than the site's, it becomes a
    /// proposal. Gives the report, and the proposal that waits because of it.
    pub async fn report_site(
        &self,
        new: &NewReport,
        now: DateTime<Utc>,
    ) -> Result<(SiteReport, Option<ProposalId>)> {
        let (report, proposal) = in_transaction!(self, |tx| {
            let id = write_report!(self, tx, new, now);
            let proposal = propose_of!(self, tx, new, id, now);
            let row: ReportRow = sqlx::query_as(AT_ID).bind(id).fetch_one(&mut *tx).await?;
            (row, proposal)
        });
        Ok((self.report_row(&report)?, proposal.map(ProposalId)))
    }

    /// A report.
    pub async fn site_report(&self, id: ReportId) -> Result<Option<SiteReport>> {
        let row: Option<ReportRow> = on_pool!(self, |pool| {
            sqlx::query_as(AT_ID).bind(id.0).fetch_optional(pool).await?
        });
        row.map(|row| self.report_row(&row)).transpose()
    }

    /// Adds a photo to a report of this worker; none where it is not theirs.
    pub async fn photograph_report(
        &self,
        id: ReportId,
        worker: WorkerId,
        photo: &str,
    ) -> Result<Option<SiteReport>> {
        let sealed = self.keys.seal(PHOTO, id.0, photo.as_bytes());
        let row: Option<ReportRow> = in_transaction!(self, |tx| {
            sqlx::query("update site_reports set photo = $3 where id = $1 and worker_id = $2")
                .bind(id.0)
                .bind(worker.0)
                .bind(&sealed)
                .execute(&mut *tx)
                .await?;
            sqlx::query_as(AT_ID).bind(id.0).fetch_optional(&mut *tx).await?
        });
        let report = row.map(|row| self.report_row(&row)).transpose()?;
        Ok(report.filter(|report| report.worker == worker))
    }

    /// The newest report of each site.
    pub async fn latest_reports(&self) -> Result<Vec<SiteReport>> {
        let sql = self.sql_of(&format!(
            "{REPORTS} where r.id = (select n.id from site_reports n where n.site_id = r.site_id \
               order by n.at desc, n.id desc limit 1) order by r.site_id"
        ));
        let rows: Vec<ReportRow> = on_pool!(self, |pool| { sqlx::query_as(sql).fetch_all(pool).await? });
        rows.into_iter().map(|row| self.report_row(&row)).collect()
    }

    /// The site that a worker reported from last, not longer ago than `since`.
    pub async fn last_site_of(&self, worker: WorkerId, since: DateTime<Utc>) -> Result<Option<SiteId>> {
        let row: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select site_id from site_reports where worker_id = $1 and at >= $2 order by at desc, id desc limit 1",
            )
            .bind(worker.0)
            .bind(since.timestamp_millis())
            .fetch_optional(pool)
            .await?
        });
        Ok(row.map(|row| SiteId(row.0)))
    }

    /// Proposes an incident, on record; gives the proposal and whether it is new.
    pub async fn propose_incident(
        &self,
        scope: FieldScope,
        area: &Area,
        reason: IncidentReason,
        by: Actor,
        now: DateTime<Utc>,
    ) -> Result<(ProposalId, bool)> {
        let new = NewProposal {
            kind: ProposalKind::Incident,
            scope,
            area: area.clone(),
            reason: Some(reason),
            desks: (0, 0),
            report: None,
            by,
        };
        let (id, is_new) = in_transaction!(self, |tx| { propose!(self, tx, &new, now) });
        Ok((ProposalId(id), is_new))
    }

    /// A proposal.
    pub async fn proposal(&self, id: ProposalId) -> Result<Option<Proposal>> {
        let row: Option<ProposalRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql_of(&format!("{PROPOSALS} where id = $1")))
                .bind(id.0)
                .fetch_optional(pool)
                .await?
        });
        row.map(ProposalRow::into_proposal).transpose()
    }

    /// The proposals that wait, the oldest first.
    pub async fn waiting_proposals(&self) -> Result<Vec<Proposal>> {
        let rows: Vec<ProposalRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql_of(&format!("{PROPOSALS} where state = 'waiting' order by id")))
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(ProposalRow::into_proposal).collect()
    }

    /// What nobody has decided by then is not so any more; gives how many.
    pub async fn overtake_proposals(&self, before: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update proposals set state = 'overtaken', decided_at = $2 where state = 'waiting' and at < $1",
            )
            .bind(before.timestamp_millis())
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        }))
    }

    /// Decides a proposal, on record: of any number who try at once, one does. A confirmed number of desks is the site's
    /// from now on. `origin` names the message that decides, so that a repeat of it is told the same.
    pub async fn decide_proposal(
        &self,
        id: ProposalId,
        confirm: bool,
        actor: Actor,
        origin: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Decided>> {
        let to = if confirm {
            ProposalState::Confirmed
        } else {
            ProposalState::Left
        };
        let record = NewAudit::new(
            actor,
            format!("proposal.{}", to.as_str()),
            format!("proposal:{id}"),
        );
        let row: Option<(String,)> = in_transaction!(self, |tx| {
            let won = sqlx::query(
                "update proposals set state = $2, decided_by = $3, decided_origin = $4, decided_at = $5 \
                 where id = $1 and state = 'waiting'",
            )
            .bind(id.0)
            .bind(to.as_str())
            .bind(actor.to_string())
            .bind(origin)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if won {
                append_audit!(self, tx, &record, now);
                if confirm {
                    // Where both lanes are served, the regular one keeps a desk as long as there is one.
                    sqlx::query(
                        "update sites set desks = (select p.desks_after from proposals p where p.id = $1), \
                           green_desks = (select case when sites.green_desks >= sites.desks then p.desks_after \
                             when sites.green_desks > p.desks_after - 1 then p.desks_after - 1 \
                             else sites.green_desks end from proposals p where p.id = $1) \
                         where (select p.kind from proposals p where p.id = $1) = 'desks' \
                           and (select p.scope from proposals p where p.id = $1) = 'site:' || sites.id",
                    )
                    .bind(id.0)
                    .execute(&mut *tx)
                    .await?;
                }
            }
            sqlx::query_as("select decided_origin from proposals where id = $1")
                .bind(id.0)
                .fetch_optional(&mut *tx)
                .await?
        });
        let (Some((decided_origin,)), Some(proposal)) = (row, self.proposal(id).await?) else {
            return Ok(None);
        };
        Ok(Some(if decided_origin == origin {
            Decided::Now(proposal)
        } else {
            Decided::Before(proposal)
        }))
    }
}

const AT_ID: &str = "select id, site_id, worker_id, at, queue, apart, desks, staff_short, supplies, trouble, photo \
    from site_reports where id = $1";
