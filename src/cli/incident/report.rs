//! `weir incident report`: an incident in words, for whoever answers for it.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Names, find, local, paper::drain_words, said};
use crate::{
    cli::{Session, output::table},
    domain::IncidentId,
    incidents::report::{self, Delays, IncidentReport},
    store::Store,
};

/// Gathers and shows it, with the load as a picture if asked for.
pub(super) async fn show(
    id: IncidentId,
    svg: Option<PathBuf>,
    session: &Session,
    store: &Store,
) -> Result<()> {
    let incident = find(id, store).await?;
    let report = report::gather(store, incident, session.clock.now()).await?;
    if let Some(file) = &svg {
        match report::picture(&report, session.config.city.time_zone) {
            Some(picture) => std::fs::write(file, picture)
                .with_context(|| format!("{} could not be written", file.display()))?,
            None => session
                .out
                .note("no load was reported around this incident: there is no picture"),
        }
    }
    let names = Names::load(store).await?;
    session.out.answer(&report, || {
        format!(
            "{}{}",
            said(&report.incident, &report.log, report.windows, &names, session),
            report_words(&report, session)
        )
    })
}

fn report_words(report: &IncidentReport, session: &Session) -> String {
    let mut text = String::new();
    let rows: Vec<Vec<String>> = report
        .notices
        .iter()
        .map(|count| {
            let kind = if count.kind == "incident" {
                "of the incident"
            } else {
                "of its end"
            };
            vec![
                kind.into(),
                count.channel.clone(),
                count.state.clone(),
                count.deliveries.to_string(),
                meaning(&count.state).into(),
            ]
        })
        .collect();
    if rows.is_empty() {
        text.push_str("\nnobody was told\n");
    } else {
        text.push_str(&format!(
            "\n{}\n",
            table(&["told", "channel", "state", "count", "that is"], &rows)
        ));
    }
    for (what, delays) in [
        ("of the incident, taken by the channel", report.taken),
        ("of the incident, on the phone", report.delivered),
    ] {
        if delays.count > 0 {
            text.push_str(&delay_words(what, delays));
        }
    }
    text + &paper_and_load(report, session)
        + &format!(
            "\n`weir incident missed {}` lists those whom it kept from their test\n",
            report.incident.id
        )
}

fn paper_and_load(report: &IncidentReport, session: &Session) -> String {
    let mut text = format!("\non paper: {}\n", drain_words(&report.sheets));
    if let Some(worst) = report
        .load
        .iter()
        .max_by(|a, b| a.utilisation.total_cmp(&b.utilisation))
    {
        let worst_queue = report
            .load
            .iter()
            .map(|minute| minute.queue_seconds)
            .fold(0.0, f64::max);
        let worst_errors = report
            .load
            .iter()
            .map(|minute| minute.error_rate)
            .fold(0.0, f64::max);
        text.push_str(&format!(
            "load of the registration system from half an hour before to half an hour after: at most {:.0} % of its capacity \
             ({}), a wait of {worst_queue:.1} s, {:.1} % errors\n",
            worst.utilisation * 100.0,
            local(worst.minute, session),
            worst_errors * 100.0
        ));
    } else {
        text.push_str("load of the registration system: none was reported\n");
    }
    for change in &report.modes {
        text.push_str(&format!(
            "  {} pacing: {}\n",
            local(change.at, session),
            change.mode
        ));
    }
    text
}

/// A delivery's state, as one explains it to somebody who never saw the word.
fn meaning(state: &str) -> &'static str {
    match state {
        "held" | "queued" | "sending" => "not yet sent",
        "accepted" => "the carrier has it",
        "delivered" => "on the phone",
        "sent" => "sent; the channel does not say whether it came",
        "failed" => "could not be sent",
        "expired" => "too late, so not sent",
        "cancelled" => "withdrawn before it left",
        "suppressed" => "not sent: they had asked for silence",
        _ => "",
    }
}

fn delay_words(what: &str, delays: Delays) -> String {
    format!(
        "{what}: {} notices, half within {} s, 90 % within {} s, 99 % within {} s, the last after {} s\n",
        delays.count, delays.median_seconds, delays.p90_seconds, delays.p99_seconds, delays.max_seconds
    )
}
