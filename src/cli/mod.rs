//! The command line: one file per command family.

mod acting;
mod alerts;
mod ask;
mod audit;
mod broadcast;
mod config;
mod data;
mod deliveries;
mod import;
mod incident;
mod invite;
mod output;
mod pacing;
mod places;
mod policy;
mod registration;
mod registration_sim;
mod rehearse;
mod round;
mod round_status;
mod send_test;
mod status;
mod text;
mod thread;
mod visit;
mod worker;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::{Layer, SubscriberExt},
    util::SubscriberInitExt,
};

pub use output::Output;

use crate::{app, clock::Clock, config::Config, store::Store};

/// Tells every building unit its own time to come, at a pace the registration system can take.
#[derive(Debug, Parser)]
#[command(name = "weir", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The configuration file; without one the defaults hold, and weir.toml in this folder if it is there.
    #[arg(long, short, global = true, env = "WEIR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer with one JSON object on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// What to log on standard error: error, warn, info, debug or trace, also by module (weir::outbox=debug). By
    /// default warn, and info for `serve`. Libraries are never heard below warnings.
    #[arg(long, global = true, env = "WEIR_LOG", value_name = "LEVEL", value_parser = log_levels)]
    log: Option<Targets>,
    /// Who acts: a worker's name. Needed by whatever changes something, once there are workers.
    #[arg(long = "as", global = true, env = "WEIR_AS", value_name = "NAME")]
    acts_as: Option<String>,
    /// Log as JSON lines.
    #[arg(long, global = true)]
    log_json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work on a sample city, then chat with it. Needs no token, account or server.
    Demo(crate::demo::DemoArgs),
    /// Run the service.
    Serve,
    /// Check the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Read a roster, sites and buildings into the store.
    Import(import::ImportArgs),
    /// Plan, release and watch rounds.
    #[command(subcommand)]
    Round(round::RoundCommand),
    /// See how releases follow the registration system's load; hold or free them by hand.
    #[command(subcommand)]
    Pacing(pacing::PacingCommand),
    /// Play a round, or a made city, through in virtual time before the real day: the curve, and whether it holds.
    Rehearse(rehearse::RehearseArgs),
    /// List and count deliveries, or show the history of one.
    Deliveries(deliveries::DeliveriesArgs),
    /// Declare a fault of the registration system, go on by hand, and see afterwards what happened.
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    /// The rules about passes: what a test is good for, for how long, since when.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Say approved texts in other words, until a date.
    #[command(subcommand)]
    Text(text::TextCommand),
    /// See and answer what residents ask a person.
    #[command(subcommand)]
    Thread(thread::ThreadCommand),
    /// List visits at home, or write the lists that teams take along.
    Visits(visit::VisitsArgs),
    /// Act on a visit at home: ask, accept, decline, assign, on its way, done, not met, cancel.
    #[command(subcommand)]
    Visit(visit::VisitCommand),
    /// Those who make visits at home.
    #[command(subcommand)]
    Team(visit::TeamCommand),
    /// Show how everything stands: pacing, rounds, what the sites report, what goes wrong.
    Status,
    /// List what goes wrong and what those on duty are told of it, or see to it.
    Alerts(alerts::AlertsArgs),
    /// Write to residents: count, confirm, approve, watch.
    #[command(subcommand)]
    Broadcast(broadcast::BroadcastCommand),
    /// Say who works here and may do what.
    #[command(subcommand)]
    Worker(worker::WorkerCommand),
    /// Read who did what, and verify that nothing of it was changed.
    Audit(audit::AuditArgs),
    /// Write links and QR codes to post at the doors.
    Invite(invite::InviteArgs),
    /// Say what a resident would be answered; or measure how messages are understood.
    Ask(ask::AskArgs),
    /// Ask the registration system.
    #[command(subcommand)]
    Registration(registration::RegistrationCommand),
    /// Run a registration system to try against, with a queue, a capacity and people who come.
    RegistrationSim(registration_sim::RegistrationSimArgs),
    /// Send one message to an address, to prove a channel.
    SendTest(send_test::SendTestArgs),
    /// Write everything into one file, also while the service runs.
    Backup {
        /// The file to write; an existing one is replaced.
        file: PathBuf,
    },
    /// Replace everything by what a backup holds; a running service gives way meanwhile.
    Restore(data::RestoreArgs),
    /// Make or rotate the data key.
    #[command(subcommand)]
    Key(data::KeyCommand),
}

/// What a command is given.
#[derive(Debug)]
pub struct Session {
    /// Settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// Where answers go.
    pub out: Output,
    /// The worker named by `--as`.
    pub acts_as: Option<String>,
}

impl Session {
    /// Opens the configured store.
    pub async fn store(&self) -> Result<Store> {
        Ok(app::open_store(&self.config).await?)
    }
}

