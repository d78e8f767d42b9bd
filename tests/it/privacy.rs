//! Nothing personal in plain: not in the database's files, nor in backups, nor in the most talkative log.

use std::path::{Path, PathBuf};

use sqlx::Connection;
use weir::clock::Clock;

use crate::{
    app::{ROSTER_HEAD, SITES, TestApp},
    binary::{Serving, json, run, write_config},
    support::{TestStore, postgres, sqlite},
};

const CHAT: i64 = 7_766_554_433;
/// Telegram's form of the first resident's number.
const PHONE: &str = "8619987650001";
const ROWS: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,阁楼Z97,欧阳暮雪,+8619987650001,zh-Hans,limited_mobility\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,Loft-Q55,Zebulon Quark,19987650002,en,\n\
锦江区,春熙街道,银杏社区,2栋,1单元,地窖K13,司徒小满,+8619987650003,zh-Hant,no_smartphone\n\
锦江区,春熙街道,银杏社区,2栋,,暗室W31,慕容拒收,+8619987650004,zh-Hans,\n";

/// What must be found nowhere: names, numbers with and without their prefix, the chat, doors, words in and out.
const SECRETS: [&str; 21] = [
    "欧阳暮雪",
    "暮雪",
    "Zebulon",
    "Quark",
    "司徒小满",
    "慕容拒收",
    "19987650001",
    "19987650002",
    "19987650003",
    "19987650004",
    "7766554433",
    "阁楼Z97",
    "Loft-Q55",
    "地窖K13",
    "暗室W31",
    "紫色河马",
    "turquoise walrus",
    "limited_mobility",
    "no_smartphone",
    "提前准备好健康码",
    "Bring mask",
];

fn assert_clean(what: &str, bytes: &[u8]) {
    for secret in SECRETS {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in {what}");
    }
}

/// Every file of the folder but what the office itself brought.
fn assert_folder_clean(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            assert_clean(&name, &std::fs::read(&path).expect("reads"));
            names.push(name);
        }
    }
    names
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

/// The files that an office brings, in a folder beside the store's own.
fn bring(app: &TestApp) -> PathBuf {
    let folder = app.test.folder.path().join("brought");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("roster.csv"), format!("{ROSTER_HEAD}{ROWS}")).expect("written");
    std::fs::write(folder.join("sites.csv"), SITES).expect("written");
    folder
}

/// Import, chat on both channels, release, with everything logged that can be.
async fn full_run(test: TestStore) -> (TestApp, Serving) {
    let app = TestApp::set(test, Clock::System, |_| {}).await;
    let folder = write_config(&app);
    let brought = bring(&app);
    let loud = [
        "--log",
        "trace",
        "import",
        "brought/roster.csv",
        "--sites",
        "brought/sites.csv",
    ];
    let imported = run(&folder, &loud).await;
    assert!(imported.status.success());
    assert_clean("the log of an import", &imported.stderr);
    assert_clean("the report of an import", &imported.stdout);
    assert_eq!(mode(&brought.join("roster.refused.csv")), 0o600);

    let serving = Serving::start(&folder, &["--log", "trace"]);
    serving.in_state("active").await;
    app.smsc.bound().await;
    app.ask(CHAT, "/start", 1).await;
    let before = app.to_chat(CHAT).len();
    app.bot_api.user_shares_contact(CHAT, PHONE, true);
    app.heard(CHAT, before, 1).await;
    app.ask(CHAT, "紫色河马", 1).await;
    app.text("+8619987650002", "turquoise walrus", 1).await;
    app.text("+8619987650003", "紫色河马 turquoise walrus", 1).await;
    // To a worker.
    app.text("+8619987650003", "人工", 1).await;
    let written = app.smsc.deliver_text("+8619987650003", "紫色河马").await;
    written.expect("it is taken");
    let (round, _) = app
        .plan_as(|spec| {
            spec.date = spec.date.succ_opt().expect("a day");
            spec.until = spec.date;
        })
        .await;
    app.release_at_once(round).await;
    app.settled(round).await;
    assert_eq!(app.to_chat(CHAT).len(), 4, "told by chat");
    // A resident whom the channel refuses, and one who cannot be reached for a while: errors are logged too.
    app.bot_api.user_blocks(CHAT);
    app.smsc.set_fault(weir::channels::sms::smsc::Fault::Cut);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    app.smsc.set_fault(weir::channels::sms::smsc::Fault::None);

    for report in [
        ["round", "status", "1", "--json"].as_slice(),
        &["round", "show", "1", "--windows"],
        &["deliveries", "--limit", "100"],
        &["deliveries", "1", "--json"],
        &["round", "list", "--log", "trace"],
    ] {
        let told = run(&folder, report).await;
        assert!(told.status.success(), "{report:?}");
        assert_clean(&format!("{report:?}"), &told.stdout);
        assert_clean(&format!("the log of {report:?}"), &told.stderr);
    }
    let (_, metrics) = serving.get("/metrics").await.expect("answers");
    assert!(metrics.contains("weir_"));
    assert_clean("the metrics", metrics.as_bytes());
    json(&folder, &["backup", "weir.backup"]).await;
    assert_eq!(mode(&folder.join("weir.backup")), 0o600);
    (app, serving)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_a_full_run_on_sqlite_holds_anything_personal() {
    let (app, serving) = full_run(sqlite().await).await;
    let folder = app.test.folder.path();
    let names = assert_folder_clean(folder);
    for expected in [
        "weir.db",
        "weir.db-wal",
        "weir.db-shm",
        "serve.log",
        "weir.backup",
    ] {
        assert!(
            names.iter().any(|name| name == expected),
            "{expected} among {names:?}"
        );
    }
    for private in ["weir.db", "weir.db-wal", "weir.db-shm", "key"] {
        assert_eq!(mode(&folder.join(private)), 0o600, "{private}");
    }
    let log = std::fs::read_to_string(&serving.log).expect("a log");
    assert!(log.contains("weir is at work"), "{log}");
    serving.terminate().await;
    app.store().close().await;
    assert_folder_clean(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_of_a_full_run_on_postgresql_holds_anything_personal() {
    let Some(test) = postgres().await else { return };
    let (app, serving) = full_run(test).await;
    serving.terminate().await;
    assert_folder_clean(app.test.folder.path());
    let mut connection = sqlx::PgConnection::connect(&app.test.url)
        .await
        .expect("connects");
    let tables: Vec<(String,)> = sqlx::query_as(
        "select table_name::text from information_schema.tables where table_schema = current_schema()",
    )
    .fetch_all(&mut connection)
    .await
    .expect("lists");
    assert!(tables.len() > 15, "{tables:?}");
    for (table,) in tables {
        let dump = sqlx::AssertSqlSafe(format!("select t::text from {table} t"));
        let rows: Vec<(String,)> = sqlx::query_as(dump)
            .fetch_all(&mut connection)
            .await
            .expect("reads");
        for (row,) in rows {
            assert_clean(&table, row.as_bytes());
        }
    }
}
