//! The only place that speaks SQL. One text of SQL serves SQLite and PostgreSQL; one method is one transaction,
//! and no transaction leaves this module.
//!
//! Batches travel as one JSON parameter: `{rows}` in a statement stands for the first parameter as rows with one
//! JSON object `r.value` each, `{lock}` for the clause that lets two claimers pass each other, `{running}` for "no open
//! incident stops the window `w`", `{in_scope}` for "the incident `i` is about the window `w`".

mod alerts;
mod audit;
mod broadcasts;
mod contacts;
mod copy;
mod inbound;
mod incident_notices;
mod incidents;
mod keys;
mod load;
mod manual;
mod moving;
mod outbox;
mod pacing;
mod places;
mod policies;
mod reports;
mod roster;
mod rotation;
mod rounds;
mod service;
mod teams;
mod threads;
mod visits;
mod windows;
mod workers;

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, PgPool, SqlitePool,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use alerts::{Acknowledged, NewAlert, OverdueVisit};
pub use audit::{AuditFault, AuditFilter, AuditHead, AuditRow, AuditVerdict, NewAudit};
pub use broadcasts::{Broadcast, BroadcastDeliveries, BroadcastPerson, NewBroadcast, Unreached};
pub use contacts::{ContactState, KnownResident, Person, PhoneResident};
pub use inbound::{Recorded, ReplyRow, WaitingInbound};
pub use incident_notices::{IncidentWindow, NoticeCount, WindowCount};
pub use incidents::{Incident, IncidentNote, NewIncident};
pub use keys::{KeyError, Keys};
pub use load::LoadMinute;
pub use manual::{ManualChange, ManualRegistration, OwnTime, Returned, SheetPerson, SheetWindow};
pub use moving::{Movable, OwnWindow, RoundStart, Told, WindowMove};
pub use outbox::{
    AudienceContact, Change, Claimed, DeliveryFilter, DeliveryRow, NewDelivery, ReceiptOutcome, StateCount,
};
pub use pacing::{
    ByHandRecord, CityMove, LogKind, MovedStart, NewDecision, NewLogEntry, PacingLogEntry, PacingRow,
    StartBucket, ToldBucket, ToldCount, ToldRound,
};
pub use places::{BuildingPoint, UnitRow};
pub use policies::{PolicyRow, SetText};
pub use reports::{Decided, NewReport, Rest};
pub use roster::{
    ImportSummary, NewResident, RefusedRow, RosterHashes, RosterImport, RowOutcome, StoredRefusal,
};
pub use rounds::{NewRound, Round, Silent, Steering, UnitToTell, UnitWithPeople};
pub use service::Pause;
pub use threads::{Claim, Thread, ThreadChange, ThreadFilter, ThreadMessage};
pub use visits::{
    Asked, Home, NewVisit, RaisedVisit, VisitAnswer, VisitChange, VisitFilter, VisitLine, VisitNews,
};
pub use windows::{Appointment, DueReminder, TakenRoom, ToldWindow};
pub use workers::{Accepted, DeskRow, Invitation, NewInvitation, NewWorker};

/// Connections that read while one writes.
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 12;
/// Pages (of 4 KiB) that gather in the write-ahead log before they go to the file: a page that many batches change is
/// then written there once for all of them.
const WAL_PAGES: &str = "8192";
/// How long a statement waits for another process's write to SQLite.
const SQLITE_BUSY: Duration = Duration::from_secs(30);
const POSTGRES_ACQUIRE: Duration = Duration::from_secs(10);

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or did not answer.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
    /// There is no room left.
    #[error("the disk that holds the store is full: free some room. What was taken before is safe")]
    Full,
    /// The data key does not fit.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The address in `store.url` is not understood.
    #[error("store.url: {0}")]
    Url(String),
    /// The database was made by a newer version.
    #[error(
        "this database was written by a newer version of weir (its migration {0} is unknown here). \
         Use that version or a newer one"
    )]
    Newer(i64),
    /// The database could not be brought to this version's shape.
    #[error("the database could not be migrated: {0}")]
    Migration(MigrateError),
    /// A stored value makes no sense.
    #[error("the database holds a value that makes no sense: {0}")]
    Corrupt(String),
    /// A rule of the store forbids it; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
}

/// SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_CANTOPEN: faults that may pass.
const SQLITE_PASSING: [&str; 4] = ["5", "6", "10", "14"];
/// SQLITE_FULL, and PostgreSQL's disk_full.
const FULL: [&str; 2] = ["13", "53100"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(db) if db.code().is_some_and(|code| FULL.contains(&code.as_ref())) => {
                Self::Full
            }
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    /// The database is away or out of room: a later try can succeed.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(error) => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(db) => db.code().is_some_and(|code| {
                    // 08 connection, 53 resources, 57P operator intervention: PostgreSQL's classes of passing faults.
                    code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57P")
                        || SQLITE_PASSING.contains(&code.as_ref())
                }),
                _ => false,
            },
            Self::Full => true,
            _ => false,
        }
    }
}

/// Result of a store method.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Clone, Debug)]
enum Pool {
    /// One connection writes, in the order of asking; others read beside it (WAL).
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres(PgPool),
}

/// Everything that is kept, on SQLite or PostgreSQL. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    keys: Arc<Keys>,
}

/// Runs one typed body on a reading connection of either database.
macro_rules! on_pool {
    ($store:expr, |$pool:ident| $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite { reader: $pool, .. } => $body,
            $crate::store::Pool::Postgres($pool) => $body,
        }
    };
}

/// Runs one typed body in a transaction of either database and commits it; an error rolls it back.
macro_rules! in_transaction {
    ($store:expr, |$tx:ident| $body:block) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite { writer, .. } => {
                // Immediate: a deferred transaction that reads first can fail when it comes to write.
                let mut $tx = writer.begin_with("begin immediate").await?;
                let out = $body;
                $tx.commit().await?;
                out
            }
            $crate::store::Pool::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let out = $body;
                $tx.commit().await?;
                out
            }
        }
    };
}

/// Takes `count` fresh ids of a table within a transaction; gives the first. A store restored from a backup that is older
/// than the table has no row for it yet.
macro_rules! take_ids {
    ($tx:ident, $table:literal, $count:expr) => {{
        let (next,): (i64,) = sqlx::query_as(
            "insert into ids (name, next) values ($1, 1 + $2) \
                 on conflict (name) do update set next = ids.next + $2 returning next",
        )
        .bind($table)
        .bind($count as i64)
        .fetch_one(&mut *$tx)
        .await?;
        next - $count as i64
    }};
}

pub(crate) use audit::append_audit;
pub(crate) use {in_transaction, on_pool, take_ids};

