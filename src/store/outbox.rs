//! The outbox: every delivery with its state and history, and what the dispatcher does to them in batches.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    ContactState, Result, Store, StoreError,
    contacts::parse_address,
    in_transaction, json, json_ids, on_pool,
    roster::ADDRESS,
    service::{instant, known},
    take_ids,
};
use crate::domain::{
    Body, ChannelKind, CommunityId, ContactId, DeliveryId, DeliveryState, Language, Live, NoticeKind,
    Outbound, RoundId, UnitId,
};

const BODY: &str = "bodies.body";

/// A delivery to be written into the outbox.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Names what is said to whom: a second one with the same key is not made.
    pub key: String,
    /// The round it belongs to.
    pub round: Option<RoundId>,
    /// To whom.
    pub contact: ContactId,
    /// How.
    pub channel: ChannelKind,
    /// About what.
    pub kind: NoticeKind,
    /// The text.
    pub body: Body,
    /// Parts it takes on its channel.
    pub parts: u32,
    /// The state it begins in.
    pub state: DeliveryState,
    /// Why it begins in a final state, if it does.
    pub reason: &'static str,
    /// Not before.
    pub next_at: DateTime<Utc>,
    /// Not after.
    pub expires_at: DateTime<Utc>,
}

/// A contact that a notice to some units concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudienceContact {
    /// Whom to write to.
    pub contact: ContactId,
    /// How.
    pub channel: ChannelKind,
    /// Whether it may be written to.
    pub state: ContactState,
    /// In which language, if known.
    pub language: Option<Language>,
}

/// A delivery that a dispatcher holds until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The message.
    pub message: Outbound,
    /// What it is about.
    pub kind: NoticeKind,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Its contact.
    pub contact: ContactId,
    /// The contact said STOP since the delivery was written.
    pub stopped: bool,
}

/// What became of a claimed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which delivery.
    pub id: DeliveryId,
    /// Its next state.
    pub to: DeliveryState,
    /// Why, in words without personal data.
    pub reason: String,
    /// When it may be tried again, if it is queued.
    pub next_at: Option<DateTime<Utc>>,
    /// This attempt does not count.
    pub uncounted: bool,
    /// The message may have been taken, and is tried again.
    pub may_repeat: bool,
    /// The channel's or carrier's name and its names for the parts it took, if receipts will follow.
    pub refs: Option<(String, Vec<String>)>,
    /// The address does not work.
    pub bad_address: bool,
}

impl Change {
    /// It fails for good.
    fn failed(id: DeliveryId, reason: String) -> Self {
        Self {
            id,
            to: DeliveryState::Failed,
            reason,
            next_at: None,
            uncounted: false,
            may_repeat: false,
            refs: None,
            bad_address: false,
        }
    }
}

/// What a batch of receipts did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiptOutcome {
    /// Receipts that belonged to a delivery.
    pub matched: u64,
    /// Deliveries that became `delivered`.
    pub delivered: u64,
    /// Deliveries that became `failed`.
    pub failed: u64,
}

/// Which deliveries to list or count.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this round.
    pub round: Option<RoundId>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// By this channel.
    pub channel: Option<ChannelKind>,
}

/// A line of the count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct StateCount {
    /// The round, if it belongs to one.
    pub round_id: Option<i64>,
    /// The channel.
    pub channel: String,
    /// The notice's kind.
    pub kind: String,
    /// The state.
    pub state: String,
    /// Deliveries.
    pub deliveries: i64,
    /// Of them, those that may have been sent more than once.
    pub repeated: i64,
}

/// A delivery as listings show it: the address masked, no text.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRow {
    /// Its id.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// Its round.
    pub round: Option<i64>,
    /// Its channel.
    pub channel: String,
    /// Its kind.
    pub kind: String,
    /// Its state.
    pub state: String,
    /// Attempts so far.
    pub attempts: i64,
    /// Times it may have been sent again.
    pub repeats: i64,
    /// Parts it takes.
    pub parts: i64,
    /// Masked address.
    pub to: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
    /// Not after.
    pub expires_at: DateTime<Utc>,
    /// Each change: instant, state, reason.
    pub history: Vec<String>,
}

