//! A small SMSC to show and to test against: the real protocol over a real socket, with a carrier's bad days.
//!
//! It keeps numbers and texts in memory and hands them out, so it is for made-up people alone.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::{FutureExt, SinkExt, StreamExt};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusmpp::{
    Command, CommandStatus, Pdu,
    pdus::{BindReceiverResp, BindTransceiverResp, BindTransmitterResp, DeliverSm, SubmitSm, SubmitSmResp},
    tlvs::MessageDeliveryRequestTlvValue as DeliverTlv,
    types::{COctetString, OctetString},
    values::{DataCoding, EsmClass, InterfaceVersion, MessageState, Npi, Ton},
};
use tokio::{
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::{
    codec::{FramedRead, FramedWrite},
    sync::CancellationToken,
};

use super::{
    inbound::{self, Place},
    link::lock,
    segment,
    wire::{Frame, FrameCodec},
};
use crate::clock::Clock;

/// Complete messages that a slow subscriber may be behind before it misses some.
const SUBSCRIBER_LAG_MAX: usize = 4096;
/// Messages to one client that wait to be written.
const OUTGOING_MAX: usize = 1024;

/// How the SMSC behaves.
#[derive(Clone, Debug)]
pub struct SmscOptions {
    /// `system_id` and password that a bind must give; any, by default.
    pub account: Option<(String, String)>,
    /// Receipts follow this long after the submit, by `clock`; `None` for never.
    pub receipts_after: Option<Duration>,
    /// Share of parts that do not reach their phone, 0 to 1.
    pub share_undelivered: f64,
    /// Share of parts whose receipt is never sent, 0 to 1.
    pub share_without_receipt: f64,
    /// Seed of those chances.
    pub seed: u64,
    /// Parts in any one second of the machine's time; what is beyond is throttled.
    pub throttle_above: Option<u32>,
    /// Numbers that begin with one of these (written as `+86…`) are refused.
    pub refuse: Vec<String>,
    /// Keep every part and message; otherwise they are only counted.
    pub record: bool,
    /// When messages come in, and when receipts are due.
    pub clock: Clock,
}

impl Default for SmscOptions {
    fn default() -> Self {
        Self {
            account: None,
            receipts_after: Some(Duration::ZERO),
            share_undelivered: 0.0,
            share_without_receipt: 0.0,
            seed: 1,
            throttle_above: None,
            refuse: Vec::new(),
            record: true,
            clock: Clock::System,
        }
    }
}

/// A carrier's bad day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// None.
    #[default]
    None,
    /// Submits are taken and recorded, and nothing is answered any more.
    Hang,
    /// Connections are cut, and new ones too.
    Cut,
}

/// A message with all its parts, as a phone shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// To whom, as `+86…`.
    pub to: String,
    /// From whom, as the client wrote it.
    pub from: String,
    /// What.
    pub text: String,
    /// In how many parts.
    pub parts: u32,
    /// When the last part came.
    pub at: DateTime<Utc>,
    /// The validity period, as the client wrote it.
    pub validity: String,
}

/// A part that was taken.
#[derive(Clone, Debug)]
pub struct SubmittedPart {
    /// To whom, as `+86…`.
    pub to: String,
    /// When it came, by the machine's monotonic time.
    pub at: Instant,
    /// The id that it was given.
    pub message_id: String,
}

