//! `weir pacing`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::json;

use super::{Session, output::table};
use crate::{
    release::{pacer, status::PacingStatus},
    store::{PacingLogEntry, Store},
};

/// Who acts on the command line, until workers have names.
const OWNER: &str = "the machine's owner";
/// Changes that the status shows.
const LAST_CHANGES: usize = 5;

/// `weir pacing …`
#[derive(Debug, Subcommand)]
pub enum PacingCommand {
    /// The mode, the rate and why; the load and its age; the last changes.
    Status,
    /// Let nothing be released until `auto` or `free`.
    Hold {
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Let no pause and no silence of the load feed hold anything back, until all is well again.
    Free {
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Leave it to the law again.
    Auto {
        /// Why, for the record.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Each change of mode, each action, each time somebody held or freed it; the newest first.
    Log {
        /// So many lines.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
}

/// Runs one of the commands.
pub async fn run(command: PacingCommand, session: &Session) -> Result<ExitCode> {
    match command {
        PacingCommand::Status => status(session).await?,
        PacingCommand::Hold { reason } => by_hand(pacer::HELD, &reason, session).await?,
        PacingCommand::Free { reason } => by_hand(pacer::FREED, &reason, session).await?,
        PacingCommand::Auto { reason } => auto(&reason, session).await?,
        PacingCommand::Log { limit } => log(limit, session).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// How pacing stands at this moment.
pub async fn current(store: &Store, session: &Session) -> Result<PacingStatus> {
    let row = store.pacing().await?;
    let open = store.open_incidents().await?;
    Ok(PacingStatus {
        incidents: open.into_iter().map(|incident| incident.id).collect(),
        ..PacingStatus::of(&session.config, &row, session.clock.now())
    })
}

async fn status(session: &Session) -> Result<()> {
    let store = session.store().await?;
    let status = current(&store, session).await?;
    let changes = store.pacing_log(LAST_CHANGES).await?;
    let mut answer = serde_json::to_value(&status)?;
    answer["last_changes"] = json!(changes);
    session.out.answer(&answer, || words(&status, &changes, session))
}

fn words(status: &PacingStatus, changes: &[PacingLogEntry], session: &Session) -> String {
    let mut text = format!("{}\n", status.words());
    if let Some(since) = status.since {
        text.push_str(&format!("since {}\n", local(since, session)));
    }
    if let Some(by_hand) = &status.by_hand {
        text.push_str(&format!(
            "{} by {} at {}: {}. `weir pacing auto` undoes it\n",
            by_hand.what,
            by_hand.actor,
            local(by_hand.at, session),
            by_hand.reason
        ));
    }
    if status.steered {
        text.push_str(&load_words(status));
    }
    if !changes.is_empty() {
        text.push_str(&format!("\n{}\n", log_table(changes, session)));
    }
    text
}

fn load_words(status: &PacingStatus) -> String {
    let mut text = match (&status.load, status.load_age_seconds) {
        (Some(load), Some(age)) => format!(
            "load, {age} s old: {:.0} % in use, {:.1} sessions/s begun, {:.1} completed, {:.1} s in the queue, \
             {:.1} % fail\n",
            load.utilisation * 100.0,
            load.started_per_second,
            load.completed_per_second,
            load.queue_seconds,
            load.error_rate * 100.0,
        ),
        _ => "load: nothing heard yet\n".to_owned(),
    };
    if let (Some(capacity), Some(nominal)) = (status.capacity_per_second, status.nominal_capacity) {
        text.push_str(&format!(
            "capacity: taken to be {capacity:.1} sessions/s of {nominal:.1} when all is well\n"
        ));
    }
    if let Some(starts) = status.starts_per_second {
        text.push_str(&format!("windows of {starts:.1} recipients a second may start\n"));
    }
    text
}

async fn by_hand(what: &'static str, reason: &str, session: &Session) -> Result<()> {
    let reason = reason.trim();
    if reason.is_empty() {
        bail!("--reason must say why: it goes on record");
    }
    let store = session.store().await?;
    store
        .set_pacing_by_hand(what, OWNER, reason, session.clock.now())
        .await?;
    let status = current(&store, session).await?;
    note_no_service(&store, session).await?;
    session.out.answer(&status, || match what {
        pacer::HELD => {
            "held: nothing is released until `weir pacing auto` or `weir pacing free`; what waits in the \
                        outbox is held within seconds. Replies, corrections and incident notices go on"
                .to_owned()
        }
        _ if status.steered => {
            "freed: no pause and no silence holds releases back until all is well again, or until \
                                `weir pacing auto`. The rate still follows the capacity"
                .to_owned()
        }
        _ => format!("freed, but there is nothing to free: {}", pacer::NOT_STEERED),
    })
}

async fn auto(reason: &str, session: &Session) -> Result<()> {
    let store = session.store().await?;
    store
        .set_pacing_by_hand("", OWNER, reason.trim(), session.clock.now())
        .await?;
    let status = current(&store, session).await?;
    note_no_service(&store, session).await?;
    session
        .out
        .answer(&status, || "neither held nor freed by hand any more".to_owned())
}

async fn note_no_service(store: &Store, session: &Session) -> Result<()> {
    if store.lease_owner("service", session.clock.now()).await?.is_none() {
        session
            .out
            .note("note: no service is running on this store: it takes effect once `weir serve` does");
    }
    Ok(())
}

async fn log(limit: usize, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let entries = store.pacing_log(limit).await?;
    session.out.answer(&json!({ "log": entries }), || {
        if entries.is_empty() {
            return "nothing on record yet".to_owned();
        }
        log_table(&entries, session)
    })
}

fn log_table(entries: &[PacingLogEntry], session: &Session) -> String {
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            vec![
                local(entry.at, session),
                entry.what.clone(),
                entry.actor.clone(),
                entry.reason.clone(),
            ]
        })
        .collect();
    table(&["when", "what", "who", "why"], &rows)
}

fn local(at: DateTime<Utc>, session: &Session) -> String {
    at.with_timezone(&session.config.city.time_zone)
        .format("%F %H:%M:%S")
        .to_string()
}
