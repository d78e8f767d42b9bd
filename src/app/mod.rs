//! Builds every part from the configuration, spawns the loops, stops them in order.

pub mod alerts;
pub mod desk;
pub mod http;
pub mod inbox;
mod intake;
pub mod site;
pub mod standby;
pub mod visits;

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use secrecy::ExposeSecret;
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    channels::{
        Channel, Incoming, IncomingSender,
        sms::smpp::Smpp,
        telegram::{CommandMenu, Telegram},
    },
    clock::Clock,
    config::Config,
    conversation::{keeper, runner::Runner},
    domain::{Address, ChannelKind, Language, PhoneNumber},
    i18n::Texts,
    incidents::{drain::Drain, teller::Teller},
    jobs::Timetable,
    outbox::{
        dispatcher::{Dispatcher, Lane, Outbox, PauseFlag},
        receipts::Receipts,
    },
    pacing::limits::{Limits, Share},
    registration::RegistrationClient,
    release::{pacer::Pacer, releaser::Releaser},
    store::{KeyError, Store, StoreError},
    visits::keeper::Keeper,
};

/// Events that may wait to be recorded.
const INCOMING_MAX: usize = 10_000;
/// Dispatchers of a channel's bulk lane: while one records, the other sends.
const BULK_DISPATCHERS: usize = 2;
/// How long loops may take to stop before the process ends without them.
const STOP_MAX: Duration = Duration::from_secs(25);
const RECONNECT: Duration = Duration::from_secs(3);

/// The parts that outlive a change between active and standing by.
#[derive(Clone, Debug)]
pub struct Service {
    /// Settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The words.
    pub texts: Texts,
    telegram: Option<Telegram>,
    carriers: Vec<Smpp>,
    registration: Option<RegistrationClient>,
    incoming: IncomingSender,
    events: Arc<Mutex<mpsc::Receiver<Incoming>>>,
}

impl Service {
    /// Builds the channels; connects nothing yet.
    pub fn new(config: Config, clock: Clock) -> Result<Self> {
        let texts = Texts::load().context("the built-in texts")?;
        let telegram = Telegram::new(&config.telegram, clock.clone()).context("telegram")?;
        // Carrier accounts beyond the first wait for routing between carriers.
        let carriers = config
            .sms
            .smpp
            .iter()
            .take(1)
            .map(|carrier| Smpp::new(carrier.clone(), clock.clone()))
            .collect();
        let registration = RegistrationClient::new(&config.registration).map_err(anyhow::Error::msg)?;
        let (incoming, events) = mpsc::channel(INCOMING_MAX);
        Ok(Self {
            config,
            clock,
            texts,
            telegram,
            carriers,
            registration,
            incoming,
            events: Arc::new(Mutex::new(events)),
        })
    }

