//! Workers, their invitations, and what each is in the middle of in their chat.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    NewAudit, NewDelivery, Result, Store, StoreError, append_audit, in_transaction, json, on_pool,
    outbox::{INSERT, INSERT_BODIES, MAKE_LIVE},
    service::{instant, known},
    take_ids,
};
use crate::domain::{
    Actor, ContactId, InboundId, Language, PhoneNumber, Role, Scope, Worker, WorkerId, may_grant,
};

pub(super) const WORKER_NAME: &str = "workers.name";
pub(super) const INVITED_PHONE: &str = "invitations.phone";
pub(super) const DESK_STATE: &str = "desks.state";

/// A worker to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorker {
    /// What they are called: personal data. No two are called the same.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// For which areas.
    pub scope: Scope,
    /// How they are spoken to.
    pub language: Option<Language>,
}

/// An invitation to be written down: its token only as a hash.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Who is invited.
    pub worker: WorkerId,
    /// SHA-256 of the token, as text.
    pub token_hash: String,
    /// The phone that they must prove to be theirs.
    pub phone: PhoneNumber,
    /// Not after.
    pub expires_at: DateTime<Utc>,
}

/// An invitation as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invitation {
    /// Its id.
    pub id: i64,
    /// Who is invited.
    pub worker: WorkerId,
    /// Who invited them, as [`Actor`] prints.
    pub invited_by: String,
    /// When.
    pub invited_at: DateTime<Utc>,
    /// Not after.
    pub expires_at: DateTime<Utc>,
    /// It was accepted.
    pub accepted_at: Option<DateTime<Utc>>,
    /// It was taken back, before or after it was accepted.
    pub undone_at: Option<DateTime<Utc>>,
}

impl Invitation {
    /// It may be accepted still.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.accepted_at.is_none() && self.undone_at.is_none() && now < self.expires_at
    }
}

/// What became of an invitation that was opened or whose phone was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The chat belongs to this worker now; whoever invited them is to hear of it.
    Now {
        /// The invitation.
        invitation: i64,
        /// Who they are.
        worker: Worker,
        /// Who invited them.
        invited_by: Actor,
    },
    /// The phone is another one than the one that was invited.
    OtherPhone,
    /// There is no open invitation: unknown, too old, used or taken back.
    Gone,
    /// The chat belongs to a worker already.
    WorkerAlready,
}

/// What a desk's answer changes, stored together with the mark that the message is answered.
#[derive(Clone, Debug, Default)]
pub struct DeskRow {
    /// What the worker is in the middle of then, as JSON; none for nothing.
    pub state: Option<String>,
    /// The replies.
    pub replies: Vec<NewDelivery>,
    /// The name of the live message that the last reply is edited into.
    pub live: Option<String>,
}

#[derive(sqlx::FromRow)]
struct WorkerRow {
    id: i64,
    name: String,
    role: String,
    scope: String,
    contact_id: Option<i64>,
    language: Option<String>,
    on_duty: i64,
    removed_at: Option<i64>,
}

const COLUMNS: &str = "select id, name, role, scope, contact_id, language, on_duty, removed_at from workers";

type InvitationRow = (i64, i64, String, i64, i64, Option<i64>, Option<i64>);

fn invitation(
    (id, worker, invited_by, invited_at, expires_at, accepted_at, undone_at): InvitationRow,
) -> Invitation {
    Invitation {
        id,
        worker: WorkerId(worker),
        invited_by,
        invited_at: instant(invited_at),
        expires_at: instant(expires_at),
        accepted_at: accepted_at.map(instant),
        undone_at: undone_at.map(instant),
    }
}

/// Takes a worker's rights and whatever still speaks in their name; what they saw to is anybody's again.
const REMOVAL: [&str; 5] = [
    "update workers set removed_at = $2, changed_at = $2, on_duty = 0 where id = $1 and removed_at is null",
    "update invitations set undone_at = $2, phone = '' where worker_id = $1 and accepted_at is null \
       and undone_at is null",
    "delete from desks where contact_id in (select w.contact_id from workers w where w.id = $1 and $2 > 0)",
    "update threads set claimed_by = null, held_at = $2 where claimed_by = $1 and state = 'open'",
    "update alerts set acked_by = '', acked_at = null \
       where acked_by = 'worker:' || cast(cast($1 as bigint) as text) and over_at is null and $2 > 0",
];