/// A running SMSC; it ends when this is dropped.
pub struct Smsc {
    shared: Arc<Shared>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

struct Shared {
    options: SmscOptions,
    fault: watch::Sender<Fault>,
    /// Clients that can be delivered to.
    bound: Mutex<Vec<Client>>,
    someone_bound: Notify,
    binds: AtomicU64,
    binds_refused: AtomicU64,
    parts: AtomicU64,
    throttled: AtomicU64,
    reference: AtomicU32,
    /// Before each message id, so that ids differ from those of an SMSC that ran before.
    id_prefix: u32,
    book: Mutex<Book>,
    receipts: Mutex<VecDeque<(DateTime<Utc>, DeliverSm)>>,
    receipt_added: Notify,
    complete: broadcast::Sender<Submitted>,
}

/// What was submitted.
struct Book {
    chance: StdRng,
    /// Times of the parts taken in the last second.
    second: VecDeque<Instant>,
    parts: Vec<SubmittedPart>,
    messages: Vec<Submitted>,
    /// By number, reference and number of parts.
    unfinished: HashMap<(String, u16, u8), BTreeMap<u8, Vec<u8>>>,
}

#[derive(Clone)]
struct Client {
    number: u64,
    outgoing: mpsc::Sender<Outgoing>,
}

/// A message to a client, and who wants to know what it answers.
struct Outgoing {
    deliver: DeliverSm,
    answer: Option<oneshot::Sender<CommandStatus>>,
}

impl Smsc {
    /// Listens on `address` (port 0 for any that is free) until `stop`.
    pub async fn start(
        address: SocketAddr,
        options: SmscOptions,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            book: Mutex::new(Book::new(options.seed)),
            options,
            fault: watch::Sender::default(),
            bound: Mutex::default(),
            someone_bound: Notify::new(),
            binds: AtomicU64::new(0),
            binds_refused: AtomicU64::new(0),
            parts: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            reference: AtomicU32::new(0),
            id_prefix: rand::random(),
            receipts: Mutex::default(),
            receipt_added: Notify::new(),
            complete: broadcast::Sender::new(SUBSCRIBER_LAG_MAX),
        });
        let mut tasks = JoinSet::new();
        let (serving, receipting) = (shared.clone(), shared.clone());
        tasks.spawn(async move {
            let both = async { tokio::join!(serving.clone().accept(listener), receipting.send_receipts()) };
            stop.run_until_cancelled(both).await;
        });
        Ok(Self {
            shared,
            address,
            _tasks: tasks,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The complete messages so far, repeats included. Empty where nothing is recorded.
    pub fn submitted(&self) -> Vec<Submitted> {
        lock(&self.shared.book).messages.clone()
    }

    /// The parts so far, repeats included. Empty where nothing is recorded.
    pub fn submitted_parts(&self) -> Vec<SubmittedPart> {
        lock(&self.shared.book).parts.clone()
    }

    /// How many parts were taken.
    pub fn count(&self) -> u64 {
        self.shared.parts.load(Ordering::Relaxed)
    }

    /// How many parts were throttled.
    pub fn throttled(&self) -> u64 {
        self.shared.throttled.load(Ordering::Relaxed)
    }

    /// How many binds were let in.
    pub fn binds(&self) -> u64 {
        self.shared.binds.load(Ordering::Relaxed)
    }

    /// How many binds were refused.
    pub fn binds_refused(&self) -> u64 {
        self.shared.binds_refused.load(Ordering::Relaxed)
    }

    /// Every complete message from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Submitted> {
        self.shared.complete.subscribe()
    }

    /// Starts or ends a bad day.
    pub fn set_fault(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// Waits until a client is bound.
    pub async fn bound(&self) {
        loop {
            let bound = self.shared.someone_bound.notified();
            if !lock(&self.shared.bound).is_empty() {
                return;
            }
            bound.await;
        }
    }

    /// Brings a text from a phone to the client that bound last, part by part as its answers come. The answer is
    /// that to the last part, or the first that is no success.
    pub async fn deliver_text(&self, from: &str, text: &str) -> io::Result<CommandStatus> {
        let reference = self
            .shared
            .reference
            .fetch_add(1, Ordering::Relaxed)
            .to_le_bytes()[0];
        let segments = segment::segment(text, reference).map_err(io::Error::other)?;
        let mut status = CommandStatus::EsmeRok;
        for part in segments.parts {
            let deliver = DeliverSm::builder()
                .source_addr_ton(Ton::International)
                .source_addr_npi(Npi::Isdn)
                .source_addr(
                    COctetString::from_string(from.trim_start_matches('+').to_owned())
                        .map_err(|_| io::ErrorKind::InvalidInput)?,
                )
                .esm_class(EsmClass::from(if part.udh { 0x40 } else { 0x00 }))
                .data_coding(DataCoding::from(segments.encoding.data_coding()))
                .short_message(OctetString::from_vec(part.payload).map_err(|_| io::ErrorKind::InvalidInput)?)
                .build();
            status = self.deliver(deliver).await?;
            if status != CommandStatus::EsmeRok {
                break;
            }
        }
        Ok(status)
    }

    /// Brings any message to the client that bound last, and waits for its answer.
    pub async fn deliver(&self, deliver: DeliverSm) -> io::Result<CommandStatus> {
        let client = lock(&self.shared.bound)
            .last()
            .cloned()
            .ok_or(io::ErrorKind::NotConnected)?;
        let (answer, answered) = oneshot::channel();
        let outgoing = Outgoing {
            deliver,
            answer: Some(answer),
        };
        client
            .outgoing
            .send(outgoing)
            .await
            .map_err(|_| io::ErrorKind::NotConnected)?;
        answered.await.map_err(|_| io::ErrorKind::ConnectionReset.into())
    }
}

impl Shared {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        for number in 1.. {
            let stream = loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => break stream,
                        // Out of file handles, mostly: it passes.
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            };
            let shared = self.clone();
            connections.spawn(async move {
                // A broken connection is the client's business.
                let _ = Connection::serve(shared, stream, number).await;
            });
        }
    }

