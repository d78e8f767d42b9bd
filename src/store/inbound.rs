//! What people wrote: recorded once, answered once, in order for each person.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Result, Store, ThreadChange, in_transaction, json, on_pool, outbox::NewDelivery, service::instant,
    take_ids, threads::change_thread,
};
use crate::domain::{ContactId, Inbound, InboundContent, InboundId, Language, ResidentId, UnitId};

const CONTENT: &str = "inbound.content";
const STATE: &str = "dialogues.state";
/// An SMS that comes again within this time over another connection is the same one, sent again because its
/// acknowledgement was lost.
const REDELIVERY_WINDOW_MS: i64 = 120_000;

/// Whether a message was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Recorded now.
    New,
    /// It was on record already.
    Known,
}

/// A message that waits for its answer.
#[derive(Clone, Debug)]
pub struct WaitingInbound {
    /// Its id.
    pub id: InboundId,
    /// Who wrote.
    pub contact: ContactId,
    /// What.
    pub content: InboundContent,
    /// The language of the person's client.
    pub language: Option<Language>,
    /// When.
    pub received_at: DateTime<Utc>,
    /// The message under which a button was tapped, or that this one replies to, by the channel's number.
    pub tapped: Option<i64>,
}

/// What a conversation step changes, stored together with its replies.
#[derive(Clone, Debug, Default)]
pub struct ReplyRow {
    /// The new dialogue state, as JSON; none leaves it.
    pub state: Option<String>,
    /// The contact's language as the person chose it.
    pub language: Option<Language>,
    /// A language to note only where none is known.
    pub language_hint: Option<Language>,
    /// Stop (true) or start (false) notices to this contact.
    pub stopped: Option<bool>,
    /// Stop also the other addresses of the residents behind this contact, but for those on which somebody else
    /// depends.
    pub stop_everywhere: bool,
    /// The person blocked the bot.
    pub blocked: bool,
    /// The home that was chosen.
    pub home: Option<UnitId>,
    /// The resident that this chat proved to be.
    pub link: Option<ResidentId>,
    /// The chat no longer stands for anybody.
    pub unlink: bool,
    /// What becomes of the person's talk with a worker.
    pub thread: Option<ThreadChange>,
    /// Erase what the person wrote, was told and chose: see [`Store::answer`].
    pub forget: bool,
    /// The replies.
    pub replies: Vec<NewDelivery>,
}

#[derive(Serialize, serde::Deserialize)]
struct StoredContent {
    content: InboundContent,
    language: Option<Language>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tapped: Option<i64>,
}

impl Store {
    /// Records a message before its channel acknowledges it.
    pub async fn record_inbound(&self, inbound: &Inbound) -> Result<Recorded> {
        let contact = self.contact(&inbound.from, inbound.received_at).await?;
        // SMS names are `content:connection:sequence`: the same content over another connection shortly after is
        // the same message, where it is the sender's last one, and once. In a dialogue people write the same digit again.
        let content_key = inbound
            .external_id
            .split_once(':')
            .map(|(content, _)| format!("{content}:%"));
        let stored = StoredContent {
            content: inbound.content.clone(),
            language: inbound.language,
            tapped: inbound.tapped,
        };
        let plain = serde_json::to_vec(&stored).expect("plain content always serialises");
        let channel = inbound.from.channel().as_str();
        let connection = |id: &str| id.split(':').nth(1).map(str::to_owned);
        Ok(in_transaction!(self, |tx| {
            let mut again = false;
            if let Some(pattern) = &content_key {
                // The sender's messages of this content, each with whether it is their last of all.
                let earlier: Vec<(String, i64)> = sqlx::query_as(
                    "select external_id, cast(case when id = (select max(id) from inbound where channel = $1 \
                     and contact_id = $2) then 1 else 0 end as bigint) from inbound where channel = $1 and contact_id = $2 \
                     and received_at > $3 and external_id like $4",
                )
                .bind(channel)
                .bind(contact.0)
                .bind(inbound.received_at.timestamp_millis() - REDELIVERY_WINDOW_MS)
                .bind(pattern)
                .fetch_all(&mut *tx)
                .await?;
                let here = connection(&inbound.external_id);
                again = earlier.iter().any(|(_, last)| *last == 1)
                    && earlier.iter().all(|(id, _)| connection(id) != here);
            }
            let id = take_ids!(tx, "inbound", 1);
            // What came again is kept as answered: the next time it is the person who says it again.
            let rows = sqlx::query(
                "insert into inbound (id, channel, external_id, contact_id, content, received_at, answered_at) \
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict (channel, external_id) do nothing",
            )
            .bind(id)
            .bind(channel)
            .bind(&inbound.external_id)
            .bind(contact.0)
            .bind(self.keys.seal(CONTENT, id, &plain))
            .bind(inbound.received_at.timestamp_millis())
            .bind(again.then(|| inbound.received_at.timestamp_millis()))
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if rows == 1 && !again {
                Recorded::New
            } else {
                Recorded::Known
            }
        }))
    }

