//! Windows that move while people know them: rounds beside each other, calls made again, the forecast, a pause that lasts,
//! and a feed or a clock that cannot be trusted.

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, body::Body, response::IntoResponse, routing::get};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use weir::{
    clock::Clock,
    domain::{RoundId, RoundState},
    i18n::Texts,
    incidents::teller::Teller,
    pacing::law::{Action, Mode, WindowOrder},
    registration::RegistrationClient,
    release::{
        pacer,
        plan::{self, PlanError},
        replan::{self, ReplanQuota},
    },
    store::{DeliveryFilter, Store},
};

use crate::{
    binary::{self, free_port},
    crash::Road,
    pacing::{World, step},
    round::many,
    support::{TestStore, minutes, on_both, postgres, sqlite},
};

fn teller(world: &World) -> Teller {
    Teller {
        store: world.store().clone(),
        clock: world.clock.clone(),
        texts: Texts::load().expect("the built-in texts"),
        config: world.config.clone(),
        written: watch::channel(0).0,
    }
}

fn ordering(told: bool, paused: bool, starts_per_second: f64) -> WindowOrder {
    WindowOrder {
        told,
        paused,
        starts_per_second,
        failing_since: None,
    }
}

async fn tell_everybody(world: &World, round: RoundId) {
    world.release_at_once(round).await;
    world.calm(&world.pacer(), 1).await;
    for _ in 0..40 {
        world.releaser().step().await.expect("steps");
        world.calm(&world.pacer(), 1).await;
    }
    let (told, units) = world.store().told(round).await.expect("reads");
    assert_eq!(told, units);
}

/// States of what was written with keys of this kind.
async fn states(world: &World, round: RoundId, kind: &str) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for delivery in world.deliveries(round).await {
        if delivery.key.starts_with(kind) {
            *states.entry(delivery.state).or_default() += 1;
        }
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_pause_lasts_those_near_are_told_again_but_not_too_often() {
    on_both(async |test| {
        let mut world = World::new(test).await;
        world.config.incidents.open_on_pause = true;
        world.config.incidents.near_minutes = 180;
        world.import(&many(8)).await;
        let round = world.plan(|_| {}).await;
        tell_everybody(&world, round).await;
        let (pacer, teller) = (world.pacer(), teller(&world));
        let heard = async || {
            let all = world
                .store()
                .deliveries(&DeliveryFilter::default(), 1_000)
                .await
                .expect("reads");
            all.iter()
                .filter(|delivery| delivery.key.starts_with("incident:"))
                .count()
        };
        let told = async |periods: usize| {
            for _ in 0..periods {
                world.trouble(&pacer, 1).await;
                // A new pacer, as after a crash, does not tell them twice as often.
                step(&world.pacer()).await;
                teller.step().await.expect("tells");
            }
            heard().await
        };
        assert_eq!(told(4).await, 8, "each once, when the pause begins");
        assert_eq!(told(30).await, 8);
        assert_eq!(told(10).await, 16, "again after some minutes");
        assert_eq!(told(36).await, 24);
        assert_eq!(told(100).await, 24, "three times are enough");
        let log = world.log().await;
        let again = log.iter().filter(|(what, _)| what.contains("again")).count();
        assert_eq!(again, 2, "{log:?}");

        let open = world.store().open_incidents().await.expect("reads");
        let closed = world
            .store()
            .close_incident(open[0].id, "王主任", "it works", world.clock.now());
        assert!(closed.await.expect("closes"));
        teller.step().await.expect("tells");
        let all = world
            .store()
            .deliveries(&DeliveryFilter::default(), 1_000)
            .await
            .expect("reads");
        let standing = all
            .iter()
            .filter(|delivery| delivery.key.starts_with("incident:") && delivery.state == "queued");
        assert_eq!(standing.count(), 0, "what had not left is withdrawn");
        let over = all
            .iter()
            .filter(|delivery| delivery.key.starts_with("incident-over:"));
        assert_eq!(over.count(), 8);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_that_are_moved_together_share_the_citys_starts() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(200)).await;
        let community = |name: &str| vec![name.to_owned()];
        let first = world.plan(|spec| spec.communities = community("梧桐社区")).await;
        let second = world.plan(|spec| spec.communities = community("银杏社区")).await;
        for round in [first, second] {
            world.release_at_once(round).await;
        }
        let order = ordering(false, false, 3.0 / 60.0);
        world.pacer().act(&order).await.expect("moves");
        let mut starts: BTreeMap<DateTime<Utc>, usize> = BTreeMap::new();
        for round in [first, second] {
            let windows = world.store().windows(round).await.expect("reads");
            for window in windows.iter().filter(|window| !window.over_capacity) {
                *starts.entry(window.starts_at).or_default() += 1;
            }
        }
        let most = starts.values().max();
        assert!(most <= Some(&3), "{most:?} in one minute");
        assert_eq!(starts.values().sum::<usize>(), 200, "everybody has a place");
    })
    .await;
}

