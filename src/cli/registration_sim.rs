//! `weir registration-sim`.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::Output;
use crate::{
    clock::Clock,
    registration::simulator::{Control, RegistrationSim, SimOptions, Told, control},
};

/// How often the simulator says how it stands, by its own clock.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// `weir registration-sim`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RegistrationSimArgs {
    #[command(subcommand)]
    command: Option<SimCommand>,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Sessions a second that it can complete.
    #[arg(long, default_value_t = 500.0)]
    capacity: f64,
    /// Ask for this bearer token on everything but /metrics.
    #[arg(long, env = "WEIR_REGISTRATION__TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// People who are told a window each at the start, and then come, wait, fail and try again. More can be told
    /// while it runs: POST /people.
    #[arg(long, default_value_t = 0)]
    people: u32,
    /// Their windows start minute by minute over so long.
    #[arg(long, default_value = "10m", value_parser = humantime::parse_duration)]
    over: Duration,
    /// Their first window starts so long after the beginning.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    lead: Duration,
    /// Strangers who come a second besides, whom nobody told anything.
    #[arg(long, default_value_t = 0.0, value_name = "PER_SECOND")]
    strangers: f64,
    /// How many times as fast as the machine's its time runs. Weir's own `serve` needs 1.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Which people they are: the same seed, the same habits.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests of these people under way at once; each takes two of the process's files (see ulimit -n).
    #[arg(long, default_value_t = 4000)]
    connections: usize,
}

#[derive(Debug, Subcommand)]
enum SimCommand {
    /// Change a running simulator, or with no change named, say how it stands.
    Control(ControlArgs),
}

#[derive(Debug, Args)]
struct ControlArgs {
    /// The running simulator.
    #[arg(long, default_value = "http://127.0.0.1:8090")]
    url: String,
    /// Its token.
    #[arg(long, env = "WEIR_REGISTRATION__TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// What is left of its capacity, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    capacity_factor: Option<f64>,
    /// Share of sessions that end in an error, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    error_rate: Option<f64>,
    /// Leave questions about the load unanswered, or (false) answer them again.
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    silent: Option<bool>,
    /// Go on telling the load of this moment, or (false) the true one again.
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    frozen: Option<bool>,
    /// Give every answer so much later.
    #[arg(long, value_name = "MS")]
    slow_ms: Option<u64>,
    /// Let so many strangers come, whom nobody told anything: the everyday, or a rumour.
    #[arg(long, value_name = "PER_SECOND")]
    strangers: Option<f64>,
}

/// Runs the simulator until it is stopped, or changes one that runs.
pub async fn run(args: &RegistrationSimArgs, out: Output) -> Result<ExitCode> {
    if let Some(SimCommand::Control(args)) = &args.command {
        return change(args, out).await;
    }
    if !(args.capacity > 0.0 && args.capacity <= 1e6) {
        bail!("--capacity must be above 0 and at most 1000000 sessions a second");
    }
    if !(args.speed >= 1.0 && args.speed <= 1000.0) {
        bail!("--speed must be from 1 to 1000");
    }
    let stop = super::stop_on_signal()?;
    let clock = if args.speed > 1.0 {
        Clock::fast(Clock::System.now(), args.speed)
    } else {
        Clock::System
    };
    let options = SimOptions {
        token: args.token.clone(),
        seed: args.seed,
        connections_max: args.connections.max(1),
        ..SimOptions::reference(args.capacity, clock.clone())
    };
    let sim = RegistrationSim::start(args.listen, options, stop.clone())
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let strangers = Control {
        strangers_per_second: Some(args.strangers),
        ..Control::default()
    };
    if let Err(sentence) = sim.control(&strangers) {
        bail!("{sentence}");
    }
    let told = windows(args, clock.now());
    if !sim.crowd().tell(&told) {
        bail!("--people must be at most 5000000");
    }
    out.answer(
        &serde_json::json!({ "url": sim.url(), "people": args.people }),
        || {
            format!(
                "A registration system that can complete {} sessions a second listens on {url}.\n\
             registration.url = \"{url}\"; its metrics: {url}/metrics\n\
             Change it while it runs: weir registration-sim control --url {url} --capacity-factor 0.4",
                args.capacity,
                url = sim.url(),
            )
        },
    )?;
    while stop.run_until_cancelled(clock.sleep(SAY_EVERY)).await.is_some() {
        out.line(line(&sim, clock.now()));
    }
    Ok(ExitCode::SUCCESS)
}

/// As many for each minute as for any other.
fn windows(args: &RegistrationSimArgs, now: DateTime<Utc>) -> Vec<Told> {
    let minutes = (args.over.as_secs() / 60).clamp(1, 7 * 24 * 60);
    let first = now + TimeDelta::from_std(args.lead).unwrap_or_default();
    let first = first.duration_trunc(TimeDelta::minutes(1)).unwrap_or(first);
    let people = u64::from(args.people);
    (0..minutes)
        .map(|minute| Told {
            count: (people * (minute + 1) / minutes - people * minute / minutes) as u32,
            window_starts_at: Some(first + TimeDelta::minutes(minute as i64)),
        })
        .collect()
}

fn line(sim: &RegistrationSim, now: DateTime<Utc>) -> String {
    let status = sim.status();
    let number = |pointer: &str| {
        status
            .pointer(pointer)
            .and_then(serde_json::Value::as_f64)
            .unwrap_or(0.0)
    };
    let crowd = sim.crowd().view();
    let people = if crowd.told > 0 {
        format!(
            "; {} of {} people registered, {} gave up",
            crowd.registered, crowd.told, crowd.gave_up
        )
    } else {
        String::new()
    };
    format!(
        "{} {:.1}/s started, {:.1}/s done of {:.1}/s, {:.0} % in use, queue {:.1} s, errors {:.0} %{people}",
        now.format("%H:%M:%S"),
        number("/load/sessions_started_per_second"),
        number("/load/completed_per_second"),
        number("/capacity_per_second"),
        number("/load/utilisation") * 100.0,
        number("/queue_seconds"),
        number("/load/error_rate") * 100.0,
    )
}

async fn change(args: &ControlArgs, out: Output) -> Result<ExitCode> {
    let change = Control {
        capacity_factor: args.capacity_factor,
        error_rate: args.error_rate,
        silent: args.silent,
        frozen: args.frozen,
        slow_ms: args.slow_ms,
        strangers_per_second: args.strangers,
    };
    // The server checks again; here it can be said which argument is wrong.
    if let Err(sentence) = crate::registration::simulator::Condition::default().after(&change) {
        bail!("{sentence}");
    }
    let status = control(&args.url, args.token.as_deref(), &change)
        .await
        .with_context(|| format!("no simulator at {} was changed", args.url))?;
    out.answer(&status, || {
        serde_json::to_string_pretty(&status).unwrap_or_default()
    })?;
    Ok(ExitCode::SUCCESS)
}
