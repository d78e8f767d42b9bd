//! How long people wait for an answer while a broadcast to the whole city leaves: from the carrier's handing over of a
//! text message to the first part of the answer at the carrier, so all of it is Weir's own time and loopback's.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir::channels::sms::smsc::{Smsc, SmscOptions};

use crate::{
    broadcast, city,
    process::{self, Case, Helper},
    report::{Goal, Report},
    stores::Place,
};

const P99_MS: Goal = Goal::AtMost(50.0);
/// So long people write.
const WRITING: Duration = Duration::from_secs(20);
/// An answer that did not come after so long will not.
const PATIENCE: Duration = Duration::from_mins(2);
/// What people write, in turn; each of them for the first time.
const TEXTS: [&str; 3] = ["做核酸要带什么", "上门", "菜单"];

/// Each rate of messages a second, with a broadcast to so many residents beside it.
pub fn measure(rates: &[u32], residents: u64) -> Result<()> {
    for rate in rates {
        process::runtime()?.block_on(answer(*rate, residents))?;
    }
    Ok(())
}

async fn answer(rate: u32, residents: u64) -> Result<()> {
    let stop = CancellationToken::new();
    let options = SmscOptions {
        receipts_after: None,
        ..SmscOptions::default()
    };
    let smsc = Arc::new(Smsc::start(SocketAddr::from(([127, 0, 0, 1], 0)), options, stop.clone()).await?);
    let folder = tempfile::tempdir()?;
    let place = Place::sqlite(folder.path());
    let files = city::write(folder.path(), residents)?;
    process::answer(&Case::Import {
        place: place.clone(),
        roster: files.roster,
        sites: files.sites,
    })?;
    let http = process::free_port()?;
    let _service = Helper::start(&Case::Serve {
        place: place.clone(),
        smsc: smsc.local_addr(),
        http,
    })?;
    process::until_ready(http)?;
    smsc.bound().await;
    let store = place.open().await?;
    let begun = broadcast::begin(&store).await?;
    // The first answers would otherwise be those of a quiet service.
    while smsc.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = smsc.count();
    let asked = write(&smsc, rate).await?;
    let beside = smsc.count() - before;
    let waits = waits(&smsc, &asked).await?;
    let left = broadcast::is_on(&store, begun.id).await?;
    store.close().await;
    let at = |share: f64| {
        let place = (waits.len() as f64 * share).ceil() as usize;
        waits[place.clamp(1, waits.len()) - 1].as_secs_f64() * 1000.0
    };
    Report::new("replies", &format!("{rate} messages a second, SQLite"))
        .figure("messages_asked", asked.len() as f64, None)
        .figure(
            "messages_answered",
            waits.len() as f64,
            Some(Goal::AtLeast(asked.len() as f64)),
        )
        .figure("broadcast_messages", begun.messages as f64, None)
        .figure(
            "parts_per_second_meanwhile",
            beside as f64 / WRITING.as_secs_f64(),
            None,
        )
        .figure("broadcast_still_on_at_the_end", f64::from(u8::from(left)), None)
        .figure("p50_ms", at(0.5), None)
        .figure("p90_ms", at(0.9), None)
        .figure("p99_ms", at(0.99), Some(P99_MS))
        .figure("longest_ms", at(1.0), None)
        .print();
    Ok(())
}

/// People write at this rate, each once; when each message was handed over.
async fn write(smsc: &Arc<Smsc>, rate: u32) -> Result<HashMap<String, Instant>> {
    let count = u64::from(rate) * WRITING.as_secs();
    let begun = Instant::now();
    let mut writing: JoinSet<Result<(String, Instant)>> = JoinSet::new();
    for number in 0..count {
        let due = begun + WRITING.mul_f64(number as f64 / count as f64);
        tokio::time::sleep_until(due.into()).await;
        let smsc = smsc.clone();
        writing.spawn(async move {
            // On no roster: the broadcast does not go there.
            let phone = format!("+86138{number:08}");
            let text = TEXTS[number as usize % TEXTS.len()];
            let at = Instant::now();
            smsc.deliver_text(&phone, text).await?;
            Ok((phone, at))
        });
    }
    let mut asked = HashMap::new();
    while let Some(written) = writing.join_next().await {
        let (phone, at) = written.context("a writer failed")??;
        asked.insert(phone, at);
    }
    Ok(asked)
}

/// How long each waited, the shortest first.
async fn waits(smsc: &Smsc, asked: &HashMap<String, Instant>) -> Result<Vec<Duration>> {
    let begun = Instant::now();
    loop {
        let mut first: HashMap<String, Instant> = HashMap::new();
        for part in smsc.submitted_parts() {
            if asked.contains_key(&part.to) {
                first.entry(part.to).or_insert(part.at);
            }
        }
        if first.len() == asked.len() {
            let mut waits: Vec<Duration> = first
                .iter()
                .map(|(phone, at)| at.saturating_duration_since(asked[phone]))
                .collect();
            waits.sort_unstable();
            return Ok(waits);
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "{} of {} messages have no answer",
            asked.len() - first.len(),
            asked.len()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
