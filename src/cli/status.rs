//! `weir status`: how everything stands, on one page.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Session, alerts, output::table};
use crate::{
    domain::{RoundState, SiteReport},
    store::Store,
    workers::site::age_minutes,
};

/// Tells it.
pub async fn run(session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let pacing = super::pacing::current(&store, session).await?;
    let rounds = store.rounds().await?;
    let live: Vec<_> = rounds
        .iter()
        .filter(|round| matches!(round.state, RoundState::Releasing | RoundState::Paused))
        .collect();
    let mut round_rows = Vec::new();
    let mut said = vec![pacing.words()];
    for round in live {
        let (told, units) = store.told(round.id).await?;
        let state = round.state.as_str();
        round_rows.push(json!({ "round": round.id, "state": state, "units": units, "units_told": told }));
        said.push(format!(
            "round {} is {state}: {told} of {units} units told",
            round.id
        ));
    }
    let queued = store.queue_lengths().await?;
    let waiting: Vec<String> = queued
        .iter()
        .map(|(channel, count)| format!("{count} by {channel}"))
        .collect();
    if !waiting.is_empty() {
        said.push(format!("waiting to leave: {}", waiting.join(", ")));
    }
    let (site_rows, site_lines) = sites(session, &store).await?;
    if !site_lines.is_empty() {
        let head = ["site", "reported", "line", "desks", "supplies", "trouble"];
        said.push(format!("\n{}", table(&head, &site_lines)));
    }
    let (alert_rows, alert_lines) = alerts::listed(false, session, &store).await?;
    said.push(format!("\n{}", alerts::words(&alert_lines)));
    let queued: Vec<Value> = queued
        .iter()
        .map(|(channel, count)| json!({ "channel": channel, "deliveries": count }))
        .collect();
    let proposals = store.waiting_proposals().await?.len();
    let answer = json!({
        "pacing": pacing, "rounds": round_rows, "queued": queued, "sites": site_rows, "alerts": alert_rows, "proposals_waiting": proposals,
    });
    session.out.answer(&answer, || said.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The newest report of each site, with its age.
async fn sites(session: &Session, store: &Store) -> Result<(Vec<Value>, Vec<Vec<String>>)> {
    let now = session.clock.now();
    let sites = store.sites().await?;
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for report in store.latest_reports().await? {
        let Some(site) = sites.iter().find(|site| site.id == report.site) else {
            continue;
        };
        let age = age_minutes(report.at, now);
        rows.push(
            json!({ "site": site.name, "desks_planned": site.desks, "age_minutes": age, "report": report }),
        );
        lines.push(vec![
            site.name.clone(),
            format!("{age} min ago"),
            line(&report),
            desks(&report, site.desks),
            report.supplies.as_str().to_owned(),
            report.trouble.map_or("", |trouble| trouble.as_str()).to_owned(),
        ]);
    }
    Ok((rows, lines))
}

fn line(report: &SiteReport) -> String {
    let length = report.queue.as_str().replace('_', " ");
    if report.apart {
        length
    } else {
        format!("{length}, too close")
    }
}

fn desks(report: &SiteReport, planned: u32) -> String {
    let mut text = report.desks.to_string();
    if report.desks != planned {
        text.push_str(&format!(" of {planned}"));
    }
    if report.staff_short {
        text.push_str(", staff missing");
    }
    text
}
