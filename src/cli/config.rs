//! `weir config`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};
use clap::Subcommand;

use super::Output;
use crate::config::{self, Config};

/// `weir config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say everything that is wrong with the configuration at once.
    Check,
}

/// The file used when none is named.
fn default_file() -> Option<PathBuf> {
    let file = PathBuf::from("weir.toml");
    file.exists().then_some(file)
}

/// Loads the configuration, or says everything that is wrong with it.
pub fn load(file: Option<&Path>) -> Result<Config> {
    let file = file.map(Path::to_path_buf).or_else(default_file);
    match Config::load(file.as_deref(), config::environment()) {
        Ok(config) => Ok(config),
        Err(faults) => bail!("{faults}"),
    }
}

/// Runs the command.
pub fn run(command: &ConfigCommand, file: Option<&Path>, out: Output) -> Result<ExitCode> {
    let ConfigCommand::Check = command;
    let file = file.map(Path::to_path_buf).or_else(default_file);
    let config = load(file.as_deref())?;
    let source = file.map_or("the defaults".to_owned(), |file| file.display().to_string());
    let channels: Vec<&str> = [
        config.telegram.token.as_ref().map(|_| "telegram"),
        config.sms.smpp.first().map(|_| "sms"),
    ]
    .into_iter()
    .flatten()
    .collect();
    out.answer(
        &serde_json::json!({ "ok": true, "source": source, "channels": channels }),
        || {
            let channels = if channels.is_empty() {
                "no channel: nothing can be sent until telegram.token or [[sms.smpp]] is set".to_owned()
            } else {
                channels.join(", ")
            };
            format!("{source}: in order. Channels: {channels}")
        },
    )?;
    Ok(ExitCode::SUCCESS)
}
