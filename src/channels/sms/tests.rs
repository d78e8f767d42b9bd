//! The account against the SMSC, over a real socket.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{SinkExt, StreamExt, stream::FuturesUnordered};
use rusmpp::{
    Command, CommandStatus, Pdu,
    pdus::{BindTransceiverResp, DeliverSm},
    types::COctetString,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::{
    codec::{FramedRead, FramedWrite},
    sync::CancellationToken,
};

use super::{
    smpp::{Smpp, Timing},
    smsc::{Fault, Smsc, SmscOptions},
    wire::{Frame, FrameCodec},
};
use crate::{
    channels::{ChannelEvent, Incoming, PartFate, SendError, Taken},
    clock::Clock,
    config::SmppConfig,
    domain::{Address, Body, DeliveryId, InboundContent, Outbound, PhoneNumber},
};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const PHONE: &str = "+8613900000001";

/// An account that runs, and what it passes on.
struct Account {
    smpp: Smpp,
    incoming: mpsc::Receiver<Incoming>,
    stop: CancellationToken,
    running: JoinSet<()>,
}

fn timing() -> Timing {
    Timing {
        retry_first: Duration::from_millis(20),
        retry_max: Duration::from_millis(80),
        retry_refused: Duration::from_millis(50),
        throttled: Duration::from_millis(300),
        ..Timing::default()
    }
}

fn account(address: SocketAddr, timing: Timing, change: impl FnOnce(&mut SmppConfig)) -> Account {
    let mut config = SmppConfig {
        name: "test".into(),
        host: address.ip().to_string(),
        port: address.port(),
        system_id: "weir".into(),
        password: "secret".to_owned().into(),
        source: "10690000".into(),
        ..SmppConfig::default()
    };
    change(&mut config);
    let smpp = Smpp::with_timing(config, Clock::System, timing);
    let (sender, incoming) = mpsc::channel(4096);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let (runner, until) = (smpp.clone(), stop.clone());
    running.spawn(async move { runner.run(sender, until).await });
    Account {
        smpp,
        incoming,
        stop,
        running,
    }
}

async fn smsc(options: SmscOptions) -> Smsc {
    Smsc::start(ANY_PORT, options, CancellationToken::new())
        .await
        .expect("a free port")
}

async fn bound(options: SmscOptions) -> (Smsc, Account) {
    let smsc = smsc(options).await;
    let account = account(smsc.local_addr(), timing(), |_| {});
    account.connected().await;
    (smsc, account)
}

impl Account {
    async fn connected(&self) {
        wait_until(|| self.smpp.is_connected()).await;
    }

    async fn send(&self, text: &str) -> Result<Taken, SendError> {
        send(&self.smpp, 1, PHONE, text).await
    }

    /// The next event, with its handle.
    async fn next(&mut self) -> Incoming {
        timeout(Duration::from_secs(5), self.incoming.recv())
            .await
            .expect("in time")
            .expect("runs")
    }

    async fn next_receipt(&mut self) -> (String, PartFate) {
        let incoming = self.next().await;
        incoming.recorded.send(()).expect("awaited");
        match incoming.event {
            ChannelEvent::Receipt(report) => (report.part_ref, report.fate),
            ChannelEvent::Inbound(_) => unreachable!("a receipt"),
        }
    }

    async fn next_text(&mut self) -> (String, String) {
        let incoming = self.next().await;
        incoming.recorded.send(()).expect("awaited");
        match incoming.event {
            ChannelEvent::Inbound(inbound) => match inbound.content {
                InboundContent::Text(text) => (inbound.external_id, text),
                _ => unreachable!("a text"),
            },
            ChannelEvent::Receipt(_) => unreachable!("a text"),
        }
    }
}

fn now() -> DateTime<Utc> {
    Clock::System.now()
}

async fn send(smpp: &Smpp, delivery: i64, phone: &str, text: &str) -> Result<Taken, SendError> {
    let message = Outbound {
        delivery: DeliveryId(delivery),
        to: Address::Phone(PhoneNumber::parse(phone).expect("valid")),
        body: Body::text(text),
        expires_at: now() + TimeDelta::hours(2),
        live: None,
    };
    smpp.send(&message, now()).await
}

async fn wait_until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.expect("in time");
}

