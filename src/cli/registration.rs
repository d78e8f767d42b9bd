//! `weir registration`.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use clap::Subcommand;

use super::Session;
use crate::registration::{LoadReading, RATES_COME_NEXT, RegistrationClient, RegistrationError};

/// A load older than this is no load: the pace falls to its safe rate.
const SILENCE: Duration = Duration::from_secs(20);

/// `weir registration …`
#[derive(Debug, Subcommand)]
pub enum RegistrationCommand {
    /// Say what the registration system says of its load, and how old that is. Fails if it is older than 20 s.
    Load,
}

/// Runs the command.
pub async fn run(command: &RegistrationCommand, session: &Session) -> Result<ExitCode> {
    let RegistrationCommand::Load = command;
    let config = &session.config.registration;
    let client = RegistrationClient::new(config).map_err(|reason| anyhow!(reason))?;
    let Some(client) = client else {
        bail!(
            "no registration system is known: set registration.url (or registration.metrics_url); to try without one, \
             start `weir registration-sim` and set registration.url = \"http://127.0.0.1:8090\""
        );
    };
    let reading = ask(&client, session).await.with_context(|| {
        let source = match (&config.metrics_url, &config.url) {
            (Some(_), _) => "registration.metrics_url",
            (None, _) => "registration.url",
        };
        format!("no load from {source}")
    })?;
    let is_stale = reading.age > SILENCE;
    let sample = reading.sample;
    let age_seconds = reading.age.as_secs();
    let value = serde_json::json!({ "load": sample, "age_seconds": age_seconds, "stale": is_stale });
    session.out.answer(&value, || words(&reading))?;
    if is_stale {
        session.out.note(format!(
            "the load is {age_seconds} s old: while that is so, the pace keeps to its safe rate; see why the \
             registration system reports nothing newer, and whether the clocks agree"
        ));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Counters are asked for twice: their rate is what counts.
async fn ask(client: &RegistrationClient, session: &Session) -> Result<LoadReading, RegistrationError> {
    match client.load(session.clock.now()).await {
        Err(RegistrationError::Unavailable { retry_after, reason }) if reason == RATES_COME_NEXT => {
            session.out.note(format!(
                "counters are read once more in {} s, for their rates",
                retry_after.as_secs()
            ));
            session.clock.sleep(retry_after).await;
            client.load(session.clock.now()).await
        }
        answer => answer,
    }
}

fn words(reading: &LoadReading) -> String {
    let sample = reading.sample;
    let capacity = sample
        .capacity_per_second
        .map_or("not said".to_owned(), |capacity| {
            format!("{capacity:.1} sessions/s")
        });
    let p95 = sample
        .p95_ms
        .map_or("not said".to_owned(), |p95_ms| format!("{p95_ms:.0} ms"));
    format!(
        "as of        {} ({} s ago)\nstarted      {:.1} sessions/s\ncompleted    {:.1} sessions/s\n\
         capacity     {capacity}\nutilisation  {:.0} %\nqueue        {:.1} s\np95          {p95}\nerrors       {:.1} %",
        sample.as_of.format("%Y-%m-%d %H:%M:%S UTC"),
        reading.age.as_secs(),
        sample.started_per_second,
        sample.completed_per_second,
        sample.utilisation * 100.0,
        sample.queue_seconds,
        sample.error_rate * 100.0,
    )
}
