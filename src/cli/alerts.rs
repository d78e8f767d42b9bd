//! `weir alerts`: what those on duty are told of unasked, and seeing to it.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Session, output::table};
use crate::{
    app::site::{Field, Outcome},
    domain::{Alert, AlertId, AlertKind, Language, Proposal, ProposalId},
    i18n::Texts,
    store::{Acknowledged, Store},
    workers::alerts::{self, Card},
};

/// Alerts that are listed at once.
const LISTED_MAX: usize = 200;

/// `weir alerts`
#[derive(Debug, Args)]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
    /// Those that are over too.
    #[arg(long)]
    all: bool,
}

/// `weir alerts …`
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Say that you see to it: it goes up no further.
    Ack {
        /// The alert.
        id: AlertId,
    },
    /// Decide what a worker at a site proposes, in place of the button in a coordinator's chat.
    Decide {
        /// The alert that asks for it.
        id: AlertId,
        /// Do it: plan with the new number of desks, or declare the incident.
        #[arg(long, conflicts_with = "leave", required_unless_present = "leave")]
        confirm: bool,
        /// Leave everything as it is.
        #[arg(long)]
        leave: bool,
    },
}

/// Runs `weir alerts`.
pub async fn run(args: AlertsArgs, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    match args.command {
        Some(AlertsCommand::Ack { id }) => acknowledge(id, session, &store).await?,
        Some(AlertsCommand::Decide { id, confirm, .. }) => decide(id, confirm, session, &store).await?,
        None => list(args.all, session, &store).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be known of alerts, for programs and for people.
pub(super) async fn listed(
    all: bool,
    session: &Session,
    store: &Store,
) -> Result<(Vec<Value>, Vec<Vec<String>>)> {
    let alerts = if all {
        store.alerts(LISTED_MAX).await?
    } else {
        store.open_alerts().await?
    };
    let texts = Texts::load().context("the built-in texts")?;
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for alert in alerts {
        let what = in_words(&alert, &texts, session, store).await?;
        let seen_by = alert.acked_by.map(|actor| actor.to_string());
        let state = match (&alert.over_at, &seen_by) {
            (Some(_), _) => "over".to_owned(),
            (None, Some(by)) => format!("{by} sees to it"),
            (None, None) => format!("told up to the {}s", alert.level.as_str()),
        };
        let since = local(alert.opened_at, session);
        lines.push(vec![
            alert.id.to_string(),
            since,
            state,
            alert.area.to_string(),
            what.clone(),
        ]);
        rows.push(json!({
            "id": alert.id, "kind": alert.kind, "key": alert.key, "area": alert.area.to_string(), "what": what,
            "level": alert.level.as_str(), "opened_at": alert.opened_at, "acked_by": seen_by, "over_at": alert.over_at,
        }));
    }
    Ok((rows, lines))
}

async fn in_words(alert: &Alert, texts: &Texts, session: &Session, store: &Store) -> Result<String> {
    let mut proposal: Option<Proposal> = None;
    let mut place = String::new();
    if let (AlertKind::Proposal, Some(id)) = (alert.kind, alert.details.id) {
        proposal = store.proposal(ProposalId(id)).await?;
        if let Some(proposal) = &proposal {
            let found = field(store, texts, session).place(proposal.scope).await?;
            place = found.map(|(name, _)| name).unwrap_or_default();
        }
    }
    let card = Card {
        texts,
        config: &session.config,
        language: Language::En,
        alert,
        proposal: proposal.as_ref(),
        place: &place,
        holder: None,
    };
    Ok(card.what())
}

fn field<'a>(store: &'a Store, texts: &'a Texts, session: &'a Session) -> Field<'a> {
    Field {
        store,
        texts,
        config: &session.config,
    }
}

fn local(at: DateTime<Utc>, session: &Session) -> String {
    let local = at.with_timezone(&session.config.city.time_zone);
    local.format("%m-%d %H:%M").to_string()
}

/// A table of alerts, or that there is none.
pub(super) fn words(lines: &[Vec<String>]) -> String {
    if lines.is_empty() {
        return "no alerts".to_owned();
    }
    table(&["alert", "since", "", "where", "what"], lines)
}

async fn list(all: bool, session: &Session, store: &Store) -> Result<()> {
    let (rows, lines) = listed(all, session, store).await?;
    session.out.answer(&json!({ "alerts": rows }), || words(&lines))
}

async fn acknowledge(id: AlertId, session: &Session, store: &Store) -> Result<()> {
    let alert = store.alert(id).await?;
    let alert = alert.with_context(|| format!("there is no alert {id}: `weir alerts --all` lists them"))?;
    let acting = session.acting(store).await?;
    let right = alerts::right(alert.kind);
    let areas = [alert.area.clone()];
    let may = match &acting.worker {
        Some(worker) => alerts::may_see_to(&alert, worker, &store.workers().await?),
        None => true,
    };
    if !may {
        let said = ("alert.acknowledge", format!("alert:{id}"), String::new());
        acting.act(session, store, right, &areas, said).await?;
    }
    let done = store
        .acknowledge_alert(id, acting.actor, session.clock.now())
        .await?;
    match done {
        Some(Acknowledged::Now) => {}
        Some(Acknowledged::Before(other)) => bail!("{other} sees to alert {id} already"),
        Some(Acknowledged::Over) | None => bail!("alert {id} is over"),
    }
    session
        .out
        .answer(&json!({ "alert": id, "acknowledged": true }), || {
            format!("alert {id} is yours: it goes up no further")
        })
}

async fn decide(id: AlertId, confirm: bool, session: &Session, store: &Store) -> Result<()> {
    let alert = store.alert(id).await?;
    let alert = alert.with_context(|| format!("there is no alert {id}: `weir alerts --all` lists them"))?;
    let proposal = match (alert.kind, alert.details.id) {
        (AlertKind::Proposal, Some(proposal)) => ProposalId(proposal),
        _ => bail!("alert {id} asks for no decision; `weir alerts ack {id}` says that you see to it"),
    };
    let acting = session.acting(store).await?;
    let worker = acting.worker.as_ref();
    let worker = worker.context("say who decides: --as NAME. `weir worker list` shows the names")?;
    let texts = Texts::load().context("the built-in texts")?;
    let field = field(store, &texts, session);
    let origin = format!("typed:{:016x}", rand::random::<u64>());
    let now = session.clock.now();
    let (answer, said) = match field.decide(proposal, confirm, worker, &origin, now).await? {
        Outcome::Unknown => bail!("there is no such proposal any more"),
        Outcome::Refused(right, area) => return acting.refuse(right, &[area]),
        Outcome::Before(proposal) => bail!(
            "it was {} already{}",
            proposal.state.as_str(),
            proposal
                .decided_by
                .map_or(String::new(), |by| format!(" by {by}"))
        ),
        Outcome::Left => (
            json!({ "alert": id, "done": false }),
            "it stays as it was".to_owned(),
        ),
        Outcome::Incident(incident, is_new, people) => (
            json!({ "alert": id, "done": true, "incident": incident, "new": is_new, "people": people }),
            format!("incident {incident} is open: {people} people are near their time"),
        ),
        Outcome::Desks(proposal, moved) => (
            json!({ "alert": id, "done": true, "desks": proposal.desks.1, "moved": moved }),
            format!(
                "planned with {} desks from now on: {} windows of {} people moved later, by {} min at most",
                proposal.desks.1, moved.moved_units, moved.people, moved.minutes_max
            ),
        ),
    };
    session.out.answer(&answer, || said)
}
