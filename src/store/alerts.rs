//! What those on duty are told of unasked: a row for each time, from its beginning to its end.

use chrono::{DateTime, Utc};

use super::{
    NewAudit, Result, Store, StoreError, append_audit, in_transaction, json, on_pool, service::instant,
    take_ids,
};
use crate::domain::{Actor, Alert, AlertDetails, AlertId, AlertKind, Area, ContactId, Role, VisitId};

/// Something that goes wrong, to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// What it is about; while one of this key goes on there is no second.
    pub key: String,
    /// What it is.
    pub kind: AlertKind,
    /// Where.
    pub area: Area,
    /// What else is to be known.
    pub details: AlertDetails,
    /// Up to which role it is told at once.
    pub level: Role,
}

/// What came of seeing to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// This one sees to it.
    Now,
    /// Somebody did before.
    Before(Actor),
    /// It is over.
    Over,
}

/// A visit that was handed upwards, and that nobody has touched since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueVisit {
    /// Which.
    pub visit: VisitId,
    /// Where.
    pub area: Area,
    /// When it was handed upwards.
    pub raised_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    key: String,
    kind: String,
    area: String,
    details: String,
    level: String,
    opened_at: i64,
    quiet_since: Option<i64>,
    acked_by: String,
    over_at: Option<i64>,
}

const SELECT: &str =
    "select id, key, kind, area, details, level, opened_at, quiet_since, acked_by, over_at from alerts";

impl Row {
    fn into_alert(self) -> Result<Alert> {
        let corrupt = |column: &str| StoreError::Corrupt(format!("alerts.{column}"));
        Ok(Alert {
            id: AlertId(self.id),
            key: self.key,
            kind: AlertKind::parse(&self.kind).ok_or_else(|| corrupt("kind"))?,
            area: self.area.parse().map_err(|_| corrupt("area"))?,
            details: serde_json::from_str(&self.details).map_err(|_| corrupt("details"))?,
            level: self.level.parse().map_err(|_| corrupt("level"))?,
            opened_at: instant(self.opened_at),
            quiet_since: self.quiet_since.map(instant),
            acked_by: self.acked_by.parse().ok(),
            over_at: self.over_at.map(instant),
        })
    }
}

