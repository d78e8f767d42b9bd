//! What the pacing law knows and has decided, the city's gate, and the record of it all.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    Result, Store, UnitToTell, in_transaction, json, on_pool,
    rounds::{ToTellRow, unit_to_tell},
    service::instant,
    take_ids,
};
use crate::domain::{DeliveryState, NoticeKind, RoundId};

/// What the law knows and has decided, as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PacingRow {
    /// The law's state, as JSON; empty before its first step.
    pub law: String,
    /// The last load sample, as JSON; empty if there was none.
    pub sample: String,
    /// When that arrived.
    pub sampled_at: Option<DateTime<Utc>>,
    /// The mode's word; empty before the first decision.
    pub mode: String,
    /// Since when.
    pub mode_since: Option<DateTime<Utc>>,
    /// Recipients that may be told a second.
    pub per_second: f64,
    /// Recipients whose windows may start a second.
    pub starts_per_second: f64,
    /// Recipients a second that are safe when nothing is known.
    pub safe_per_second: f64,
    /// Sessions a second that the system can do when all is well, as far as it has been heard.
    pub nominal_capacity: Option<f64>,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// The city's gate: recipients let through that the rate had not caught up with.
    pub gate_level: f64,
    /// When that was so.
    pub gate_at: DateTime<Utc>,
    /// Somebody holds or frees the pacing.
    pub by_hand: Option<ByHandRecord>,
    /// The order that windows are to move, as JSON, until it is carried out; empty without one.
    pub ordered: String,
}

/// Somebody holds or frees the pacing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByHandRecord {
    /// `held` or `freed`.
    pub what: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// A step of the law, to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDecision {
    /// The law's state, as JSON.
    pub law: String,
    /// The load sample that arrived with this step, as JSON.
    pub sample: Option<String>,
    /// The mode's word.
    pub mode: &'static str,
    /// Recipients that may be told a second.
    pub per_second: f64,
    /// Recipients whose windows may start a second.
    pub starts_per_second: f64,
    /// Recipients a second that are safe when nothing is known.
    pub safe_per_second: f64,
    /// Sessions a second that the system can do when all is well, as far as it has been heard.
    pub nominal_capacity: Option<f64>,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// A new order that windows are to move, as JSON. It takes the place of one that has not been carried out.
    pub ordered: Option<String>,
}

/// What a line of the record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// The mode changed.
    Mode,
    /// The law acted.
    Action,
    /// Somebody held it, freed it or left it to itself again.
    ByHand,
}

impl LogKind {
    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Action => "action",
            Self::ByHand => "by_hand",
        }
    }
}

/// A line for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogEntry {
    /// What it is about.
    pub kind: LogKind,
    /// What happened.
    pub what: String,
    /// Why, in words.
    pub reason: String,
    /// Who did it: `law`, or a person.
    pub actor: String,
}

/// A line of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PacingLogEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// `mode`, `action` or `by_hand`.
    pub kind: String,
    /// What happened.
    pub what: String,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub actor: String,
}

/// A move of the city's gate, stored together with what passed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CityMove {
    /// Level and instant as they were read.
    pub seen: (f64, DateTime<Utc>),
    /// As they are now.
    pub next: (f64, DateTime<Utc>),
}

/// Whom a window's notice reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ToldCount {
    /// The window's row.
    pub id: i64,
    /// By text message.
    pub sms: u32,
    /// By chat.
    pub chat: u32,
}

/// Recipients given the link within a bucket of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldBucket {
    /// The bucket's first instant.
    pub at: DateTime<Utc>,
    /// By text message.
    pub sms: u64,
    /// By chat.
    pub chat: u64,
}

/// Recipients who know a window that starts at an instant, and have its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartBucket {
    /// The start.
    pub starts_at: DateTime<Utc>,
    /// By text message.
    pub sms: u64,
    /// By chat.
    pub chat: u64,
}

/// Recipients who come at a start although no window says so, or as many fewer than the windows say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovedStart {
    /// The start.
    pub starts_at: DateTime<Utc>,
    /// By text message.
    pub sms: f64,
    /// By chat.
    pub chat: f64,
}

/// A round that people were told of lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldRound {
    /// When the first of them got the link.
    pub first_told_at: DateTime<Utc>,
    /// The end of the last told window.
    pub last_window_ends_at: DateTime<Utc>,
    /// People in the told units.
    pub people: u64,
    /// Recipients by text message.
    pub sms: u64,
    /// Recipients by chat.
    pub chat: u64,
}

