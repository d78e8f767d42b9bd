//! Releasing a round to cities of different sizes: the service's memory must not grow with them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use chrono::{Days, NaiveTime};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use weir::{
    app,
    clock::Clock,
    config::Config,
    domain::{DeliveryState, RoundId},
    release::plan::{self, RoundSpec},
    store::{DeliveryFilter, Store},
};

use crate::{
    city,
    outbox::{self, Simulators},
    process::{self, Case, Helper},
    report::Report,
    stores::Place,
};

/// Recipients a minute: more than any machine can write.
const PACE_PER_MINUTE: f64 = 1e8;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Released residents a second, below which something hangs.
const RESIDENTS_PER_SECOND_MIN: u64 = 200;

/// Releases a round to each size of city, on SQLite.
pub fn measure(sizes: &[u64]) -> Result<()> {
    let mut helper = Helper::start(&Case::Simulators)?;
    let simulators: Simulators = serde_json::from_str(&helper.first_line()?)?;
    for residents in sizes {
        release(*residents, &simulators)?;
    }
    Ok(())
}

fn release(residents: u64, simulators: &Simulators) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place::sqlite(folder.path());
    let files = city::write(folder.path(), residents)?;
    process::answer(&Case::Import {
        place: place.clone(),
        roster: files.roster,
        sites: files.sites,
    })?;
    let planned = process::answer(&Case::Plan { place: place.clone() })?;
    let round = RoundId(planned["round"].as_i64().unwrap_or_default());
    let http = process::free_port()?;
    let service = Helper::start(&Case::Serve {
        place: place.clone(),
        smsc: simulators.smsc,
        http,
    })?;
    process::until_ready(http)?;
    // Let the loops settle: what they need with nothing to do belongs to the start.
    std::thread::sleep(Duration::from_secs(1));
    let at_start = service.memory().now;
    let started = Instant::now();
    let messages = process::runtime()?.block_on(until_told(&place, round, residents))?;
    let seconds = started.elapsed().as_secs_f64();
    let peak = service.memory().peak;
    Report::new("release", &format!("{residents} residents, SQLite"))
        .figure("residents", residents as f64, None)
        .figure("messages", messages as f64, None)
        .figure("seconds", seconds, None)
        .figure("messages_per_second", messages as f64 / seconds, None)
        .figure("memory_at_start_mb", at_start, None)
        .figure("peak_memory_mb", peak, None)
        .figure("growth_mb", peak - at_start, None)
        .print();
    Ok(())
}

/// Lets the round go and waits until every delivery is with the carrier; gives how many there are.
pub async fn until_told(place: &Place, round: RoundId, residents: u64) -> Result<i64> {
    let store = place.open().await?;
    let now = Clock::System.now();
    ensure!(
        store.start_release(round, PACE_PER_MINUTE, now, now).await?,
        "the round is no draft"
    );
    let patience = Duration::from_secs(60 + residents / RESIDENTS_PER_SECOND_MIN);
    let started = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        ensure!(started.elapsed() < patience, "the release hangs");
        let (told, units) = store.told(round).await?;
        if told == units
            && let Some(messages) = all_accepted(&store).await?
        {
            store.close().await;
            return Ok(messages);
        }
    }
}

/// How many deliveries there are, once all are with the carrier.
pub async fn all_accepted(store: &Store) -> Result<Option<i64>> {
    let queued: i64 = store.queue_lengths().await?.iter().map(|(_, count)| count).sum();
    if queued > 0 {
        return Ok(None);
    }
    let counts = store.count_deliveries(&DeliveryFilter::default()).await?;
    let accepted = counts
        .iter()
        .all(|count| count.state == DeliveryState::Accepted.as_str());
    Ok(accepted.then(|| counts.iter().map(|count| count.deliveries).sum()))
}

/// Plans a round for the days to come, far enough that no reminder is due.
pub async fn plan(place: &Place) -> Result<Value> {
    let store = place.open().await?;
    let config = Config::default();
    let now = Clock::System.now();
    let tomorrow = now.with_timezone(&config.city.time_zone).date_naive() + Days::new(1);
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
    let spec = RoundSpec {
        date: tomorrow,
        until: tomorrow + Days::new(2),
        from: time(8),
        to: time(21),
        communities: Vec::new(),
        city_cap: None,
        lead_minutes: 30,
        notice_from: now,
        must_not: Vec::new(),
        ahead_minutes: None,
        two_step: false,
    };
    let (round, _) = plan::plan_round(&store, &config, &spec, now).await?;
    store.close().await;
    Ok(json!({ "round": round.0 }))
}

/// The whole service, with a carrier that takes everything.
pub async fn serve(place: &Place, smsc: SocketAddr, http: SocketAddr) -> Result<Value> {
    let mut config = Config::default();
    config.store.url = place.url.clone().into();
    config.security.data_key_file = Some(place.key.clone());
    config.sms.smpp = vec![outbox::carrier(smsc)];
    config.http.listen = Some(http);
    let stop = CancellationToken::new();
    let serving = app::serve(config, Clock::System, stop.clone());
    let ((), served) = tokio::join!(
        async {
            process::until_stdin_ends().await;
            stop.cancel();
        },
        serving
    );
    served?;
    Ok(Value::Null)
}
