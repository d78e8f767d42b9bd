//! Declared faults: whom they concern, who was told and when, and what became of it.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    AudienceContact, NewDelivery, Result, Store, StoreError, in_transaction, json, on_pool,
    outbox::{AudienceRow, INSERT, INSERT_BODIES, audience_contact},
    service::instant,
    take_ids,
};
use crate::domain::{CommunityId, ContactId, IncidentId, IncidentScope, RoundId, SiteId, UnitId};

pub(super) const INCIDENT_WORDS: &str = "incidents.words";
pub(super) const LOG_WORDS: &str = "incident_log.words";
/// No window lasts longer: where to begin looking for those that have not ended.
const WINDOW_MAX: TimeDelta = TimeDelta::days(1);

/// Nobody is told to stay calm twice within this.
const CALM_EVERY_MIN: TimeDelta = TimeDelta::seconds(60);

/// A fault to be declared.
#[derive(Clone, Debug, Default)]
pub struct NewIncident {
    /// What it is about.
    pub scope: IncidentScope,
    /// Why, for the staff.
    pub reason: String,
    /// What residents are told in Chinese beside the approved words.
    pub message_zh: Option<String>,
    /// The same in English.
    pub message_en: Option<String>,
    /// Who declares it.
    pub actor: String,
}

/// A declared fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// It lasts.
    pub open: bool,
    /// What it is about.
    pub scope: IncidentScope,
    /// Why, for the staff.
    pub reason: String,
    /// What residents are told in Chinese beside the approved words.
    pub message_zh: Option<String>,
    /// The same in English.
    pub message_en: Option<String>,
    /// Who declared it.
    pub opened_by: String,
    /// When.
    pub opened_at: DateTime<Utc>,
    /// Who said that it is over.
    pub closed_by: Option<String>,
    /// When.
    pub closed_at: Option<DateTime<Utc>>,
}

/// A line of an incident's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentNote {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// `opened`, `note` or `closed`.
    pub kind: String,
    /// In their words.
    pub words: String,
}

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
    /// How often its people were to be told again since it was noted.
    pub calmed: u32,
}

/// A minute of the registration system's load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadMinute {
    /// Any instant of it; kept to the minute.
    pub minute: DateTime<Utc>,
    /// Share of its capacity in use, 0 to 1; the highest is kept.
    pub utilisation: f64,
    /// How long a session waits for its turn; the longest is kept.
    pub queue_seconds: f64,
    /// Share of sessions that fail, 0 to 1; the highest is kept.
    pub error_rate: f64,
    /// Sessions completed a second; the lowest is kept.
    pub completed_per_second: f64,
    /// The pacing law's mode; the last is kept.
    pub mode: String,
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

#[derive(Serialize, Deserialize)]
struct Words {
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    en: Option<String>,
}

/// `{running}` in a statement: no open incident stops the window `w`.
pub(super) const RUNNING: &str =
    "not exists (select 1 from incidents i where i.state = 'open' and {in_scope})";
/// `{in_scope}` in a statement: the incident `i` is about the window `w`.
pub(super) const IN_SCOPE: &str = "(i.everywhere = 1 or exists (select 1 from incident_scopes z \
    where z.incident_id = i.id and (z.site_id = w.site_id or z.community_id in (select zb.community_id \
      from units zu join buildings zb on zb.id = zu.building_id where zu.id = w.unit_id))))";

/// Notes the windows that come near while the incident is open.
const REACH: &str = "insert into incident_windows (incident_id, round_id, unit_id, site_id, starts_at, ends_at, \
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

#[derive(sqlx::FromRow)]
struct IncidentRow {
    id: i64,
    state: String,
    words: String,
    opened_by: String,
    opened_at: i64,
    closed_by: String,
    closed_at: Option<i64>,
}

fn scope_text(scope: &IncidentScope) -> String {
    let list = |mut ids: Vec<i64>| {
        ids.sort_unstable();
        ids.dedup();
        ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
    };
    if scope.is_everywhere() {
        return String::new();
    }
    let sites = list(scope.sites.iter().map(|site| site.0).collect());
    let communities = list(scope.communities.iter().map(|community| community.0).collect());
    format!("sites {sites}; communities {communities}")
}

fn scope_rows(scope: &IncidentScope) -> Vec<serde_json::Value> {
    let sites = scope.sites.iter().map(|site| (site.0, 0));
    let communities = scope.communities.iter().map(|community| (0, community.0));
    sites
        .chain(communities)
        .map(|(site, community)| serde_json::json!({ "site": site, "community": community }))
        .collect()
}