/// Id, body, address, the contact's state, the name of a live message, and what its channel called the last one of it.
type DetailRow = (i64, String, String, String, Option<String>, Option<String>);

#[derive(Serialize)]
pub(super) struct InsertRow {
    id: i64,
    key: String,
    round: Option<i64>,
    contact: i64,
    channel: &'static str,
    kind: &'static str,
    priority: i64,
    state: &'static str,
    next_at: i64,
    expires_at: i64,
    parts: u32,
    now: i64,
    history: String,
}

#[derive(Serialize)]
pub(super) struct BodyRow {
    id: i64,
    body: String,
}

pub(super) const INSERT: &str = "insert into deliveries (id, key, round_id, contact_id, channel, kind, priority, \
      state, next_at, expires_at, parts, created_at, changed_at, history) \
    select cast(r.value->>'id' as bigint), r.value->>'key', cast(r.value->>'round' as bigint), \
      cast(r.value->>'contact' as bigint), r.value->>'channel', r.value->>'kind', \
      cast(r.value->>'priority' as bigint), r.value->>'state', cast(r.value->>'next_at' as bigint), \
      cast(r.value->>'expires_at' as bigint), cast(r.value->>'parts' as bigint), \
      cast(r.value->>'now' as bigint), cast(r.value->>'now' as bigint), r.value->>'history' \
    from {rows} where true on conflict (key) do nothing";
pub(super) const INSERT_BODIES: &str = "insert into bodies (delivery_id, body) \
    select cast(r.value->>'id' as bigint), r.value->>'body' from {rows} \
    where exists (select 1 from deliveries d where d.id = cast(r.value->>'id' as bigint))";

const CLAIM: &str = "update deliveries set state = 'sending', attempts = attempts + 1, lease_until = $4, \
      changed_at = $3, history = history || $5 \
    where id in (select id from deliveries where channel = $1 and priority = $2 and state = 'queued' \
      and next_at <= $3 order by next_at, id limit $6 {lock}) \
    returning id, kind, attempts, contact_id, expires_at";

/// What a dispatcher gives back after its round was paused or cancelled waits, or is withdrawn, like the rest of it; a
/// correction waits for no pause.
const FOLLOW_ROUND: &str = "update deliveries \
    set state = case when o.state = 'paused' then 'held' else 'cancelled' end, history = history || $2 || ' ' \
      || case when o.state = 'paused' then 'held the round was paused' else 'cancelled the round was cancelled' end || $3 \
    from {rows} join rounds o on o.state in ('paused', 'cancelled') \
    where deliveries.id = cast(r.value->>'id' as bigint) and deliveries.round_id = o.id \
      and deliveries.state = 'queued' and (o.state = 'cancelled' or deliveries.kind <> 'correction')";

/// Gives a delivery the name of the message that it is edited into.
pub(super) const MAKE_LIVE: &str = "update deliveries set live = $2 where key = $1";

/// The same for a broadcast.
const FOLLOW_BROADCAST: &str = "update deliveries \
    set state = case when o.state = 'paused' then 'held' else 'cancelled' end, history = history || $2 || ' ' \
      || case when o.state = 'paused' then 'held the broadcast was paused' else 'cancelled the broadcast was cancelled' end || $3 \
    from {rows} join broadcasts o on o.state in ('paused', 'cancelled') \
    where deliveries.id = cast(r.value->>'id' as bigint) and deliveries.broadcast_id = o.id \
      and deliveries.state = 'queued'";

/// What a dispatcher gives back after its window or its visit changed says what is no longer so.
const DROP_SUPERSEDED: &str = "update deliveries set state = 'cancelled', history = history || $2 || ' cancelled what it says has changed since' || $3 \
    from {rows} where deliveries.id = cast(r.value->>'id' as bigint) and deliveries.state = 'queued' \
      and deliveries.superseded = 1";