#[tokio::test]
async fn texts_leave_and_receipts_come_back() {
    let (smsc, mut account) = bound(SmscOptions::default()).await;
    for text in ["Building 3, 10:00 [gate €]", "三栋二单元，十点", "😀"] {
        let taken = account.send(text).await.expect("taken");
        assert!(taken.receipts_follow);
        assert_eq!(
            account.next_receipt().await,
            (taken.refs[0].clone(), PartFate::Delivered)
        );
    }
    let submitted = smsc.submitted();
    assert_eq!(submitted[1].text, "三栋二单元，十点");
    assert_eq!(
        (submitted[1].to.as_str(), submitted[1].from.as_str()),
        (PHONE, "10690000")
    );
    assert_eq!(submitted[1].validity, "000000020000000R");
    assert_eq!(submitted.iter().map(|message| message.parts).sum::<u32>(), 3);
}

#[tokio::test]
async fn a_long_text_leaves_in_parts_and_each_has_its_receipt() {
    let (smsc, mut account) = bound(SmscOptions {
        share_undelivered: 1.0,
        ..SmscOptions::default()
    })
    .await;
    let text = "明天上午请到小区东门采样。".repeat(12);
    let taken = account.send(&text).await.expect("taken");
    assert_eq!(taken.refs.len(), 3);
    assert_eq!(smsc.submitted().len(), 1);
    assert_eq!(smsc.submitted()[0].text, text);
    for part_ref in taken.refs {
        assert_eq!(account.next_receipt().await, (part_ref, PartFate::Failed));
    }
}

#[tokio::test]
async fn an_incoming_text_is_answered_only_when_it_is_recorded() {
    let (smsc, mut account) = bound(SmscOptions::default()).await;
    let carrier = smsc.deliver_text(PHONE, "几点？");
    let mut carrier = std::pin::pin!(carrier);
    assert!(timeout(Duration::from_millis(200), &mut carrier).await.is_err());
    let incoming = account.next().await;
    assert!(timeout(Duration::from_millis(50), &mut carrier).await.is_err());
    let ChannelEvent::Inbound(inbound) = incoming.event else {
        unreachable!("a text");
    };
    assert_eq!(
        inbound.from,
        Address::Phone(PhoneNumber::parse(PHONE).expect("valid"))
    );
    assert_eq!(inbound.content, InboundContent::Text("几点？".into()));
    incoming.recorded.send(()).expect("awaited");
    assert_eq!(carrier.await.expect("answered"), CommandStatus::EsmeRok);

    // Not recorded: the carrier is asked to send it again, and it is known again.
    let carrier = smsc.deliver_text(PHONE, "几点？");
    let (status, incoming) = tokio::join!(carrier, async {
        let incoming = account.next().await;
        drop(incoming.recorded);
        incoming.event
    });
    assert_eq!(status.expect("answered"), CommandStatus::EsmeRxTAppn);
    let ChannelEvent::Inbound(again) = incoming else {
        unreachable!("a text");
    };
    let hash = |id: &str| id.split(':').next().map(str::to_owned);
    assert_eq!(hash(&again.external_id), hash(&inbound.external_id));
    assert_ne!(again.external_id, inbound.external_id);
}

#[tokio::test]
async fn a_long_incoming_text_arrives_as_one() {
    let (smsc, mut account) = bound(SmscOptions::default()).await;
    let text = "我母亲行动不便，请上门采样。".repeat(10);
    let (status, (_, arrived)) = tokio::join!(smsc.deliver_text(PHONE, &text), account.next_text());
    assert_eq!(status.expect("answered"), CommandStatus::EsmeRok);
    assert_eq!(arrived, text);
}

#[tokio::test]
async fn parts_in_memory_are_passed_on_at_the_stop() {
    let (smsc, mut account) = bound(SmscOptions::default()).await;
    let first_of_two = DeliverSm::builder()
        .source_addr(COctetString::from_slice(b"8613900000001\0").expect("short"))
        .esm_class(0x40.into())
        .short_message(
            b"\x05\x00\x03\x01\x02\x01half"
                .to_vec()
                .try_into()
                .expect("short"),
        )
        .build();
    assert_eq!(
        smsc.deliver(first_of_two).await.expect("answered"),
        CommandStatus::EsmeRok
    );
    account.stop.cancel();
    assert_eq!(account.next_text().await.1, "half");
    account
        .running
        .join_next()
        .await
        .expect("ran")
        .expect("without panic");
}

#[tokio::test]
async fn what_is_in_flight_at_the_stop_is_finished() {
    let (smsc, mut account) = bound(SmscOptions::default()).await;
    let carrier = smsc.deliver_text(PHONE, "1");
    let (status, ()) = tokio::join!(carrier, async {
        let incoming = account.next().await;
        account.stop.cancel();
        sleep(Duration::from_millis(100)).await;
        assert!(matches!(
            account.send("late").await,
            Err(SendError::Unreachable(_))
        ));
        incoming.recorded.send(()).expect("awaited");
        account
            .running
            .join_next()
            .await
            .expect("ran")
            .expect("without panic");
    });
    assert_eq!(status.expect("answered"), CommandStatus::EsmeRok);
}

