//! The whole service against its own simulators, on a fast clock: what a newcomer sees first.
//!
//! The city is read from `examples/city`; the messages go over the real protocols to a Bot API server and an SMSC
//! on loopback; at the end, what those two hold is reconciled against the roster.

mod chat;
mod reconcile;
mod residents;

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveTime, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app,
    channels::{
        sms::smsc::{Smsc, SmscOptions, Submitted},
        telegram::fake::{FakeBotApi, FakeOptions, SentMessage},
    },
    cli::Output,
    clock::Clock,
    config::{Config, SmppConfig},
    domain::{RoundId, RoundState},
    planner::chart,
    release::plan::{self, PlanSummary, RoundSpec},
    roster::import::{self, ImportOptions},
    store::{DeliveryFilter, Store},
};
use residents::Resident;

/// Seconds of the demo's day for each second of the watcher's.
const SPEED: f64 = 600.0;
/// The demo gives up, and says so, when it is not through after this.
const PATIENCE: Duration = Duration::from_secs(110);
const DAY_BEGINS: (u32, u32) = (15, 0);
const WINDOWS_FROM: (u32, u32) = (17, 0);
const WINDOWS_TO: (u32, u32) = (21, 0);
/// When the chat takes place: everybody has been told, nobody's window has begun.
const CHAT_AT: (u32, u32) = (16, 30);
const TOKEN: &str = "1000000001:demo-demo-demo-demo-demo-demo-demo-1";
/// Texts that begin with the same characters are alike; so many of each are shown.
const SAMPLE_BEGINNING: usize = 12;
const SAMPLES_ALIKE: usize = 1;

const ROSTER: &str = include_str!("../../examples/city/roster.csv");
const SITES: &str = include_str!("../../examples/city/sites.csv");
const BUILDINGS: &str = include_str!("../../examples/city/buildings.csv");

/// `weir demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the round; exit code 0 only if every delivery is final and none was lost.
    #[arg(long)]
    once: bool,
}

/// The demo's stage: simulators, a throw-away store, the sample city.
struct Stage {
    folder: tempfile::TempDir,
    clock: Clock,
    config: Config,
    bot_api: FakeBotApi,
    smsc: Smsc,
    residents: Vec<Resident>,
    stop: CancellationToken,
    out: Output,
}

/// What the demo's day came to.
struct Outcome {
    summary: PlanSummary,
    ledger: reconcile::Ledger,
    seconds: f64,
}

