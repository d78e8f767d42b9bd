//! `weir rehearse`.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{Session, output::table};
use crate::{
    domain::RoundId,
    pacing::law::Params,
    rehearsal::{
        self, CAPACITY_PER_RECIPIENT, Outcome, Reading, Readings, Rehearsal, Scenario, Scene, Without, city,
        picture,
    },
    store::Store,
};

/// Recipients of a made city where nobody says how many.
const RECIPIENTS: u32 = 1_000_000;
/// The smallest city in which chance does not decide.
const RECIPIENTS_MIN: u32 = 1_000;
/// Sessions a second that a round is rehearsed against at least, where the configuration does not name the system's
/// capacity: a registration system does not shrink with the neighbourhood that tries Weir, and the model's servers
/// (0.4 for each session a second) are a crowd only from here on.
const CAPACITY_MIN: f64 = 25.0;
/// Changes of mode that are told in words; all of them are in the JSON.
const MODES_TOLD: usize = 6;

/// `weir rehearse`
#[derive(Clone, Debug, Args)]
pub struct RehearseArgs {
    /// Rehearse this round of the store; without it, a made city.
    #[arg(long, value_name = "ROUND", conflicts_with = "recipients")]
    round: Option<RoundId>,
    /// Recipients of the made city (one contact tells a household). Needs no store.
    #[arg(long, value_name = "N")]
    recipients: Option<u32>,
    /// What goes wrong.
    #[arg(long, value_enum, default_value = "nominal")]
    scenario: Scenario,
    /// Every scenario in turn.
    #[arg(long, conflicts_with = "scenario")]
    all: bool,
    /// Leave this out, to see what it is for.
    #[arg(long, value_enum)]
    without: Option<Without>,
    /// Read the reference model another way where it leaves something open; may be given more than once.
    #[arg(long, value_enum)]
    reading: Vec<Reading>,
    /// Everything by chance comes from it: the same seed gives the same answer.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sessions a second that the registration system completes; by default pacing.nominal_capacity, or 500 for each 8
    /// million recipients, for a round 25 at least.
    #[arg(long, value_name = "SESSIONS")]
    capacity: Option<f64>,
    /// Corrections a second that the channels carry; by default as many as there are.
    #[arg(long, value_name = "MESSAGES")]
    corrections: Option<f64>,
    /// Write the curve as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl RehearseArgs {
    fn readings(&self) -> Readings {
        self.reading.iter().copied().collect()
    }
}

