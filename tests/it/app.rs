//! The real service on a test's store, talking its real protocols to a Bot API and an SMSC on loopback.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir::{
    app::Service,
    channels::{
        sms::smsc::{Smsc, SmscOptions, Submitted},
        telegram::fake::{FakeBotApi, FakeOptions, SentMessage},
    },
    clock::Clock,
    config::{Config, SmppConfig},
    domain::{Address, PhoneNumber, RoundId, UnitPlace, Window},
    release::plan::{self, PlanSummary, Release, RoundSpec},
    roster::import::{self, ImportOptions, ImportReport},
    store::{DeliveryFilter, DeliveryRow, Store},
};

use crate::support::TestStore;

pub const TOKEN: &str = "1000000001:test-test-test-test-test-test-test-1";
/// What a test waits for comes within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(1);
/// Long enough for every idle loop to have looked twice.
const QUIET: Duration = Duration::from_millis(1_200);

pub const ROSTER_HEAD: &str = "district,street,community,building,unit,door,name,phone,language,tags\n";
pub const SITES: &str = "site,district,street,community,address,desks,green_desks,samples_per_desk_hour,opens,closes,lat,lon\n\
    梧桐采样点,锦江区,春熙街道,梧桐社区,梧桐广场,3,1,120,08:00,21:00,,\n\
    银杏采样点,锦江区,春熙街道,银杏社区,银杏广场,2,0,120,08:00,21:00,,\n";

/// How a test sets its world up before the service starts.
pub struct Scene {
    pub config: Config,
    pub bot_api: FakeOptions,
    pub smsc: SmscOptions,
}

/// A service at work, and the world around it.
pub struct TestApp {
    pub test: TestStore,
    pub config: Config,
    pub clock: Clock,
    pub bot_api: FakeBotApi,
    pub smsc: Smsc,
    service: Option<(CancellationToken, JoinSet<anyhow::Result<()>>)>,
    world: CancellationToken,
    _time: JoinSet<()>,
}

/// 2026-09-03 15:00 in Chengdu.
pub fn afternoon() -> DateTime<Utc> {
    "2026-09-03T07:00:00Z".parse().expect("an instant")
}

/// A clock that shows the afternoon, runs at the machine's pace, and can be moved ahead.
fn flowing(clock: &Clock) -> JoinSet<()> {
    let clock = clock.clone();
    let mut time = JoinSet::new();
    time.spawn(async move {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            // Whole milliseconds: what is cut off counts the next time.
            let passed = TimeDelta::milliseconds(last.elapsed().as_millis() as i64);
            last += passed.to_std().unwrap_or_default();
            clock.advance(passed);
        }
    });
    time
}

impl TestApp {
    /// Starts the service on a flowing clock, with limits that no test reaches by chance.
    pub async fn start(test: TestStore) -> Self {
        Self::start_with(test, Clock::manual(afternoon()), |_| {}).await
    }

    /// Starts the service on this clock; `change` sets the scene.
    pub async fn start_with(test: TestStore, clock: Clock, change: impl FnOnce(&mut Scene)) -> Self {
        let mut app = Self::set(test, clock, change).await;
        app.start_service();
        app.smsc.bound().await;
        app
    }

    /// The world without the service.
    pub async fn set(test: TestStore, clock: Clock, change: impl FnOnce(&mut Scene)) -> Self {
        let mut scene = Scene {
            config: Config::default(),
            bot_api: FakeOptions::new(clock.clone()),
            smsc: SmscOptions {
                clock: clock.clone(),
                ..SmscOptions::default()
            },
        };
        scene.config.store.url = test.url.clone().into();
        scene.config.security.data_key_file = Some(test.key_file());
        scene.config.telegram.token = Some(TOKEN.into());
        scene.config.telegram.messages_per_second = 1000;
        scene.config.telegram.messages_per_second_per_chat = 1000;
        scene.config.sms.smpp = vec![SmppConfig {
            name: "carrier".into(),
            system_id: "weir".into(),
            source: "10690001".into(),
            parts_per_second: 10_000,
            ..SmppConfig::default()
        }];
        change(&mut scene);
        let world = CancellationToken::new();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let bot_api = FakeBotApi::start(loopback, TOKEN, scene.bot_api, world.clone())
            .await
            .expect("the Bot API listens");
        let smsc = Smsc::start(loopback, scene.smsc, world.clone())
            .await
            .expect("the SMSC listens");
        scene.config.telegram.api_url = bot_api.url();
        for carrier in &mut scene.config.sms.smpp {
            carrier.port = smsc.local_addr().port();
        }
        let time = flowing(&clock);
        Self {
            test,
            config: scene.config,
            clock,
            bot_api,
            smsc,
            service: None,
            world,
            _time: time,
        }
    }

