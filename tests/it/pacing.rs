//! Pacing: the law's decisions in the service's hands, from the load feed over HTTP to what is released.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State as Shared, http::StatusCode, routing::get};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::watch, task::JoinSet};
use weir::{
    clock::Clock,
    config::Config,
    domain::{Address, NoticeKind, RoundId, RoundState},
    i18n::Texts,
    pacing::{
        law::{Decision, Mode},
        release::{CITY_BURST_SECONDS, CityPace},
    },
    registration::{LoadReport, RegistrationClient},
    release::{
        pacer::{self, Pacer},
        plan::{self, RoundSpec},
        releaser::Releaser,
        status::PacingStatus,
    },
    roster::import::{self, ImportOptions},
    store::{DeliveryFilter, DeliveryRow, NewIncident, Store},
};

use crate::{
    app::{ROSTER_HEAD, SITES, afternoon, hour},
    round::many,
    support::{TestStore, delivery, minutes, on_both, phone, sqlite},
};

const LINK: &str = "https://hs.example.cn/r";
/// Sessions a second that the registration system completes when all is well.
const CAPACITY: f64 = 2.0;

/// What the feed says; none: it does not answer.
type Feed = Arc<Mutex<Option<LoadReport>>>;

/// The parts that pacing is made of, stepped by hand on a clock that stands still.
pub struct World {
    pub test: TestStore,
    pub clock: Clock,
    pub config: Config,
    feed: Feed,
    _server: JoinSet<()>,
}