/// Rehearses, and tells what came of it. The exit code is 1 where the plan does not hold.
pub async fn run(args: &RehearseArgs, session: &Session) -> Result<ExitCode> {
    let store = match args.round {
        Some(_) => Some(session.store().await?),
        None => None,
    };
    let (scene, params) = scene(args, session, store.as_ref()).await?;
    if scene.windows.is_empty() {
        bail!("there is nothing to rehearse: the round has no windows");
    }
    let scenarios = if args.all {
        Scenario::ALL.to_vec()
    } else {
        vec![args.scenario]
    };
    let bar = progress(session, scenarios.len() as u64);
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        bar.set_message(scenario.name());
        let rehearsal = Rehearsal {
            scene: scene.clone(),
            scenario,
            params,
            corrections_per_second: args.corrections,
            seed: args.seed,
            without: args.without,
            readings: args.readings(),
        };
        outcomes.push(tokio::task::block_in_place(|| rehearsal::rehearse(rehearsal)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(file) = &args.svg {
        write_picture(file, args, &scene, params, &outcomes)?;
    }
    let passed = outcomes
        .iter()
        .all(|outcome| outcome.verdict.passed || outcome.scenario == Scenario::Chengdu2022);
    // Everybody at once is no trial of the plan, and another capacity than the configured one none of this city.
    let trial = passed
        && args.without.is_none()
        && args.capacity.is_none()
        && outcomes
            .iter()
            .any(|outcome| outcome.scenario != Scenario::Chengdu2022);
    if let (Some(store), Some(round), true) = (&store, args.round, trial) {
        let revision = store.round(round).await?.map_or(0, |round| round.plan_revision);
        store.set_meta(&passed_key(round), &revision.to_string()).await?;
    }
    let assumed =
        args.round.is_some() && args.capacity.is_none() && session.config.pacing.nominal_capacity.is_none();
    match outcomes.as_slice() {
        [outcome] => session.out.answer(outcome, || words(outcome, assumed))?,
        several => session
            .out
            .answer(&serde_json::json!({ "outcomes": several }), || compared(several))?,
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Where the store remembers the revision of a round's plan whose rehearsal has passed.
pub fn passed_key(round: RoundId) -> String {
    format!("rehearsal.{round}")
}

async fn scene(args: &RehearseArgs, session: &Session, store: Option<&Store>) -> Result<(Scene, Params)> {
    let pacing = &session.config.pacing;
    let least = if args.round.is_some() { CAPACITY_MIN } else { 0.0 };
    let params = |recipients: u64| {
        let capacity = args
            .capacity
            .or(pacing.nominal_capacity)
            .unwrap_or((recipients as f64 * CAPACITY_PER_RECIPIENT).max(least));
        Params {
            set_point: pacing.set_point,
            background: pacing.background_share * capacity,
            ..Params::for_capacity(capacity)
        }
    };
    if args
        .capacity
        .is_some_and(|capacity| !capacity.is_finite() || capacity <= 0.0)
    {
        bail!("--capacity is sessions a second: more than 0");
    }
    if let (Some(round), Some(store)) = (args.round, store) {
        let scene = city::of_round(store, &session.config, round, session.clock.now()).await?;
        let recipients = scene
            .windows
            .iter()
            .map(|window| u64::from(window.recipients))
            .sum();
        return Ok((scene, params(recipients)));
    }
    let recipients = args.recipients.unwrap_or(RECIPIENTS);
    if recipients < RECIPIENTS_MIN {
        bail!("--recipients is {RECIPIENTS_MIN} or more");
    }
    let params = params(u64::from(recipients));
    let scene = tokio::task::block_in_place(|| city::made(recipients, &params, args.readings(), args.seed));
    Ok((scene, params))
}

fn progress(session: &Session, scenarios: u64) -> indicatif::ProgressBar {
    if session.out.json {
        return indicatif::ProgressBar::hidden();
    }
    let style =
        indicatif::ProgressStyle::with_template("{spinner} rehearsing {msg} ({pos} of {len}) {elapsed}");
    let bar = indicatif::ProgressBar::new(scenarios)
        .with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn write_picture(
    file: &std::path::Path,
    args: &RehearseArgs,
    scene: &Scene,
    params: Params,
    outcomes: &[Outcome],
) -> Result<()> {
    let Some(outcome) = outcomes.first() else {
        return Ok(());
    };
    let behind = Rehearsal {
        scene: scene.clone(),
        scenario: Scenario::Chengdu2022,
        params,
        corrections_per_second: None,
        seed: args.seed,
        without: None,
        readings: args.readings(),
    };
    let at_once = tokio::task::block_in_place(|| rehearsal::at_once(behind));
    std::fs::write(file, picture::svg(outcome, &at_once))
        .with_context(|| format!("{} cannot be written", file.display()))
}

fn words(outcome: &Outcome, assumed: bool) -> String {
    let mut text = format!(
        "Rehearsed “{}”: {} recipients, {:.1} sessions/s{}, seed {}.\n{}\n",
        outcome.scenario.name(),
        outcome.recipients,
        outcome.nominal_capacity,
        if assumed {
            " (assumed: set pacing.nominal_capacity to what your registration system completes)"
        } else {
            ""
        },
        outcome.seed,
        match (outcome.scenario, outcome.verdict.passed) {
            (Scenario::Chengdu2022, _) => "This is what Weir is for: everybody was told at once.",
            (_, true) => "The plan holds.",
            (_, false) => "THE PLAN DOES NOT HOLD.",
        }
    );
    for says in &outcome.verdict.says {
        let _ = writeln!(text, "  - {says}");
    }
    if !outcome.modes.is_empty() {
        let _ = writeln!(
            text,
            "  - the law, in hours from the first window: {}",
            modes(outcome)
        );
    }
    if outcome.moved_windows > 0 {
        let _ = writeln!(
            text,
            "  - moves of windows: {}, of which {} of windows that had been told",
            outcome.moved_windows, outcome.corrected_windows
        );
    }
    text.push_str(&table(&FIGURES, &[figures(outcome)]));
    text
}

fn modes(outcome: &Outcome) -> String {
    let told: Vec<String> = outcome
        .modes
        .iter()
        .take(MODES_TOLD)
        .map(|(minute, mode)| {
            let minutes = minute.round() as i64;
            let sign = if minutes < 0 { "−" } else { "" };
            format!(
                "{mode} from {sign}{}:{:02}",
                minutes.abs() / 60,
                minutes.abs() % 60
            )
        })
        .collect();
    let more = outcome.modes.len() - told.len();
    match more {
        0 => told.join(", "),
        more => format!("{}, and {more} more changes", told.join(", ")),
    }
}

const FIGURES: [&str; 7] = [
    "scenario",
    "peak/set point",
    "overload s",
    "99 %/oracle",
    "missed %",
    "recovery s",
    "holds",
];

fn figures(outcome: &Outcome) -> Vec<String> {
    vec![
        outcome.scenario.name().to_owned(),
        format!("{:.2}", outcome.peak_over_set_point),
        outcome.overload_seconds.to_string(),
        outcome
            .done_99_over_oracle
            .map_or("never".into(), |ratio| format!("{ratio:.2}")),
        format!("{:.2}", outcome.missed_online_share * 100.0),
        match (outcome.scenario.disturbed_until(), outcome.recovery_seconds) {
            (None, _) => "–".into(),
            (_, Some(seconds)) => seconds.to_string(),
            (_, None) => "never".into(),
        },
        if outcome.verdict.passed { "yes" } else { "no" }.to_owned(),
    ]
}

fn compared(outcomes: &[Outcome]) -> String {
    table(&FIGURES, &outcomes.iter().map(figures).collect::<Vec<_>>())
}
