//! Whom an incident concerns: the times it fell into, who was told of it, and who is to hear that it is over.

use std::{collections::HashSet, ops::Range};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    Appointment, AudienceContact, NewDelivery, Result, Store, in_transaction,
    incidents::{LOG, LOG_WORDS},
    json, json_ids, on_pool,
    outbox::{AudienceRow, INSERT, INSERT_BODIES, audience_contact},
    service::instant,
    take_ids,
};
use crate::domain::{ContactId, IncidentId, ResidentId, RoundId, UnitId};

/// No window lasts longer: where to begin looking for those that have not ended.
pub(super) const WINDOW_MAX: TimeDelta = TimeDelta::days(1);

/// Nobody is told to stay calm twice within this.
const CALM_EVERY_MIN: TimeDelta = TimeDelta::seconds(60);

/// A time that an incident fell into, as it stood then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncidentWindow {
    /// Whose time it is.
    pub of: Appointment,
    /// Its round.
    pub round: RoundId,
    /// Its unit.
    pub unit: UnitId,
    /// Who asked for it, if it is somebody's own.
    pub resident: Option<ResidentId>,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// How often its people were to be told again since it was noted.
    pub calmed: u32,
}

/// What was sent about an incident: deliveries by kind, channel and state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct NoticeCount {
    /// `incident`, or `correction` for the notice that it is over.
    pub kind: String,
    /// The channel.
    pub channel: String,
    /// The state.
    pub state: String,
    /// Deliveries.
    pub deliveries: i64,
}

/// The times that an incident fell into, in numbers: windows of units, those of green lanes, and people's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct WindowCount {
    /// Times.
    pub windows: i64,
    /// The people who were to come then.
    pub people: i64,
    /// Times whose people were told of the incident.
    pub told: i64,
    /// Times that stand at another time or site now.
    pub moved: i64,
}

/// Notes the times that come near while the incident is open: windows of units, those of green lanes, people's own.
pub(super) const REACH: [&str; 3] = [
    "insert into incident_windows (incident_id, round_id, unit_id, site_id, starts_at, ends_at, noted_at) \
     select i.id, w.round_id, w.unit_id, w.site_id, w.starts_at, w.ends_at, $2 from incidents i \
     cross join windows w join rounds o on o.id = w.round_id and o.state in ('releasing', 'paused') \
     where i.id = $1 and i.state = 'open' and w.starts_at > $4 and w.starts_at <= $3 and w.ends_at > $2 \
       and {in_scope} and not exists (select 1 from incident_windows k \
         where k.incident_id = i.id and k.round_id = w.round_id and k.unit_id = w.unit_id) \
     on conflict do nothing",
    "insert into incident_times (incident_id, round_id, unit_id, resident_id, site_id, starts_at, ends_at, noted_at) \
     select i.id, w.round_id, w.unit_id, 0, w.site_id, w.starts_at, w.ends_at, $2 from incidents i \
     cross join (select round_id, unit_id, green_site_id as site_id, green_starts_at as starts_at, \
         green_ends_at as ends_at from windows where green_starts_at is not null) w \
     join rounds o on o.id = w.round_id and o.state in ('releasing', 'paused') \
     where i.id = $1 and i.state = 'open' and w.starts_at > $4 and w.starts_at <= $3 and w.ends_at > $2 \
       and {in_scope} and not exists (select 1 from incident_times k \
         where k.incident_id = i.id and k.round_id = w.round_id and k.unit_id = w.unit_id and k.resident_id = 0) \
     on conflict do nothing",
    "insert into incident_times (incident_id, round_id, unit_id, resident_id, site_id, starts_at, ends_at, noted_at) \
     select i.id, w.round_id, w.unit_id, w.resident_id, w.site_id, w.starts_at, w.ends_at, $2 from incidents i \
     cross join own_windows w join rounds o on o.id = w.round_id and o.state in ('releasing', 'paused') \
     where i.id = $1 and i.state = 'open' and w.starts_at > $4 and w.starts_at <= $3 and w.ends_at > $2 \
       and {in_scope} and not exists (select 1 from incident_times k where k.incident_id = i.id \
         and k.round_id = w.round_id and k.unit_id = w.unit_id and k.resident_id = w.resident_id) \
     on conflict do nothing",
];