/// A plan sees what other rounds start.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_plan_takes_the_starts_that_the_first_leaves() {
    let mut world = World::new(sqlite().await).await;
    world.config.pacing.nominal_capacity = Some(0.07);
    world.import(&many(200)).await;
    let community = |name: &str| vec![name.to_owned()];
    let first = world.plan(|spec| spec.communities = community("梧桐社区")).await;
    world.release_at_once(first).await;
    let second = world.plan(|spec| spec.communities = community("银杏社区")).await;
    let mut starts: BTreeMap<DateTime<Utc>, usize> = BTreeMap::new();
    let mut alone: BTreeMap<DateTime<Utc>, usize> = BTreeMap::new();
    for window in world.store().windows(first).await.expect("reads") {
        *starts.entry(window.starts_at).or_default() += 1;
        *alone.entry(window.starts_at).or_default() += 1;
    }
    for window in world.store().windows(second).await.expect("reads") {
        if !window.over_capacity {
            *starts.entry(window.starts_at).or_default() += 1;
        }
    }
    let most = |starts: &BTreeMap<DateTime<Utc>, usize>| starts.values().max().copied();
    assert!(
        most(&starts) <= most(&alone),
        "{:?} and {:?}",
        most(&starts),
        most(&alone)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_window_moved_is_made_again_for_the_new_one() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(4)).await;
        let round = world.plan(|spec| spec.two_step = true).await;
        tell_everybody(&world, round).await;
        let windows = world.store().windows(round).await.expect("reads");
        let last = windows.iter().map(|window| window.starts_at).max().expect("some");
        world.clock.set(last);
        let call = async || {
            for _ in 0..20 {
                world.calm(&world.pacer(), 1).await;
                world.releaser().step().await.expect("steps");
            }
            states(&world, round, "call:").await
        };
        assert_eq!(call().await, [("queued".to_owned(), 4)].into());
        let order = ordering(true, true, 10.0);
        world.pacer().act(&order).await.expect("moves");
        let moved = world.store().windows(round).await.expect("reads");
        let next = moved.iter().map(|window| window.starts_at).min().expect("some");
        assert!(next >= world.clock.now() + minutes(19), "all of them moved");
        assert_eq!(
            call().await,
            [("cancelled".to_owned(), 4)].into(),
            "not before the new time"
        );
        world
            .clock
            .set(moved.iter().map(|window| window.starts_at).max().expect("some"));
        let expected = [("cancelled".to_owned(), 4), ("queued".to_owned(), 4)].into();
        assert_eq!(call().await, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_rounds_told_windows_move_and_its_untold_ones_stay() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(4)).await;
        let round = world.plan(|_| {}).await;
        tell_everybody(&world, round).await;
        let (unit, now) = (many(5), world.clock.now());
        world.import(&unit).await;
        plan::move_round(world.store(), round, RoundState::Paused, now)
            .await
            .expect("pauses");
        let before = world.store().windows(round).await.expect("reads");
        let first = before.iter().map(|window| window.starts_at).min().expect("some");
        world.clock.set(first - minutes(5));
        let order = ordering(true, true, 10.0);
        world.pacer().act(&order).await.expect("moves");
        let after = world.store().windows(round).await.expect("reads");
        assert_eq!(after.len(), before.len(), "nobody new is planned for meanwhile");
        let next = after.iter().map(|window| window.starts_at).min().expect("some");
        assert!(next >= world.clock.now() + minutes(19), "{next}");
        let due = world.store().units_to_correct(round, 10).await.expect("reads");
        assert_eq!(due.len(), 4, "and their people hear it");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_steps_without_a_link_are_refused_with_what_to_set() {
    let mut world = World::new(sqlite().await).await;
    world.config.registration.link = None;
    world.import(&many(4)).await;
    let (round, spec) = {
        let round = world.plan(|_| {}).await;
        let stored = plan::existing(world.store(), round).await.expect("is there");
        (stored.id, plan::round_spec(&stored).expect("reads"))
    };
    assert!(round.0 > 0);
    let spec = plan::RoundSpec {
        two_step: true,
        ..spec
    };
    let refused = plan::plan_round(world.store(), &world.config, &spec, world.clock.now()).await;
    match refused {
        Err(PlanError::Refused(why)) => assert!(why.contains("registration.link"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// However windows move, the forecast knows who comes at the old time all the same, and the picture is drawn anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_by_hand_is_known_to_the_forecast_and_shown() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(8)).await;
        let round = world.plan(|_| {}).await;
        tell_everybody(&world, round).await;
        let store = world.store();
        let stored = plan::existing(store, round).await.expect("is there");
        let before = store.windows(round).await.expect("reads");
        let quota = ReplanQuota {
            delay: Some(TimeDelta::minutes(180)),
            ..ReplanQuota::default()
        };
        let now = world.clock.now();
        let moved = replan::replan(store, &world.config, &stored, &quota, now).await;
        assert_eq!(moved.expect("moves").told_units, 8);
        let after = store.windows(round).await.expect("reads");
        let day = TimeDelta::hours(24);
        let known = store.moved(now, now + day).await.expect("reads");
        let at = |start: DateTime<Utc>| {
            let here = known.iter().filter(|moved| moved.starts_at == start);
            here.map(|moved| moved.sms).sum::<f64>()
        };
        let count = |windows: &[weir::domain::Window], start| {
            windows.iter().filter(|window| window.starts_at == start).count() as f64
        };
        for window in before.iter().chain(&after) {
            let start = window.starts_at;
            let expected = 0.325 * (count(&before, start) - count(&after, start));
            assert!((at(start) - expected).abs() < 1e-9, "{} at {start}", at(start));
        }

        let zone = world.config.city.time_zone;
        let planned = plan::plan_summary(&stored);
        let shown = plan::redrawn(planned.clone(), &after, zone);
        assert_ne!(shown.load, planned.load);
        let people = |summary: &plan::PlanSummary| -> f64 {
            summary.load.iter().flat_map(|day| &day.per_minute).sum()
        };
        assert!((people(&shown) - people(&planned)).abs() < 1e-6);
        let same = plan::redrawn(planned.clone(), &before, zone);
        assert!((same.planned_peak_per_minute - planned.planned_peak_per_minute).abs() < 1e-6);

        let file = world.test.folder.path().join("moved.backup");
        store.backup(&file, now).await.expect("writes");
        store.restore(&file, now).await.expect("restores");
        let restored = store.moved(now, now + day).await.expect("reads");
        assert_eq!(restored.len(), known.len());
        for (restored, known) in restored.iter().zip(&known) {
            assert!((restored.sms - known.sms).abs() < 1e-9 && restored.starts_at == known.starts_at);
        }
        store.erase_old(now + day).await.expect("erases");
        assert!(store.moved(now, now + day).await.expect("reads").is_empty());
    })
    .await;
}

/// Held until the first windows have come: those that nobody knows are placed anew, in time for their people to hear.
#[tokio::test(flavor = "multi_thread")]
async fn windows_that_come_too_near_untold_are_placed_anew_though_all_is_well() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(40)).await;
        let round = world.plan(|_| {}).await;
        world.release_at_once(round).await;
        world.by_hand(pacer::HELD, "the hall is closed").await;
        let windows = world.store().windows(round).await.expect("reads");
        let first = windows.iter().map(|window| window.starts_at).min().expect("some");
        world.clock.set(first - minutes(5));
        let decision = world.calm(&world.pacer(), 1).await;
        assert_eq!(decision.order, None, "the round has not begun");
        world.clock.set(first + minutes(5));
        world.by_hand("", "").await;
        let pacer = world.pacer();
        let decision = world.calm(&pacer, 1).await;
        assert_eq!(decision.mode, Mode::Steady);
        assert!(decision.order.is_some_and(|order| !order.told), "{decision:?}");
        assert_eq!(world.calm(&pacer, 1).await.order, None, "once a minute");
        // The process dies before it has moved anything: the next one does it, and once.
        drop(pacer);
        world.pacer().carry_out().await;
        assert_eq!(world.store().pacing().await.expect("reads").ordered, "");
        let moved = world.store().windows(round).await.expect("reads");
        let first = moved.iter().map(|window| window.starts_at).min().expect("some");
        assert!(first >= world.clock.now() + minutes(14), "{first}");
    })
    .await;
}

