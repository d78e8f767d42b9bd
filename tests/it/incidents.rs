//! A declared fault from its first notice to its report: over the real protocols, through restarts, on paper and back.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::post};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use weir::{
    clock::Clock,
    config::{Config, RegistrationConfig},
    domain::{CommunityId, IncidentId, IncidentScope, NoticeKind, RoundId, SiteId, UnitId, Window},
    i18n::Texts,
    incidents::{
        drain::{self, Drain},
        teller::{self, Teller},
    },
    registration::{
        RegistrationClient,
        simulator::{RegistrationSim, SimOptions},
    },
    release::releaser::Releaser,
    store::{DeliveryFilter, LoadMinute, NewIncident, NewRound, Store},
};

use crate::{
    app::{ROSTER_HEAD, SITES, TestApp, afternoon, eventually, hours},
    binary::{Serving, err, json as json_of, out, run, write_config},
    round::many,
    store::small_round,
    support::{evening, minutes, on_both, sqlite},
};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const UNITS: u32 = 8;

fn everywhere(reason: &str) -> NewIncident {
    NewIncident {
        reason: reason.into(),
        actor: "a test".into(),
        ..NewIncident::default()
    }
}

/// A released round: the unit of phone `n` has its window at 15:20 and `n` times 20 minutes.
async fn staggered(app: &TestApp) -> RoundId {
    app.import(&many(UNITS)).await;
    let site = app.store().sites().await.expect("reads")[0].id;
    let mut units = app.store().units_with_people(&[]).await.expect("reads");
    units.sort_by(|a, b| a.place.natural_cmp(&b.place));
    let number = |unit: &str| unit.trim_end_matches("单元").parse::<i64>().expect("a number");
    let windows = units
        .iter()
        .map(|unit| {
            let n =
                (number(unit.place.building.trim_end_matches('栋')) - 1) * 4 + number(&unit.place.unit) - 1;
            let starts_at = afternoon() + minutes(20 + 20 * n);
            Window {
                unit: unit.unit,
                site,
                starts_at,
                ends_at: starts_at + minutes(15),
                people: unit.people,
                over_capacity: false,
                green: None,
            }
        })
        .collect();
    let round = NewRound {
        spec: "{}".into(),
        summary: "{}".into(),
        windows,
    };
    let round = app
        .store()
        .create_round(&round, app.clock.now())
        .await
        .expect("creates");
    app.release_at_once(round).await;
    round
}

fn phone(n: u32) -> String {
    format!("+8619901{n:06}")
}

