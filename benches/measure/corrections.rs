//! Windows that move after everybody was told: how long it takes, and how many corrections a second the service writes
//! and the carrier has. What the rehearsal takes for granted when it lets corrections leave is measured here.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use chrono::{NaiveTime, TimeDelta};
use weir::{
    clock::Clock,
    config::Config,
    domain::RoundId,
    release::{
        plan,
        replan::{self, ReplanQuota},
    },
    store::{DeliveryFilter, Store},
};

use crate::{
    city,
    outbox::Simulators,
    process::{self, Case, Helper},
    release,
    report::Report,
    stores::{self, Place},
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Corrections a second, below which something hangs.
const CORRECTIONS_PER_SECOND_MIN: u64 = 20;

/// Tells a city of this size, and then moves every window to the next day, on each store.
pub fn measure(residents: u64) -> Result<()> {
    let mut helper = Helper::start(&Case::Simulators)?;
    let simulators: Simulators = serde_json::from_str(&helper.first_line()?)?;
    stores::on_each(|name, place, folder| {
        let files = city::write(folder, residents)?;
        process::answer(&Case::Import {
            place: place.clone(),
            roster: files.roster,
            sites: files.sites,
        })?;
        let planned = process::answer(&Case::Plan { place: place.clone() })?;
        let round = RoundId(planned["round"].as_i64().unwrap_or_default());
        let http = process::free_port()?;
        let _service = Helper::start(&Case::Serve {
            place: place.clone(),
            smsc: simulators.smsc,
            http,
        })?;
        process::until_ready(http)?;
        let moved = process::runtime()?.block_on(async {
            release::until_told(place, round, residents).await?;
            move_all(place, round, residents).await
        })?;
        let corrections = moved.corrections as f64;
        Report::new("corrections", &format!("{residents} residents, {name}"))
            .figure("residents", residents as f64, None)
            .figure("units_moved", moved.units as f64, None)
            .figure("moving_seconds", moved.moving.as_secs_f64(), None)
            .figure("corrections", corrections, None)
            .figure(
                "written_per_second",
                corrections / moved.written.as_secs_f64(),
                None,
            )
            .figure(
                "accepted_per_second",
                corrections / moved.accepted.as_secs_f64(),
                None,
            )
            .print();
        Ok(())
    })
}

struct Moved {
    units: usize,
    corrections: i64,
    /// Until the windows stood at their new times.
    moving: Duration,
    /// From then until every correction was in the outbox …
    written: Duration,
    /// … and with the carrier.
    accepted: Duration,
}

async fn move_all(place: &Place, round: RoundId, residents: u64) -> Result<Moved> {
    let store = place.open().await?;
    let config = Config::default();
    let (now, zone) = (Clock::System.now(), config.city.time_zone);
    let evening = plan::local(
        zone,
        now.with_timezone(&zone).date_naive() + TimeDelta::days(1),
        NaiveTime::from_hms_opt(21, 0, 0).unwrap_or_default(),
    );
    let quota = ReplanQuota {
        delay: Some(evening - now),
        ..ReplanQuota::default()
    };
    let stored = plan::existing(&store, round).await?;
    let began = Instant::now();
    let replanned = replan::replan(&store, &config, &stored, &quota, now).await?;
    let moved_at = Instant::now();
    ensure!(replanned.told_units > 0, "no window moved");
    let patience = Duration::from_secs(60 + residents / CORRECTIONS_PER_SECOND_MIN);
    let mut written = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        ensure!(moved_at.elapsed() < patience, "the corrections hang");
        if written.is_none() && store.units_to_correct(round, 1).await?.is_empty() {
            written = Some(moved_at.elapsed());
        }
        if let Some(written) = written
            && release::all_accepted(&store).await?.is_some()
        {
            let moved = Moved {
                units: replanned.moved_units,
                corrections: corrections(&store).await?,
                moving: moved_at - began,
                written,
                accepted: moved_at.elapsed(),
            };
            store.close().await;
            return Ok(moved);
        }
    }
}

async fn corrections(store: &Store) -> Result<i64> {
    let counts = store.count_deliveries(&DeliveryFilter::default()).await?;
    Ok(counts
        .iter()
        .filter(|count| count.kind == "correction")
        .map(|count| count.deliveries)
        .sum())
}