impl World {
    pub async fn new(test: TestStore) -> Self {
        let clock = Clock::manual(afternoon());
        let feed: Feed = Arc::default();
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("listens");
        let mut config = Config::default();
        config.registration.url = Some(format!("http://{}", socket.local_addr().expect("an address")));
        config.registration.link = Some(LINK.into());
        config.pacing.nominal_capacity = Some(CAPACITY);
        let router = Router::new()
            .route("/v1/load", get(load))
            .with_state(feed.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(socket, router).await.expect("serves");
        });
        Self {
            test,
            clock,
            config,
            feed,
            _server: server,
        }
    }

    pub fn store(&self) -> &Store {
        &self.test.store
    }

    /// A pacer as a new process makes it.
    pub fn pacer(&self) -> Pacer {
        let client = RegistrationClient::new(&self.config.registration).expect("an address");
        self.pacer_of(client)
    }

    pub fn pacer_of(&self, client: Option<RegistrationClient>) -> Pacer {
        Pacer::new(
            self.store().clone(),
            self.clock.clone(),
            self.config.clone(),
            client,
            watch::channel(0).0,
        )
    }

    pub fn releaser(&self) -> Releaser {
        Releaser {
            store: self.store().clone(),
            clock: self.clock.clone(),
            texts: Texts::load().expect("the built-in texts"),
            config: self.config.clone(),
            written: watch::channel(0).0,
            audience_seen: Arc::default(),
            incidents_seen: Arc::default(),
        }
    }

    /// The system is this busy, fails so often and lets people wait so long.
    pub fn says(&self, utilisation: f64, error_rate: f64, queue_seconds: f64) {
        let report = LoadReport {
            as_of: self.clock.now(),
            started_per_second: Some(utilisation * CAPACITY),
            completed_per_second: Some(utilisation * CAPACITY * (1.0 - error_rate)),
            capacity_per_second: None,
            utilisation: Some(utilisation),
            queue_seconds: Some(queue_seconds),
            p95_ms: None,
            error_rate: Some(error_rate),
        };
        *self.feed.lock().expect("not poisoned") = Some(report);
    }

    pub fn falls_silent(&self) {
        *self.feed.lock().expect("not poisoned") = None;
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Lets periods pass in which the system is calm.
    pub async fn calm(&self, pacer: &Pacer, periods: usize) -> Decision {
        self.periods(pacer, periods, (0.2, 0.0, 0.0)).await
    }

    /// Lets periods pass in which the system breaks down.
    pub async fn trouble(&self, pacer: &Pacer, periods: usize) -> Decision {
        self.periods(pacer, periods, (1.0, 0.4, 9.0)).await
    }

    pub async fn periods(&self, pacer: &Pacer, periods: usize, load: (f64, f64, f64)) -> Decision {
        let mut last = None;
        for _ in 0..periods {
            self.pass(5);
            self.says(load.0, load.1, load.2);
            last = step(pacer).await;
        }
        last.expect("a decision")
    }

    pub async fn import(&self, rows: &str) {
        let write = |name: &str, text: &str| {
            let path = self.test.folder.path().join(name);
            std::fs::write(&path, text).expect("the folder can be written");
            path
        };
        let options = ImportOptions {
            roster: Some(write("roster.csv", &format!("{ROSTER_HEAD}{rows}"))),
            sites: Some(write("sites.csv", SITES)),
            ..ImportOptions::default()
        };
        import::run(self.store(), &options, self.clock.now(), &import::Quiet)
            .await
            .expect("imports");
    }

    pub async fn plan(&self, change: impl FnOnce(&mut RoundSpec)) -> RoundId {
        let date = self
            .clock
            .now()
            .with_timezone(&self.config.city.time_zone)
            .date_naive();
        let mut spec = RoundSpec {
            date,
            until: date,
            from: hour(17),
            to: hour(19),
            communities: Vec::new(),
            city_cap: None,
            lead_minutes: 30,
            notice_from: self.clock.now(),
            ahead_minutes: None,
            two_step: false,
            must_not: Vec::new(),
        };
        change(&mut spec);
        plan::plan_round(self.store(), &self.config, &spec, self.clock.now())
            .await
            .expect("plans")
            .0
    }

    /// Releases a round with no pace of its own to speak of.
    pub async fn release_at_once(&self, round: RoundId) {
        let now = self.clock.now();
        let started = self.store().start_release(round, 1e9, now, now).await;
        assert!(started.expect("releases"), "it is a draft");
    }

    pub async fn deliveries(&self, round: RoundId) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter {
            round: Some(round),
            ..DeliveryFilter::default()
        };
        self.store().deliveries(&filter, 100_000).await.expect("reads")
    }

    pub async fn count(&self, round: RoundId, state: &str) -> usize {
        let all = self.deliveries(round).await;
        all.iter().filter(|delivery| delivery.state == state).count()
    }

    pub async fn status(&self) -> PacingStatus {
        let row = self.store().pacing().await.expect("reads");
        PacingStatus::of(&self.config, &row, self.clock.now())
    }

    pub async fn by_hand(&self, what: &str, reason: &str) {
        self.store()
            .set_pacing_by_hand(what, "王主任", reason, self.clock.now())
            .await
            .expect("on record");
    }

    pub async fn log(&self) -> Vec<(String, String)> {
        let log = self.store().pacing_log(100).await.expect("reads");
        log.into_iter()
            .rev()
            .map(|entry| (entry.what, entry.actor))
            .collect()
    }
}