#[tokio::test]
async fn senders_without_a_number_are_acknowledged_and_dropped() {
    let (smsc, mut account) = bound(SmscOptions::default()).await;
    assert_eq!(
        smsc.deliver_text("10086", "offers").await.expect("answered"),
        CommandStatus::EsmeRok
    );
    let (_, (_, text)) = tokio::join!(smsc.deliver_text(PHONE, "1"), account.next_text());
    assert_eq!(text, "1");
}

#[tokio::test]
async fn throttling_slows_the_sender_and_never_repeats_a_taken_part() {
    let (smsc, account) = bound(SmscOptions {
        throttle_above: Some(2),
        receipts_after: None,
        ..SmscOptions::default()
    })
    .await;
    let text = "a".repeat(400);
    assert_eq!(account.send(&text).await.expect("taken").refs.len(), 3);
    assert!(smsc.throttled() > 0);
    assert_eq!((smsc.submitted().len(), smsc.submitted_parts().len()), (1, 3));
    account.send("x").await.expect("room for one");
    let throttled = SendError::Throttled {
        retry_after: Duration::from_millis(300),
    };
    assert_eq!(account.send("y").await, Err(throttled));
}

#[tokio::test]
async fn a_refused_number_is_a_bad_address() {
    let (_smsc, account) = bound(SmscOptions {
        refuse: vec!["+86139".into()],
        ..SmscOptions::default()
    })
    .await;
    let refused = account.send("x").await;
    assert_eq!(refused, Err(SendError::BadAddress("ESME_RINVDSTADR".into())));
}

#[tokio::test]
async fn a_lost_connection_is_ambiguous_then_unreachable_then_mended() {
    let (smsc, account) = bound(SmscOptions::default()).await;
    smsc.set_fault(Fault::Hang);
    let (outcome, ()) = tokio::join!(account.send("taken?"), async {
        wait_until(|| smsc.count() == 1).await;
        smsc.set_fault(Fault::Cut);
    });
    assert!(matches!(outcome, Err(SendError::Ambiguous(_))), "{outcome:?}");
    assert_eq!(smsc.submitted()[0].text, "taken?");
    let started = Instant::now();
    let outcome = account.send("now").await;
    assert!(matches!(outcome, Err(SendError::Unreachable(_))), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(1));
    smsc.set_fault(Fault::None);
    account.connected().await;
    account.send("again").await.expect("taken");
}

#[tokio::test]
async fn receipts_that_were_not_acknowledged_come_again() {
    let (smsc, mut account) = bound(SmscOptions::default()).await;
    let taken = account.send("x").await.expect("taken");
    let unrecorded = account.next().await;
    smsc.set_fault(Fault::Cut);
    wait_until(|| !account.smpp.is_connected()).await;
    smsc.set_fault(Fault::None);
    assert_eq!(
        account.next_receipt().await,
        (taken.refs[0].clone(), PartFate::Delivered)
    );
    drop(unrecorded);
}

#[tokio::test]
async fn no_more_than_the_window_awaits_answers() {
    let smsc = smsc(SmscOptions::default()).await;
    let impatient = Timing {
        answer: Duration::from_millis(400),
        window: Duration::from_millis(200),
        ..timing()
    };
    let account = account(smsc.local_addr(), impatient, |config| config.window = 4);
    account.connected().await;
    smsc.set_fault(Fault::Hang);
    let sends: FuturesUnordered<_> = (0..20).map(|_| account.send("x")).collect();
    let outcomes: Vec<_> = sends.collect().await;
    let ambiguous = outcomes
        .iter()
        .filter(|o| matches!(o, Err(SendError::Ambiguous(_))))
        .count();
    let unreachable = outcomes
        .iter()
        .filter(|o| matches!(o, Err(SendError::Unreachable(_))))
        .count();
    assert_eq!((ambiguous, unreachable, smsc.count()), (4, 16, 4));
}