#[derive(sqlx::FromRow)]
struct Row {
    law: String,
    sample: String,
    sampled_at: Option<i64>,
    mode: String,
    mode_since: Option<i64>,
    per_second: f64,
    starts_per_second: f64,
    safe_per_second: f64,
    nominal_capacity: Option<f64>,
    reasons: String,
    decided_at: Option<i64>,
    gate_level: f64,
    gate_at: i64,
    by_hand: String,
    by_hand_actor: String,
    by_hand_reason: String,
    by_hand_at: Option<i64>,
    ordered: String,
}

impl Row {
    fn into_pacing(self) -> PacingRow {
        PacingRow {
            law: self.law,
            sample: self.sample,
            sampled_at: self.sampled_at.map(instant),
            mode: self.mode,
            mode_since: self.mode_since.map(instant),
            per_second: self.per_second,
            starts_per_second: self.starts_per_second,
            safe_per_second: self.safe_per_second,
            nominal_capacity: self.nominal_capacity,
            reasons: serde_json::from_str(&self.reasons).unwrap_or_default(),
            decided_at: self.decided_at.map(instant),
            gate_level: self.gate_level,
            gate_at: instant(self.gate_at),
            by_hand: (!self.by_hand.is_empty()).then(|| ByHandRecord {
                what: self.by_hand,
                actor: self.by_hand_actor,
                reason: self.by_hand_reason,
                at: self.by_hand_at.map(instant).unwrap_or_default(),
            }),
            ordered: self.ordered,
        }
    }
}

const INSERT_LOG: &str = "insert into pacing_log (id, at, kind, what, reason, actor) \
    select cast(r.value->>'id' as bigint), $2, r.value->>'kind', r.value->>'what', r.value->>'reason', \
      r.value->>'actor' from {rows}";

/// The row may be missing: before the first decision, and in a backup of an earlier version.
pub(super) const ENSURE_PACING: &str = "insert into pacing (id) values (1) on conflict (id) do nothing";

/// Moves the city's gate, unless somebody else moved it since it was read.
pub(super) const MOVE_GATE: &str = "update pacing set gate_level = $3, gate_at = $4 \
    where id = 1 and gate_level = $1 and gate_at = $2";
/// Whom the told windows' notices reach.
pub(super) const COUNT_TOLD: &str = "update windows set told_sms = cast(r.value->>'sms' as bigint), \
      told_chat = cast(r.value->>'chat' as bigint) \
    from {rows} where windows.id = cast(r.value->>'id' as bigint)";

/// What pacing holds: notices that send people online. Corrections, incidents and replies are never held by it.
const HELD_KINDS: [NoticeKind; 2] = [NoticeKind::Window, NoticeKind::Reminder];