/// The times of the incident `$1` that its people have not been told of; the resident is -1 for a unit's window.
const UNTOLD: &str = "select k.round_id, k.unit_id, k.resident_id, k.starts_at, k.ends_at, \
      (select count(*) from incident_log l where l.incident_id = $1 and l.kind = 'calmed' and l.at >= k.noted_at) from ( \
      select round_id, unit_id, cast(-1 as bigint) as resident_id, starts_at, ends_at, noted_at from incident_windows \
        where incident_id = $1 and told_at is null \
      union all select round_id, unit_id, resident_id, starts_at, ends_at, noted_at from incident_times \
        where incident_id = $1 and told_at is null) k \
    join windows w on w.round_id = k.round_id and w.unit_id = k.unit_id \
    where w.released_at is not null order by k.starts_at, k.unit_id, k.resident_id limit $2";

/// The times of the incident `$1` that start, as they are now, from `$2` to before `$3`: their people are told again.
const UNTELL: [&str; 2] = [
    "update incident_windows set told_at = null where incident_id = $1 and told_at is not null \
       and exists (select 1 from windows w where w.round_id = incident_windows.round_id \
         and w.unit_id = incident_windows.unit_id and w.starts_at >= $2 and w.starts_at < $3)",
    "update incident_times set told_at = null where incident_id = $1 and told_at is not null \
       and exists (select 1 from windows w left join own_windows o on o.round_id = w.round_id \
           and o.resident_id = incident_times.resident_id \
         where w.round_id = incident_times.round_id and w.unit_id = incident_times.unit_id \
           and coalesce(o.starts_at, w.green_starts_at, w.starts_at) >= $2 \
           and coalesce(o.starts_at, w.green_starts_at, w.starts_at) < $3)",
];

const MARK_TOLD: [&str; 2] = [
    "update incident_windows set told_at = $2 from {rows} where incident_id = $3 \
       and round_id = cast(r.value->>'round' as bigint) and unit_id = cast(r.value->>'unit' as bigint) \
       and cast(r.value->>'resident' as bigint) = -1",
    "update incident_times set told_at = $2 from {rows} where incident_id = $3 \
       and round_id = cast(r.value->>'round' as bigint) and unit_id = cast(r.value->>'unit' as bigint) \
       and resident_id = cast(r.value->>'resident' as bigint)",
];

/// Those with a time of their own stay counted with their unit in its window, so they are taken off there.
const COUNT: &str = "select count(*) as windows, cast(coalesce(sum(t.people), 0) as bigint) as people, \
      cast(coalesce(sum(t.told), 0) as bigint) as told, cast(coalesce(sum(t.moved), 0) as bigint) as moved from ( \
      select case when w.people > v.own then w.people - v.own else 0 end as people, \
          case when k.told_at is null then 0 else 1 end as told, \
          case when w.starts_at <> k.starts_at or w.site_id <> k.site_id then 1 else 0 end as moved \
        from incident_windows k join windows w on w.round_id = k.round_id and w.unit_id = k.unit_id \
        join (select k.round_id, k.unit_id, count(o.id) as own from incident_windows k \
            left join own_windows o on o.round_id = k.round_id and o.unit_id = k.unit_id \
            where k.incident_id = $1 group by k.round_id, k.unit_id) v \
          on v.round_id = k.round_id and v.unit_id = k.unit_id \
        where k.incident_id = $1 \
      union all select case when k.resident_id = 0 then coalesce(w.green_people, 0) else 1 end, \
          case when k.told_at is null then 0 else 1 end, \
          case when coalesce(o.starts_at, w.green_starts_at, w.starts_at) <> k.starts_at \
            or coalesce(o.site_id, w.green_site_id, w.site_id) <> k.site_id then 1 else 0 end \
        from incident_times k join windows w on w.round_id = k.round_id and w.unit_id = k.unit_id \
        left join own_windows o on o.round_id = k.round_id and o.resident_id = k.resident_id \
        where k.incident_id = $1) t";

/// Withdraws by key what says that a window will be as it was.
const WITHDRAW: &str = "update deliveries set state = 'cancelled', changed_at = $2, history = history || $3 \
    where state in ('held', 'queued') and key in (select r.value->>'key' from {rows}) returning contact_id";
/// What a dispatcher holds at that moment does not go back into the queue.
const SUPERSEDE: &str = "update deliveries set superseded = 1 \
    where state = 'sending' and key in (select r.value->>'key' from {rows})";

