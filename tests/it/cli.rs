//! Every command, as an operator meets it: its answers, and above all its refusals.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use weir::clock::Clock;

use crate::{
    app::{ROSTER_HEAD, SITES, TestApp, eventually},
    binary::{Serving, err, free_port, json, out, run, weir, write_config},
    round::many,
    support::{on_both, sqlite},
};

const GOOD: &str = "锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,elderly\n";
const BAD: &str = "锦江区,春熙街道,梧桐社区,1栋,,102,王伟,+8619900000002,zh-Hans,\n";

struct Desk {
    folder: TempDir,
}

impl Desk {
    /// A folder with a roster of one good and one bad row, and sites.
    fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        desk.write("roster.csv", format!("{ROSTER_HEAD}{GOOD}{BAD}"));
        desk.write("sites.csv", SITES);
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// What a command says when it refuses; it says nothing on standard output then.
    async fn refused(&self, args: &[&str]) -> String {
        let output = run(self.path(), args).await;
        assert!(!output.status.success(), "{args:?} must fail: {}", out(&output));
        assert!(
            out(&output).is_empty(),
            "{args:?} says nothing on standard output: {}",
            out(&output)
        );
        let said = err(&output);
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    async fn import(&self) -> Value {
        json(self.path(), &["import", "roster.csv", "--sites", "sites.csv"]).await
    }

    async fn plan(&self) -> Value {
        let date = tomorrow();
        json(
            self.path(),
            &[
                "round", "plan", "--date", &date, "--from", "08:00", "--to", "12:00",
            ],
        )
        .await
    }
}

fn tomorrow() -> String {
    let now = Clock::System.now().with_timezone(&chrono_tz::Asia::Shanghai);
    now.date_naive().succ_opt().expect("a day").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_roster_is_refused_by_name_and_changes_nothing() {
    let desk = Desk::new();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0";
    std::fs::create_dir(desk.path().join("folder")).expect("made");
    desk.write("empty.csv", "");
    desk.write("picture.csv", png);
    desk.write("picture.png", png);
    desk.write("picture.xlsx", png);
    desk.write("column.csv", format!("shoe_size,{ROSTER_HEAD}43,{GOOD}"));
    desk.write(
        "missing.csv",
        "district,street,community\n锦江区,春熙街道,梧桐社区\n",
    );
    for (file, word) in [
        ("nowhere.csv", "nowhere.csv"),
        ("folder", "folder"),
        ("empty.csv", "empty"),
        ("picture.csv", "picture.csv"),
        ("picture.png", "picture.png"),
        ("picture.xlsx", "picture.xlsx"),
        ("column.csv", "shoe_size"),
        ("missing.csv", "building"),
        ("sites.csv", "sites.csv"),
    ] {
        let said = desk.refused(&["import", file, "--sites", "sites.csv"]).await;
        assert!(said.contains(word), "{file}: {said}");
        if file != "sites.csv" {
            let said = desk.refused(&["import", "roster.csv", "--sites", file]).await;
            assert!(said.contains(file), "{file} as sites: {said}");
        }
    }
    let said = desk
        .refused(&[
            "round",
            "plan",
            "--date",
            &tomorrow(),
            "--from",
            "08:00",
            "--to",
            "12:00",
        ])
        .await;
    assert!(
        said.contains("nobody is on the roster"),
        "nothing was half imported: {said}"
    );
    let said = desk.refused(&["import"]).await;
    assert!(said.contains("name a roster"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_cannot_be_says_why() {
    let desk = Desk::new();
    for args in [
        ["round", "show", "77"].as_slice(),
        &["round", "status", "77"],
        &["round", "pause", "77"],
        &["round", "resume", "77"],
        &["round", "cancel", "77"],
        &["deliveries", "77"],
    ] {
        let said = desk.refused(args).await;
        assert!(said.contains("77"), "{args:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_says_why_and_leaves_no_draft() {
    let desk = Desk::new();
    desk.import().await;
    let date = tomorrow();
    // Each differs from a plan that is in order by this alone.
    let plan = format!("round plan --date {date} --from 08:00 --to 12:00");
    for (change, word) in [
        ("--date 2020-01-01 --until 2020-01-02", "over before now"),
        ("--from 13:00", "--from"),
        ("--from noon", "08:00"),
        ("--community 无此社区", "无此社区"),
        ("--city-cap 0", "--city-cap"),
        ("--until 2020-01-01", "--until"),
        ("--lead soon", "--lead"),
        ("--svg no/such/folder/x.svg", "--svg"),
    ] {
        let args: Vec<&str> = change.split(' ').collect();
        let replaced = |option: &str| args.contains(&option);
        let mut whole: Vec<&str> = Vec::new();
        let words: Vec<&str> = plan.split(' ').collect();
        whole.extend(&words[..2]);
        for pair in words[2..].chunks(2).filter(|pair| !replaced(pair[0])) {
            whole.extend(pair);
        }
        whole.extend(&args);
        let said = desk.refused(&whole).await;
        assert!(said.contains(word), "{change}: {said}");
    }
    let list = json(desk.path(), &["round", "list"]).await;
    assert_eq!(
        list["rounds"],
        Value::Array(Vec::new()),
        "nothing is half planned"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_channel_nothing_is_released_or_sent() {
    let desk = Desk::new();
    desk.import().await;
    // Without a channel nobody could be told.
    let round = desk.plan().await["round"].to_string();
    let said = desk.refused(&["round", "release", &round]).await;
    assert!(said.contains("no channel is configured"), "{said}");
    let said = desk.refused(&["round", "pause", &round]).await;
    assert!(said.contains("draft"), "{said}");
    let said = desk.refused(&["send-test", "+8619900000001"]).await;
    assert!(
        said.contains("[[sms.smpp]]") && !said.contains("19900000001"),
        "{said}"
    );
    let said = desk.refused(&["send-test", "nobody"]).await;
    assert!(said.contains("neither"), "{said}");
    let said = desk.refused(&["invite"]).await;
    assert!(said.contains("--bot"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_cannot_be_written_are_named() {
    let desk = Desk::new();
    desk.import().await;
    for args in [
        ["backup", "no/such/folder/weir.backup"].as_slice(),
        &[
            "invite",
            "--bot",
            "weir_bot",
            "--out",
            "no/such/folder/invite.html",
        ],
        &["key", "create", "no/such/folder/key"],
        &["import", "roster.csv", "--refused", "no/such/folder/refused.csv"],
    ] {
        let said = desk.refused(args).await;
        assert!(said.contains("no/such/folder"), "{args:?}: {said}");
    }
    let said = desk.refused(&["restore", "nowhere.backup", "--yes"]).await;
    assert!(said.contains("nowhere.backup"), "{said}");
    let said = desk.refused(&["restore", "roster.csv", "--yes"]).await;
    assert!(said.contains("not a whole weir backup"), "{said}");
    let said = desk.refused(&["restore", "roster.csv"]).await;
    assert!(said.contains("--yes"), "no terminal, no yes: {said}");
    let said = desk.refused(&["key", "create", "weir.db.key"]).await;
    assert!(said.contains("never overwritten"), "{said}");
    for (url, word) in [
        ("sqlite://no/such/folder/weir.db", "store.url"),
        ("sqlite://roster.csv", "not a weir database"),
        ("postgres://127.0.0.1/weir", "security.data_key_file"),
    ] {
        let output = weir(desk.path(), &["round", "list"])
            .env("WEIR_STORE__URL", url)
            .output()
            .await;
        let output = output.expect("starts");
        assert!(
            !output.status.success() && err(&output).contains(word),
            "{url}: {}",
            err(&output)
        );
    }
    let roster = std::fs::read_to_string(desk.path().join("roster.csv")).expect("is there");
    assert!(roster.starts_with("district,"), "a foreign file is left as it is");
    // The key is gone: said, and no other is made in its place.
    std::fs::rename(desk.path().join("weir.db.key"), desk.path().join("elsewhere")).expect("moved");
    let said = desk.refused(&["round", "list"]).await;
    assert!(said.contains("weir.db.key"), "{said}");
    assert!(!desk.path().join("weir.db.key").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_with_the_configuration_is_said_at_once() {
    let desk = Desk::new();
    desk.write(
        "weir.toml",
        "[telegram]\ntoken = \"short\"\nmessages_per_second = 0\n[city]\nemergency_number = \"\"\ntime_zone = \"Mars/Base\"\n\
         [notices]\nreminder_befor = \"30m\"\n[[jobs]]\nname = \"x\"\ncron = \"every day\"\ntask = \"erase_old\"\n",
    );
    let keys = [
        "telegram.token",
        "telegram.messages_per_second",
        "city.emergency_number",
        "city.time_zone",
        "reminder_befor",
        "jobs[0].cron",
    ];
    for command in [["config", "check"].as_slice(), &["serve"], &["round", "list"]] {
        let said = desk.refused(command).await;
        for key in keys {
            assert!(said.contains(key), "{key} in {command:?}: {said}");
        }
        assert!(said.contains("weir.toml"), "{said}");
    }
    assert!(!desk.path().join("weir.db").exists(), "before anything starts");
    let said = desk
        .refused(&["--config", "nowhere.toml", "config", "check"])
        .await;
    assert!(said.contains("nowhere.toml"), "{said}");
    desk.write("weir.toml", "[sms]\nsender_name = \"梧桐社区\"\n");
    assert_eq!(json(desk.path(), &["config", "check"]).await["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_stops_the_start_with_a_sentence() {
    let desk = Desk::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let output = weir(desk.path(), &["serve"])
        .env("WEIR_HTTP__LISTEN", &address)
        .output()
        .await;
    let output = output.expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let said = err(&output);
    assert!(said.contains("http.listen") && said.contains(&address), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing_and_the_mended_file_closes_the_refusals() {
    let desk = Desk::new();
    let dry = json(
        desk.path(),
        &["import", "roster.csv", "--sites", "sites.csv", "--dry-run"],
    )
    .await;
    assert_eq!(
        (&dry["added"], &dry["refused"], &dry["dry_run"]),
        (&1.into(), &1.into(), &true.into())
    );
    let said = desk
        .refused(&[
            "round",
            "plan",
            "--date",
            &tomorrow(),
            "--from",
            "08:00",
            "--to",
            "12:00",
        ])
        .await;
    assert!(said.contains("nobody is on the roster"), "{said}");

    let report = desk.import().await;
    assert_eq!((&report["added"], &report["sites_added"]), (&1.into(), &2.into()));
    let refusal = &report["refusals"][0];
    assert_eq!(
        (&refusal["file"], &refusal["line"], &refusal["column"]),
        (&"roster.csv".into(), &3.into(), &"unit".into())
    );
    assert!(
        !report.to_string().contains("19900000002"),
        "the report names the place, not the person"
    );
    let round = desk.plan().await["round"].to_string();
    let status = json(desk.path(), &["round", "status", &round]).await;
    assert_eq!(status["not_planned_for"], 1);
    let again = desk.import().await;
    assert_eq!(
        (&again["added"], &again["changed"], &again["unchanged"]),
        (&0.into(), &0.into(), &1.into())
    );
    let status = json(desk.path(), &["round", "status", &round]).await;
    assert_eq!(
        status["not_planned_for"], 1,
        "the same refusal, however often the file is brought"
    );

    let refused = desk.path().join("roster.refused.csv");
    let rows = std::fs::read_to_string(&refused).expect("is there");
    assert!(rows.contains("王伟"), "the row can be mended there");
    std::fs::write(&refused, rows.replace("1栋,,102", "1栋,2单元,102")).expect("mended");
    let mended = json(desk.path(), &["import", "roster.refused.csv"]).await;
    assert_eq!((&mended["added"], &mended["refused"]), (&1.into(), &0.into()));
    let status = json(desk.path(), &["round", "status", &round]).await;
    assert_eq!(status["not_planned_for"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_report_is_one_json_object() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::System, |_| {}).await;
        let folder = write_config(&app);
        let desk = |args: Vec<&'static str>| {
            let folder = folder.clone();
            async move { json(&folder, &args).await }
        };
        app.write("roster.csv", &format!("{ROSTER_HEAD}{}", many(40)));
        app.write("sites.csv", SITES);
        assert_eq!(
            desk(vec!["import", "roster.csv", "--sites", "sites.csv"]).await["added"],
            40
        );
        let date = tomorrow();
        let args = [
            "round",
            "plan",
            "--date",
            &date,
            "--from",
            "08:00",
            "--to",
            "12:00",
            "--city-cap",
            "30",
            "--svg",
            "x.svg",
        ];
        let plan = json(&folder, &args).await;
        assert_eq!((&plan["units"], &plan["people"]), (&40.into(), &40.into()));
        assert!(plan["planned_peak_per_minute"].as_f64() < plan["at_once_peak_per_minute"].as_f64());
        let picture = std::fs::read_to_string(folder.join("x.svg")).expect("a picture");
        assert!(picture.contains("<svg"));
        assert_eq!(desk(vec!["round", "list"]).await["rounds"][0]["state"], "draft");
        let show = desk(vec!["round", "show", "1", "--windows"]).await;
        assert_eq!(show["windows"].as_array().map(Vec::len), Some(40));
        let release = desk(vec!["round", "release", "1"]).await;
        assert_eq!(release["release"]["recipients"], 40);
        assert_eq!(desk(vec!["round", "pause", "1"]).await["state"], "paused");
        assert_eq!(desk(vec!["round", "resume", "1"]).await["state"], "releasing");
        assert_eq!(desk(vec!["round", "status", "1"]).await["units"], 40);
        assert_eq!(desk(vec!["round", "cancel", "1"]).await["state"], "cancelled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_about_the_store_and_the_channels_is_one_json_object() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::System, |_| {}).await;
        let folder = write_config(&app);
        app.import(&many(40)).await;
        let desk = |args: Vec<&'static str>| {
            let folder = folder.clone();
            async move { json(&folder, &args).await }
        };
        assert!(desk(vec!["deliveries"]).await["counts"].is_array());
        let invite = desk(vec!["invite", "--out", "doors.html"]).await;
        assert_eq!(invite["units"].as_array().map(Vec::len), Some(40));
        let link = invite["units"][0]["link"].as_str().expect("a link");
        assert!(
            link.starts_with("https://t.me/weir_fake_bot?start="),
            "the bot's own name is asked for: {link}"
        );
        assert!(
            std::fs::read_to_string(folder.join("doors.html"))
                .expect("a page")
                .matches("<svg")
                .count()
                == 40
        );
        assert_eq!(
            desk(vec!["config", "check"]).await["channels"]
                .as_array()
                .map(Vec::len),
            Some(2)
        );
        assert!(desk(vec!["backup", "weir.backup"]).await["rows"].as_u64() > Some(40));
        assert_eq!(
            desk(vec!["send-test", "+8619900000001"]).await["to"],
            "+86199****0001"
        );
        assert_eq!(app.to_phone("+8619900000001").len(), 1);
        assert_eq!(desk(vec!["send-test", "4321"]).await["to"], "chat ****321");
        assert_eq!(app.to_chat(4321).len(), 1);
        let sealed = desk(vec!["key", "rotate"]).await;
        assert!(sealed["sealed"].as_u64() > Some(40));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_reaches_nobody_else() {
    let mut app = TestApp::set(sqlite().await, Clock::System, |scene| {
        scene.config.channels.only_to = Some(vec![weir::domain::Address::Phone(crate::app::phone_number(
            "+8619901000001",
        ))]);
    })
    .await;
    app.import(&many(8)).await;
    let (round, _) = app
        .plan_as(|spec| {
            spec.date = spec.date.succ_opt().expect("a day");
            spec.until = spec.date;
        })
        .await;
    app.start_service();
    app.release_at_once(round).await;
    app.settled(round).await;
    let sent = app.smsc.submitted();
    assert_eq!(
        sent.iter().map(|sent| sent.to.as_str()).collect::<Vec<_>>(),
        ["+8619901000001"]
    );
    assert_eq!(app.count(round, "window", "suppressed").await, 7);
    app.write("weir.toml", "");
    write_config(&app);
    let folder = app.test.folder.path();
    let config = std::fs::read_to_string(folder.join("weir.toml")).expect("written");
    app.write(
        "weir.toml",
        &format!("{config}[channels]\nonly_to = [\"+8619901000001\"]\n"),
    );
    let refused = run(folder, &["send-test", "+8619901000002"]).await;
    assert!(
        !refused.status.success() && err(&refused).contains("channels.only_to"),
        "{}",
        err(&refused)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_and_restore_work_while_the_service_runs() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::System, |_| {}).await;
        let folder = write_config(&app);
        app.import(&many(12)).await;
        let (round, _) = app
            .plan_as(|spec| {
                spec.date = spec.date.succ_opt().expect("a day");
                spec.until = spec.date;
                // Nothing leaves during this test.
                spec.notice_from += chrono::TimeDelta::hours(1);
            })
            .await;
        let serving = Serving::start(&folder, &[]);
        serving.in_state("active").await;
        app.release(round).await;
        let backup = json(&folder, &["backup", "weir.backup"]).await;
        // Since then somebody wrote, and another community came.
        app.bot_api.user_says(900, "zh-hans", "居民", "/start");
        app.heard(900, 0, 1).await;
        app.import("锦江区,春熙街道,桂花社区,9栋,9单元,101,后来,+8619900000009,zh-Hans,\n")
            .await;
        assert_eq!(app.store().units().await.expect("reads").len(), 13);

        let restored = json(&folder, &["restore", "weir.backup", "--yes"]).await;
        assert_eq!(restored["rows"], backup["rows"]);
        serving.in_state("active").await;
        assert_eq!(app.store().units().await.expect("reads").len(), 12);
        let status = json(&folder, &["round", "status", &round.to_string()]).await;
        assert_eq!(
            status["state"], "paused",
            "what may have been sent since waits for a decision"
        );
        // The service is back at work on what was restored.
        app.bot_api.user_says(901, "zh-hans", "居民", "/start");
        app.heard(901, 0, 1).await;
        let (code, _) = serving.terminate().await;
        assert_eq!(code, Some(0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_starts_while_nobody_answers_and_serves_the_rest() {
    let app = TestApp::set(sqlite().await, Clock::System, |_| {}).await;
    let folder = write_config(&app);
    let config = std::fs::read_to_string(folder.join("weir.toml")).expect("written");
    // A carrier's port where nobody listens.
    let carrier = format!("port = {}", app.config.sms.smpp[0].port);
    app.write(
        "weir.toml",
        &config.replace(&carrier, &format!("port = {}", free_port())),
    );
    app.import(&many(4)).await;
    let serving = Serving::start(&folder, &[]);
    serving.in_state("active").await;
    app.ask(910, "/start", 1).await;
    eventually("it is said", async || {
        let log = std::fs::read_to_string(&serving.log).expect("a log");
        log.contains("carrier is not reachable").then_some(())
    })
    .await;
    serving.terminate().await;
}
