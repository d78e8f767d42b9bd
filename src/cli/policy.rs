//! `weir policy`: the rules about passes, each with its source and the dates it is in force.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Session, output::table};
use crate::{
    domain::{Area, CountedFrom, Need, Policy, Purpose, Right},
    store::PolicyRow,
};

const ID_CHARACTERS_MAX: usize = 60;
const SOURCE_CHARACTERS_MAX: usize = 500;
/// No rule about tests reaches further: a month.
const HOURS_MAX: u32 = 31 * 24;

/// `weir policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List the rules, those in force first.
    List,
    /// Put a rule in force from a date on. Of several rules for one purpose, the one that came last counts.
    Add(AddArgs),
    /// Set the end of a rule.
    End {
        /// The rule's id.
        id: String,
        /// The first moment at which it no longer holds, such as "2022-09-10" or "2022-09-10 06:00", in the city's
        /// time; by default now.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        to: Option<NaiveDateTime>,
    },
}

/// `weir policy add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Its name on record, such as 24h-2022-09-10.
    id: String,
    /// What it is for: gate, public_transport or hospital; may be given more than once.
    #[arg(long = "purpose", required = true)]
    purposes: Vec<Purpose>,
    /// For so many hours a negative test counts.
    #[arg(long)]
    hours: u32,
    /// Where the hours begin: sampled_at or reported_at. Left out where the rule does not say: residents then hear both
    /// times, and a person decides.
    #[arg(long)]
    counted_from: Option<CountedFrom>,
    /// What must be shown beside the test, one of these being enough: entry_card, e_pass. Left out where the test alone
    /// is asked for.
    #[arg(long = "need")]
    needs: Vec<Need>,
    /// The first moment of its force, such as "2022-09-10" or "2022-09-10 06:00", in the city's time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: NaiveDateTime,
    /// The first moment at which it no longer holds; left out while no end is known.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<NaiveDateTime>,
    /// Who said so, and where it can be read.
    #[arg(long)]
    source: String,
}

/// Runs one of the commands.
pub async fn run(command: PolicyCommand, session: &Session) -> Result<ExitCode> {
    match command {
        PolicyCommand::List => list(session).await?,
        PolicyCommand::Add(args) => add(args, session).await?,
        PolicyCommand::End { id, to } => end(&id, to, session).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(session: &Session) -> Result<()> {
    let now = session.clock.now();
    let mut rows = session.store().await?.policies().await?;
    rows.sort_by_key(|row| !row.policy.is_in_force(now));
    session.out.answer(&json!({ "policies": rows }), || {
        let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, now, session)).collect();
        let head = [
            "rule",
            "for",
            "hours",
            "counted from",
            "and show one of",
            "from",
            "to",
            "by",
        ];
        let sources = rows
            .iter()
            .map(|row| format!("{}: {}", row.policy.id, row.policy.source))
            .collect::<Vec<_>>();
        format!("{}\n\n{}", table(&head, &cells), sources.join("\n"))
    })
}

fn cells(row: &PolicyRow, now: DateTime<Utc>, session: &Session) -> Vec<String> {
    let Policy {
        id,
        purposes,
        hours,
        counted_from,
        needs,
        from,
        to,
        ..
    } = &row.policy;
    let words = |list: Vec<&str>| list.join(", ");
    let in_force = if row.policy.is_in_force(now) {
        ""
    } else {
        " (not in force)"
    };
    vec![
        format!("{id}{in_force}"),
        words(purposes.iter().map(|one| one.as_str()).collect()),
        hours.to_string(),
        counted_from.map_or("not said", CountedFrom::as_str).to_owned(),
        words(needs.iter().map(|one| one.as_str()).collect()),
        local(*from, session),
        to.map(|at| local(at, session)).unwrap_or_default(),
        row.ended_by.as_ref().unwrap_or(&row.added_by).clone(),
    ]
}

async fn add(args: AddArgs, session: &Session) -> Result<()> {
    let id = args.id.trim().to_owned();
    let is_id = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if id.is_empty() || id.len() > ID_CHARACTERS_MAX || !id.chars().all(is_id) {
        bail!("the id {id:?}: use up to {ID_CHARACTERS_MAX} of a-z, 0-9, -, _ and .");
    }
    if !(1..=HOURS_MAX).contains(&args.hours) {
        bail!("--hours {}: must be from 1 to {HOURS_MAX}", args.hours);
    }
    let source = args.source.trim().to_owned();
    if source.is_empty() || source.chars().count() > SOURCE_CHARACTERS_MAX {
        bail!(
            "--source: say in up to {SOURCE_CHARACTERS_MAX} characters who said so, and where it can be read"
        );
    }
    let (from, to) = (
        instant(args.from, session)?,
        args.to.map(|to| instant(to, session)).transpose()?,
    );
    if to.is_some_and(|to| to <= from) {
        bail!("--to must be after --from");
    }
    let policy = Policy {
        id,
        purposes: distinct(args.purposes),
        hours: args.hours,
        counted_from: args.counted_from,
        needs: distinct(args.needs),
        from,
        to,
        source,
    };
    let store = session.store().await?;
    let said = ("policy.add", format!("policy:{}", policy.id), String::new());
    let acting = session
        .act(&store, Right::ChangePolicies, &[Area::City], said)
        .await?;
    let by = acting.actor.to_string();
    if !store.add_policy(&policy, &by, session.clock.now()).await? {
        bail!(
            "there is a rule {} already. A rule that was told is never changed: end it, and add one of another name",
            policy.id
        );
    }
    session.out.answer(&policy, || {
        format!(
            "{} holds from {}{}. Residents who ask about their pass are told by it",
            policy.id,
            local(policy.from, session),
            policy
                .to
                .map(|to| format!(" to {}", local(to, session)))
                .unwrap_or_default(),
        )
    })
}

async fn end(id: &str, to: Option<NaiveDateTime>, session: &Session) -> Result<()> {
    let now = session.clock.now();
    let to = to.map_or(Ok(now), |to| instant(to, session))?;
    let store = session.store().await?;
    let said = (
        "policy.end",
        format!("policy:{id}"),
        format!("at {}", local(to, session)),
    );
    let acting = session
        .act(&store, Right::ChangePolicies, &[Area::City], said)
        .await?;
    if !store.end_policy(id, to, &acting.actor.to_string(), now).await? {
        bail!("there is no rule {id}, or it ends earlier already: see `weir policy list`");
    }
    session.out.answer(&json!({ "id": id, "to": to }), || {
        format!("{id} holds up to {}", local(to, session))
    })
}

fn distinct<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    list.into_iter().fold(Vec::new(), |mut kept, one| {
        if !kept.contains(&one) {
            kept.push(one);
        }
        kept
    })
}

/// A day, which begins at midnight, or a day and a time.
pub(super) fn moment(text: &str) -> Result<NaiveDateTime, String> {
    let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN));
    day.or_else(|_| NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M"))
        .map_err(|_| "write it as 2022-09-10 or \"2022-09-10 06:00\"".to_owned())
}

/// The instant of a moment in the city; the earlier one where clocks were set back.
pub(super) fn instant(moment: NaiveDateTime, session: &Session) -> Result<DateTime<Utc>> {
    let zone = session.config.city.time_zone;
    let at = zone.from_local_datetime(&moment).earliest();
    at.map(|at| at.to_utc())
        .with_context(|| format!("{moment} does not exist in {zone}: the clocks are set forward then"))
}

pub(super) fn local(at: DateTime<Utc>, session: &Session) -> String {
    let zone = session.config.city.time_zone;
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}