    /// The oldest messages that wait for their answer, in order of arrival.
    pub async fn waiting_inbound(&self, limit: usize) -> Result<Vec<WaitingInbound>> {
        let rows: Vec<(i64, i64, String, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, contact_id, content, received_at from inbound where answered_at is null \
                 order by id limit $1",
            )
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(id, contact, sealed, received_at)| {
                let plain = self.keys.open(CONTENT, id, &sealed).ok();
                let stored = plain.and_then(|plain| serde_json::from_slice::<StoredContent>(&plain).ok());
                let (content, language, tapped) = match stored {
                    Some(stored) => (stored.content, stored.language, stored.tapped),
                    // It cannot be read; it is answered like anything else that cannot, and stops nobody.
                    None => (InboundContent::Other, None, None),
                };
                WaitingInbound {
                    id: InboundId(id),
                    contact: ContactId(contact),
                    content,
                    language,
                    received_at: instant(received_at),
                    tapped,
                }
            })
            .collect())
    }

    /// The state of a contact's dialogue, as JSON.
    pub async fn dialogue(&self, contact: ContactId) -> Result<Option<String>> {
        let row: Option<(String,)> = on_pool!(self, |pool| {
            sqlx::query_as("select state from dialogues where contact_id = $1")
                .bind(contact.0)
                .fetch_optional(pool)
                .await?
        });
        row.map(|(sealed,)| Ok(self.keys.open_text(STATE, contact.0, &sealed)?))
            .transpose()
    }

    /// Marks a message as answered and stores all that its step changed, replies included, together.
    /// False when it was answered already: then nothing is changed.
    pub async fn answer(
        &self,
        id: InboundId,
        contact: ContactId,
        step: &ReplyRow,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let state = step
            .state
            .as_ref()
            .map(|state| self.keys.seal(STATE, contact.0, state.as_bytes()));
        let insert = self.sql(super::outbox::INSERT);
        let insert_bodies = self.sql(super::outbox::INSERT_BODIES);
        Ok(in_transaction!(self, |tx| {
            let first_time =
                sqlx::query("update inbound set answered_at = $2 where id = $1 and answered_at is null")
                    .bind(id.0)
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?
                    .rows_affected()
                    == 1;
            if first_time {
                if let Some(state) = state {
                    sqlx::query(
                        "insert into dialogues (contact_id, state, changed_at) values ($1, $2, $3) \
                         on conflict (contact_id) do update set state = $2, changed_at = $3",
                    )
                    .bind(contact.0)
                    .bind(state)
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?;
                }
                for (sql, value) in contact_changes(step) {
                    sqlx::query(sql)
                        .bind(contact.0)
                        .bind(now_ms)
                        .bind(value)
                        .execute(&mut *tx)
                        .await?;
                }
                if let Some(language) = step.language.or(step.language_hint) {
                    sqlx::query(
                        "update contacts set language = $2, language_chosen = case when $3 = 1 then 1 \
                         else language_chosen end where id = $1 and ($3 = 1 or language is null)",
                    )
                    .bind(contact.0)
                    .bind(language.code())
                    .bind(i64::from(step.language.is_some()))
                    .execute(&mut *tx)
                    .await?;
                }
                if let Some(change) = &step.thread {
                    change_thread!(self, tx, contact.0, change, now_ms);
                }
                if !step.replies.is_empty() {
                    let first = take_ids!(tx, "deliveries", step.replies.len());
                    let (rows, bodies) = self.delivery_rows(&step.replies, first, now);
                    sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
                    sqlx::query(insert_bodies)
                        .bind(json(&bodies))
                        .execute(&mut *tx)
                        .await?;
                }
            }
            first_time
        }))
    }
}