impl Store {
    pub(super) fn worker_name_hash(&self, name: &str) -> String {
        self.keys.hash("worker", name.trim().as_bytes())
    }

    fn worker_row(&self, row: WorkerRow) -> Result<Worker> {
        let corrupt = |_| StoreError::Corrupt(format!("workers.scope = {:?}", row.scope));
        Ok(Worker {
            id: WorkerId(row.id),
            // An erased name is empty.
            name: if row.name.is_empty() {
                String::new()
            } else {
                self.keys.open_text(WORKER_NAME, row.id, &row.name)?
            },
            role: known(row.role.parse().ok(), "workers.role", &row.role)?,
            scope: row.scope.parse().map_err(corrupt)?,
            contact: row.contact_id.map(ContactId),
            language: row.language.and_then(|code| code.parse().ok()),
            on_duty: row.on_duty == 1,
            removed: row.removed_at.is_some(),
        })
    }

    async fn worker_list(&self, condition: &str, value: i64) -> Result<Vec<Worker>> {
        let sql = self.sql_of(&format!("{COLUMNS} where {condition} order by id"));
        let rows: Vec<WorkerRow> = on_pool!(self, |pool| {
            sqlx::query_as(sql).bind(value).fetch_all(pool).await?
        });
        rows.into_iter().map(|row| self.worker_row(row)).collect()
    }

    /// Every worker who is one still.
    pub async fn workers(&self) -> Result<Vec<Worker>> {
        self.worker_list("removed_at is null and $1 = 0", 0).await
    }

