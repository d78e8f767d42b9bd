//! What happens on paper while nobody can be registered: sheets are printed, come back, and reach the registration
//! system once; whom it kept from their test; the report.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::post};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use weir::{
    clock::Clock,
    config::{Config, RegistrationConfig},
    domain::{IncidentId, Window},
    incidents::drain::{self, Drain},
    registration::{
        RegistrationClient,
        simulator::{RegistrationSim, SimOptions},
    },
    store::{LoadMinute, NewRound, Store},
};

use crate::{
    app::{ROSTER_HEAD, SITES, TestApp, eventually},
    binary::{Serving, err, json as json_of, out, run, write_config},
    incidents::{FAULT, Flows, OVER, everywhere},
    round::many,
    store::small_round,
    support::{TestStore, evening, minutes, on_both, sqlite},
};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const NAME: &str = "欧阳暮雪";
const PEOPLE: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,欧阳暮雪,+8619900000001,zh-Hans,student\n\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,<script>alert(1)</script>,+8619900000002,zh-Hans,limited_mobility\n\
锦江区,春熙街道,梧桐社区,1栋,1单元,102,\"=HYPERLINK(\"\"x\"\")\",+8619900000003,zh-Hans,\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,阁楼Z97,司徒小满,+8619900000004,zh-Hans,elderly\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,103,无电话,,zh-Hans,\n";

/// A city whose windows are running, its configuration with a registration system, and an open incident.
async fn on_paper(test: TestStore, url: &str, people: &str) -> (TestApp, std::path::PathBuf) {
    let app = TestApp::set(test, Clock::System, |_| {}).await;
    let folder = write_config(&app);
    let config = std::fs::read_to_string(folder.join("weir.toml")).expect("reads");
    app.write(
        "weir.toml",
        &format!("{config}[registration]\nurl = {url:?}\n[incidents]\ndrain_per_second = 50\n"),
    );
    app.write("roster.csv", &format!("{ROSTER_HEAD}{people}"));
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
    on_both(async |test| from_paper_to_the_system(test).await).await;
}