    /// Works on the store until told to stop or until a loop breaks: the caller holds the service's lease.
    pub async fn work(&self, store: &Store, stop: CancellationToken) -> Result<()> {
        let recovered = store.recover_sending(None, self.clock.now()).await?;
        if recovered > 0 {
            tracing::warn!(
                recovered,
                "deliveries were in flight when the last process ended; they are sent again"
            );
        }
        let (flows, links, intake) = (
            CancellationToken::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let mut loops = JoinSet::new();
        let mut link_loops = JoinSet::new();
        let mut intake_loops = JoinSet::new();
        let (written, written_seen) = watch::channel(0u64);
        let (arrived, arrived_seen) = watch::channel(0u64);
        self.spawn_links(&mut link_loops, &links);
        self.spawn_intake(&mut intake_loops, store, arrived, &intake);
        self.spawn_lanes(&mut loops, store, written_seen, &flows).await?;
        self.spawn_flows(&mut loops, store, written, arrived_seen, &flows);
        let broken = tokio::select! {
            () = stop.cancelled() => None,
            Some(ended) = loops.join_next() => Some(ended),
            Some(ended) = link_loops.join_next() => Some(ended),
            Some(ended) = intake_loops.join_next() => Some(ended),
        };
        // First what makes messages, so that what is in flight can still come to its end over the links; last what
        // records, so that what the links still report is not lost.
        flows.cancel();
        let all_stopped = tokio::time::timeout(STOP_MAX, async {
            while loops.join_next().await.is_some() {}
            links.cancel();
            while link_loops.join_next().await.is_some() {}
            intake.cancel();
            while intake_loops.join_next().await.is_some() {}
        })
        .await;
        if all_stopped.is_err() {
            tracing::warn!(
                "some loops did not stop in time; what they held is sent again after the next start"
            );
        }
        match broken {
            None => Ok(()),
            Some(Ok(())) => anyhow::bail!("a loop ended by itself; that is a defect"),
            Some(Err(error)) => Err(error).context("a loop broke; that is a defect"),
        }
    }

    fn spawn_links(&self, loops: &mut JoinSet<()>, stop: &CancellationToken) {
        if let Some(telegram) = self.telegram.clone() {
            let (incoming, stop) = (self.incoming.clone(), stop.clone());
            let commands = telegram_commands(&self.texts);
            loops.spawn(async move { telegram.run(incoming, commands, stop).await });
        }
        for carrier in self.carriers.clone() {
            let (incoming, stop) = (self.incoming.clone(), stop.clone());
            loops.spawn(async move { carrier.run(incoming, stop).await });
        }
    }

    fn spawn_intake(
        &self,
        loops: &mut JoinSet<()>,
        store: &Store,
        arrived: watch::Sender<u64>,
        stop: &CancellationToken,
    ) {
        let receipts = self.receipts(store);
        loops.spawn(receipts.clone().run(stop.clone()));
        let (store, events, stop) = (store.clone(), self.events.clone(), stop.clone());
        loops.spawn(async move {
            let mut events = events.lock().await;
            intake::run(store, receipts, &mut events, arrived, stop).await;
        });
    }

    fn receipts(&self, store: &Store) -> Receipts {
        Receipts {
            store: store.clone(),
            clock: self.clock.clone(),
            wait: self.config.sms.receipt_wait,
        }
    }

    fn spawn_flows(
        &self,
        loops: &mut JoinSet<()>,
        store: &Store,
        written: watch::Sender<u64>,
        arrived: watch::Receiver<u64>,
        stop: &CancellationToken,
    ) {
        let (store, clock, config) = (store.clone(), self.clock.clone(), self.config.clone());
        let releaser = Releaser {
            store: store.clone(),
            clock: clock.clone(),
            texts: self.texts.clone(),
            config: config.clone(),
            written: written.clone(),
            audience_seen: Arc::default(),
            incidents_seen: Arc::default(),
        };
        loops.spawn(releaser.run(stop.clone()));
        let pacer = Pacer::new(
            store.clone(),
            clock.clone(),
            config.clone(),
            self.registration.clone(),
            written.clone(),
        );
        loops.spawn(pacer.run(stop.clone()));
        let teller = Teller {
            store: store.clone(),
            clock: clock.clone(),
            texts: self.texts.clone(),
            config: config.clone(),
            written: written.clone(),
        };
        loops.spawn(teller.run(stop.clone()));
        let keeper = Keeper {
            store: store.clone(),
            clock: clock.clone(),
            texts: self.texts.clone(),
            config: config.clone(),
            written: written.clone(),
            seen: Arc::default(),
        };
        loops.spawn(keeper.run(stop.clone()));
        if let Some(client) = self.registration.clone() {
            let drain = Drain {
                store: store.clone(),
                clock: clock.clone(),
                config: config.clone(),
                client,
                alone_until: Arc::default(),
            };
            loops.spawn(drain.run(stop.clone()));
        }
        self.spawn_answers(loops, &store, written, arrived, stop);
        let timetable = Timetable {
            store,
            clock,
            config,
            backup_folder: Store::folder(self.config.store.url.expose_secret()),
        };
        loops.spawn(timetable.run(stop.clone()));
    }

    /// Those who answer: the workers' desk first, then the conversation.
    fn spawn_answers(
        &self,
        loops: &mut JoinSet<()>,
        store: &Store,
        written: watch::Sender<u64>,
        arrived: watch::Receiver<u64>,
        stop: &CancellationToken,
    ) {
        let runner = Runner::new(
            store.clone(),
            self.clock.clone(),
            self.texts.clone(),
            self.config.clone(),
            self.registration.clone(),
            written.clone(),
        );
        let front = desk::Front::new(
            store.clone(),
            self.clock.clone(),
            self.texts.clone(),
            self.config.clone(),
            written.clone(),
        );
        let runner = runner.asking_first(front.first());
        loops.spawn(runner.run(arrived, stop.clone()));
        let inbox = inbox::Inbox {
            store: store.clone(),
            clock: self.clock.clone(),
            texts: self.texts.clone(),
            config: self.config.clone(),
            written: written.clone(),
            shown: HashMap::new(),
            workers: Vec::new(),
            visits_until: 0,
        };
        loops.spawn(inbox.run(stop.clone()));
        let alerts = alerts::Alerts {
            store: store.clone(),
            clock: self.clock.clone(),
            texts: self.texts.clone(),
            config: self.config.clone(),
            written: written.clone(),
            channels: self.connections(),
            down: HashMap::new(),
            asked_at: None,
            shown: HashMap::new(),
        };
        loops.spawn(alerts.run(stop.clone()));
        let keeper = keeper::Keeper {
            store: store.clone(),
            clock: self.clock.clone(),
            texts: self.texts.clone(),
            config: self.config.clone(),
            written,
        };
        loops.spawn(keeper.run(stop.clone()));
        if let Some(telegram) = self.telegram.clone() {
            let menus = desk::Menus {
                store: store.clone(),
                texts: self.texts.clone(),
                language: self.config.city.default_language,
                telegram,
            };
            loops.spawn(menus.run(stop.clone()));
        }
    }

    async fn spawn_lanes(
        &self,
        loops: &mut JoinSet<()>,
        store: &Store,
        written: watch::Receiver<u64>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let outbox = Outbox {
            store: store.clone(),
            clock: self.clock.clone(),
            attempts_max: self.config.notices.attempts_max,
            only_to: self
                .config
                .channels
                .only_to
                .clone()
                .map(|listed| Arc::new(listed.into_iter().collect())),
            written,
        };
        let now = self.clock.now();
        let pauses = store.pauses(now).await?;
        for (name, channel, kind, limits) in self.channels() {
            let limits = Arc::new(limits);
            let pause = Arc::new(PauseFlag::default());
            for stored in pauses.iter().filter(|stored| stored.channel == name) {
                pause.until(stored.until);
            }
            let shares = std::iter::once(Share::Reply).chain([Share::Bulk; BULK_DISPATCHERS]);
            for share in shares {
                let lane = Lane {
                    name: name.clone(),
                    channel: channel.clone(),
                    kind,
                    share,
                    limits: limits.clone(),
                    pause: pause.clone(),
                };
                loops.spawn(Dispatcher::new(outbox.clone(), lane).run(stop.clone()));
            }
        }
        Ok(())
    }

    /// Each channel with its name and limits.
    fn channels(&self) -> Vec<(String, Channel, ChannelKind, Limits)> {
        let telegram = self.telegram.iter().map(|telegram| {
            let settings = &self.config.telegram;
            let per_chat = Some(settings.messages_per_second_per_chat);
            let limits = Limits::new(&self.clock, settings.messages_per_second, per_chat);
            (
                "telegram".to_owned(),
                Channel::Telegram(telegram.clone()),
                ChannelKind::Telegram,
                limits,
            )
        });
        let carriers = self
            .carriers
            .iter()
            .zip(&self.config.sms.smpp)
            .map(|(smpp, settings)| {
                let limits = Limits::new(&self.clock, settings.parts_per_second, None);
                (
                    settings.name.clone(),
                    Channel::Smpp(smpp.clone()),
                    ChannelKind::Sms,
                    limits,
                )
            });
        telegram.chain(carriers).collect()
    }

    /// Each channel by its name.
    fn connections(&self) -> Vec<(String, Channel)> {
        let telegram = self.telegram.iter().cloned().map(Channel::Telegram);
        let telegram = telegram.map(|channel| ("telegram".to_owned(), channel));
        let named = self.carriers.iter().zip(&self.config.sms.smpp);
        let carriers = named.map(|(smpp, settings)| (settings.name.clone(), Channel::Smpp(smpp.clone())));
        telegram.chain(carriers).collect()
    }

    /// The routes that Telegram calls, in webhook mode.
    pub fn webhook_router(&self) -> Option<axum::Router> {
        let telegram = self.telegram.as_ref()?;
        (self.config.telegram.mode == crate::config::TelegramMode::Webhook)
            .then(|| telegram.webhook_router(self.incoming.clone()))
    }

    /// The channel that reaches an address, if it is configured.
    pub fn channel_for(&self, address: &Address) -> Option<Channel> {
        match address {
            Address::Chat(_) => self.telegram.clone().map(Channel::Telegram),
            Address::Phone(_) => self.carriers.first().cloned().map(Channel::Smpp),
        }
    }

    /// The bot's username as Telegram tells it; none without a token.
    pub async fn bot_username(&self) -> Option<Result<String, String>> {
        Some(self.telegram.as_ref()?.username().await)
    }

    /// Runs the links of the carriers alone: for sending a test.
    pub async fn run_carriers(&self, stop: CancellationToken) {
        let mut loops = JoinSet::new();
        for carrier in self.carriers.clone() {
            let (incoming, stop) = (self.incoming.clone(), stop.clone());
            loops.spawn(async move { carrier.run(incoming, stop).await });
        }
        while loops.join_next().await.is_some() {}
    }
}

/// The bot's menu in Telegram's own corner, for each language of its clients; Chinese where it is neither.
fn telegram_commands(texts: &Texts) -> Vec<CommandMenu> {
    let menu = |language| {
        let labels = texts.commands(language);
        labels
            .into_iter()
            .map(|(command, label)| (command.to_owned(), label))
            .collect()
    };
    vec![(None, menu(Language::ZhHans)), (Some("en"), menu(Language::En))]
}

/// A phone number as people write it, or a Telegram chat id.
pub fn parse_address(text: &str) -> Option<Address> {
    match PhoneNumber::parse(text) {
        Ok(phone) => Some(Address::Phone(phone)),
        Err(_) => text.trim().parse().ok().map(Address::Chat),
    }
}

/// Opens the store that is configured.
pub async fn open_store(config: &Config) -> Result<Store, StoreError> {
    Store::open(
        config.store.url.expose_secret(),
        config.security.data_key_file.clone(),
    )
    .await
}

/// The service: opens the store (and keeps trying while it is away), stands by until it is the active process,
/// works, and gives way when asked.
pub async fn serve(config: Config, clock: Clock, stop: CancellationToken) -> Result<()> {
    let service = Service::new(config, clock)?;
    let status = http::Status::new(service.config.clone(), service.clock.clone());
    let mut listener = JoinSet::new();
    if let Some(address) = service.config.http.listen {
        let router = http::router(status.clone()).merge(service.webhook_router().unwrap_or_default());
        let socket = tokio::net::TcpListener::bind(address).await.with_context(|| {
            format!(
                "http.listen: {address} cannot be listened on. Is another process there? Set another port"
            )
        })?;
        listener.spawn(http::serve(socket, router, stop.clone()));
    }
    if service.telegram.is_none() && service.carriers.is_empty() {
        tracing::warn!("no channel is configured: nothing can be sent. Set telegram.token or [[sms.smpp]]");
    }
    let owner = standby::new_owner();
    while !stop.is_cancelled() {
        let Some(store) = open_patiently(&service.config, &status, &stop).await? else {
            break;
        };
        status.set(http::State::Standby, Some(store.clone()));
        let working = CancellationToken::new();
        let held = standby::hold(&store, &owner, &stop).await;
        // While this process stood by, another may have sealed everything with a new key.
        if held && !store.key_is_current().await? {
            standby::give_back(&store, &owner).await;
        } else if held {
            status.set(http::State::Active, Some(store.clone()));
            tracing::info!(store = store.kind(), "weir is at work");
            let done = CancellationToken::new();
            let lease = standby::keep(&store, &owner, &stop, &working, &done);
            let (worked, ()) = tokio::join!(
                async {
                    let outcome = service.work(&store, working.clone()).await;
                    done.cancel();
                    outcome
                },
                lease
            );
            standby::give_back(&store, &owner).await;
            worked?;
        }
        status.set(http::State::Starting, None);
        // Opened anew when it is this process's turn again: the key or the data may be others by then.
        store.close().await;
    }
    status.set(http::State::Stopping, None);
    while listener.join_next().await.is_some() {}
    tracing::info!("weir has stopped");
    Ok(())
}

/// Another process may be sealing everything with a new key just now.
fn is_rotating(error: &StoreError) -> bool {
    matches!(error, StoreError::Key(KeyError::RotationUnfinished))
}

/// Opens the store; while the database is away, says so once and keeps trying. None when told to stop meanwhile.
async fn open_patiently(
    config: &Config,
    status: &http::Status,
    stop: &CancellationToken,
) -> Result<Option<Store>> {
    let mut said = false;
    loop {
        let opened = tokio::select! {
            opened = open_store(config) => opened,
            () = stop.cancelled() => return Ok(None),
        };
        match opened {
            Ok(store) => return Ok(Some(store)),
            Err(error) if error.is_outage() || is_rotating(&error) => {
                if !said {
                    tracing::error!(%error, "the store cannot be opened yet; trying again until it can");
                }
                said = true;
                status.set(http::State::Starting, None);
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(RECONNECT) => {}
            () = stop.cancelled() => return Ok(None),
        }
    }
}
