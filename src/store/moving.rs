//! Windows that move, and times of a household's own.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{
    Result, Round, Store, TakenRoom, in_transaction, json, json_ids, on_pool,
    rounds::{INSERT_WINDOWS, window_rows},
    service::instant,
    take_ids,
    windows::taken_room,
};
use crate::domain::{ContactId, ResidentId, RoundId, SiteId, UnitId, Window};

/// Windows moved by one statement.
const MOVES_PER_STATEMENT: usize = 10_000;
/// Arrivals a minute may be above a limit by so much, for the rounding of sums.
const RATE_TOLERANCE: f64 = 1e-6;

/// A window that may move, or a time of a household's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movable {
    /// The row of the window; of an own time, the rows of its residents.
    pub rows: Vec<i64>,
    /// A household asked for this time in place of its unit's.
    pub own: bool,
    /// Whose.
    pub unit: UnitId,
    /// Where.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Residents expected, without those of the green lane.
    pub people: u32,
    /// Contacts that a notice of it reaches.
    pub recipients: u32,
    /// Its people have been told, or some of them with another unit of theirs.
    pub told: bool,
    /// How often it has moved since.
    pub moves: u8,
}

/// A window's new time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowMove {
    /// The row of the window, or of the own time.
    pub row: i64,
    /// Which of the two.
    pub own: bool,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Beyond what the site can take.
    pub over_capacity: bool,
    /// Of those told, the share who come at the old time all the same, 0 to 1: for the forecast.
    pub stay_behind: f64,
    /// Its people wait for a call that brings the link: the new time needs a call of its own.
    pub is_called: bool,
}

/// Recipients of a round whose windows start at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundStart {
    /// Which round.
    pub round: RoundId,
    /// When.
    pub starts_at: DateTime<Utc>,
    /// Whether they have been told.
    pub told: bool,
    /// How many.
    pub recipients: u64,
}

/// What became of what a contact was to hear of a round's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The first notice was not withdrawn.
    pub left: bool,
    /// Some notice of a time reached the channel, or is on its way there.
    pub heard: bool,
    /// Notices of a time that were withdrawn before they left.
    pub withdrawn: i64,
}

/// A time that a household asks for in place of its unit's.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnWindow {
    /// In which round.
    pub round: RoundId,
    /// Who lives there.
    pub unit: UnitId,
    /// Where to go.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Who will come.
    pub residents: Vec<ResidentId>,
    /// People a minute that the site can take.
    pub site_per_minute: f64,
    /// People a minute that the city may expect, if there is a limit.
    pub city_per_minute: Option<f64>,
}

/// Takes from these residents (as rows) the times of their own that they have in a round.
macro_rules! give_up_own {
    ($store:expr, $tx:ident, $residents:expr, $own:expr) => {
        sqlx::query($store.sql(KEEP_COUNTING))
            .bind($residents)
            .bind($own.round.0)
            .bind($own.unit.0)
            .execute(&mut *$tx)
            .await?;
        sqlx::query($store.sql(DELETE_OWN))
            .bind($residents)
            .bind($own.round.0)
            .execute(&mut *$tx)
            .await?;
    };
}

impl Store {
    /// A round's windows that end after `after`, and the households' own times among them, as they may move.
    pub async fn movable_windows(&self, round: RoundId, after: DateTime<Utc>) -> Result<Vec<Movable>> {
        let rows: Vec<MovableRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select w.id, w.unit_id, w.site_id, w.starts_at, w.ends_at, w.people, w.moves, \
                   cast(case when coalesce(w.released_at, w.known_at) is null then 0 else 1 end as bigint), \
                   (select count(distinct coalesce(chat.id, p.phone_contact_id)) from residents p \
                    left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
                    where p.unit_id = w.unit_id and p.moved_out_at is null) \
                 from windows w where w.round_id = $1 and w.ends_at > $2 and w.people > 0 order by w.starts_at, w.id",
            )
            .bind(round.0)
            .bind(after.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        let own: Vec<OwnRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, unit_id, site_id, starts_at, ends_at, moves from own_windows \
                 where round_id = $1 and ends_at > $2 order by starts_at, unit_id, site_id, ends_at, moves, id",
            )
            .bind(round.0)
            .bind(after.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(movable(rows, own))
    }

