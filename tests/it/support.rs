//! What the tests share: a store on each database, a small roster, a clock that stands still.

use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection;
use tempfile::TempDir;
use weir::{
    domain::{Body, ChannelKind, ContactId, DeliveryState, Language, NoticeKind, PhoneNumber, UnitPlace},
    store::{ImportSummary, Keys, NewDelivery, NewResident, RowOutcome, Store},
};

/// A store of a test's own.
pub struct TestStore {
    pub store: Store,
    pub url: String,
    pub folder: TempDir,
}

impl TestStore {
    pub fn key_file(&self) -> std::path::PathBuf {
        self.folder.path().join("key")
    }

    /// Opens the same store once more, as another process would.
    pub async fn again(&self) -> Store {
        Store::open(&self.url, Some(self.key_file()))
            .await
            .expect("opens again")
    }
}

pub async fn sqlite() -> TestStore {
    let folder = tempfile::tempdir().expect("temporary folder");
    let url = format!("sqlite://{}", folder.path().join("weir.db").display());
    let store = Store::open(&url, Some(folder.path().join("key")))
        .await
        .expect("SQLite opens");
    TestStore { store, url, folder }
}

/// A schema of its own in the database of `WEIR_TEST_POSTGRES_URL`; none where that is not set.
pub async fn postgres() -> Option<TestStore> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("WEIR_TEST_POSTGRES_URL").ok()?;
    let schema = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    let mut connection = sqlx::PgConnection::connect(&server)
        .await
        .expect("PostgreSQL answers");
    sqlx::query(sqlx::AssertSqlSafe(format!("create schema {schema}")))
        .execute(&mut connection)
        .await
        .expect("a schema is made");
    let url = format!(
        "{server}{}options=-csearch_path%3D{schema}",
        if server.contains('?') { "&" } else { "?" }
    );
    let folder = tempfile::tempdir().expect("temporary folder");
    Keys::create(&folder.path().join("key")).expect("a key is made");
    let store = Store::open(&url, Some(folder.path().join("key")))
        .await
        .expect("PostgreSQL opens");
    Some(TestStore { store, url, folder })
}

/// Runs a test on SQLite and, where its URL is set, on PostgreSQL.
pub async fn on_both(test: impl AsyncFn(TestStore)) {
    test(sqlite().await).await;
    if let Some(store) = postgres().await {
        test(store).await;
    }
}

/// 2026-09-02 18:00 in Chengdu.
pub fn evening() -> DateTime<Utc> {
    "2026-09-02T10:00:00Z".parse().expect("an instant")
}

pub fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

pub fn place(building: u32, unit: u32) -> UnitPlace {
    UnitPlace {
        district: "锦江区".into(),
        street: "春熙街道".into(),
        community: "锦绣社区1".into(),
        building: format!("{building}栋"),
        unit: format!("{unit}单元"),
    }
}

/// A resident in one line: unit, door, name, the last digits of the phone (0 for none).
pub fn resident(line: u64, place: UnitPlace, door: &str, name: &str, phone: u32) -> NewResident {
    NewResident {
        line,
        place,
        door: door.into(),
        name: name.into(),
        phone: (phone > 0).then(|| self::phone(phone)),
        language: Some(Language::ZhHans),
        tags: Vec::new(),
        reference: None,
        mends: None,
    }
}

pub fn phone(serial: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+86199{serial:08}")).expect("an invented number")
}

/// Imports rows as one file.
pub async fn import(store: &Store, file: &str, rows: &[NewResident]) -> Vec<RowOutcome> {
    let mut import = store.begin_import(file, evening(), false).await.expect("begins");
    let outcomes = import.rows(rows).await.expect("takes the rows");
    import
        .finish(evening(), &ImportSummary::default())
        .await
        .expect("finishes");
    outcomes
}

pub fn delivery(key: &str, contact: ContactId, kind: NoticeKind) -> NewDelivery {
    NewDelivery {
        key: key.into(),
        round: None,
        contact,
        channel: ChannelKind::Sms,
        kind,
        body: Body::text("您的采样时段"),
        parts: 1,
        state: DeliveryState::Queued,
        reason: "",
        next_at: evening(),
        expires_at: evening() + minutes(60),
    }
}
