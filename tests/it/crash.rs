//! The service is killed, its carriers and its database go away: nothing is lost, and what is repeated is counted.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use weir::{
    channels::{sms::smsc::Fault as CarrierFault, telegram::fake::Fault as TelegramFault},
    clock::Clock,
    domain::RoundId,
};

use crate::{
    app::{TestApp, afternoon, eventually},
    binary::{Serving, write_config},
    round::many,
    support::{TestStore, on_both, postgres, sqlite},
};

/// A world on the machine's time, with a city and a round for tomorrow.
async fn city(test: TestStore, people: u32, parts_per_second: u32) -> (TestApp, RoundId) {
    let app = TestApp::set(test, Clock::System, |scene| {
        for carrier in &mut scene.config.sms.smpp {
            carrier.parts_per_second = parts_per_second;
        }
    })
    .await;
    app.import(&many(people)).await;
    let (round, _) = app
        .plan_as(|spec| {
            spec.date = spec.date.succ_opt().expect("a day");
            spec.until = spec.date;
        })
        .await;
    (app, round)
}

async fn taken(app: &TestApp, texts: usize) {
    eventually(&format!("{texts} texts at the carrier"), async || {
        (app.smsc.submitted().len() >= texts).then_some(())
    })
    .await;
}

/// Every resident has been told their own home's window; who was told twice is on record as perhaps told twice.
/// Gives how many were.
async fn reconcile(app: &TestApp, round: RoundId, people: u32) -> usize {
    let mut texts: HashMap<String, Vec<String>> = HashMap::new();
    for sent in app.smsc.submitted() {
        texts.entry(sent.to).or_default().push(sent.text);
    }
    let deliveries = app.deliveries(round).await;
    assert_eq!(
        deliveries.len(),
        people as usize,
        "one for each, however often it was tried"
    );
    let mut twice = 0;
    for n in 0..people {
        let phone = format!("+8619901{n:06}");
        let told = texts.remove(&phone).unwrap_or_default();
        assert!(!told.is_empty(), "{phone} was told nothing");
        let home = format!("{}栋{}单元", n / 4 + 1, n % 4 + 1);
        assert!(
            told.iter().all(|text| text.contains(&home)),
            "{phone} of {home}: {told:?}"
        );
        let masked = format!("+86199****{:04}", n % 10_000);
        let delivery = deliveries
            .iter()
            .find(|delivery| delivery.to == masked)
            .expect("on record");
        assert_eq!(delivery.state, "delivered", "{:?}", delivery.history);
        let repeats = told.len() as i64 - 1;
        assert!(
            repeats <= delivery.repeats,
            "{repeats} repeats, {} on record",
            delivery.repeats
        );
        twice += repeats as usize;
    }
    assert!(texts.is_empty(), "somebody else was told: {}", texts.len());
    twice
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_in_mid_release_nobody_is_left_out() {
    const PEOPLE: u32 = 400;
    const KILLS: usize = 3;
    /// What may await its answer at the carrier, and what was answered a moment ago and is not on record yet.
    const IN_FLIGHT_MAX: usize = 32 + 32;
    on_both(async |test| {
        let (app, round) = city(test, PEOPLE, 300).await;
        let folder = write_config(&app);
        app.release_at_once(round).await;
        for kill in 1..=KILLS {
            let serving = Serving::start(&folder, &[]);
            taken(&app, kill * 90).await;
            serving.kill(&app).await;
        }
        assert!(
            app.smsc.submitted().len() < PEOPLE as usize,
            "each time in mid-release"
        );
        let serving = Serving::start(&folder, &[]);
        app.settled(round).await;
        let twice = reconcile(&app, round, PEOPLE).await;
        assert!(twice <= KILLS * IN_FLIGHT_MAX, "{twice} told twice");

        let (code, took) = serving.terminate().await;
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(10), "{took:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_in_mid_release_it_leaves_nothing_in_flight() {
    on_both(async |test| {
        let (app, round) = city(test, 300, 200).await;
        let folder = write_config(&app);
        app.release_at_once(round).await;
        let serving = Serving::start(&folder, &[]);
        taken(&app, 50).await;
        let (code, took) = serving.terminate().await;
        assert_eq!(
            code,
            Some(0),
            "{}",
            std::fs::read_to_string(folder.join("serve.log")).unwrap_or_default()
        );
        assert!(took < Duration::from_secs(10), "{took:?}");
        let sent = app.smsc.submitted().len();
        assert!(sent < 300, "in mid-release");
        assert_eq!(app.count(round, "window", "sending").await, 0);
        assert!(app.count(round, "window", "queued").await > 0);

        let serving = Serving::start(&folder, &[]);
        app.settled(round).await;
        let twice = reconcile(&app, round, 300).await;
        assert_eq!(twice, 0, "a stop in order repeats nothing");
        serving.terminate().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_stands_by_and_takes_over() {
    let (app, round) = city(sqlite().await, 200, 100).await;
    let folder = write_config(&app);
    let mut first = Serving::start(&folder, &[]);
    first.in_state("active").await;
    let second = Serving::start(&folder, &[]);
    second.in_state("standby").await;
    assert_eq!(second.get("/readyz").await.map(|(status, _)| status), Some(200));
    app.release_at_once(round).await;
    taken(&app, 20).await;
    assert_eq!(app.smsc.binds(), 1, "only one of them speaks to the carrier");
    // Killed, it cannot give its turn back: the second waits until that ends by itself.
    first.child.kill().await.expect("it can be killed");
    second.in_state("active").await;
    app.settled(round).await;
    reconcile(&app, round, 200).await;
    second.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_is_cut_off_or_hangs_in_mid_release_loses_nothing() {
    on_both(async |test| {
        let (mut app, round) = city(test, 250, 200).await;
        app.start_service();
        app.release_at_once(round).await;
        taken(&app, 40).await;
        app.smsc.set_fault(CarrierFault::Cut);
        tokio::time::sleep(Duration::from_millis(700)).await;
        app.smsc.set_fault(CarrierFault::None);
        taken(&app, 100).await;
        app.smsc.set_fault(CarrierFault::Hang);
        tokio::time::sleep(Duration::from_millis(700)).await;
        app.smsc.set_fault(CarrierFault::Cut);
        tokio::time::sleep(Duration::from_millis(100)).await;
        app.smsc.set_fault(CarrierFault::None);
        app.settled(round).await;
        reconcile(&app, round, 250).await;
        app.stop_service().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_that_fails_loses_nothing() {
    survives(TelegramFault::ServerError).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_that_hangs_loses_nothing() {
    survives(TelegramFault::Hang).await;
}

async fn survives(fault: TelegramFault) {
    let app = TestApp::start_with(sqlite().await, Clock::manual(afternoon()), |_| {}).await;
    app.import(&many(4)).await;
    app.link(600, "zh-hans", "+8619901000001").await;
    let (round, _) = app.plan().await;
    let before = app.to_chat(600).len();
    app.bot_api.set_fault(fault);
    app.release_at_once(round).await;
    eventually("text messages are not held up", async || {
        (app.count(round, "window", "delivered").await == 3).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    app.bot_api.set_fault(TelegramFault::None);
    app.settled(round).await;
    let told = app.to_chat(600).len() - before;
    assert_eq!(told, 1, "{fault:?}");
    let by_chat = app
        .deliveries(round)
        .await
        .into_iter()
        .find(|delivery| delivery.channel == "telegram");
    let by_chat = by_chat.expect("on record");
    assert!(
        by_chat.attempts > 1 && by_chat.state == "sent",
        "{:?}",
        by_chat.history
    );
}

/// A way to PostgreSQL that can be cut.
pub struct Road {
    pub port: u16,
    to: SocketAddr,
    traffic: Option<JoinSet<()>>,
}

impl Road {
    pub fn closed(port: u16, to: SocketAddr) -> Self {
        Self {
            port,
            to,
            traffic: None,
        }
    }

    pub async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port))
            .await
            .expect("the port is free");
        let to = self.to;
        let mut traffic = JoinSet::new();
        traffic.spawn(async move {
            // Dropped with this loop, and so cut.
            let mut connections = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                connections.spawn(async move {
                    if let Ok(mut to) = TcpStream::connect(to).await {
                        // Either end may go away.
                        let _ = copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
        self.traffic = Some(traffic);
    }

    pub async fn cut(&mut self) {
        if let Some(mut traffic) = self.traffic.take() {
            traffic.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_the_service_stays_up_and_goes_on_afterwards() {
    let Some(test) = postgres().await else { return };
    let mut url: reqwest::Url = test.url.parse().expect("a URL");
    let server = format!(
        "{}:{}",
        url.host_str().expect("a host"),
        url.port().unwrap_or(5432)
    );
    let server = tokio::net::lookup_host(server)
        .await
        .expect("resolves")
        .next()
        .expect("an address");
    let mut road = Road::closed(crate::binary::free_port(), server);
    let (app, round) = city(test, 200, 150).await;
    let folder = write_config(&app);
    url.set_port(Some(road.port)).expect("it has a host");
    let config = std::fs::read_to_string(folder.join("weir.toml")).expect("written");
    app.write("weir.toml", &config.replace(&app.test.url, url.as_str()));

    // Away from the start: up, alive, and not ready.
    let serving = Serving::start(&folder, &[]);
    eventually("it is alive", async || {
        serving.get("/healthz").await.filter(|(status, _)| *status == 200)
    })
    .await;
    let (status, body) = serving.get("/readyz").await.expect("answers");
    assert_eq!(status, 503, "{body}");
    road.open().await;
    serving.in_state("active").await;

    // Away in mid-release.
    app.release_at_once(round).await;
    taken(&app, 40).await;
    road.cut().await;
    eventually("it is not ready", async || {
        serving.get("/readyz").await.filter(|(status, _)| *status == 503)
    })
    .await;
    assert_eq!(serving.get("/healthz").await.map(|(status, _)| status), Some(200));
    road.open().await;
    app.settled(round).await;
    let twice = reconcile(&app, round, 200).await;
    assert_eq!(
        twice, 0,
        "what was sent meanwhile is recorded once the database is back"
    );
    assert_eq!(serving.get("/readyz").await.map(|(status, _)| status), Some(200));
    let (code, _) = serving.terminate().await;
    assert_eq!(code, Some(0));
}
