//! Whom an incident concerns: the times it fell into, who was told of it, and who is to hear that it is over.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    AudienceContact, NewDelivery, Result, Store, in_transaction, json, on_pool,
    outbox::{AudienceRow, INSERT, INSERT_BODIES, audience_contact},
    service::instant,
    take_ids,
};
use crate::domain::{ContactId, IncidentId, RoundId, UnitId};

/// No window lasts longer: where to begin looking for those that have not ended.
pub(super) const WINDOW_MAX: TimeDelta = TimeDelta::days(1);

/// A window that an incident fell into, as it stood then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncidentWindow {
    /// Its round.
    pub round: RoundId,
    /// Its unit.
    pub unit: UnitId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
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

/// The windows that an incident fell into, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct WindowCount {
    /// Windows.
    pub windows: i64,
    /// The people of these units.
    pub people: i64,
    /// Windows whose people had been told of it.
    pub told: i64,
    /// Windows that stand at another time or site now.
    pub moved: i64,
}

/// Notes the windows that come near while the incident is open.
pub(super) const REACH: &str = "insert into incident_windows (incident_id, round_id, unit_id, site_id, starts_at, ends_at, \
      noted_at) \
    select i.id, w.round_id, w.unit_id, w.site_id, w.starts_at, w.ends_at, $2 from incidents i \
    cross join windows w join rounds o on o.id = w.round_id and o.state in ('releasing', 'paused') \
    where i.id = $1 and i.state = 'open' and w.starts_at > $4 and w.starts_at <= $3 and w.ends_at > $2 \
      and {in_scope} and not exists (select 1 from incident_windows k \
        where k.incident_id = i.id and k.round_id = w.round_id and k.unit_id = w.unit_id) \
    on conflict do nothing";

/// Withdraws by key what says that a window will be as it was.
const WITHDRAW: &str = "update deliveries set state = 'cancelled', changed_at = $2, history = history || $3 \
    where state in ('held', 'queued') and key in (select r.value->>'key' from {rows})";

