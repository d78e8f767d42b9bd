//! `weir audit`: who did what, and the proof that nothing of it was changed.

use std::process::ExitCode;

use anyhow::{Result, bail};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Session, output::table};
use crate::{
    domain::{Actor, Right},
    store::{AuditFilter, AuditHead, Store},
};

/// `weir audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    /// Not older: a length of time such as 24h, a day such as 2026-09-03, or a time such as 2026-09-03T14:00.
    #[arg(long)]
    since: Option<String>,
    /// Of this worker, by name, or as it stands on record: owner, weir, worker:ID.
    #[arg(long)]
    who: Option<String>,
    /// What begins so, such as broadcast or round.release; refused shows what was tried and not allowed.
    #[arg(long)]
    what: Option<String>,
    /// So many lines, the newest.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// `weir audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Look through the whole log: names the first line that was changed, moved or taken out, and says where the end is.
    Verify {
        /// An end that was printed or exported before: shows that nothing up to there was changed or cut off since.
        #[arg(long)]
        head: Option<AuditHead>,
    },
}

/// Reads or verifies the log.
pub async fn run(args: AuditArgs, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let acting = session.acting(&store).await?;
    if !acting.may(Right::Audit, &[]) {
        return acting.refuse(Right::Audit, &[]);
    }
    match &args.command {
        Some(AuditCommand::Verify { head }) => verify(head.as_ref(), session, &store).await,
        None => read(&args, session, &store).await,
    }
}

async fn verify(head: Option<&AuditHead>, session: &Session, store: &Store) -> Result<ExitCode> {
    let verdict = store.verify_audit(head).await?;
    let whole = verdict.fault.is_none();
    session
        .out
        .answer(&json!({ "whole": whole, "verdict": verdict }), || match (&verdict.fault, &verdict.head) {
            (Some(fault), _) => format!(
                "line {} IS NOT AS IT WAS WRITTEN: {}\n{} lines before it are whole",
                fault.line, fault.reason, verdict.lines
            ),
            (None, Some(end)) => format!(
                "{} lines, all as they were written{}\nhead: {end}\nKeep the head elsewhere: with --head it shows later \
                 that nothing was changed or cut off",
                verdict.lines,
                if head.is_some() { ", and the head is among them" } else { "" }
            ),
            (None, None) => "nothing is on record yet".into(),
        })?;
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn read(args: &AuditArgs, session: &Session, store: &Store) -> Result<ExitCode> {
    let filter = AuditFilter {
        since: args
            .since
            .as_deref()
            .map(|text| since(text, session))
            .transpose()?,
        who: match &args.who {
            Some(who) => Some(actor(who, store).await?),
            None => None,
        },
        what: args.what.clone().unwrap_or_default(),
    };
    let mut rows = store.audit_rows(&filter, None, args.limit).await?;
    rows.reverse();
    let head = store.audit_head().await?;
    session.out.answer(&json!({ "lines": rows, "head": head }), || {
        let lines: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let at = row.at.with_timezone(&session.config.city.time_zone);
                vec![
                    row.line.to_string(),
                    at.format("%F %H:%M:%S").to_string(),
                    row.actor.clone(),
                    row.what.clone(),
                    row.whom.clone(),
                    row.details.clone(),
                ]
            })
            .collect();
        match head {
            None => "nothing is on record yet".into(),
            Some(head) => format!(
                "{}\n\nhead: {head}",
                table(&["line", "when", "who", "what", "whom", ""], &lines)
            ),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn actor(who: &str, store: &Store) -> Result<Actor> {
    if let Ok(actor) = who.parse() {
        return Ok(actor);
    }
    match store.worker_named(who).await? {
        Some(worker) => Ok(Actor::Worker(worker.id)),
        None => bail!("--who: no worker is called {who}; one who was removed is worker:ID"),
    }
}

fn since(text: &str, session: &Session) -> Result<DateTime<Utc>> {
    let now = session.clock.now();
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(now - chrono::TimeDelta::from_std(ago).unwrap_or_default());
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").or_else(|_| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(chrono::NaiveTime::MIN))
    });
    let zone = session.config.city.time_zone;
    match local
        .ok()
        .and_then(|local| zone.from_local_datetime(&local).earliest())
    {
        Some(at) => Ok(at.to_utc()),
        None => bail!("--since: write 24h, 2026-09-03 or 2026-09-03T14:00"),
    }
}
