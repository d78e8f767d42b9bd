//! Draining a full outbox over the real protocols, with limits too high to matter.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use weir::{
    channels::{
        Channel, Incoming,
        sms::{
            segment,
            smpp::Smpp,
            smsc::{Smsc, SmscOptions},
        },
        telegram::{
            Telegram,
            fake::{FakeBotApi, FakeOptions},
        },
    },
    clock::Clock,
    config::{SmppConfig, TelegramConfig},
    domain::{Address, Body, ChannelKind, ContactId, DeliveryState, NoticeKind, PhoneNumber},
    outbox::dispatcher::{Dispatcher, Lane, Outbox, PauseFlag, Step},
    pacing::limits::{Limits, Share},
    store::{DeliveryFilter, NewDelivery, Store},
};

use crate::{
    city,
    process::{self, Case, Helper, Memory},
    report::{Goal, Report},
    stores::{self, Place},
};

const MESSAGES_PER_SECOND: Goal = Goal::AtLeast(10_000.0);
/// Messages or parts a second: no limit that anything here could reach.
const UNLIMITED: u32 = 1_000_000;
/// Dispatchers that drain together, as the service has them.
const BULK_DISPATCHERS: usize = 2;
const ENQUEUE_LEN: usize = 2_000;
/// Chats that the Bot API's messages go to, in turn: each costs a write of its own to make.
const CHATS: i64 = 1_000;
const TOKEN: &str = "1000000001:bench-bench-bench-bench-bench-bench-1";
/// One part of an SMS, 70 characters at most.
const SHORT: &str =
    "【社区通知】锦绣社区1 3栋2单元：请于9月2日18:20–18:40到锦绣社区1采样点检测。急事请拨120。";
/// As long as a window's notice: three parts.
const LONG: &str = "【社区通知】锦绣社区1 3栋2单元：请于9月2日18:20–18:40到锦绣社区1采样点（锦绣社区1广场）检测。\
    请带好入场码和身份证，保持距离，按时段前往，不必提前排队。行动不便者可回复“上门”申请上门采样。\
    医疗急事请拨120；哄抬物价请拨12315举报。回复1查询时段，回复2更换语言，回复T停止接收通知。";

/// What is drained.
#[derive(Clone, Serialize, Deserialize)]
pub struct Drain {
    place: Place,
    channel: ChannelKind,
    messages: usize,
    text: String,
    simulators: Simulators,
}

/// Where the simulators listen.
#[derive(Clone, Serialize, Deserialize)]
pub struct Simulators {
    /// The SMSC.
    pub smsc: SocketAddr,
    /// The Bot API.
    pub bot_api: String,
}

/// Drains so many messages for each channel, text and store.
pub fn measure(messages: usize) -> Result<()> {
    let mut helper = Helper::start(&Case::Simulators)?;
    let simulators: Simulators = serde_json::from_str(&helper.first_line()?)?;
    for (name, channel, text) in [
        ("SMS of one part", ChannelKind::Sms, SHORT),
        ("SMS of three parts", ChannelKind::Sms, LONG),
        ("Telegram", ChannelKind::Telegram, LONG),
    ] {
        stores::on_each(|store, place, _| {
            let answer = process::answer(&Case::Outbox(Drain {
                place: place.clone(),
                channel,
                messages,
                text: text.into(),
                simulators: simulators.clone(),
            }))?;
            let figure = |name: &str| answer[name].as_f64().unwrap_or_default();
            let seconds = figure("seconds");
            let goal = (store == "SQLite").then_some(MESSAGES_PER_SECOND);
            Report::new("outbox", &format!("{name}, {store}"))
                .figure("messages", messages as f64, None)
                .figure("seconds", seconds, None)
                .figure("processor_seconds", figure("processor_seconds"), None)
                .figure("messages_per_second", messages as f64 / seconds, goal)
                .figure(
                    "written_per_second",
                    messages as f64 / figure("enqueue_seconds"),
                    None,
                )
                .figure("peak_memory_mb", figure("peak_memory_mb"), None)
                .print();
            Ok(())
        })?;
    }
    Ok(())
}

/// An SMSC and a Bot API that only count, until standard input ends.
#[expect(
    clippy::print_stdout,
    reason = "tells the process that started this one where they listen"
)]
pub async fn simulate() -> Result<Value> {
    let stop = CancellationToken::new();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = SmscOptions {
        record: false,
        receipts_after: None,
        ..SmscOptions::default()
    };
    let smsc = Smsc::start(loopback, options, stop.clone()).await?;
    let options = FakeOptions {
        record: false,
        ..FakeOptions::new(Clock::System)
    };
    let bot_api = FakeBotApi::start(loopback, TOKEN, options, stop).await?;
    let place = Simulators {
        smsc: smsc.local_addr(),
        bot_api: bot_api.url(),
    };
    println!("{}", serde_json::to_string(&place)?);
    process::until_stdin_ends().await;
    Ok(json!({ "parts": smsc.count(), "messages": bot_api.count() }))
}