impl Store {
    /// Notes the windows that have come near since; gives how many.
    pub async fn reach_incident(
        &self,
        id: IncidentId,
        near_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let reach = self.sql(REACH);
        Ok(in_transaction!(self, |tx| {
            sqlx::query(reach)
                .bind(id.0)
                .bind(now.timestamp_millis())
                .bind(near_until.timestamp_millis())
                .bind((now - WINDOW_MAX).timestamp_millis())
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }

    /// Windows that an incident fell into, whose people knew their time and have not been told of it.
    pub async fn windows_to_calm(&self, id: IncidentId, limit: usize) -> Result<Vec<IncidentWindow>> {
        let rows: Vec<(i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select k.round_id, k.unit_id, k.starts_at, k.ends_at from incident_windows k \
                 join windows w on w.round_id = k.round_id and w.unit_id = k.unit_id \
                 where k.incident_id = $1 and k.told_at is null and w.released_at is not null \
                 order by k.starts_at, k.unit_id limit $2",
            )
            .bind(id.0)
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(round, unit, starts_at, ends_at)| IncidentWindow {
                round: RoundId(round),
                unit: UnitId(unit),
                starts_at: instant(starts_at),
                ends_at: instant(ends_at),
            })
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
            .map(|window| serde_json::json!({ "round": window.round, "unit": window.unit }))
            .collect();
        let mark = self.sql(
            "update incident_windows set told_at = $2 from {rows} where incident_id = $3 \
               and round_id = cast(r.value->>'round' as bigint) and unit_id = cast(r.value->>'unit' as bigint)",
        );
        let notice = self.sql(
            "insert into incident_notices (incident_id, contact_id, told_at) \
             select $2, cast(r.value->>'id' as bigint), $3 from {rows} where true on conflict do nothing",
        );
        let (withdraw, insert, insert_bodies) =
            (self.sql(WITHDRAW), self.sql(INSERT), self.sql(INSERT_BODIES));
        Ok(in_transaction!(self, |tx| {
            // Locks the row, so that closing comes wholly before or wholly after.
            let open = sqlx::query("update incidents set state = 'open' where id = $1 and state = 'open'")
                .bind(id.0)
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if open {
                sqlx::query(mark)
                    .bind(json(&marks))
                    .bind(now_ms)
                    .bind(id.0)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(withdraw)
                    .bind(json(&key_rows(withdrawn)))
                    .bind(now_ms)
                    .bind(format!("{now_ms} cancelled an incident was declared\n"))
                    .execute(&mut *tx)
                    .await?;
                let first = take_ids!(tx, "deliveries", deliveries.len());
                let (rows, bodies) = self.delivery_rows(deliveries, first, now);
                sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
                sqlx::query(insert_bodies)
                    .bind(json(&bodies))
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(notice)
                    .bind(super::json_ids(deliveries.iter().map(|new| new.contact.0)))
                    .bind(id.0)
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?;
            }
            open
        }))
    }

    /// Contacts told of a closed incident who have not heard that it is over; with each, whether a correction was
    /// written for them since they were told, or is about to be.
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
                   join rounds o on o.id = w.round_id and o.state = 'releasing' where p.moved_out_at is null \
                     and (p.phone_contact_id = c.id or p.chat_contact_id = c.id)) \
                 from incident_notices n join contacts c on c.id = n.contact_id \
                 where n.incident_id = $1 and n.over_at is null order by n.contact_id limit $2",
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

    /// The rounds whose windows an incident fell into.
    pub async fn incident_rounds(&self, id: IncidentId) -> Result<Vec<RoundId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select distinct round_id from incident_windows where incident_id = $1 order by round_id",
            )
            .bind(id.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(round,)| RoundId(round)).collect())
    }

    /// Writes the notices that an incident is over, notes for these contacts that they know, and withdraws by key
    /// (`withdrawn`) what had not left of the notices about it: all together.
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
        let (withdraw, insert, insert_bodies) =
            (self.sql(WITHDRAW), self.sql(INSERT), self.sql(INSERT_BODIES));
        in_transaction!(self, |tx| {
            sqlx::query(mark)
                .bind(super::json_ids(contacts.iter().map(|contact| contact.0)))
                .bind(now_ms)
                .bind(id.0)
                .execute(&mut *tx)
                .await?;
            sqlx::query(withdraw)
                .bind(json(&key_rows(withdrawn)))
                .bind(now_ms)
                .bind(format!("{now_ms} cancelled the incident is over\n"))
                .execute(&mut *tx)
                .await?;
            let first = take_ids!(tx, "deliveries", deliveries.len());
            let (rows, bodies) = self.delivery_rows(deliveries, first, now);
            sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
            sqlx::query(insert_bodies)
                .bind(json(&bodies))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// The windows that an incident fell into, in numbers.
    pub async fn count_incident_windows(&self, id: IncidentId) -> Result<WindowCount> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select count(*) as windows, cast(coalesce(sum(w.people), 0) as bigint) as people, \
                   cast(coalesce(sum(case when k.told_at is null then 0 else 1 end), 0) as bigint) as told, \
                   cast(coalesce(sum(case when w.starts_at <> k.starts_at or w.site_id <> k.site_id \
                     then 1 else 0 end), 0) as bigint) as moved \
                 from incident_windows k join windows w on w.round_id = k.round_id and w.unit_id = k.unit_id \
                 where k.incident_id = $1",
            )
            .bind(id.0)
            .fetch_one(pool)
            .await?
        }))
    }

    /// What was sent about an incident.
    pub async fn count_incident_notices(&self, id: IncidentId) -> Result<Vec<NoticeCount>> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select d.kind, d.channel, d.state, count(*) as deliveries from incident_notices n \
                 join deliveries d on d.key in (\
                   'incident:' || cast(n.incident_id as text) || ':' || cast(n.contact_id as text), \
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