    /// Recipients of all other live rounds by the start of their windows, from an instant on. Whom a paused round has
    /// not told yet is not among them.
    pub async fn starts_beside(&self, round: RoundId, from: DateTime<Utc>) -> Result<Vec<RoundStart>> {
        let rows: Vec<(i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select t.round_id, t.starts_at, t.told, cast(sum(t.recipients) as bigint) from ( \
                   select w.round_id, w.starts_at, cast(case when w.released_at is null then 0 else 1 end as bigint) as told, \
                     case when w.released_at is not null then w.told_sms + w.told_chat else \
                       (select count(distinct coalesce(chat.id, p.phone_contact_id)) from residents p \
                        left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
                        where p.unit_id = w.unit_id and p.moved_out_at is null) end as recipients \
                   from rounds r join windows w on w.round_id = r.id and w.starts_at >= $2 and w.people > 0 \
                   where r.id <> $1 and (r.state = 'releasing' \
                     or (r.state = 'paused' and w.released_at is not null))) t \
                 group by t.round_id, t.starts_at, t.told order by 1, 2, 3",
            )
            .bind(round.0)
            .bind(from.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(round, starts_at, told, recipients)| RoundStart {
                round: RoundId(round),
                starts_at: instant(starts_at),
                told: told == 1,
                recipients: recipients as u64,
            })
            .collect())
    }

    /// Moves windows of a live round and adds new ones, in one transaction. Those who were told of a window that moves
    /// are to be corrected; what waits to tell them an old time is cancelled, and what a dispatcher holds is marked
    /// so that it does not wait again. The forecast learns who comes at the old time all the same.
    /// False, and nothing changed, when the round has stopped or its windows have moved since it was read.
    pub async fn apply_moves(
        &self,
        round: &Round,
        moves: &[WindowMove],
        added: &[Window],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let history = format!("{now_ms} cancelled its window moved\n");
        Ok(in_transaction!(self, |tx| {
            let live = sqlx::query(
                "update rounds set moves = moves + 1, changed_at = $3 \
                 where id = $1 and moves = $2 and state in ('releasing', 'paused')",
            )
            .bind(round.id.0)
            .bind(round.moves)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if live {
                for moves in moves.chunks(MOVES_PER_STATEMENT) {
                    // While the old times are still there.
                    sqlx::query(self.sql(NOTE_MOVED))
                        .bind(move_rows(moves, false))
                        .bind(round.id.0)
                        .execute(&mut *tx)
                        .await?;
                    for (sql, own) in [(MOVE_OWN, true), (CORRECT_OWN, true), (MOVE, false)] {
                        sqlx::query(self.sql(sql))
                            .bind(move_rows(moves, own))
                            .bind(round.id.0)
                            .execute(&mut *tx)
                            .await?;
                    }
                    sqlx::query(self.sql(CORRECT_TOLD))
                        .bind(move_rows(moves, false))
                        .execute(&mut *tx)
                        .await?;
                }
                sqlx::query(CANCEL_SUPERSEDED)
                    .bind(round.id.0)
                    .bind(now_ms)
                    .bind(&history)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(MARK_SUPERSEDED)
                    .bind(round.id.0)
                    .execute(&mut *tx)
                    .await?;
                for windows in added.chunks(MOVES_PER_STATEMENT) {
                    let first = take_ids!(tx, "windows", windows.len());
                    sqlx::query(self.sql(INSERT_WINDOWS))
                        .bind(json(&window_rows(first, windows)))
                        .bind(round.id.0)
                        .execute(&mut *tx)
                        .await?;
                }
                sqlx::query(SUM_UP).bind(round.id.0).execute(&mut *tx).await?;
            }
            live
        }))
    }

    /// The windows of a round that moved and whose people have not all heard it yet, the earliest first.
    pub async fn units_to_correct(&self, round: RoundId, limit: usize) -> Result<Vec<(i64, UnitId)>> {
        let rows: Vec<(i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, unit_id from windows where round_id = $1 and corrects = 1 order by starts_at, id limit $2",
            )
            .bind(round.0)
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(id, unit)| (id, UnitId(unit))).collect())
    }

    /// How many windows of a round await that their people hear what became of them.
    pub async fn count_to_correct(&self, round: RoundId) -> Result<u64> {
        let (units,): (i64,) = on_pool!(self, |pool| {
            sqlx::query_as("select count(*) from windows where round_id = $1 and corrects = 1")
                .bind(round.0)
                .fetch_one(pool)
                .await?
        });
        Ok(units as u64)
    }

    /// Of these contacts, those for whom a notice of this round's windows was written, with what became of it.
    pub async fn told_contacts(
        &self,
        round: &Round,
        contacts: &[ContactId],
    ) -> Result<HashMap<ContactId, Told>> {
        let sql = self.sql(
            "select d.contact_id, \
               cast(case when d.state = 'cancelled' then 0 else 1 end as bigint), \
               cast(case when d.state in ('sending', 'accepted', 'sent', 'delivered') then 1 else 0 end as bigint) \
                 + (select count(*) from deliveries k where k.contact_id = d.contact_id and k.kind = 'correction' \
                    and k.round_id = $3 and k.state in ('sending', 'accepted', 'sent', 'delivered')), \
               cast(case when d.state = 'cancelled' then 1 else 0 end as bigint) \
                 + (select count(*) from deliveries k where k.contact_id = d.contact_id and k.kind = 'correction' \
                    and k.round_id = $3 and k.state = 'cancelled') \
             from {rows} \
             join deliveries d on d.key = $2 || cast(cast(r.value->>'id' as bigint) as text)",
        );
        let rows: Vec<(i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(contacts.iter().map(|contact| contact.0)))
                .bind(format!("window:{}:{}:", round.id, round.plan_revision))
                .bind(round.id.0)
                .fetch_all(pool)
                .await?
        });
        let told = |(contact, left, heard, withdrawn): (i64, i64, i64, i64)| {
            let told = Told {
                left: left == 1,
                heard: heard > 0,
                withdrawn,
            };
            (ContactId(contact), told)
        };
        Ok(rows.into_iter().map(told).collect())
    }

    /// Contacts to whom a dispatcher is sending an old time of this round at this moment.
    pub async fn hearing_old_times(&self, round: RoundId) -> Result<HashSet<ContactId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select contact_id from deliveries where state = 'sending' and superseded = 1 and round_id = $1",
            )
            .bind(round.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(contact,)| ContactId(contact)).collect())
    }

    /// Gives these residents a time of their own, if there is still room for them: one transaction that counts again.
    /// True also if they have it already. What waits to tell them the old time is cancelled.
    pub async fn take_own_window(&self, own: &OwnWindow, now: DateTime<Utc>) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let (starts, ends) = (own.starts_at.timestamp_millis(), own.ends_at.timestamp_millis());
        let residents = json_ids(own.residents.iter().map(|resident| resident.0));
        let history = format!("{now_ms} cancelled another time was chosen\n");
        Ok(in_transaction!(self, |tx| {
            // Both rows are locked by it, so that two who want the last place come one after the other.
            sqlx::query("update sites set name = name where id = $1")
                .bind(own.site.0)
                .execute(&mut *tx)
                .await?;
            let live = sqlx::query(
                "update rounds set moves = moves + 1, \
                   last_window_ends_at = case when last_window_ends_at < $2 then $2 else last_window_ends_at end \
                 where id = $1 and state in ('releasing', 'paused')",
            )
            .bind(own.round.0)
            .bind(ends)
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            let taken: Vec<(i64, i64, i64, i64)> = sqlx::query_as(self.sql(ROOM_TAKEN))
                .bind(&residents)
                .bind(starts)
                .bind(ends)
                .bind(own.round.0)
                .fetch_all(&mut *tx)
                .await?;
            let taken: Vec<TakenRoom> = taken.into_iter().map(taken_room).collect();
            if !live || own.residents.is_empty() || !has_room(own, &taken) {
                // Dropped without commit: nothing was changed.
                return Ok(false);
            }
            give_up_own!(self, tx, &residents, own);
            let first = take_ids!(tx, "own_windows", own.residents.len());
            let rows: Vec<_> = (first..)
                .zip(&own.residents)
                .map(|(id, resident)| serde_json::json!({ "id": id, "resident": resident }))
                .collect();
            sqlx::query(self.sql(INSERT_OWN))
                .bind(json(&rows))
                .bind(own.round.0)
                .bind(own.unit.0)
                .bind(own.site.0)
                .bind(starts)
                .bind(ends)
                .bind(now_ms)
                .execute(&mut *tx)
                .await?;
            for sql in [CANCEL_OF_RESIDENTS, MARK_OF_RESIDENTS, CORRECT_BESIDE] {
                sqlx::query(self.sql(sql))
                    .bind(&residents)
                    .bind(own.round.0)
                    .bind(now_ms)
                    .bind(&history)
                    .bind(own.unit.0)
                    .execute(&mut *tx)
                    .await?;
            }
            true
        }))
    }
}