/// Withdraws deliveries by key within a transaction; gives the contacts of those that had not left.
macro_rules! withdraw {
    ($store:expr, $tx:ident, $keys:expr, $now_ms:expr, $why:literal) => {{
        let keys = json(&key_rows($keys));
        let rows: Vec<(i64,)> = sqlx::query_as($store.sql(WITHDRAW))
            .bind(&keys)
            .bind($now_ms)
            .bind(format!("{} cancelled {}\n", $now_ms, $why))
            .fetch_all(&mut *$tx)
            .await?;
        sqlx::query($store.sql(SUPERSEDE))
            .bind(&keys)
            .execute(&mut *$tx)
            .await?;
        rows.into_iter().map(|(contact,)| contact).collect::<Vec<i64>>()
    }};
}

impl Store {
    /// Notes the times that have come near since; gives how many.
    pub async fn reach_incident(
        &self,
        id: IncidentId,
        near_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        Ok(in_transaction!(self, |tx| {
            let mut noted = 0;
            for sql in REACH {
                noted += sqlx::query(self.sql(sql))
                    .bind(id.0)
                    .bind(now.timestamp_millis())
                    .bind(near_until.timestamp_millis())
                    .bind((now - WINDOW_MAX).timestamp_millis())
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
            }
            noted
        }))
    }

    /// Has those told again whom an open incident has told already and whose window, as it is now, starts within `near`:
    /// the trouble lasts. On its record. False where the incident is not open, or where they were told only just now.
    pub async fn calm_again(
        &self,
        id: IncidentId,
        near: Range<DateTime<Utc>>,
        actor: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        Ok(in_transaction!(self, |tx| {
            // Locks the row. Asked twice, after a crash between this and the law's own record, it is done once.
            let due = sqlx::query(
                "update incidents set state = 'open' where id = $1 and state = 'open' and not exists ( \
                   select 1 from incident_log l where l.incident_id = $1 and l.kind in ('opened', 'calmed') and l.at > $2)",
            )
            .bind(id.0)
            .bind((now - CALM_EVERY_MIN).timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if due {
                let line = take_ids!(tx, "incident_log", 1);
                sqlx::query(LOG)
                    .bind(line)
                    .bind(id.0)
                    .bind(now_ms)
                    .bind(actor)
                    .bind("calmed")
                    .bind(self.keys.seal(LOG_WORDS, line, reason.as_bytes()))
                    .execute(&mut *tx)
                    .await?;
                for sql in UNTELL {
                    sqlx::query(sql)
                        .bind(id.0)
                        .bind(near.start.timestamp_millis())
                        .bind(near.end.timestamp_millis())
                        .execute(&mut *tx)
                        .await?;
                }
            }
            due
        }))
    }

    /// Times that an incident fell into, whose people knew them and have not been told of it.
    pub async fn windows_to_calm(&self, id: IncidentId, limit: usize) -> Result<Vec<IncidentWindow>> {
        let rows: Vec<(i64, i64, i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(UNTOLD)
                .bind(id.0)
                .bind(limit as i64)
                .fetch_all(pool)
                .await?
        });
        Ok(rows
            .into_iter()
            .map(
                |(round, unit, resident, starts_at, ends_at, calmed)| IncidentWindow {
                    of: match resident {
                        -1 => Appointment::Unit,
                        0 => Appointment::Green,
                        _ => Appointment::Own,
                    },
                    round: RoundId(round),
                    unit: UnitId(unit),
                    resident: (resident > 0).then_some(ResidentId(resident)),
                    starts_at: instant(starts_at),
                    ends_at: instant(ends_at),
                    calmed: calmed as u32,
                },
            )
            .collect())
    }

