//! `weir visits`, `weir visit` and `weir team`: visits at home, from the request to the door.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Session, acting::Acting, output::table, places::unit_named};
use crate::{
    channels::sms::segment,
    domain::{
        Actor, Area, DeclineReason, PhoneNumber, Right, Role, Team, TeamId, Visit, VisitAct, VisitBy,
        VisitFor, VisitId, VisitState, Visitor, VisitorRole, Wish,
    },
    i18n::{Texts, visits::VisitTeller},
    store::{Asked, NewVisit, Store, VisitAnswer, VisitChange, VisitFilter},
    visits::{list, schedule},
};

const WORDS_CHARACTERS_MAX: usize = 200;
const PEOPLE_MAX: u32 = 20;

/// `weir visits`
#[derive(Debug, Args)]
pub struct VisitsArgs {
    /// Visits of this date, such as 2026-09-03; without it, all that are open.
    #[arg(long, value_parser = super::round::day)]
    date: Option<NaiveDate>,
    /// Visits of this team.
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Visits in this state; may be given more than once.
    #[arg(long, value_parser = state)]
    state: Vec<VisitState>,
    /// Write the teams' lists of the date (by default today) as a page to print. It holds personal data, and only its
    /// owner may read it.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Show names, phones, reasons and door codes in full.
    #[arg(long)]
    in_full: bool,
}

/// `weir visit`
#[derive(Debug, Subcommand)]
pub enum VisitCommand {
    /// Write down a visit that somebody asked for, say by phone. It is accepted at once.
    Ask(AskArgs),
    /// Show one visit with its history.
    Show {
        /// The visit.
        id: VisitId,
        /// Show names, phones, reasons and door codes in full.
        #[arg(long)]
        in_full: bool,
    },
    /// Accept a visit; a time is looked for.
    Accept(OneArgs),
    /// Decline a visit; whoever asked is told why in approved words.
    Decline {
        /// Why.
        #[arg(long, value_parser = reason)]
        reason: DeclineReason,
        #[command(flatten)]
        one: OneArgs,
    },
    /// Give a visit to a team; a time is looked for.
    Assign {
        /// The team's name.
        #[arg(long, value_name = "NAME")]
        team: String,
        #[command(flatten)]
        one: OneArgs,
    },
    /// The team sets out; the resident is told.
    OnTheWay(OneArgs),
    /// The people were sampled.
    Done(OneArgs),
    /// Nobody opened.
    NotMet(OneArgs),
    /// A missed visit is wanted all the same.
    AskAgain(OneArgs),
    /// Call a visit off.
    Cancel(OneArgs),
    /// Find times for what is accepted, now. `weir serve` does so by itself.
    Plan,
}

/// A visit, and words about it.
#[derive(Debug, Args)]
pub struct OneArgs {
    /// The visit.
    id: VisitId,
    /// A note for the staff, kept in the visit's history; residents do not see it.
    #[arg(long, default_value = "", value_parser = words)]
    note: String,
}

/// `weir visit ask`
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The building unit, as 锦绣社区1 3栋2单元, or the code at its door.
    #[arg(required = true, value_name = "UNIT")]
    unit: Vec<String>,
    /// The door.
    #[arg(long, value_parser = words)]
    door: String,
    /// Who is to be sampled.
    #[arg(long, default_value = "", value_parser = words)]
    name: String,
    /// How many are to be sampled.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(PEOPLE_MAX)))]
    people: u32,
    /// The phone to call; it is told of every change.
    #[arg(long, value_parser = phone)]
    phone: Option<PhoneNumber>,
    /// Why they cannot come.
    #[arg(long, default_value = "", value_parser = words)]
    reason: String,
    /// What to know at the door.
    #[arg(long, default_value = "", value_parser = words)]
    access: String,
    /// When it suits, such as "2026-09-03 14:00-17:00".
    #[arg(long, value_name = "DATE FROM-TO")]
    suits: Option<String>,
    /// It goes before others.
    #[arg(long)]
    urgent: bool,
}

