//! A broadcast to everybody of a city: how long the exact count takes, when the first message leaves, how fast the rest
//! follows, and that memory does not grow with the city.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use weir::{
    clock::Clock,
    config::Config,
    domain::{Actor, Audience, BroadcastId, BroadcastState, Language, Missed, Words},
    i18n::Texts,
    release::broadcast::{self, Progress, Writing},
    store::{NewBroadcast, Store},
};

use crate::{
    city,
    outbox::Simulators,
    process::{self, Case, Helper},
    report::{Goal, Report},
    stores::Place,
};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Messages a second, below which something hangs.
const MESSAGES_PER_SECOND_MIN: u64 = 200;

/// Broadcasts to each size of city, on SQLite.
pub fn measure(sizes: &[u64]) -> Result<()> {
    let mut helper = Helper::start(&Case::Simulators)?;
    let simulators: Simulators = serde_json::from_str(&helper.first_line()?)?;
    for residents in sizes {
        send(*residents, &simulators)?;
    }
    Ok(())
}

/// What was seen of one.
struct Seen {
    count_seconds: f64,
    first_seconds: f64,
    seconds: f64,
    counted: u64,
    written: u64,
}

fn send(residents: u64, simulators: &Simulators) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place::sqlite(folder.path());
    let files = city::write(folder.path(), residents)?;
    process::answer(&Case::Import {
        place: place.clone(),
        roster: files.roster,
        sites: files.sites,
    })?;
    let http = process::free_port()?;
    let service = Helper::start(&Case::Serve {
        place: place.clone(),
        smsc: simulators.smsc,
        http,
    })?;
    process::until_ready(http)?;
    std::thread::sleep(Duration::from_secs(1));
    let at_start = service.memory().now;
    let seen = process::runtime()?.block_on(until_sent(&place, residents))?;
    let peak = service.memory().peak;
    Report::new("broadcast", &format!("{residents} residents, SQLite"))
        .figure("residents", residents as f64, None)
        .figure("seconds_to_count", seen.count_seconds, None)
        .figure("messages_counted", seen.counted as f64, None)
        .figure(
            "messages_written",
            seen.written as f64,
            Some(Goal::AtLeast(seen.counted as f64)),
        )
        .figure("seconds_to_first_message", seen.first_seconds, None)
        .figure("seconds_until_all_accepted", seen.seconds, None)
        .figure("messages_per_second", seen.written as f64 / seen.seconds, None)
        .figure("memory_at_start_mb", at_start, None)
        .figure("growth_mb", peak - at_start, None)
        .print();
    Ok(())
}

/// A broadcast that has begun.
pub struct Begun {
    pub id: BroadcastId,
    pub messages: u64,
    pub count_seconds: f64,
}

/// Writes to everybody, as an operator does who has confirmed it.
pub async fn begin(store: &Store) -> Result<Begun> {
    let (texts, config) = (Texts::load()?, Config::default());
    let writing = Writing {
        texts: &texts,
        config: &config,
    };
    let words = Words([(Language::ZhHans, "今天下午2点到4点停水,请提前储水。".to_owned())].into());
    let audience = Audience::default();
    let started = Instant::now();
    let count = broadcast::count(store, &writing, &audience, &words).await?;
    let count_seconds = started.elapsed().as_secs_f64();
    let now = Clock::System.now();
    let new = NewBroadcast {
        origin: "measure".into(),
        author: Actor::Owner,
        audience,
        words,
        calm: false,
        count: count.clone(),
        cron: None,
        missed: Missed::Skip,
        expires_hours: 24,
    };
    let id = store.draft_broadcast(&new, now).await?;
    ensure!(
        store
            .confirm_broadcast(id, Actor::Owner, false, count.people, now)
            .await?,
        "it was no draft"
    );
    Ok(Begun {
        id,
        messages: count.messages,
        count_seconds,
    })
}

/// Some of it has not left yet.
pub async fn is_on(store: &Store, id: BroadcastId) -> Result<bool> {
    let progress = Progress::of(&store.count_broadcast(id).await?);
    let stands = store.broadcast(id).await?;
    let written_all = stands.is_some_and(|stands| stands.written_all || stands.state == BroadcastState::Done);
    Ok(!written_all || progress.sms_parts < progress.written)
}

async fn until_sent(place: &Place, residents: u64) -> Result<Seen> {
    let store = place.open().await?;
    let begun = begin(&store).await?;
    let id = begun.id;
    let started = Instant::now();
    let first_seconds = wait(&store, id, residents, |progress, _| progress.sms_parts > 0).await?;
    wait(&store, id, residents, |progress, written_all| {
        written_all && progress.sms_parts >= progress.written
    })
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let written = Progress::of(&store.count_broadcast(id).await?).written;
    store.close().await;
    Ok(Seen {
        count_seconds: begun.count_seconds,
        first_seconds,
        seconds,
        counted: begun.messages,
        written,
    })
}

async fn wait(
    store: &Store,
    id: BroadcastId,
    residents: u64,
    enough: impl Fn(&Progress, bool) -> bool,
) -> Result<f64> {
    let patience = Duration::from_secs(60 + residents / MESSAGES_PER_SECOND_MIN);
    let started = Instant::now();
    loop {
        let progress = Progress::of(&store.count_broadcast(id).await?);
        let stands = store.broadcast(id).await?;
        let written_all =
            stands.is_some_and(|stands| stands.written_all || stands.state == BroadcastState::Done);
        if enough(&progress, written_all) {
            return Ok(started.elapsed().as_secs_f64());
        }
        ensure!(started.elapsed() < patience, "the broadcast hangs");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
