//! Backup and restore: one file of JSON lines for both databases, so that a backup of one can be restored into the
//! other. Personal columns stay sealed in it; the data key is not part of it.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::{Pool, Result, Store, StoreError};

const FORMAT: u32 = 1;
const ROWS_PER_STATEMENT: usize = 2_000;

/// Every table but `leases`, which speaks of running processes. A table comes after those it refers to.
pub(super) const TABLES: [&str; 19] = [
    "meta",
    "ids",
    "communities",
    "buildings",
    "units",
    "sites",
    "contacts",
    "residents",
    "imports",
    "refused_rows",
    "rounds",
    "windows",
    "own_windows",
    "deliveries",
    "bodies",
    "parts",
    "receipts",
    "channel_pauses",
    "inbound",
];
const TABLES_LATE: [&str; 2] = ["dialogues", "job_runs"];
const TABLES_PACING: [&str; 3] = ["pacing", "pacing_log", "pacing_moved"];
const TABLES_OF_INCIDENTS: [&str; 8] = [
    "incidents",
    "incident_scopes",
    "incident_log",
    "incident_windows",
    "incident_times",
    "incident_notices",
    "manual_registrations",
    "load_minutes",
];
const TABLES_OF_CONVERSATION: [&str; 4] = ["policies", "set_texts", "threads", "thread_messages"];
const TABLES_OF_VISITS: [&str; 4] = ["visits", "visit_contacts", "visit_log", "teams"];
const TABLES_OF_WORKERS: [&str; 6] = [
    "workers",
    "invitations",
    "desks",
    "audit",
    "audit_chain",
    "broadcasts",
];
const TABLES_OF_SITES: [&str; 3] = ["site_reports", "proposals", "alerts"];

#[derive(Serialize, Deserialize)]
struct Header {
    weir_backup: u32,
    migration: i64,
    key_id: String,
    created_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct TableHead {
    table: String,
    columns: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct Tail {
    rows_total: u64,
}

pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES
        .into_iter()
        .chain(TABLES_LATE)
        .chain(TABLES_PACING)
        .chain(TABLES_OF_INCIDENTS)
        .chain(TABLES_OF_CONVERSATION)
        .chain(TABLES_OF_VISITS)
        .chain(TABLES_OF_WORKERS)
        .chain(TABLES_OF_SITES)
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |error| StoreError::Refused(format!("{}: {error}", path.display()))
}

/// Copies every table out within one transaction.
macro_rules! copy_out {
    ($tx:ident, $file:expr, $path:expr, $columns:expr, $array:literal, $key_id:expr, $now:expr) => {{
        let mut out = BufWriter::new($file);
        let mut write = |value: String| writeln!(out, "{value}").map_err(io_error($path));
        write(super::json(&Header {
            weir_backup: FORMAT,
            migration: latest_migration(),
            key_id: $key_id,
            created_at: $now,
        }))?;
        let mut total = 0u64;
        for table in tables() {
            let columns: Vec<(String, String)> =
                sqlx::query_as($columns).bind(table).fetch_all(&mut *$tx).await?;
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let select = format!(concat!("select ", $array, " from {}"), names.join(", "), table);
            write(super::json(&TableHead {
                table: table.to_owned(),
                columns,
            }))?;
            let mut rows = sqlx::query_as::<_, (String,)>(AssertSqlSafe(select)).fetch(&mut *$tx);
            while let Some((row,)) = rows.try_next().await? {
                write(row)?;
                total += 1;
            }
        }
        write(super::json(&Tail { rows_total: total }))?;
        out.flush().map_err(io_error($path))?;
        total
    }};
}

impl Store {
    /// Writes everything, as it is at one instant, into a new private file; gives the number of rows.
    pub async fn backup(&self, path: &Path, now: DateTime<Utc>) -> Result<u64> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // A file that appears whole, or not at all; tempfile makes it with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io_error(path))?;
        let rows = match &self.pool {
            Pool::Sqlite { reader, .. } => {
                let mut tx = reader.begin().await?;
                let columns = "select name, type from pragma_table_info($1) order by cid";
                copy_out!(
                    tx,
                    file.as_file_mut(),
                    path,
                    columns,
                    "json_array({})",
                    self.keys.id(),
                    now
                )
            }
            Pool::Postgres(pool) => {
                let mut tx = pool
                    .begin_with("begin isolation level repeatable read read only")
                    .await?;
                let columns = "select column_name::text, data_type::text from information_schema.columns \
                               where table_name = $1 and table_schema = current_schema() order by ordinal_position";
                copy_out!(
                    tx,
                    file.as_file_mut(),
                    path,
                    columns,
                    "json_build_array({})::text",
                    self.keys.id(),
                    now
                )
            }
        };
        file.as_file().sync_all().map_err(io_error(path))?;
        file.persist(path).map_err(|error| io_error(path)(error.error))?;
        Ok(rows)
    }

