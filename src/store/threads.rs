//! Talks between residents and the workers of their community.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    NewAudit, NewDelivery, Result, Store, StoreError, append_audit, in_transaction, json, on_pool,
    service::instant, take_ids,
};
use crate::domain::{
    Actor, Area, CommunityId, ContactId, ThreadAuthor, ThreadId, ThreadReason, UnitId, UnitPlace, WorkerId,
};

pub(super) const THREAD_WORDS: &str = "thread_messages.words";

/// A talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// With whom.
    pub contact: ContactId,
    /// Where they live, if that is known.
    pub unit: Option<UnitId>,
    /// The community of that unit: whose workers answer. None: those of the whole city.
    pub community: Option<CommunityId>,
    /// That community by name.
    pub area: Option<Area>,
    /// Why it was opened.
    pub reason: ThreadReason,
    /// Danger was spoken of.
    pub urgent: bool,
    /// It goes on.
    pub open: bool,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When the last message came, of either side.
    pub changed_at: DateTime<Utc>,
    /// When a worker last wrote, if one has.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// By whom: `resident`, `owner`, `weir`, `worker:ID`.
    pub closed_by: String,
    /// The worker who has taken it on.
    pub claimed_by: Option<WorkerId>,
    /// When it was last taken on or passed on.
    pub held_at: Option<DateTime<Utc>>,
    /// It was passed on to those above.
    pub raised: bool,
    /// Messages so far, of either side.
    pub messages: i64,
    /// Of them, the resident's.
    pub asked: i64,
    /// Since when the resident waits for an answer: since the first of the messages that nobody has answered. None
    /// where the staff had the last word.
    pub waiting_since: Option<DateTime<Utc>>,
}

/// What came of taking a talk on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is theirs now, or was before.
    Theirs,
    /// This worker has it.
    Held(WorkerId),
    /// It is over.
    Over,
}

/// A message of a talk.
#[derive(Clone, PartialEq, Eq)]
pub struct ThreadMessage {
    /// When.
    pub at: DateTime<Utc>,
    /// Who wrote it.
    pub author: ThreadAuthor,
    /// What. Personal data; empty once erased.
    pub words: String,
}

/// What a conversation step does to a person's talk, stored together with its replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadChange {
    /// Hands over: opens a talk with these words, or adds them where one is open.
    Open {
        /// Why.
        reason: ThreadReason,
        /// Danger was spoken of.
        urgent: bool,
        /// Where the person lives.
        unit: Option<UnitId>,
        /// What they wrote.
        words: String,
    },
    /// Adds to the open talk.
    Add {
        /// Danger was spoken of.
        urgent: bool,
        /// What they wrote.
        words: String,
    },
    /// The person ends it.
    Close,
}

/// Which talks are wanted.
#[derive(Clone, Debug, Default)]
pub struct ThreadFilter {
    /// Open ones alone.
    pub open: bool,
    /// Those of these communities, and those of no known one; empty for all.
    pub communities: Vec<CommunityId>,
    /// At most so many; 0 for all.
    pub limit: usize,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    contact_id: i64,
    unit_id: Option<i64>,
    community_id: Option<i64>,
    district: Option<String>,
    street: Option<String>,
    community: Option<String>,
    reason: String,
    urgent: i64,
    state: String,
    opened_at: i64,
    changed_at: i64,
    answered_at: Option<i64>,
    closed_at: Option<i64>,
    closed_by: String,
    claimed_by: Option<i64>,
    held_at: i64,
    raised: i64,
    messages: i64,
    asked: i64,
    waiting_since: Option<i64>,
}

impl Row {
    fn into_thread(self) -> Result<Thread> {
        let area = match (self.district, self.street, self.community) {
            (Some(district), Some(street), Some(community)) => {
                Some(Area::Community([district, street, community]))
            }
            _ => None,
        };
        Ok(Thread {
            id: ThreadId(self.id),
            contact: ContactId(self.contact_id),
            unit: self.unit_id.map(UnitId),
            community: self.community_id.map(CommunityId),
            area,
            reason: ThreadReason::parse(&self.reason)
                .ok_or_else(|| StoreError::Corrupt("threads.reason".into()))?,
            urgent: self.urgent == 1,
            open: self.state == "open",
            opened_at: instant(self.opened_at),
            changed_at: instant(self.changed_at),
            answered_at: self.answered_at.map(instant),
            closed_at: self.closed_at.map(instant),
            closed_by: self.closed_by,
            claimed_by: self.claimed_by.map(WorkerId),
            held_at: (self.held_at > 0).then(|| instant(self.held_at)),
            raised: self.raised > 0,
            messages: self.messages,
            asked: self.asked,
            waiting_since: self.waiting_since.map(instant),
        })
    }
}

