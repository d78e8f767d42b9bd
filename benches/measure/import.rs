//! Importing a roster: rows a second, and the peak of memory.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use weir::{
    clock::Clock,
    roster::import::{self, ImportOptions, Quiet},
};

use crate::{
    city,
    process::{self, Case, Memory},
    report::{Goal, Report},
    stores::{self, Place},
};

const ROWS_PER_SECOND: Goal = Goal::AtLeast(50_000.0);
const PEAK_MB: Goal = Goal::AtMost(150.0);

/// Imports a city, and then the same files again.
pub fn measure(residents: u64) -> Result<()> {
    let files_folder = tempfile::tempdir()?;
    let files = city::write(files_folder.path(), residents)?;
    stores::on_each(|store, place, _| {
        for (case, counted) in [("first", "added"), ("again, unchanged", "unchanged")] {
            let answer = process::answer(&Case::Import {
                place: place.clone(),
                roster: files.roster.clone(),
                sites: files.sites.clone(),
            })?;
            let figure = |name: &str| answer[name].as_f64().unwrap_or_default();
            // A namesake behind the same door is refused as a repeat.
            let count = |name: &str| answer[name].as_u64().unwrap_or_default();
            let (taken, refused) = (count(counted), count("refused"));
            ensure!(
                taken + refused == residents && refused < residents / 100,
                "{counted}: {taken}, refused: {refused}"
            );
            let seconds = figure("seconds");
            Report::new("import", &format!("{case}, {store}"))
                .figure("residents", residents as f64, None)
                .figure("seconds", seconds, None)
                .figure("processor_seconds", figure("processor_seconds"), None)
                .figure(
                    "rows_per_second",
                    residents as f64 / seconds,
                    Some(ROWS_PER_SECOND),
                )
                .figure("peak_memory_mb", figure("peak_memory_mb"), Some(PEAK_MB))
                .print();
        }
        Ok(())
    })
}

/// The import itself.
pub async fn run(place: &Place, files: &city::Files) -> Result<Value> {
    let store = place.open().await?;
    let options = ImportOptions {
        roster: Some(files.roster.clone()),
        sites: Some(files.sites.clone()),
        ..ImportOptions::default()
    };
    let started = Instant::now();
    let report = import::run(&store, &options, Clock::System.now(), &Quiet).await?;
    let seconds = started.elapsed().as_secs_f64();
    let peak = Memory::own().peak;
    store.close().await;
    Ok(json!({
        "added": report.summary.added, "unchanged": report.summary.unchanged,
        "refused": report.summary.refused, "seconds": seconds,
        "processor_seconds": process::processor_seconds(), "peak_memory_mb": peak,
    }))
}
