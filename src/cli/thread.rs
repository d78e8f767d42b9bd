//! `weir thread`: talks with residents that wait for a person, also where no worker has a chat.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Session, acting::Acting, output::table};
use crate::{
    app::inbox::Talks,
    domain::{Actor, Area, Right, ThreadAuthor, ThreadId},
    i18n::Texts,
    store::{Claim, Store, Thread, ThreadFilter},
    workers::inbox::{ANSWER_CHARACTERS_MAX, Outcome},
};

/// `weir thread`
#[derive(Debug, Subcommand)]
pub enum ThreadCommand {
    /// List the talks that go on: those that speak of danger first, then the one that has waited longest.
    List {
        /// Those that are over too.
        #[arg(long)]
        all: bool,
    },
    /// Show what was said in a talk. It is personal data.
    Show {
        /// The talk.
        id: ThreadId,
    },
    /// Answer. The resident reads that a person writes, in their chat or as a text message.
    Answer {
        /// The talk.
        id: ThreadId,
        /// What the resident is to read.
        words: String,
    },
    /// End a talk; the resident is told.
    Close {
        /// The talk.
        id: ThreadId,
    },
}

/// Runs `weir thread`.
pub async fn run(command: ThreadCommand, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    match command {
        ThreadCommand::List { all } => list(all, &store, session).await,
        ThreadCommand::Show { id } => show(id, &store, session).await,
        ThreadCommand::Answer { id, words } => answer(id, words.trim(), &store, session).await,
        ThreadCommand::Close { id } => close(id, &store, session).await,
    }
}

async fn found(id: ThreadId, store: &Store) -> Result<(Thread, Vec<Area>)> {
    let thread = store
        .thread(id)
        .await?
        .with_context(|| format!("there is no talk {id}"))?;
    let place = match thread.unit {
        Some(unit) => store.unit_place(unit).await?,
        None => None,
    };
    Ok((thread, vec![place.as_ref().map_or(Area::City, Area::of)]))
}