#[tokio::test]
async fn a_carrier_that_falls_silent_is_noticed() {
    let smsc = smsc(SmscOptions::default()).await;
    let alert = Timing {
        enquire_answer: Duration::from_millis(100),
        ..timing()
    };
    let account = account(smsc.local_addr(), alert, |config| {
        config.enquire_link_interval = Duration::from_millis(100);
    });
    account.connected().await;
    // Longer than interval and answer together: it answers, so the connection stays.
    sleep(Duration::from_millis(400)).await;
    assert_eq!(smsc.binds(), 1);
    smsc.set_fault(Fault::Hang);
    let outcome = account.send("x").await;
    assert!(matches!(outcome, Err(SendError::Ambiguous(_))), "{outcome:?}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refused_account_says_so_and_keeps_trying() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let smsc = smsc(SmscOptions {
        account: Some(("weir".into(), "other".into())),
        ..SmscOptions::default()
    })
    .await;
    let account = account(smsc.local_addr(), timing(), |_| {});
    wait_until(|| smsc.binds_refused() >= 3).await;
    assert!(!account.smpp.is_connected());
    let logged = String::from_utf8(log.0.lock().expect("not poisoned").clone()).expect("text");
    assert!(logged.contains("refuses the account: ESME_RINVPASWD"), "{logged}");
    assert!(!logged.contains("secret") && !format!("{:?}", account.smpp).contains("secret"));
}

/// Accepts one client, lets it bind, then writes `octets`.
async fn bind_then_write(listener: &TcpListener, octets: &[u8]) -> TcpStream {
    let (stream, _) = listener.accept().await.expect("a client");
    let (reader, writer) = stream.into_split();
    let mut reader = FramedRead::new(reader, FrameCodec);
    let mut writer = FramedWrite::new(writer, FrameCodec);
    let Some(Ok(Frame::Whole(bind))) = reader.next().await else {
        unreachable!("a bind");
    };
    let resp = BindTransceiverResp::default();
    writer
        .send(Command::new(CommandStatus::EsmeRok, bind.sequence_number(), resp))
        .await
        .expect("open");
    let mut writer = writer.into_inner();
    // The client may close before it has read everything.
    let _ = writer.write_all(octets).await;
    reader.into_inner().reunite(writer).expect("of one stream")
}

#[tokio::test]
async fn garbage_neither_ends_the_loop_nor_the_good_messages() {
    let listener = TcpListener::bind(ANY_PORT).await.expect("a free port");
    let mut account = account(listener.local_addr().expect("bound"), timing(), |_| {});
    // No bind answer, but 4 MB of garbage, as zeros and as ones.
    for octet in [0x00, 0xFF] {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let _ = stream.write_all(&vec![octet; 4 << 20]).await;
    }
    // Bound, then frames with a true length and nonsense in them, then a good text: it arrives.
    let mut octets = Vec::new();
    for id in [0x05_u32, 0x8000_0004, 0x103, 0x7777, 0x8000_0000] {
        octets.extend(40_u32.to_be_bytes());
        octets.extend(id.to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(9_u32.to_be_bytes());
        octets.extend([0xEE; 24]);
    }
    let mut good = tokio_util::bytes::BytesMut::new();
    let text = DeliverSm::builder()
        .source_addr(COctetString::from_slice(b"8613900000001\0").expect("short"))
        .short_message(b"good".to_vec().try_into().expect("short"))
        .build();
    tokio_util::codec::Encoder::encode(
        &mut FrameCodec,
        Command::new(CommandStatus::EsmeRok, 10, text),
        &mut good,
    )
    .expect("encodes");
    octets.extend(&good);
    let stream = bind_then_write(&listener, &octets).await;
    assert_eq!(account.next_text().await.1, "good");
    assert!(account.smpp.is_connected());
    drop(stream);
    // Bound, then 4 MB of garbage: the account comes back.
    let _stream = bind_then_write(&listener, &vec![0x5A; 4 << 20]).await;
    let _stream = bind_then_write(&listener, &good).await;
    assert_eq!(account.next_text().await.1, "good");
    assert!(account.running.try_join_next().is_none());
}

#[tokio::test]
async fn an_unbind_is_answered_and_the_account_comes_back() {
    let listener = TcpListener::bind(ANY_PORT).await.expect("a free port");
    let _account = account(listener.local_addr().expect("bound"), timing(), |_| {});
    let unbind = [0, 0, 0, 16, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 77];
    let stream = bind_then_write(&listener, &unbind).await;
    let mut reader = FramedRead::new(stream, FrameCodec);
    let answer = timeout(Duration::from_secs(5), reader.next())
        .await
        .expect("in time");
    let Some(Ok(Frame::Whole(answer))) = answer else {
        unreachable!("an answer");
    };
    assert_eq!(
        (answer.pdu(), answer.sequence_number()),
        (Some(&Pdu::UnbindResp), 77)
    );
    assert!(reader.next().await.is_none(), "it closes");
    bind_then_write(&listener, &[]).await;
}