/// How many messages with these words each phone has had.
fn heard(app: &TestApp, words: &str) -> BTreeMap<u32, usize> {
    (0..UNITS)
        .map(|n| {
            let sent = app.to_phone(&phone(n));
            (n, sent.iter().filter(|sent| sent.text.contains(words)).count())
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn once(phones: std::ops::Range<u32>) -> BTreeMap<u32, usize> {
    phones.map(|n| (n, 1)).collect()
}

const FAULT: &str = "登记系统出了故障";
const OVER: &str = "登记系统恢复了";

#[tokio::test(flavor = "multi_thread")]
async fn those_near_are_told_once_and_hear_when_it_is_over_and_nobody_else_does() {
    on_both(async |test| {
        let mut app = TestApp::start_with(test, Clock::manual(afternoon()), |scene| {
            scene.config.incidents.near_minutes = 70;
            scene.config.notices.reminder_before = std::time::Duration::ZERO;
        })
        .await;
        let round = staggered(&app).await;
        app.settled(round).await;
        let (store, near) = (app.store().clone(), app.config.incidents.near());
        let now = app.clock.now();
        let new = NewIncident {
            message_zh: Some("采样点有热水。".into()),
            ..everywhere("数据库过载")
        };
        let (id, is_new) = store.open_incident(&new, now + near, now).await.expect("opens");
        assert!(is_new);
        let again = store.open_incident(&everywhere("again"), now + near, now).await;
        assert_eq!(again.expect("harmless"), (id, false));
        // 15:20, 15:40 and 16:00 are within 70 minutes of 15:00.
        eventually("the first three are told", async || {
            (heard(&app, FAULT) == once(0..3)).then_some(())
        })
        .await;
        assert!(
            app.to_phone(&phone(0))
                .last()
                .expect("told")
                .text
                .contains("采样点有热水。")
        );

        app.stop_service().await;
        app.start_service();
        app.quiet().await;
        assert_eq!(heard(&app, FAULT), once(0..3), "a restart tells nobody twice");

        // Two more come near; the first window is over by then.
        app.clock.advance(TimeDelta::minutes(40));
        eventually("two more are told", async || {
            (heard(&app, FAULT) == once(0..5)).then_some(())
        })
        .await;
        app.quiet().await;
        assert_eq!(heard(&app, FAULT), once(0..5));
        assert_eq!(heard(&app, OVER), BTreeMap::new());

        assert!(
            store
                .close_incident(id, "a test", "works", app.clock.now())
                .await
                .expect("closes")
        );
        assert!(
            !store
                .close_incident(id, "a test", "works", app.clock.now())
                .await
                .expect("harmless")
        );
        eventually("those told hear of its end", async || {
            (heard(&app, OVER) == once(0..5)).then_some(())
        })
        .await;
        app.stop_service().await;
        app.start_service();
        app.quiet().await;
        assert_eq!(heard(&app, OVER), once(0..5), "nobody else, nobody twice");
        assert_eq!(heard(&app, FAULT), once(0..5));
        each_hears_what_holds(&app, round).await;
    })
    .await;
}

async fn each_hears_what_holds(app: &TestApp, round: RoundId) {
    let windows = app.windows(round).await;
    for (n, said) in (0..5).map(|n| (n, app.to_phone(&phone(n)).last().expect("told").text.clone())) {
        let (_, window) = &windows[n as usize];
        let holds = window.ends_at > app.clock.now();
        assert_eq!(said.contains(&hours(window)), holds, "{said}");
        assert_eq!(said.contains("时段已过"), !holds, "{said}");
    }
}

/// Flows on a store of their own, without a service.
struct Flows {
    store: Store,
    clock: Clock,
    teller: Teller,
    releaser: Releaser,
}

impl Flows {
    fn on(store: &Store, clock: Clock) -> Self {
        let (texts, config) = (Texts::load().expect("whole"), Config::default());
        let written = tokio::sync::watch::channel(0).0;
        Self {
            store: store.clone(),
            clock: clock.clone(),
            teller: Teller {
                store: store.clone(),
                clock: clock.clone(),
                texts: texts.clone(),
                config: config.clone(),
                written: written.clone(),
            },
            releaser: Releaser {
                store: store.clone(),
                clock,
                texts,
                config,
                written,
                audience_seen: Arc::default(),
                incidents_seen: Default::default(),
            },
        }
    }

    async fn tell(&self) {
        while self.teller.step().await.expect("steps") != teller::Step::Watching {}
    }

    /// Keys and states of all deliveries whose key begins so.
    async fn states(&self, start: &str) -> BTreeMap<String, String> {
        let all = self
            .store
            .deliveries(&DeliveryFilter::default(), 1000)
            .await
            .expect("reads");
        all.into_iter()
            .filter(|delivery| delivery.key.starts_with(start))
            .map(|delivery| (delivery.key, delivery.state))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_not_left_is_withdrawn_and_releases_wait_where_it_is() {
    on_both(async |test| {
        let store = &test.store;
        let (round, units) = small_round(store).await;
        let flows = Flows::on(store, Clock::manual(evening()));
        // Phone 1 has homes in both units: 19:00 and 20:00; phone 2 in the first alone.
        while flows.releaser.step().await.expect("steps") > 0 {}
        flows.clock.advance(minutes(30));
        flows.releaser.step().await.expect("reminds");
        assert_eq!(flows.states("window:").await.len(), 2);
        assert_eq!(flows.states("reminder:").await.len(), 2);
        let community = store.communities().await.expect("reads")[0].0;
        elsewhere_concerns_nobody(&flows).await;
        let (near, now) = (minutes(60), flows.clock.now());
        let here = NewIncident {
            scope: IncidentScope {
                sites: Vec::new(),
                communities: vec![community],
            },
            ..everywhere("here")
        };
        let (id, _) = store.open_incident(&here, now + near, now).await.expect("opens");
        assert_eq!(
            store.open_incidents().await.expect("reads").len(),
            2,
            "one for each scope"
        );
        flows.tell().await;
        let told = flows.states("incident:").await;
        assert_eq!(
            told.values().filter(|state| *state == "queued").count(),
            2,
            "{told:?}"
        );
        let states = flows.states("reminder:").await;
        assert!(states.values().all(|state| state == "cancelled"), "{states:?}");
        // Both windows are within two hours, so both notices speak of nothing that is sure.
        let states = flows.states("window:").await;
        assert!(states.values().all(|state| state == "cancelled"), "{states:?}");
        flows.clock.advance(minutes(60));
        assert_eq!(
            flows.releaser.step().await.expect("steps"),
            0,
            "no reminder while it is open"
        );
        assert_eq!(
            store
                .units_to_remind(round, evening() + minutes(600), 9)
                .await
                .expect("reads"),
            []
        );

        one_correction_is_enough(&flows, id, units[0]).await;
    })
    .await;
}

async fn one_correction_is_enough(flows: &Flows, id: IncidentId, unit: UnitId) {
    let store = &flows.store;
    // One of the two hears a correction of the round's own: that is enough.
    let contact = flows.store.audience(&[unit]).await.expect("reads")[0].contact;
    let mut correction = crate::support::delivery("correction:1", contact, NoticeKind::Correction);
    correction.expires_at = evening() + minutes(600);
    store
        .enqueue(&[correction], flows.clock.now())
        .await
        .expect("writes");
    let closed = store.close_incident(id, "a test", "", flows.clock.now()).await;
    assert!(closed.expect("closes"));
    flows.tell().await;
    assert_eq!(flows.states("incident-over:").await.len(), 1);
    let told = flows.states("incident:").await;
    assert!(
        told.values().all(|state| state == "cancelled"),
        "they had not left: {told:?}"
    );
    let counts = store.count_incident_windows(id).await.expect("reads");
    assert_eq!((counts.windows, counts.told, counts.moved), (2, 2, 0));
}

async fn elsewhere_concerns_nobody(flows: &Flows) {
    let (store, near) = (&flows.store, minutes(60));
    let elsewhere = NewIncident {
        scope: IncidentScope {
            sites: vec![SiteId(99)],
            communities: vec![CommunityId(99)],
        },
        ..everywhere("elsewhere")
    };

    let now = flows.clock.now();
    let (other, _) = store
        .open_incident(&elsewhere, now + near, now)
        .await
        .expect("opens");
    flows.tell().await;
    assert_eq!(flows.states("incident:").await.len(), 0, "nobody lives there");
    assert!(
        store
            .incident(other)
            .await
            .expect("reads")
            .is_some_and(|it| !it.scope.is_everywhere())
    );
}

const NAME: &str = "欧阳暮雪";
const PEOPLE: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,欧阳暮雪,+8619900000001,zh-Hans,student\n\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,<script>alert(1)</script>,+8619900000002,zh-Hans,limited_mobility\n\
锦江区,春熙街道,梧桐社区,1栋,1单元,102,\"=HYPERLINK(\"\"x\"\")\",+8619900000003,zh-Hans,\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,阁楼Z97,司徒小满,+8619900000004,zh-Hans,elderly\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,103,无电话,,zh-Hans,\n";

/// A city whose windows are running, its configuration with a registration system, and an open incident.
async fn on_paper(url: &str) -> (TestApp, std::path::PathBuf) {
    let app = TestApp::set(sqlite().await, Clock::System, |_| {}).await;
    let folder = write_config(&app);
    let config = std::fs::read_to_string(folder.join("weir.toml")).expect("reads");
    app.write(
        "weir.toml",
        &format!("{config}[registration]\nurl = {url:?}\n[incidents]\ndrain_per_second = 50\n"),
    );
    app.write("roster.csv", &format!("{ROSTER_HEAD}{PEOPLE}"));
    app.write("sites.csv", SITES);
    json_of(&folder, &["import", "roster.csv", "--sites", "sites.csv"]).await;
    let store = app.store();
    let site = store.sites().await.expect("reads")[0].id;
    let now = app.clock.now();
    let units = store.units_with_people(&[]).await.expect("reads");
    let windows = units
        .iter()
        .map(|unit| Window {
            unit: unit.unit,
            site,
            starts_at: now - minutes(2),
            ends_at: now + minutes(30),
            people: unit.people,
            over_capacity: false,
            green: None,
        })
        .collect();
    let round = NewRound {
        spec: "{}".into(),
        summary: "{}".into(),
        windows,
    };
    let round = store.create_round(&round, now).await.expect("creates");
    app.release_at_once(round).await;
    // They are told, if late.
    while Flows::on(store, app.clock.clone())
        .releaser
        .step()
        .await
        .expect("steps")
        > 0
    {}
    (app, folder)
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

/// Ticks the rows of a table whose name is among these.
fn ticked(table: &str, names: &[&str]) -> String {
    let mut rows = table.lines();
    let mut text = format!("{}\n", rows.next().expect("a header"));
    for row in rows {
        let tick = names.iter().any(|name| row.contains(name));
        let mut cells: Vec<&str> = row.splitn(5, ',').collect();
        if tick {
            (cells[2], cells[3]) = ("√", "17:20");
        }
        text += &format!("{}\n", cells.join(","));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn sheets_are_printed_come_back_once_and_reach_the_registration_system() {
    let stop = CancellationToken::new();
    let options = SimOptions::reference(100.0, Clock::System);
    let sim = RegistrationSim::start(HERE, options, stop.clone())
        .await
        .expect("listens");
    let (app, folder) = on_paper(&sim.url()).await;
    let opened = json_of(&folder, &["incident", "open", "--reason", "数据库过载"]).await;
    assert_eq!(
        (&opened["new"], &opened["windows"], &opened["people"]),
        (&json!(true), &json!(2), &json!(5))
    );
    let again = json_of(&folder, &["incident", "open", "--reason", "twice"]).await;
    assert_eq!(
        (&again["incident"], &again["new"]),
        (&opened["incident"], &json!(false))
    );

    let sheets = json_of(&folder, &["incident", "sheets", "1", "--out", "paper"]).await;
    let site = &sheets["sites"][0];
    assert_eq!(
        (&site["people"], &site["units"]),
        (&json!(5), &json!(2)),
        "{sheets}"
    );
    let page = folder.join(site["page"].as_str().expect("a file"));
    let table = folder.join(site["table"].as_str().expect("a file"));
    assert_eq!(
        (mode(&page), mode(&table), mode(&folder.join("paper"))),
        (0o600, 0o600, 0o700)
    );
    let html = std::fs::read_to_string(&page).expect("reads");
    assert!(
        !html.contains("<script") && html.contains("&#60;script&#62;"),
        "escaped"
    );
    assert!(html.contains("绿色通道") && html.contains("199****0001") && html.contains("<svg"));
    for hidden in ["19900000001", "student", "elderly", "limited_mobility"] {
        assert!(!html.contains(hidden), "{hidden} stays in the office");
    }
    let text = std::fs::read_to_string(&table).expect("reads");
    assert!(text.contains("'=HYPERLINK"), "no formula: {text}");

    comes_back_once(&folder, &text).await;
    let serving = Serving::start(&folder, &["--log", "trace"]);
    serving.in_state("active").await;
    eventually("all are passed on", async || {
        let drained = json_of(&folder, &["incident", "drain", "1"]).await;
        (drained["sheets"] == json!({ "waiting": 0, "sent": 0, "registered": 3, "refused": 1 })).then_some(())
    })
    .await;
    assert_eq!(sim.status()["registered"], json!(3));
    after_the_fault(&app, &folder).await;
    serving.terminate().await;
    nothing_personal(&folder);
    stop.cancel();
}

/// Filled in, with rows that nobody should take, in the encoding of the office; twice.
async fn comes_back_once(folder: &Path, text: &str) {
    let filled = ticked(text, &["<script>", "HYPERLINK", "司徒小满", "无电话"]);
    let hostile =
        "9,QQQQ-Q,√,,,,,,,\n9,,√,,,,,,,\n9,1111-1,maybe,,,,,,,\n9,\"open,√\n9,=cmd|' /C calc'!A0,√,,,,,,,\n";
    let filled = format!("{}{hostile}", filled.trim_start_matches('\u{feff}'));
    let bytes = encoding_rs::GB18030.encode(&filled).0;
    std::fs::write(folder.join("back.csv"), &bytes).expect("written");
    let back = json_of(folder, &["incident", "return", "1", "back.csv"]).await;
    let returned = &back["returned"];
    assert_eq!(
        (&returned["added"], &returned["unticked"]),
        (&json!(4), &json!(1)),
        "{back}"
    );
    assert_eq!(returned["refused"].as_array().map(Vec::len), Some(5), "{back}");
    assert_eq!(returned["refused"][0]["line"], json!(7), "{back}");
    let twice = json_of(folder, &["incident", "return", "1", "back.csv"]).await;
    assert_eq!(
        (&twice["returned"]["added"], &twice["returned"]["known"]),
        (&json!(0), &json!(4))
    );
}

/// Closing, the letters, and the report.
async fn after_the_fault(app: &TestApp, folder: &Path) {
    let minute = LoadMinute {
        minute: app.clock.now(),
        utilisation: 1.0,
        queue_seconds: 9.5,
        error_rate: 0.4,
        completed_per_second: 3.0,
        mode: "paused".into(),
    };
    app.store().record_load(&minute).await.expect("kept");
    let missed = json_of(folder, &["incident", "missed", "1", "--out", "letters.csv"]).await;
    assert_eq!(
        (&missed["people"], &missed["students"]),
        (&json!(2), &json!(1)),
        "{missed}"
    );
    let letters = std::fs::read_to_string(folder.join("letters.csv")).expect("reads");
    let first = letters.lines().nth(1).expect("a row");
    assert!(
        first.starts_with("student,") && first.contains(NAME),
        "students first: {letters}"
    );
    assert_eq!(mode(&folder.join("letters.csv")), 0o600);
    std::fs::remove_file(folder.join("letters.csv")).expect("removed");
    let shown = run(folder, &["incident", "missed", "1"]).await;
    assert!(
        !out(&shown).contains(NAME) && out(&shown).contains("欧**"),
        "{}",
        out(&shown)
    );

    json_of(folder, &["incident", "update", "1", "--note", "新服务器已就位"]).await;
    let closed = json_of(folder, &["incident", "close", "1", "--note", "恢复"]).await;
    assert_eq!(closed["closed"], json!(true));
    eventually("those told hear of its end", async || {
        let told = app.smsc.submitted();
        let over: BTreeSet<&String> = told
            .iter()
            .filter(|sent| sent.text.contains(OVER))
            .map(|sent| &sent.to)
            .collect();
        (over.len() == 4).then_some(())
    })
    .await;
    let report = eventually("every notice is on its phone", async || {
        let report = json_of(folder, &["incident", "report", "1", "--svg", "load.svg"]).await;
        (report["delivered"]["count"] == json!(4)).then_some(report)
    })
    .await;
    assert_eq!(report["taken"]["count"], json!(4), "{report}");
    assert_eq!(
        report["load"][0]["utilisation"],
        json!(1.0),
        "the worst of the minute"
    );
    assert!(report["modes"][0]["mode"].is_string(), "{report}");
    assert_eq!(report["log"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["sheets"]["registered"], json!(3));
    assert!(
        std::fs::read_to_string(folder.join("load.svg"))
            .expect("reads")
            .contains("<svg")
    );
    let words = out(&run(folder, &["incident", "report", "1"]).await);
    assert!(
        words.contains("新服务器已就位") && words.contains("of the incident"),
        "{words}"
    );
    let list = json_of(folder, &["incident", "list"]).await;
    assert_eq!(list["incidents"][0]["open"], json!(false));
}

/// Names, phones, doors and what the staff wrote are in no file that Weir keeps.
fn nothing_personal(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !name.starts_with("weir.db") && name != "serve.log" {
            continue;
        }
        let bytes = std::fs::read(&path).expect("reads");
        for secret in [
            NAME,
            "司徒小满",
            "19900000001",
            "阁楼Z97",
            "数据库过载",
            "新服务器已就位",
            FAULT,
        ] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_what_is_wrong() {
    let (_app, folder) = on_paper("http://127.0.0.1:9").await;
    let long = "长".repeat(61);
    for (args, said) in [
        (
            vec!["open", "--reason", " "],
            "--reason: write 1 to 500 characters",
        ),
        (
            vec!["open", "--reason", "x", "--site", "无此点"],
            "there is no site",
        ),
        (
            vec!["open", "--reason", "x", "--community", "无此社区"],
            "there is no community",
        ),
        (
            vec!["open", "--reason", "x", "--message-zh", &long],
            "--message-zh: write 1 to 60 characters",
        ),
        (
            vec!["open", "--reason", "x", "--message-zh", "有热水"],
            "the words were not confirmed",
        ),
        (vec!["show", "7"], "there is no incident 7"),
        (vec!["close", "7"], "there is no incident 7"),
        (vec!["report", "7"], "there is no incident 7"),
        (vec!["return", "7", "back.csv"], "there is no incident 7"),
    ] {
        let output = run(&folder, &[vec!["incident"], args.clone()].concat()).await;
        assert!(!output.status.success(), "{args:?}");
        assert!(err(&output).contains(said), "{args:?}: {}", err(&output));
    }
    assert_eq!(
        json_of(&folder, &["incident", "list"]).await,
        json!({ "incidents": [] })
    );
    let opened = [
        "incident",
        "open",
        "--reason",
        "x",
        "--community",
        "春熙街道/梧桐社区",
        "--message-zh",
        "有热水",
        "--yes",
    ];
    assert!(
        json_of(&folder, &opened).await["notice"]
            .as_str()
            .is_some_and(|said| said.contains("有热水"))
    );
    for (args, said) in [
        (
            vec!["sheets", "1", "--from", "teatime"],
            "write a time such as 14:00",
        ),
        (
            vec!["sheets", "1", "--from", "15:00", "--to", "14:00"],
            "--to must be later than --from",
        ),
        (vec!["return", "1", "roster.csv"], "code"),
        (vec!["return", "1", "missing.csv"], "there is no such file"),
    ] {
        let output = run(&folder, &[vec!["incident"], args.clone()].concat()).await;
        assert!(!output.status.success(), "{args:?}");
        assert!(err(&output).contains(said), "{args:?}: {}", err(&output));
    }
}

/// A registration system that answers as it is told, and notes what it has registered under which key.
#[derive(Clone, Default)]
struct Moody {
    answers: Arc<Mutex<Vec<StatusCode>>>,
    asked: Arc<Mutex<Vec<String>>>,
    registered: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Moody {
    async fn listen(&self, address: SocketAddr, stop: CancellationToken) -> SocketAddr {
        let moody = self.clone();
        let register = move |headers: axum::http::HeaderMap, axum::Json(body): axum::Json<Value>| {
            let moody = moody.clone();
            async move { moody.answer(&headers, body) }
        };
        let router = Router::new().route("/v1/registrations", post(register));
        let listener = tokio::net::TcpListener::bind(address).await.expect("listens");
        let address = listener.local_addr().expect("an address");
        #[expect(clippy::disallowed_methods, reason = "it ends with its token")]
        tokio::spawn(async move {
            let ended = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            ended.await.expect("serves");
        });
        address
    }

    fn answer(&self, headers: &axum::http::HeaderMap, body: Value) -> axum::response::Response {
        let key = headers["idempotency-key"].to_str().expect("text").to_owned();
        self.asked.lock().expect("whole").push(key.clone());
        let status = self
            .answers
            .lock()
            .expect("whole")
            .pop()
            .unwrap_or(StatusCode::CREATED);
        if status == StatusCode::CREATED || status == StatusCode::BAD_GATEWAY {
            // A gateway may lose the answer to what was done.
            self.registered.lock().expect("whole").insert(key, body);
        }
        (status, [("retry-after", "7")], "{}").into_response()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_paper_is_passed_on_once_whatever_the_registration_system_does() {
    on_both(async |test| {
        let store = &test.store;
        small_round(store).await;
        let clock = Clock::manual(evening() + minutes(30));
        let (id, _) = store
            .open_incident(&everywhere("x"), clock.now() + minutes(120), clock.now())
            .await
            .expect("opens");
        let units = store.units_with_people(&[]).await.expect("reads");
        let units: Vec<_> = units.iter().map(|unit| unit.unit).collect();
        let people = store.people_of(&units).await.expect("reads");
        let rows: Vec<_> = people
            .iter()
            .filter(|person| person.phone.is_some())
            .map(|person| (person.resident, Some("17:20".to_owned())))
            .collect();
        assert_eq!(rows.len(), 4);
        store.return_sheets(id, &rows, clock.now()).await.expect("stored");

        let moody = Moody::default();
        let stop = CancellationToken::new();
        let address = moody.listen(HERE, stop.clone()).await;
        let drain = drain_to(store, &clock, address);
        *moody.answers.lock().expect("whole") = vec![
            StatusCode::CREATED,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::UNAUTHORIZED,
        ];
        assert_eq!(drain.step().await.expect("steps"), drain::Step::Sent(4));
        assert_eq!(registered(store, id).await, 1);
        assert_eq!(
            drain.step().await.expect("steps"),
            drain::Step::Busy,
            "it asked to be left alone"
        );
        stop.cancel();

        // It is away for a while; then it is back.
        for _ in 0..3 {
            clock.advance(minutes(2));
            let away = drain_to(store, &clock, SocketAddr::from(([127, 0, 0, 1], 9)));
            away.step().await.expect("steps");
            assert_eq!(registered(store, id).await, 1);
        }
        clock.advance(minutes(2));
        // The process died while it was asking.
        assert_eq!(store.claim_manual(1, clock.now()).await.expect("claims").len(), 1);
        assert_eq!(store.recover_manual(clock.now()).await.expect("recovers"), 1);
        let stop = CancellationToken::new();
        let address = moody.listen(HERE, stop.clone()).await;
        let drain = drain_to(store, &clock, address);
        paused_by_the_law(store, &clock, &drain).await;
        assert!(matches!(drain.step().await.expect("steps"), drain::Step::Sent(3)));
        assert_eq!(registered(store, id).await, 4);
        assert_eq!(drain.step().await.expect("steps"), drain::Step::Idle);
        let keys: BTreeSet<String> = moody.asked.lock().expect("whole").iter().cloned().collect();
        assert_eq!(
            (keys.len(), moody.registered.lock().expect("whole").len()),
            (4, 4),
            "one key each"
        );
        assert!(
            moody
                .registered
                .lock()
                .expect("whole")
                .values()
                .all(|body| body["source"] == json!("sheet"))
        );
        stop.cancel();
    })
    .await;
}

async fn paused_by_the_law(store: &Store, clock: &Clock, drain: &Drain) {
    let mut minute = LoadMinute {
        minute: clock.now(),
        utilisation: 0.2,
        queue_seconds: 0.0,
        error_rate: 0.0,
        completed_per_second: 1.0,
        mode: "paused".into(),
    };
    store.record_load(&minute).await.expect("kept");
    assert_eq!(drain.step().await.expect("steps"), drain::Step::Busy);
    minute.mode = "steady".into();
    store.record_load(&minute).await.expect("kept");
}

async fn registered(store: &Store, id: IncidentId) -> i64 {
    let counts = store.count_manual(id).await.expect("reads");
    counts
        .iter()
        .find(|(state, _)| state == "registered")
        .map_or(0, |(_, count)| *count)
}

fn drain_to(store: &Store, clock: &Clock, address: SocketAddr) -> Drain {
    let registration = RegistrationConfig {
        url: Some(format!("http://{address}")),
        ..RegistrationConfig::default()
    };
    Drain {
        store: store.clone(),
        clock: clock.clone(),
        config: Config::default(),
        client: RegistrationClient::new(&registration)
            .expect("good settings")
            .expect("an address"),
        alone_until: Arc::default(),
    }
}
