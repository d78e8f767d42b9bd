//! What a plan does with the hours and communities that it is asked for.

use chrono::{DateTime, NaiveDate, Utc};
use weir::{
    clock::Clock,
    domain::Window,
    release::plan::{self, PlanError, PlanSummary, RoundSpec},
};

use crate::{
    app::{ROSTER_HEAD, SITES, TestApp, afternoon},
    binary::{err, json, out, run},
    round::many,
    support::{minutes, sqlite},
};

/// 15:00 on 3 September, with units at two sites that are open until 21:00.
async fn three_o_clock() -> TestApp {
    let app = TestApp::set(sqlite().await, Clock::manual(afternoon()), |_| {}).await;
    app.import(&many(40)).await;
    app
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 9, day).expect("a day")
}

fn hour(hour: u32) -> chrono::NaiveTime {
    chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("a time")
}

/// Plans a round from 08:00 to 20:00 at a given instant.
async fn planned_at(
    app: &TestApp,
    now: DateTime<Utc>,
    change: impl FnOnce(&mut RoundSpec),
) -> Result<(PlanSummary, Vec<Window>), String> {
    let spec = app.spec(|spec| {
        (spec.from, spec.to) = (hour(8), hour(20));
        change(spec);
    });
    match plan::plan_round(app.store(), &app.config, &spec, now).await {
        Ok((round, summary)) => Ok((summary, app.store().windows(round).await.expect("reads"))),
        Err(PlanError::Refused(said)) => Err(said),
        Err(PlanError::Store(error)) => panic!("{error}"),
    }
}

fn first(windows: &[Window]) -> DateTime<Utc> {
    windows
        .iter()
        .map(|window| window.starts_at)
        .min()
        .expect("windows")
}