impl Store {
    /// Opens the store, creates it where it is a new SQLite file, brings it to this version's shape, and checks
    /// the data key. The key file is made only for a store without data.
    pub async fn open(url: &str, key_file: Option<PathBuf>) -> Result<Self> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url, key_file).await
        } else {
            let key_file = key_file.ok_or_else(|| {
                StoreError::Refused(
                    "with PostgreSQL, security.data_key_file must name the data key; `weir key create FILE` makes one"
                        .into(),
                )
            })?;
            Self::open_postgres(url, &key_file).await
        }
    }

    /// The folder of a SQLite store's file; for PostgreSQL, the one Weir runs in.
    pub fn folder(url: &str) -> PathBuf {
        let file = url
            .starts_with("sqlite:")
            .then(|| SqliteConnectOptions::from_str(url).ok())
            .flatten();
        let folder = file.and_then(|options| Some(options.get_filename().parent()?.to_path_buf()));
        folder
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or_else(|| PathBuf::from("."))
    }

    /// The key file of the store at `url`: the one named, or for SQLite the one beside the store.
    pub fn key_file(url: &str, named: Option<PathBuf>) -> Result<PathBuf> {
        match named {
            Some(file) => Ok(file),
            None => {
                let options = SqliteConnectOptions::from_str(url)
                    .map_err(|_| StoreError::Url("security.data_key_file must name the data key".into()))?;
                Ok(default_key_file(options.get_filename()))
            }
        }
    }

    async fn open_sqlite(url: &str, key_file: Option<PathBuf>) -> Result<Self> {
        let (store, key_file) = Self::connect_sqlite(url, key_file).await?;
        store.check_key(&key_file).await?;
        Ok(store)
    }

    async fn connect_sqlite(url: &str, key_file: Option<PathBuf>) -> Result<(Self, PathBuf)> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|_| StoreError::Url("write sqlite:// and the file's path".into()))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(SQLITE_BUSY)
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-32768")
            .pragma("wal_autocheckpoint", WAL_PAGES);
        let file = options.get_filename().to_path_buf();
        let key_file = key_file.unwrap_or_else(|| default_key_file(&file));
        make_private(&file)?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(|error| unreadable(&file, error))?;
        sqlx::migrate!("migrations/sqlite")
            .run(&writer)
            .await
            .map_err(migration_error)?;
        let reader = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .connect_lazy_with(options.pragma("cache_size", "-4096").read_only(false));
        let keys = read_or_make_key(&key_file, Self::is_empty_sqlite(&writer).await?)?;
        Ok((
            Self {
                pool: Pool::Sqlite { writer, reader },
                keys: Arc::new(keys),
            },
            key_file,
        ))
    }

    async fn is_empty_sqlite(pool: &SqlitePool) -> Result<bool> {
        let known: Option<(String,)> = sqlx::query_as("select value from meta where name = 'key_id'")
            .fetch_optional(pool)
            .await?;
        Ok(known.is_none())
    }

    async fn open_postgres(url: &str, key_file: &std::path::Path) -> Result<Self> {
        let store = Self::connect_postgres(url, key_file).await?;
        store.check_key(key_file).await?;
        Ok(store)
    }

    async fn connect_postgres(url: &str, key_file: &std::path::Path) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Url("write postgres://user:password@host:port/database".into()))?;
        let keys = Keys::read(key_file)?;
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(POSTGRES_ACQUIRE)
            // A plan made while a table was small would be kept while it grows by millions: plan each batch anew.
            .connect_with(
                options
                    .application_name("weir")
                    .options([("plan_cache_mode", "force_custom_plan")]),
            )
            .await?;
        sqlx::migrate!("migrations/postgres")
            .run(&pool)
            .await
            .map_err(migration_error)?;
        Ok(Self {
            pool: Pool::Postgres(pool),
            keys: Arc::new(keys),
        })
    }

    /// Opens a store in mid-rotation, whose key file holds two keys.
    async fn open_rotating(url: &str, key_file: &std::path::Path) -> Result<Self> {
        if url.starts_with("sqlite:") {
            Ok(Self::connect_sqlite(url, Some(key_file.into())).await?.0)
        } else {
            Self::connect_postgres(url, key_file).await
        }
    }

    /// Notes the key's id and a check value in a new store; refuses a key that is not the store's own.
    async fn check_key(&self, key_file: &std::path::Path) -> Result<()> {
        const COLUMN: &str = "meta.key_check";
        let known = self.meta("key_id").await?;
        match known {
            None => {
                let check = self.keys.seal(COLUMN, 0, b"weir");
                self.set_meta("key_check", &check).await?;
                self.set_meta("key_id", &self.keys.id()).await
            }
            Some(_) if self.keys.previous_id().is_some() => Err(KeyError::RotationUnfinished.into()),
            Some(id) => {
                let check = self.meta("key_check").await?.unwrap_or_default();
                if id != self.keys.id() || self.keys.open(COLUMN, 0, &check).is_err() {
                    return Err(KeyError::Wrong(key_file.into()).into());
                }
                Ok(())
            }
        }
    }

    /// The key that this store was opened with is still the one that seals it.
    pub async fn key_is_current(&self) -> Result<bool> {
        Ok(self.meta("key_id").await? == Some(self.keys.id()))
    }

    /// A value of the store itself.
    pub async fn meta(&self, name: &str) -> Result<Option<String>> {
        let row: Option<(String,)> = on_pool!(self, |pool| {
            sqlx::query_as("select value from meta where name = $1")
                .bind(name)
                .fetch_optional(pool)
                .await?
        });
        Ok(row.map(|row| row.0))
    }

    /// Sets a value of the store itself.
    pub async fn set_meta(&self, name: &str, value: &str) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query(
                "insert into meta (name, value) values ($1, $2) on conflict (name) do update set value = $2",
            )
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await?;
        });
        Ok(())
    }

    /// The database answers.
    pub async fn ping(&self) -> Result<()> {
        on_pool!(self, |pool| {
            sqlx::query("select 1").execute(pool).await?;
        });
        Ok(())
    }

    /// Closes every connection; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    /// Which database it is, for people.
    pub fn kind(&self) -> &'static str {
        match self.pool {
            Pool::Sqlite { .. } => "SQLite",
            Pool::Postgres(_) => "PostgreSQL",
        }
    }

    /// Fills in what the two dialects write differently.
    fn sql(&self, text: &'static str) -> AssertSqlSafe<String> {
        self.sql_of(text)
    }

    /// The same for a statement that is put together from constants.
    fn sql_of(&self, text: &str) -> AssertSqlSafe<String> {
        // Binary JSON is read once; text would be read again for each row or column.
        let (rows, lock) = match self.pool {
            Pool::Sqlite { .. } => ("jsonb_each($1) as r", ""),
            Pool::Postgres(_) => (
                "jsonb_array_elements($1::jsonb) as r(value)",
                "for update skip locked",
            ),
        };
        AssertSqlSafe(
            text.replace("{running}", incidents::RUNNING)
                .replace("{in_scope}", incidents::IN_SCOPE)
                .replace("{rows}", rows)
                .replace("{lock}", lock),
        )
    }
}

