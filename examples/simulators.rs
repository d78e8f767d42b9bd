//! A Bot API server and an SMSC on loopback, to try `weir serve` against without a token or a carrier's account:
//!
//! ```sh
//! cargo run --release --example simulators -- 8081 2775
//! ```
//!
//! Ends with Ctrl-C or SIGTERM and then prints one JSON object: what was taken, and how often the same text went to
//! the same address.

use std::{collections::HashMap, io::Write, net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use weir::{
    channels::{
        sms::smsc::{Smsc, SmscOptions},
        telegram::fake::{FakeBotApi, FakeOptions},
    },
    cli::stop_on_signal,
    clock::Clock,
};

/// What the configuration's `telegram.token` must be.
const TOKEN: &str = "1000000001:demo-demo-demo-demo-demo-demo-demo-1";

#[tokio::main]
async fn main() -> Result<()> {
    let mut ports = std::env::args().skip(1).map(|port| port.parse::<u16>());
    let mut port = |default| {
        ports
            .next()
            .unwrap_or(Ok(default))
            .context("a port is a number up to 65535")
    };
    let (telegram_port, sms_port) = (port(8081)?, port(2775)?);
    let stop = stop_on_signal()?;
    let running = CancellationToken::new();
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let bot_api = FakeBotApi::start(
        loopback(telegram_port),
        TOKEN,
        FakeOptions::new(Clock::System),
        running.clone(),
    )
    .await
    .context("the Bot API server")?;
    let options = SmscOptions {
        receipts_after: Some(Duration::from_secs(2)),
        ..SmscOptions::default()
    };
    let smsc = Smsc::start(loopback(sms_port), options, running.clone())
        .await
        .context("the SMSC")?;
    let mut err = std::io::stderr();
    writeln!(
        err,
        "telegram.api_url = {:?}\ntelegram.token = {TOKEN:?}\nsms.smpp port = {sms_port}",
        bot_api.url()
    )?;
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {
                writeln!(err, "{} Telegram messages, {} SMS parts", bot_api.count(), smsc.count())?;
            }
            () = stop.cancelled() => {}
        }
    }
    let mut texts: HashMap<(String, String), u64> = HashMap::new();
    for sent in bot_api.sent() {
        *texts.entry((sent.chat_id.to_string(), sent.text)).or_default() += 1;
    }
    for sent in smsc.submitted() {
        *texts.entry((sent.to, sent.text)).or_default() += 1;
    }
    let addresses: std::collections::HashSet<&String> = texts.keys().map(|(address, _)| address).collect();
    let answer = serde_json::json!({
        "telegram_messages": bot_api.count(),
        "sms_parts": smsc.count(),
        "texts": texts.len(),
        "addresses": addresses.len(),
        "taken_twice": texts.values().filter(|count| **count == 2).count(),
        "taken_more_often": texts.values().filter(|count| **count > 2).count(),
    });
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}
