//! `weir incident`: declare a fault, go on by hand, and see afterwards what happened.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeZone, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Session, acting::Acting, output::table};
use crate::{
    domain::{Area, ChannelKind, CommunityId, IncidentId, IncidentScope, Language, Right, SiteId},
    i18n::{Texts, Voice, notices},
    incidents::{
        missed::{self, Missed},
        report::{self, Delays, IncidentReport},
        returns::{self, RefusedSheetRow, ReturnReport, TickedRow},
        sheets::{self, SiteSheets},
    },
    roster::read_returns,
    store::{Incident, IncidentNote, NewIncident, Store, WindowCount},
};

const REASON_CHARACTERS_MAX: usize = 500;
/// What is added to a notice must leave it short enough for two text messages.
const MESSAGE_CHARACTERS_MAX: usize = 60;
/// Refused rows and missed people that are shown; the files hold all.
const SHOWN_MAX: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// `weir incident`
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// Declare that people cannot be registered: releases stop, and residents whose window is near are told to stay
    /// calm. Without --site and --community it is about the whole city.
    Open(OpenArgs),
    /// Add a note to an incident's log.
    Update {
        /// The incident.
        id: IncidentId,
        /// What happened.
        #[arg(long)]
        note: String,
    },
    /// Say that it is over: whoever was told hears when to come.
    Close {
        /// The incident.
        id: IncidentId,
        /// How it ended.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List every incident.
    List,
    /// Show one incident with its log.
    Show {
        /// The incident.
        id: IncidentId,
    },
    /// What was sent, to how many, how late, what the load was, and what came back on paper.
    Report {
        /// The incident.
        id: IncidentId,
        /// Write the load as a picture (SVG) too.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Write the sheets on which staff registers people by hand, for each site: a page to print and a table to fill in.
    Sheets(SheetsArgs),
    /// Take back a table that was filled in (CSV or .xlsx); the same one twice changes nothing.
    Return {
        /// The incident.
        id: IncidentId,
        /// The table.
        file: PathBuf,
    },
    /// Show how far registrations on paper have come on their way into the registration system. `weir serve` passes
    /// them on.
    Drain {
        /// The incident.
        id: IncidentId,
        /// Go on showing until none waits.
        #[arg(long)]
        wait: bool,
    },
    /// List the people whom it kept from their test, students first, for the letters that they need.
    Missed(MissedArgs),
}

/// `weir incident open`
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Why, for the staff; residents do not see it.
    #[arg(long)]
    reason: String,
    /// Only this site; may be given more than once.
    #[arg(long)]
    site: Vec<String>,
    /// Only the homes of this community, as street/community where its name is not the only one; may be given more
    /// than once.
    #[arg(long)]
    community: Vec<String>,
    /// A sentence that residents read beside the approved words, in Chinese.
    #[arg(long, value_name = "TEXT")]
    message_zh: Option<String>,
    /// The same in English.
    #[arg(long, value_name = "TEXT")]
    message_en: Option<String>,
    /// Do not ask whether these sentences may go out.
    #[arg(long)]
    yes: bool,
}

