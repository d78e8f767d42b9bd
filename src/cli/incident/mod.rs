//! `weir incident`: declare a fault, go on by hand, and see afterwards what happened.

mod paper;
mod report;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use self::paper::{MissedArgs, SheetsArgs};
use super::{Session, acting::Acting, output::table};
use crate::{
    domain::{Area, ChannelKind, CommunityId, IncidentId, IncidentScope, Language, Right, SiteId},
    i18n::{Texts, Voice, notices},
    release::{aftermath, replan::Replanned},
    store::{Incident, IncidentNote, NewIncident, Store, WindowCount},
};

const REASON_CHARACTERS_MAX: usize = 500;
/// What is added to a notice must leave it short enough for two text messages.
const MESSAGE_CHARACTERS_MAX: usize = 60;

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
        /// Leave the windows it fell into where they are; without this they move later, save where all were registered
        /// on paper.
        #[arg(long)]
        keep_windows: bool,
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

/// Runs one of them.
pub async fn run(command: IncidentCommand, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    match command {
        IncidentCommand::Open(args) => open(args, session, &store).await?,
        IncidentCommand::Update { id, note } => update(id, &note, session, &store).await?,
        IncidentCommand::Close {
            id,
            note,
            keep_windows,
        } => close(id, &note, keep_windows, session, &store).await?,
        IncidentCommand::List => list(session, &store).await?,
        IncidentCommand::Show { id } => show(id, session, &store).await?,
        IncidentCommand::Report { id, svg } => report::show(id, svg, session, &store).await?,
        IncidentCommand::Sheets(args) => paper::write_sheets(args, session, &store).await?,
        IncidentCommand::Return { id, file } => paper::take_back(id, file, session, &store).await?,
        IncidentCommand::Drain { id, wait } => paper::drained(id, wait, session, &store).await?,
        IncidentCommand::Missed(args) => paper::list_missed(args, session, &store).await?,
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

async fn close(
    id: IncidentId,
    note: &str,
    keep_windows: bool,
    session: &Session,
    store: &Store,
) -> Result<()> {
    let incident = find(id, store).await?;
    let note = if note.is_empty() {
        String::new()
    } else {
        sentence("--note", note, REASON_CHARACTERS_MAX)?
    };
    let acting = on_record(id, Right::CloseIncident, "incident.close", session, store).await?;
    let now = session.clock.now();
    // Before it is over: whoever hears a new time is not told beside it that the old one holds.
    let moved = if incident.open && !keep_windows {
        let moved = aftermath::replan(store, &session.config, &incident, now).await;
        moved.unwrap_or_else(|error| {
            // It is over all the same, and people wait to hear that.
            session.out.note(format!(
                "note: its windows stay where they are: {error}. `weir round replan ROUND --yes` tries again"
            ));
            Replanned::default()
        })
    } else {
        Replanned::default()
    };
    let closed = store.close_incident(id, &acting.said(), &note, now).await?;
    let others = store.open_incidents().await?;
    let answer = json!({ "incident": id, "closed": closed, "moved": moved });
    session.out.answer(&answer, || {
        if closed {
            let then = match others.first() {
                None => "releases go on, and whoever was told hears when to come, from `weir serve`".to_owned(),
                Some(other) => format!(
                    "what incident {} concerns waits for its end, and so do those told of both",
                    other.id
                ),
            };
            format!(
                "incident {id} is over: {then}.\n{}Next: `weir incident report {id}`, `weir incident missed {id}`",
                moved_words(&moved, keep_windows)
            )
        } else {
            format!("incident {id} was over already: nothing was changed")
        }
    })
}

/// What became of the windows that it fell into.
fn moved_words(moved: &Replanned, keep_windows: bool) -> String {
    if keep_windows {
        return "The windows it fell into stay where they are.\n".into();
    }
    let mut words = match moved.moved_units {
        0 => "No window had to move.\n".to_owned(),
        units => format!(
            "{units} windows that it fell into moved, by {} minutes at most; their people hear the new time.\n",
            moved.minutes_max
        ),
    };
    if moved.over_capacity > 0 {
        words += &format!(
            "{} of them are beyond what their sites can take today: more desks or hours would help.\n",
            moved.over_capacity
        );
    }
    if moved.stuck_recipients > 0 {
        words += &format!(
            "{} recipients keep theirs, which moved three times already: their community tells them when to come.\n",
            moved.stuck_recipients
        );
    }
    words
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
    if let Some(closed_at) = incident.closed_at {
        let minutes = (closed_at - incident.opened_at).num_minutes();
        text.push_str(&format!("  lasted {minutes} minutes\n"));
    }
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
        "  it touched {} windows of {} people; in {} of these windows people knew their time and were told of it; \
         {} have moved since\n",
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