    /// Receipts leave in the order of their submits: each waits as long.
    async fn send_receipts(self: Arc<Self>) {
        loop {
            let added = self.receipt_added.notified();
            let due = lock(&self.receipts).front().map(|(due, _)| *due);
            let Some(due) = due else {
                added.await;
                continue;
            };
            let left = (due - self.options.clock.now()).to_std().unwrap_or_default();
            if !left.is_zero() {
                self.options.clock.sleep(left).await;
                continue;
            }
            let someone_bound = self.someone_bound.notified();
            let client = lock(&self.bound).last().cloned();
            let Some(client) = client else {
                someone_bound.await;
                continue;
            };
            let Ok(permit) = client.outgoing.reserve().await else {
                // It just left.
                tokio::task::yield_now().await;
                continue;
            };
            if let Some((_, deliver)) = lock(&self.receipts).pop_front() {
                permit.send(Outgoing {
                    deliver,
                    answer: None,
                });
            }
        }
    }

    /// Takes a submit; the id that it got, or the status that refuses it.
    fn submit(&self, submit: &SubmitSm) -> Result<String, CommandStatus> {
        let to = format!("+{}", submit.destination_addr.as_str().trim_start_matches('+'));
        if self.options.refuse.iter().any(|prefix| to.starts_with(prefix)) {
            return Err(CommandStatus::EsmeRinvdstadr);
        }
        let at = Instant::now();
        let mut book = lock(&self.book);
        if !book.has_room(at, self.options.throttle_above) {
            self.throttled.fetch_add(1, Ordering::Relaxed);
            return Err(CommandStatus::EsmeRthrottled);
        }
        let number = self.parts.fetch_add(1, Ordering::Relaxed) + 1;
        let message_id = format!("{:08x}{number:08x}", self.id_prefix);
        let now = self.options.clock.now();
        if self.options.record || self.complete.receiver_count() > 0 {
            self.write_down(&mut book, submit, &to, &message_id, at, now);
        }
        if let Some(after) = self.options.receipts_after
            && u8::from(submit.registered_delivery) & 0x03 != 0
        {
            let delivered = !book
                .chance
                .random_bool(self.options.share_undelivered.clamp(0.0, 1.0));
            if !book
                .chance
                .random_bool(self.options.share_without_receipt.clamp(0.0, 1.0))
            {
                let receipt = receipt(submit, &message_id, delivered, now);
                lock(&self.receipts).push_back((now + after, receipt));
                self.receipt_added.notify_one();
            }
        }
        Ok(message_id)
    }

    fn write_down(
        &self,
        book: &mut Book,
        submit: &SubmitSm,
        to: &str,
        message_id: &str,
        at: Instant,
        now: DateTime<Utc>,
    ) {
        let payload = inbound::payload(submit.short_message(), submit.tlvs());
        let (place, octets) = inbound::split_header(u8::from(submit.esm_class), payload);
        if self.options.record {
            book.parts.push(SubmittedPart {
                to: to.to_owned(),
                at,
                message_id: message_id.to_owned(),
            });
        }
        let Some((octets, parts)) = book.finish(to, place, octets) else {
            return;
        };
        let message = Submitted {
            to: to.to_owned(),
            from: submit.source_addr.as_str().to_owned(),
            text: segment::decode(u8::from(submit.data_coding), &octets).unwrap_or_default(),
            parts,
            at: now,
            validity: submit.validity_period.as_str().to_owned(),
        };
        if self.options.record {
            book.messages.push(message.clone());
        }
        // Nobody may listen.
        let _ = self.complete.send(message);
    }

