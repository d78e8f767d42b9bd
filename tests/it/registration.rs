//! The registration system over real sockets: the simulator, and servers that answer anything but the contract.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use weir::{
    clock::Clock,
    config::RegistrationConfig,
    domain::ProofResult,
    registration::{
        Person, Registered, Registration, RegistrationClient, RegistrationError,
        simulator::{self, Control, Moved, People, RegistrationSim, SimOptions, Told},
    },
};

use crate::{
    app::eventually,
    binary::{err, json as json_of, out, run},
    support::{evening, phone},
};

const TOKEN: &str = "the-secret-token";
const SECRET_REF: &str = "510104-secret/../ref";
const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A simulator ten times as fast as the machine, whose clock can also be set on by hand.
struct World {
    clock: Clock,
    sim: RegistrationSim,
    _time: JoinSet<()>,
    _stop: DropGuard,
}

impl World {
    async fn start(capacity: f64) -> Self {
        let clock = Clock::manual(evening());
        let stop = CancellationToken::new();
        let options = SimOptions {
            token: Some(TOKEN.into()),
            ..SimOptions::reference(capacity, clock.clone())
        };
        let sim = RegistrationSim::start(HERE, options, stop.clone())
            .await
            .expect("listens");
        let mut time = JoinSet::new();
        let hands = clock.clone();
        time.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                hands.advance(TimeDelta::milliseconds(100));
            }
        });
        Self {
            clock,
            sim,
            _time: time,
            _stop: stop.drop_guard(),
        }
    }

    fn client(&self) -> RegistrationClient {
        client(&self.sim.url(), |_| ())
    }

    /// Waits until a report newer than all before is there.
    async fn new_load(&self, client: &RegistrationClient) -> weir::domain::LoadSample {
        let reading = eventually("a new load", async || {
            let reading = client.load(self.clock.now()).await.ok()?;
            reading.is_new.then_some(reading)
        })
        .await;
        reading.sample
    }
}

fn client(url: &str, change: impl FnOnce(&mut RegistrationConfig)) -> RegistrationClient {
    let mut config = RegistrationConfig {
        url: Some(url.into()),
        token: Some(TOKEN.into()),
        ..RegistrationConfig::default()
    };
    change(&mut config);
    RegistrationClient::new(&config)
        .expect("good settings")
        .expect("an address is set")
}

fn registration(person: Person) -> Registration {
    Registration {
        person,
        round: "round-1".into(),
        unit: "梧桐社区 1栋 1单元".into(),
        source: "sheet".into(),
    }
}

