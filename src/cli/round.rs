//! `weir round`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Session,
    output::table,
    places::unit_named,
    round_status::{silent_words, status},
};
use crate::{
    domain::{self, Right, RoundId, RoundState, Site},
    planner::chart,
    release::{
        communities::Communities,
        plan::{self, MustNotTime, PlanSummary, RoundSpec},
        replan::{self, ReplanQuota, Replanned},
    },
    store::{Round, Store},
};

/// `weir round …`
#[derive(Debug, Subcommand)]
pub enum RoundCommand {
    /// Plan a round: a window for every unit, as a draft. Nobody is told yet.
    Plan(PlanArgs),
    /// List the rounds.
    List,
    /// Show a round's plan, and write its load curve as an SVG picture.
    Show {
        /// The round.
        round: RoundId,
        /// Where to write the picture.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// List every unit's window.
        #[arg(long)]
        windows: bool,
    },
    /// Let a draft go: the service tells its units, at the pace of the plan.
    Release {
        /// The round.
        round: RoundId,
        /// Release it although it asks more of its sites than they can take.
        #[arg(long)]
        accept_shortage: bool,
    },
    /// Hold everything of a round that has not left, save corrections of what people were told.
    Pause {
        /// The round.
        round: RoundId,
    },
    /// Let a paused round go on.
    Resume {
        /// The round.
        round: RoundId,
    },
    /// Withdraw a round: what has not left never will, and who knows a time that is still to come is told that it is off.
    Cancel {
        /// The round.
        round: RoundId,
    },
    /// Say why a unit has its window.
    Explain {
        /// The round.
        round: RoundId,
        /// The unit, as people write it (锦绣社区1 3栋2单元, with its street before it where needed), or the code at its
        /// door.
        #[arg(required = true, num_args = 1..)]
        unit: Vec<String>,
    },
    /// Move windows of a released round later, each at most three times; those who were told hear the new time once.
    /// Units that came onto the roster since get a window. Without --yes it only says what would move.
    Replan(ReplanArgs),
    /// How far a round has come, and whom it does not reach.
    Status {
        /// The round.
        round: RoundId,
    },
}

/// `weir round replan`
#[derive(Debug, Args)]
pub struct ReplanArgs {
    /// The round.
    round: RoundId,
    /// Windows that start from then on may move, as 14:30 today; now by default.
    #[arg(long, value_parser = clock_time)]
    from: Option<NaiveTime>,
    /// None of them starts earlier than this after --from.
    #[arg(long, value_parser = humantime::parse_duration)]
    delay: Option<std::time::Duration>,
    /// Recipients whose windows may start in a minute, over the whole city.
    #[arg(long, value_name = "RECIPIENTS/MIN")]
    quota: Option<f64>,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

/// `weir round plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// First day, as 2026-09-03.
    #[arg(long, value_parser = day)]
    date: NaiveDate,
    /// First minute of each day, as 08:00.
    #[arg(long, value_parser = clock_time)]
    from: NaiveTime,
    /// End of each day, as 20:00.
    #[arg(long, value_parser = clock_time)]
    to: NaiveTime,
    /// Last day that may be used where the first does not suffice.
    #[arg(long, value_parser = day)]
    until: Option<NaiveDate>,
    /// Only this community, as street/community where its name is not the only one; may be given more than once. All
    /// by default.
    #[arg(long)]
    community: Vec<String>,
    /// People a minute over the whole city that the registration system can take.
    #[arg(long, value_name = "PEOPLE/MIN")]
    city_cap: Option<f64>,
    /// A time of each day at which nobody is called, as 12:00-13:00, or only nobody of one community, as
    /// COMMUNITY=12:00-13:00; may be given more than once.
    #[arg(long = "not", value_name = "[COMMUNITY=]FROM-TO", value_parser = must_not)]
    must_not: Vec<MustNotTime>,
    /// A notice leaves at least this long before its window.
    #[arg(long, default_value = "30m", value_parser = humantime::parse_duration)]
    lead: std::time::Duration,
    /// No notice leaves before; by default 18:00 the evening before. As 2026-09-02T18:00.
    #[arg(long, value_name = "TIME", value_parser = day_and_time)]
    notice_from: Option<NaiveDateTime>,
    /// A notice leaves at most this long before its window; by default as early as the pace brings it.
    #[arg(long, value_parser = humantime::parse_duration)]
    ahead: Option<std::time::Duration>,
    /// Tell each unit's window first, without the link to register; send the link when the window has come, at the
    /// pace that the registration system can take.
    #[arg(long)]
    two_step: bool,
    /// Where to write the picture of the load curve; by default round-ID.svg in this folder.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn clock_time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M")
        .or_else(|_| NaiveTime::parse_from_str(&format!("{text}:00"), "%H:%M"))
        .map_err(|_| "write a time as 08:00, from 00:00 to 23:59".into())
}