impl Store {
    async fn alert_list(&self, rest: &str, value: i64) -> Result<Vec<Alert>> {
        let sql = self.sql_of(&format!("{SELECT} where {rest}"));
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(sql).bind(value).fetch_all(pool).await?
        });
        rows.into_iter().map(Row::into_alert).collect()
    }

    /// The alerts that go on, the oldest first.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>> {
        self.alert_list("over_at is null and $1 = 0 order by id", 0).await
    }

    /// Those that are over, of which nobody has been told that.
    pub async fn alerts_to_end(&self) -> Result<Vec<Alert>> {
        self.alert_list("over_at is not null and over_told = $1 order by id", 0)
            .await
    }

    /// The newest alerts, also those that are over.
    pub async fn alerts(&self, limit: usize) -> Result<Vec<Alert>> {
        self.alert_list("0 = 0 order by id desc limit $1", limit as i64)
            .await
    }

    /// One alert.
    pub async fn alert(&self, id: AlertId) -> Result<Option<Alert>> {
        Ok(self.alert_list("id = $1", id.0).await?.pop())
    }

    /// Writes an alert down; false where one of its key goes on already.
    pub async fn open_alert(&self, new: &NewAlert, now: DateTime<Utc>) -> Result<bool> {
        let rows = in_transaction!(self, |tx| {
            let id = take_ids!(tx, "alerts", 1);
            sqlx::query(
                "insert into alerts (id, key, kind, area, details, level, opened_at) values ($1, $2, $3, $4, $5, $6, $7) \
                 on conflict do nothing",
            )
            .bind(id)
            .bind(&new.key)
            .bind(new.kind.as_str())
            .bind(new.area.to_string())
            .bind(json(&new.details))
            .bind(new.level.as_str())
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Tells an alert up to this role from now on; false where somebody sees to it, or it is over.
    pub async fn raise_alert(&self, id: AlertId, to: Role) -> Result<bool> {
        let rows = in_transaction!(self, |tx| {
            sqlx::query(
                "update alerts set level = $2 where id = $1 and over_at is null and acked_at is null and level <> $2",
            )
            .bind(id.0)
            .bind(to.as_str())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Notes since when it looks as if an alert were over, or that it does not any more.
    pub async fn quiet_alert(&self, id: AlertId, since: Option<DateTime<Utc>>) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("update alerts set quiet_since = $2 where id = $1 and over_at is null")
                .bind(id.0)
                .bind(since.map(|since| since.timestamp_millis()))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// An alert is over; false where it was.
    pub async fn end_alert(&self, id: AlertId, now: DateTime<Utc>) -> Result<bool> {
        let rows = in_transaction!(self, |tx| {
            sqlx::query("update alerts set over_at = $2 where id = $1 and over_at is null")
                .bind(id.0)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Those who were told of it are told that it is over.
    pub async fn end_of_alert_told(&self, id: AlertId) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("update alerts set over_told = 1 where id = $1 and over_at is not null")
                .bind(id.0)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Somebody sees to an alert, on record: of any number who say so at once, one does.
    pub async fn acknowledge_alert(
        &self,
        id: AlertId,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Option<Acknowledged>> {
        let record = NewAudit::new(actor, "alert.acknowledge", format!("alert:{id}"));
        let row: Option<(bool, String, Option<i64>)> = in_transaction!(self, |tx| {
            let won = sqlx::query(
                "update alerts set acked_by = $2, acked_at = $3 where id = $1 and acked_at is null and over_at is null",
            )
            .bind(id.0)
            .bind(actor.to_string())
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if won {
                append_audit!(self, tx, &record, now);
            }
            let row: Option<(String, Option<i64>)> =
                sqlx::query_as("select acked_by, over_at from alerts where id = $1")
                    .bind(id.0)
                    .fetch_optional(&mut *tx)
                    .await?;
            row.map(|(by, over_at)| (won, by, over_at))
        });
        Ok(row.map(|(won, by, over_at)| match (won, over_at, by.parse()) {
            (true, ..) => Acknowledged::Now,
            (false, None, Ok(by)) if by == actor => Acknowledged::Now,
            (false, None, Ok(by)) => Acknowledged::Before(by),
            _ => Acknowledged::Over,
        }))
    }

    /// Who was sent a kept-up message of this name.
    pub async fn told_by_name(&self, name: &str) -> Result<Vec<ContactId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as("select distinct contact_id from deliveries where live = $1 order by contact_id")
                .bind(name)
                .fetch_all(pool)
                .await?
        });
        Ok(rows.into_iter().map(|(id,)| ContactId(id)).collect())
    }

    /// For each channel, since when the message that has waited longest could have left.
    pub async fn oldest_ready(&self, now: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>> {
        let rows: Vec<(String, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select channel, min(next_at) from deliveries where state = 'queued' and next_at <= $1 \
                 group by channel order by channel",
            )
            .bind(now.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(channel, since)| (channel, instant(since)))
            .collect())
    }

    /// Visits that were handed upwards by then, and that nobody has touched since.
    pub async fn overdue_visits(&self, raised_by: DateTime<Utc>) -> Result<Vec<OverdueVisit>> {
        let rows: Vec<(i64, String, String, String, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select v.id, c.district, c.street, c.name, min(l.at) from visits v \
                 join visit_log l on l.visit_id = v.id and l.act = 'raise' and l.at >= v.changed_at \
                 join units u on u.id = v.unit_id join buildings b on b.id = u.building_id \
                 join communities c on c.id = b.community_id \
                 where v.state in ('asked', 'accepted', 'scheduled', 'on_the_way', 'missed') and v.raised <> '' \
                 group by v.id, c.district, c.street, c.name having min(l.at) <= $1 order by v.id",
            )
            .bind(raised_by.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        let visit =
            |(id, district, street, community, at): (i64, String, String, String, i64)| OverdueVisit {
                visit: VisitId(id),
                area: Area::Community([district, street, community]),
                raised_at: instant(at),
            };
        Ok(rows.into_iter().map(visit).collect())
    }
}