#[tokio::test(flavor = "multi_thread")]
async fn todays_windows_leave_time_for_their_notices() {
    let app = three_o_clock().await;
    let now = afternoon() + chrono::TimeDelta::seconds(1);
    let (summary, windows) = planned_at(&app, now, |_| {}).await.expect("plans");
    let begins = afternoon() + minutes(31);
    assert_eq!(summary.begins_later, Some(begins));
    assert_eq!((first(&windows), windows.len()), (begins, 40));

    // Just in time: nothing is moved and nothing is said.
    let (summary, windows) = planned_at(&app, afternoon() - minutes(7 * 60 + 30), |_| {})
        .await
        .expect("plans");
    assert_eq!(
        (summary.begins_later, first(&windows)),
        (None, afternoon() - minutes(7 * 60))
    );
    // The first hour has not passed, but it is too near.
    let (summary, _) = planned_at(&app, afternoon() - minutes(7 * 60 + 10), |_| {})
        .await
        .expect("plans");
    assert_eq!(summary.begins_later, Some(afternoon() - minutes(6 * 60 + 40)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_over_is_passed_and_the_next_begins_as_usual() {
    let app = three_o_clock().await;
    let tomorrow_at_eight = afternoon() + minutes(17 * 60);
    let evening = afternoon() + minutes(4 * 60 + 45);
    for first_day in [2, 3] {
        let (summary, windows) = planned_at(&app, evening, |spec| {
            (spec.date, spec.until) = (day(first_day), day(4));
        })
        .await
        .expect("plans");
        assert_eq!(summary.begins_later, Some(tomorrow_at_eight));
        assert_eq!(first(&windows), tomorrow_at_eight);
        assert_eq!(summary.load[0].date, day(4));
    }
    let said = planned_at(&app, evening, |_| {})
        .await
        .expect_err("nothing is left of today");
    assert!(
        said.contains("2026-09-03 20:15") && said.contains("--until"),
        "{said}"
    );
    let said = planned_at(&app, evening, |spec| spec.lead_minutes = i64::MAX)
        .await
        .expect_err("too long");
    assert!(said.contains("--lead"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_that_windows_begin_later() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("roster.csv"),
        format!("{ROSTER_HEAD}{}", many(8)),
    )
    .expect("written");
    std::fs::write(folder.path().join("sites.csv"), SITES).expect("written");
    json(folder.path(), &["import", "roster.csv", "--sites", "sites.csv"]).await;
    let today = Clock::System
        .now()
        .with_timezone(&chrono_tz::Asia::Shanghai)
        .date_naive();
    let (today, tomorrow) = (today.to_string(), today.succ_opt().expect("a day").to_string());
    let args = [
        "round", "plan", "--date", &today, "--from", "00:00", "--to", "23:59", "--until", &tomorrow,
    ];
    let output = run(folder.path(), &args).await;
    assert!(out(&output).contains("later than asked for"), "{}", out(&output));
    let show = run(folder.path(), &["round", "show", "1"]).await;
    assert!(out(&show).contains("later than asked for"), "{}", out(&show));
    assert!(json(folder.path(), &args).await["begins_later"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_communities_that_are_meant_are_planned_and_invited() {
    let app = three_o_clock().await;
    app.import("锦江区,东湖街道,银杏社区,1栋,1单元,101,居民,+8619902000001,zh-Hans,\n")
        .await;
    let plan = async |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let planned = planned_at(&app, afternoon(), |spec| spec.communities = names).await;
        planned.map(|(summary, _)| summary.units)
    };
    assert_eq!(plan(&["梧桐社区", "东湖街道/银杏社区"]).await, Ok(21));
    let said = plan(&["梧桐社区", "银杏社"]).await.expect_err("unknown");
    assert!(said.contains("did you mean 银杏社区?"), "{said}");
    let said = plan(&["银杏社区"]).await.expect_err("two of one name");
    assert!(said.contains("东湖街道/银杏社区, 春熙街道/银杏社区"), "{said}");

    let folder = crate::binary::write_config(&app);
    let invite = ["invite", "--bot", "weir_bot", "--community"];
    let invited = json(&folder, &[&invite[..], &["东湖街道/银杏社区"]].concat()).await;
    assert_eq!(invited["units"].as_array().map(Vec::len), Some(1));
    for (name, word) in [("银杏社区", "春熙街道/银杏社区"), ("无此地", "无此地")] {
        let output = run(
            &folder,
            &[&invite[..], &[name, "--community", "梧桐社区"]].concat(),
        )
        .await;
        assert!(
            !output.status.success() && err(&output).contains(word),
            "{}",
            err(&output)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_without_its_picture_is_still_told() {
    let app = TestApp::set(sqlite().await, Clock::System, |_| {}).await;
    app.import(&many(8)).await;
    let folder = crate::binary::write_config(&app);
    // No picture can be written over a folder, whoever runs this.
    for round in 1..=3 {
        std::fs::create_dir(folder.join(format!("round-{round}.svg"))).expect("made");
    }
    let tomorrow = Clock::System
        .now()
        .with_timezone(&chrono_tz::Asia::Shanghai)
        .date_naive();
    let tomorrow = tomorrow.succ_opt().expect("a day").to_string();
    let args = [
        "round", "plan", "--date", &tomorrow, "--from", "08:00", "--to", "20:00",
    ];
    let output = run(&folder, &args).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("weir round release 1"), "{}", out(&output));
    assert!(
        err(&output).contains("round-1.svg could not be written"),
        "{}",
        err(&output)
    );
    let plan = json(&folder, &args).await;
    assert_eq!(
        (&plan["round"], &plan["svg"]),
        (&2.into(), &serde_json::Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_is_checked_first_and_no_library_is_heard() {
    let app = TestApp::set(sqlite().await, Clock::System, |_| {}).await;
    let folder = crate::binary::write_config(&app);
    for bad in ["nonsense===", "loud"] {
        let output = run(&folder, &["--log", bad, "round", "list"]).await;
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(err(&output).contains("weir=debug"), "{}", err(&output));
    }
    for log in ["trace", "warn,sqlx::query=trace,sqlx=trace"] {
        let output = run(&folder, &["--log", log, "--log-json", "round", "list"]).await;
        assert!(
            output.status.success() && !err(&output).contains("sqlx"),
            "{}",
            err(&output)
        );
    }
}