    /// Replaces everything by what a backup holds, in one transaction; gives the number of rows.
    ///
    /// What was still to be sent when the backup was made may have been sent since, so it does not go out by
    /// itself: releasing rounds come back paused with their deliveries held, and other open deliveries cancelled.
    pub async fn restore(&self, path: &Path, now: DateTime<Utc>) -> Result<u64> {
        let file = File::open(path).map_err(io_error(path))?;
        let mut lines = BufReader::new(file).lines();
        let mut line = || -> Result<Option<String>> { lines.next().transpose().map_err(io_error(path)) };
        let damaged = || {
            StoreError::Refused(format!(
                "{} is not a whole weir backup. Nothing was changed; use another backup",
                path.display()
            ))
        };
        let header: Header = line()?
            .and_then(|text| serde_json::from_str(&text).ok())
            .ok_or_else(damaged)?;
        self.check_header(&header, path)?;
        let rows = self.sql("{rows}").0;
        Ok(super::in_transaction!(self, |tx| {
            for table in tables() {
                sqlx::query(AssertSqlSafe(format!("delete from {table}")))
                    .execute(&mut *tx)
                    .await?;
            }
            let mut total = 0u64;
            let mut insert = None;
            let mut batch: Vec<Value> = Vec::new();
            let whole = loop {
                let Some(text) = line()? else { break false };
                let value: Value = serde_json::from_str(&text).map_err(|_| damaged())?;
                let is_row = value.is_array();
                if is_row {
                    batch.push(value.clone());
                    total += 1;
                }
                if !batch.is_empty() && (!is_row || batch.len() == ROWS_PER_STATEMENT) {
                    let sql: String = Option::clone(&insert).ok_or_else(damaged)?;
                    sqlx::query(AssertSqlSafe(sql))
                        .bind(super::json(&batch))
                        .execute(&mut *tx)
                        .await?;
                    batch.clear();
                }
                if let Ok(head) = serde_json::from_value::<TableHead>(value.clone()) {
                    insert = Some(insert_statement(&head, &rows).ok_or_else(damaged)?);
                } else if let Ok(tail) = serde_json::from_value::<Tail>(value) {
                    break tail.rows_total == total;
                }
            };
            if !whole {
                // Dropped without commit: the store stays as it was.
                return Err(damaged());
            }
            for (_, sql) in CATCH_UP.iter().filter(|(of, _)| header.migration < *of) {
                sqlx::query(*sql).execute(&mut *tx).await?;
            }
            for sql in AFTER_RESTORE {
                sqlx::query(sql)
                    .bind(now.timestamp_millis())
                    .bind(format!("{} ", now.timestamp_millis()))
                    .bind(" restored from a backup\n")
                    .execute(&mut *tx)
                    .await?;
            }
            total
        }))
    }

    fn check_header(&self, header: &Header, path: &Path) -> Result<()> {
        if header.weir_backup != FORMAT || header.migration > latest_migration() {
            return Err(StoreError::Newer(header.migration));
        }
        if header.key_id != self.keys.id() {
            return Err(StoreError::Refused(format!(
                "{} was sealed with another data key than this store's. Put that key's file in place first",
                path.display()
            )));
        }
        Ok(())
    }
}

/// What a migration did to the rows that were there, for those of a backup from before it: each migration that changes
/// rows has a line here.
const CATCH_UP: [(i64, &str); 2] = [
    (3, "update windows set called_at = released_at"),
    (
        12,
        "update windows set known_at = (select r.released_at from rounds r where r.id = windows.round_id) \
         where released_at is null and exists ( \
           select 1 from rounds r join residents p on p.unit_id = windows.unit_id and p.moved_out_at is null \
           join deliveries d on d.key in ( \
             'window:' || cast(r.id as text) || ':' || cast(r.plan_revision as text) || ':' || cast(p.phone_contact_id as text), \
             'window:' || cast(r.id as text) || ':' || cast(r.plan_revision as text) || ':' || cast(p.chat_contact_id as text)) \
           where r.id = windows.round_id)",
    ),
];

const AFTER_RESTORE: [&str; 4] = [
    "update deliveries set state = 'held', lease_until = null, changed_at = $1, \
       history = history || $2 || 'held' || $3 where state in ('queued', 'sending') \
       and (round_id is not null or broadcast_id is not null)",
    "update deliveries set state = 'cancelled', lease_until = null, changed_at = $1, \
       history = history || $2 || 'cancelled' || $3 where state in ('held', 'queued', 'sending') \
       and round_id is null and broadcast_id is null",
    "update rounds set state = 'paused', changed_at = $1 where state = 'releasing' and $2 <> '' and $3 <> ''",
    "update broadcasts set state = 'paused', changed_at = $1 where state in ('sending', 'active') and $2 <> '' and $3 <> ''",
];

/// The statement that inserts rows given as JSON arrays; none when the file names something that is no table or
/// column of ours.
fn insert_statement(head: &TableHead, rows: &str) -> Option<String> {
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if !tables().any(|table| table == head.table) || !head.columns.iter().all(|(name, _)| is_name(name)) {
        return None;
    }
    let names: Vec<&str> = head.columns.iter().map(|(name, _)| name.as_str()).collect();
    let values: Option<Vec<String>> = head
        .columns
        .iter()
        .enumerate()
        .map(|(index, (_, kind))| match kind.to_ascii_lowercase().as_str() {
            kind @ ("bigint" | "text" | "double precision") => {
                Some(format!("cast(r.value->>{index} as {kind})"))
            }
            _ => None,
        })
        .collect();
    Some(format!(
        "insert into {} ({}) select {} from {rows}",
        head.table,
        names.join(", "),
        values?.join(", ")
    ))
}

fn latest_migration() -> i64 {
    sqlx::migrate!("migrations/sqlite")
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}
