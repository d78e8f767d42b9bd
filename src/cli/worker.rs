//! `weir worker`: who may do what, and the links by which they come to their chat.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Session, output::table};
use crate::{
    app::Service,
    domain::{Area, Language, PhoneNumber, Right, Role, Scope, Worker},
    store::{NewAudit, NewWorker, Store},
    workers::invitation,
};

/// `weir worker …`
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// Add a worker. Nobody grants more than they have.
    Add(AddArgs),
    /// List the workers.
    List,
    /// Take all rights from a worker, at once and everywhere.
    Remove {
        /// Their name.
        name: String,
    },
    /// Make a link that gives a worker their chat: it works once, for 24 hours, and only for this phone.
    Invite(InviteWorkerArgs),
}

/// `weir worker add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What they are called; --as goes by it, so no two are called the same.
    name: String,
    /// viewer, worker, coordinator or operator.
    #[arg(long, default_value = "worker")]
    role: Role,
    /// What they work for: city, DISTRICT, DISTRICT/STREET or DISTRICT/STREET/COMMUNITY; may be given more than once.
    #[arg(long, value_name = "AREA")]
    scope: Vec<Area>,
    /// How they are spoken to: zh-Hans, zh-Hant or en.
    #[arg(long)]
    language: Option<Language>,
    /// The first one: an operator for the whole city. Until then the machine's owner acts; from then on --as NAME must
    /// say who does.
    #[arg(long, conflicts_with_all = ["role", "scope"])]
    first: bool,
}

/// `weir worker invite`
#[derive(Debug, Args)]
pub struct InviteWorkerArgs {
    /// The worker's name.
    name: String,
    /// The phone of their Telegram account: they must prove it to be theirs.
    #[arg(long)]
    phone: String,
    /// The bot's username; asked of Telegram where a token is configured.
    #[arg(long)]
    bot: Option<String>,
}

