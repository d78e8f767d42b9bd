//! Declared faults: what they are about, and their log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Result, Store, StoreError, in_transaction,
    incident_notices::{REACH, WINDOW_MAX},
    json, on_pool,
    service::instant,
    take_ids,
};
use crate::domain::{CommunityId, IncidentId, IncidentScope, SiteId};

pub(super) const INCIDENT_WORDS: &str = "incidents.words";
pub(super) const LOG_WORDS: &str = "incident_log.words";

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
    /// Declares a fault and notes the times it falls into: those that have not ended and begin by `near_until`.
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
                for sql in REACH {
                    sqlx::query(self.sql(sql))
                        .bind(id)
                        .bind(now_ms)
                        .bind(near_until.timestamp_millis())
                        .bind((now - WINDOW_MAX).timestamp_millis())
                        .execute(&mut *tx)
                        .await?;
                }
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
}

pub(super) const LOG: &str =
    "insert into incident_log (id, incident_id, at, actor, kind, words) values ($1, $2, $3, $4, $5, $6)";