/// A server that gives each connection the next of its answers, whatever is asked, and the last for ever.
struct Canned {
    url: String,
    asked: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Canned {
    async fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind(HERE).await.expect("listens");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 16 * 1024];
                let _ = stream.read(&mut request).await;
                let number = count.fetch_add(1, Ordering::SeqCst);
                let answer = answers.get(number).or(answers.last()).expect("an answer");
                let _ = stream.write_all(answer).await;
                if answer.is_empty() {
                    // Nothing at all, for longer than anybody waits.
                    tokio::time::sleep(Duration::from_secs(3)).await;
                }
                let _ = stream.shutdown().await;
            }
        });
        Self {
            url,
            asked,
            _task: task,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// One answer, after which the connection closes.
fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_registered_once_and_their_tests_are_known_hours_later() {
    let world = World::start(100.0).await;
    let client = world.client();
    let now = || world.clock.now();
    assert_eq!(
        client.proofs(SECRET_REF, now()).await,
        Err(RegistrationError::Unknown)
    );
    let by_ref = registration(Person::Ref(SECRET_REF.into()));
    assert_eq!(
        client.register(&by_ref, "key-1", now()).await,
        Ok(Registered::New)
    );
    assert_eq!(
        client.register(&by_ref, "key-1", now()).await,
        Ok(Registered::Known)
    );
    assert_eq!(
        client.register(&by_ref, "key-2", now()).await,
        Ok(Registered::Known)
    );
    let by_name = registration(Person::Named {
        name: "陈桂英".into(),
        phone: phone(1),
    });
    assert_eq!(
        client.register(&by_name, "key-3", now()).await,
        Ok(Registered::New)
    );
    assert_eq!(client.proofs(SECRET_REF, now()).await, Ok(Vec::new()));
    world.clock.advance(TimeDelta::hours(13));
    let proofs = client.proofs(SECRET_REF, now()).await.expect("known");
    assert_eq!(proofs.len(), 1);
    assert_eq!(proofs[0].result, ProofResult::Negative);
    assert!(proofs[0].reported_at.is_some_and(|at| at > proofs[0].sampled_at));

    let stranger = self::client(&world.sim.url(), |config| config.token = Some("wrong".into()));
    let refused = Err(RegistrationError::Refused { code: 401 });
    assert_eq!(stranger.register(&by_ref, "key-4", now()).await, refused);
    assert_eq!(
        stranger.load(now()).await.expect_err("refused").to_string(),
        "the registration system refused with 401: look at registration.token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_switch_does_shows_in_the_load() {
    let world = World::start(100.0).await;
    let client = world.client();
    let calm = world.new_load(&client).await;
    assert_eq!(calm.capacity_per_second, Some(100.0));
    let again = client.load(world.clock.now()).await.expect("kept");
    assert!(!again.is_new, "it is kept for a period");
    let change = Control {
        capacity_factor: Some(0.4),
        error_rate: Some(1.0),
        ..Control::default()
    };
    world.sim.control(&change).expect("changed");
    let failed = client
        .register(&registration(Person::Ref("a".into())), "key", world.clock.now())
        .await;
    assert!(
        matches!(failed, Err(RegistrationError::Unavailable { .. })),
        "{failed:?}"
    );
    let dropped = eventually("the drop shows", async || {
        let load = world.new_load(&client).await;
        (load.capacity_per_second == Some(40.0) && load.error_rate > 0.0).then_some(load)
    })
    .await;
    assert!(dropped.as_of > calm.as_of);
    let bad = Control {
        error_rate: Some(1.5),
        ..Control::default()
    };
    assert!(world.sim.control(&bad).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_or_frozen_feed_grows_old_and_comes_back_by_itself() {
    let world = World::start(100.0).await;
    let client = self::client(&world.sim.url(), |config| {
        config.timeout = Duration::from_millis(300);
    });
    let set = |silent, frozen| {
        let control = Control {
            silent: Some(silent),
            frozen: Some(frozen),
            ..Control::default()
        };
        world.sim.control(&control).expect("changed");
    };
    let age = || {
        client
            .latest_load(world.clock.now())
            .map_or(0, |(_, age)| age.as_secs())
    };
    assert!(client.latest_load(world.clock.now()).is_none());
    world.new_load(&client).await;
    set(false, true);
    world.clock.advance(TimeDelta::seconds(30));
    let frozen = client.load(world.clock.now()).await.expect("an answer");
    world.clock.advance(TimeDelta::seconds(30));
    let still = client.load(world.clock.now()).await.expect("an answer");
    assert!(!still.is_new && still.age > frozen.age, "{frozen:?} {still:?}");
    assert!(age() >= 30);
    set(true, false);
    world.clock.advance(TimeDelta::seconds(10));
    let silent = client.load(world.clock.now()).await.expect_err("no answer");
    assert!(silent.to_string().contains("does not answer in time"), "{silent}");
    assert!(age() >= 40);
    set(false, false);
    world.new_load(&client).await;
    assert!(age() < 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_comes_from_metrics_with_names_as_configured() {
    let world = World::start(100.0).await;
    let metrics = format!("{}/metrics", world.sim.url());
    let by_default = client("http://127.0.0.1:9", |config| config.metrics_url = Some(metrics));
    let first = by_default
        .load(world.clock.now())
        .await
        .expect_err("one scrape has no rate");
    assert!(
        matches!(first, RegistrationError::Unavailable { .. }),
        "{first:?}"
    );
    let load = world.new_load(&by_default).await;
    assert_eq!(load.capacity_per_second, Some(100.0));

    let scrape = |count: u32| {
        let text = format!(
            "# TYPE jobs counter\njobs{{state=\"done\"}} {count}\njobs{{state=\"new\"}} 7\nbusy{{host=\"a\"}} 0.25\n"
        );
        answer("200 OK", "", text)
    };
    let server = Canned::start(vec![scrape(100), scrape(200), scrape(200)]).await;
    let named = client("http://127.0.0.1:9", |config| {
        config.metrics_url = Some(server.url.clone());
        config.metrics.completed = "jobs{state=\"done\"}".parse().ok();
        config.metrics.utilisation = "busy".parse().ok();
    });
    let at = |second: i64| evening() + TimeDelta::seconds(second);
    assert!(named.load(at(0)).await.is_err());
    let reading = named.load(at(10)).await.expect("a rate");
    assert!(
        (reading.sample.completed_per_second - 10.0).abs() < 0.5,
        "{reading:?}"
    );
    assert!((reading.sample.utilisation - 0.25).abs() < 1e-9 && reading.is_new);
    let copy = named.load(at(20)).await.expect("the last is known");
    assert!(!copy.is_new && copy.age.as_secs() >= 9, "{copy:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_system_says_when_to_come_again() {
    let server = Canned::start(vec![answer("429 Too Many Requests", "retry-after: 17\r\n", "{}")]).await;
    let refused = client(&server.url, |_| ())
        .register(&registration(Person::Ref("a".into())), "key", evening())
        .await;
    let Err(RegistrationError::Unavailable { retry_after, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(retry_after, Duration::from_secs(17));

    let world = World::start(1.0).await;
    world
        .sim
        .control(&Control {
            capacity_factor: Some(0.0),
            ..Control::default()
        })
        .expect("changed");
    let client = world.client();
    let mut calls = JoinSet::new();
    for number in 0..25 {
        let (client, now) = (client.clone(), world.clock.now());
        calls.spawn(async move {
            let person = registration(Person::Ref(number.to_string()));
            client.register(&person, &number.to_string(), now).await
        });
    }
    let results = calls.join_all().await;
    let full = results.iter().filter(|result| match result {
        Err(error) => error.to_string().contains("asked too much"),
        Ok(_) => false,
    });
    assert!(full.count() >= 5, "a backlog of 20 is all it takes: {results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_system_is_left_alone_and_tried_again() {
    let broken = answer("500 Internal Server Error", "", "no");
    let mut answers = vec![broken; 6];
    answers.push(answer("200 OK", "", "[]"));
    let server = Canned::start(answers).await;
    let client = client(&server.url, |_| ());
    let at = |second: i64| evening() + TimeDelta::seconds(second);
    for _ in 0..5 {
        assert!(client.proofs("a", at(0)).await.is_err());
    }
    let open = client.proofs("a", at(2)).await.expect_err("left alone");
    assert!(open.to_string().contains("left alone"), "{open}");
    assert_eq!(server.asked(), 5);
    assert!(client.proofs("a", at(6)).await.is_err(), "the probe fails");
    assert!(client.proofs("a", at(12)).await.is_err(), "twice as long now");
    assert_eq!(server.asked(), 6);
    assert_eq!(client.proofs("a", at(17)).await, Ok(Vec::new()));
    assert_eq!(client.proofs("a", at(18)).await, Ok(Vec::new()), "kept");
    assert_eq!(server.asked(), 7);
    assert!(client.proofs("b", at(19)).await.is_ok(), "closed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_are_bounded_and_say_nothing_of_people() {
    let elsewhere = Canned::start(vec![answer("200 OK", "", "[]")]).await;
    let load = r#"{"as_of":"2026-09-02T10:00:00Z","completed_per_second":1,"utilisation":0.5,"#;
    let with = |rest: &str| answer("200 OK", "", format!("{load}{rest}}}"));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "4 MB",
            answer("200 OK", "", vec![b' '; 4 << 20]),
            "longer than 64 KiB",
        ),
        ("no UTF-8", answer("200 OK", "", b"\xff\xfe\x00"), "UTF-8"),
        (
            "a page",
            answer("200 OK", "content-type: text/html\r\n", "<html>510104-secret"),
            "page",
        ),
        ("no JSON", answer("200 OK", "", "510104-secret"), "line 1"),
        ("NaN", with("\"queue_seconds\":NaN"), "JSON"),
        ("huge", with("\"queue_seconds\":1e999"), "JSON"),
        ("negative", with("\"queue_seconds\":-1"), "queue_seconds"),
        ("per cent", with("\"error_rate\":3"), "error_rate"),
        (
            "no instant",
            answer("200 OK", "", "{\"utilisation\":0.5}"),
            "JSON",
        ),
        (
            "the future",
            answer("200 OK", "", load.replace("2026", "2036") + "\"p95_ms\":1}"),
            "clock",
        ),
        ("slow", Vec::new(), "in time"),
        (
            "cut short",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec(),
            "broke",
        ),
        ("no HTTP", b"\x00\x01\x02".to_vec(), "broke"),
        (
            "redirect",
            answer(
                "302 Found",
                &format!("location: {}/v1/load\r\n", elsewhere.url),
                "",
            ),
            "not followed",
        ),
        ("status", answer("204 No Content", "", ""), "204"),
        ("not found", answer("404 Not Found", "", ""), "registration.url"),
    ];
    for (name, answer, word) in cases {
        let server = Canned::start(vec![answer]).await;
        let client = client(&server.url, |config| config.timeout = Duration::from_millis(500));
        let of_load = client.load(evening()).await.expect_err(name);
        assert!(of_load.to_string().contains(word), "{name}: {of_load}");
        let of_person = client.proofs(SECRET_REF, evening()).await.expect_err(name);
        for error in [of_load, of_person] {
            let said = format!("{error} {error:?}");
            assert!(!said.contains("secret"), "{name}: {said}");
        }
    }
    assert_eq!(elsewhere.asked(), 0, "the token is taken nowhere else");
    let gone = client("http://127.0.0.1:9", |_| ());
    let error = gone.load(evening()).await.expect_err("nobody listens");
    assert!(error.to_string().contains("no connection"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_by_real_requests_and_try_again() {
    let clock = Clock::fast(evening(), 100.0);
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let sim = RegistrationSim::start(HERE, SimOptions::reference(20.0, clock.clone()), stop)
        .await
        .expect("listens");
    let failing = Control {
        error_rate: Some(0.3),
        strangers_per_second: Some(0.5),
        ..Control::default()
    };
    sim.control(&failing).expect("changed");
    let told = |count, window_starts_at| Told {
        count,
        window_starts_at,
    };
    let people = People {
        told: vec![told(300, None), told(50, Some(evening() + TimeDelta::days(1)))],
        moved: Vec::new(),
        calmed: Vec::new(),
    };
    let answer = simulator::tell(&sim.url(), None, &people).await.expect("answers");
    assert_eq!(answer["told"], 350);
    let view = eventually("most have registered", async || {
        let view = sim.crowd().view();
        (view.registered >= 200).then_some(view)
    })
    .await;
    assert!(
        view.failed > 20 && view.tries >= view.registered + view.failed,
        "{view:?}"
    );
    assert!(view.registered <= view.came && view.came <= 320 && view.told == 350);
    assert!(view.strangers > 0, "{view:?}");
    let moved = [Moved {
        count: 1000,
        from: evening() + TimeDelta::days(1),
        to: evening() + TimeDelta::days(2),
    }];
    assert_eq!(sim.crowd().move_windows(&moved), 50);
    let too_many = [Told {
        count: u32::MAX,
        window_starts_at: None,
    }];
    assert!(!sim.crowd().tell(&too_many));
    let registered = sim.status()["registered"].as_u64().expect("a number");
    assert!(registered >= 200, "people are registered where they say so");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_say_how_it_stands_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = run(folder.path(), &["registration", "load"]).await;
    assert!(!refused.status.success());
    assert!(err(&refused).contains("registration-sim"), "{}", err(&refused));

    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let options = SimOptions {
        token: Some(TOKEN.into()),
        ..SimOptions::reference(50.0, Clock::System)
    };
    let sim = RegistrationSim::start(HERE, options, stop)
        .await
        .expect("listens");
    let url = sim.url();
    let control = ["registration-sim", "control", "--url", &url];
    let token = ["--token", TOKEN];
    let change = [&control[..], &token, &["--capacity-factor", "0.4", "--frozen"]].concat();
    let status = json_of(folder.path(), &change).await;
    assert_eq!(status["condition"]["capacity_factor"], 0.4);
    assert_eq!(status["condition"]["frozen"], true);
    let shown = json_of(folder.path(), &[&control[..], &token].concat()).await;
    assert_eq!(shown["capacity_per_second"], 20.0);
    let wrong = run(
        folder.path(),
        &[&control[..], &token, &["--error-rate", "7"]].concat(),
    )
    .await;
    assert!(err(&wrong).contains("from 0 to 1"), "{}", err(&wrong));
    let stranger = run(folder.path(), &control).await;
    assert!(err(&stranger).contains("401"), "{}", err(&stranger));

    let settings = format!("[registration]\nurl = {url:?}\ntoken = {TOKEN:?}\n");
    std::fs::write(folder.path().join("weir.toml"), settings).expect("written");
    let load = json_of(folder.path(), &["registration", "load"]).await;
    assert_eq!(
        (&load["stale"], &load["load"]["capacity_per_second"]),
        (&json!(false), &json!(50.0))
    );
    let words = run(folder.path(), &["registration", "load"]).await;
    assert!(
        out(&words).contains("capacity     50.0 sessions/s"),
        "{}",
        out(&words)
    );
}