/// Fills the outbox, drains it, and makes sure that every delivery was taken once.
pub async fn run(drain: &Drain) -> Result<Value> {
    let store = drain.place.open().await?;
    let contacts = contacts(drain, &store).await?;
    let clock = Clock::System;
    let filling = Instant::now();
    enqueue(drain, &store, &contacts, clock.now()).await?;
    let enqueue_seconds = filling.elapsed().as_secs_f64();

    let stop = CancellationToken::new();
    let mut links = JoinSet::new();
    let channel = channel(drain, &clock, &mut links, &stop).await?;
    let (_written, written) = watch::channel(0);
    let outbox = Outbox {
        store: store.clone(),
        clock: clock.clone(),
        attempts_max: 1,
        only_to: None,
        written,
    };
    let per_chat = (drain.channel == ChannelKind::Telegram).then_some(UNLIMITED);
    let lane = Lane {
        name: "bench".into(),
        channel,
        kind: drain.channel,
        share: Share::Bulk,
        limits: Arc::new(Limits::new(&clock, UNLIMITED, per_chat)),
        pause: Arc::new(PauseFlag::default()),
    };
    let processor_before = process::processor_seconds();
    let started = Instant::now();
    let mut dispatchers = JoinSet::new();
    for _ in 0..BULK_DISPATCHERS {
        dispatchers.spawn(until_idle(
            Dispatcher::new(outbox.clone(), lane.clone()),
            stop.clone(),
        ));
    }
    while let Some(drained) = dispatchers.join_next().await {
        drained??;
    }
    let seconds = started.elapsed().as_secs_f64();
    let processor_seconds = process::processor_seconds() - processor_before;
    all_taken(drain, &store).await?;
    stop.cancel();
    while links.join_next().await.is_some() {}
    store.close().await;
    Ok(json!({
        "seconds": seconds, "enqueue_seconds": enqueue_seconds, "processor_seconds": processor_seconds,
        "peak_memory_mb": Memory::own().peak,
    }))
}

/// Steps until nothing is due any more: then everything this dispatcher claimed is recorded.
async fn until_idle(dispatcher: Dispatcher, stop: CancellationToken) -> Result<()> {
    while let Step::Worked(_) = dispatcher.step(&stop).await? {}
    Ok(())
}

async fn all_taken(drain: &Drain, store: &Store) -> Result<()> {
    let expected = match drain.channel {
        ChannelKind::Sms => DeliveryState::Accepted,
        ChannelKind::Telegram => DeliveryState::Sent,
    };
    for count in store.count_deliveries(&DeliveryFilter::default()).await? {
        ensure!(
            count.state == expected.as_str()
                && count.repeated == 0
                && count.deliveries == drain.messages as i64,
            "{} deliveries are {}, {} repeated",
            count.deliveries,
            count.state,
            count.repeated
        );
    }
    Ok(())
}

/// As many numbers as messages, by an import; some chats.
async fn contacts(drain: &Drain, store: &Store) -> Result<Vec<ContactId>> {
    let now = Clock::System.now();
    let mut contacts = Vec::new();
    match drain.channel {
        ChannelKind::Telegram => {
            for chat in 1..=CHATS {
                contacts.push(store.contact(&Address::Chat(chat), now).await?);
            }
        }
        ChannelKind::Sms => {
            let folder = tempfile::tempdir()?;
            // Some residents have no number.
            let residents = drain.messages as u64 * 5 / 4 + 100;
            import_city(&drain.place, folder.path(), residents).await?;
            let units: Vec<_> = store.units().await?.into_iter().map(|row| row.unit).collect();
            let audience = store.audience(&units).await?;
            contacts.extend(
                audience
                    .into_iter()
                    .map(|contact| contact.contact)
                    .take(drain.messages),
            );
            ensure!(contacts.len() == drain.messages, "too few numbers");
            let number = PhoneNumber::parse("+8619900000001").context("an invented number")?;
            ensure!(store.find_contact(&Address::Phone(number)).await?.is_some() || drain.messages == 0);
        }
    }
    Ok(contacts)
}

async fn import_city(place: &Place, folder: &std::path::Path, residents: u64) -> Result<Value> {
    let files = city::write(folder, residents)?;
    crate::import::run(place, &files).await
}

async fn enqueue(drain: &Drain, store: &Store, contacts: &[ContactId], now: DateTime<Utc>) -> Result<()> {
    let parts = match drain.channel {
        ChannelKind::Sms => segment::parts(&drain.text),
        ChannelKind::Telegram => 1,
    };
    let deliveries: Vec<NewDelivery> = (0..drain.messages)
        .map(|number| NewDelivery {
            key: format!("bench:{number}"),
            round: None,
            contact: contacts[number % contacts.len()],
            channel: drain.channel,
            kind: NoticeKind::Window,
            body: Body::text(drain.text.clone()),
            parts,
            state: DeliveryState::Queued,
            reason: "",
            next_at: now,
            expires_at: now + TimeDelta::hours(6),
        })
        .collect();
    for batch in deliveries.chunks(ENQUEUE_LEN) {
        store.enqueue(batch, now).await?;
    }
    Ok(())
}

/// The real client of the channel, connected.
async fn channel(
    drain: &Drain,
    clock: &Clock,
    links: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Result<Channel> {
    let (incoming, mut events) = mpsc::channel::<Incoming>(1);
    match drain.channel {
        ChannelKind::Telegram => {
            let config = TelegramConfig {
                token: Some(TOKEN.into()),
                api_url: drain.simulators.bot_api.clone(),
                ..TelegramConfig::default()
            };
            let telegram = Telegram::new(&config, clock.clone())?.context("a token is set")?;
            Ok(Channel::Telegram(telegram))
        }
        ChannelKind::Sms => {
            let smpp = Smpp::new(carrier(drain.simulators.smsc), clock.clone());
            let (link, stop) = (smpp.clone(), stop.clone());
            links.spawn(async move { link.run(incoming, stop).await });
            links.spawn(async move { while events.recv().await.is_some() {} });
            while !smpp.is_connected() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Ok(Channel::Smpp(smpp))
        }
    }
}

/// An account at the simulator with no limit of parts.
pub fn carrier(smsc: SocketAddr) -> SmppConfig {
    SmppConfig {
        name: "bench".into(),
        host: smsc.ip().to_string(),
        port: smsc.port(),
        system_id: "weir".into(),
        source: "10690001".into(),
        window: 512,
        parts_per_second: UNLIMITED,
        ..SmppConfig::default()
    }
}