    /// Writes the notices about an incident, marks the windows as told and withdraws by key (`withdrawn`) what is no
    /// longer so: all together, so that a restart neither forgets nor repeats anybody. False, and nothing written,
    /// when the incident is not open any more.
    pub async fn calm(
        &self,
        id: IncidentId,
        windows: &[IncidentWindow],
        deliveries: &[NewDelivery],
        withdrawn: &[String],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let marks: Vec<_> = windows
            .iter()
            .map(|window| {
                let resident = match window.of {
                    Appointment::Unit => -1,
                    Appointment::Green => 0,
                    Appointment::Own => window.resident.map_or(0, |resident| resident.0),
                };
                serde_json::json!({ "round": window.round, "unit": window.unit, "resident": resident })
            })
            .collect();
        let notice = self.sql(
            "insert into incident_notices (incident_id, contact_id, told_at) \
             select $2, cast(r.value->>'id' as bigint), $3 from {rows} where true \
             on conflict (incident_id, contact_id) do update set told_at = excluded.told_at",
        );
        let lost = self.sql(
            "update incident_notices set withdrawn = 1 where incident_id = $2 \
               and contact_id in (select cast(r.value->>'id' as bigint) from {rows})",
        );
        Ok(in_transaction!(self, |tx| {
            // Locks the row, so that closing comes wholly before or wholly after.
            let open = sqlx::query("update incidents set state = 'open' where id = $1 and state = 'open'")
                .bind(id.0)
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if open {
                for sql in MARK_TOLD {
                    sqlx::query(self.sql(sql))
                        .bind(json(&marks))
                        .bind(now_ms)
                        .bind(id.0)
                        .execute(&mut *tx)
                        .await?;
                }
                let withdrawn = withdraw!(self, tx, withdrawn, now_ms, "an incident was declared");
                let first = take_ids!(tx, "deliveries", deliveries.len());
                let (rows, bodies) = self.delivery_rows(deliveries, first, now);
                sqlx::query(self.sql(INSERT))
                    .bind(json(&rows))
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(self.sql(INSERT_BODIES))
                    .bind(json(&bodies))
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(notice)
                    .bind(json_ids(deliveries.iter().map(|new| new.contact.0)))
                    .bind(id.0)
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(lost)
                    .bind(json_ids(withdrawn.into_iter()))
                    .bind(id.0)
                    .execute(&mut *tx)
                    .await?;
            }
            open
        }))
    }

