//! `weir deliveries`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::{Session, output::table};
use crate::{
    domain::{ChannelKind, DeliveryId, DeliveryState, RoundId},
    store::{DeliveryFilter, DeliveryRow, StateCount},
};

/// `weir deliveries`
#[derive(Debug, Args)]
pub struct DeliveriesArgs {
    /// Show this delivery with its history.
    id: Option<DeliveryId>,
    /// Of this round.
    #[arg(long)]
    round: Option<RoundId>,
    /// In this state: held, queued, sending, accepted, delivered, sent, failed, expired, cancelled or suppressed.
    #[arg(long, value_parser = state)]
    state: Option<DeliveryState>,
    /// By this channel: telegram or sms.
    #[arg(long, value_parser = channel)]
    channel: Option<ChannelKind>,
    /// List so many of the newest.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

fn state(word: &str) -> Result<DeliveryState, String> {
    let allowed: Vec<_> = DeliveryState::ALL.iter().map(|state| state.as_str()).collect();
    DeliveryState::parse(word).ok_or_else(|| format!("use one of {}", allowed.join(", ")))
}

fn channel(word: &str) -> Result<ChannelKind, String> {
    ChannelKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .ok_or_else(|| "use telegram or sms".into())
}

/// Lists, counts, or shows one.
pub async fn run(args: &DeliveriesArgs, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    if let Some(id) = args.id {
        let Some(row) = store.delivery(id).await? else {
            bail!("there is no delivery {id}")
        };
        session.out.answer(&row, || history(&row, session))?;
        return Ok(ExitCode::SUCCESS);
    }
    let filter = DeliveryFilter {
        round: args.round,
        state: args.state,
        channel: args.channel,
    };
    let counts = store.count_deliveries(&filter).await?;
    let rows = store.deliveries(&filter, args.limit).await?;
    session.out.answer(
        &serde_json::json!({ "counts": counts, "deliveries": rows }),
        || {
            if counts.is_empty() {
                return "no deliveries".to_owned();
            }
            format!("{}\n\n{}", count_table(&counts), list(&rows, session))
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Counts as a table.
pub fn count_table(counts: &[StateCount]) -> String {
    let rows: Vec<Vec<String>> = counts
        .iter()
        .map(|count| {
            vec![
                count.round_id.map_or("–".into(), |round| round.to_string()),
                count.channel.clone(),
                count.kind.clone(),
                count.state.clone(),
                count.deliveries.to_string(),
                if count.repeated == 0 {
                    String::new()
                } else {
                    format!("{} perhaps sent twice", count.repeated)
                },
            ]
        })
        .collect();
    table(&["round", "channel", "kind", "state", "count", ""], &rows)
}

fn list(rows: &[DeliveryRow], session: &Session) -> String {
    let zone = session.config.city.time_zone;
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                row.round.map_or("–".into(), |round| round.to_string()),
                row.channel.clone(),
                row.kind.clone(),
                row.state.clone(),
                row.to.clone(),
                row.changed_at
                    .with_timezone(&zone)
                    .format("%m-%d %H:%M:%S")
                    .to_string(),
            ]
        })
        .collect();
    table(
        &["id", "round", "channel", "kind", "state", "to", "changed"],
        &rows,
    )
}

fn history(row: &DeliveryRow, session: &Session) -> String {
    let zone = session.config.city.time_zone;
    let mut text = format!(
        "delivery {} ({}): {} by {} to {}, {} attempt(s), {} part(s), in time until {}\n",
        row.id,
        row.key,
        row.kind,
        row.channel,
        row.to,
        row.attempts,
        row.parts,
        row.expires_at.with_timezone(&zone).format("%F %H:%M")
    );
    for line in &row.history {
        let (at, rest) = line.split_once(' ').unwrap_or((line, ""));
        let at = at.parse().ok().and_then(chrono::DateTime::from_timestamp_millis);
        let at = at.map_or_else(String::new, |at| {
            at.with_timezone(&zone).format("%F %H:%M:%S%.3f").to_string()
        });
        text.push_str(&format!("  {at}  {rest}\n"));
    }
    text
}