    pub fn store(&self) -> &Store {
        &self.test.store
    }

    /// Begins to work on the store, as the active process does.
    pub fn start_service(&mut self) {
        let service = Service::new(self.config.clone(), self.clock.clone()).expect("the service is built");
        let (store, stop) = (self.test.store.clone(), CancellationToken::new());
        let mut loops = JoinSet::new();
        let stopped = stop.clone();
        loops.spawn(async move { service.work(&store, stopped).await });
        self.service = Some((stop, loops));
    }

    /// Stops the service as SIGTERM does.
    pub async fn stop_service(&mut self) {
        if let Some((stop, mut loops)) = self.service.take() {
            stop.cancel();
            while let Some(ended) = loops.join_next().await {
                ended.expect("no panic").expect("it ends in order");
            }
        }
    }

    /// Moves the clock to an instant that is still to come.
    pub fn jump_to(&self, at: DateTime<Utc>) {
        let by = at - self.clock.now();
        assert!(by > TimeDelta::zero(), "{at} is past");
        self.clock.advance(by);
    }

    /// Imports the rows of a roster, without its header, and the two sites.
    pub async fn import(&self, rows: &str) -> ImportReport {
        let options = ImportOptions {
            roster: Some(self.write("roster.csv", &format!("{ROSTER_HEAD}{rows}"))),
            sites: Some(self.write("sites.csv", SITES)),
            ..ImportOptions::default()
        };
        import::run(self.store(), &options, self.clock.now(), &import::Quiet)
            .await
            .expect("imports")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.test.folder.path().join(name);
        std::fs::write(&path, text).expect("the folder can be written");
        path
    }

    /// Plans a round for the same day, 17:00 to 19:00; notices may leave from now on.
    pub async fn plan(&self) -> (RoundId, PlanSummary) {
        self.plan_as(|_| {}).await
    }

    pub async fn plan_as(&self, change: impl FnOnce(&mut RoundSpec)) -> (RoundId, PlanSummary) {
        let spec = self.spec(change);
        plan::plan_round(self.store(), &self.config, &spec, self.clock.now())
            .await
            .expect("plans")
    }

    pub fn spec(&self, change: impl FnOnce(&mut RoundSpec)) -> RoundSpec {
        let zone = self.config.city.time_zone;
        let date: NaiveDate = self.clock.now().with_timezone(&zone).date_naive();
        let mut spec = RoundSpec {
            date,
            until: date,
            from: hour(17),
            to: hour(19),
            communities: Vec::new(),
            city_cap: None,
            lead_minutes: 30,
            notice_from: self.clock.now(),
            must_not: Vec::new(),
            ahead_minutes: None,
            two_step: false,
        };
        change(&mut spec);
        spec
    }

    pub async fn release(&self, round: RoundId) -> Release {
        plan::release_round(self.store(), round, false, self.clock.now())
            .await
            .expect("releases")
    }

    /// Releases a round with no pace to speak of, for tests that are about something else.
    pub async fn release_at_once(&self, round: RoundId) {
        let now = self.clock.now();
        let started = self.store().start_release(round, 1e9, now, now).await;
        assert!(started.expect("releases"), "it is a draft");
    }

    /// Lets time pass, a minute at a time, until every unit is told.
    pub async fn pass_until_told(&self, round: RoundId) {
        eventually("every unit told", async || {
            let (told, units) = self.store().told(round).await.expect("reads");
            if told < units {
                self.clock.advance(TimeDelta::minutes(1));
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            (told == units).then_some(())
        })
        .await;
    }

    /// Waits until every unit is told and every delivery of the round is final.
    pub async fn settled(&self, round: RoundId) {
        eventually("every unit told and every delivery final", async || {
            let (told, units) = self.store().told(round).await.expect("reads");
            let open = self.store().open_deliveries(Some(round)).await.expect("reads");
            (told == units && open == 0).then_some(())
        })
        .await;
    }

    /// A round's deliveries.
    pub async fn deliveries(&self, round: RoundId) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter {
            round: Some(round),
            ..DeliveryFilter::default()
        };
        self.store().deliveries(&filter, 1_000_000).await.expect("reads")
    }