impl Store {
    /// What the law knows and has decided.
    pub async fn pacing(&self) -> Result<PacingRow> {
        let row: Option<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select law, sample, sampled_at, mode, mode_since, per_second, starts_per_second, safe_per_second, \
                   nominal_capacity, reasons, decided_at, gate_level, gate_at, by_hand, by_hand_actor, by_hand_reason, by_hand_at, ordered \
                 from pacing where id = 1",
            )
            .fetch_optional(pool)
            .await?
        });
        Ok(row.map(Row::into_pacing).unwrap_or_default())
    }

    /// Stores a step of the law, with what there is to say about it.
    pub async fn save_decision(
        &self,
        decision: &NewDecision,
        log: &[NewLogEntry],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let now_ms = now.timestamp_millis();
        in_transaction!(self, |tx| {
            sqlx::query(ENSURE_PACING).execute(&mut *tx).await?;
            sqlx::query(
                "update pacing set law = $1, sample = coalesce($2, sample), \
                   sampled_at = case when $2 is null then sampled_at else $8 end, \
                   mode_since = case when mode = $3 then mode_since else $8 end, mode = $3, per_second = $4, \
                   starts_per_second = $5, safe_per_second = $6, reasons = $7, decided_at = $8, \
                   nominal_capacity = coalesce($9, nominal_capacity), ordered = coalesce($10, ordered) where id = 1",
            )
            .bind(&decision.law)
            .bind(decision.sample.as_deref())
            .bind(decision.mode)
            .bind(decision.per_second)
            .bind(decision.starts_per_second)
            .bind(decision.safe_per_second)
            .bind(json(&decision.reasons))
            .bind(now_ms)
            .bind(decision.nominal_capacity)
            .bind(decision.ordered.as_deref())
            .execute(&mut *tx)
            .await?;
            if !log.is_empty() {
                let first = take_ids!(tx, "pacing_log", log.len());
                sqlx::query(self.sql(INSERT_LOG))
                    .bind(json(&log_rows(log, first)))
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?;
            }
        });
        Ok(())
    }

    /// An order that windows are to move has been carried out; a newer one stays.
    pub async fn order_done(&self, ordered: &str) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("update pacing set ordered = '' where id = 1 and ordered = $1")
                .bind(ordered)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Adds lines to the record.
    pub async fn log_pacing(&self, log: &[NewLogEntry], now: DateTime<Utc>) -> Result<()> {
        if log.is_empty() {
            return Ok(());
        }
        in_transaction!(self, |tx| {
            let first = take_ids!(tx, "pacing_log", log.len());
            sqlx::query(self.sql(INSERT_LOG))
                .bind(json(&log_rows(log, first)))
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Holds (`held`) or frees (`freed`) the pacing, or leaves it to the law again (empty); on record.
    pub async fn set_pacing_by_hand(
        &self,
        what: &str,
        actor: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let entry = NewLogEntry {
            kind: LogKind::ByHand,
            what: if what.is_empty() { "auto" } else { what }.to_owned(),
            reason: reason.to_owned(),
            actor: actor.to_owned(),
        };
        in_transaction!(self, |tx| {
            sqlx::query(ENSURE_PACING).execute(&mut *tx).await?;
            sqlx::query(
                "update pacing set by_hand = $1, by_hand_actor = $2, by_hand_reason = $3, by_hand_at = $4 where id = 1",
            )
            .bind(what)
            .bind(actor)
            .bind(reason)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?;
            let first = take_ids!(tx, "pacing_log", 1);
            sqlx::query(self.sql(INSERT_LOG))
                .bind(json(&log_rows(&[entry], first)))
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// The newest lines of the record, the newest first.
    pub async fn pacing_log(&self, limit: usize) -> Result<Vec<PacingLogEntry>> {
        let rows: Vec<(i64, String, String, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as("select at, kind, what, reason, actor from pacing_log order by id desc limit $1")
                .bind(limit as i64)
                .fetch_all(pool)
                .await?
        });
        Ok(rows
            .into_iter()
            .map(|(at, kind, what, reason, actor)| PacingLogEntry {
                at: instant(at),
                kind,
                what,
                reason,
                actor,
            })
            .collect())
    }

    /// Holds what waits in the queue and sends people online: windows, calls and reminders of every round. Gives how
    /// many deliveries. Corrections, incident notices and replies go on.
    pub async fn hold_queued(&self, now: DateTime<Utc>) -> Result<u64> {
        let now_ms = now.timestamp_millis();
        let sql = self.sql(
            "update deliveries set state = 'held', changed_at = $2, history = history || $3 \
             where state = 'queued' and ((round_id is not null and kind in (select r.value->>'kind' from {rows})) \
               or broadcast_id in (select b.id from broadcasts b where b.calm = 0))",
        );
        Ok(in_transaction!(self, |tx| {
            sqlx::query(sql)
                .bind(json(&held_kinds()))
                .bind(now_ms)
                .bind(format!(
                    "{now_ms} {} pacing lets nothing be released\n",
                    DeliveryState::Held.as_str()
                ))
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }

    /// Queues what is held and whose round is releasing. Gives how many deliveries.
    pub async fn free_held(&self, now: DateTime<Utc>) -> Result<u64> {
        let now_ms = now.timestamp_millis();
        // Asked at every step, and nearly always for nothing: reading disturbs nobody.
        let held: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select d.id from deliveries d left join rounds o on o.id = d.round_id and o.state = 'releasing' \
                 left join broadcasts b on b.id = d.broadcast_id and b.state = 'sending' \
                 where d.state = 'held' and (o.id is not null or b.id is not null) limit 1",
            )
            .fetch_optional(pool)
            .await?
        });
        if held.is_none() {
            return Ok(0);
        }
        let sql = self.sql(
            "update deliveries set state = 'queued', changed_at = $2, history = history || $3 \
             where state = 'held' and ((kind in (select r.value->>'kind' from {rows}) \
                 and round_id in (select o.id from rounds o where o.state = 'releasing')) \
               or broadcast_id in (select b.id from broadcasts b where b.state = 'sending'))",
        );
        Ok(in_transaction!(self, |tx| {
            sqlx::query(sql)
                .bind(json(&held_kinds()))
                .bind(now_ms)
                .bind(format!(
                    "{now_ms} {} pacing lets releases go on\n",
                    DeliveryState::Queued.as_str()
                ))
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }

    /// Recipients given the link from `from` on, in buckets of `bucket`.
    pub async fn told_by_bucket(&self, from: DateTime<Utc>, bucket: TimeDelta) -> Result<Vec<ToldBucket>> {
        let bucket_ms = bucket.num_milliseconds().max(1);
        let rows: Vec<(i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select called_at / $2 * $2, cast(sum(told_sms) as bigint), cast(sum(told_chat) as bigint) \
                 from windows where called_at >= $1 group by 1 order by 1",
            )
            .bind(from.timestamp_millis())
            .bind(bucket_ms)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(at, sms, chat)| ToldBucket {
                at: instant(at),
                sms: sms as u64,
                chat: chat as u64,
            })
            .collect())
    }

    /// Recipients by the start of the window they know, for those who had its link before it started.
    pub async fn told_by_start(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<StartBucket>> {
        let rows: Vec<(i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select starts_at, cast(sum(told_sms) as bigint), cast(sum(told_chat) as bigint) from windows \
                 where called_at is not null and called_at < starts_at and starts_at >= $1 and starts_at < $2 \
                 group by starts_at order by starts_at",
            )
            .bind(from.timestamp_millis())
            .bind(until.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(starts_at, sms, chat)| StartBucket {
                starts_at: instant(starts_at),
                sms: sms as u64,
                chat: chat as u64,
            })
            .collect())
    }

    /// Recipients who come at a start of this time although no window says so (or as many fewer), since windows moved.
    pub async fn moved(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<MovedStart>> {
        let rows: Vec<(i64, f64, f64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select starts_at, sms, chat from pacing_moved where starts_at >= $1 and starts_at < $2 \
                 order by starts_at",
            )
            .bind(from.timestamp_millis())
            .bind(until.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(starts_at, sms, chat)| MovedStart {
                starts_at: instant(starts_at),
                sms,
                chat,
            })
            .collect())
    }

    /// Rounds whose people got the link from `from` on.
    pub async fn told_rounds(&self, from: DateTime<Utc>) -> Result<Vec<ToldRound>> {
        let rows: Vec<(i64, i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select min(called_at), max(ends_at), cast(sum(people) as bigint), cast(sum(told_sms) as bigint), \
                   cast(sum(told_chat) as bigint) from windows where called_at >= $1 \
                 group by round_id order by round_id",
            )
            .bind(from.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(first, last, people, sms, chat)| ToldRound {
                first_told_at: instant(first),
                last_window_ends_at: instant(last),
                people: people as u64,
                sms: sms as u64,
                chat: chat as u64,
            })
            .collect())
    }

    /// The start of a round's first window, and of the next that nobody has been told of.
    pub async fn first_and_next_start(
        &self,
        round: RoundId,
    ) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>> {
        let (first, next): (Option<i64>, Option<i64>) = on_pool!(self, |pool| {
            sqlx::query_as(
                "select (select min(w.starts_at) from windows w where w.round_id = $1), \
                   (select min(w.starts_at) from windows w where w.round_id = $1 and w.released_at is null \
                      and w.people > 0)",
            )
            .bind(round.0)
            .fetch_one(pool)
            .await?
        });
        Ok(first.map(instant).zip(next.map(instant)))
    }

    /// Told units of a two-step round whose window has started and whose people wait for their call, the earliest
    /// first; recipients are those whom the first notice reached.
    pub async fn units_to_call(
        &self,
        round: RoundId,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<UnitToTell>> {
        let rows: Vec<ToTellRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql(
                "select w.id, w.round_id, w.unit_id, w.starts_at, w.told_sms + w.told_chat from windows w \
                 where w.round_id = $1 and w.called_at is null and w.released_at is not null and w.starts_at <= $2 \
                   and {running} order by w.starts_at, w.id limit $3",
            ))
            .bind(round.0)
            .bind(now.timestamp_millis())
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(unit_to_tell).collect())
    }

    /// Notices of rounds that wait in the queue of a channel, counted up to `limit`.
    pub async fn queued_notices(&self, channel: crate::domain::ChannelKind, limit: u64) -> Result<u64> {
        let (count,): (i64,) = on_pool!(self, |pool| {
            sqlx::query_as(
                "select count(*) from (select id from deliveries where channel = $1 and priority = $2 \
                   and state = 'queued' limit $3) waiting",
            )
            .bind(channel.as_str())
            .bind(NoticeKind::Window.priority())
            .bind(limit as i64)
            .fetch_one(pool)
            .await?
        });
        Ok(count as u64)
    }
}

fn held_kinds() -> Vec<serde_json::Value> {
    HELD_KINDS
        .iter()
        .map(|kind| serde_json::json!({ "kind": kind.as_str() }))
        .collect()
}

fn log_rows(log: &[NewLogEntry], first: i64) -> Vec<serde_json::Value> {
    (first..)
        .zip(log)
        .map(|(id, entry)| {
            serde_json::json!({
                "id": id, "kind": entry.kind.as_str(), "what": entry.what, "reason": entry.reason,
                "actor": entry.actor,
            })
        })
        .collect()
}