async fn from_paper_to_the_system(world: TestStore) {
    let stop = CancellationToken::new();
    let options = SimOptions::reference(100.0, Clock::System);
    let sim = RegistrationSim::start(HERE, options, stop.clone())
        .await
        .expect("listens");
    let (app, folder) = on_paper(world, &sim.url(), PEOPLE).await;
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
    let drained = json_of(&folder, &["incident", "drain", "1"]).await;
    let code = drained["refused"][0]["code"].as_str().expect("a code");
    assert!(
        text.contains(code) && drained["refused"][0]["reason"].is_string(),
        "{drained}"
    );
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

/// The list for the letters: students first, masked but where somebody asks for the names.
async fn whom_it_kept(folder: &Path) {
    let missed = json_of(folder, &["incident", "missed", "1", "--out", "letters.csv"]).await;
    assert_eq!(
        (&missed["people"], &missed["students"]),
        (&json!(2), &json!(1)),
        "{missed}"
    );
    let list = missed["missed"].as_array().expect("a list");
    assert_eq!(
        (list.len(), &list[0]["student"]),
        (2, &json!(true)),
        "students first: {missed}"
    );
    assert_eq!(
        (&list[0]["name"], &list[0]["phone"], &list[0]["door"]),
        (&json!("欧**"), &json!("+86199****0001"), &json!("")),
        "masked"
    );
    assert!(list[0]["window_starts_at"].is_string() && list[0]["unit"]["building"] == json!("1栋"));
    let whole = json_of(folder, &["incident", "missed", "1", "--students", "--names"]).await;
    assert_eq!(
        (
            whole["missed"].as_array().map(Vec::len),
            &whole["missed"][0]["name"]
        ),
        (Some(1), &json!(NAME))
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
}

/// The letters, closing, and the report.
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
    whom_it_kept(folder).await;

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
    let (_app, folder) = on_paper(sqlite().await, "http://127.0.0.1:9", PEOPLE).await;
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
    /// How long its answers take.
    slow: Arc<Mutex<Duration>>,
    /// What it had already when it was asked again.
    known: Arc<Mutex<Vec<String>>>,
    registered: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Moody {
    async fn listen(&self, address: SocketAddr, stop: CancellationToken) -> SocketAddr {
        let moody = self.clone();
        let register = move |headers: axum::http::HeaderMap, axum::Json(body): axum::Json<Value>| {
            let moody = moody.clone();
            async move {
                let answer = moody.answer(&headers, body);
                let slow = *moody.slow.lock().expect("whole");
                tokio::time::sleep(slow).await;
                answer
            }
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
            let before = self.registered.lock().expect("whole").insert(key.clone(), body);
            if before.is_some() {
                self.known.lock().expect("whole").push(key);
                return (StatusCode::OK, "{}").into_response();
            }
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

/// Killed while half of them are being asked for: the next process asks again, and the key makes that harmless.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_the_drain_nobody_is_registered_twice_and_nobody_forgotten() {
    on_both(async |test| {
        let moody = Moody::default();
        let stop = CancellationToken::new();
        let address = moody.listen(HERE, stop.clone()).await;
        let (app, folder) = on_paper(test, &format!("http://{address}"), &many(60)).await;
        json_of(&folder, &["incident", "open", "--reason", "x"]).await;
        let sheets = json_of(&folder, &["incident", "sheets", "1"]).await;
        let table = folder.join(sheets["sites"][0]["table"].as_str().expect("a file"));
        let text = std::fs::read_to_string(&table).expect("reads");
        app.write("back.csv", &ticked(&text, &["居民"]));
        let back = json_of(&folder, &["incident", "return", "1", "back.csv"]).await;
        assert_eq!(back["returned"]["added"], json!(60), "{back}");

        *moody.slow.lock().expect("whole") = Duration::from_secs(1);
        let serving = Serving::start(&folder, &[]);
        eventually("some are on their way", async || {
            (moody.registered.lock().expect("whole").len() >= 20).then_some(())
        })
        .await;
        serving.kill(&app).await;
        let drained = json_of(&folder, &["incident", "drain", "1"]).await;
        assert!(
            drained["sheets"]["sent"].as_i64() >= Some(20),
            "their answers were lost: {drained}"
        );
        *moody.slow.lock().expect("whole") = Duration::ZERO;
        let serving = Serving::start(&folder, &[]);
        eventually("all are passed on", async || {
            let drained = json_of(&folder, &["incident", "drain", "1"]).await;
            (drained["sheets"]["registered"] == json!(60)).then_some(())
        })
        .await;
        serving.terminate().await;
        assert_eq!(moody.registered.lock().expect("whole").len(), 60, "one key each");
        assert!(
            moody.known.lock().expect("whole").len() >= 20,
            "these were there: 200"
        );
        assert_eq!(
            moody.asked.lock().expect("whole").len(),
            60 + moody.known.lock().expect("whole").len()
        );
        stop.cancel();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_asks_to_wait_is_left_alone_so_long_and_no_longer() {
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
        let rows: Vec<_> = people.iter().map(|person| (person.resident, None)).collect();
        store.return_sheets(id, &rows, clock.now()).await.expect("stored");
        let moody = Moody::default();
        *moody.answers.lock().expect("whole") = vec![StatusCode::TOO_MANY_REQUESTS; 4];
        let stop = CancellationToken::new();
        let drain = drain_to(store, &clock, moody.listen(HERE, stop.clone()).await);
        // The fifth has no phone: no system knows whom it would be about.
        assert_eq!(drain.step().await.expect("steps"), drain::Step::Sent(5));
        let asked = || moody.asked.lock().expect("whole").len();
        assert_eq!((asked(), registered(store, id).await), (4, 0));
        clock.advance(TimeDelta::milliseconds(6_900));
        assert_eq!(drain.step().await.expect("steps"), drain::Step::Busy);
        assert_eq!(asked(), 4);
        clock.advance(TimeDelta::milliseconds(200));
        assert_eq!(drain.step().await.expect("steps"), drain::Step::Sent(4));
        assert_eq!(registered(store, id).await, 4);
        assert_eq!(drain.step().await.expect("steps"), drain::Step::Idle);
        stop.cancel();
    })
    .await;
}

/// Bad rows are refused with their line and the reason, whatever they are made of, and spoil no other.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_tables_cost_only_their_damaged_rows() {
    let (app, folder) = on_paper(sqlite().await, "http://127.0.0.1:9", PEOPLE).await;
    json_of(&folder, &["incident", "open", "--reason", "x"]).await;
    let sheets = json_of(&folder, &["incident", "sheets", "1"]).await;
    let table = folder.join(sheets["sites"][0]["table"].as_str().expect("a file"));
    let text = std::fs::read_to_string(&table).expect("reads");
    let text = ticked(text.trim_start_matches('\u{feff}'), &["<script>", "司徒小满"]);

    // As an office saves it, with a line of 4 MB, bytes that are no text, and another table's rows below.
    let mut bytes = encoding_rs::GB18030.encode(&text).0.into_owned();
    bytes.extend(std::iter::repeat_n(b'x', 4 << 20));
    bytes.extend(b"\n9,11,\xff\xff\xff,,,,,,,\n");
    bytes.extend(
        &encoding_rs::GB18030
            .encode("锦江区,春熙街道,梧桐社区\n9,<b>&amp;\"</b>,√,,,,,,,\n")
            .0[..],
    );
    std::fs::write(folder.join("back.csv"), &bytes).expect("written");
    let back = json_of(&folder, &["incident", "return", "1", "back.csv"]).await;
    let returned = &back["returned"];
    assert_eq!(returned["added"], json!(2), "{back}");
    let refused: Vec<(u64, &str)> = returned["refused"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            (
                row["line"].as_u64().expect("a line"),
                row["reason"].as_str().expect("a reason"),
            )
        })
        .collect();
    let expected = [
        (7, "longer than 64 KiB"),
        (8, "damaged"),
        (9, "as many as the header"),
        (10, ""),
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    for ((line, reason), (expected_line, part)) in refused.iter().zip(expected) {
        assert!(*line == expected_line && reason.contains(part), "{refused:?}");
    }
    let said = out(&run(&folder, &["incident", "return", "1", "back.csv"]).await);
    assert!(said.contains("line 8, "), "{said}");

    // A file that is no table at all.
    let garbage: Vec<u8> = (0..4u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    std::fs::write(folder.join("garbage.csv"), garbage).expect("written");
    let refused = run(&folder, &["incident", "return", "1", "garbage.csv"]).await;
    assert!(!refused.status.success());
    let said = err(&refused);
    assert!(
        said.contains("garbage.csv") && said.len() < 2_000,
        "{} bytes",
        said.len()
    );
    let drained = json_of(&folder, &["incident", "drain", "1"]).await;
    assert_eq!(drained["sheets"]["waiting"], json!(2), "{drained}");
    drop(app);
}
