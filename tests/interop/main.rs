//! Weir's SMPP against an SMSC by other people. Runs where `WEIR_NODE_SMSC` names `smsc.mjs` beside its installed
//! `node_modules` (`npm install` in a copy of this folder); is skipped, and says so, elsewhere.

use std::{io::Write, process::Stdio, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use weir::{
    channels::{ChannelEvent, Incoming, PartFate, sms::smpp::Smpp},
    clock::Clock,
    config::SmppConfig,
    domain::{Address, Body, DeliveryId, InboundContent, Outbound, PhoneNumber},
};

const PHONE: &str = "+8613900000001";
const PATIENCE: Duration = Duration::from_secs(15);

/// The SMSC's process. It ends when this is dropped.
struct Node {
    process: Child,
    orders: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

impl Node {
    fn start(script: &str, port: u16) -> Self {
        let mut process = Command::new("node")
            .args([script, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is installed");
        Self {
            orders: process.stdin.take().expect("piped"),
            events: BufReader::new(process.stdout.take().expect("piped")).lines(),
            process,
        }
    }

    /// The next event of this name; others are passed over.
    async fn next(&mut self, name: &str) -> Value {
        let searching = async {
            loop {
                let line = self.events.next_line().await.expect("readable").expect("runs");
                let event: Value = serde_json::from_str(&line).expect("one JSON value a line");
                if event["event"] == name {
                    return event;
                }
            }
        };
        timeout(PATIENCE, searching).await.expect("in time")
    }

    async fn bring(&mut self, text: &str) {
        let order = format!("mo 8613900000001 {text}\n");
        self.orders.write_all(order.as_bytes()).await.expect("runs");
    }
}

/// An account that runs, and what it passes on.
struct Account {
    smpp: Smpp,
    incoming: mpsc::Receiver<Incoming>,
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Account {
    fn start(port: u16) -> Self {
        let config = SmppConfig {
            port,
            system_id: "weir".into(),
            password: "secret".to_owned().into(),
            source: "10690000".into(),
            enquire_link_interval: Duration::from_secs(1),
            ..SmppConfig::default()
        };
        let smpp = Smpp::new(config, Clock::System);
        let (sender, incoming) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        let (runner, until) = (smpp.clone(), stop.clone());
        running.spawn(async move { runner.run(sender, until).await });
        Self {
            smpp,
            incoming,
            stop,
            running,
        }
    }

    async fn becomes(&self, connected: bool) {
        let waiting = async {
            while self.smpp.is_connected() != connected {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("in time");
    }

    async fn send(&self, text: &str) -> Vec<String> {
        let now = Clock::System.now();
        let message = Outbound {
            delivery: DeliveryId(7),
            to: Address::Phone(PhoneNumber::parse(PHONE).expect("valid")),
            body: Body::text(text),
            expires_at: now + TimeDelta::hours(2),
            live: None,
        };
        self.smpp.send(&message, now).await.expect("taken").refs
    }

    async fn next(&mut self) -> ChannelEvent {
        let incoming = timeout(PATIENCE, self.incoming.recv())
            .await
            .expect("in time")
            .expect("runs");
        incoming.recorded.send(()).expect("awaited");
        incoming.event
    }
}

/// Sends, and compares with what the SMSC understood and with the receipts it sends.
async fn check_text(account: &mut Account, node: &mut Node, text: &str, parts: usize) {
    let refs = account.send(text).await;
    assert_eq!(refs.len(), parts);
    let mut understood = String::new();
    for (number, part_ref) in (1..).zip(&refs) {
        let submit = node.next("submit").await;
        assert_eq!(submit["id"], part_ref.as_str());
        assert_eq!(
            (&submit["to"], &submit["ton"]),
            (&"8613900000001".into(), &1.into())
        );
        assert_eq!(submit["registered_delivery"], 1);
        let header = if parts == 1 {
            String::new()
        } else {
            format!("000307{parts:02x}{number:02x}")
        };
        assert_eq!(submit["udh"][0].as_str().unwrap_or_default(), header);
        assert_eq!(submit["esm_class"], if parts == 1 { 0 } else { 0x40 });
        understood += submit["text"].as_str().expect("text");
        let until: DateTime<Utc> = submit["validity_period"]
            .as_str()
            .expect("a time")
            .parse()
            .expect("a time");
        let left = until - Clock::System.now();
        assert!(
            (left - TimeDelta::hours(2)).abs() < TimeDelta::minutes(1),
            "{left}"
        );
    }
    assert_eq!(understood, text);
    for part_ref in refs {
        let ChannelEvent::Receipt(report) = account.next().await else {
            unreachable!("a receipt");
        };
        assert_eq!((report.part_ref, report.fate), (part_ref, PartFate::Delivered));
        assert_eq!(node.next("deliver_resp").await["status"], 0);
    }
}

/// Brings a text from a phone, and compares with what Weir understood.
async fn check_inbound(account: &mut Account, node: &mut Node, text: &str, parts: usize) {
    node.bring(text).await;
    let ChannelEvent::Inbound(inbound) = account.next().await else {
        unreachable!("a text");
    };
    assert_eq!(inbound.content, InboundContent::Text(text.into()));
    for _ in 0..parts {
        assert_eq!(node.next("deliver_resp").await["status"], 0);
    }
}

#[tokio::test]
async fn an_independent_smsc_understands_and_is_understood() {
    let Ok(script) = std::env::var("WEIR_NODE_SMSC") else {
        writeln!(
            std::io::stderr(),
            "skipped: WEIR_NODE_SMSC does not name smsc.mjs"
        )
        .expect("writes");
        return;
    };
    let mut node = Node::start(&script, 0);
    let port = node.next("listening").await["port"].as_u64().expect("a port") as u16;
    let mut account = Account::start(port);
    let bind = node.next("bind").await;
    assert_eq!(
        (&bind["system_id"], &bind["interface_version"]),
        (&"weir".into(), &0x34.into())
    );
    account.becomes(true).await;

    check_text(&mut account, &mut node, "Building 3, 10:00 [gate] @ 5€ à Ω_", 1).await;
    check_text(&mut account, &mut node, "三栋二单元：明天十点到东门 😀", 1).await;
    check_text(
        &mut account,
        &mut node,
        &"明天上午请到小区东门采样。".repeat(12),
        3,
    )
    .await;
    check_text(&mut account, &mut node, &"Bring your {card}. ".repeat(10), 2).await;
    check_inbound(&mut account, &mut node, "几点？😀", 1).await;
    check_inbound(
        &mut account,
        &mut node,
        &"我母亲行动不便，请上门采样。".repeat(11),
        3,
    )
    .await;
    node.next("enquire_link").await;

    node.process.kill().await.expect("ran");
    account.becomes(false).await;
    let mut node = Node::start(&script, port);
    node.next("bind").await;
    account.becomes(true).await;
    check_text(&mut account, &mut node, "back", 1).await;

    account.stop.cancel();
    node.next("unbind").await;
    account
        .running
        .join_next()
        .await
        .expect("ran")
        .expect("without panic");
}