    /// How many of a round's deliveries of a kind are in a state.
    pub async fn count(&self, round: RoundId, kind: &str, state: &str) -> usize {
        let all = self.deliveries(round).await;
        all.iter()
            .filter(|delivery| delivery.kind == kind && delivery.state == state)
            .count()
    }

    /// Each unit's window.
    pub async fn windows(&self, round: RoundId) -> Vec<(UnitPlace, Window)> {
        let units = self.store().units().await.expect("reads");
        let windows = self.store().windows(round).await.expect("reads");
        windows
            .into_iter()
            .map(|window| {
                let unit = units.iter().find(|unit| unit.unit == window.unit);
                (unit.expect("a known unit").place.clone(), window)
            })
            .collect()
    }

    /// The code at a unit's door.
    pub async fn door_code(&self, building: &str, unit: &str) -> String {
        let units = self.store().units().await.expect("reads");
        let row = units
            .into_iter()
            .find(|row| row.place.building == building && row.place.unit == unit);
        row.expect("a known unit").code
    }

    /// A resident opens the bot and proves to be who has this phone.
    pub async fn link(&self, chat: i64, language: &str, phone: &str) {
        self.bot_api.user_says(chat, language, "居民", "/start");
        self.bot_api
            .user_shares_contact(chat, phone.trim_start_matches('+'), true);
        eventually("the chat is linked", async || {
            let contact = self
                .store()
                .find_contact(&Address::Chat(chat))
                .await
                .expect("reads")?;
            let person = self.store().person(contact).await.expect("reads");
            (!person.residents.is_empty()).then_some(())
        })
        .await;
        // Its answers are out of the way of what the test counts.
        self.no_reply_open().await;
    }

    /// Waits until every reply has left.
    pub async fn no_reply_open(&self) {
        eventually("every reply has left", async || {
            let waiting = self.store().waiting_inbound(1).await.expect("reads");
            let open = self.store().open_deliveries(None).await.expect("reads");
            (waiting.is_empty() && open == 0).then_some(())
        })
        .await;
    }

    /// What a chat has been sent.
    pub fn to_chat(&self, chat: i64) -> Vec<SentMessage> {
        let sent = self.bot_api.sent();
        sent.into_iter().filter(|sent| sent.chat_id == chat).collect()
    }

    /// What a phone has been sent.
    pub fn to_phone(&self, phone: &str) -> Vec<Submitted> {
        let sent = self.smsc.submitted();
        sent.into_iter().filter(|sent| sent.to == phone).collect()
    }

    /// A person writes to the bot; what it says back, once `count` messages are there.
    pub async fn ask(&self, chat: i64, text: &str, count: usize) -> Vec<String> {
        let before = self.to_chat(chat).len();
        self.bot_api.user_says(chat, "zh-hans", "居民", text);
        self.heard(chat, before, count).await
    }

    /// What a chat has been sent after its first `before` messages, once `count` are there.
    pub async fn heard(&self, chat: i64, before: usize, count: usize) -> Vec<String> {
        eventually(&format!("{count} messages to the chat"), async || {
            let sent = self.to_chat(chat);
            (sent.len() >= before + count).then(|| texts(sent.into_iter().skip(before).map(|sent| sent.text)))
        })
        .await
    }

    /// A person sends a text message; what it is answered, once `count` messages are there.
    pub async fn text(&self, phone: &str, text: &str, count: usize) -> Vec<String> {
        let before = self.to_phone(phone).len();
        self.smsc.deliver_text(phone, text).await.expect("it is taken");
        eventually(&format!("{count} text messages"), async || {
            let sent = self.to_phone(phone);
            (sent.len() >= before + count).then(|| texts(sent.into_iter().skip(before).map(|sent| sent.text)))
        })
        .await
    }

    /// Waits until whatever was about to happen has happened.
    pub async fn quiet(&self) {
        tokio::time::sleep(QUIET).await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.world.cancel();
    }
}

fn texts(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.collect()
}

pub fn hour(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour")
}

/// A window between noon and midnight as every language writes its hours: `5:10–5:30`.
pub fn hours(window: &Window) -> String {
    let time = |at: DateTime<Utc>| {
        let local = at.with_timezone(&chrono_tz::Asia::Shanghai);
        local.format("%-I:%M").to_string()
    };
    format!("{}–{}", time(window.starts_at), time(window.ends_at))
}

pub fn phone_number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).expect("an invented number")
}

/// Looks until there is something, and says what was awaited when it does not come.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "after {} s still not: {what}",
            PATIENCE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
