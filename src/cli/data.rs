//! `weir backup`, `weir restore`, `weir key`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::Session;
use crate::{
    app::standby::Alone,
    domain::Right,
    store::{Keys, NewAudit, Store},
};

/// `weir restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup to restore from.
    file: PathBuf,
    /// Do not ask: everything in the store is replaced.
    #[arg(long)]
    yes: bool,
}

/// `weir key …`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a new data key file (mode 0600); for a SQLite store the first start makes one by itself.
    Create {
        /// The file to make; an existing one is never overwritten.
        file: PathBuf,
    },
    /// Seal everything anew with a new key; a running service gives way meanwhile.
    Rotate,
}

/// Writes a backup.
pub async fn backup(file: &Path, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let rows = store.backup(file, session.clock.now()).await?;
    store.close().await;
    session.out.answer(
        &serde_json::json!({ "file": file.display().to_string(), "rows": rows }),
        || {
            format!(
                "{rows} rows in {} (mode 0600; personal columns stay sealed).\n\
             Keep a copy of the data key in another place: without it this backup cannot be read.",
                file.display()
            )
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Restores a backup.
pub async fn restore(args: &RestoreArgs, session: &Session) -> Result<ExitCode> {
    if !args.file.exists() {
        bail!("{} is not there", args.file.display());
    }
    let question = format!("Replace everything in the store by {}?", args.file.display());
    if !args.yes && !session.out.confirm(&question) {
        bail!("nothing was changed: answer y, or give --yes");
    }
    let store = session.store().await?;
    let acting = session
        .act(
            &store,
            Right::Settings,
            &[],
            ("store.restore", String::new(), String::new()),
        )
        .await?;
    let head = store.audit_head().await?;
    let alone = Alone::ask(&store).await?;
    let rows = alone
        .during(store.restore(&args.file, session.clock.now()))
        .await?;
    // The log came back as the backup had it: where it stood before stays known.
    let before = head.map_or_else(String::new, |head| format!("the log ended with {head} before"));
    let restored = NewAudit::new(acting.actor, "store.restored", "").with(before);
    store.audit(&restored, session.clock.now()).await?;
    store.close().await;
    session.out.answer(&serde_json::json!({ "file": args.file.display().to_string(), "rows": rows }), || {
        format!(
            "{rows} rows restored. What was still to be sent is held: it may have been sent since the backup.\n\
             `weir round list` shows paused rounds; `weir round resume` or `weir round cancel` decides."
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Makes or rotates the data key.
pub async fn key(command: KeyCommand, session: &Session) -> Result<ExitCode> {
    match command {
        KeyCommand::Create { file } => {
            Keys::create(&file).with_context(|| {
                format!(
                    "{} was not made; an existing key is never overwritten",
                    file.display()
                )
            })?;
            session
                .out
                .answer(&serde_json::json!({ "file": file.display().to_string() }), || {
                    format!(
                        "{} made. Keep a copy in another place: lose the key, lose the data.",
                        file.display()
                    )
                })?;
        }
        KeyCommand::Rotate => {
            let url = session.config.store.url.expose_secret();
            let key_file = Store::key_file(url, session.config.security.data_key_file.clone())?;
            let bar = indicatif::ProgressBar::new_spinner();
            let rotate = Store::rotate_key(url, &key_file, |table, done| {
                bar.set_message(format!("{done} values sealed anew ({table})"));
                bar.tick();
            });
            // In mid-rotation the store does not open the ordinary way, and no service can be at work on it.
            let total = match session.store().await {
                Ok(store) => {
                    let said = ("key.rotate", String::new(), String::new());
                    session.act(&store, Right::Keys, &[], said).await?;
                    Box::pin(Alone::ask(&store).await?.during(rotate)).await?
                }
                Err(_) => rotate.await?,
            };
            bar.finish_and_clear();
            session.out.answer(&serde_json::json!({ "sealed": total }), || {
                format!("{total} values sealed with a new key in {}.\nMake a new copy of the key; older backups need the old one.", key_file.display())
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