    fn bind_status(&self, system_id: &str, password: &str) -> CommandStatus {
        let status = match &self.options.account {
            Some((id, _)) if id != system_id => CommandStatus::EsmeRinvsysid,
            Some((_, expected)) if expected != password => CommandStatus::EsmeRinvpaswd,
            _ => CommandStatus::EsmeRok,
        };
        let counter = if status == CommandStatus::EsmeRok {
            &self.binds
        } else {
            &self.binds_refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
        status
    }
}

impl Book {
    fn new(seed: u64) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed),
            second: VecDeque::new(),
            parts: Vec::new(),
            messages: Vec::new(),
            unfinished: HashMap::new(),
        }
    }

    fn has_room(&mut self, at: Instant, per_second: Option<u32>) -> bool {
        let Some(per_second) = per_second else {
            return true;
        };
        while self
            .second
            .front()
            .is_some_and(|first| at.duration_since(*first) >= Duration::from_secs(1))
        {
            self.second.pop_front();
        }
        let has_room = self.second.len() < per_second as usize;
        if has_room {
            self.second.push_back(at);
        }
        has_room
    }

    /// The octets and the number of parts, once all parts are there.
    fn finish(&mut self, to: &str, place: Option<Place>, octets: &[u8]) -> Option<(Vec<u8>, u32)> {
        let Some(place) = place else {
            return Some((octets.to_vec(), 1));
        };
        let key = (to.to_owned(), place.reference, place.total);
        let parts = self.unfinished.entry(key.clone()).or_default();
        parts.insert(place.number, octets.to_vec());
        if parts.len() < usize::from(place.total) {
            return None;
        }
        let parts = self.unfinished.remove(&key)?;
        Some((parts.into_values().flatten().collect(), u32::from(place.total)))
    }
}

/// One client.
struct Connection {
    shared: Arc<Shared>,
    number: u64,
    writer: FramedWrite<OwnedWriteHalf, FrameCodec>,
    outgoing: mpsc::Sender<Outgoing>,
    sequence: u32,
    /// What the client has not answered yet.
    unanswered: BTreeMap<u32, Outgoing>,
    bound: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.shared.bound).retain(|client| client.number != self.number);
        // Receipts that were not acknowledged are sent again to the next who binds.
        let now = self.shared.options.clock.now();
        let mut receipts = lock(&self.shared.receipts);
        for outgoing in std::mem::take(&mut self.unanswered).into_values().rev() {
            if outgoing.answer.is_none() {
                receipts.push_front((now, outgoing.deliver));
            }
        }
        drop(receipts);
        self.shared.receipt_added.notify_one();
    }
}