/// Who stays behind is expected at the old start, and not at the new one.
const NOTE_MOVED: &str = "insert into pacing_moved (starts_at, sms, chat) \
    select t.starts_at, sum(t.sms), sum(t.chat) from ( \
      select w.starts_at, cast(r.value->>'stay' as double precision) * w.told_sms as sms, \
        cast(r.value->>'stay' as double precision) * w.told_chat as chat \
        from {rows} join windows w on w.id = cast(r.value->>'id' as bigint) and w.round_id = $2 \
        where w.called_at < w.starts_at and cast(r.value->>'called' as bigint) = 0 \
      union all select cast(r.value->>'starts' as bigint), \
        -cast(r.value->>'stay' as double precision) * w.told_sms, \
        -cast(r.value->>'stay' as double precision) * w.told_chat \
        from {rows} join windows w on w.id = cast(r.value->>'id' as bigint) and w.round_id = $2 \
        where w.called_at < w.starts_at and cast(r.value->>'called' as bigint) = 0) t \
    where t.sms <> 0 or t.chat <> 0 group by t.starts_at \
    on conflict (starts_at) do update set \
      sms = pacing_moved.sms + excluded.sms, chat = pacing_moved.chat + excluded.chat";
const MOVE: &str = "update windows set starts_at = cast(r.value->>'starts' as bigint), \
      ends_at = cast(r.value->>'ends' as bigint), over_capacity = cast(r.value->>'over' as bigint), \
      revision = revision + 1, moves = moves + case when coalesce(released_at, known_at) is null then 0 else 1 end, \
      reminded_at = null, \
      called_at = case when cast(r.value->>'called' as bigint) = 1 then null else called_at end, \
      green_ends_at = case when green_ends_at < cast(r.value->>'ends' as bigint) \
        then cast(r.value->>'ends' as bigint) else green_ends_at end \
    from {rows} where windows.id = cast(r.value->>'id' as bigint) and windows.round_id = $2";