/// Runs one of them.
pub async fn run(command: WorkerCommand, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    match command {
        WorkerCommand::Add(args) => add(args, session, &store).await?,
        WorkerCommand::List => list(session, &store).await?,
        WorkerCommand::Remove { name } => remove(&name, session, &store).await?,
        WorkerCommand::Invite(args) => invite(&args, session, &store).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(args: AddArgs, session: &Session, store: &Store) -> Result<()> {
    let (role, scope) = if args.first {
        (Role::Operator, Scope::city())
    } else {
        (args.role, Scope(args.scope))
    };
    if scope.0.is_empty() {
        bail!("--scope: say what they work for, such as --scope 锦江区/春熙街道");
    }
    let known = store.communities().await?;
    for area in &scope.0 {
        let is_there = known.is_empty()
            || known
                .iter()
                .any(|(_, path)| area.contains(&Area::Community(path.clone())));
        if !is_there {
            bail!("--scope {area}: nobody on the roster lives there");
        }
    }
    let granter = if args.first {
        None
    } else {
        let acting = session.acting(store).await?;
        if acting.worker.is_none() {
            bail!(
                "the first worker is an operator for the whole city: `weir worker add {} --first`",
                args.name
            );
        }
        acting.worker
    };
    if let Some(granter) = &granter {
        check_grant(granter, role, &scope, session, store).await?;
    }
    let new = NewWorker {
        name: args.name.clone(),
        role,
        scope: scope.clone(),
        language: args.language,
    };
    let id = store
        .add_worker(&new, granter.as_ref(), session.clock.now())
        .await?;
    session.out.answer(
        &json!({ "worker": id, "role": role, "scope": scope.to_string() }),
        || {
            format!(
                "{} is worker {id}: {} over {scope}\nNext: `weir worker invite {} --phone NUMBER --as …` for their chat",
                args.name,
                role.as_str(),
                args.name
            )
        },
    )
}

async fn check_grant(
    granter: &Worker,
    role: Role,
    scope: &Scope,
    session: &Session,
    store: &Store,
) -> Result<()> {
    if crate::domain::may_grant(granter, role, scope) {
        return Ok(());
    }
    let right = if role >= Role::Coordinator {
        Right::AddCoordinators
    } else {
        Right::AddWorkers
    };
    let refused = NewAudit::refused(crate::domain::Actor::Worker(granter.id), right, "")
        .with(format!("{} over {scope}", role.as_str()));
    store.audit(&refused, session.clock.now()).await?;
    bail!(
        "nobody grants more than they have: worker {} is {} over {}. It is on record that it was tried",
        granter.id,
        granter.role.as_str(),
        granter.scope
    )
}

async fn named(name: &str, store: &Store) -> Result<Worker> {
    let found = store.worker_named(name).await?;
    found.with_context(|| format!("no worker is called {name}: `weir worker list` shows the names"))
}

async fn list(session: &Session, store: &Store) -> Result<()> {
    let workers = store.workers().await?;
    let listed: Vec<_> = workers
        .iter()
        .map(|worker| {
            json!({
                "worker": worker.id, "name": worker.name, "role": worker.role, "scope": worker.scope.to_string(),
                "has_chat": worker.contact.is_some(), "on_duty": worker.on_duty,
            })
        })
        .collect();
    session.out.answer(&json!({ "workers": listed }), || {
        if workers.is_empty() {
            return "no workers yet: the machine's owner acts. `weir worker add NAME --first` makes the first operator"
                .to_owned();
        }
        let yes = |yes: bool| if yes { "yes" } else { "" }.to_owned();
        let rows: Vec<Vec<String>> = workers
            .iter()
            .map(|worker| {
                vec![
                    worker.id.to_string(),
                    worker.name.clone(),
                    worker.role.as_str().into(),
                    worker.scope.to_string(),
                    yes(worker.contact.is_some()),
                    yes(worker.on_duty),
                ]
            })
            .collect();
        table(&["id", "name", "role", "works for", "chat", "on duty"], &rows)
    })
}

async fn remove(name: &str, session: &Session, store: &Store) -> Result<()> {
    let acting = session.acting(store).await?;
    let worker = named(name, store).await?;
    if let Some(granter) = &acting.worker {
        check_grant(granter, worker.role, &worker.scope, session, store).await?;
    }
    let removed = store
        .remove_worker(worker.id, acting.actor, session.clock.now())
        .await?;
    session
        .out
        .answer(&json!({ "worker": worker.id, "removed": removed }), || {
            format!("{name} may do nothing any more: not by commands, old buttons or open invitations")
        })
}

async fn invite(args: &InviteWorkerArgs, session: &Session, store: &Store) -> Result<()> {
    let acting = session.acting(store).await?;
    let worker = named(&args.name, store).await?;
    let own = acting.worker.as_ref().is_some_and(|own| own.id == worker.id);
    if let Some(granter) = acting.worker.as_ref().filter(|_| !own) {
        check_grant(granter, worker.role, &worker.scope, session, store).await?;
    }
    let phone = PhoneNumber::parse(&args.phone)?;
    let bot = match &args.bot {
        Some(bot) => bot.trim_start_matches('@').to_owned(),
        None => bot_name(session).await?,
    };
    let now = session.clock.now();
    let token = invitation::token(rand::random());
    let new = invitation::new(worker.id, &token, phone.clone(), now);
    let expires_at = new.expires_at;
    let id = store.invite(&new, acting.actor, now).await?;
    let link = format!("https://t.me/{bot}?start={token}");
    session.out.answer(
        &json!({ "invitation": id, "worker": worker.id, "link": link, "expires_at": expires_at }),
        || {
            format!(
                "{link}\nSend it to {} yourself. It works once, until {}, for {} only",
                args.name,
                expires_at
                    .with_timezone(&session.config.city.time_zone)
                    .format("%F %H:%M"),
                phone.masked()
            )
        },
    )
}

async fn bot_name(session: &Session) -> Result<String> {
    let service = Service::new(session.config.clone(), session.clock.clone())?;
    match service.bot_username().await {
        Some(Ok(name)) => Ok(name),
        Some(Err(error)) => {
            bail!("Telegram does not tell the bot's username ({error}): give it with --bot NAME")
        }
        None => bail!("no telegram.token is configured: give the bot's username with --bot NAME"),
    }
}
