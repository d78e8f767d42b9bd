//! A round for real, at real speed, and beside it the rehearsal of the same round: `benches/real_run.sh`.
//!
//! The service is the shipped binary; it speaks SMPP to a carrier on loopback and HTTP to `weir registration-sim`,
//! which is the shipped binary too. What the carrier delivers, the simulator's people hear: they come, wait, fail and
//! try again by real requests. Everything lies in a temporary folder and on free ports.

mod figures;
mod phones;
mod picture;
mod stage;

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use figures::{Figures, Second, Watch};
use phones::Phones;
use serde_json::Value;
use stage::Stage;
use weir::{
    cli::stop_on_signal,
    clock::Clock,
    registration::simulator::{self, Control, People},
};

/// How often deliveries are handed to people, and the simulator is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Plays a round for real.
#[derive(Debug, Parser)]
pub struct Args {
    /// The binary.
    #[arg(long, default_value = "target/release/weir", value_name = "FILE")]
    weir: PathBuf,
    /// Phones that are told; each stands for one household.
    #[arg(long, default_value_t = 8_000)]
    recipients: u32,
    /// Sessions a second that the registration system completes.
    #[arg(long, default_value_t = 12.0)]
    capacity: f64,
    /// Which people they are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first window starts so many minutes after the first notice.
    #[arg(long, default_value_t = 12)]
    lead: i64,
    /// Minutes after the first notice when it ends, if not everybody is through before.
    #[arg(long, default_value_t = 55)]
    minutes: i64,
    /// The capacity falls so many minutes after the first window …
    #[arg(long)]
    drop_at: Option<i64>,
    /// … for so many minutes …
    #[arg(long, default_value_t = 4)]
    drop_for: i64,
    /// … to this share.
    #[arg(long, default_value_t = 0.4)]
    drop_to: f64,
    /// Write the curve as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the curve as a table, minute by minute.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let stage = Stage::set(&args).await?;
    say(&format!(
        "{} recipients, {} sessions/s, in {}",
        args.recipients,
        args.capacity,
        stage.folder().display()
    ))?;
    let round = stage.plan(&args)?;
    let rehearsed = stage.rehearse(&args)?;
    say(&format!(
        "rehearsed: {}",
        line(&Figures::of_rehearsal(&rehearsed))
    ))?;
    let mut service = stage.serve().await?;
    stage.release()?;
    let watch = watch(&args, &stage, round.first_window).await?;
    let modes = stage.weir(&["pacing", "log", "--limit", "500"])?;
    service.kill().await.context("the service does not end")?;
    report(&args, &watch, &rehearsed, &modes)?;
    Ok(ExitCode::SUCCESS)
}

/// Lets people hear what the carrier delivered, and looks at the simulator every second, until everybody is through.
async fn watch(args: &Args, stage: &Stage, first: DateTime<Utc>) -> Result<Watch> {
    let stop = stop_on_signal()?;
    let began = Clock::System.now();
    let mut phones = Phones::new(stage.subscribe(), stage.zone);
    let mut watch = Watch::new(args, first);
    let drop = args.drop_at.map(|minute| {
        let from = first + TimeDelta::minutes(minute);
        from..from + TimeDelta::minutes(args.drop_for)
    });
    watch.drop.clone_from(&drop);
    let mut was_low = false;
    let mut every = tokio::time::interval(TICK);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        let now = Clock::System.now();
        let is_low = drop.as_ref().is_some_and(|drop| drop.contains(&now));
        let change = Control {
            capacity_factor: (is_low != was_low).then_some(if is_low { args.drop_to } else { 1.0 }),
            ..Control::default()
        };
        was_low = is_low;
        if every_so_often(&watch) {
            phones.is_incident = stage.tend_incident()?;
        }
        let heard = phones.heard();
        let told = heard.told.iter().map(|told| told.count).sum();
        if heard != People::default() {
            simulator::tell(&stage.registration, None, &heard).await?;
        }
        let status = simulator::control(&stage.registration, None, &change).await?;
        let people = stage.people().await?;
        watch.second(&Second::of(now, told, &status, &people));
        if watch.seconds.len().is_multiple_of(60) {
            say(&format!(
                "minute {}: {}",
                watch.minutes_since_first(now),
                watch.words(&people)
            ))?;
        }
        if now - began > TimeDelta::minutes(args.minutes) || watch.is_over(phones.count(), now) {
            break;
        }
    }
    watch.moved_phones = phones.moved;
    Ok(watch)
}

/// The one who watches looks at the service every five seconds.
fn every_so_often(watch: &Watch) -> bool {
    watch.seconds.len().is_multiple_of(5)
}

fn report(args: &Args, watch: &Watch, rehearsed: &Value, modes: &Value) -> Result<()> {
    let (real, beside) = (watch.figures(), Figures::of_rehearsal(rehearsed));
    let mut text = format!("{:<22}{}\n", "", Figures::HEADS.join("  "));
    for (name, figures) in [("for real", &real), ("rehearsed, nominal", &beside)] {
        text.push_str(&format!("{name:<22}{}\n", line(figures)));
    }
    text.push_str(&format!("{} phones heard of a move\n", watch.moved_phones));
    for entry in modes["log"].as_array().into_iter().flatten().rev() {
        text.push_str(&format!(
            "{}  {}: {}\n",
            entry["at"].as_str().unwrap_or_default(),
            entry["what"].as_str().unwrap_or_default(),
            entry["reason"].as_str().unwrap_or_default()
        ));
    }
    say(&text)?;
    let answer = serde_json::json!({ "real": real, "rehearsed": beside, "moved_phones": watch.moved_phones });
    writeln!(std::io::stdout(), "{answer}")?;
    let curve = watch.curve();
    if let Some(file) = &args.csv {
        std::fs::write(file, figures::csv(&curve)).with_context(|| file.display().to_string())?;
    }
    if let Some(file) = &args.svg {
        let svg = picture::svg(args, &curve, rehearsed, watch.drop_minutes());
        std::fs::write(file, svg).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn line(figures: &Figures) -> String {
    let cells = figures.cells();
    let padded: Vec<String> = cells
        .iter()
        .zip(Figures::HEADS)
        .map(|(cell, head)| format!("{cell:>width$}", width = head.chars().count()))
        .collect();
    padded.join("  ")
}

fn say(text: &str) -> Result<()> {
    writeln!(
        std::io::stderr(),
        "{} {text}",
        Clock::System.now().format("%H:%M:%S")
    )?;
    Ok(())
}