const MOVE_OWN: &str = "update own_windows set starts_at = cast(r.value->>'starts' as bigint), \
      ends_at = cast(r.value->>'ends' as bigint), moves = moves + 1, reminded_at = null \
    from {rows} where own_windows.id = cast(r.value->>'id' as bigint) and own_windows.round_id = $2";
const CORRECT_OWN: &str = "update windows set corrects = 1 where round_id = $2 and unit_id in ( \
      select o.unit_id from {rows} join own_windows o on o.id = cast(r.value->>'id' as bigint))";
const CORRECT_TOLD: &str = "update windows set corrects = 1 \
    where id in (select cast(r.value->>'id' as bigint) from {rows}) and coalesce(released_at, known_at) is not null";
/// Of a phone of several units the call to one that did not move stays: nothing else brings its link.
const CANCEL_SUPERSEDED: &str = "update deliveries set state = 'cancelled', changed_at = $2, history = history || $3 \
    where round_id = $1 and state in ('held', 'queued') and kind in ('window', 'reminder', 'correction') \
      and contact_id in ( \
        select p.phone_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.phone_contact_id is not null \
        union select p.chat_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.chat_contact_id is not null \
        union select k.id from windows w join contacts k on k.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1) \
      and not (key like 'call:%' and exists (select 1 from residents p join windows v on v.unit_id = p.unit_id \
        where v.round_id = $1 and v.corrects = 0 \
          and (p.phone_contact_id = deliveries.contact_id or p.chat_contact_id = deliveries.contact_id) \
          and deliveries.key like '%:' || cast(v.starts_at / 60000 as text)))";