impl Connection {
    async fn serve(shared: Arc<Shared>, stream: TcpStream, number: u64) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let mut reader = FramedRead::new(reader, FrameCodec);
        let (outgoing, mut from_others) = mpsc::channel(OUTGOING_MAX);
        let mut fault = shared.fault.subscribe();
        let mut connection = Self {
            shared,
            number,
            writer: FramedWrite::new(writer, FrameCodec),
            outgoing,
            sequence: 0,
            unanswered: BTreeMap::new(),
            bound: false,
        };
        connection.writer.set_backpressure_boundary(64 * 1024);
        while *fault.borrow_and_update() != Fault::Cut {
            // Answers are written together, once nothing more is there to be read.
            let ready = reader.next().now_or_never();
            let frame = if let Some(frame) = ready {
                frame
            } else {
                connection.writer.flush().await?;
                tokio::select! {
                    frame = reader.next() => frame,
                    _ = fault.changed() => continue,
                    Some(outgoing) = from_others.recv() => {
                        connection.put_out(outgoing).await?;
                        continue;
                    }
                }
            };
            let Some(frame) = frame else { break };
            if !connection.take(frame?).await? {
                break;
            }
            while let Ok(outgoing) = from_others.try_recv() {
                connection.put_out(outgoing).await?;
            }
        }
        Ok(())
    }

    async fn put_out(&mut self, outgoing: Outgoing) -> io::Result<()> {
        self.sequence += 1;
        let command = Command::new(CommandStatus::EsmeRok, self.sequence, outgoing.deliver.clone());
        self.unanswered.insert(self.sequence, outgoing);
        self.writer.feed(command).await
    }

    /// `false` when the client has unbound.
    async fn take(&mut self, frame: Frame) -> io::Result<bool> {
        let hangs = *self.shared.fault.borrow() == Fault::Hang;
        let (status, sequence, answer): (_, _, Pdu) = match frame {
            Frame::Unreadable { id, .. } if id.is_response() => return Ok(true),
            Frame::Unreadable { sequence_number, .. } => {
                (CommandStatus::EsmeRinvcmdlen, sequence_number, Pdu::GenericNack)
            }
            Frame::Whole(command) => {
                let (sequence, status) = (command.sequence_number(), command.status());
                match command.pdu() {
                    _ if command.id().is_response() => {
                        self.answered(sequence, status);
                        return Ok(true);
                    }
                    Some(pdu) => {
                        let (status, answer) = self.answer(pdu);
                        (status, sequence, answer)
                    }
                    None => (CommandStatus::EsmeRinvcmdlen, sequence, Pdu::GenericNack),
                }
            }
        };
        if hangs {
            return Ok(true);
        }
        let has_unbound = matches!(answer, Pdu::UnbindResp);
        self.writer.feed(Command::new(status, sequence, answer)).await?;
        if has_unbound {
            self.writer.flush().await?;
        }
        Ok(!has_unbound)
    }

    fn answer(&mut self, pdu: &Pdu) -> (CommandStatus, Pdu) {
        let version = Some(InterfaceVersion::Smpp3_4);
        match pdu {
            Pdu::SubmitSm(_) if !self.bound => {
                (CommandStatus::EsmeRinvbndsts, SubmitSmResp::default().into())
            }
            Pdu::SubmitSm(submit) => match self.shared.submit(submit) {
                Ok(id) => {
                    let id = COctetString::from_string(id).unwrap_or_default();
                    (CommandStatus::EsmeRok, SubmitSmResp::new(id, Vec::new()).into())
                }
                Err(status) => (status, SubmitSmResp::default().into()),
            },
            Pdu::BindTransceiver(bind) => {
                let status = self.bind(bind.system_id.as_str(), bind.password.as_str(), true);
                (
                    status,
                    BindTransceiverResp::new(bind.system_id.clone(), version).into(),
                )
            }
            Pdu::BindReceiver(bind) => {
                let status = self.bind(bind.system_id.as_str(), bind.password.as_str(), true);
                (
                    status,
                    BindReceiverResp::new(bind.system_id.clone(), version).into(),
                )
            }
            Pdu::BindTransmitter(bind) => {
                let status = self.bind(bind.system_id.as_str(), bind.password.as_str(), false);
                (
                    status,
                    BindTransmitterResp::new(bind.system_id.clone(), version).into(),
                )
            }
            Pdu::EnquireLink => (CommandStatus::EsmeRok, Pdu::EnquireLinkResp),
            Pdu::Unbind => (CommandStatus::EsmeRok, Pdu::UnbindResp),
            _ => (CommandStatus::EsmeRinvcmdid, Pdu::GenericNack),
        }
    }

    fn bind(&mut self, system_id: &str, password: &str, receives: bool) -> CommandStatus {
        let status = self.shared.bind_status(system_id, password);
        if status == CommandStatus::EsmeRok && !self.bound {
            self.bound = true;
            if receives {
                lock(&self.shared.bound).push(Client {
                    number: self.number,
                    outgoing: self.outgoing.clone(),
                });
                self.shared.someone_bound.notify_waiters();
            }
        }
        status
    }

    fn answered(&mut self, sequence: u32, status: CommandStatus) {
        let Some(outgoing) = self.unanswered.remove(&sequence) else {
            return;
        };
        match outgoing.answer {
            Some(answer) => {
                // Whoever asked may have left.
                let _ = answer.send(status);
            }
            None if status == CommandStatus::EsmeRok => {}
            None => {
                let again = self.shared.options.clock.now() + Duration::from_secs(1);
                lock(&self.shared.receipts).push_back((again, outgoing.deliver));
                self.shared.receipt_added.notify_one();
            }
        }
    }
}

/// As SMPP 3.4, appendix B, suggests, and with the TLVs.
fn receipt(submit: &SubmitSm, message_id: &str, delivered: bool, now: DateTime<Utc>) -> DeliverSm {
    let date = now.format("%y%m%d%H%M");
    let (reached, stat, error) = if delivered {
        (1, "DELIVRD", 0)
    } else {
        (0, "UNDELIV", 1)
    };
    let text = format!(
        "id:{message_id} sub:001 dlvrd:{reached:03} submit date:{date} done date:{date} stat:{stat} err:{error:03} text:"
    );
    let state = if delivered {
        MessageState::Delivered
    } else {
        MessageState::Undeliverable
    };
    DeliverSm::builder()
        .source_addr_ton(submit.dest_addr_ton)
        .source_addr_npi(submit.dest_addr_npi)
        .source_addr(submit.destination_addr.clone())
        .dest_addr_ton(submit.source_addr_ton)
        .dest_addr_npi(submit.source_addr_npi)
        .destination_addr(submit.source_addr.clone())
        .esm_class(EsmClass::from(0x04))
        .short_message(OctetString::from_vec(text.into_bytes()).unwrap_or_else(|_| OctetString::empty()))
        .push_tlv(DeliverTlv::ReceiptedMessageId(
            COctetString::from_string(message_id.to_owned()).unwrap_or_default(),
        ))
        .push_tlv(DeliverTlv::MessageState(state))
        .build()
}