/// Erases what is kept of the person behind contact $1 beside the roster: words, choices, links. That something was
/// said, sent and asked stays, without what. Statements as in
/// [`contact_changes`].
const FORGET: [&str; 7] = [
    "update inbound set content = '' where contact_id = $1 and answered_at is not null and $2 > 0 and $3 = 0",
    "delete from dialogues where contact_id = $1 and $2 > 0 and $3 = 0",
    "update thread_messages set words = '' where $2 > 0 and $3 = 0 \
       and thread_id in (select id from threads where contact_id = $1)",
    "update threads set state = 'closed', closed_at = $2, closed_by = 'resident' \
       where contact_id = $1 and state = 'open' and $3 = 0",
    "delete from bodies where $2 > 0 and $3 = 0 and delivery_id in (select id from deliveries \
       where contact_id = $1 and state not in ('held', 'queued', 'sending'))",
    "update residents set chat_contact_id = null where chat_contact_id = $1 and $2 > 0 and $3 = 0",
    "update contacts set language = null, language_chosen = 0, unit_id = null, changed_at = $2 \
       where id = $1 and $3 = 0",
];

/// Each change of the contact as a statement over (contact, now, value).
fn contact_changes(step: &ReplyRow) -> Vec<(&'static str, i64)> {
    // Each statement names all three parameters, as PostgreSQL asks.
    let mut changes = vec![if step.blocked {
        (
            "update contacts set state = 'unreachable', state_reason = 'blocked', changed_at = $2 \
             where id = $1 and state = 'active' and $3 = 0",
            0,
        )
    } else {
        (
            "update contacts set state = 'active', state_reason = 'wrote again', changed_at = $2 \
             where id = $1 and state = 'unreachable' and $3 = 0",
            0,
        )
    }];
    match step.stopped {
        Some(true) => changes.push((
            "update contacts set state = 'stopped', state_reason = 'asked', changed_at = $2 \
             where id = $1 and $3 = 0",
            0,
        )),
        Some(false) => changes.push((
            "update contacts set state = 'active', state_reason = 'asked', changed_at = $2 \
             where id = $1 and $3 = 0",
            0,
        )),
        None => {}
    }
    if step.stop_everywhere {
        changes.push((
            "update contacts set state = 'stopped', state_reason = 'asked', changed_at = $2 \
             where $3 = 0 and (id = $1 or id in (select p.phone_contact_id from residents p \
                 where p.chat_contact_id = $1 and not exists (select 1 from residents q \
                   where q.phone_contact_id = p.phone_contact_id and q.moved_out_at is null \
                     and (q.chat_contact_id is null or q.chat_contact_id <> $1))) \
               or id in (select p.chat_contact_id from residents p where p.phone_contact_id = $1 \
                 and not exists (select 1 from residents q \
                   where q.phone_contact_id = $1 and q.id <> p.id and q.moved_out_at is null)))",
            0,
        ));
    }
    if step.unlink {
        changes.push((
            "update residents set chat_contact_id = null where chat_contact_id = $1 and $2 > 0 and $3 = 0",
            0,
        ));
    }
    if let Some(unit) = step.home {
        changes.push((
            "update contacts set unit_id = $3, changed_at = $2 where id = $1",
            unit.0,
        ));
    }
    if let Some(resident) = step.link {
        changes.push((
            "update residents set chat_contact_id = $1 where id = $3 and $2 > 0",
            resident.0,
        ));
    }
    if step.forget {
        changes.extend(FORGET.map(|sql| (sql, 0)));
    }
    changes
}
