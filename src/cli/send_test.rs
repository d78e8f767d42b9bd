//! `weir send-test`: proves that a channel works.

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::Session;
use crate::{
    app::{self, Service},
    domain::{Address, Body, DeliveryId, Outbound, Right},
    i18n::{Voice, notices},
};

const CONNECT_MAX: Duration = Duration::from_secs(15);

/// `weir send-test`
#[derive(Debug, Args)]
pub struct SendTestArgs {
    /// A phone number, or a Telegram chat id.
    address: String,
    /// What to send; by default a line that says what it is.
    #[arg(long)]
    text: Option<String>,
}

/// Sends one message straight to the channel, outside the outbox: no round is touched, only that it was done goes on record.
pub async fn run(args: &SendTestArgs, session: &Session) -> Result<ExitCode> {
    let Some(address) = app::parse_address(&args.address) else {
        bail!(
            "{:?} is neither a phone number nor a Telegram chat id",
            args.address
        );
    };
    let allowed = session.config.channels.only_to.as_ref();
    if allowed.is_some_and(|list| !list.contains(&address)) {
        bail!(
            "{} is not in channels.only_to, so nothing is sent to it",
            address.masked()
        );
    }
    on_record(&address, session).await?;
    let service = Service::new(session.config.clone(), session.clock.clone())?;
    let Some(channel) = service.channel_for(&address) else {
        bail!(
            "no channel reaches {}: set {} in the configuration",
            address.masked(),
            if matches!(address, Address::Chat(_)) {
                "telegram.token"
            } else {
                "[[sms.smpp]]"
            }
        );
    };
    let voice = Voice {
        texts: &service.texts,
        language: session.config.city.default_language,
        channel: address.channel(),
        sender_name: &session.config.sms.sender_name,
    };
    let body = args
        .text
        .as_ref()
        .map_or_else(|| notices::test_message(&voice), Body::text);
    let now = session.clock.now();
    let message = Outbound {
        delivery: DeliveryId(0),
        to: address.clone(),
        body,
        expires_at: now + chrono::TimeDelta::minutes(10),
        live: None,
    };
    let stop = CancellationToken::new();
    let work = async {
        let started = std::time::Instant::now();
        while !channel.is_connected() && started.elapsed() < CONNECT_MAX {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let outcome = channel.send(&message, now).await;
        stop.cancel();
        outcome
    };
    let (outcome, ()) = tokio::join!(work, service.run_carriers(stop.clone()));
    let taken = match outcome {
        Ok(taken) => taken,
        Err(error) => bail!("not sent to {}: {error}", address.masked()),
    };
    let answer = serde_json::json!({ "to": address.masked(), "refs": taken.refs });
    session.out.answer(&answer, || {
        format!(
            "taken for {} as {}. Look at the phone: taken is not delivered.",
            address.masked(),
            taken.refs.join(", ")
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn on_record(address: &Address, session: &Session) -> Result<()> {
    let store = session.store().await?;
    let said = (
        "channel.test",
        String::new(),
        address.channel().as_str().to_owned(),
    );
    session.act(&store, Right::Settings, &[], said).await?;
    store.close().await;
    Ok(())
}