const RECORD: &str = "update deliveries set state = r.value->>'to', lease_until = null, changed_at = $2, \
      next_at = coalesce(cast(r.value->>'next_at' as bigint), deliveries.next_at), \
      attempts = deliveries.attempts - cast(r.value->>'uncounted' as bigint), \
      repeats = deliveries.repeats + cast(r.value->>'may_repeat' as bigint), \
      history = deliveries.history || (r.value->>'history') \
    from {rows} where deliveries.id = cast(r.value->>'id' as bigint) and deliveries.state = 'sending'";
const INSERT_PARTS: &str = "insert into parts (carrier, ref, delivery_id, fate) select r.value->>'carrier', \
      r.value->>'ref', cast(r.value->>'id' as bigint), 'accepted' from {rows} where true \
    on conflict (carrier, ref) do nothing";
const MARK_UNREACHABLE: &str = "update contacts set state = 'unreachable', \
      state_reason = 'the channel refused the address', changed_at = $2 \
    where state = 'active' and id in (select d.contact_id from {rows} \
      join deliveries d on d.id = cast(r.value->>'id' as bigint))";

/// A change as [`RECORD`] reads it.
fn change_row(change: &Change, now: DateTime<Utc>) -> serde_json::Value {
    let mut history = String::new();
    if change.to == DeliveryState::Sent {
        // The channel took it and gives no receipt: both changes are on record.
        history = history_line(now, DeliveryState::Accepted, "");
    }
    history.push_str(&history_line(now, change.to, &change.reason));
    serde_json::json!({
        "id": change.id.0, "to": change.to.as_str(), "history": history,
        "next_at": change.next_at.map(|at| at.timestamp_millis()),
        "uncounted": i64::from(change.uncounted), "may_repeat": i64::from(change.may_repeat),
    })
}

fn history_line(at: DateTime<Utc>, state: DeliveryState, reason: &str) -> String {
    let reason = reason.replace('\n', " ");
    format!("{} {} {}\n", at.timestamp_millis(), state.as_str(), reason.trim())
}

impl Store {
    pub(super) fn delivery_rows(
        &self,
        deliveries: &[NewDelivery],
        first_id: i64,
        now: DateTime<Utc>,
    ) -> (Vec<InsertRow>, Vec<BodyRow>) {
        (first_id..)
            .zip(deliveries)
            .map(|(id, new)| {
                let body = serde_json::to_vec(&new.body).expect("a body always serialises");
                let row = InsertRow {
                    id,
                    key: new.key.clone(),
                    round: new.round.map(|round| round.0),
                    contact: new.contact.0,
                    channel: new.channel.as_str(),
                    kind: new.kind.as_str(),
                    priority: new.kind.priority(),
                    state: new.state.as_str(),
                    next_at: new.next_at.timestamp_millis(),
                    expires_at: new.expires_at.timestamp_millis(),
                    parts: new.parts,
                    now: now.timestamp_millis(),
                    history: history_line(now, new.state, new.reason),
                };
                (
                    row,
                    BodyRow {
                        id,
                        body: self.keys.seal(BODY, id, &body),
                    },
                )
            })
            .unzip()
    }

    /// Writes deliveries into the outbox; gives how many were new.
    pub async fn enqueue(&self, deliveries: &[NewDelivery], now: DateTime<Utc>) -> Result<u64> {
        if deliveries.is_empty() {
            return Ok(0);
        }
        let (insert, insert_bodies) = (self.sql(INSERT), self.sql(INSERT_BODIES));
        Ok(in_transaction!(self, |tx| {
            let first = take_ids!(tx, "deliveries", deliveries.len());
            let (rows, bodies) = self.delivery_rows(deliveries, first, now);
            let added = sqlx::query(insert)
                .bind(json(&rows))
                .execute(&mut *tx)
                .await?
                .rows_affected();
            sqlx::query(insert_bodies)
                .bind(json(&bodies))
                .execute(&mut *tx)
                .await?;
            added
        }))
    }

