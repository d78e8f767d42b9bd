//! From the start of the program to its first answer, and the program's size.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    city,
    process::{self, Case},
    report::{Goal, Report},
    stores::Place,
};

const WEIR: &str = env!("CARGO_BIN_EXE_weir");
const READY_MS: Goal = Goal::AtMost(200.0);
/// People on the roster of the store that is opened.
const RESIDENTS: u64 = 10_000;

/// Starts the service and `weir --version` so many times.
pub fn measure(starts: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place::sqlite(folder.path());
    let files = city::write(folder.path(), RESIDENTS)?;
    process::answer(&Case::Import {
        place: place.clone(),
        roster: files.roster,
        sites: files.sites,
    })?;
    let ready = times(starts, || ready_ms(&place, folder.path()))?;
    let version = times(starts, version_ms)?;
    let mut report = Report::new("startup", "SQLite store of 10,000 residents")
        .figure("starts", starts as f64, None)
        .figure("ready_median_ms", median(&ready), Some(READY_MS))
        .figure("ready_longest_ms", *ready.last().unwrap_or(&0.0), Some(READY_MS))
        .figure("version_median_ms", median(&version), None);
    let release = Path::new(WEIR);
    let dist = release
        .parent()
        .and_then(Path::parent)
        .map(|target| target.join("dist/weir"));
    for (name, path) in [
        ("release_binary_mb", Some(release.to_owned())),
        ("dist_binary_mb", dist),
    ] {
        if let Some(Ok(file)) = path.map(std::fs::metadata) {
            report = report.figure(name, file.len() as f64 / 1e6, None);
        }
    }
    report.print();
    Ok(())
}

/// Milliseconds of so many runs, the shortest first.
fn times(runs: usize, run: impl Fn() -> Result<Duration>) -> Result<Vec<f64>> {
    let mut times = (0..runs)
        .map(|_| Ok(run()?.as_secs_f64() * 1000.0))
        .collect::<Result<Vec<_>>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn version_ms() -> Result<Duration> {
    let started = Instant::now();
    let status = Command::new(WEIR)
        .arg("--version")
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "weir --version failed");
    Ok(started.elapsed())
}

/// From the start of `weir serve` until /readyz says yes.
fn ready_ms(place: &Place, folder: &Path) -> Result<Duration> {
    let http = process::free_port()?;
    let started = Instant::now();
    let mut service = Command::new(WEIR)
        .arg("serve")
        .current_dir(folder)
        .env("WEIR_STORE__URL", &place.url)
        .env("WEIR_SECURITY__DATA_KEY_FILE", &place.key)
        .env("WEIR_HTTP__LISTEN", http.to_string())
        .env("WEIR_LOG", "error")
        .spawn()?;
    let ready = process::until_ready(http).map(|()| started.elapsed());
    // Asked to stop, it gives its lease back, so that the next start need not wait for it.
    let asked = Command::new("kill").arg(service.id().to_string()).status();
    if !asked.is_ok_and(|status| status.success()) {
        service.kill()?;
    }
    service.wait()?;
    ready
}
