//! `weir text`: approved texts in other words, until a date.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chrono::NaiveDateTime;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Session,
    output::table,
    policy::{instant, local, moment},
};
use crate::{
    channels::sms::segment,
    domain::{Area, Language, Right},
    i18n::{NewWords, Texts},
    store::SetText,
};

/// `weir text …`
#[derive(Debug, Subcommand)]
pub enum TextCommand {
    /// List what is set in other words; with --all, also what has ended and the keys of all texts.
    List {
        /// All of it.
        #[arg(long)]
        all: bool,
    },
    /// Show a text as it is built in, in every language.
    Show {
        /// The text's key.
        key: String,
    },
    /// Say a text in other words until a date. The service takes it up within some seconds.
    Set(SetArgs),
    /// Let the built-in words hold again.
    End {
        /// The text's key.
        key: String,
        /// In this language alone; by default in every one.
        #[arg(long)]
        lang: Option<Language>,
    },
}

/// `weir text set`
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The text's key.
    key: String,
    /// What it is to say, with the {placeholders} of the built-in words.
    words: String,
    /// In which language: zh-Hans, zh-Hant or en.
    #[arg(long)]
    lang: Language,
    /// The short form, for text messages.
    #[arg(long)]
    sms: bool,
    /// From this moment the built-in words hold again, such as "2022-09-10" or "2022-09-10 06:00", in the city's time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: NaiveDateTime,
}

/// Runs one of the commands.
pub async fn run(command: TextCommand, session: &Session) -> Result<ExitCode> {
    match command {
        TextCommand::List { all } => list(all, session).await?,
        TextCommand::Show { key } => show(&key, session)?,
        TextCommand::Set(args) => set(args, session).await?,
        TextCommand::End { key, lang } => end(&key, lang, session).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(all: bool, session: &Session) -> Result<()> {
    let now = session.clock.now();
    let holding = (!all).then_some(now);
    let set = session.store().await?.set_texts(holding).await?;
    let keys: Vec<&str> = Texts::keys().filter(|_| all).collect();
    session.out.answer(&json!({ "set": set, "keys": keys }), || {
        if set.is_empty() && !all {
            return "every text says what is built in".into();
        }
        let rows: Vec<Vec<String>> = set
            .iter()
            .map(|text| {
                vec![
                    text.key.clone(),
                    text.language.code().into(),
                    if text.short { "sms" } else { "" }.into(),
                    local(text.set_at, session),
                    text.set_by.clone(),
                    local(text.ended_at.unwrap_or(text.until), session),
                    text.words.replace('\n', " / "),
                ]
            })
            .collect();
        let mut said = table(
            &["text", "language", "form", "set", "by", "until", "words"],
            &rows,
        );
        if all {
            said.push_str(&format!("\n\nall texts: {}", keys.join(" ")));
        }
        said
    })
}

fn show(key: &str, session: &Session) -> Result<()> {
    let texts = Texts::load()?;
    let mut forms = Vec::new();
    for language in Language::ALL {
        for short in [false, true] {
            if let Some(words) = texts.built_in(key, language, short) {
                forms.push(json!({ "language": language, "sms": short, "words": words }));
            }
        }
    }
    if forms.is_empty() {
        bail!("there is no text {key:?}: `weir text list --all` names them all");
    }
    session.out.answer(&json!({ "key": key, "forms": forms }), || {
        let lines = forms.iter().map(|form| {
            let short = if form["sms"] == true { " (sms)" } else { "" };
            let word = |name: &str| form[name].as_str().unwrap_or_default().to_owned();
            format!("{}{short}:\n{}\n", word("language"), word("words"))
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

async fn set(args: SetArgs, session: &Session) -> Result<()> {
    let now = session.clock.now();
    let until = instant(args.until, session)?;
    if until <= now {
        bail!("--until {} is past", args.until);
    }
    // A shell gives \n as two characters.
    let words = args.words.replace("\\n", "\n").trim().to_owned();
    let texts = Texts::load()?;
    texts
        .check_words(&NewWords {
            key: &args.key,
            language: args.lang,
            short: args.sms,
            words: &words,
        })
        .with_context(|| format!("{} was not set", args.key))?;
    let store = session.store().await?;
    let details = format!("{} until {}", args.lang.code(), local(until, session));
    let said = ("text.set", format!("text:{}", args.key), details);
    let acting = session
        .act(&store, Right::ChangeTexts, &[Area::City], said)
        .await?;
    let text = SetText {
        id: 0,
        key: args.key,
        language: args.lang,
        short: args.sms,
        words,
        set_by: acting.actor.to_string(),
        set_at: now,
        until,
        ended_by: None,
        ended_at: None,
    };
    store.set_text(&text).await?;
    let parts = segment::parts(&text.words);
    session
        .out
        .answer(&json!({ "set": text, "sms_parts": parts }), || {
            format!(
                "{} says in {} until {}:\n{}\n({parts} parts as a text message of its own)",
                text.key,
                text.language.code(),
                local(text.until, session),
                text.words
            )
        })
}

async fn end(key: &str, language: Option<Language>, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let said = ("text.end", format!("text:{key}"), String::new());
    let acting = session
        .act(&store, Right::ChangeTexts, &[Area::City], said)
        .await?;
    let by = acting.actor.to_string();
    let ended = store.end_text(key, language, &by, session.clock.now()).await?;
    if ended == 0 {
        bail!("nothing is set of {key}: see `weir text list`");
    }
    session.out.answer(&json!({ "key": key, "ended": ended }), || {
        format!("{key} says what is built in again ({ended} ended)")
    })
}