/// `weir.db` → `weir.db.key`.
fn default_key_file(store_file: &std::path::Path) -> PathBuf {
    let mut name = store_file.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

/// Makes the store's file, if it is new, readable by its owner alone; SQLite gives its log the same mode.
fn make_private(file: &std::path::Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) => Err(StoreError::Refused(format!(
            "the store {} cannot be opened: {error}. Its folder must exist and be writable; \
             another place can be set by store.url",
            file.display()
        ))),
    }
}

fn unreadable(file: &std::path::Path, error: sqlx::Error) -> StoreError {
    match &error {
        // 26: SQLITE_NOTADB
        sqlx::Error::Database(db) if db.code().as_deref() == Some("26") => StoreError::Refused(format!(
            "{} is not a weir database: it is another kind of file. Set store.url to another place",
            file.display()
        )),
        _ => StoreError::Database(error),
    }
}

fn read_or_make_key(path: &std::path::Path, store_is_new: bool) -> Result<Keys, KeyError> {
    match Keys::read(path) {
        Err(KeyError::Missing(_)) if store_is_new => Keys::create(path),
        other => other,
    }
}

fn migration_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Newer(version),
        MigrateError::Execute(source) => StoreError::Database(source),
        other => StoreError::Migration(other),
    }
}

/// A batch as the one JSON parameter that `{rows}` reads.
fn json(rows: &impl serde::Serialize) -> String {
    serde_json::to_string(rows).expect("plain rows always serialise")
}

/// One row of ids for `{rows}`.
#[derive(serde::Serialize)]
struct IdRow {
    id: i64,
}

fn json_ids(ids: impl IntoIterator<Item = i64>) -> String {
    json(&ids.into_iter().map(|id| IdRow { id }).collect::<Vec<_>>())
}
