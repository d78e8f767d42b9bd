//! Empty stores to measure on: SQLite in a temporary folder, and PostgreSQL where its URL is set.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sqlx::Connection;
use weir::store::{Keys, Store};

/// A schema of its own in this database is made, and dropped at the end.
const POSTGRES: &str = "WEIR_TEST_POSTGRES_URL";

/// Where a store is, as its own process is told.
#[derive(Clone, Serialize, Deserialize)]
pub struct Place {
    pub url: String,
    pub key: PathBuf,
}

impl Place {
    /// A store in a file of this folder.
    pub fn sqlite(folder: &Path) -> Self {
        Self {
            url: format!("sqlite://{}", folder.join("weir.db").display()),
            key: folder.join("weir.key"),
        }
    }

    pub async fn open(&self) -> Result<Store> {
        Ok(Store::open(&self.url, Some(self.key.clone())).await?)
    }
}

/// Measures on SQLite and, where its URL is set, on PostgreSQL; `measure` is given the store's name.
pub fn on_each(measure: impl Fn(&str, &Place, &Path) -> Result<()>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    measure("SQLite", &Place::sqlite(folder.path()), folder.path())?;
    let Ok(server) = std::env::var(POSTGRES) else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let schema = format!("bench{}", std::process::id());
    let is_durable = psql(&server, &format!("create schema {schema}"))?;
    let separator = if server.contains('?') { '&' } else { '?' };
    let place = Place {
        url: format!("{server}{separator}options=-csearch_path%3D{schema}"),
        key: folder.path().join("weir.key"),
    };
    Keys::create(&place.key)?;
    let name = if is_durable {
        "PostgreSQL"
    } else {
        "PostgreSQL, not durable"
    };
    let measured = measure(name, &place, folder.path());
    psql(&server, &format!("drop schema {schema} cascade"))?;
    measured
}

/// Runs a statement; tells whether what the server commits outlives a power cut.
fn psql(server: &str, statement: &str) -> Result<bool> {
    crate::process::runtime()?.block_on(async {
        let mut connection = sqlx::PgConnection::connect(server)
            .await
            .context("PostgreSQL does not answer")?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await?;
        let mut is_durable = true;
        for setting in ["show fsync", "show synchronous_commit"] {
            let (value,): (String,) = sqlx::query_as(setting).fetch_one(&mut connection).await?;
            is_durable &= value == "on";
        }
        Ok(is_durable)
    })
}