/// `weir incident sheets`
#[derive(Debug, Args)]
pub struct SheetsArgs {
    /// The incident.
    id: IncidentId,
    /// The folder to write them into; they hold personal data, and only their owner may read them.
    #[arg(long, default_value = "sheets", value_name = "DIR")]
    out: PathBuf,
    /// Windows from this time on, such as 14:00 or "2026-09-03 14:00"; by default when the incident began.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Windows until this time; by default when it ended, or, while it lasts, as far as windows are near.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

/// `weir incident missed`
#[derive(Debug, Args)]
pub struct MissedArgs {
    /// The incident.
    id: IncidentId,
    /// Write them all, with their names, into this table; only its owner may read it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Students only.
    #[arg(long)]
    students: bool,
}

/// Runs one of them.
pub async fn run(command: IncidentCommand, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    match command {
        IncidentCommand::Open(args) => open(args, session, &store).await?,
        IncidentCommand::Update { id, note } => update(id, &note, session, &store).await?,
        IncidentCommand::Close { id, note } => close(id, &note, session, &store).await?,
        IncidentCommand::List => list(session, &store).await?,
        IncidentCommand::Show { id } => show(id, session, &store).await?,
        IncidentCommand::Report { id, svg } => report_on(id, svg, session, &store).await?,
        IncidentCommand::Sheets(args) => write_sheets(args, session, &store).await?,
        IncidentCommand::Return { id, file } => take_back(id, file, session, &store).await?,
        IncidentCommand::Drain { id, wait } => drained(id, wait, session, &store).await?,
        IncidentCommand::Missed(args) => list_missed(args, session, &store).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(args: OpenArgs, session: &Session, store: &Store) -> Result<()> {
    let scope = IncidentScope {
        sites: sites_named(&args.site, store).await?,
        communities: communities_named(&args.community, store).await?,
    };
    let acting = session.acting(store).await?;
    let new = NewIncident {
        scope,
        reason: sentence("--reason", &args.reason, REASON_CHARACTERS_MAX)?,
        message_zh: message("--message-zh", args.message_zh.as_deref())?,
        message_en: message("--message-en", args.message_en.as_deref())?,
        actor: acting.said(),
    };
    let notice = notice(&new, session)?;
    let own_words = new.message_zh.is_some() || new.message_en.is_some();
    if own_words && !args.yes {
        session
            .out
            .note(format!("Residents whose window is near will read:\n\n{notice}\n"));
        if !session.out.confirm("Send these words?") {
            bail!("nothing was declared: the words were not confirmed. Confirm them, or give --yes");
        }
    }
    let areas = areas(&new.scope, store).await?;
    let said = ("incident.open", String::new(), String::new());
    acting
        .act(session, store, Right::OpenIncident, &areas, said)
        .await?;
    let now = session.clock.now();
    let near_until = now + session.config.incidents.near();
    let (id, is_new) = store.open_incident(&new, near_until, now).await?;
    let windows = store.count_incident_windows(id).await?;
    session.out.answer(
        &json!({ "incident": id, "new": is_new, "windows": windows.windows, "people": windows.people, "notice": notice }),
        || {
            if !is_new {
                return format!("incident {id} is open for the same already: nothing was changed");
            }
            format!(
                "incident {id} is open: releases stop. {} windows with {} people are near or running; those who know their \
                 time are told now, by `weir serve`:\n\n{notice}\n\n\
                 Next: `weir incident sheets {id}` for the staff, `weir incident close {id}` when it is over",
                windows.windows, windows.people
            )
        },
    )
}

/// What residents read, in the city's own language.
fn notice(new: &NewIncident, session: &Session) -> Result<String> {
    let texts = Texts::load()?;
    let voice = |language| Voice {
        texts: &texts,
        language,
        channel: ChannelKind::Sms,
        sender_name: &session.config.sms.sender_name,
    };
    let language = session.config.city.default_language;
    let beside = |language| match language {
        Language::En => new.message_en.as_deref(),
        Language::ZhHans | Language::ZhHant => new.message_zh.as_deref(),
    };
    let mut said = notices::incident(&voice(language), beside(language)).text;
    if language != Language::En && new.message_en.is_some() {
        said.push_str("\n\n");
        said.push_str(&notices::incident(&voice(Language::En), beside(Language::En)).text);
    }
    Ok(said)
}

fn message(option: &str, text: Option<&str>) -> Result<Option<String>> {
    text.map(|text| sentence(option, text, MESSAGE_CHARACTERS_MAX))
        .transpose()
}

fn sentence(option: &str, text: &str, characters_max: usize) -> Result<String> {
    let text = text.trim();
    let count = text.chars().count();
    if count == 0 || count > characters_max || text.chars().any(char::is_control) {
        bail!("{option}: write 1 to {characters_max} characters on one line; there are {count}");
    }
    Ok(text.to_owned())
}

async fn sites_named(names: &[String], store: &Store) -> Result<Vec<SiteId>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let sites = store.sites().await?;
    names
        .iter()
        .map(|name| {
            let site = sites.iter().find(|site| site.name == name.trim());
            site.map(|site| site.id).with_context(|| {
                format!("--site: there is no site {name:?}. Names stand in the first column of sites.csv")
            })
        })
        .collect()
}

async fn communities_named(names: &[String], store: &Store) -> Result<Vec<CommunityId>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let known = store.communities().await?;
    names
        .iter()
        .map(|name| {
            let wanted = name.trim();
            let found: Vec<_> = known
                .iter()
                .filter(|(_, [_, street, own])| own == wanted || format!("{street}/{own}") == wanted)
                .collect();
            match found.as_slice() {
                [(id, _)] => Ok(*id),
                [] => bail!("--community: there is no community {name:?}"),
                several => {
                    let places: Vec<String> = several
                        .iter()
                        .map(|(_, [_, street, own])| format!("{street}/{own}"))
                        .collect();
                    bail!(
                        "--community: {name:?} are several: give one of {}",
                        places.join(", ")
                    )
                }
            }
        })
        .collect()
}

/// The areas that an incident is about.
async fn areas(scope: &IncidentScope, store: &Store) -> Result<Vec<Area>> {
    let sites = store.sites().await?;
    let of_sites = sites
        .into_iter()
        .filter(|site| scope.sites.contains(&site.id))
        .map(|site| Area::Community([site.district, site.street, site.community]));
    let communities = store.communities().await?;
    let of_communities = communities
        .into_iter()
        .filter(|(id, _)| scope.communities.contains(id))
        .map(|(_, path)| Area::Community(path));
    Ok(of_sites.chain(of_communities).collect())
}

/// Checks that whoever acts may do this to an incident, and puts it on record.
async fn on_record(
    id: IncidentId,
    right: Right,
    what: &str,
    session: &Session,
    store: &Store,
) -> Result<Acting> {
    let incident = find(id, store).await?;
    let areas = areas(&incident.scope, store).await?;
    let said = (what, format!("incident:{id}"), String::new());
    session.act(store, right, &areas, said).await
}

async fn find(id: IncidentId, store: &Store) -> Result<Incident> {
    store
        .incident(id)
        .await?
        .with_context(|| format!("there is no incident {id}: `weir incident list` shows them all"))
}

async fn update(id: IncidentId, note: &str, session: &Session, store: &Store) -> Result<()> {
    let note = sentence("--note", note, REASON_CHARACTERS_MAX)?;
    let acting = on_record(id, Right::OpenIncident, "incident.note", session, store).await?;
    store
        .note_incident(id, &acting.said(), &note, session.clock.now())
        .await?;
    session.out.answer(&json!({ "incident": id, "noted": true }), || {
        format!("noted on incident {id}")
    })
}

async fn close(id: IncidentId, note: &str, session: &Session, store: &Store) -> Result<()> {
    find(id, store).await?;
    let note = if note.is_empty() {
        String::new()
    } else {
        sentence("--note", note, REASON_CHARACTERS_MAX)?
    };
    let acting = on_record(id, Right::CloseIncident, "incident.close", session, store).await?;
    let closed = store
        .close_incident(id, &acting.said(), &note, session.clock.now())
        .await?;
    session.out.answer(&json!({ "incident": id, "closed": closed }), || {
        if closed {
            format!(
                "incident {id} is over: releases go on, and whoever was told hears when to come, from `weir serve`.\n\
                 Next: `weir incident report {id}`, `weir incident missed {id}`"
            )
        } else {
            format!("incident {id} was over already: nothing was changed")
        }
    })
}

/// Names for ids, as far as they are still known.
struct Names {
    sites: Vec<(SiteId, String)>,
    communities: Vec<(CommunityId, [String; 3])>,
}

impl Names {
    async fn load(store: &Store) -> Result<Self> {
        let sites = store.sites().await?;
        Ok(Self {
            sites: sites.into_iter().map(|site| (site.id, site.name)).collect(),
            communities: store.communities().await?,
        })
    }