fn must_not(text: &str) -> Result<MustNotTime, String> {
    let (community, span) = match text.rsplit_once('=') {
        Some((community, span)) => (Some(community.trim().to_owned()), span),
        None => (None, text),
    };
    let (from, to) = span
        .split_once(['-', '–'])
        .ok_or("write a time as 12:00-13:00, or COMMUNITY=12:00-13:00")?;
    Ok(MustNotTime {
        community,
        from: clock_time(from.trim())?,
        to: clock_time(to.trim())?,
    })
}

/// A date as a command is given one.
pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "write a date as 2026-09-03".to_owned())
}

fn day_and_time(text: &str) -> Result<NaiveDateTime, String> {
    ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .ok_or_else(|| "write day and time as 2026-09-02T18:00".into())
}

/// Runs one of the commands.
pub async fn run(command: RoundCommand, session: &Session) -> Result<ExitCode> {
    match command {
        RoundCommand::Plan(args) => plan_round(args, session).await?,
        RoundCommand::List => list(session).await?,
        RoundCommand::Show { round, svg, windows } => show(round, svg, windows, session).await?,
        RoundCommand::Release {
            round,
            accept_shortage,
        } => release(round, accept_shortage, session).await?,
        RoundCommand::Pause { round } => change(round, RoundState::Paused, session).await?,
        RoundCommand::Resume { round } => change(round, RoundState::Releasing, session).await?,
        RoundCommand::Cancel { round } => change(round, RoundState::Cancelled, session).await?,
        RoundCommand::Explain { round, unit } => explain(round, &unit.join(" "), session).await?,
        RoundCommand::Replan(args) => replan_round(args, session).await?,
        RoundCommand::Status { round } => status(round, session).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn plan_round(args: PlanArgs, session: &Session) -> Result<()> {
    let zone = session.config.city.time_zone;
    let eve = (args.date - Days::new(1)).and_time(NaiveTime::from_hms_opt(18, 0, 0).unwrap_or_default());
    let notice_from = args.notice_from.unwrap_or(eve);
    let spec = RoundSpec {
        date: args.date,
        until: args.until.unwrap_or(args.date),
        from: args.from,
        to: args.to,
        communities: args.community,
        city_cap: args.city_cap,
        lead_minutes: i64::try_from(args.lead.as_secs() / 60).context("--lead is too long")?,
        notice_from: plan::local(zone, notice_from.date(), notice_from.time()),
        must_not: args.must_not,
        ahead_minutes: args.ahead.map(|ahead| (ahead.as_secs() / 60) as i64),
        two_step: args.two_step,
    };
    if let Some(file) = &args.svg {
        check_writable(file)?;
    }
    let store = session.store().await?;
    let areas = areas(&spec.communities, &store).await?;
    let said = (
        "round.plan",
        String::new(),
        format!("{} to {}", spec.date, spec.until),
    );
    session.act(&store, Right::Plan, &areas, said).await?;
    let (id, summary) = plan::plan_round(&store, &session.config, &spec, session.clock.now()).await?;
    let sites = store.sites().await?;
    let file = args
        .svg
        .unwrap_or_else(|| PathBuf::from(format!("round-{id}.svg")));
    // The plan is made: without its picture it is still the plan, and its number must be told.
    let picture = write_picture(&file, id, &spec, &summary);
    if let Err(error) = &picture {
        session.out.note(format!(
            "note: the plan is made, but without its picture: {error:#}. `weir round show {id} --svg FILE` draws it"
        ));
    }
    let svg = picture.is_ok().then(|| file.display().to_string());
    let answer = json!({
        "round": id, "units": summary.units, "people": summary.people, "sites": summary.sites,
        "begins_later": summary.begins_later,
        "planned_peak_per_minute": summary.planned_peak_per_minute,
        "at_once_peak_per_minute": summary.at_once_peak_per_minute,
        "green_people": summary.green_people,
        "over_capacity_units": summary.over_capacity_units, "shortage": summary.shortage,
        "svg": svg,
    });
    session.out.answer(&answer, || {
        let picture = svg.map_or_else(String::new, |file| format!("The picture is in {file}. "));
        format!(
            "{}\n{picture}This is a draft: nobody is told before `weir round release {id}`.",
            plan_words(id, &spec, &summary, &sites, session),
        )
    })
}

/// A plan whose picture was asked for where none can be is not made: the path is probably mistyped.
fn check_writable(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).with_context(|| unwritable(file))?;
    Ok(())
}

fn unwritable(file: &Path) -> String {
    format!(
        "the picture {} could not be written; name another place with --svg",
        file.display()
    )
}

fn write_picture(file: &Path, id: RoundId, spec: &RoundSpec, summary: &PlanSummary) -> Result<()> {
    let picture = chart::svg(&plan::chart_data(id, spec, summary));
    std::fs::write(file, picture).with_context(|| unwritable(file))
}

fn plan_words(
    id: RoundId,
    spec: &RoundSpec,
    summary: &PlanSummary,
    sites: &[Site],
    session: &Session,
) -> String {
    let zone = session.config.city.time_zone;
    let mut text = format!(
        "round {id}: {} people in {} units, at {} sites, {}{}, {}–{}\n\
         notices leave from {} on, each at least {} min before its window\n\
         peak: {:.0} people/min, against {:.0} if everybody were told to come at once\n",
        summary.people,
        summary.units,
        summary.sites,
        spec.date,
        if spec.until > spec.date {
            format!(" to {}", spec.until)
        } else {
            String::new()
        },
        spec.from.format("%H:%M"),
        spec.to.format("%H:%M"),
        spec.notice_from.with_timezone(&zone).format("%F %H:%M"),
        spec.lead_minutes,
        summary.planned_peak_per_minute,
        summary.at_once_peak_per_minute,
    );
    if let Some(begins) = summary.begins_later {
        text.push_str(&format!(
            "windows begin at {}, later than asked for: earlier ones could not be told {} min before\n",
            begins.with_timezone(&zone).format("%F %H:%M"),
            spec.lead_minutes,
        ));
    }
    text.push_str(&format!("\n{}", chart::terminal(&summary.load, 76, 9)));
    if let Some(shortage) = &summary.shortage {
        text.push_str(&format!(
            "\nTOO LITTLE CAPACITY: {} units have a window marked over capacity.\n{}\n",
            summary.over_capacity_units,
            plan::shortage_words(shortage, sites)
        ));
    }
    text
}

async fn explain(id: RoundId, unit: &str, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let (unit, place) = unit_named(&store, unit).await?;
    let (explanation, sites) = plan::explain(&store, &session.config, id, unit, session.clock.now()).await?;
    let name = |id| {
        let site = sites.iter().find(|site| site.id == id);
        site.map_or_else(|| "?".to_owned(), |site| site.name.clone())
    };
    let words = explanation.words(&name);
    let answer = json!({
        "round": id, "unit": place, "site": name(explanation.window.site), "people": explanation.window.people,
        "over_capacity": explanation.window.over_capacity, "why": words,
    });
    session.out.answer(&answer, || format!("{place}\n{words}"))
}

async fn replan_round(args: ReplanArgs, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let (config, now) = (&session.config, session.clock.now());
    let zone = config.city.time_zone;
    let round = plan::existing(&store, args.round).await?;
    if args.quota.is_some_and(|quota| !quota.is_finite() || quota < 1.0) {
        bail!("--quota is recipients a minute: 1 or more");
    }
    let delay = args.delay.map(chrono::TimeDelta::from_std).transpose();
    let delay = delay.context("--delay is too long")?;
    if delay.is_some_and(|delay| delay > chrono::TimeDelta::days(1)) {
        bail!("--delay is one day at most");
    }
    let quota = ReplanQuota {
        from: args
            .from
            .map(|from| plan::local(zone, now.with_timezone(&zone).date_naive(), from)),
        delay,
        starts_per_minute: args.quota,
        ..ReplanQuota::default()
    };
    if args.yes {
        on_record("round.replan", &round, session, &store).await?;
    }
    let outcome = if args.yes {
        replan::replan(&store, config, &round, &quota, now).await?
    } else {
        replan::preview(&store, config, &round, &quota, now).await?
    };
    let answer = json!({ "round": args.round, "done": args.yes, "replanned": outcome });
    let paused = round.state == RoundState::Paused;
    session
        .out
        .answer(&answer, || replan_words(&outcome, args.yes, paused))
}

fn replan_words(outcome: &Replanned, done: bool, paused: bool) -> String {
    let (moved, added) = if done {
        ("moved", "were added")
    } else {
        ("would move", "would be added")
    };
    let mut text = format!(
        "{} windows {moved}, {} people, at most {} min later\n{} of them had been told: their people {} the new time, once\n",
        outcome.moved_units,
        outcome.people,
        outcome.minutes_max,
        outcome.told_units,
        if done { "are now told" } else { "would be told" },
    );
    if paused && outcome.told_units > 0 {
        text.push_str("The round is paused: these are told all the same, nobody else is\n");
    }
    if outcome.added_units > 0 {
        text.push_str(&format!(
            "{} windows {added} for units that had none\n",
            outcome.added_units
        ));
    }
    if outcome.over_capacity > 0 {
        text.push_str(&format!(
            "{} of the moved windows are over capacity: no later minute of the round has room\n",
            outcome.over_capacity
        ));
    }
    if outcome.stuck_recipients > 0 {
        text.push_str(&format!(
            "{} recipients keep a time that should have moved: they are on the way, or were moved three times already\n",
            outcome.stuck_recipients
        ));
    }
    if !done && outcome.moved_units + outcome.added_units > 0 {
        text.push_str("Nothing has changed yet: repeat it with --yes\n");
    }
    text
}

async fn list(session: &Session) -> Result<()> {
    let store = session.store().await?;
    let rounds = store.rounds().await?;
    let rows: Vec<_> = rounds
        .iter()
        .map(|round| {
            let summary = plan::plan_summary(round);
            json!({
                "round": round.id, "state": round.state, "units": summary.units, "people": summary.people,
                "planned_at": round.created_at, "last_window_ends_at": round.last_window_ends_at,
            })
        })
        .collect();
    session.out.answer(&json!({ "rounds": rows }), || {
        if rounds.is_empty() {
            return "no rounds yet: `weir round plan` makes one".to_owned();
        }
        let zone = session.config.city.time_zone;
        let lines: Vec<Vec<String>> = rounds
            .iter()
            .map(|round| {
                let summary = plan::plan_summary(round);
                vec![
                    round.id.to_string(),
                    round.state.as_str().into(),
                    summary.units.to_string(),
                    summary.people.to_string(),
                    round
                        .last_window_ends_at
                        .with_timezone(&zone)
                        .format("%F %H:%M")
                        .to_string(),
                ]
            })
            .collect();
        table(&["round", "state", "units", "people", "last window ends"], &lines)
    })
}

async fn show(id: RoundId, svg: Option<PathBuf>, with_windows: bool, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let round = plan::existing(&store, id).await?;
    let (spec, mut summary) = (plan::round_spec(&round)?, plan::plan_summary(&round));
    if round.moves > 0 {
        summary = plan::redrawn(summary, &store.windows(id).await?, session.config.city.time_zone);
    }
    if let Some(file) = &svg {
        write_picture(file, id, &spec, &summary)?;
    }
    let sites = store.sites().await?;
    let windows = if with_windows {
        window_rows(&store, id, session).await?
    } else {
        Vec::new()
    };
    let answer = json!({
        "round": id, "state": round.state, "spec": spec, "summary": summary,
        "windows": windows.iter().map(|row| json!({
            "starts": row[0], "ends": row[1], "unit": row[2], "site": row[3], "people": row[4],
        })).collect::<Vec<_>>(),
    });
    session.out.answer(&answer, || {
        let mut text = format!(
            "{}\nstate: {}\n",
            plan_words(id, &spec, &summary, &sites, session),
            round.state.as_str()
        );
        if with_windows {
            text.push_str(&table(&["from", "to", "unit", "site", "people", ""], &windows));
        }
        text
    })
}

async fn window_rows(
    store: &crate::store::Store,
    id: RoundId,
    session: &Session,
) -> Result<Vec<Vec<String>>> {
    let zone = session.config.city.time_zone;
    let units: std::collections::HashMap<_, _> = store
        .units()
        .await?
        .into_iter()
        .map(|row| (row.unit, row.place))
        .collect();
    let sites: std::collections::HashMap<_, _> = store
        .sites()
        .await?
        .into_iter()
        .map(|site| (site.id, site.name))
        .collect();
    Ok(store
        .windows(id)
        .await?
        .iter()
        .map(|window| {
            vec![
                window
                    .starts_at
                    .with_timezone(&zone)
                    .format("%m-%d %H:%M")
                    .to_string(),
                window.ends_at.with_timezone(&zone).format("%H:%M").to_string(),
                units
                    .get(&window.unit)
                    .map_or_else(String::new, ToString::to_string),
                sites.get(&window.site).cloned().unwrap_or_default(),
                window.people.to_string(),
                if window.over_capacity {
                    "over capacity".into()
                } else {
                    String::new()
                },
            ]
        })
        .collect())
}

async fn release(id: RoundId, accept_shortage: bool, session: &Session) -> Result<()> {
    let config = &session.config;
    if config.telegram.token.is_none() && config.sms.smpp.is_empty() {
        bail!(
            "no channel is configured, so nobody could be told. Set telegram.token or [[sms.smpp]], \
             then `weir config check`"
        );
    }
    let store = session.store().await?;
    let now = session.clock.now();
    on_record(
        "round.release",
        &plan::existing(&store, id).await?,
        session,
        &store,
    )
    .await?;
    let release = plan::release_round(&store, id, accept_shortage, now).await?;
    let silent = store.silent_households(id).await?;
    if config.sms.smpp.is_empty() {
        session
            .out
            .note("note: no carrier is configured: residents who have only a phone number will not be told");
    }
    let rehearsed = store.meta(&super::rehearse::passed_key(id)).await?;
    let revision = plan::existing(&store, id).await?.plan_revision.to_string();
    if rehearsed.is_none_or(|rehearsed| rehearsed != revision) {
        session.out.note(format!(
            "note: no rehearsal of this plan has passed: `weir rehearse --round {id}` shows what the day would bring"
        ));
    }
    if store.lease_owner("service", now).await?.is_none() {
        session
            .out
            .note("note: no service is running on this store: notices leave once `weir serve` does");
    }
    let answer = json!({ "round": id, "release": release, "households_without_contact": silent.iter().map(|s| s.households).sum::<i64>() });
    session.out.answer(&answer, || {
        let mut text = format!(
            "round {id} is released: {} contacts, {:.0} a minute, from {} on\n",
            release.recipients,
            release.pace_per_minute,
            release
                .first_at
                .with_timezone(&config.city.time_zone)
                .format("%F %H:%M"),
        );
        if release.late_units > 0 {
            text.push_str(&format!(
                "{} units are told later than their lead before the window: they go first\n",
                release.late_units
            ));
        }
        text.push_str(&silent_words(&silent, 5));
        text
    })
}

async fn change(id: RoundId, to: RoundState, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let what = match to {
        RoundState::Paused => "round.pause",
        RoundState::Releasing => "round.resume",
        _ => "round.cancel",
    };
    on_record(what, &plan::existing(&store, id).await?, session, &store).await?;
    plan::move_round(&store, id, to, session.clock.now()).await?;
    if to != RoundState::Cancelled {
        return session.out.answer(&json!({ "round": id, "state": to }), || {
            format!("round {id} is {}", to.as_str())
        });
    }
    let told = store.count_to_correct(id).await?;
    let answer = json!({ "round": id, "state": to, "told_units": told });
    session.out.answer(&answer, || match told {
        0 => format!("round {id} is cancelled; nobody knew a time that was still to come"),
        told => format!(
            "round {id} is cancelled\n{told} units know a time that was still to come: `weir serve` now tells them that it is off"
        ),
    })
}

/// The areas of these communities, as a round names them; the city where it names none.
async fn areas(names: &[String], store: &Store) -> Result<Vec<domain::Area>> {
    let units = store.units().await?;
    let communities =
        Communities::named(names, units.iter().map(|row| &row.place)).map_err(anyhow::Error::msg)?;
    Ok(communities.areas())
}

/// Checks that whoever acts may do this to a round, and puts it on record. A round of more people than the approval size
/// takes the right to any size.
async fn on_record(what: &str, round: &Round, session: &Session, store: &Store) -> Result<()> {
    let people = plan::plan_summary(round).people;
    let right = if people > session.config.broadcast.approval_size {
        Right::AnySize
    } else {
        Right::Release
    };
    let areas = areas(&plan::round_spec(round)?.communities, store).await?;
    let said = (what, format!("round:{}", round.id), format!("{people} people"));
    session.act(store, right, &areas, said).await?;
    Ok(())
}
