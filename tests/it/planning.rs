//! What a plan does with the hours and communities that it is asked for.

use chrono::{DateTime, NaiveDate, Utc};
use weir::{
    clock::Clock,
    domain::{SiteId, UnitId, Window},
    release::plan::{self, MustNotTime, PlanError, PlanSummary, RoundSpec},
    roster::import::{self, ImportOptions},
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

/// Imports sites, and where buildings lie, in place of the usual two.
async fn with_sites(app: &TestApp, sites: &str, buildings: Option<&str>) {
    let head = "site,district,street,community,address,desks,green_desks,samples_per_desk_hour,opens,closes,lat,lon,breaks\n";
    let options = ImportOptions {
        sites: Some(app.write("more-sites.csv", &format!("{head}{sites}"))),
        buildings: buildings.map(|rows| {
            app.write(
                "buildings.csv",
                &format!("district,street,community,building,lat,lon\n{rows}"),
            )
        }),
        ..ImportOptions::default()
    };
    let report = import::run(app.store(), &options, app.clock.now(), &import::Quiet)
        .await
        .expect("imports");
    assert_eq!(report.summary.refused, 0);
}

/// Whether a window touches these hours of the day.
fn within(window: &Window, from: (u32, u32), to: (u32, u32)) -> bool {
    let minute = |at: DateTime<Utc>| {
        let local = at.with_timezone(&chrono_tz::Asia::Shanghai);
        chrono::Timelike::hour(&local) * 60 + chrono::Timelike::minute(&local)
    };
    minute(window.starts_at) < to.0 * 60 + to.1 && minute(window.ends_at) > from.0 * 60 + from.1
}

fn must_not(community: Option<&str>, from: u32, to: u32) -> MustNotTime {
    MustNotTime {
        community: community.map(Into::into),
        from: hour(from),
        to: hour(to),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_in_breaks_and_at_must_not_times() {
    let app = TestApp::set(sqlite().await, Clock::manual(afternoon()), |_| {}).await;
    app.import(&many(120)).await;
    // Few desks, so that the day is used to its end.
    with_sites(
        &app,
        "梧桐采样点,锦江区,春熙街道,梧桐社区,梧桐广场,1,0,12,08:00,21:00,,,12:00-13:00;17:30-18:00\n\
         银杏采样点,锦江区,春熙街道,银杏社区,银杏广场,1,0,12,08:00,21:00,,,\n",
        None,
    )
    .await;
    let (_, windows) = planned_at(&app, afternoon(), |spec| {
        (spec.date, spec.until) = (day(4), day(4));
        spec.must_not = vec![must_not(None, 9, 10), must_not(Some("银杏社区"), 15, 16)];
    })
    .await
    .expect("plans");
    assert_eq!(windows.len(), 120);
    let sites = app.store().sites().await.expect("reads");
    for window in &windows {
        let site = sites.iter().find(|site| site.id == window.site).expect("known");
        assert!(!within(window, (9, 0), (10, 0)), "{window:?}");
        if site.community == "梧桐社区" {
            assert!(
                !within(window, (12, 0), (13, 0)) && !within(window, (17, 30), (18, 0)),
                "{window:?}"
            );
        } else {
            assert!(!within(window, (15, 0), (16, 0)), "{window:?}");
        }
    }
    let says = planned_at(&app, afternoon(), |spec| {
        spec.must_not = vec![must_not(Some("银杏社"), 15, 16)];
    })
    .await
    .expect_err("unknown");
    assert!(says.contains("--not") && says.contains("银杏社区"), "{says}");
    let says = planned_at(&app, afternoon(), |spec| {
        spec.must_not = vec![must_not(None, 16, 15)];
    })
    .await
    .expect_err("the wrong way round");
    assert!(says.contains("--not 16:00-15:00"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_go_where_it_is_near_else_to_a_site_that_serves_their_community() {
    let app = TestApp::set(sqlite().await, Clock::manual(afternoon()), |_| {}).await;
    app.import(&many(8)).await;
    // 1栋 of 梧桐社区 lies beside the site of another community; 银杏社区 is served by 梧桐's too.
    with_sites(
        &app,
        "梧桐采样点,锦江区,春熙街道,梧桐社区;银杏社区,梧桐广场,3,0,120,08:00,21:00,30.70,104.10,\n\
         银杏采样点,锦江区,春熙街道,东湖社区,银杏广场,3,0,120,08:00,21:00,30.66,104.06,\n",
        Some("锦江区,春熙街道,梧桐社区,1栋,30.661,104.061\n锦江区,春熙街道,梧桐社区,2栋,30.60,104.00\n"),
    )
    .await;
    let (_, windows) = planned_at(&app, afternoon(), |_| {}).await.expect("plans");
    let sites = app.store().sites().await.expect("reads");
    let units = app.store().units().await.expect("reads");
    let site_of = |community: &str, building: &str| -> Vec<&str> {
        let of: Vec<UnitId> = units
            .iter()
            .filter(|unit| unit.place.community == community && unit.place.building == building)
            .map(|unit| unit.unit)
            .collect();
        let name = |id: SiteId| {
            sites
                .iter()
                .find(|site| site.id == id)
                .map_or("", |site| &*site.name)
        };
        let mut names: Vec<&str> = windows
            .iter()
            .filter(|window| of.contains(&window.unit))
            .map(|window| name(window.site))
            .collect();
        names.dedup();
        names
    };
    assert_eq!(site_of("梧桐社区", "1栋"), ["银杏采样点"], "within 900 m");
    assert_eq!(
        site_of("梧桐社区", "2栋"),
        ["梧桐采样点"],
        "nothing is near, so by community"
    );
    assert_eq!(site_of("银杏社区", "1栋"), ["梧桐采样点"], "one that serves it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_round_has_given_away_is_not_given_twice() {
    let app = TestApp::set(sqlite().await, Clock::manual(afternoon()), |_| {}).await;
    let community = |name: &str, from: u32| -> String {
        let rows = (0..20).map(|n| {
            format!(
                "锦江区,春熙街道,{name},{}栋,1单元,101,居民,+8619901{:06},zh-Hans,\n",
                n + 1,
                from + n
            )
        });
        rows.collect::<Vec<_>>().concat()
    };
    app.import(&format!(
        "{}{}",
        community("梧桐社区", 0),
        community("银杏社区", 100)
    ))
    .await;
    // One site for both, with room for one person in five minutes.
    with_sites(
        &app,
        "梧桐采样点,锦江区,春熙街道,梧桐社区;银杏社区,梧桐广场,1,0,12,08:00,21:00,,,\n\
         银杏采样点,锦江区,春熙街道,东湖社区,银杏广场,1,0,12,08:00,21:00,,,\n",
        None,
    )
    .await;
    let plan_of = async |name: &str| {
        let names = vec![name.to_owned()];
        let spec = app.spec(|spec| {
            (spec.date, spec.until) = (day(4), day(4));
            (spec.from, spec.to) = (hour(8), hour(20));
            spec.communities = names;
        });
        let (round, _) = plan::plan_round(app.store(), &app.config, &spec, afternoon())
            .await
            .expect("plans");
        round
    };
    let first = plan_of("梧桐社区").await;
    app.release(first).await;
    let second = plan_of("银杏社区").await;
    let mut windows = app.store().windows(first).await.expect("reads");
    windows.extend(app.store().windows(second).await.expect("reads"));
    assert!(windows.iter().all(|window| !window.over_capacity));
    for at in windows.iter().map(|window| window.starts_at) {
        let arrivals: f64 = windows
            .iter()
            .filter(|window| window.starts_at <= at && at < window.ends_at)
            .map(|window| f64::from(window.people) / (window.ends_at - window.starts_at).num_minutes() as f64)
            .sum();
        assert!(arrivals <= 0.2 + 1e-9, "{arrivals} people a minute at {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shortage_names_the_cheapest_remedy_and_a_window_its_reasons() {
    let app = TestApp::set(sqlite().await, Clock::manual(afternoon()), |_| {}).await;
    app.import(&many(40)).await;
    with_sites(
        &app,
        "梧桐采样点,锦江区,春熙街道,梧桐社区,梧桐广场,1,0,6,08:00,21:00,,,\n",
        None,
    )
    .await;
    let folder = crate::binary::write_config(&app);
    let args = [
        "round",
        "plan",
        "--date",
        "2099-09-04",
        "--from",
        "17:00",
        "--to",
        "18:00",
        "--not",
        "17:10-17:20",
    ];
    let output = run(&folder, &args).await;
    assert!(
        out(&output).contains("梧桐采样点: ") && out(&output).contains("Cheapest remedy: "),
        "{}\n{}",
        out(&output),
        err(&output)
    );
    for unit in [
        &["梧桐社区 1栋1单元"][..],
        &["梧桐社区", "1栋", "1单元"],
        &[&app.door_code("1栋", "1单元").await],
    ] {
        let output = run(&folder, &[&["round", "explain", "1"], unit].concat()).await;
        assert!(
            out(&output).contains("梧桐采样点"),
            "{}{}",
            out(&output),
            err(&output)
        );
    }
    let why = json(&folder, &["round", "explain", "1", "梧桐社区 1栋1单元"]).await;
    assert!(
        why["why"].as_str().is_some_and(|why| !why.is_empty()) && why["site"] == "梧桐采样点",
        "{why}"
    );
    let output = run(&folder, &["round", "explain", "1", "无此地 1栋"]).await;
    assert!(err(&output).contains("无此地"), "{}", err(&output));
}