/// A clock that was an hour ahead and is set right: neither the law nor the gate waits for that hour to pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_an_hour_stops_nothing_and_lets_no_burst_through() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(400)).await;
        let round = world.plan(|spec| spec.to = crate::app::hour(21)).await;
        let now = world.clock.now();
        let started = world.store().start_release(round, 600.0, now, now).await;
        assert!(started.expect("releases"));
        let (pacer, releaser) = (world.pacer(), world.releaser());
        let run = async |periods: usize| {
            let before = world.deliveries(round).await.len();
            for _ in 0..periods {
                world.calm(&pacer, 1).await;
                while releaser.step().await.expect("steps") > 0 {}
            }
            world.deliveries(round).await.len() - before
        };
        let usual = run(12).await;
        world.clock.advance(TimeDelta::hours(1));
        let ahead = run(12).await;
        assert!(
            ahead <= usual + usual / 3,
            "{ahead} after a jump ahead, {usual} before"
        );
        world.trouble(&pacer, 3).await;
        world.clock.advance(TimeDelta::hours(-1));
        // The feed's own clock goes back as well: what it said is as old as that.
        let decision = world.calm(&pacer, 40).await;
        assert_ne!(decision.mode, Mode::Paused, "{:?}", decision.reasons);
        let back = run(24).await;
        assert!(back > usual / 3, "{back} after a jump back, {usual} before");
    })
    .await;
}