    fn of(&self, scope: &IncidentScope) -> String {
        if scope.is_everywhere() {
            return "the whole city".into();
        }
        let sites = self
            .sites
            .iter()
            .filter(|(id, _)| scope.sites.contains(id))
            .map(|(_, name)| name.clone());
        let communities = self
            .communities
            .iter()
            .filter(|(id, _)| scope.communities.contains(id));
        let communities = communities.map(|(_, [_, street, name])| format!("{street}/{name}"));
        sites.chain(communities).collect::<Vec<_>>().join(", ")
    }
}

fn local(at: DateTime<Utc>, session: &Session) -> String {
    at.with_timezone(&session.config.city.time_zone)
        .format("%F %H:%M")
        .to_string()
}

async fn list(session: &Session, store: &Store) -> Result<()> {
    let incidents = store.incidents().await?;
    let names = Names::load(store).await?;
    session.out.answer(&json!({ "incidents": incidents }), || {
        if incidents.is_empty() {
            return "no incidents".to_owned();
        }
        let rows: Vec<Vec<String>> = incidents
            .iter()
            .map(|incident| {
                vec![
                    incident.id.to_string(),
                    if incident.open { "open" } else { "closed" }.into(),
                    local(incident.opened_at, session),
                    incident
                        .closed_at
                        .map_or_else(|| "–".into(), |at| local(at, session)),
                    names.of(&incident.scope),
                    incident.reason.clone(),
                ]
            })
            .collect();
        table(&["id", "state", "opened", "closed", "about", "reason"], &rows)
    })
}

async fn show(id: IncidentId, session: &Session, store: &Store) -> Result<()> {
    let incident = find(id, store).await?;
    let log = store.incident_log(id).await?;
    let windows = store.count_incident_windows(id).await?;
    let names = Names::load(store).await?;
    session.out.answer(
        &json!({ "incident": incident, "log": log, "windows": windows }),
        || said(&incident, &log, windows, &names, session),
    )
}

fn said(
    incident: &Incident,
    log: &[IncidentNote],
    windows: WindowCount,
    names: &Names,
    session: &Session,
) -> String {
    let mut text = format!(
        "incident {} ({}), about {}\n  opened {} by {}: {}\n",
        incident.id,
        if incident.open { "open" } else { "closed" },
        names.of(&incident.scope),
        local(incident.opened_at, session),
        incident.opened_by,
        incident.reason,
    );
    for (language, words) in [
        ("Chinese", &incident.message_zh),
        ("English", &incident.message_en),
    ] {
        if let Some(words) = words {
            text.push_str(&format!(
                "  said beside the approved words, in {language}: {words}\n"
            ));
        }
    }
    text.push_str(&format!(
        "  fell into {} windows of {} people; {} of them were told of it, {} windows have moved since\n",
        windows.windows, windows.people, windows.told, windows.moved
    ));
    for note in log.iter().filter(|note| note.kind != "opened") {
        text.push_str(&format!(
            "  {} {} by {}{}{}\n",
            local(note.at, session),
            note.kind,
            note.actor,
            if note.words.is_empty() { "" } else { ": " },
            note.words
        ));
    }
    text
}

async fn report_on(id: IncidentId, svg: Option<PathBuf>, session: &Session, store: &Store) -> Result<()> {
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
            ]
        })
        .collect();
    if rows.is_empty() {
        text.push_str("\nnobody was told\n");
    } else {
        text.push_str(&format!(
            "\n{}\n",
            table(&["told", "channel", "state", "count"], &rows)
        ));
    }
    for (what, delays) in [
        ("taken by the channel", report.taken),
        ("on the phone", report.delivered),
    ] {
        if delays.count > 0 {
            text.push_str(&delay_words(what, delays));
        }
    }
    text + &paper_and_load(report, session)
}

