//! The registration system's load by minute, kept for the reports of incidents.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Result, Store, in_transaction, on_pool, service::instant};

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

impl Store {
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