    /// Contacts told of a closed incident who have not heard that it is over; with each, whether a correction was
    /// written for them since they were told, or is about to be. Whom another incident that lasts concerns too hears
    /// nothing before that one is over.
    pub async fn contacts_to_end(
        &self,
        id: IncidentId,
        limit: usize,
    ) -> Result<Vec<(AudienceContact, bool)>> {
        type Row = (i64, String, String, Option<String>, i64);
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select c.id, c.channel, c.state, c.language, (select count(*) from deliveries d \
                   where d.contact_id = c.id and d.kind = 'correction' and d.created_at >= n.told_at \
                     and d.state not in ('cancelled', 'expired', 'failed')) \
                 + (select count(*) from residents p join windows w on w.unit_id = p.unit_id and w.corrects = 1 \
                   join rounds o on o.id = w.round_id and o.state in ('releasing', 'paused', 'cancelled') where p.moved_out_at is null \
                     and (p.phone_contact_id = c.id or p.chat_contact_id = c.id)) \
                 from incident_notices n join contacts c on c.id = n.contact_id \
                 where n.incident_id = $1 and n.over_at is null and not exists (select 1 from incidents j \
                   join incident_notices m on m.incident_id = j.id and m.contact_id = n.contact_id \
                   where j.state = 'open') order by n.contact_id limit $2",
            )
            .bind(id.0)
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(id, channel, state, language, corrections)| {
                let row: AudienceRow = (id, channel, state, language);
                Ok((audience_contact(row)?, corrections > 0))
            })
            .collect()
    }

    /// The units of a round whose windows an incident fell into, without those whose people were all registered on paper
    /// for it.
    pub async fn kept_units(&self, id: IncidentId, round: RoundId) -> Result<Vec<UnitId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select k.unit_id from incident_windows k where k.incident_id = $1 and k.round_id = $2 \
                   and exists (select 1 from residents p where p.unit_id = k.unit_id and p.moved_out_at is null \
                     and not exists (select 1 from manual_registrations m \
                       where m.incident_id = k.incident_id and m.resident_id = p.id)) order by k.unit_id",
            )
            .bind(id.0)
            .bind(round.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(unit,)| UnitId(unit)).collect())
    }

    /// The rounds whose windows an incident fell into, without those that were cancelled.
    pub async fn incident_rounds(&self, id: IncidentId) -> Result<Vec<RoundId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select k.round_id from (select round_id from incident_windows where incident_id = $1 \
                   union select round_id from incident_times where incident_id = $1) k \
                 join rounds o on o.id = k.round_id and o.state <> 'cancelled' order by 1",
            )
            .bind(id.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(round,)| RoundId(round)).collect())
    }

    /// Withdraws by key (`withdrawn`) what had not left of the notices about an incident, writes the notices that it is
    /// over, and notes for these contacts that they know: all together. Nothing is written for those who had not heard
    /// of it and from whom nothing else had been withdrawn: they know the time that holds.
    pub async fn end(
        &self,
        id: IncidentId,
        contacts: &[ContactId],
        deliveries: &[NewDelivery],
        withdrawn: &[String],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let now_ms = now.timestamp_millis();
        let mark = self.sql(
            "update incident_notices set over_at = $2 where incident_id = $3 and over_at is null \
               and contact_id in (select cast(r.value->>'id' as bigint) from {rows})",
        );
        let concerned = self.sql(
            "select n.contact_id from {rows} join incident_notices n on n.incident_id = $2 \
               and n.contact_id = cast(r.value->>'id' as bigint) \
             left join deliveries d \
               on d.key = 'incident:' || cast(n.incident_id as text) || ':' || cast(n.contact_id as text) \
             where n.withdrawn = 1 or d.state not in ('held', 'queued', 'cancelled', 'expired', 'suppressed')",
        );
        in_transaction!(self, |tx| {
            sqlx::query(mark)
                .bind(json_ids(contacts.iter().map(|contact| contact.0)))
                .bind(now_ms)
                .bind(id.0)
                .execute(&mut *tx)
                .await?;
            let _ = withdraw!(self, tx, withdrawn, now_ms, "the incident is over");
            let concerned: Vec<(i64,)> = sqlx::query_as(concerned)
                .bind(json_ids(deliveries.iter().map(|new| new.contact.0)))
                .bind(id.0)
                .fetch_all(&mut *tx)
                .await?;
            let concerned: HashSet<i64> = concerned.into_iter().map(|(contact,)| contact).collect();
            let mut deliveries = deliveries.to_vec();
            deliveries.retain(|new| concerned.contains(&new.contact.0));
            let first = take_ids!(tx, "deliveries", deliveries.len());
            let (rows, bodies) = self.delivery_rows(&deliveries, first, now);
            sqlx::query(self.sql(INSERT))
                .bind(json(&rows))
                .execute(&mut *tx)
                .await?;
            sqlx::query(self.sql(INSERT_BODIES))
                .bind(json(&bodies))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// The times that an incident fell into, in numbers.
    pub async fn count_incident_windows(&self, id: IncidentId) -> Result<WindowCount> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(COUNT).bind(id.0).fetch_one(pool).await?
        }))
    }

    /// What was sent about an incident.
    pub async fn count_incident_notices(&self, id: IncidentId) -> Result<Vec<NoticeCount>> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select d.kind, d.channel, d.state, count(distinct d.id) as deliveries from incident_notices n \
                 cross join (select '' as suffix union all select ':' || cast(row_number() over (order by id) as text) \
                   from incident_log where incident_id = $1 and kind = 'calmed') again \
                 join deliveries d on d.key in (\
                   'incident:' || cast(n.incident_id as text) || ':' || cast(n.contact_id as text) || again.suffix, \
                   'incident-over:' || cast(n.incident_id as text) || ':' || cast(n.contact_id as text)) \
                 where n.incident_id = $1 group by d.kind, d.channel, d.state \
                 order by d.kind desc, d.channel, d.state",
            )
            .bind(id.0)
            .fetch_all(pool)
            .await?
        }))
    }

    /// The histories of up to `limit` notices about an incident to contacts after `after`: contact, when the notice
    /// was written, and its lines.
    pub async fn incident_histories(
        &self,
        id: IncidentId,
        after: ContactId,
        limit: usize,
    ) -> Result<Vec<(ContactId, DateTime<Utc>, String)>> {
        let rows: Vec<(i64, i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select n.contact_id, d.created_at, d.history from incident_notices n join deliveries d \
                   on d.key = 'incident:' || cast(n.incident_id as text) || ':' || cast(n.contact_id as text) \
                 where n.incident_id = $1 and n.contact_id > $2 order by n.contact_id limit $3",
            )
            .bind(id.0)
            .bind(after.0)
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(contact, at, history)| (ContactId(contact), instant(at), history))
            .collect())
    }
}

fn key_rows(keys: &[String]) -> Vec<serde_json::Value> {
    keys.iter().map(|key| serde_json::json!({ "key": key })).collect()
}