    /// Somebody was added once: since then nobody acts as the machine's owner.
    pub async fn knows_workers(&self) -> Result<bool> {
        let known: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as("select id from workers limit 1")
                .fetch_optional(pool)
                .await?
        });
        Ok(known.is_some())
    }

    /// One worker, also one who was removed.
    pub async fn worker(&self, id: WorkerId) -> Result<Option<Worker>> {
        Ok(self.worker_list("id = $1", id.0).await?.pop())
    }

    /// The worker of this name, if they are one still.
    pub async fn worker_named(&self, name: &str) -> Result<Option<Worker>> {
        let hash = self.worker_name_hash(name);
        let row: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as("select id from workers where name_hash = $1 and removed_at is null")
                .bind(hash)
                .fetch_optional(pool)
                .await?
        });
        match row {
            Some((id,)) => self.worker(WorkerId(id)).await,
            None => Ok(None),
        }
    }

    /// The worker whose chat this is, if they are one still. Ask at each command and each press.
    pub async fn worker_of_contact(&self, contact: ContactId) -> Result<Option<Worker>> {
        let found = self
            .worker_list("contact_id = $1 and removed_at is null", contact.0)
            .await?;
        Ok(found.into_iter().next())
    }

    /// Adds a worker, on record. Without a granter it is the first one, as which only a first one is taken.
    pub async fn add_worker(
        &self,
        new: &NewWorker,
        granter: Option<&Worker>,
        now: DateTime<Utc>,
    ) -> Result<WorkerId> {
        let refused = |text: &str| Err(StoreError::Refused(text.into()));
        if let Some(granter) = granter
            && !may_grant(granter, new.role, &new.scope)
        {
            return refused(
                "nobody grants more than they have: a narrower role or scope, or another to add them",
            );
        }
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return refused("a worker's name has 1 to 60 characters on one line");
        }
        let hash = self.worker_name_hash(name);
        let actor = granter.map_or(Actor::Owner, |granter| Actor::Worker(granter.id));
        Ok(in_transaction!(self, |tx| {
            let id = take_ids!(tx, "workers", 1);
            let others: Vec<(i64, String)> =
                sqlx::query_as("select id, name_hash from workers where removed_at is null or $1 = 1")
                    .bind(i64::from(granter.is_none()))
                    .fetch_all(&mut *tx)
                    .await?;
            if granter.is_none() && !others.is_empty() {
                tx.rollback().await?;
                return refused("there are workers already: one of them adds the next, with --as NAME");
            }
            if others.iter().any(|(_, known)| *known == hash) {
                tx.rollback().await?;
                return refused("a worker of this name is there already: names are what --as goes by");
            }
            sqlx::query(
                "insert into workers (id, name, name_hash, role, scope, language, added_by, added_at, changed_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            )
            .bind(id)
            .bind(self.keys.seal(WORKER_NAME, id, name.as_bytes()))
            .bind(&hash)
            .bind(new.role.as_str())
            .bind(new.scope.to_string())
            .bind(new.language.map(Language::code))
            .bind(actor.to_string())
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?;
            let said = NewAudit::new(actor, "worker.add", format!("worker:{id}")).with(format!(
                "{} over {}",
                new.role.as_str(),
                new.scope
            ));
            append_audit!(self, tx, &said, now);
            WorkerId(id)
        }))
    }

    /// Takes all rights from a worker at once, on record; false when they were none. The last operator stays.
    pub async fn remove_worker(&self, id: WorkerId, actor: Actor, now: DateTime<Utc>) -> Result<bool> {
        Ok(in_transaction!(self, |tx| {
            // Taking an id makes removals wait for each other: two may not remove each other's last colleague.
            let _: i64 = take_ids!(tx, "workers", 0);
            let rows: Vec<(i64, String)> =
                sqlx::query_as("select id, role from workers where removed_at is null")
                    .fetch_all(&mut *tx)
                    .await?;
            let is_operator = |row: &(i64, String)| row.1 == Role::Operator.as_str();
            let target = rows.iter().find(|row| row.0 == id.0);
            match target {
                None => false,
                Some(row) if is_operator(row) && rows.iter().filter(|row| is_operator(row)).count() == 1 => {
                    tx.rollback().await?;
                    return Err(StoreError::Refused(
                        "the last operator cannot be removed: add another one first".into(),
                    ));
                }
                Some(_) => {
                    for sql in REMOVAL {
                        sqlx::query(sql)
                            .bind(id.0)
                            .bind(now.timestamp_millis())
                            .execute(&mut *tx)
                            .await?;
                    }
                    append_audit!(
                        self,
                        tx,
                        &NewAudit::new(actor, "worker.remove", format!("worker:{id}")),
                        now
                    );
                    true
                }
            }
        }))
    }

    /// Whether a worker takes what comes in, on record.
    pub async fn set_duty(&self, id: WorkerId, on: bool, now: DateTime<Utc>) -> Result<()> {
        in_transaction!(self, |tx| {
            let changed = sqlx::query(
                "update workers set on_duty = $2, changed_at = $3 where id = $1 and removed_at is null and on_duty <> $2",
            )
            .bind(id.0)
            .bind(i64::from(on))
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if changed == 1 {
                let what = if on { "duty.on" } else { "duty.off" };
                append_audit!(self, tx, &NewAudit::new(Actor::Worker(id), what, ""), now);
            }
        });
        Ok(())
    }

    /// The language a worker is spoken to in.
    pub async fn set_worker_language(
        &self,
        id: WorkerId,
        language: Language,
        now: DateTime<Utc>,
    ) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("update workers set language = $2, changed_at = $3 where id = $1")
                .bind(id.0)
                .bind(language.code())
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Writes an invitation down, on record. Earlier ones of the same worker are taken back.
    pub async fn invite(&self, new: &NewInvitation, actor: Actor, now: DateTime<Utc>) -> Result<i64> {
        Ok(in_transaction!(self, |tx| {
            let id = take_ids!(tx, "invitations", 1);
            sqlx::query(REMOVAL[1])
                .bind(new.worker.0)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "insert into invitations (id, worker_id, token_hash, phone, phone_hash, invited_by, invited_at, \
                   expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(id)
            .bind(new.worker.0)
            .bind(&new.token_hash)
            .bind(self.keys.seal(INVITED_PHONE, id, new.phone.as_e164().as_bytes()))
            .bind(self.phone_hash(&new.phone))
            .bind(actor.to_string())
            .bind(now.timestamp_millis())
            .bind(new.expires_at.timestamp_millis())
            .execute(&mut *tx)
            .await?;
            let said = NewAudit::new(
                actor,
                "worker.invite",
                format!("worker:{} invitation:{id}", new.worker),
            );
            append_audit!(self, tx, &said, now);
            id
        }))
    }

    /// The invitations of a worker, the newest first.
    pub async fn invitations(&self, worker: WorkerId) -> Result<Vec<Invitation>> {
        let rows: Vec<InvitationRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, worker_id, invited_by, invited_at, expires_at, accepted_at, undone_at \
                 from invitations where worker_id = $1 order by id desc",
            )
            .bind(worker.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(invitation).collect())
    }

    /// A chat opened the link of this token: notes that it is to prove the invited phone. False where there is no open
    /// invitation. Another chat may open it too: the one that proves the phone is taken.
    pub async fn open_invitation(
        &self,
        token_hash: &str,
        contact: ContactId,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update invitations set contact_id = $2 where token_hash = $1 and accepted_at is null \
                   and undone_at is null and expires_at > $3",
            )
            .bind(token_hash)
            .bind(contact.0)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1
        }))
    }

    /// A chat that opened an invitation proved its own phone: if it is the invited one, the chat is the worker's.
    pub async fn accept_invitation(
        &self,
        contact: ContactId,
        phone: &PhoneNumber,
        now: DateTime<Utc>,
    ) -> Result<Accepted> {
        let phone_hash = self.phone_hash(phone);
        let accepted = in_transaction!(self, |tx| {
            // Two shares at once wait for each other.
            let _: i64 = take_ids!(tx, "invitations", 0);
            let open: Option<(i64, i64, String, String)> = sqlx::query_as(
                "select i.id, i.worker_id, i.phone_hash, i.invited_by from invitations i \
                 join workers w on w.id = i.worker_id and w.removed_at is null \
                 where i.contact_id = $1 and i.accepted_at is null and i.undone_at is null and i.expires_at > $2 \
                 order by i.id desc limit 1",
            )
            .bind(contact.0)
            .bind(now.timestamp_millis())
            .fetch_optional(&mut *tx)
            .await?;
            let taken: Option<(i64,)> =
                sqlx::query_as("select id from workers where contact_id = $1 and removed_at is null")
                    .bind(contact.0)
                    .fetch_optional(&mut *tx)
                    .await?;
            match open {
                None => Err(Accepted::Gone),
                Some((_, _, invited, _)) if invited != phone_hash => Err(Accepted::OtherPhone),
                Some((_, worker, _, _)) if taken.is_some_and(|(id,)| id != worker) => {
                    Err(Accepted::WorkerAlready)
                }
                Some((id, worker, _, invited_by)) => {
                    let now_ms = now.timestamp_millis();
                    sqlx::query("update invitations set accepted_at = $2, phone = '' where id = $1")
                        .bind(id)
                        .bind(now_ms)
                        .execute(&mut *tx)
                        .await?;
                    sqlx::query("update workers set contact_id = $2, changed_at = $3 where id = $1")
                        .bind(worker)
                        .bind(contact.0)
                        .bind(now_ms)
                        .execute(&mut *tx)
                        .await?;
                    let actor = Actor::Worker(WorkerId(worker));
                    let said = NewAudit::new(actor, "worker.accept", format!("invitation:{id}"));
                    append_audit!(self, tx, &said, now);
                    Ok((id, WorkerId(worker), invited_by))
                }
            }
        });
        let (id, worker, invited_by) = match accepted {
            Ok(accepted) => accepted,
            Err(refused) => return Ok(refused),
        };
        let worker = self
            .worker(worker)
            .await?
            .ok_or_else(|| StoreError::Corrupt(format!("no worker {worker}")))?;
        Ok(Accepted::Now {
            invitation: id,
            worker,
            invited_by: known(invited_by.parse().ok(), "invitations.invited_by", &invited_by)?,
        })
    }

    /// Takes an invitation back, on record. Where it was accepted, the worker loses the chat and all rights with it.
    /// Gives whom it concerned; none where it was taken back already, is another
    /// one's, or is for whoever takes it back: nobody removes themselves so.
    pub async fn undo_invitation(
        &self,
        id: i64,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Option<WorkerId>> {
        Ok(in_transaction!(self, |tx| {
            let row: Option<(i64, Option<i64>)> = sqlx::query_as(
                "update invitations set undone_at = $2, phone = '' where id = $1 and undone_at is null \
                   and invited_by = $3 and 'worker:' || cast(worker_id as text) <> $3 returning worker_id, accepted_at",
            )
            .bind(id)
            .bind(now.timestamp_millis())
            .bind(actor.to_string())
            .fetch_optional(&mut *tx)
            .await?;
            match row {
                None => None,
                Some((worker, accepted_at)) => {
                    if accepted_at.is_some() {
                        for sql in REMOVAL {
                            sqlx::query(sql)
                                .bind(worker)
                                .bind(now.timestamp_millis())
                                .execute(&mut *tx)
                                .await?;
                        }
                    }
                    let whom = format!("worker:{worker} invitation:{id}");
                    append_audit!(self, tx, &NewAudit::new(actor, "worker.undo", whom), now);
                    Some(WorkerId(worker))
                }
            }
        }))
    }

    /// What a chat is in the middle of as a worker's, as JSON, unless that is older than `since`.
    pub async fn desk(&self, contact: ContactId, since: DateTime<Utc>) -> Result<Option<String>> {
        let row: Option<(String,)> = on_pool!(self, |pool| {
            sqlx::query_as("select state from desks where contact_id = $1 and changed_at >= $2")
                .bind(contact.0)
                .bind(since.timestamp_millis())
                .fetch_optional(pool)
                .await?
        });
        row.map(|(sealed,)| Ok(self.keys.open_text(DESK_STATE, contact.0, &sealed)?))
            .transpose()
    }

    /// Marks a message as answered by the desk, and stores the replies and what the worker is in the middle of, together.
    /// False when it was answered already: then nothing is changed.
    pub async fn answer_at_desk(
        &self,
        id: InboundId,
        contact: ContactId,
        row: &DeskRow,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let (insert, insert_bodies) = (self.sql(INSERT), self.sql(INSERT_BODIES));
        let state = row
            .state
            .as_ref()
            .map(|state| self.keys.seal(DESK_STATE, contact.0, state.as_bytes()));
        Ok(in_transaction!(self, |tx| {
            let first_time =
                sqlx::query("update inbound set answered_at = $2 where id = $1 and answered_at is null")
                    .bind(id.0)
                    .bind(now.timestamp_millis())
                    .execute(&mut *tx)
                    .await?
                    .rows_affected()
                    == 1;
            if first_time {
                sqlx::query("delete from desks where contact_id = $1")
                    .bind(contact.0)
                    .execute(&mut *tx)
                    .await?;
                if let Some(state) = &state {
                    sqlx::query("insert into desks (contact_id, state, changed_at) values ($1, $2, $3)")
                        .bind(contact.0)
                        .bind(state)
                        .bind(now.timestamp_millis())
                        .execute(&mut *tx)
                        .await?;
                }
                if !row.replies.is_empty() {
                    let first = take_ids!(tx, "deliveries", row.replies.len());
                    let (rows, bodies) = self.delivery_rows(&row.replies, first, now);
                    sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
                    sqlx::query(insert_bodies)
                        .bind(json(&bodies))
                        .execute(&mut *tx)
                        .await?;
                    if let (Some(name), Some(last)) = (&row.live, row.replies.last()) {
                        sqlx::query(MAKE_LIVE)
                            .bind(&last.key)
                            .bind(name)
                            .execute(&mut *tx)
                            .await?;
                    }
                }
            }
            first_time
        }))
    }
}