impl Store {
    /// Declares a fault and notes the windows it falls into: those that have not ended and begin by `near_until`.
    /// Where one of the same scope is open already, gives that one, changes nothing, and the answer is false.
    pub async fn open_incident(
        &self,
        new: &NewIncident,
        near_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(IncidentId, bool)> {
        let scope = scope_text(&new.scope);
        let words = Words {
            reason: new.reason.clone(),
            zh: new.message_zh.clone(),
            en: new.message_en.clone(),
        };
        let plain = serde_json::to_vec(&words).expect("words always serialise");
        let now_ms = now.timestamp_millis();
        let add_scopes = self.sql(
            "insert into incident_scopes (incident_id, site_id, community_id) \
             select $2, cast(r.value->>'site' as bigint), cast(r.value->>'community' as bigint) \
             from {rows} where true on conflict do nothing",
        );
        let reach = self.sql(REACH);
        Ok(in_transaction!(self, |tx| {
            let id = take_ids!(tx, "incidents", 1);
            let added = sqlx::query(
                "insert into incidents (id, state, scope, everywhere, words, opened_by, opened_at) \
                 values ($1, 'open', $2, $3, $4, $5, $6) on conflict (scope) where state = 'open' do nothing",
            )
            .bind(id)
            .bind(&scope)
            .bind(i64::from(new.scope.is_everywhere()))
            .bind(self.keys.seal(INCIDENT_WORDS, id, &plain))
            .bind(&new.actor)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if added {
                sqlx::query(add_scopes)
                    .bind(json(&scope_rows(&new.scope)))
                    .bind(id)
                    .execute(&mut *tx)
                    .await?;
                let line = take_ids!(tx, "incident_log", 1);
                sqlx::query(LOG)
                    .bind(line)
                    .bind(id)
                    .bind(now_ms)
                    .bind(&new.actor)
                    .bind("opened")
                    .bind(self.keys.seal(LOG_WORDS, line, new.reason.as_bytes()))
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(reach)
                    .bind(id)
                    .bind(now_ms)
                    .bind(near_until.timestamp_millis())
                    .bind((now - WINDOW_MAX).timestamp_millis())
                    .execute(&mut *tx)
                    .await?;
                (IncidentId(id), true)
            } else {
                let (known,): (i64,) =
                    sqlx::query_as("select id from incidents where scope = $1 and state = 'open'")
                        .bind(&scope)
                        .fetch_one(&mut *tx)
                        .await?;
                (IncidentId(known), false)
            }
        }))
    }

    /// Says that an incident is over; false when it was not open.
    pub async fn close_incident(
        &self,
        id: IncidentId,
        actor: &str,
        note: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        Ok(in_transaction!(self, |tx| {
            let closed = sqlx::query(
                "update incidents set state = 'closed', closed_by = $2, closed_at = $3 \
                 where id = $1 and state = 'open'",
            )
            .bind(id.0)
            .bind(actor)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if closed {
                let line = take_ids!(tx, "incident_log", 1);
                sqlx::query(LOG)
                    .bind(line)
                    .bind(id.0)
                    .bind(now.timestamp_millis())
                    .bind(actor)
                    .bind("closed")
                    .bind(self.keys.seal(LOG_WORDS, line, note.as_bytes()))
                    .execute(&mut *tx)
                    .await?;
            }
            closed
        }))
    }

    /// Adds a note to an incident's log.
    pub async fn note_incident(
        &self,
        id: IncidentId,
        actor: &str,
        note: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        in_transaction!(self, |tx| {
            let line = take_ids!(tx, "incident_log", 1);
            sqlx::query(LOG)
                .bind(line)
                .bind(id.0)
                .bind(now.timestamp_millis())
                .bind(actor)
                .bind("note")
                .bind(self.keys.seal(LOG_WORDS, line, note.as_bytes()))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// The incidents that last, the oldest first.
    pub async fn open_incidents(&self) -> Result<Vec<Incident>> {
        self.incident_list(0, "open").await
    }

    /// Every incident, the oldest first.
    pub async fn incidents(&self) -> Result<Vec<Incident>> {
        self.incident_list(0, "").await
    }

    /// One incident.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<Incident>> {
        Ok(self.incident_list(id.0, "").await?.pop())
    }

    /// Incidents that are over and of which somebody told has not heard that.
    pub async fn incidents_to_end(&self) -> Result<Vec<IncidentId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select i.id from incidents i where i.state = 'closed' and exists (select 1 \
                   from incident_notices n where n.incident_id = i.id and n.over_at is null) order by i.id",
            )
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(id,)| IncidentId(id)).collect())
    }

    async fn incident_list(&self, id: i64, state: &str) -> Result<Vec<Incident>> {
        let rows: Vec<IncidentRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, state, words, opened_by, opened_at, closed_by, closed_at from incidents \
                 where ($1 = 0 or id = $1) and ($2 = '' or state = $2) order by id",
            )
            .bind(id)
            .bind(state)
            .fetch_all(pool)
            .await?
        });
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let scopes: Vec<(i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select incident_id, site_id, community_id from incident_scopes \
                 where $1 = 0 or incident_id = $1 order by incident_id, site_id, community_id",
            )
            .bind(id)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|row| {
                let plain = self.keys.open(INCIDENT_WORDS, row.id, &row.words)?;
                let words: Words =
                    serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(INCIDENT_WORDS.into()))?;
                let mut scope = IncidentScope::default();
                for (_, site, community) in scopes.iter().filter(|scope| scope.0 == row.id) {
                    if *site > 0 {
                        scope.sites.push(SiteId(*site));
                    } else {
                        scope.communities.push(CommunityId(*community));
                    }
                }
                Ok(Incident {
                    id: IncidentId(row.id),
                    open: row.state == "open",
                    scope,
                    reason: words.reason,
                    message_zh: words.zh,
                    message_en: words.en,
                    opened_by: row.opened_by,
                    opened_at: instant(row.opened_at),
                    closed_by: Some(row.closed_by).filter(|by| !by.is_empty()),
                    closed_at: row.closed_at.map(instant),
                })
            })
            .collect()
    }

    /// An incident's log, the oldest line first.
    pub async fn incident_log(&self, id: IncidentId) -> Result<Vec<IncidentNote>> {
        let rows: Vec<(i64, i64, String, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, at, actor, kind, words from incident_log where incident_id = $1 order by id",
            )
            .bind(id.0)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(line, at, actor, kind, words)| {
                Ok(IncidentNote {
                    at: instant(at),
                    actor,
                    kind,
                    words: self.keys.open_text(LOG_WORDS, line, &words)?,
                })
            })
            .collect()
    }

    /// Every community: id, district, street, name.
    pub async fn communities(&self) -> Result<Vec<(CommunityId, [String; 3])>> {
        let rows: Vec<(i64, String, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as("select id, district, street, name from communities order by id")
                .fetch_all(pool)
                .await?
        });
        Ok(rows
            .into_iter()
            .map(|(id, district, street, name)| (CommunityId(id), [district, street, name]))
            .collect())
    }

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
                sqlx::query(
                    "update incident_windows set told_at = null where incident_id = $1 and told_at is not null \
                       and exists (select 1 from windows w where w.round_id = incident_windows.round_id \
                         and w.unit_id = incident_windows.unit_id and w.starts_at >= $2 and w.starts_at < $3)",
                )
                .bind(id.0)
                .bind(near.start.timestamp_millis())
                .bind(near.end.timestamp_millis())
                .execute(&mut *tx)
                .await?;
            }
            due
        }))
    }

    /// Windows that an incident fell into, whose people knew their time and have not been told of it.
    pub async fn windows_to_calm(&self, id: IncidentId, limit: usize) -> Result<Vec<IncidentWindow>> {
        let rows: Vec<(i64, i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select k.round_id, k.unit_id, k.starts_at, k.ends_at, (select count(*) from incident_log l \
                   where l.incident_id = k.incident_id and l.kind = 'calmed' and l.at >= k.noted_at) \
                 from incident_windows k \
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
            .map(|(round, unit, starts_at, ends_at, calmed)| IncidentWindow {
                round: RoundId(round),
                unit: UnitId(unit),
                starts_at: instant(starts_at),
                ends_at: instant(ends_at),
                calmed: calmed as u32,
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
             select $2, cast(r.value->>'id' as bigint), $3 from {rows} where true \
             on conflict (incident_id, contact_id) do update set told_at = excluded.told_at",
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

    /// Keeps what a minute's load was: the worst of what is recorded for it.
    pub async fn record_load(&self, load: &LoadMinute) -> Result<()> {
        let worst = match self.pool {
            super::Pool::Sqlite { .. } => ("max", "min"),
            super::Pool::Postgres(_) => ("greatest", "least"),
        };
        let (most, least) = worst;
        let sql = sqlx::AssertSqlSafe(format!(
            "insert into load_minutes (minute, utilisation, queue_seconds, error_rate, completed_per_second, mode) \
             values ($1, $2, $3, $4, $5, $6) on conflict (minute) do update set \
               utilisation = {most}(load_minutes.utilisation, $2), \
               queue_seconds = {most}(load_minutes.queue_seconds, $3), \
               error_rate = {most}(load_minutes.error_rate, $4), \
               completed_per_second = {least}(load_minutes.completed_per_second, $5), mode = $6"
        ));
        in_transaction!(self, |tx| {
            sqlx::query(sql)
                .bind(load.minute.timestamp().div_euclid(60) * 60_000)
                .bind(load.utilisation)
                .bind(load.queue_seconds)
                .bind(load.error_rate)
                .bind(load.completed_per_second)
                .bind(&load.mode)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// The load by minute, from `from` to before `to`.
    pub async fn load_minutes(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<LoadMinute>> {
        let rows: Vec<(i64, f64, f64, f64, f64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select minute, utilisation, queue_seconds, error_rate, completed_per_second, mode \
                 from load_minutes where minute >= $1 and minute < $2 order by minute",
            )
            .bind(from.timestamp_millis())
            .bind(to.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(
                |(minute, utilisation, queue_seconds, error_rate, completed_per_second, mode)| LoadMinute {
                    minute: instant(minute),
                    utilisation,
                    queue_seconds,
                    error_rate,
                    completed_per_second,
                    mode,
                },
            )
            .collect())
    }
}

const LOG: &str =
    "insert into incident_log (id, incident_id, at, actor, kind, words) values ($1, $2, $3, $4, $5, $6)";

fn key_rows(keys: &[String]) -> Vec<serde_json::Value> {
    keys.iter().map(|key| serde_json::json!({ "key": key })).collect()
}