const MARK_SUPERSEDED: &str = "update deliveries set superseded = 1 \
    where round_id = $1 and state = 'sending' and kind in ('window', 'reminder', 'correction') \
      and contact_id in ( \
        select p.phone_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.phone_contact_id is not null \
        union select p.chat_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.chat_contact_id is not null \
        union select k.id from windows w join contacts k on k.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1)";
const SUM_UP: &str = "update rounds set \
      over_capacity = (select count(*) from windows w where w.round_id = $1 and w.over_capacity = 1), \
      last_window_ends_at = (select max(t.ends_at) from ( \
        select w.ends_at from windows w where w.round_id = $1 \
        union all select w.green_ends_at from windows w where w.round_id = $1 and w.green_ends_at is not null \
        union all select o.ends_at from own_windows o where o.round_id = $1) t) \
    where id = $1";

/// What is taken of the city within `$2`–`$3`, without what these residents have in the round `$4`.
const ROOM_TAKEN: &str = "select t.site_id, t.starts_at, t.ends_at, cast(sum(t.people) as bigint) from ( \
      select w.round_id, w.site_id, w.starts_at, w.ends_at, w.people from windows w \
        where w.starts_at < $3 and w.ends_at > $2 \
      union all select o.round_id, o.site_id, o.starts_at, o.ends_at, 1 from own_windows o \
        where o.starts_at < $3 and o.ends_at > $2 and not (o.round_id = $4 \
          and o.resident_id in (select cast(r.value->>'id' as bigint) from {rows}))) t \
    join rounds a on a.id = t.round_id and a.state in ('releasing', 'paused') \
    group by t.site_id, t.starts_at, t.ends_at";
/// A time of one's own begins to count its moves anew. Those of the time that it replaces stay counted with the unit,
/// or the next correction would bear the key of one that was sent, and reach nobody.
const KEEP_COUNTING: &str = "update windows set revision = revision + coalesce((select max(o.moves) \
      from {rows} join own_windows o on o.resident_id = cast(r.value->>'id' as bigint) and o.round_id = $2), 0) \
    where round_id = $2 and unit_id = $3";
const DELETE_OWN: &str = "delete from own_windows where round_id = $2 \
    and resident_id in (select cast(r.value->>'id' as bigint) from {rows})";
const INSERT_OWN: &str = "insert into own_windows (id, round_id, resident_id, unit_id, site_id, starts_at, ends_at, \
      changed_at) select cast(r.value->>'id' as bigint), $2, cast(r.value->>'resident' as bigint), $3, $4, $5, $6, $7 \
    from {rows}";
/// Who is reached by a chat is not written to by phone: what waits for that phone speaks of others. Of a phone of several
/// units the calls to the others stay.
const CANCEL_OF_RESIDENTS: &str = "update deliveries set state = 'cancelled', changed_at = $3, history = history || $4 \
    where round_id = $2 and state in ('held', 'queued') and kind in ('window', 'reminder', 'correction') \
      and contact_id in (select coalesce(chat.id, p.phone_contact_id) from {rows} \
          join residents p on p.id = cast(r.value->>'id' as bigint) \
          left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable') \
      and not (key like 'call:%' and exists (select 1 from residents p join windows v on v.unit_id = p.unit_id \
        where v.round_id = $2 and v.unit_id <> $5 \
          and (p.phone_contact_id = deliveries.contact_id or p.chat_contact_id = deliveries.contact_id) \
          and deliveries.key like '%:' || cast(v.starts_at / 60000 as text)))";
const MARK_OF_RESIDENTS: &str = "update deliveries set superseded = 1 \
    where round_id = $2 and state = 'sending' and kind in ('window', 'reminder', 'correction') \
      and $3 > 0 and $4 <> '' and $5 > 0 and contact_id in (select coalesce(chat.id, p.phone_contact_id) from {rows} \
          join residents p on p.id = cast(r.value->>'id' as bigint) \
          left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable')";