/// Whatever a feed answers, a step ends in time, and what is no report counts as silence.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_answers_nonsense_too_much_or_never_is_a_silent_one() {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = format!("http://{}", socket.local_addr().expect("an address"));
    let endless = || async {
        let part = vec![b'{'; 64 * 1024];
        let parts = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(part.clone()));
        Body::from_stream(parts).into_response()
    };
    let never = || async { std::future::pending::<&'static str>().await };
    let html = || async { axum::response::Html("<html><body>502 Bad Gateway</body></html>") };
    let odd =
        || async { r#"{"as_of":"2026-09-03T07:00:00Z","utilisation":1e999,"completed_per_second":-3}"# };
    let router = Router::new()
        .route(
            "/garbage/v1/load",
            get(|| async { vec![0xff_u8; 4 * 1024 * 1024] }),
        )
        .route("/endless/v1/load", get(endless))
        .route("/html/v1/load", get(html))
        .route("/odd/v1/load", get(odd))
        .route("/never/v1/load", get(never));
    let mut server = JoinSet::new();
    server.spawn(async move {
        axum::serve(socket, router).await.expect("serves");
    });
    for kind in ["garbage", "endless", "html", "odd", "never"] {
        let mut world = World::new(sqlite().await).await;
        world.calm(&world.pacer(), 1).await;
        world.config.registration.url = Some(format!("{address}/{kind}"));
        world.config.registration.timeout = Duration::from_secs(1);
        let client = RegistrationClient::new(&world.config.registration).expect("an address");
        let pacer = world.pacer_of(client);
        for _ in 0..6 {
            world.pass(5);
            let began = std::time::Instant::now();
            step(&pacer).await;
            assert!(began.elapsed() < Duration::from_secs(3), "{kind}");
        }
        let status = world.status().await;
        assert_eq!(status.mode, "blind", "{kind}: {:?}", status.reasons);
        assert!(
            status.per_second.is_some_and(|rate| rate > 0.0 && rate < 1.5),
            "{kind}"
        );
    }
}

/// Killed at any instant, a re-planning has moved every window that it would, and told the forecast and the releaser, or
/// none.
#[tokio::test(flavor = "multi_thread")]
async fn a_replan_that_is_killed_moves_all_or_nothing() {
    on_both(async |test| {
        let mut world = World::new(test).await;
        world.clock.set(Clock::System.now());
        world.config.registration.url = None;
        world.config.pacing.nominal_capacity = None;
        world.import(&many(400)).await;
        let round = world
            .plan(|spec| {
                spec.date = spec.date.succ_opt().expect("a day");
                spec.until = spec.date;
            })
            .await;
        world.release_at_once(round).await;
        let releaser = world.releaser();
        while releaser.step().await.expect("steps") > 0 {}
        let folder = world.test.folder.path().to_path_buf();
        let config = format!(
            "[store]\nurl = {:?}\n[security]\ndata_key_file = {:?}\n",
            world.test.url,
            world.test.key_file().display().to_string()
        );
        std::fs::write(folder.join("weir.toml"), config).expect("writes");
        let store = world.store();
        let asked = ["round", "replan", &round.to_string(), "--quota", "1"];
        let began = std::time::Instant::now();
        let seen = binary::json(&folder, &asked).await;
        let usual = began.elapsed();
        let would_move = seen["replanned"]["moved_units"].as_u64().expect("a count");
        assert!(would_move > 100, "{seen}");
        let mut killed = 0;
        // The first surely comes before its end, however busy the machine was while it was timed.
        for percent in [5, 20].into_iter().chain((40..=110).step_by(5)) {
            let before = plan::existing(store, round).await.expect("is there").moves;
            let mut child = binary::weir(&folder, &[&asked[..], &["--yes", "--json"]].concat())
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("starts");
            tokio::time::sleep(usual * percent / 100).await;
            killed += u32::from(child.try_wait().expect("asks").is_none());
            child.kill().await.expect("it can be killed");
            let windows = store.windows(round).await.expect("reads");
            let after = plan::existing(store, round).await.expect("is there").moves;
            let waiting = store.units_to_correct(round, 1_000).await.expect("reads").len();
            let now = world.clock.now();
            let known = store.moved(now, now + TimeDelta::days(3)).await.expect("reads");
            let left: f64 = known.iter().map(|moved| moved.sms).sum();
            assert!(
                left.abs() < 1e-6,
                "whoever leaves a start comes to another: {left}"
            );
            assert_eq!(windows.len(), 400);
            if after == 0 {
                assert_eq!((waiting, known.len()), (0, 0), "nothing happened");
                continue;
            }
            assert!(
                waiting as u64 >= would_move && !known.is_empty(),
                "{waiting} of {would_move}"
            );
            if before == 0 {
                break;
            }
        }
        assert!(killed > 0, "it was always through before");
    })
    .await;
}

/// The database goes away under the pacer: a step fails in time, and the next after it is back goes on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_pacer_whose_database_was_away_goes_on_where_it_was() {
    let Some(test) = postgres().await else { return };
    let mut url: reqwest::Url = test.url.parse().expect("a URL");
    let server = format!(
        "{}:{}",
        url.host_str().expect("a host"),
        url.port().unwrap_or(5432)
    );
    let mut servers = tokio::net::lookup_host(server).await.expect("resolves");
    let mut road = Road::closed(free_port(), servers.next().expect("an address"));
    road.open().await;
    url.set_port(Some(road.port)).expect("it has a host");
    let store = Store::open(url.as_str(), Some(test.key_file()))
        .await
        .expect("opens");
    let world = World::new(TestStore { store, ..test }).await;
    let pacer = world.pacer();
    world.trouble(&pacer, 3).await;
    road.cut().await;
    world.pass(5);
    let began = std::time::Instant::now();
    assert!(pacer.step().await.is_err(), "nothing can be decided");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    road.open().await;
    let decision = world.trouble(&pacer, 1).await;
    assert_eq!(decision.mode, Mode::Paused);
    assert!(!decision.actions.contains(&Action::Pause), "it is the same pause");
    let log = world.log().await;
    assert_eq!(
        log.iter().filter(|(what, _)| what == "pause").count(),
        1,
        "{log:?}"
    );
}