/// Runs the demo.
pub async fn run(args: &DemoArgs, out: Output) -> Result<ExitCode> {
    let started = Instant::now();
    let stage = Stage::set(out).await?;
    let outcome = stage.day(started).await?;
    let good = outcome.report(out)?;
    if !args.once && !out.json {
        chat::run(&stage, outcome.summary).await?;
    }
    stage.stop.cancel();
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Stage {
    async fn set(out: Output) -> Result<Self> {
        let folder = tempfile::tempdir().context("a temporary folder for the demo's database")?;
        let mut config = Config::default();
        let today = Clock::System
            .now()
            .with_timezone(&config.city.time_zone)
            .date_naive();
        let begins = plan::local(config.city.time_zone, today, time(DAY_BEGINS));
        let clock = Clock::fast(begins, SPEED);
        let stop = CancellationToken::new();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let bot_api = FakeBotApi::start(loopback, TOKEN, FakeOptions::new(clock.clone()), stop.clone())
            .await
            .context("the demo's Bot API server")?;
        let options = SmscOptions {
            receipts_after: Some(Duration::from_secs(20)),
            share_undelivered: 0.004,
            share_without_receipt: 0.004,
            clock: clock.clone(),
            ..SmscOptions::default()
        };
        let smsc = Smsc::start(loopback, options, stop.clone())
            .await
            .context("the demo's SMSC")?;
        config.store.url = format!("sqlite://{}", folder.path().join("demo.db").display()).into();
        config.telegram.token = Some(TOKEN.into());
        config.telegram.api_url = bot_api.url();
        config.sms.receipt_wait = Duration::from_mins(30);
        config.sms.smpp = vec![SmppConfig {
            name: "demo".into(),
            port: smsc.local_addr().port(),
            system_id: "weir".into(),
            source: "10690001".into(),
            window: 64,
            ..SmppConfig::default()
        }];
        let residents = residents::read(ROSTER)?;
        Ok(Self {
            folder,
            clock,
            config,
            bot_api,
            smsc,
            residents,
            stop,
            out,
        })
    }

    /// The day from the import to the last receipt.
    async fn day(&self, started: Instant) -> Result<Outcome> {
        self.out
            .line("Weir's demo: a throw-away database, a sample city, simulators on loopback.");
        self.out.line(format!(
            "One second here is {:.0} minutes there; the day begins at 15:00.\n",
            SPEED / 60.0
        ));
        let store = app::open_store(&self.config).await?;
        self.import(&store).await?;
        let (mut service, stop) = self.start_service(self.clock.clone());
        let linked = self.link_some(&store).await?;
        let (round, summary) = self.plan_and_release(&store).await?;
        let watched = tokio::select! {
            watched = self.watch(&store, round) => watched,
            ended = service.join_next() => match ended {
                Some(Ok(Err(error))) => Err(error),
                _ => bail!("the service ended in mid-demo"),
            },
        };
        watched?;
        let ledger = reconcile::settle(self, &store, round, &linked).await?;
        stop.cancel();
        while service.join_next().await.is_some() {}
        let seconds = started.elapsed().as_secs_f64();
        Ok(Outcome {
            summary,
            ledger,
            seconds,
        })
    }

    /// The service, and what stops it.
    fn start_service(&self, clock: Clock) -> (JoinSet<Result<()>>, CancellationToken) {
        let stop = self.stop.child_token();
        let mut service = JoinSet::new();
        service.spawn(app::serve(self.config.clone(), clock, stop.clone()));
        (service, stop)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    async fn import(&self, store: &Store) -> Result<()> {
        let options = ImportOptions {
            roster: Some(self.write("roster.csv", ROSTER)?),
            sites: Some(self.write("sites.csv", SITES)?),
            buildings: Some(self.write("buildings.csv", BUILDINGS)?),
            ..ImportOptions::default()
        };
        let report = import::run(store, &options, self.clock.now(), &import::Quiet).await?;
        self.out.line(format!(
            "imported: {} residents, {} sites; {} rows refused",
            report.summary.added, report.sites_added, report.summary.refused
        ));
        Ok(())
    }

    /// Some residents open the bot, as they would: the code at their door, then their own phone number.
    async fn link_some(&self, store: &Store) -> Result<Vec<Resident>> {
        let codes = residents::unit_codes(store).await?;
        let linked = residents::with_telegram(&self.residents);
        for resident in &linked {
            let Some(code) = codes.get(&resident.place) else {
                continue;
            };
            let language = if resident.language == "en" {
                "en"
            } else {
                "zh-hans"
            };
            self.bot_api
                .user_says(resident.chat, language, &resident.name, &format!("/start {code}"));
            self.bot_api
                .user_shares_contact(resident.chat, &resident.phone, true);
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut done = 0;
        while Instant::now() < deadline {
            done = residents::count_linked(store, &linked).await?;
            if done == linked.len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.out.line(format!(
            "{done} of {} residents who use Telegram linked their phone by chat",
            linked.len()
        ));
        Ok(linked)
    }

    async fn plan_and_release(&self, store: &Store) -> Result<(RoundId, PlanSummary)> {
        let zone = self.config.city.time_zone;
        let now = self.clock.now();
        let date = now.with_timezone(&zone).date_naive();
        let spec = RoundSpec {
            date,
            until: date,
            from: time(WINDOWS_FROM),
            to: time(WINDOWS_TO),
            communities: Vec::new(),
            city_cap: None,
            lead_minutes: 30,
            notice_from: now,
            must_not: Vec::new(),
            ahead_minutes: None,
            two_step: false,
        };
        let (round, summary) = plan::plan_round(store, &self.config, &spec, now).await?;
        self.out.line(format!(
            "planned: {} people in {} units, each unit with its own window at one of {} sites",
            summary.people, summary.units, summary.sites
        ));
        self.out.line(chart::terminal(&summary.load, 76, 8));
        let release = plan::release_round(store, round, false, now).await?;
        self.out.line(format!(
            "released: {} contacts, {:.0} a minute, reminders 30 min before each window\n",
            release.recipients, release.pace_per_minute
        ));
        Ok((round, summary))
    }

    /// Shows what goes out until the round is over.
    async fn watch(&self, store: &Store, round: RoundId) -> Result<()> {
        let target = if self.out.json {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(100), target);
        bar.set_style(ProgressStyle::with_template(
            "{msg}  [{bar:24}] {percent}% of units told",
        )?);
        let (mut telegram, mut sms) = (self.bot_api.subscribe(), self.smsc.subscribe());
        let mut samples = Samples::default();
        let (mut last, started) = ((0, Instant::now()), Instant::now());
        let filter = DeliveryFilter {
            round: Some(round),
            ..DeliveryFilter::default()
        };
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            if let Some(text) = samples.next(&mut telegram, &mut sms) {
                bar.suspend(|| self.out.line(text));
            }
            let (told, units) = store.told(round).await?;
            let counts = store.count_deliveries(&filter).await?;
            let all: i64 = counts.iter().map(|count| count.deliveries).sum();
            let rate = (all - last.0) as f64 / last.1.elapsed().as_secs_f64();
            last = (all, Instant::now());
            bar.set_length(units as u64);
            bar.set_position(told as u64);
            let at = self.clock.now().with_timezone(&self.config.city.time_zone);
            bar.set_message(format!(
                "{}  {all:>5} messages, {rate:>4.0}/s",
                at.format("%H:%M")
            ));
            let over = plan::existing(store, round).await?.state == RoundState::Done;
            if over {
                bar.finish_and_clear();
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!(
                    "the round is not over after {} s: see the states above",
                    PATIENCE.as_secs()
                );
            }
        }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn at(&self, hour_and_minute: (u32, u32)) -> DateTime<Utc> {
        let zone = self.config.city.time_zone;
        let today = self.clock.now().with_timezone(&zone).date_naive();
        plan::local(zone, today, time(hour_and_minute))
    }
}

fn time((hour, minute): (u32, u32)) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default()
}

/// Texts shown as residents get them: of each channel and kind a few, no two that begin alike.
#[derive(Default)]
struct Samples {
    shown: HashMap<String, usize>,
}

impl Samples {
    /// The next text worth showing, with how it came; everything else that came is passed over.
    fn next(
        &mut self,
        telegram: &mut broadcast::Receiver<SentMessage>,
        sms: &mut broadcast::Receiver<Submitted>,
    ) -> Option<String> {
        let mut found = None;
        while let Ok(sent) = telegram.try_recv() {
            found = found.or_else(|| self.worth("Telegram", &sent.text));
        }
        while let Ok(sent) = sms.try_recv() {
            let parts = if sent.parts == 1 {
                "1 part".into()
            } else {
                format!("{} parts", sent.parts)
            };
            found = found.or_else(|| self.worth(&format!("SMS in {parts}"), &sent.text));
        }
        found
    }

    fn worth(&mut self, head: &str, text: &str) -> Option<String> {
        let beginning: String = text.chars().take(SAMPLE_BEGINNING).collect();
        let shown = self.shown.entry(format!("{head} {beginning}")).or_default();
        *shown += 1;
        (*shown <= SAMPLES_ALIKE).then(|| format!("┌ {head}\n│ {}\n", text.replace('\n', "\n│ ")))
    }
}

impl Outcome {
    /// Prints the summary; true if every delivery is final and none was lost.
    fn report(&self, out: Output) -> Result<bool> {
        let (summary, ledger) = (&self.summary, &self.ledger);
        let answer = serde_json::json!({
            "residents": ledger.residents,
            "units": summary.units,
            "windows": summary.units,
            "deliveries": ledger.deliveries,
            "lost": ledger.lost,
            "repeated": ledger.repeated,
            "planned_peak_per_minute": summary.planned_peak_per_minute,
            "at_once_peak_per_minute": summary.at_once_peak_per_minute,
            "seconds": (self.seconds * 10.0).round() / 10.0,
        });
        out.answer(&answer, || {
            let states: Vec<String> =
                ledger.deliveries.iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!(
                "The day is over, in {:.0} s.\n\
                 \x20 peak of arrivals   {:>6.0} people/min as planned\n\
                 \x20                    {:>6.0} people/min if everybody had been told to come at once\n\
                 \x20 deliveries         {}\n\
                 \x20 reconciled         {} addresses on the roster, {} lost, {} sent more than once\n\
                 \x20 without a phone    {} households have no contact: `weir round status` lists their units\n",
                self.seconds,
                summary.planned_peak_per_minute,
                summary.at_once_peak_per_minute,
                states.join(", "),
                ledger.expected,
                ledger.lost,
                ledger.repeated,
                ledger.silent_households,
            )
        })?;
        Ok(ledger.lost == 0 && ledger.open == 0)
    }
}