async fn load(Shared(feed): Shared<Feed>) -> Result<Json<LoadReport>, StatusCode> {
    let report = *feed.lock().expect("not poisoned");
    report.map(Json).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

pub async fn step(pacer: &Pacer) -> Option<Decision> {
    pacer.step().await.expect("steps")
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_to_steer_by_rounds_go_at_their_own_pace_and_can_be_held_all_the_same() {
    on_both(async |test| {
        let mut world = World::new(test).await;
        world.config.registration.url = None;
        world.config.pacing.nominal_capacity = None;
        world.import(&many(8)).await;
        let round = world.plan(|_| {}).await;
        world.release_at_once(round).await;
        let (pacer, releaser) = (world.pacer(), world.releaser());
        assert!(step(&pacer).await.is_none());
        let status = world.status().await;
        assert_eq!((status.mode.as_str(), status.per_second), ("unsteered", None));
        assert!(
            status.words().contains("Set registration.url"),
            "{}",
            status.words()
        );

        world.by_hand(pacer::HELD, "the hall is closed").await;
        step(&pacer).await;
        assert_eq!(releaser.step().await.expect("steps"), 0, "held");
        assert_eq!(world.status().await.mode, "paused");
        world.by_hand("", "").await;
        step(&pacer).await;
        assert_eq!(releaser.step().await.expect("steps"), 8);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_capacity_alone_gives_the_safe_rate_at_once() {
    let mut world = World::new(sqlite().await).await;
    world.config.registration.url = None;
    let decision = step(&world.pacer()).await.expect("steered");
    assert_eq!(decision.mode, Mode::Blind);
    // 30 % of 0.85 · 2 sessions a second, less 3 % who come anyway; 81 % of those told come because of it.
    let safe = (0.3 * 0.85 - 0.03) * CAPACITY / 0.81;
    assert!(
        (decision.per_second - safe).abs() < 1e-6,
        "{}",
        decision.per_second
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_capacity_is_heard_from_the_feed_where_it_is_not_set() {
    on_both(async |test| {
        let mut world = World::new(test).await;
        world.config.pacing.nominal_capacity = None;
        let pacer = world.pacer();
        let decision = step(&pacer).await.expect("steered");
        assert_eq!((decision.mode, decision.per_second), (Mode::Blind, 0.0));
        assert!(world.status().await.words().contains("nominal_capacity"));
        let decision = world.periods(&pacer, 1, (0.5, 0.0, 0.0)).await;
        assert_eq!(decision.mode, Mode::Steady);
        let known = world.store().pacing().await.expect("reads").nominal_capacity;
        assert!(
            known.is_some_and(|known| (known - CAPACITY).abs() < 1e-9),
            "{known:?}"
        );
        // Less is heard later: that is trouble, and no smaller system.
        world.periods(&pacer, 1, (0.4, 0.5, 0.0)).await;
        assert_eq!(
            world.store().pacing().await.expect("reads").nominal_capacity,
            known
        );
    })
    .await;
}

/// Promise 3: whatever rounds there are, the city is told no faster than decided, in any stretch of time.
#[tokio::test(flavor = "multi_thread")]
async fn two_rounds_together_pass_the_citys_gate_at_the_decided_rate() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(240)).await;
        let first = world
            .plan(|spec| spec.communities = vec!["梧桐社区".into()])
            .await;
        let second = world
            .plan(|spec| spec.communities = vec!["银杏社区".into()])
            .await;
        world.release_at_once(first).await;
        world.release_at_once(second).await;
        let (pacer, releaser) = (world.pacer(), world.releaser());
        let mut rates: Vec<(DateTime<Utc>, f64)> = Vec::new();
        for _ in 0..24 {
            let decision = world.calm(&pacer, 1).await;
            assert!(decision.per_second > 0.0);
            rates.push((world.clock.now(), decision.per_second));
            for _ in 0..5 {
                while releaser.step().await.expect("steps") > 0 {}
                world.pass(1);
            }
            // `calm` passes the period itself.
            world.clock.advance(TimeDelta::seconds(-5));
        }
        let mut told: Vec<DateTime<Utc>> = Vec::new();
        for round in [first, second] {
            let deliveries = world.deliveries(round).await;
            assert!(deliveries.len() > 20, "{} told of {round}", deliveries.len());
            told.extend(deliveries.iter().map(|delivery| delivery.created_at));
        }
        told.sort_unstable();
        let rate = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        for (from, first) in told.iter().enumerate() {
            for (to, last) in told.iter().enumerate().skip(from) {
                let allowed = rate * ((*last - *first).as_seconds_f64() + CITY_BURST_SECONDS) + 1.0;
                let passed = (to - from + 1) as f64;
                assert!(passed <= allowed + 1e-6, "{passed} told where {allowed} may");
            }
        }
        let whole = (told[told.len() - 1] - told[0]).as_seconds_f64();
        assert!(
            told.len() as f64 > 0.5 * rate * whole,
            "{} in {whole} s",
            told.len()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_pauses_and_holds_what_waits_and_calm_lets_it_go_again() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(40)).await;
        let round = world.plan(|_| {}).await;
        world.release_at_once(round).await;
        let (pacer, releaser) = (world.pacer(), world.releaser());
        world.calm(&pacer, 1).await;
        assert!(releaser.step().await.expect("steps") > 0);
        let waiting = world.count(round, "queued").await;
        assert!(waiting > 0);
        // A reply and a correction wait beside them.
        let contact = world
            .store()
            .contact(&Address::Phone(phone(9)), world.clock.now())
            .await
            .expect("known");
        let mut correction = delivery("correction:1:1:2", contact, NoticeKind::Correction);
        correction.round = Some(round);
        correction.expires_at = world.clock.now() + minutes(600);
        world
            .store()
            .enqueue(&[correction], world.clock.now())
            .await
            .expect("writes");

        let decision = world.trouble(&pacer, 3).await;
        assert_eq!((decision.mode, decision.per_second), (Mode::Paused, 0.0));
        assert_eq!(world.count(round, "held").await, waiting);
        assert_eq!(world.count(round, "queued").await, 1, "the correction goes on");
        assert_eq!(releaser.step().await.expect("steps"), 0, "nothing is released");

        // A new process finds the pause, and a round that is resumed by hand does not escape it.
        for to in [RoundState::Paused, RoundState::Releasing] {
            plan::move_round(world.store(), round, to, world.clock.now())
                .await
                .expect("moves");
        }
        let pacer = world.pacer();
        let decision = world.calm(&pacer, 2).await;
        assert_eq!(decision.mode, Mode::Paused, "{:?}", decision.reasons);
        assert_eq!(world.count(round, "held").await, waiting);

        let decision = world.calm(&pacer, 25).await;
        assert_ne!(decision.mode, Mode::Paused, "{:?}", decision.reasons);
        assert_eq!(world.count(round, "held").await, 0);
        assert!(releaser.step().await.expect("steps") > 0, "releases go on");
        let log = world.log().await;
        let whats: Vec<&str> = log.iter().map(|(what, _)| what.as_str()).collect();
        let expected = ["slowed", "paused", "pause", "recovering", "resume"];
        let mut found = whats.iter();
        assert!(
            expected.iter().all(|what| found.any(|other| other == what)),
            "{whats:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_declares_an_incident_where_that_is_set_and_what_it_holds_waits_for_its_end() {
    on_both(async |test| {
        let mut world = World::new(test).await;
        world.config.incidents.open_on_pause = true;
        world.import(&many(40)).await;
        let round = world.plan(|_| {}).await;
        world.release_at_once(round).await;
        let pacer = world.pacer();
        world.calm(&pacer, 1).await;
        let told = world.releaser().step().await.expect("steps");
        world.trouble(&pacer, 4).await;
        let open = world.store().open_incidents().await.expect("reads");
        assert_eq!(open.len(), 1, "one, however long it lasts");
        assert!(
            open[0].scope.is_everywhere() && open[0].reason.contains("fail"),
            "{}",
            open[0].reason
        );
        let decision = world.periods(&pacer, 60, (0.5, 0.0, 0.0)).await;
        assert_ne!(decision.mode, Mode::Paused);
        assert_eq!(world.count(round, "held").await, told, "a person closes it");
        assert_eq!(world.releaser().step().await.expect("steps"), 0);
        let closed = world
            .store()
            .close_incident(open[0].id, "王主任", "it works", world.clock.now());
        assert!(closed.await.expect("closes"));
        world.calm(&pacer, 1).await;
        assert_eq!(world.count(round, "held").await, 0);
        let minutes = world
            .store()
            .load_minutes(afternoon(), world.clock.now())
            .await
            .expect("reads");
        assert!(
            minutes
                .iter()
                .any(|minute| minute.mode == "paused" && minute.error_rate > 0.3)
        );
    })
    .await;
}

/// An incident holds a round; it may not make the round slow, neither one released meanwhile nor one that waited.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_an_incident_held_is_told_faster_afterwards() {
    on_both(async |test| {
        let mut world = World::new(test).await;
        world.config.pacing.nominal_capacity = None;
        world.config.registration = weir::config::RegistrationConfig::default();
        world.import(&many(400)).await;
        let (store, now) = (world.store().clone(), world.clock.now());
        let held = world.plan(|_| {}).await;
        let pace = async |round| {
            let round = store.round(round).await.expect("reads").expect("is there");
            round.pace_per_minute.expect("is released")
        };
        let incident = NewIncident {
            reason: "the system is down".into(),
            actor: "a test".into(),
            ..NewIncident::default()
        };
        let (incident, _) = store
            .open_incident(&incident, now + minutes(60), now)
            .await
            .expect("opens");
        plan::release_round(&store, held, false, now)
            .await
            .expect("releases");
        assert!(
            pace(held).await > 3.0,
            "400 contacts have two hours: {}",
            pace(held).await
        );
        let releaser = world.releaser();
        releaser.step().await.expect("steps");
        world.clock.advance(minutes(30));
        releaser.step().await.expect("steps");
        let before = pace(held).await;
        assert!(
            store
                .close_incident(incident, "a test", "it works", world.clock.now())
                .await
                .expect("closes")
        );
        releaser.step().await.expect("steps");
        assert!(
            pace(held).await > before * 1.2,
            "{before} then {}",
            pace(held).await
        );
    })
    .await;
}

/// Later windows move where the system cannot take them, and the forecast knows who may come at the old time.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_moves_windows_later() {
    let mut world = World::new(sqlite().await).await;
    // Three a minute, where the sites take eight.
    world.config.pacing.nominal_capacity = Some(0.05);
    world.import(&many(40)).await;
    let round = world.plan(|_| {}).await;
    plan::release_round(world.store(), round, false, world.clock.now())
        .await
        .expect("releases");
    let (pacer, releaser) = (world.pacer(), world.releaser());
    world.calm(&pacer, 1).await;
    for _ in 0..(40 * 12) {
        world.calm(&pacer, 1).await;
        releaser.step().await.expect("steps");
    }
    let told = world.store().told(round).await.expect("reads").0;
    assert!(told > 5, "{told}");
    let before = world.store().windows(round).await.expect("reads");
    // Half an hour before the first windows everything breaks down.
    world.clock.set(before[0].starts_at - minutes(20));
    for _ in 0..24 {
        world.trouble(&pacer, 1).await;
        pacer.carry_out().await;
    }
    let after = world.store().windows(round).await.expect("reads");
    let start = |windows: &[weir::domain::Window], unit| {
        windows
            .iter()
            .find(|window| window.unit == unit)
            .map(|window| window.starts_at)
    };
    let later = before
        .iter()
        .filter(|window| start(&after, window.unit) > Some(window.starts_at))
        .count();
    assert!(later > 0, "windows move later");
    assert!(
        before
            .iter()
            .all(|window| start(&after, window.unit) >= Some(window.starts_at)),
        "and none earlier"
    );
    let log = world.log().await;
    assert!(
        log.iter().any(|(what, _)| what.contains("units moved")),
        "{log:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_for_too_long_expires() {
    let world = World::new(sqlite().await).await;
    world.import(&many(8)).await;
    let round = world.plan(|_| {}).await;
    world.release_at_once(round).await;
    let pacer = world.pacer();
    world.calm(&pacer, 1).await;
    let told = world.releaser().step().await.expect("steps");
    world.trouble(&pacer, 3).await;
    assert_eq!(world.count(round, "held").await, told);
    world.clock.advance(TimeDelta::hours(5));
    world.store().expire(world.clock.now()).await.expect("expires");
    world.calm(&pacer, 30).await;
    assert_eq!(world.count(round, "expired").await, told);
    assert_eq!(world.count(round, "queued").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_of_the_feed_and_of_the_pacer_falls_to_the_safe_rate() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(400)).await;
        let round = world.plan(|_| {}).await;
        world.release_at_once(round).await;
        let pacer = world.pacer();
        world.calm(&pacer, 1).await;
        world.falls_silent();
        for _ in 0..5 {
            world.pass(5);
            step(&pacer).await;
        }
        let status = world.status().await;
        assert_eq!(status.mode, "blind", "{:?}", status.reasons);
        assert!(status.words().contains("silent for 25 s"), "{}", status.words());
        assert_eq!(status.load_age_seconds, Some(25));
        let rate = status.per_second.expect("steered");
        // So small a system is never brought near its set point, so the safe rate is held against that.
        let at_set_point = world.config.pacing.set_point * CAPACITY / 0.81;
        assert!(
            rate > 0.0 && rate < 0.6 * at_set_point,
            "{rate} of {at_set_point}"
        );

        // It comes back by itself.
        let again = world.calm(&pacer, 1).await;
        assert_eq!(again.mode, Mode::Steady);

        // Now nobody decides any more: the releaser falls to the safe rate by itself, and keeps to it.
        world.pass(21);
        let row = world.store().pacing().await.expect("reads");
        assert_eq!(
            pacer::city_pace(&world.config, &row, world.clock.now()),
            CityPace::PerSecond(row.safe_per_second)
        );
        assert!(world.status().await.stale);
        let releaser = world.releaser();
        let before = world.deliveries(round).await.len();
        for _ in 0..60 {
            while releaser.step().await.expect("steps") > 0 {}
            world.pass(1);
        }
        let told = (world.deliveries(round).await.len() - before) as f64;
        let allowed = row.safe_per_second * (60.0 + CITY_BURST_SECONDS) + 1.0;
        assert!(told <= allowed && told > 0.7 * allowed, "{told} of {allowed}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_holds_frees_and_leaves_it_again_on_record() {
    on_both(async |test| {
        let world = World::new(test).await;
        let pacer = world.pacer();
        world.calm(&pacer, 1).await;
        world.by_hand(pacer::HELD, "the hall is closed").await;
        let decision = world.calm(&pacer, 1).await;
        assert_eq!((decision.mode, decision.per_second), (Mode::Paused, 0.0));
        let status = world.status().await;
        assert_eq!(
            status.by_hand.as_ref().map(|by| by.reason.as_str()),
            Some("the hall is closed")
        );
        assert!(status.words().contains("held by hand"), "{}", status.words());
        world.by_hand("", "").await;
        assert_eq!(world.calm(&pacer, 1).await.mode, Mode::Steady);

        world.trouble(&pacer, 3).await;
        world
            .by_hand(pacer::FREED, "the feed is wrong: I see the hall")
            .await;
        let decision = world.trouble(&pacer, 1).await;
        assert!(
            decision.per_second > 0.0 && decision.mode != Mode::Paused,
            "{decision:?}"
        );
        // Once all is well again nobody needs to remember to undo it.
        world.periods(&pacer, 200, (0.5, 0.0, 0.0)).await;
        assert_eq!(world.status().await.mode, "steady");
        assert_eq!(world.status().await.by_hand, None);
        let log = world.log().await;
        for expected in [
            ("held", "王主任"),
            ("auto", "王主任"),
            ("freed", "王主任"),
            ("auto", "law"),
        ] {
            assert!(
                log.iter()
                    .any(|(what, actor)| (what.as_str(), actor.as_str()) == expected),
                "{expected:?} in {log:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_steps_tell_the_window_first_and_the_link_when_it_has_come_in_order() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(30)).await;
        let round = world.plan(|spec| spec.two_step = true).await;
        world.release_at_once(round).await;
        let (pacer, releaser) = (world.pacer(), world.releaser());
        world.calm(&pacer, 1).await;
        while releaser.step().await.expect("steps") > 0 {}
        let first = world.deliveries(round).await;
        assert_eq!(
            first.len(),
            30,
            "the first of two brings nobody online: all are told at once"
        );
        assert!(first.iter().all(|delivery| delivery.key.starts_with("window:")));

        let windows = world.store().windows(round).await.expect("reads");
        let start = windows[0].starts_at;
        world.clock.set(start - minutes(1));
        world.calm(&pacer, 1).await;
        releaser.step().await.expect("steps");
        assert!(calls(&world, round).await.is_empty(), "not before its window");
        world.clock.set(start);
        for _ in 0..(2 * 3600 / 5) {
            world.calm(&pacer, 1).await;
            while releaser.step().await.expect("steps") > 0 {}
        }
        let calls = calls(&world, round).await;
        assert_eq!(calls.len(), 30);
        for (unit, window) in windows.iter().enumerate() {
            let at = calls[unit];
            assert!(at >= window.starts_at, "{at} before {}", window.starts_at);
            assert!(
                at < window.starts_at + minutes(10),
                "{at} long after {}",
                window.starts_at
            );
        }
        let row = world
            .store()
            .told_by_bucket(start - minutes(5), TimeDelta::hours(9))
            .await;
        let told: u64 = row.expect("reads").iter().map(|bucket| bucket.sms).sum();
        assert_eq!(told, 30, "the call counts as the telling");
        let starts = world
            .store()
            .told_by_start(start, start + TimeDelta::hours(9))
            .await;
        assert!(
            starts.expect("reads").is_empty(),
            "and its window brings nobody by itself"
        );
    })
    .await;
}

/// When each call was written, the earliest first.
async fn calls(world: &World, round: RoundId) -> Vec<DateTime<Utc>> {
    let mut calls: Vec<_> = world
        .deliveries(round)
        .await
        .into_iter()
        .filter(|delivery| delivery.key.starts_with("call:"))
        .map(|delivery| delivery.created_at)
        .collect();
    calls.sort_unstable();
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn no_notice_leaves_further_ahead_than_asked_for() {
    let mut world = World::new(sqlite().await).await;
    world.config.registration.url = None;
    world.config.pacing.nominal_capacity = None;
    world.import(&many(60)).await;
    let round = world
        .plan(|spec| {
            spec.lead_minutes = 20;
            spec.ahead_minutes = Some(40);
        })
        .await;
    plan::release_round(world.store(), round, false, world.clock.now())
        .await
        .expect("releases");
    let releaser = world.releaser();
    for _ in 0..(2 * 60 * 12) {
        world.pass(5);
        while releaser.step().await.expect("steps") > 0 {}
    }
    let deliveries = world.deliveries(round).await;
    let told: Vec<_> = deliveries.iter().filter(|told| told.kind == "window").collect();
    assert_eq!(told.len(), 60);
    for told in told {
        // A window's notice expires at its start.
        let ahead = told.expires_at - told.created_at;
        assert!(ahead <= minutes(40) && ahead >= minutes(20), "{ahead}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_is_known_to_the_forecast_as_counts() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(&many(8)).await;
        let round = world.plan(|_| {}).await;
        world.release_at_once(round).await;
        let pacer = world.pacer();
        world.calm(&pacer, 1).await;
        let releaser = world.releaser();
        for _ in 0..10 {
            releaser.step().await.expect("steps");
            world.calm(&pacer, 1).await;
        }
        let store = world.store();
        let day = TimeDelta::hours(24);
        let now = world.clock.now();
        let told = store
            .told_by_bucket(now - day, TimeDelta::seconds(5))
            .await
            .expect("reads");
        assert_eq!(told.iter().map(|bucket| bucket.sms).sum::<u64>(), 8);
        let starts = store.told_by_start(now, now + day).await.expect("reads");
        assert_eq!(starts.iter().map(|bucket| bucket.sms).sum::<u64>(), 8);
        let rounds = store.told_rounds(now - day).await.expect("reads");
        assert_eq!(
            rounds
                .iter()
                .map(|round| (round.sms, round.chat, round.people))
                .collect::<Vec<_>>(),
            [(8, 0, 8)]
        );
    })
    .await;
}