/// A phone of several units was to hear of the others too: what was withdrawn is written anew for those.
const CORRECT_BESIDE: &str = "update windows set corrects = 1 \
    where round_id = $2 and unit_id <> $5 and coalesce(released_at, known_at) is not null and unit_id in ( \
      select q.unit_id from {rows} join residents p on p.id = cast(r.value->>'id' as bigint) \
        left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
        join residents q on q.moved_out_at is null and (q.phone_contact_id = coalesce(chat.id, p.phone_contact_id) \
          or q.chat_contact_id = coalesce(chat.id, p.phone_contact_id)) \
        join deliveries d on d.contact_id = coalesce(chat.id, p.phone_contact_id) and d.round_id = $2 \
          and d.kind in ('window', 'correction') \
          and ((d.state = 'cancelled' and d.changed_at = $3 and d.history like '%' || $4) \
            or (d.state = 'sending' and d.superseded = 1)))";

/// The moves of units' windows or of own times, as the statements read them.
fn move_rows(moves: &[WindowMove], own: bool) -> String {
    let rows: Vec<_> = moves
        .iter()
        .filter(|to| to.own == own)
        .map(|to| {
            serde_json::json!({
                "id": to.row, "starts": to.starts_at.timestamp_millis(),
                "ends": to.ends_at.timestamp_millis(), "over": i64::from(to.over_capacity),
                "stay": to.stay_behind, "called": i64::from(to.is_called),
            })
        })
        .collect();
    json(&rows)
}

/// Whether these people fit at their site, and into the city, in every minute: what is taken only grows where some
/// window starts, so it is enough to look there.
fn has_room(own: &OwnWindow, taken: &[TakenRoom]) -> bool {
    let rate = |people: u32, from: DateTime<Utc>, to: DateTime<Utc>| {
        f64::from(people) / ((to - from).num_seconds().max(60) as f64 / 60.0)
    };
    let wanted = rate(own.residents.len() as u32, own.starts_at, own.ends_at);
    let starts = taken
        .iter()
        .map(|room| room.starts_at)
        .filter(|at| *at > own.starts_at);
    std::iter::once(own.starts_at).chain(starts).all(|at| {
        let at_once = |here: bool| -> f64 {
            taken
                .iter()
                .filter(|room| (!here || room.site == own.site) && room.starts_at <= at && at < room.ends_at)
                .map(|room| rate(room.people, room.starts_at, room.ends_at))
                .sum()
        };
        at_once(true) + wanted <= own.site_per_minute + RATE_TOLERANCE
            && own
                .city_per_minute
                .is_none_or(|cap| at_once(false) + wanted <= cap + RATE_TOLERANCE)
    })
}

/// Row, unit, site, start, end, people, moves, told, recipients.
type MovableRow = (i64, i64, i64, i64, i64, i64, i64, i64, i64);
/// Row, unit, site, start, end, moves.
type OwnRow = (i64, i64, i64, i64, i64, i64);

/// The windows, and after them the own times: those of one home that are alike are one.
fn movable(rows: Vec<MovableRow>, own: Vec<OwnRow>) -> Vec<Movable> {
    let mut movable: Vec<Movable> = rows
        .into_iter()
        .map(
            |(id, unit, site, starts_at, ends_at, people, moves, told, recipients)| Movable {
                rows: vec![id],
                own: false,
                unit: UnitId(unit),
                site: SiteId(site),
                starts_at: instant(starts_at),
                ends_at: instant(ends_at),
                people: people as u32,
                recipients: recipients as u32,
                told: told == 1,
                moves: moves as u8,
            },
        )
        .collect();
    for (id, unit, site, starts_at, ends_at, moves) in own {
        let time = Movable {
            rows: vec![id],
            own: true,
            unit: UnitId(unit),
            site: SiteId(site),
            starts_at: instant(starts_at),
            ends_at: instant(ends_at),
            people: 1,
            recipients: 1,
            told: true,
            moves: moves as u8,
        };
        match movable.last_mut() {
            Some(last)
                if (
                    last.own,
                    last.unit,
                    last.site,
                    last.starts_at,
                    last.ends_at,
                    last.moves,
                ) == (
                    true,
                    time.unit,
                    time.site,
                    time.starts_at,
                    time.ends_at,
                    time.moves,
                ) =>
            {
                last.rows.push(id);
                last.people += 1;
            }
            _ => movable.push(time),
        }
    }
    movable
}