/// What the messages come to is counted here, so that nobody unseals them for it.
const SELECT: &str = "select t.id, t.contact_id, t.unit_id, b.community_id, c.district, c.street, c.name as community, \
    t.reason, t.urgent, t.state, t.opened_at, t.changed_at, t.answered_at, t.closed_at, t.closed_by, t.claimed_by, \
    t.held_at, t.raised, \
    (select count(*) from thread_messages m where m.thread_id = t.id) as messages, \
    (select count(*) from thread_messages m where m.thread_id = t.id and m.author = 'resident') as asked, \
    (select min(m.at) from thread_messages m where m.thread_id = t.id and m.id > coalesce((select max(s.id) \
       from thread_messages s where s.thread_id = t.id and s.author <> 'resident'), 0)) as waiting_since \
    from threads t left join units u on u.id = t.unit_id left join buildings b on b.id = u.building_id \
    left join communities c on c.id = b.community_id";

/// Adds a message within a transaction.
macro_rules! add_message {
    ($store:ident, $tx:ident, $thread:expr, $author:expr, $words:expr, $now_ms:expr) => {{
        let id = take_ids!($tx, "thread_messages", 1);
        sqlx::query(
            "insert into thread_messages (id, thread_id, at, author, words) values ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind($thread)
        .bind($now_ms)
        .bind($author.to_string())
        .bind(
            $store
                .keys
                .seal($crate::store::threads::THREAD_WORDS, id, $words.as_bytes()),
        )
        .execute(&mut *$tx)
        .await?;
    }};
}

/// Carries out a change within a transaction.
macro_rules! change_thread {
    ($store:ident, $tx:ident, $contact:expr, $change:expr, $now_ms:expr) => {{
        let open: Option<(i64,)> =
            sqlx::query_as("select id from threads where contact_id = $1 and state = 'open'")
                .bind($contact)
                .fetch_optional(&mut *$tx)
                .await?;
        match ($change, open) {
            (
                $crate::store::ThreadChange::Open { urgent, words, .. }
                | $crate::store::ThreadChange::Add { urgent, words },
                Some((id,)),
            ) => {
                $crate::store::threads::add_message!(
                    $store,
                    $tx,
                    id,
                    crate::domain::ThreadAuthor::Resident,
                    words,
                    $now_ms
                );
                sqlx::query(
                    "update threads set changed_at = $2, urgent = case when $3 = 1 then 1 else urgent end where id = $1",
                )
                .bind(id)
                .bind($now_ms)
                .bind(i64::from(*urgent))
                .execute(&mut *$tx)
                .await?;
            }
            (
                $crate::store::ThreadChange::Open {
                    reason,
                    urgent,
                    unit,
                    words,
                },
                None,
            ) => {
                let id = take_ids!($tx, "threads", 1);
                sqlx::query(
                    "insert into threads (id, contact_id, unit_id, reason, urgent, state, opened_at, changed_at) \
                     values ($1, $2, $3, $4, $5, 'open', $6, $6)",
                )
                .bind(id)
                .bind($contact)
                .bind(unit.map(|unit| unit.0))
                .bind(reason.as_str())
                .bind(i64::from(*urgent))
                .bind($now_ms)
                .execute(&mut *$tx)
                .await?;
                $crate::store::threads::add_message!(
                    $store,
                    $tx,
                    id,
                    crate::domain::ThreadAuthor::Resident,
                    words,
                    $now_ms
                );
            }
            ($crate::store::ThreadChange::Close, Some((id,))) => {
                sqlx::query(
                    "update threads set state = 'closed', closed_at = $2, closed_by = 'resident' where id = $1",
                )
                .bind(id)
                .bind($now_ms)
                .execute(&mut *$tx)
                .await?;
            }
            // It was closed meanwhile: what was to be added is nobody's any more.
            ($crate::store::ThreadChange::Add { .. } | $crate::store::ThreadChange::Close, None) => {}
        }
    }};
}

pub(crate) use {add_message, change_thread};

impl Store {
    /// A contact's open talk, if there is one.
    pub async fn open_thread(&self, contact: ContactId) -> Result<Option<Thread>> {
        let sql = format!("{SELECT} where t.contact_id = $1 and t.state = 'open'");
        let row: Option<Row> = on_pool!(self, |pool| {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(contact.0)
                .fetch_optional(pool)
                .await?
        });
        row.map(Row::into_thread).transpose()
    }

    /// A talk by its id.
    pub async fn thread(&self, id: ThreadId) -> Result<Option<Thread>> {
        let sql = format!("{SELECT} where t.id = $1");
        let row: Option<Row> = on_pool!(self, |pool| {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(id.0)
                .fetch_optional(pool)
                .await?
        });
        row.map(Row::into_thread).transpose()
    }

    /// Talks: those that speak of danger first, then the one that has waited longest for an answer.
    pub async fn threads(&self, filter: &ThreadFilter) -> Result<Vec<Thread>> {
        let sql = format!(
            "{SELECT} where ($1 = 0 or t.state = 'open') \
             order by case when t.state = 'open' then 0 else 1 end, t.urgent desc, \
               case when t.answered_at is null then t.opened_at else t.changed_at end, t.id"
        );
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(i64::from(filter.open))
                .fetch_all(pool)
                .await?
        });
        let wanted = |row: &Row| {
            let listed = |id| filter.communities.contains(&CommunityId(id));
            filter.communities.is_empty() || row.community_id.is_none_or(listed)
        };
        let limit = if filter.limit == 0 {
            usize::MAX
        } else {
            filter.limit
        };
        rows.into_iter()
            .filter(wanted)
            .take(limit)
            .map(Row::into_thread)
            .collect()
    }

    /// The messages of a talk, in order.
    pub async fn thread_messages(&self, id: ThreadId) -> Result<Vec<ThreadMessage>> {
        let rows: Vec<(i64, i64, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, at, author, words from thread_messages where thread_id = $1 order by id",
            )
            .bind(id.0)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(id, at, author, sealed)| {
                let words = if sealed.is_empty() {
                    String::new()
                } else {
                    self.keys.open_text(THREAD_WORDS, id, &sealed)?
                };
                Ok(ThreadMessage {
                    at: instant(at),
                    author: author.parse().map_err(StoreError::Corrupt)?,
                    words,
                })
            })
            .collect()
    }

    /// A worker's words and the message that carries them, together and on record; false, and nothing written, where the
    /// talk is closed.
    pub async fn answer_thread(
        &self,
        id: ThreadId,
        author: ThreadAuthor,
        words: &str,
        delivery: &NewDelivery,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let insert = self.sql(super::outbox::INSERT);
        let insert_bodies = self.sql(super::outbox::INSERT_BODIES);
        let actor: Option<Actor> = author.to_string().parse().ok();
        let record = actor.map(|actor| NewAudit::new(actor, "thread.answer", format!("thread:{id}")));
        Ok(in_transaction!(self, |tx| {
            let open = sqlx::query(
                "update threads set changed_at = $2, answered_at = $2 where id = $1 and state = 'open'",
            )
            .bind(id.0)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if open {
                let first = take_ids!(tx, "deliveries", 1);
                let (rows, bodies) = self.delivery_rows(std::slice::from_ref(delivery), first, now);
                let written = sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
                sqlx::query(insert_bodies)
                    .bind(json(&bodies))
                    .execute(&mut *tx)
                    .await?;
                // What was sent before, and is only said once more, is one message of the talk.
                if written.rows_affected() == 1 {
                    add_message!(self, tx, id.0, author, words, now_ms);
                    if let Some(record) = &record {
                        append_audit!(self, tx, record, now);
                    }
                }
            }
            open
        }))
    }

    /// Closes a talk and tells the resident so; false where it was closed already.
    pub async fn close_thread(
        &self,
        id: ThreadId,
        by: ThreadAuthor,
        delivery: Option<&NewDelivery>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let insert = self.sql(super::outbox::INSERT);
        let insert_bodies = self.sql(super::outbox::INSERT_BODIES);
        Ok(in_transaction!(self, |tx| {
            let closed = sqlx::query(
                "update threads set state = 'closed', closed_at = $2, closed_by = $3 \
                 where id = $1 and state = 'open'",
            )
            .bind(id.0)
            .bind(now.timestamp_millis())
            .bind(by.to_string())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if let (true, Some(delivery)) = (closed, delivery) {
                let first = take_ids!(tx, "deliveries", 1);
                let (rows, bodies) = self.delivery_rows(std::slice::from_ref(delivery), first, now);
                sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
                sqlx::query(insert_bodies)
                    .bind(json(&bodies))
                    .execute(&mut *tx)
                    .await?;
            }
            closed
        }))
    }

    /// Takes a talk on for a worker, on record: of any number who try at once, one has it. `from` is who may be
    /// relieved of it.
    pub async fn claim_thread(
        &self,
        id: ThreadId,
        worker: WorkerId,
        from: Option<WorkerId>,
        now: DateTime<Utc>,
    ) -> Result<Claim> {
        let record = NewAudit::new(Actor::Worker(worker), "thread.claim", format!("thread:{id}"));
        Ok(in_transaction!(self, |tx| {
            let won = sqlx::query(
                "update threads set claimed_by = $2, held_at = $3 \
                 where id = $1 and state = 'open' and (claimed_by is null or claimed_by = $4)",
            )
            .bind(id.0)
            .bind(worker.0)
            .bind(now.timestamp_millis())
            .bind(from.map(|from| from.0))
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if won {
                append_audit!(self, tx, &record, now);
            }
            let row: Option<(String, Option<i64>)> =
                sqlx::query_as("select state, claimed_by from threads where id = $1")
                    .bind(id.0)
                    .fetch_optional(&mut *tx)
                    .await?;
            match row {
                Some((state, Some(holder))) if state == "open" => {
                    if holder == worker.0 {
                        Claim::Theirs
                    } else {
                        Claim::Held(WorkerId(holder))
                    }
                }
                _ => Claim::Over,
            }
        }))
    }

    /// Passes a talk on to those above, on record; false where it is over, or another than `worker` has it.
    pub async fn pass_thread_on(&self, id: ThreadId, worker: WorkerId, now: DateTime<Utc>) -> Result<bool> {
        let record = NewAudit::new(Actor::Worker(worker), "thread.pass_on", format!("thread:{id}"));
        Ok(in_transaction!(self, |tx| {
            let passed = sqlx::query(
                "update threads set claimed_by = null, held_at = $3, raised = 1 where id = $1 and state = 'open' \
                 and (claimed_by = $2 or (claimed_by is null and raised = 0))",
            )
            .bind(id.0)
            .bind(worker.0)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if passed {
                append_audit!(self, tx, &record, now);
            }
            passed
        }))
    }

    /// Where a unit is.
    pub async fn unit_place(&self, unit: UnitId) -> Result<Option<UnitPlace>> {
        let row: Option<(String, String, String, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select c.district, c.street, c.name, b.name, u.name from units u \
                 join buildings b on b.id = u.building_id join communities c on c.id = b.community_id \
                 where u.id = $1",
            )
            .bind(unit.0)
            .fetch_optional(pool)
            .await?
        });
        Ok(
            row.map(|(district, street, community, building, unit)| UnitPlace {
                district,
                street,
                community,
                building,
                unit,
            }),
        )
    }

    /// The name of the kept-up message that a chat's message with this number is.
    pub async fn live_name(&self, contact: ContactId, message: i64) -> Result<Option<String>> {
        let row: Option<(String,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select d.live from deliveries d join parts p on p.delivery_id = d.id and p.carrier = 'live' \
                 where d.contact_id = $1 and d.live is not null and p.ref = cast(d.id as text) || ':' || $2 \
                 order by d.id desc limit 1",
            )
            .bind(contact.0)
            .bind(message.to_string())
            .fetch_optional(pool)
            .await?
        });
        Ok(row.map(|row| row.0))
    }
}