/// Runs one command to its end; errors are printed as a chain of sentences.
pub fn main(cli: Cli) -> ExitCode {
    start_logging(&cli.global, &cli.command);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the run time could not start")),
    };
    let outcome = runtime.block_on(run(cli));
    // A prompt that still waits for a line must not keep the process alive.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let mut text = format!("error: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their source in their own words.
        if !last.contains(&cause) {
            text.push_str(&format!("\n  because: {cause}"));
        }
        last = cause;
    }
    // Standard error may be gone; there is nobody left to tell then.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> Result<ExitCode> {
    let Cli { global, command } = cli;
    let out = Output::new(global.json);
    if let Command::Demo(args) = command {
        return crate::demo::run(&args, out).await;
    }
    if let Command::Config(command) = command {
        return config::run(&command, global.config.as_deref(), out);
    }
    if let Command::RegistrationSim(args) = command {
        return registration_sim::run(&args, out).await;
    }
    let config = config::load(global.config.as_deref())?;
    let session = Session {
        config,
        clock: Clock::System,
        out,
        acts_as: global.acts_as.clone(),
    };
    match command {
        Command::Demo(_) | Command::Config(_) | Command::RegistrationSim(_) => unreachable!("handled above"),
        Command::Serve => {
            let stop = stop_on_signal()?;
            app::serve(session.config, session.clock, stop).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Import(args) => import::run(&args, &session).await,
        Command::Round(command) => round::run(command, &session).await,
        Command::Pacing(command) => pacing::run(command, &session).await,
        Command::Rehearse(args) => rehearse::run(&args, &session).await,
        Command::Deliveries(args) => deliveries::run(&args, &session).await,
        Command::Incident(command) => Box::pin(incident::run(command, &session)).await,
        Command::Policy(command) => policy::run(command, &session).await,
        Command::Text(command) => text::run(command, &session).await,
        Command::Thread(command) => Box::pin(thread::run(command, &session)).await,
        Command::Visits(args) => visit::visits(&args, &session).await,
        Command::Visit(command) => Box::pin(visit::visit(command, &session)).await,
        Command::Team(command) => Box::pin(visit::team(command, &session)).await,
        Command::Status => status::run(&session).await,
        Command::Alerts(args) => Box::pin(alerts::run(args, &session)).await,
        Command::Broadcast(command) => Box::pin(broadcast::run(command, &session)).await,
        Command::Worker(command) => worker::run(command, &session).await,
        Command::Audit(args) => audit::run(args, &session).await,
        Command::Invite(args) => invite::run(&args, &session).await,
        Command::Ask(args) => ask::run(&args, &session),
        Command::Registration(command) => registration::run(&command, &session).await,
        Command::SendTest(args) => send_test::run(&args, &session).await,
        Command::Backup { file } => data::backup(&file, &session).await,
        Command::Restore(args) => data::restore(&args, &session).await,
        Command::Key(command) => Box::pin(data::key(command, &session)).await,
    }
}

/// Cancelled by SIGTERM and by Ctrl-C; a second Ctrl-C ends the process at once.
pub fn stop_on_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("signals cannot be received")?;
    let wait = async move {
        #[cfg(unix)]
        let terminated = async { terminate.recv().await };
        #[cfg(not(unix))]
        let terminated = std::future::pending::<Option<()>>();
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated => {}
        }
        tracing::info!("stopping; what is in flight is finished first");
        token.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for the whole life of the process"
    )]
    tokio::spawn(wait);
    Ok(stop)
}

/// Reads `info`, or `warn,weir::outbox=debug`.
fn log_levels(text: &str) -> Result<Targets, String> {
    let level = |name: &str| -> Result<LevelFilter, String> {
        let known = name.trim().parse().ok().filter(|_| !name.trim().is_empty());
        known.ok_or_else(|| {
            format!(
                "{name:?} is no level: write error, warn, info, debug, trace or off, or by module weir=debug, \
                 with commas between"
            )
        })
    };
    let mut levels = Targets::new();
    for part in text.split(',') {
        levels = match part.split_once('=') {
            Some((module, name)) => levels.with_target(module.trim(), level(name)?),
            None => levels.with_default(level(part)?),
        };
    }
    Ok(levels)
}

/// What may be logged at all, whatever is asked for: libraries log whole frames, requests and queries at their lower
/// levels, and with them personal data.
fn loggable() -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("weir", LevelFilter::TRACE)
        .with_target("sqlx", LevelFilter::ERROR)
        .with_target("rusmpp", LevelFilter::ERROR)
}

fn start_logging(global: &Global, command: &Command) {
    // The service tells what it does; a command says it by its answer.
    let usual = if matches!(command, Command::Serve) {
        LevelFilter::INFO
    } else {
        LevelFilter::WARN
    };
    let levels = global.log.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    let lines = if global.log_json {
        lines.json().boxed()
    } else {
        lines.with_target(false).boxed()
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(levels.unwrap_or_else(|| Targets::new().with_default(usual)))
        .with(loggable())
        .init();
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_are_read_as_they_are_written_and_nothing_else() {
        let levels = log_levels("warn, weir::outbox=debug").expect("levels");
        assert!(levels.would_enable("weir::outbox::dispatcher", &Level::DEBUG));
        assert!(!levels.would_enable("weir::store", &Level::INFO));
        for bad in ["nonsense===", "loud", "", "weir=", "info,,", "weir=loud"] {
            let said = log_levels(bad).expect_err(bad);
            assert!(said.contains("weir=debug"), "{said}");
        }
    }

    #[test]
    fn libraries_stay_quiet_whatever_is_asked_for() {
        for library in [
            "sqlx::query",
            "rusmpp",
            "rusmppc::connection",
            "teloxide_core::net",
            "hyper_util::client",
            "reqwest::connect",
        ] {
            assert!(!loggable().would_enable(library, &Level::INFO), "{library}");
        }
        assert!(
            !loggable().would_enable("sqlx::query", &Level::WARN),
            "slow queries"
        );
        assert!(loggable().would_enable("weir::outbox", &Level::TRACE));
    }
}