    /// Writes a message that is edited into the one of this name in the same chat, if there is one.
    pub async fn enqueue_live(&self, delivery: &NewDelivery, name: &str, now: DateTime<Utc>) -> Result<()> {
        let (insert, insert_bodies) = (self.sql(INSERT), self.sql(INSERT_BODIES));
        in_transaction!(self, |tx| {
            let first = take_ids!(tx, "deliveries", 1);
            let (rows, bodies) = self.delivery_rows(std::slice::from_ref(delivery), first, now);
            sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
            sqlx::query(insert_bodies)
                .bind(json(&bodies))
                .execute(&mut *tx)
                .await?;
            sqlx::query(MAKE_LIVE)
                .bind(&delivery.key)
                .bind(name)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// The last message of this name in a chat: its text, when it was written, and whether it is still on its way.
    pub async fn last_live(
        &self,
        contact: ContactId,
        name: &str,
    ) -> Result<Option<(Body, DateTime<Utc>, bool)>> {
        let row: Option<(i64, String, i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select d.id, b.body, d.created_at, d.state from deliveries d join bodies b on b.delivery_id = d.id \
                 where d.contact_id = $1 and d.live = $2 order by d.id desc limit 1",
            )
            .bind(contact.0)
            .bind(name)
            .fetch_optional(pool)
            .await?
        });
        row.map(|(id, body, created_at, state)| {
            let body = serde_json::from_slice(&self.keys.open(BODY, id, &body)?)
                .map_err(|_| StoreError::Corrupt(BODY.into()))?;
            let open = !DeliveryState::parse(&state).is_some_and(DeliveryState::is_final);
            Ok((body, instant(created_at), open))
        })
        .transpose()
    }

    /// Claims up to `limit` due deliveries of a channel, the most urgent first, until `lease_until`.
    pub async fn claim(
        &self,
        channel: ChannelKind,
        priorities: std::ops::RangeInclusive<i64>,
        limit: usize,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Vec<Claimed>> {
        let line = history_line(now, DeliveryState::Sending, "");
        let details = self.sql(
            "select b.delivery_id, b.body, c.address, c.state, d.live, case when d.live is not null then \
               (select p.ref from deliveries e join parts p on p.delivery_id = e.id and p.carrier = 'live' \
                where e.contact_id = d.contact_id and e.live = d.live order by e.id desc limit 1) end \
             from {rows} join bodies b on b.delivery_id = cast(r.value->>'id' as bigint) \
             join deliveries d on d.id = b.delivery_id \
             join contacts c on c.id = cast(r.value->>'contact' as bigint)",
        );
        type Row = (i64, String, i64, i64, i64);
        let (claimed, details) = in_transaction!(self, |tx| {
            let mut claimed: Vec<Row> = Vec::new();
            for priority in priorities {
                let mut rows: Vec<Row> = sqlx::query_as(self.sql(CLAIM))
                    .bind(channel.as_str())
                    .bind(priority)
                    .bind(now.timestamp_millis())
                    .bind(lease_until.timestamp_millis())
                    .bind(&line)
                    .bind((limit - claimed.len()) as i64)
                    .fetch_all(&mut *tx)
                    .await?;
                // Changed rows come back in any order; a person's replies must leave in theirs.
                rows.sort_unstable_by_key(|row| row.0);
                claimed.extend(rows);
                if claimed.len() >= limit {
                    break;
                }
            }
            let ids: Vec<_> = claimed
                .iter()
                .map(|row| serde_json::json!({ "id": row.0, "contact": row.3 }))
                .collect();
            let details: Vec<DetailRow> = if ids.is_empty() {
                Vec::new()
            } else {
                sqlx::query_as(details)
                    .bind(json(&ids))
                    .fetch_all(&mut *tx)
                    .await?
            };
            (claimed, details)
        });
        let mut details: HashMap<i64, DetailRow> =
            details.into_iter().map(|detail| (detail.0, detail)).collect();
        let mut readable = Vec::with_capacity(claimed.len());
        let mut unreadable = Vec::new();
        for (id, kind, attempts, contact, expires_at) in claimed {
            let detail = details.remove(&id);
            match self.claimed(id, channel, &kind, attempts, contact, expires_at, detail) {
                Ok(claimed) => readable.push(claimed),
                Err(error) => unreadable.push(Change::failed(DeliveryId(id), error.to_string())),
            }
        }
        // One that cannot be read ends with its reason; it must not come back with every claim.
        self.record(&unreadable, now).await?;
        Ok(readable)
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    fn claimed(
        &self,
        id: i64,
        channel: ChannelKind,
        kind: &str,
        attempts: i64,
        contact: i64,
        expires_at: i64,
        detail: Option<DetailRow>,
    ) -> Result<Claimed> {
        let (_, body, address, state, live, edits) =
            detail.ok_or_else(|| StoreError::Corrupt(format!("delivery {id} has no body or contact")))?;
        let body = self.keys.open(BODY, id, &body)?;
        let address = self.keys.open_text(ADDRESS, contact, &address)?;
        Ok(Claimed {
            message: Outbound {
                delivery: DeliveryId(id),
                to: parse_address(channel.as_str(), &address)?,
                body: serde_json::from_slice(&body).map_err(|_| StoreError::Corrupt(BODY.into()))?,
                expires_at: instant(expires_at),
                live: live.map(|_| Live {
                    message: edits.and_then(|edits| edits.rsplit(':').next()?.parse().ok()),
                }),
            },
            kind: known(
                NoticeKind::ALL.into_iter().find(|k| k.as_str() == kind),
                "deliveries.kind",
                kind,
            )?,
            attempt: attempts as u32,
            contact: ContactId(contact),
            stopped: ContactState::parse(&state) == Some(ContactState::Stopped),
        })
    }

    /// Records what became of claimed deliveries; those no longer `sending` are left as they are.
    pub async fn record(&self, changes: &[Change], now: DateTime<Utc>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = changes.iter().map(|change| change_row(change, now)).collect();
        let parts: Vec<_> = changes
            .iter()
            .filter_map(|change| Some((change.id, change.refs.as_ref()?)))
            .flat_map(|(id, (carrier, refs))| {
                refs.iter()
                    .map(move |part| serde_json::json!({ "id": id.0, "carrier": carrier, "ref": part }))
            })
            .collect();
        let bad: Vec<i64> = changes.iter().filter(|c| c.bad_address).map(|c| c.id.0).collect();
        let requeued: Vec<i64> = changes
            .iter()
            .filter(|change| change.to == DeliveryState::Queued)
            .map(|change| change.id.0)
            .collect();
        in_transaction!(self, |tx| {
            let now = now.timestamp_millis();
            sqlx::query(self.sql(RECORD))
                .bind(json(&rows))
                .bind(now)
                .execute(&mut *tx)
                .await?;
            if !requeued.is_empty() {
                let requeued = json_ids(requeued);
                for follow in [FOLLOW_ROUND, FOLLOW_BROADCAST, DROP_SUPERSEDED] {
                    sqlx::query(self.sql(follow))
                        .bind(&requeued)
                        .bind(now.to_string())
                        .bind("\n")
                        .execute(&mut *tx)
                        .await?;
                }
            }
            if !parts.is_empty() {
                sqlx::query(self.sql(INSERT_PARTS))
                    .bind(json(&parts))
                    .execute(&mut *tx)
                    .await?;
            }
            if !bad.is_empty() {
                sqlx::query(self.sql(MARK_UNREACHABLE))
                    .bind(json_ids(bad))
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
            }
        });
        Ok(())
    }

    /// Puts back in the queue what a dispatcher held when it died: all of it after a take-over
    /// (`lease_before` none), else what has outlived its lease. It may have been sent, so it counts as a
    /// possible repeat. Gives how many.
    pub async fn recover_sending(
        &self,
        lease_before: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let line = history_line(
            now,
            DeliveryState::Queued,
            "its dispatcher is gone; it may have been sent",
        );
        Ok(in_transaction!(self, |tx| {
            let recovered: Vec<(i64,)> = sqlx::query_as(
                "update deliveries set state = 'queued', repeats = repeats + 1, lease_until = null, \
                   changed_at = $2, history = history || $3 where state = 'sending' and lease_until < $1 \
                 returning id",
            )
            .bind(lease_before.map_or(i64::MAX, |at| at.timestamp_millis()))
            .bind(now.timestamp_millis())
            .bind(line)
            .fetch_all(&mut *tx)
            .await?;
            if !recovered.is_empty() {
                let ids = json_ids(recovered.iter().map(|(id,)| *id));
                for follow in [FOLLOW_ROUND, FOLLOW_BROADCAST, DROP_SUPERSEDED] {
                    sqlx::query(self.sql(follow))
                        .bind(&ids)
                        .bind(now.timestamp_millis().to_string())
                        .bind("\n")
                        .execute(&mut *tx)
                        .await?;
                }
            }
            recovered.len() as u64
        }))
    }

    /// Expires what can no longer be in time; gives how many.
    pub async fn expire(&self, now: DateTime<Utc>) -> Result<u64> {
        let line = history_line(now, DeliveryState::Expired, "it could no longer be in time");
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update deliveries set state = 'expired', changed_at = $1, history = history || $2 \
                 where state in ('held', 'queued') and expires_at <= $1",
            )
            .bind(now.timestamp_millis())
            .bind(line)
            .execute(&mut *tx)
            .await?
            .rows_affected()
        }))
    }

    /// Makes `sent` of what was accepted before `before` and never got a receipt; gives how many.
    pub async fn settle_without_receipt(&self, before: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64> {
        let line = history_line(now, DeliveryState::Sent, "no receipt in its time");
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update deliveries set state = 'sent', changed_at = $2, history = history || $3 \
                 where state = 'accepted' and changed_at < $1",
            )
            .bind(before.timestamp_millis())
            .bind(now.timestamp_millis())
            .bind(line)
            .execute(&mut *tx)
            .await?
            .rows_affected()
        }))
    }

    /// Keeps receipts (carrier, part, fate, the carrier's words) before the carrier is told that they arrived.
    pub async fn record_receipts(
        &self,
        receipts: &[(String, String, &'static str, String)],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let sql = self.sql(
            "insert into receipts (id, carrier, ref, fate, raw, received_at) \
             select cast(r.value->>'id' as bigint), r.value->>'carrier', r.value->>'ref', r.value->>'fate', \
               r.value->>'raw', $2 from {rows}",
        );
        in_transaction!(self, |tx| {
            let first = take_ids!(tx, "receipts", receipts.len());
            let rows: Vec<_> = (first..)
                .zip(receipts)
                .map(|(id, (carrier, part, fate, raw))| {
                    serde_json::json!({ "id": id, "carrier": carrier, "ref": part, "fate": fate, "raw": raw })
                })
                .collect();
            sqlx::query(sql)
                .bind(json(&rows))
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Applies kept receipts to their deliveries: delivered once every part is, failed once one part is.
    /// Receipts that belong to nothing known are dropped when they are older than `drop_before`.
    pub async fn apply_receipts(
        &self,
        limit: usize,
        now: DateTime<Utc>,
        drop_before: DateTime<Utc>,
    ) -> Result<ReceiptOutcome> {
        let now_ms = now.timestamp_millis();
        let update_parts = self.sql(
            "update parts set fate = r.value->>'fate' from {rows} where parts.carrier = r.value->>'carrier' \
               and parts.ref = r.value->>'ref' and parts.fate = 'accepted'",
        );
        let drop_matched = self
            .sql("delete from receipts where id in (select cast(r.value->>'receipt' as bigint) from {rows})");
        let settle = self.sql(
            "update deliveries set state = s.state, changed_at = $2, history = history || $3 || s.state || ' ' \
               || s.words || chr10.newline \
             from (select p.delivery_id, case when max(case when p.fate = 'failed' then 1 else 0 end) = 1 \
                 then 'failed' else 'delivered' end as state, max(i.words) as words \
               from (select cast(r.value->>'id' as bigint) as id, max(r.value->>'raw') as words from {rows} group by 1) i \
               join parts p on p.delivery_id = i.id group by p.delivery_id \
               having max(case when p.fate = 'failed' then 1 else 0 end) = 1 \
                 or min(case when p.fate = 'delivered' then 1 else 0 end) = 1) as s, \
               (select $4 as newline) as chr10 \
             where deliveries.id = s.delivery_id and deliveries.state = 'accepted' returning deliveries.state",
        );
        let mut outcome = ReceiptOutcome::default();
        in_transaction!(self, |tx| {
            let matched: Vec<(i64, String, String, String, String, i64)> = sqlx::query_as(
                "select k.id, k.carrier, k.ref, k.fate, k.raw, p.delivery_id from receipts k \
                 join parts p on p.carrier = k.carrier and p.ref = k.ref limit $1",
            )
            .bind(limit as i64)
            .fetch_all(&mut *tx)
            .await?;
            if !matched.is_empty() {
                let rows: Vec<_> = matched
                    .iter()
                    .map(|(receipt, carrier, part, fate, raw, id)| {
                        serde_json::json!({ "receipt": receipt, "carrier": carrier, "ref": part, "fate": fate, "raw": raw, "id": id })
                    })
                    .collect();
                let rows = json(&rows);
                sqlx::query(update_parts).bind(&rows).execute(&mut *tx).await?;
                let settled: Vec<(String,)> = sqlx::query_as(settle)
                    .bind(&rows)
                    .bind(now_ms)
                    .bind(format!("{now_ms} "))
                    .bind("\n")
                    .fetch_all(&mut *tx)
                    .await?;
                sqlx::query(drop_matched).bind(&rows).execute(&mut *tx).await?;
                outcome.matched = matched.len() as u64;
                outcome.failed = settled.iter().filter(|(state,)| state == "failed").count() as u64;
                outcome.delivered = settled.len() as u64 - outcome.failed;
            }
            sqlx::query("delete from receipts where received_at < $1")
                .bind(drop_before.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(outcome)
    }

    /// Counts deliveries by round, channel, kind and state.
    pub async fn count_deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<StateCount>> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select round_id, channel, kind, state, count(*) as deliveries, \
                   cast(sum(case when repeats > 0 then 1 else 0 end) as bigint) as repeated from deliveries \
                 where ($1 = 0 or round_id = $1) and ($2 = '' or state = $2) and ($3 = '' or channel = $3) \
                 group by round_id, channel, kind, state order by round_id, channel, kind, state",
            )
            .bind(filter.round.map_or(0, |round| round.0))
            .bind(filter.state.map_or("", DeliveryState::as_str))
            .bind(filter.channel.map_or("", ChannelKind::as_str))
            .fetch_all(pool)
            .await?
        }))
    }

    /// Counts the notices of all rounds under way by state: those to people of these communities; none: of all.
    pub async fn count_round_notices(
        &self,
        communities: Option<&[CommunityId]>,
    ) -> Result<Vec<(String, i64)>> {
        let communities = communities.map_or_else(String::new, |ids| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!(",{},", ids.join(","))
        });
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "with homes as ( \
                   select u.id from units u join buildings b on b.id = u.building_id \
                   where $1 like '%,' || cast(b.community_id as text) || ',%' \
                 ), people as ( \
                   select phone_contact_id as id from residents where unit_id in (select id from homes) \
                   union select chat_contact_id from residents where unit_id in (select id from homes) \
                   union select id from contacts where unit_id in (select id from homes) \
                 ) \
                 select state, count(*) from deliveries \
                 where round_id in (select id from rounds where state in ('releasing', 'paused')) \
                   and ($1 = '' or contact_id in (select id from people where id is not null)) \
                 group by state order by state",
            )
            .bind(communities)
            .fetch_all(pool)
            .await?
        }))
    }

    /// The newest deliveries, at most `limit`.
    pub async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<DeliveryRow>> {
        self.delivery_list(
            filter.round.map_or(0, |round| round.0),
            filter.state.map_or("", DeliveryState::as_str),
            filter.channel.map_or("", ChannelKind::as_str),
            0,
            limit,
        )
        .await
    }

    /// One delivery.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>> {
        Ok(self.delivery_list(0, "", "", id.0, 1).await?.pop())
    }

    async fn delivery_list(
        &self,
        round: i64,
        state: &str,
        channel: &str,
        id: i64,
        limit: usize,
    ) -> Result<Vec<DeliveryRow>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            id: i64,
            key: String,
            round_id: Option<i64>,
            contact_id: i64,
            channel: String,
            kind: String,
            state: String,
            attempts: i64,
            repeats: i64,
            parts: i64,
            address: String,
            created_at: i64,
            changed_at: i64,
            expires_at: i64,
            history: String,
        }
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select d.id, d.key, d.round_id, d.contact_id, d.channel, d.kind, d.state, d.attempts, d.repeats, \
                   d.parts, c.address, d.created_at, d.changed_at, d.expires_at, d.history \
                 from deliveries d join contacts c on c.id = d.contact_id \
                 where ($1 = 0 or d.round_id = $1) and ($2 = '' or d.state = $2) and ($3 = '' or d.channel = $3) \
                   and ($4 = 0 or d.id = $4) order by d.id desc limit $5",
            )
            .bind(round)
            .bind(state)
            .bind(channel)
            .bind(id)
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|row| {
                let address = self.keys.open_text(ADDRESS, row.contact_id, &row.address)?;
                Ok(DeliveryRow {
                    id: row.id,
                    key: row.key,
                    round: row.round_id,
                    to: parse_address(&row.channel, &address)?.masked(),
                    channel: row.channel,
                    kind: row.kind,
                    state: row.state,
                    attempts: row.attempts,
                    repeats: row.repeats,
                    parts: row.parts,
                    created_at: instant(row.created_at),
                    changed_at: instant(row.changed_at),
                    expires_at: instant(row.expires_at),
                    history: row.history.lines().map(str::to_owned).collect(),
                })
            })
            .collect()
    }

    /// Deliveries that wait in the queue, by channel.
    pub async fn queue_lengths(&self) -> Result<Vec<(String, i64)>> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as("select channel, count(*) from deliveries where state = 'queued' group by channel")
                .fetch_all(pool)
                .await?
        }))
    }

    /// Deliveries that have not come to a final state, of one round or (none) of all.
    pub async fn open_deliveries(&self, round: Option<RoundId>) -> Result<i64> {
        let (count,): (i64,) = on_pool!(self, |pool| {
            sqlx::query_as(
                "select count(*) from deliveries where state in ('held', 'queued', 'sending', 'accepted') \
                 and ($1 = 0 or round_id = $1)",
            )
            .bind(round.map_or(0, |round| round.0))
            .fetch_one(pool)
            .await?
        });
        Ok(count)
    }

    /// The contacts that a notice to these units concerns: for each resident the chat, where one is linked and
    /// works, else the phone; and the chats that chose one of these units as their home.
    pub async fn audience(&self, units: &[UnitId]) -> Result<Vec<AudienceContact>> {
        let sql = self.sql(
            "select c.id, c.channel, c.state, c.language from contacts c where c.id in ( \
               select coalesce(chat.id, p.phone_contact_id) from {rows} \
               join residents p on p.unit_id = cast(r.value->>'id' as bigint) and p.moved_out_at is null \
               left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable') \
             union select c.id, c.channel, c.state, c.language from {rows} \
               join contacts c on c.unit_id = cast(r.value->>'id' as bigint) order by 1",
        );
        let rows: Vec<AudienceRow> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(units.iter().map(|unit| unit.0)))
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(audience_contact).collect()
    }
}

pub(super) type AudienceRow = (i64, String, String, Option<String>);

pub(super) fn audience_contact((id, channel, state, language): AudienceRow) -> Result<AudienceContact> {
    Ok(AudienceContact {
        contact: ContactId(id),
        channel: known(
            ChannelKind::ALL.into_iter().find(|kind| kind.as_str() == channel),
            "contacts.channel",
            &channel,
        )?,
        state: known(ContactState::parse(&state), "contacts.state", &state)?,
        language: language.and_then(|code| code.parse().ok()),
    })
}
