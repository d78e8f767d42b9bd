//! What the running service notes about itself: who is active, what is paused, which jobs ran.

use chrono::{DateTime, Utc};

use super::{Result, Store, StoreError, in_transaction, on_pool};

/// A channel that asked to be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The channel's name: `telegram`, or the carrier's.
    pub channel: String,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

pub(super) fn instant(unix_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(unix_ms).unwrap_or_default()
}

impl Store {
    /// Takes or renews a lease until `until`; false when another owner holds it.
    pub async fn hold_lease(
        &self,
        name: &str,
        owner: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool> {
        let rows = in_transaction!(self, |tx| {
            sqlx::query(
                "insert into leases (name, owner, until) values ($1, $2, $3) \
                 on conflict (name) do update set owner = $2, until = $3 \
                 where leases.owner = $2 or leases.until <= $4",
            )
            .bind(name)
            .bind(owner)
            .bind(until.timestamp_millis())
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Who holds a lease, if anybody does.
    pub async fn lease_owner(&self, name: &str, now: DateTime<Utc>) -> Result<Option<String>> {
        let row: Option<(String,)> = on_pool!(self, |pool| {
            sqlx::query_as("select owner from leases where name = $1 and until > $2")
                .bind(name)
                .bind(now.timestamp_millis())
                .fetch_optional(pool)
                .await?
        });
        Ok(row.map(|row| row.0))
    }

    /// Gives a lease back, so that a process standing by need not wait for its end.
    pub async fn release_lease(&self, name: &str, owner: &str) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("delete from leases where name = $1 and owner = $2")
                .bind(name)
                .bind(owner)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Notes that a channel asked to be left alone, so that a restart leaves it alone too. The later end counts.
    pub async fn pause_channel(&self, pause: &Pause) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query(
                "insert into channel_pauses (channel, until, reason) values ($1, $2, $3) \
                 on conflict (channel) do update set until = $2, reason = $3 where channel_pauses.until < $2",
            )
            .bind(&pause.channel)
            .bind(pause.until.timestamp_millis())
            .bind(&pause.reason)
            .execute(&mut *tx)
            .await?;
        });
        Ok(())
    }

    /// The pauses that still last.
    pub async fn pauses(&self, now: DateTime<Utc>) -> Result<Vec<Pause>> {
        let rows: Vec<(String, i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as("select channel, until, reason from channel_pauses where until > $1")
                .bind(now.timestamp_millis())
                .fetch_all(pool)
                .await?
        });
        Ok(rows
            .into_iter()
            .map(|(channel, until, reason)| Pause {
                channel,
                until: instant(until),
                reason,
            })
            .collect())
    }

    /// Notes that a job's run begins; false when that run is on record already.
    /// `due` is the local date and time it was due at.
    pub async fn begin_job(&self, job: &str, due: &str, now: DateTime<Utc>) -> Result<bool> {
        let rows = in_transaction!(self, |tx| {
            sqlx::query(
                "insert into job_runs (job, due, started_at) values ($1, $2, $3) on conflict do nothing",
            )
            .bind(job)
            .bind(due)
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Notes how a job's run ended.
    pub async fn end_job(&self, job: &str, due: &str, now: DateTime<Utc>, outcome: &str) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("update job_runs set ended_at = $3, outcome = $4 where job = $1 and due = $2")
                .bind(job)
                .bind(due)
                .bind(now.timestamp_millis())
                .bind(outcome)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Erases what is older than `before`: the texts of rounds that ended by then, people's messages, dialogue states,
    /// refused rows, and people who moved out. Facts (who was told when, by id) stay. Gives the number of rows erased.
    pub async fn erase_old(&self, before: DateTime<Utc>) -> Result<u64> {
        let before = before.timestamp_millis();
        Ok(in_transaction!(self, |tx| {
            let mut erased = 0;
            for sql in [
                "delete from bodies where delivery_id in (select d.id from deliveries d \
                   left join rounds o on o.id = d.round_id \
                   where d.state not in ('held', 'queued', 'sending', 'accepted') \
                     and coalesce(o.last_window_ends_at, d.expires_at) < $1)",
                "delete from inbound where answered_at < $1",
                "delete from dialogues where changed_at < $1",
                "delete from pacing_log where at < $1",
                "delete from pacing_moved where starts_at < $1",
                "delete from residents where moved_out_at < $1",
                "delete from desks where changed_at < $1",
                "update invitations set phone = '' where phone <> '' and expires_at < $1",
                "update workers set name = '', name_hash = 'erased ' || id where name <> '' and removed_at < $1",
                "update site_reports set photo = '' where photo <> '' and at < $1",
                "update broadcasts set words = '' where words <> '' and ended_at < $1",
                "update manual_registrations set person = '' where person <> '' \
                   and state in ('registered', 'refused') and changed_at < $1",
                "update thread_messages set words = '' where words <> '' and at < $1 \
                   and thread_id in (select id from threads where state = 'closed')",
                "update visit_log set words = '' where words <> '' and visit_id in (select v.id from visits v \
                   where v.state in ('done', 'declined', 'cancelled', 'missed') and v.changed_at < $1)",
                "delete from visit_contacts where visit_id in (select v.id from visits v \
                   where v.state in ('done', 'declined', 'cancelled', 'missed') and v.changed_at < $1)",
                "update visits set personal = '', asker_id = null where personal <> '' \
                   and state in ('done', 'declined', 'cancelled', 'missed') and changed_at < $1",
                // That somebody is not planned for stays known; what their row held does not.
                "update refused_rows set cells = '', place = '' where cells <> '' \
                   and import_id in (select i.id from imports i where i.started_at < $1)",
            ] {
                erased += sqlx::query(sql)
                    .bind(before)
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
            }
            erased
        }))
    }
}

/// Makes a stored word into its type, or names what is wrong.
pub(super) fn known<T>(parsed: Option<T>, column: &'static str, word: &str) -> Result<T> {
    parsed.ok_or_else(|| StoreError::Corrupt(format!("{column} = {word:?}")))
}