fn paper_and_load(report: &IncidentReport, session: &Session) -> String {
    let mut text = String::new();
    let sheets: Vec<String> = report
        .sheets
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    text.push_str(&format!("\nregistrations on paper: {}\n", sheets.join(", ")));
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
            "load around it: at most {:.0} % of the capacity ({}), a wait of {worst_queue:.1} s, {:.1} % errors\n",
            worst.utilisation * 100.0,
            local(worst.minute, session),
            worst_errors * 100.0
        ));
    } else {
        text.push_str("load around it: none was reported\n");
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

fn delay_words(what: &str, delays: Delays) -> String {
    format!(
        "{what}: {} notices, half within {} s, 90 % within {} s, 99 % within {} s, the last after {} s\n",
        delays.count, delays.median_seconds, delays.p90_seconds, delays.p99_seconds, delays.max_seconds
    )
}

async fn write_sheets(args: SheetsArgs, session: &Session, store: &Store) -> Result<()> {
    let incident = find(args.id, store).await?;
    let from = args
        .from
        .map(|text| instant("--from", &text, session))
        .transpose()?;
    let to = args.to.map(|text| instant("--to", &text, session)).transpose()?;
    let from = from.unwrap_or(incident.opened_at);
    let lasting = session.clock.now() + session.config.incidents.near();
    let to = to.unwrap_or(incident.closed_at.unwrap_or(lasting));
    if to <= from {
        bail!("--to must be later than --from");
    }
    on_record(args.id, Right::SeePeople, "incident.sheets", session, store).await?;
    let texts = Texts::load()?;
    let written = sheets::write(store, &session.config, &texts, args.id, (from, to), &args.out).await?;
    session
        .out
        .answer(&json!({ "from": from, "to": to, "sites": written }), || {
            if written.is_empty() {
                return format!(
                    "no window of this incident lies between {} and {}: nothing was written",
                    local(from, session),
                    local(to, session)
                );
            }
            sheets_words(args.id, &written)
        })
}

fn sheets_words(id: IncidentId, written: &[SiteSheets]) -> String {
    let rows: Vec<Vec<String>> = written
        .iter()
        .map(|site| {
            vec![
                site.site.clone(),
                site.pages.to_string(),
                site.units.to_string(),
                site.people.to_string(),
                site.page.display().to_string(),
            ]
        })
        .collect();
    format!(
        "{}\n\nOpen each page in a browser and print it; beside each lies the table (.csv) to fill in: tick `done`, \
         write `time`. Then `weir incident return {id} FILE`.\nThey hold names and doors: keep them safe",
        table(&["site", "pages", "units", "people", "page to print"], &rows)
    )
}

/// A time of today, or with its date, in the city's time.
fn instant(option: &str, text: &str, session: &Session) -> Result<DateTime<Utc>> {
    let zone = session.config.city.time_zone;
    let today = session.clock.now().with_timezone(&zone).date_naive();
    let text = text.trim();
    let time = NaiveTime::parse_from_str(text, "%H:%M").map(|time| today.and_time(time));
    let read = time.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"));
    let local = read
        .ok()
        .and_then(|local| zone.from_local_datetime(&local).earliest());
    local
        .map(|local| local.to_utc())
        .with_context(|| format!("{option}: write a time such as 14:00, or \"2026-09-03 14:00\""))
}

async fn take_back(id: IncidentId, file: PathBuf, session: &Session, store: &Store) -> Result<()> {
    on_record(id, Right::OpenIncident, "incident.return", session, store).await?;
    let rows = tokio::task::spawn_blocking(move || read_returns(&file)).await??;
    let mut report = ReturnReport::default();
    let mut ticked = Vec::new();
    for row in rows {
        match row {
            Ok(row) if row.ticked => ticked.push(TickedRow {
                line: row.line,
                code: row.code,
                time: row.time,
            }),
            Ok(_) => report.unticked += 1,
            Err(fault) => report.refused.push(RefusedSheetRow {
                line: fault.line,
                column: fault.column.into(),
                reason: fault.reason.to_string(),
            }),
        }
    }
    let report = returns::take(store, &session.clock, id, &ticked, report).await?;
    session.out.answer(&json!({ "incident": id, "returned": report }), || {
        let mut text = format!(
            "{} new registrations wait to be passed on, {} were known, {} rows have no tick, {} were refused\n",
            report.added,
            report.known,
            report.unticked,
            report.refused.len()
        );
        for row in report.refused.iter().take(SHOWN_MAX) {
            text.push_str(&format!("  line {}, {}: {}\n", row.line, row.column, row.reason));
        }
        if report.refused.len() > SHOWN_MAX {
            text.push_str("  …\n");
        }
        text + &format!("`weir incident drain {id}` shows how far they have come")
    })
}

async fn drained(id: IncidentId, wait: bool, session: &Session, store: &Store) -> Result<()> {
    find(id, store).await?;
    loop {
        let counts = report::sheets(&store.count_manual(id).await?);
        let open = counts["waiting"] + counts["sent"];
        if wait && open > 0 {
            session.out.line(drain_words(&counts));
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        }
        let refused = store.refused_manual(id, SHOWN_MAX).await?;
        let reasons: Vec<&String> = refused.iter().map(|(_, reason)| reason).collect();
        let set = session.config.registration.url.is_some();
        return session.out.answer(
            &json!({ "incident": id, "sheets": counts, "refused": reasons }),
            || {
                let mut text = drain_words(&counts);
                if open > 0 && !set {
                    text.push_str("\nregistration.url is not set: nothing is passed on until it is");
                }
                for reason in &reasons {
                    text.push_str(&format!("\n  refused: {reason}"));
                }
                text
            },
        );
    }
}

fn drain_words(counts: &std::collections::BTreeMap<&'static str, i64>) -> String {
    let total: i64 = counts.values().sum();
    format!(
        "{} of {total} registered, {} waiting, {} being passed on, {} refused",
        counts["registered"], counts["waiting"], counts["sent"], counts["refused"]
    )
}

async fn list_missed(args: MissedArgs, session: &Session, store: &Store) -> Result<()> {
    let incident = find(args.id, store).await?;
    let people = missed::list(store, &incident, args.students, session.clock.now()).await?;
    let students = people.iter().filter(|person| person.student).count();
    if let Some(file) = &args.out {
        on_record(args.id, Right::SeePeople, "incident.missed", session, store).await?;
        missed::write(file, &people, session.config.city.time_zone)
            .with_context(|| format!("{} could not be written", file.display()))?;
    }
    let shown: Vec<Vec<String>> = people
        .iter()
        .take(SHOWN_MAX)
        .map(|person| row_of(person, session))
        .collect();
    let file = args.out.as_ref().map(|file| file.display().to_string());
    session.out.answer(
        &json!({ "incident": args.id, "people": people.len(), "students": students, "file": file }),
        || {
            let mut text = format!(
                "{} people were kept from their test, {students} of them students\n",
                people.len()
            );
            if !shown.is_empty() {
                text.push_str(&table(
                    &["", "home", "name", "phone", "window", "moved to"],
                    &shown,
                ));
            }
            if people.len() > SHOWN_MAX {
                text.push_str("\n…");
            }
            match &file {
                Some(file) => text.push_str(&format!(
                    "\nAll of them, with their names, are in {file}: keep it safe"
                )),
                None => text.push_str("\nWith --out FILE all of them are written, with their names"),
            }
            text
        },
    )
}

/// Masked: a listing shows no whole name and no door.
fn row_of(person: &Missed, session: &Session) -> Vec<String> {
    let name: String = person.name.chars().take(1).chain("**".chars()).collect();
    vec![
        if person.student { "student" } else { "" }.into(),
        person.unit.within_community(),
        name,
        person.phone.clone(),
        local(person.window_starts_at, session),
        person.moved_to.map_or_else(String::new, |at| local(at, session)),
    ]
}
