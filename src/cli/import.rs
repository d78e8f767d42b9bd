//! `weir import`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Output, Session};
use crate::{
    domain::{Area, Right},
    roster::import::{self, ImportOptions, ImportReport, Watcher},
};

/// `weir import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The roster: CSV (UTF-8 or GB18030) or .xlsx, with English or Chinese headers.
    roster: Option<PathBuf>,
    /// The sampling sites.
    #[arg(long, value_name = "FILE")]
    sites: Option<PathBuf>,
    /// Where buildings lie.
    #[arg(long, value_name = "FILE")]
    buildings: Option<PathBuf>,
    /// Read and compare, and write nothing but the file of refused rows.
    #[arg(long)]
    dry_run: bool,
    /// Mark those of the roster's communities who are not in it as moved out; asks first.
    #[arg(long)]
    replace_community: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Where to write the refused rows; ROSTER.refused.csv beside the roster by default.
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
}

struct Shown {
    bar: ProgressBar,
    out: Output,
    yes: bool,
}

impl Watcher for Shown {
    fn progress(&self, bytes_read: u64, bytes_total: u64, rows: u64) {
        self.bar.set_length(bytes_total);
        self.bar.set_position(bytes_read);
        self.bar.set_message(format!("{rows} rows"));
    }

    fn may_move_out(&self, absent: i64) -> bool {
        let question =
            format!("{absent} residents of these communities are not in the file. Mark them as moved out?");
        self.bar.suspend(|| self.yes || self.out.confirm(&question))
    }
}

/// Imports, and says what it did.
pub async fn run(args: &ImportArgs, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let acting = session.acting(&store).await?;
    let within = acting.bounds();
    if !args.dry_run {
        let areas = within.clone().map_or_else(|| vec![Area::City], |scope| scope.0);
        let what = if args.replace_community {
            "import.replace"
        } else {
            "import"
        };
        let said = (what, String::new(), String::new());
        acting.act(session, &store, Right::Import, &areas, said).await?;
    }
    let options = ImportOptions {
        roster: args.roster.clone(),
        sites: args.sites.clone(),
        buildings: args.buildings.clone(),
        dry_run: args.dry_run,
        replace_community: args.replace_community,
        refused: args.refused.clone(),
        within,
    };
    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {percent:>3}%  {msg}  {per_sec:.dim} left {eta}",
    )?);
    let watcher = Shown {
        bar,
        out: session.out,
        yes: args.yes,
    };
    let started = std::time::Instant::now();
    let report = import::run(&store, &options, session.clock.now(), &watcher).await?;
    watcher.bar.finish_and_clear();
    session
        .out
        .answer(&report, || words(&report, started.elapsed().as_secs_f64()))?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn words(report: &ImportReport, seconds: f64) -> String {
    let summary = &report.summary;
    let rows = summary.added + summary.changed + summary.unchanged + summary.refused;
    let mut text = format!(
        "{}{} added, {} changed, {} unchanged, {} refused ({rows} rows in {seconds:.1} s)\n",
        if report.dry_run {
            "dry run, nothing written: "
        } else {
            ""
        },
        summary.added,
        summary.changed,
        summary.unchanged,
        summary.refused,
    );
    if !summary.changes.is_empty() {
        let changes: Vec<String> = summary
            .changes
            .iter()
            .map(|(column, count)| format!("{column} {count}"))
            .collect();
        text.push_str(&format!("changed columns: {}\n", changes.join(", ")));
    }
    if report.sites_added + report.sites_changed > 0 {
        text.push_str(&format!(
            "sites: {} added, {} changed\n",
            report.sites_added, report.sites_changed
        ));
    }
    if report.buildings_placed > 0 {
        text.push_str(&format!(
            "{} buildings have their place on the map\n",
            report.buildings_placed
        ));
    }
    if report.moved_out > 0 {
        text.push_str(&format!("{} residents marked as moved out\n", report.moved_out));
    } else if report.absent > 0 {
        text.push_str(&format!(
            "{} residents are not in the file and were left as they are{}\n",
            report.absent,
            if summary.refused > 0 {
                ": mend the refused rows first, their people may be among them"
            } else {
                ""
            }
        ));
    }
    for refusal in &report.refusals {
        text.push_str(&format!(
            "  {} line {}: {}: {}\n",
            refusal.file, refusal.line, refusal.column, refusal.reason
        ));
    }
    if summary.refused > report.refusals.len() as u64 {
        text.push_str(&format!(
            "  … and {} more\n",
            summary.refused - report.refusals.len() as u64
        ));
    }
    if let Some(file) = &report.refused_file {
        text.push_str(&format!(
            "The refused rows are in {}: mend them there and import that file.\n\
             Until then these people are not planned for. The file holds personal data.\n",
            file.display()
        ));
    }
    text
}