async fn list(all: bool, store: &Store, session: &Session) -> Result<ExitCode> {
    let now = session.clock.now();
    let filter = ThreadFilter {
        open: !all,
        ..ThreadFilter::default()
    };
    let workers = store.workers().await?;
    let able = |worker: &&crate::domain::Worker| {
        worker.contact.is_some() && worker.role >= Right::AnswerPeople.least()
    };
    let chats = workers.iter().filter(able).count();
    let on_duty = workers
        .iter()
        .filter(able)
        .filter(|worker| worker.on_duty)
        .count();
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for thread in store.threads(&filter).await? {
        let since = thread.waiting_since.filter(|_| thread.open);
        let place = match thread.unit {
            Some(unit) => store.unit_place(unit).await?.map(|place| place.to_string()),
            None => None,
        };
        let minutes = since.map(|since| (now - since).num_minutes());
        lines.push(vec![
            thread.id.to_string(),
            if thread.urgent {
                "urgent".into()
            } else {
                String::new()
            },
            thread.reason.as_str().into(),
            place.clone().unwrap_or_else(|| "?".into()),
            minutes.map_or(String::new(), |minutes| format!("{minutes} min")),
            thread
                .claimed_by
                .map_or(String::new(), |worker| format!("worker {worker}")),
            if thread.open {
                "open".into()
            } else {
                "closed".into()
            },
        ]);
        rows.push(
            json!({ "id": thread.id, "urgent": thread.urgent, "reason": thread.reason, "place": place,
            "waits_minutes": minutes, "claimed_by": thread.claimed_by, "open": thread.open }),
        );
    }
    let value: Value = json!({ "threads": rows, "workers_with_a_chat": chats, "workers_on_duty": on_duty });
    session.out.answer(&value, || {
        let mut said = if lines.is_empty() {
            "no resident waits".to_owned()
        } else {
            table(&["talk", "", "why", "where", "waits", "taken by", ""], &lines)
        };
        if chats == 0 {
            said.push_str("\nno worker has a chat: nobody hears of a talk but by this list. Invite one (`weir worker invite`), or answer with `weir thread answer`");
        } else if on_duty == 0 {
            said.push_str("\nno worker is on duty: coordinators and operators are told");
        }
        said
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn show(id: ThreadId, store: &Store, session: &Session) -> Result<ExitCode> {
    let (thread, areas) = found(id, store).await?;
    let said = ("thread.show", format!("thread:{id}"), String::new());
    session.act(store, Right::SeePeople, &areas, said).await?;
    let messages = store.thread_messages(id).await?;
    let rows: Vec<Value> = messages
        .iter()
        .map(|message| json!({ "at": message.at, "author": message.author.to_string(), "words": message.words }))
        .collect();
    let value = json!({ "id": id, "open": thread.open, "urgent": thread.urgent, "reason": thread.reason,
        "claimed_by": thread.claimed_by, "messages": rows });
    session.out.answer(&value, || {
        let local = |at: DateTime<Utc>| {
            at.with_timezone(&session.config.city.time_zone)
                .format("%m-%d %H:%M")
        };
        let lines = messages
            .iter()
            .map(|message| format!("{} {}: {}", local(message.at), message.author, message.words));
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn author(acting: &Acting) -> ThreadAuthor {
    match acting.actor {
        Actor::Worker(id) => ThreadAuthor::Worker(id.0),
        Actor::Owner | Actor::Weir => ThreadAuthor::Owner,
    }
}

/// Checks the right, and makes the talk theirs where a worker acts.
async fn take(
    thread: &Thread,
    areas: &[Area],
    what: &str,
    store: &Store,
    session: &Session,
) -> Result<ThreadAuthor> {
    let acting = session.acting(store).await?;
    if !acting.may(Right::AnswerPeople, areas) {
        let said = (what, format!("thread:{}", thread.id), String::new());
        acting
            .act(session, store, Right::AnswerPeople, areas, said)
            .await?;
    }
    if let Actor::Worker(worker) = acting.actor
        && let Claim::Held(other) = store
            .claim_thread(thread.id, worker, None, session.clock.now())
            .await?
    {
        bail!("worker {other} sees to talk {} already", thread.id);
    }
    Ok(author(&acting))
}

async fn answer(id: ThreadId, words: &str, store: &Store, session: &Session) -> Result<ExitCode> {
    if words.is_empty() || words.chars().count() > ANSWER_CHARACTERS_MAX {
        bail!("an answer has 1 to {ANSWER_CHARACTERS_MAX} characters");
    }
    let (thread, areas) = found(id, store).await?;
    let author = take(&thread, &areas, "thread.answer", store, session).await?;
    let texts = Texts::load().context("the built-in texts")?;
    let (key, now) = (
        format!("typed:{:016x}", rand::random::<u64>()),
        session.clock.now(),
    );
    let talks = talks(store, &texts, session);
    match talks.say(&thread, author, words, &key, now).await? {
        Outcome::Sent => {}
        Outcome::Unreachable => bail!("the resident of talk {id} has no address any more"),
        _ => bail!("talk {id} is over"),
    }
    session.out.answer(&json!({ "id": id, "sent": true }), || {
        format!("talk {id}: the answer is on its way")
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn close(id: ThreadId, store: &Store, session: &Session) -> Result<ExitCode> {
    let (thread, areas) = found(id, store).await?;
    let author = take(&thread, &areas, "thread.close", store, session).await?;
    let texts = Texts::load().context("the built-in texts")?;
    let closed = talks(store, &texts, session)
        .close(&thread, author, session.clock.now())
        .await?;
    if !closed {
        bail!("talk {id} is over already");
    }
    session.out.answer(&json!({ "id": id, "open": false }), || {
        format!("talk {id} is closed; the resident is told")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn talks<'a>(store: &'a Store, texts: &'a Texts, session: &'a Session) -> Talks<'a> {
    Talks {
        store,
        texts,
        config: &session.config,
    }
}