/// `weir team`
#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// Add a team.
    Add(TeamArgs),
    /// List the teams.
    List,
    /// Take a team out of service; what it was to make is given to others.
    Remove {
        /// The team's name.
        name: String,
    },
}

/// `weir team add`
#[derive(Debug, Args)]
pub struct TeamArgs {
    /// Its name.
    #[arg(value_parser = words)]
    name: String,
    /// Where it goes: a district, district/street or district/street/community; may be given more than once. Without
    /// it, everywhere.
    #[arg(long)]
    area: Vec<String>,
    /// When it works.
    #[arg(long, default_value = "08:30-17:30", value_name = "FROM-TO", value_parser = span)]
    hours: (NaiveTime, NaiveTime),
    /// When it rests; may be given more than once.
    #[arg(long = "break", value_name = "FROM-TO", value_parser = span)]
    breaks: Vec<(NaiveTime, NaiveTime)>,
    /// Visits that it makes an hour at most.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=60))]
    visits_per_hour: u32,
    /// Who it is, as residents are told, with what they are: nurse, doctor, volunteer or worker. The first leads.
    #[arg(long = "member", required = true, value_name = "NAME:ROLE", value_parser = member)]
    members: Vec<Visitor>,
}

/// Runs `weir visits`.
pub async fn visits(args: &VisitsArgs, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let teams = store.teams().await?;
    let zone = session.config.city.time_zone;
    let today = session.clock.now().with_timezone(&zone).date_naive();
    let team = args.team.as_deref().map(|name| named(&teams, name)).transpose()?;
    let date = args.date.or(args.html.is_some().then_some(today));
    let states = match (args.state.is_empty(), date) {
        (false, _) => args.state.clone(),
        (true, Some(_)) => vec![
            VisitState::Asked,
            VisitState::Accepted,
            VisitState::Scheduled,
            VisitState::OnTheWay,
            VisitState::Done,
            VisitState::Missed,
        ],
        (true, None) => VisitState::ALL
            .iter()
            .copied()
            .filter(|state| state.is_open())
            .collect(),
    };
    let filter = VisitFilter {
        states,
        team: team.map(|team| team.id),
        from: date.map(|date| schedule::midnight(zone, date)),
        to: date.map(|date| schedule::midnight(zone, date + Days::new(1))),
        ..VisitFilter::default()
    };
    let mut visits = store.visits(&filter).await?;
    if args.in_full || args.html.is_some() {
        // Whose area is a part of the city sees the people of that part, and of no other.
        let own = session.acting(&store).await?.bounds();
        let areas = own.as_ref().map_or_else(Vec::new, |own| own.0.clone());
        let said = ("visits.list", String::new(), String::new());
        session.act(&store, Right::SeePeople, &areas, said).await?;
        visits.retain(|visit| own.as_ref().is_none_or(|own| own.covers(&Area::of(&visit.place))));
    }
    if let (Some(file), Some(date)) = (&args.html, date) {
        write_lists(file, date, &teams, &visits, session)?;
    }
    let rows: Vec<Value> = visits
        .iter()
        .map(|visit| shown(visit, &teams, args.in_full, session))
        .collect();
    session.out.answer(&json!({ "visits": rows }), || {
        let mut said = list_words(&visits, &teams, args.in_full, session);
        if let Some(file) = &args.html {
            said.push_str(&format!(
                "\nwrote {}: it holds personal data, keep it safe",
                file.display()
            ));
        }
        said
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write_lists(
    file: &std::path::Path,
    date: NaiveDate,
    teams: &[Team],
    visits: &[Visit],
    session: &Session,
) -> Result<()> {
    let texts = Texts::load().context("the built-in texts")?;
    let to_make = |visit: &&Visit| matches!(visit.state, VisitState::Scheduled | VisitState::OnTheWay);
    let lists: Vec<(&Team, Vec<&Visit>)> = teams
        .iter()
        .map(|team| {
            let of_team = visits
                .iter()
                .filter(to_make)
                .filter(|visit| visit.team == Some(team.id));
            (team, of_team.collect::<Vec<_>>())
        })
        .filter(|(_, visits)| !visits.is_empty())
        .collect();
    let page = list::html(&session.config, &texts, date, &lists)?;
    let unwritable = || format!("{} cannot be written", file.display());
    // A file that appears whole, or not at all; tempfile makes it with mode 0600.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut written = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))
        .with_context(unwritable)?;
    std::io::Write::write_all(&mut written, page.as_bytes()).with_context(unwritable)?;
    written.persist(file).with_context(unwritable)?;
    Ok(())
}

/// Runs `weir visit`.
pub async fn visit(command: VisitCommand, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let texts = Texts::load().context("the built-in texts")?;
    let teller = VisitTeller::new(&texts, &session.config, segment::parts);
    let (act, one) = match command {
        VisitCommand::Ask(args) => return ask(args, &store, &teller, session).await,
        VisitCommand::Show { id, in_full } => return show(id, in_full, &store, session).await,
        VisitCommand::Plan => return plan(&store, &teller, session).await,
        VisitCommand::Accept(one) => (VisitAct::Accept, one),
        VisitCommand::Decline { reason, one } => (VisitAct::Decline(reason), one),
        VisitCommand::Assign { team, one } => {
            let teams = store.teams().await?;
            (VisitAct::Assign(named(&teams, &team)?.id), one)
        }
        VisitCommand::OnTheWay(one) => (VisitAct::SetOut, one),
        VisitCommand::Done(one) => (VisitAct::Finish, one),
        VisitCommand::NotMet(one) => (VisitAct::NotMeet, one),
        VisitCommand::AskAgain(one) => (VisitAct::AskAgain, one),
        VisitCommand::Cancel(one) => (VisitAct::Cancel, one),
    };
    let by = acting_on(one.id, &act, &store, session).await?;
    let change = VisitChange {
        note: one.note,
        ..VisitChange::new(one.id, act, by)
    };
    match store.act_on_visit(&change, &teller, session.clock.now()).await? {
        VisitAnswer::Refused { visit: None, .. } => bail!("there is no visit {}", one.id),
        VisitAnswer::Refused { refusal, .. } => bail!("visit {}: {refusal}", one.id),
        VisitAnswer::Done(visit) | VisitAnswer::Already(visit) => {
            after(&visit, &store, &teller, session).await
        }
    }
}

/// Looks for a time where one is wanted, and says how the visit stands.
async fn after(
    visit: &Visit,
    store: &Store,
    teller: &VisitTeller<'_>,
    session: &Session,
) -> Result<ExitCode> {
    let mut shortage = None;
    if visit.state == VisitState::Accepted {
        let planned = schedule::step(store, &session.config, teller, session.clock.now()).await?;
        shortage = planned.shortage();
    }
    let visit = store.visit(visit.id).await?.context("the visit is gone")?;
    let teams = store.teams().await?;
    session.out.answer(&shown(&visit, &teams, false, session), || {
        let mut said = format!("visit {} is {}", visit.id, state_words(&visit, &teams, session));
        if let Some(shortage) = &shortage {
            said.push_str(&format!("\n{shortage}"));
        }
        said
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(args: AskArgs, store: &Store, teller: &VisitTeller<'_>, session: &Session) -> Result<ExitCode> {
    let (unit, _) = unit_named(store, &args.unit.join(" ")).await?;
    let wish = args
        .suits
        .as_deref()
        .map(|text| suits(text, session))
        .transpose()?;
    let now = session.clock.now();
    let place = store.unit_place(unit).await?.context("the unit is gone")?;
    let said = ("visit.ask", format!("unit:{unit}"), String::new());
    let acting = session
        .act(store, Right::ActOnVisits, &[Area::of(&place)], said)
        .await?;
    let chance: u64 = rand::random();
    let new = NewVisit {
        key: format!("typed:{}:{chance:016x}", now.timestamp_millis()),
        unit,
        door: args.door,
        asker: None,
        for_whom: VisitFor::Neighbour,
        name: args.name,
        people: args.people,
        reason: args.reason,
        access: args.access,
        phone: args.phone,
        wish,
        urgent: args.urgent,
        by: capacity(&acting),
        quiet: false,
        chance,
    };
    let (Asked::New(visit) | Asked::Known(visit)) = store.ask_visit(&new, teller, now).await?;
    after(&visit, store, teller, session).await
}

async fn show(id: VisitId, in_full: bool, store: &Store, session: &Session) -> Result<ExitCode> {
    let visit = store
        .visit(id)
        .await?
        .with_context(|| format!("there is no visit {id}"))?;
    if in_full {
        let said = ("visit.show", format!("visit:{id}"), String::new());
        session
            .act(store, Right::SeePeople, &[Area::of(&visit.place)], said)
            .await?;
    }
    let (teams, log) = (store.teams().await?, store.visit_log(id).await?);
    let mut answer = shown(&visit, &teams, in_full, session);
    answer["history"] = json!(
        log.iter()
            .map(|line| {
                let note = if in_full { line.note.as_str() } else { "" };
                json!({ "at": line.at, "who": line.who, "act": line.act, "from": line.from, "to": line.to, "note": note })
            })
            .collect::<Vec<_>>()
    );
    session.out.answer(&answer, || {
        let mut lines = vec![format!("visit {id} is {}", state_words(&visit, &teams, session))];
        for (key, value) in answer.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !matches!(key.as_str(), "id" | "state" | "history") && !value.is_null() && !text.is_empty() {
                lines.push(format!("{:<14}{text}", key.replace('_', " ")));
            }
        }
        let rows: Vec<Vec<String>> = log
            .iter()
            .map(|line| {
                let note = if in_full { line.note.clone() } else { String::new() };
                vec![
                    local(line.at, session),
                    line.who.clone(),
                    line.act.clone(),
                    line.to.to_string(),
                    note,
                ]
            })
            .collect();
        lines.push(String::new());
        lines.push(table(&["when", "who", "what", "then", ""], &rows));
        lines.join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn plan(store: &Store, teller: &VisitTeller<'_>, session: &Session) -> Result<ExitCode> {
    let said = ("visit.plan", String::new(), String::new());
    session.act(store, Right::Plan, &[], said).await?;
    let planned = schedule::step(store, &session.config, teller, session.clock.now()).await?;
    session.out.answer(&planned, || {
        let mut said = format!(
            "{} visits have a time now, {} another one, {} are put off to another date",
            planned.scheduled.len(),
            planned.moved.len(),
            planned.lapsed.len()
        );
        if let Some(shortage) = planned.shortage() {
            said.push_str(&format!("\n{shortage}"));
        }
        said
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `weir team`.
pub async fn team(command: TeamCommand, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let now = session.clock.now();
    match command {
        TeamCommand::Add(args) => {
            let team = checked(args, &store).await?;
            let said = ("team.add", String::new(), String::new());
            session.act(&store, Right::Plan, &areas(&team), said).await?;
            let name = team.name.clone();
            let Some(id) = store.add_team(&team, now).await? else {
                bail!("there is a team {name} already: choose another name");
            };
            session.out.answer(&json!({ "id": id, "name": name }), || {
                format!("team {name} makes visits now")
            })?;
        }
        TeamCommand::List => {
            let teams = store.teams().await?;
            let rows: Vec<Value> = teams.iter().map(team_shown).collect();
            session
                .out
                .answer(&json!({ "teams": rows }), || teams_words(&teams))?;
        }
        TeamCommand::Remove { name } => {
            let teams = store.teams().await?;
            let team = named(&teams, &name)?;
            let id = team.id;
            let said = ("team.remove", format!("team:{id}"), String::new());
            let acting = session.act(&store, Right::Plan, &areas(team), said).await?;
            let texts = Texts::load().context("the built-in texts")?;
            let teller = VisitTeller::new(&texts, &session.config, segment::parts);
            let moved = schedule::remove_team(&store, &teller, id, &capacity(&acting), now)
                .await?
                .unwrap_or(0);
            let planned = schedule::step(&store, &session.config, &teller, now).await?;
            session
                .out
                .answer(&json!({ "removed": name, "visits_moved": moved }), || {
                    let shortage = planned
                        .shortage()
                        .map_or(String::new(), |said| format!("\n{said}"));
                    format!(
                        "team {name} makes no visits any more; {moved} visits are given to others{shortage}"
                    )
                })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A team whose hours make sense and whose areas there are.
async fn checked(args: TeamArgs, store: &Store) -> Result<Team> {
    let (opens, closes) = args.hours;
    let mut breaks = args.breaks;
    breaks.sort_unstable();
    let mut until = opens;
    for (from, to) in &breaks {
        if *from < until || *to > closes {
            bail!("--break: breaks must lie within --hours and apart from each other");
        }
        until = *to;
    }
    let communities = store.communities().await?;
    for area in &args.area {
        let parts: Vec<&str> = area.split('/').collect();
        let known = communities.iter().any(|(_, path)| {
            parts.len() <= path.len() && parts.iter().zip(path).all(|(part, own)| *part == own.as_str())
        });
        if !known {
            bail!(
                "--area: nobody lives in {area:?}: write a district, district/street or district/street/community \
                 as on the roster"
            );
        }
    }
    // Who of the members is a worker is settled here, by whoever may make teams: later on a number counts, not a name.
    let mut members = args.members;
    for member in &mut members {
        let worker = store.worker_named(&member.name).await?;
        member.worker = worker.map(|worker| worker.id.0);
    }
    Ok(Team {
        id: TeamId(0),
        name: args.name,
        areas: args.area,
        opens,
        closes,
        breaks,
        visits_per_hour: args.visits_per_hour,
        members,
        removed: false,
    })
}

/// Until workers have names of their own, the command line acts as the machine's owner.
/// In which capacity somebody acts on visits: the machine's owner as a coordinator.
fn capacity(acting: &Acting) -> VisitBy {
    match (&acting.worker, acting.actor) {
        (Some(worker), actor @ Actor::Worker(_)) if worker.role < Role::Coordinator => VisitBy::worker(actor),
        (_, actor) => VisitBy::coordinator(actor),
    }
}

/// Checks that whoever acts may act on this visit, and puts it on record.
async fn acting_on(id: VisitId, act: &VisitAct, store: &Store, session: &Session) -> Result<VisitBy> {
    let visit = store
        .visit(id)
        .await?
        .with_context(|| format!("there is no visit {id}"))?;
    let said = format!("visit.{}", act.kind());
    let said = (said.as_str(), format!("visit:{id}"), String::new());
    let area = Area::of(&visit.place);
    let acting = session.act(store, Right::ActOnVisits, &[area], said).await?;
    Ok(capacity(&acting))
}

/// Where a team goes, as rights are asked for; none is the city.
fn areas(team: &Team) -> Vec<Area> {
    team.areas.iter().filter_map(|area| area.parse().ok()).collect()
}

fn named<'t>(teams: &'t [Team], name: &str) -> Result<&'t Team> {
    let found = teams
        .iter()
        .find(|team| team.name == name || team.id.to_string() == name);
    found.with_context(|| {
        let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
        if names.is_empty() {
            "there is no team yet: `weir team add` makes one".to_owned()
        } else {
            format!("there is no team {name}: there are {}", names.join(", "))
        }
    })
}

fn local(at: DateTime<Utc>, session: &Session) -> String {
    at.with_timezone(&session.config.city.time_zone)
        .format("%Y-%m-%d %H:%M")
        .to_string()
}

fn promised(visit: &Visit, session: &Session) -> String {
    visit.promise.map_or_else(String::new, |promise| {
        let to = promise
            .to
            .with_timezone(&session.config.city.time_zone)
            .format("%H:%M");
        format!("{}-{to}", local(promise.from, session))
    })
}

fn team_name(visit: &Visit, teams: &[Team]) -> String {
    let team = visit.team.and_then(|id| teams.iter().find(|team| team.id == id));
    team.map_or_else(String::new, |team| team.name.clone())
}

fn state_words(visit: &Visit, teams: &[Team], session: &Session) -> String {
    let time = match visit.state {
        VisitState::Scheduled | VisitState::OnTheWay => promised(visit, session),
        _ => String::new(),
    };
    let state = visit.state.as_str().replace('_', " ");
    match (time.is_empty(), team_name(visit, teams)) {
        (true, team) if team.is_empty() || visit.state != VisitState::Accepted => state,
        (true, team) => format!("{state}, for {team}"),
        (false, team) => format!("{state}, {time} by {team}"),
    }
}

/// A visit as it is shown: where, when and how far; who and why only in full.
fn shown(visit: &Visit, teams: &[Team], in_full: bool, session: &Session) -> Value {
    let phone = visit.phone.as_ref().map(|phone| {
        if in_full {
            phone.as_e164().to_owned()
        } else {
            phone.masked()
        }
    });
    let mut shown = json!({
        "id": visit.id, "state": visit.state, "revision": visit.revision,
        "place": visit.place.to_string(), "door": visit.door, "people": visit.people, "urgent": visit.urgent,
        "asked_at": visit.asked_at, "suits_from": visit.wish.map(|wish| wish.from),
        "suits_to": visit.wish.map(|wish| wish.to), "team": team_name(visit, teams),
        "expected_at": visit.promise.map(|promise| promise.at),
        "promised_from": visit.promise.map(|promise| promise.from),
        "promised_to": visit.promise.map(|promise| promise.to),
        "raised_to": visit.raised, "declined": visit.declined, "proven": visit.proven, "phone": phone,
    });
    if in_full {
        shown["name"] = json!(visit.name);
        shown["reason"] = json!(visit.reason);
        shown["access"] = json!(visit.access);
        shown["visitor"] = json!(visit.visitor.as_ref().map(|visitor| visitor.name.clone()));
        shown["door_code"] = json!(visit.door_code);
    }
    if session.out.json {
        return shown;
    }
    for key in [
        "asked_at",
        "suits_from",
        "suits_to",
        "expected_at",
        "promised_from",
        "promised_to",
    ] {
        if let Some(at) = shown[key]
            .as_str()
            .and_then(|at| at.parse::<DateTime<Utc>>().ok())
        {
            shown[key] = json!(local(at, session));
        }
    }
    shown
}

fn list_words(visits: &[Visit], teams: &[Team], in_full: bool, session: &Session) -> String {
    if visits.is_empty() {
        return "no visits".into();
    }
    let rows: Vec<Vec<String>> = visits
        .iter()
        .map(|visit| {
            let phone = visit.phone.as_ref().map_or_else(String::new, |phone| {
                if in_full {
                    phone.as_e164().to_owned()
                } else {
                    phone.masked()
                }
            });
            let mut remarks: Vec<String> = Vec::new();
            remarks.extend(visit.urgent.then(|| "urgent".into()));
            remarks.extend(visit.raised.map(|level| format!("waits for the {level}")));
            let notes = [&visit.name, &visit.access, &visit.reason];
            remarks.extend(
                notes
                    .into_iter()
                    .filter(|note| in_full && !note.is_empty())
                    .cloned(),
            );
            remarks.extend(in_full.then(|| format!("code {}", visit.door_code)));
            vec![
                visit.id.to_string(),
                visit.state.as_str().replace('_', " "),
                promised(visit, session),
                team_name(visit, teams),
                format!("{} {}", visit.place.within_community(), visit.door),
                visit.people.to_string(),
                phone,
                remarks.join(", "),
            ]
        })
        .collect();
    table(
        &[
            "visit", "state", "promised", "team", "where", "people", "phone", "",
        ],
        &rows,
    )
}

fn team_shown(team: &Team) -> Value {
    let span =
        |(from, to): &(NaiveTime, NaiveTime)| format!("{}-{}", from.format("%H:%M"), to.format("%H:%M"));
    json!({
        "id": team.id, "name": team.name, "areas": team.areas, "hours": span(&(team.opens, team.closes)),
        "breaks": team.breaks.iter().map(span).collect::<Vec<_>>(), "visits_per_hour": team.visits_per_hour,
        "members": team.members.iter().map(|member| format!("{}:{}", member.name, member.role)).collect::<Vec<_>>(),
    })
}

fn teams_words(teams: &[Team]) -> String {
    if teams.is_empty() {
        return "no teams: `weir team add` makes one".into();
    }
    let rows: Vec<Vec<String>> = teams
        .iter()
        .map(|team| {
            let shown = team_shown(team);
            let list = |key: &str| {
                let words: Vec<&str> = shown[key]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                words.join(", ")
            };
            let areas = if team.areas.is_empty() {
                "everywhere".into()
            } else {
                list("areas")
            };
            let mut hours = shown["hours"].as_str().unwrap_or_default().to_owned();
            if !team.breaks.is_empty() {
                hours.push_str(&format!(" without {}", list("breaks")));
            }
            vec![
                team.name.clone(),
                areas,
                hours,
                team.visits_per_hour.to_string(),
                list("members"),
            ]
        })
        .collect();
    table(&["team", "where", "hours", "visits an hour", "members"], &rows)
}

fn state(text: &str) -> Result<VisitState, String> {
    VisitState::parse(&text.replace('-', "_")).ok_or_else(|| one_of(VisitState::ALL))
}

fn reason(text: &str) -> Result<DeclineReason, String> {
    DeclineReason::parse(&text.replace('-', "_")).ok_or_else(|| one_of(DeclineReason::ALL))
}

fn one_of<T: std::fmt::Display>(all: &[T]) -> String {
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    format!("write one of {}", words.join(", "))
}

fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > WORDS_CHARACTERS_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "write at most {WORDS_CHARACTERS_MAX} characters in one line"
        ));
    }
    Ok(text.to_owned())
}

fn phone(text: &str) -> Result<PhoneNumber, String> {
    PhoneNumber::parse(text).map_err(|error| error.to_string())
}

fn span(text: &str) -> Result<(NaiveTime, NaiveTime), String> {
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    text.split_once('-')
        .and_then(|(from, to)| time(from).zip(time(to)))
        .filter(|(from, to)| from < to)
        .ok_or_else(|| "write two times of a day, such as 08:30-17:30".into())
}

fn member(text: &str) -> Result<Visitor, String> {
    let example = || {
        format!(
            "write a name and what they are, such as 王护士:nurse; {}",
            one_of(VisitorRole::ALL)
        )
    };
    let (name, role) = text.rsplit_once([':', '：']).ok_or_else(example)?;
    let role = VisitorRole::parse(role.trim()).ok_or_else(example)?;
    let name = words(name)?;
    if name.is_empty() || name.chars().count() > 20 {
        return Err(example());
    }
    Ok(Visitor {
        name,
        role,
        worker: None,
    })
}

fn suits(text: &str, session: &Session) -> Result<Wish> {
    let wrong = "--suits: write a date and two times, such as \"2026-09-03 14:00-17:00\"";
    let (date, times) = text.trim().split_once(' ').context(wrong)?;
    let date: NaiveDate = date.parse().ok().context(wrong)?;
    let (from, to) = span(times).ok().context(wrong)?;
    let zone = session.config.city.time_zone;
    let at = |time: NaiveTime| {
        date.and_time(time)
            .and_local_timezone(zone)
            .earliest()
            .map(|at| at.to_utc())
    };
    let wish = Wish {
        from: at(from).context(wrong)?,
        to: at(to).context(wrong)?,
    };
    if wish.to <= session.clock.now() {
        bail!("--suits: that time has passed");
    }
    Ok(wish)
}
