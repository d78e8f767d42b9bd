//! One carrier's SMPP 3.4 account: kept bound, with a window of submits, and everything that comes in answered
//! only when it is recorded.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use hmac::{Hmac, KeyInit, Mac};
use rusmpp::{
    Command, CommandId, CommandStatus, Pdu,
    pdus::{BindTransceiver, DeliverSm, DeliverSmResp, SubmitSm},
    types::{COctetString, EmptyOrFullCOctetString, OctetString},
    values::{DataCoding, EsmClass, InterfaceVersion, Npi, RegisteredDelivery, Ton},
};
use secrecy::ExposeSecret;
use sha2::Sha256;
use tokio::{
    net::{TcpStream, tcp::OwnedReadHalf},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::{
    codec::{FramedRead, FramedWrite},
    sync::CancellationToken,
};

use super::{
    inbound::{self, Reading, Reassembly, Whole},
    link::{ARRIVALS_MAX, Link, NoAnswer, WINDOW_MAX, lock, write},
    segment::{self, Part},
    wire::{Frame, FrameCodec},
};
use crate::{
    channels::{ChannelEvent, Incoming, IncomingSender, SendError, Taken},
    clock::Clock,
    config::SmppConfig,
    domain::{Address, Inbound, InboundContent, Outbound, PhoneNumber},
};

/// The longest that [`Smpp::send`] takes: a place in the window, then the answers to all parts.
pub const SEND_SECONDS_MAX: u64 = WINDOW_SECONDS + PARTS_SECONDS;

/// How long a submit waits for a place in the window.
const WINDOW_SECONDS: u64 = 20;
/// How long the carrier may take to answer one submit.
const ANSWER_SECONDS: u64 = 20;
/// How long the parts of one text may take together.
const PARTS_SECONDS: u64 = 30;
/// What a throttled lane is told to wait; SMPP does not say.
const THROTTLED_SECONDS: u64 = 1;
/// How often a later part is handed over while the carrier throttles.
const THROTTLED_TRIES_MAX: u32 = 10;
/// Validity is at least this, so that a message just in time is not refused,
const VALIDITY_SECONDS_MIN: i64 = 60;
/// and at most this: relative times are written in days, and months are of no fixed length.
const VALIDITY_SECONDS_MAX: i64 = 30 * 24 * 60 * 60;
/// How often the texts that miss a part are looked through.
const SWEEP_SECONDS: u64 = 30;

/// A handle to one carrier's account. Clones share it.
#[derive(Clone)]
pub struct Smpp {
    shared: Arc<Shared>,
}

struct Shared {
    config: SmppConfig,
    source: Result<Source, String>,
    clock: Clock,
    timing: Timing,
    /// There while bound.
    link: Mutex<Option<Arc<Link>>>,
    /// One permit for each message whose answer is awaited.
    window: Semaphore,
    /// One permit for each incoming message that awaits its record.
    arrivals: Arc<Semaphore>,
    reassembly: Mutex<Reassembly>,
    /// The last connection's number.
    connection: AtomicU64,
}

/// Who messages come from, as the carrier is told.
#[derive(Clone)]
struct Source {
    ton: Ton,
    npi: Npi,
    address: COctetString<1, 21>,
}

/// Waits of the network, in the machine's time: a carrier does not run on the demo's clock.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    pub retry_first: Duration,
    pub retry_max: Duration,
    pub retry_refused: Duration,
    pub connect: Duration,
    pub window: Duration,
    pub answer: Duration,
    pub parts: Duration,
    pub throttled: Duration,
    pub enquire_answer: Duration,
    pub recorded: Duration,
    pub leave: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_mins(1),
            retry_refused: Duration::from_mins(1),
            connect: Duration::from_secs(10),
            window: Duration::from_secs(WINDOW_SECONDS),
            answer: Duration::from_secs(ANSWER_SECONDS),
            parts: Duration::from_secs(PARTS_SECONDS),
            throttled: Duration::from_secs(THROTTLED_SECONDS),
            enquire_answer: Duration::from_secs(10),
            recorded: Duration::from_secs(30),
            leave: Duration::from_secs(5),
        }
    }
}

/// Why a connection ended.
#[derive(Debug)]
enum Ended {
    /// Weir stops.
    Stopped,
    /// There was none.
    Unreachable(String),
    /// The carrier does not let the account in.
    Refused(String),
    /// It was bound, and broke.
    Lost(String),
}

impl Smpp {
    /// An account that is not bound yet; [`Smpp::run`] binds it.
    pub fn new(config: SmppConfig, clock: Clock) -> Self {
        Self::with_timing(config, clock, Timing::default())
    }

    pub(super) fn with_timing(config: SmppConfig, clock: Clock, timing: Timing) -> Self {
        Self {
            shared: Arc::new(Shared {
                source: source(&config.source),
                window: Semaphore::new(config.window.clamp(1, WINDOW_MAX)),
                arrivals: Arc::new(Semaphore::new(ARRIVALS_MAX as usize)),
                config,
                clock,
                timing,
                link: Mutex::default(),
                reassembly: Mutex::default(),
                connection: AtomicU64::new(0),
            }),
        }
    }

    /// Says what SMPP cannot carry of these settings, before anything starts.
    pub fn check(config: &SmppConfig) -> Result<(), String> {
        bind(config)?;
        source(&config.source)?;
        Ok(())
    }

    /// The carrier's name, as in the configuration.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// The account is bound, so messages can leave.
    pub fn is_connected(&self) -> bool {
        self.link().is_some()
    }

    /// Keeps the account bound until `stop`, and puts what comes in into `incoming`.
    ///
    /// At `stop`, submits and incoming messages in flight are finished (5 s at most) before the account unbinds.
    pub async fn run(&self, incoming: IncomingSender, stop: CancellationToken) {
        let timing = self.shared.timing;
        let mut retry = timing.retry_first;
        loop {
            let pause = match self.connection(&incoming, &stop).await {
                Ended::Stopped => break,
                // The carrier may close before its answer to our unbind is read.
                Ended::Lost(_) if stop.is_cancelled() => break,
                Ended::Lost(why) => {
                    retry = timing.retry_first;
                    self.log_failure("lost the connection", &why);
                    retry
                }
                Ended::Unreachable(why) => {
                    self.log_failure("is not reachable", &why);
                    let pause = retry;
                    retry = (retry * 2).min(timing.retry_max);
                    pause
                }
                Ended::Refused(why) => {
                    let carrier = self.name();
                    tracing::error!(
                        carrier,
                        why,
                        "carrier {carrier} refuses the account: {why}; check its system_id and password; \
                         trying again every {} s",
                        timing.retry_refused.as_secs()
                    );
                    timing.retry_refused
                }
            };
            // Jitter, so that accounts that were cut off together do not come back together.
            let pause = pause.mul_f64(rand::random_range(0.75..1.0));
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                break;
            }
        }
        self.hand_over_unfinished(&incoming).await;
    }

    /// Hands one message over, part by part, and waits until the carrier has taken or refused it.
    /// Takes [`SEND_SECONDS_MAX`] at most.
    pub async fn send(&self, message: &Outbound, now: DateTime<Utc>) -> Result<Taken, SendError> {
        let Address::Phone(phone) = &message.to else {
            return Err(SendError::Refused("not a phone number".into()));
        };
        let source = self
            .shared
            .source
            .as_ref()
            .map_err(|why| SendError::Refused(why.clone()))?;
        // The same for each attempt of a delivery: a phone that has some of the parts joins them with the repeat's.
        let reference = message.delivery.0.to_le_bytes()[0];
        let segments = segment::segment(&message.body.text, reference)
            .map_err(|too_long| SendError::Refused(too_long.to_string()))?;
        self.bound_link()?;
        let _place = timeout(self.shared.timing.window, self.shared.window.acquire())
            .await
            .map_err(|_| SendError::Unreachable("the carrier's window stays full".into()))?;
        let link = self.bound_link()?; // The wait may have outlived the connection.

        let deadline = Instant::now() + self.shared.timing.parts;
        let data_coding = DataCoding::from(segments.encoding.data_coding());
        let validity = validity(message.expires_at - now);
        let mut refs = Vec::with_capacity(segments.parts.len());
        for (index, part) in segments.parts.into_iter().enumerate() {
            let submit = submit_sm(source, phone, part, data_coding, &validity)?;
            let message_id = self.submit(&link, submit, index == 0, deadline).await?;
            refs.extend(message_id);
        }
        Ok(Taken {
            receipts_follow: !refs.is_empty(),
            refs,
        })
    }

    fn link(&self) -> Option<Arc<Link>> {
        lock(&self.shared.link).clone()
    }

    fn bound_link(&self) -> Result<Arc<Link>, SendError> {
        self.link()
            .ok_or_else(|| SendError::Unreachable("not connected to the carrier".into()))
    }

    fn log_failure(&self, what: &str, why: &str) {
        let carrier = self.name();
        tracing::warn!(carrier, why, "carrier {carrier} {what}: {why}; trying again");
    }

    fn drop_message(&self, why: &'static str) {
        let carrier = self.name().to_owned();
        tracing::warn!(
            carrier,
            why,
            "carrier {carrier} sent a message that was dropped: {why}"
        );
        metrics::counter!("weir_sms_dropped_total", "carrier" => carrier, "why" => why).increment(1);
    }
}

impl fmt::Debug for Smpp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smpp")
            .field("name", &self.name())
            .field("connected", &self.is_connected())
            .finish()
    }
}

/// Messages out.
impl Smpp {
    /// Hands one part over; the answer is the carrier's name for it, if it gives one.
    ///
    /// Once the first part is taken, an attempt from the start would repeat it: then a throttled part is tried
    /// again here, and what else is temporary counts as ambiguous.
    async fn submit(
        &self,
        link: &Link,
        submit: SubmitSm,
        is_first: bool,
        deadline: Instant,
    ) -> Result<Option<String>, SendError> {
        for _ in 0..THROTTLED_TRIES_MAX {
            let wait = deadline
                .saturating_duration_since(Instant::now())
                .min(self.shared.timing.answer);
            if wait.is_zero() {
                break;
            }
            let outcome = match link.request(submit.clone(), wait).await {
                Ok(answer) if answer.status == CommandStatus::EsmeRok => Ok(answer.message_id),
                Ok(answer) => Err(refusal(answer.status, self.shared.timing.throttled)),
                Err(NoAnswer::NotHandedOver) => {
                    Err(SendError::Unreachable("not connected to the carrier".into()))
                }
                Err(NoAnswer::ConnectionLost) => Err(SendError::Ambiguous(
                    "the connection broke before the carrier answered".into(),
                )),
                Err(NoAnswer::TimedOut) => Err(SendError::Ambiguous(
                    "the carrier did not answer in its time".into(),
                )),
            };
            match outcome {
                Err(SendError::Throttled { retry_after }) if !is_first => sleep(retry_after).await,
                Err(SendError::Unreachable(why)) if !is_first => return Err(SendError::Ambiguous(why)),
                outcome => return outcome,
            }
        }
        Err(SendError::Ambiguous(
            "only some of the parts were taken in time".into(),
        ))
    }
}

/// What comes in.
impl Smpp {
    /// Connects, binds and serves until the connection ends or `stop`.
    async fn connection(&self, incoming: &IncomingSender, stop: &CancellationToken) -> Ended {
        let config = &self.shared.config;
        let connecting = timeout(
            self.shared.timing.connect,
            TcpStream::connect((config.host.as_str(), config.port)),
        );
        let stream = match stop.run_until_cancelled(connecting).await {
            None => return Ended::Stopped,
            Some(Ok(Ok(stream))) => stream,
            Some(Ok(Err(error))) => return Ended::Unreachable(error.to_string()),
            Some(Err(_)) => return Ended::Unreachable("no connection in its time".into()),
        };
        // Submits are small and awaited: they must not wait to be sent together.
        if let Err(error) = stream.set_nodelay(true) {
            return Ended::Unreachable(error.to_string());
        }
        let (link, commands) = Link::new(self.next_connection());
        let (reader, writer) = stream.into_split();
        let ended = tokio::select! {
            why = write(FramedWrite::new(writer, FrameCodec), commands) => broken(&link, why),
            why = self.read(FramedRead::new(reader, FrameCodec), &link, incoming) => broken(&link, why),
            ended = self.talk(&link, stop) => ended,
        };
        *lock(&self.shared.link) = None;
        link.close();
        ended
    }

    /// Strictly growing, across restarts too: it makes the names of incoming messages unique.
    fn next_connection(&self) -> u64 {
        let now_ms = u64::try_from(self.shared.clock.now().timestamp_millis()).unwrap_or_default();
        let next = (self.shared.connection.load(Ordering::Relaxed) + 1).max(now_ms);
        self.shared.connection.store(next, Ordering::Relaxed);
        next
    }

    /// What Weir says of its own accord: bind, and at the end unbind.
    async fn talk(&self, link: &Arc<Link>, stop: &CancellationToken) -> Ended {
        let bind = match bind(&self.shared.config) {
            Ok(bind) => bind,
            Err(fault) => return Ended::Refused(fault),
        };
        let binding = link.request(bind, self.shared.timing.answer);
        match stop.run_until_cancelled(binding).await {
            None => return Ended::Stopped,
            Some(Err(_)) => return Ended::Unreachable("the carrier does not answer the bind".into()),
            Some(Ok(answer)) if answer.status != CommandStatus::EsmeRok => return not_bound(answer.status),
            Some(Ok(_)) => {}
        }
        link.was_bound.store(true, Ordering::Relaxed);
        *lock(&self.shared.link) = Some(link.clone());
        let carrier = self.name();
        tracing::info!(carrier, "carrier {carrier}: connected");
        stop.cancelled().await;
        // From here on new messages are refused at once; those in flight get their answers.
        *lock(&self.shared.link) = None;
        let leaving = async {
            let window = self.shared.config.window.clamp(1, WINDOW_MAX);
            let _submits = self.shared.window.acquire_many(window as u32).await;
            let _arrivals = self.shared.arrivals.acquire_many(ARRIVALS_MAX).await;
            // Whether the carrier answers changes nothing.
            let _ = link.request(Pdu::Unbind, self.shared.timing.leave).await;
        };
        let _ = timeout(self.shared.timing.leave, leaving).await;
        Ended::Stopped
    }

    /// Reads until the connection ends, and returns why it did. Anything the carrier sends is a sign of life; where
    /// there was none for the interval, it is asked for one.
    async fn read(
        &self,
        mut frames: FramedRead<OwnedReadHalf, FrameCodec>,
        link: &Link,
        incoming: &IncomingSender,
    ) -> String {
        let interval = self
            .shared
            .config
            .enquire_link_interval
            .max(Duration::from_millis(10));
        let mut arrivals = Arrivals::default();
        let mut heard = Instant::now();
        let mut enquired = false;
        let mut check = std::pin::pin!(sleep(interval));
        let mut sweep = tokio::time::interval(Duration::from_secs(SWEEP_SECONDS));
        loop {
            let outcome = tokio::select! {
                frame = frames.next() => {
                    heard = Instant::now();
                    enquired = false;
                    match frame {
                        Some(Ok(frame)) => self.take(frame, link, incoming, &mut arrivals),
                        Some(Err(error)) => Err(error.to_string()),
                        None => Err("the carrier closed it".into()),
                    }
                }
                Some(answer) = arrivals.next(), if !arrivals.is_empty() => {
                    answer.map_or(Ok(()), |answer| link.put(answer))
                }
                () = &mut check => {
                    if enquired {
                        return "the carrier does not answer enquire_link".into();
                    }
                    enquired = heard.elapsed() >= interval;
                    let next = if enquired { Instant::now() + self.shared.timing.enquire_answer } else { heard + interval };
                    check.as_mut().reset(next);
                    if enquired { link.enquire() } else { Ok(()) }
                }
                _ = sweep.tick() => {
                    let unfinished = lock(&self.shared.reassembly).let_go_before(self.shared.clock.now());
                    for whole in unfinished {
                        self.arrive(whole, link, None, incoming, &mut arrivals);
                    }
                    Ok(())
                }
            };
            if let Err(why) = outcome {
                return why;
            }
        }
    }

    /// Takes one PDU in. An error ends the connection.
    fn take(
        &self,
        frame: Frame,
        link: &Link,
        incoming: &IncomingSender,
        arrivals: &mut Arrivals,
    ) -> Result<(), String> {
        let command = match frame {
            Frame::Whole(command) => command,
            Frame::Unreadable {
                id,
                status,
                sequence_number,
            } => return self.take_unreadable(id, status, sequence_number, link),
        };
        let sequence = command.sequence_number();
        if command.id().is_response() {
            let message_id = match command.pdu() {
                Some(Pdu::SubmitSmResp(resp)) => Some(resp.message_id().as_str().trim().to_owned()),
                _ => None,
            };
            link.answer(sequence, command.status(), message_id.filter(|id| !id.is_empty()));
            return Ok(());
        }
        match command.pdu() {
            Some(Pdu::DeliverSm(deliver)) => {
                if let Some(answer) = self.deliver(deliver, sequence, link, incoming, arrivals) {
                    link.put(Command::new(answer, sequence, DeliverSmResp::default()))?;
                }
                Ok(())
            }
            Some(Pdu::EnquireLink) => link.put(Command::new(
                CommandStatus::EsmeRok,
                sequence,
                Pdu::EnquireLinkResp,
            )),
            Some(Pdu::Unbind) => {
                // The connection ends when the answer is written; nothing more must leave until then.
                *lock(&self.shared.link) = None;
                link.put(Command::new(CommandStatus::EsmeRok, sequence, Pdu::UnbindResp))
            }
            // These have no answer.
            Some(Pdu::AlertNotification(_) | Pdu::Outbind(_)) => Ok(()),
            _ => link.put(Command::new(
                CommandStatus::EsmeRinvcmdid,
                sequence,
                Pdu::GenericNack,
            )),
        }
    }

    fn take_unreadable(
        &self,
        id: CommandId,
        status: CommandStatus,
        sequence: u32,
        link: &Link,
    ) -> Result<(), String> {
        if id.is_response() {
            // The header says enough: taken or not. Without an id no receipt can be matched.
            link.answer(sequence, status, None);
            return Ok(());
        }
        self.drop_message("unreadable");
        if id == CommandId::DeliverSm {
            // It would be as unreadable the next time.
            let answer = Command::new(CommandStatus::EsmeRxRAppn, sequence, DeliverSmResp::default());
            return link.put(answer);
        }
        link.put(Command::new(
            CommandStatus::EsmeRinvcmdlen,
            sequence,
            Pdu::GenericNack,
        ))
    }

    /// Takes a message in. The answer, where it need not wait for a record.
    ///
    /// Parts before the last to come are answered at once, though they are only in memory: many carriers hold the
    /// next part back until then. The price: a process that is killed between two parts loses the earlier ones
    /// (at a stop they are handed over as they are), and the person has to write again.
    fn deliver(
        &self,
        deliver: &DeliverSm,
        sequence: u32,
        link: &Link,
        incoming: &IncomingSender,
        arrivals: &mut Arrivals,
    ) -> Option<CommandStatus> {
        match inbound::read(self.name(), deliver) {
            Reading::Receipt(report) => {
                self.push(ChannelEvent::Receipt(report), Some(sequence), incoming, arrivals)
            }
            Reading::NamelessReceipt => {
                self.drop_message("a receipt without a message id");
                Some(CommandStatus::EsmeRok)
            }
            Reading::Text(part) => match part.place {
                None => self.arrive(Whole::from(part), link, Some(sequence), incoming, arrivals),
                Some(place) => {
                    let now = self.shared.clock.now();
                    let (whole, let_go) = lock(&self.shared.reassembly).add(part, place, now);
                    if let Some(let_go) = let_go {
                        self.arrive(let_go, link, None, incoming, arrivals);
                    }
                    whole.map_or(Some(CommandStatus::EsmeRok), |whole| {
                        self.arrive(whole, link, Some(sequence), incoming, arrivals)
                    })
                }
            },
        }
    }

    fn arrive(
        &self,
        whole: Whole,
        link: &Link,
        sequence: Option<u32>,
        incoming: &IncomingSender,
        arrivals: &mut Arrivals,
    ) -> Option<CommandStatus> {
        let discriminator = sequence.unwrap_or_else(|| link.next_sequence());
        match self.inbound(whole, link.number, discriminator) {
            Some(inbound) => self.push(ChannelEvent::Inbound(inbound), sequence, incoming, arrivals),
            None => Some(CommandStatus::EsmeRok),
        }
    }

    fn inbound(&self, whole: Whole, connection: u64, sequence: u32) -> Option<Inbound> {
        let Some(phone) = inbound::phone(&whole.from) else {
            self.drop_message("its sender is no phone number");
            return None;
        };
        Some(Inbound {
            from: Address::Phone(phone),
            external_id: format!("{}:{connection}:{sequence}", self.fingerprint(&whole)),
            received_at: self.shared.clock.now(),
            content: whole.text.map_or(InboundContent::Other, InboundContent::Text),
            language: None,
            tapped: None,
        })
    }

    /// The same for a message that the carrier sends again. Keyed by the account's password, since a plain hash of
    /// a number and a short text could be found by trying all.
    fn fingerprint(&self, whole: &Whole) -> String {
        let key = self.shared.config.password.expose_secret().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
        for field in [
            self.name().as_bytes(),
            whole.from.as_bytes(),
            &whole
                .reference
                .map_or(0, |reference| u32::from(reference) + 1)
                .to_be_bytes(),
            &whole.octets,
        ] {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let (head, _) = digest.split_at(16);
        head.iter().fold(String::with_capacity(32), |hex, octet| {
            hex + &format!("{octet:02x}")
        })
    }

    /// Passes an event on; its answer comes from `arrivals` once it is recorded, or now where there is no room.
    fn push(
        &self,
        event: ChannelEvent,
        sequence: Option<u32>,
        incoming: &IncomingSender,
        arrivals: &mut Arrivals,
    ) -> Option<CommandStatus> {
        let room = self.shared.arrivals.clone().try_acquire_owned();
        // Without a sequence number the carrier has its answer already, so it goes on without room.
        if room.is_err() && sequence.is_some() {
            return Some(CommandStatus::EsmeRxTAppn);
        }
        let recorded = record(incoming.clone(), event, self.shared.timing.recorded);
        arrivals.push(Box::pin(answer(recorded, room.ok(), sequence)));
        None
    }

    /// The parts in memory were acknowledged: before the process ends they are passed on as they are.
    async fn hand_over_unfinished(&self, incoming: &IncomingSender) {
        let unfinished = lock(&self.shared.reassembly).let_all_go();
        let connection = self.next_connection();
        let handing_over = async {
            for (sequence, whole) in (1..).zip(unfinished) {
                if let Some(inbound) = self.inbound(whole, connection, sequence) {
                    record(
                        incoming.clone(),
                        ChannelEvent::Inbound(inbound),
                        self.shared.timing.recorded,
                    )
                    .await;
                }
            }
        };
        let _ = timeout(self.shared.timing.leave, handing_over).await;
    }
}

/// The answers of incoming messages that await their record.
type Arrivals = FuturesUnordered<BoxFuture<'static, Option<Command>>>;

/// Passes an event on and waits for its record.
async fn record(incoming: IncomingSender, event: ChannelEvent, wait: Duration) -> CommandStatus {
    let (recorded, is_recorded) = oneshot::channel();
    let recording = async {
        incoming.send(Incoming { event, recorded }).await.ok()?;
        is_recorded.await.ok()
    };
    match timeout(wait, recording).await {
        Ok(Some(())) => CommandStatus::EsmeRok,
        // "Temporary": the carrier sends it again.
        _ => CommandStatus::EsmeRxTAppn,
    }
}

async fn answer(
    recorded: impl Future<Output = CommandStatus>,
    room: Option<OwnedSemaphorePermit>,
    sequence: Option<u32>,
) -> Option<Command> {
    let status = recorded.await;
    drop(room);
    sequence.map(|sequence| Command::new(status, sequence, DeliverSmResp::default()))
}

fn broken(link: &Link, why: String) -> Ended {
    if link.was_bound.load(Ordering::Relaxed) {
        Ended::Lost(why)
    } else {
        Ended::Unreachable(why)
    }
}

fn bind(config: &SmppConfig) -> Result<BindTransceiver, String> {
    Ok(BindTransceiver::builder()
        .system_id(
            text(&config.system_id).ok_or("system_id has more than 15 characters, or some beyond ASCII")?,
        )
        .password(
            text(config.password.expose_secret())
                .ok_or("password has more than 8 characters, or some beyond ASCII")?,
        )
        .interface_version(InterfaceVersion::Smpp3_4)
        .build())
}

fn text<const MAX: usize>(text: &str) -> Option<COctetString<1, MAX>> {
    COctetString::from_string(text.to_owned()).ok()
}

/// A status that an account has while it is in use elsewhere, or while the carrier is in trouble, is no refusal.
fn not_bound(status: CommandStatus) -> Ended {
    match status {
        CommandStatus::EsmeRsyserr | CommandStatus::EsmeRalybnd | CommandStatus::EsmeRthrottled => {
            Ended::Unreachable(status_name(status))
        }
        status => Ended::Refused(status_name(status)),
    }
}

fn submit_sm(
    source: &Source,
    phone: &PhoneNumber,
    part: Part,
    data_coding: DataCoding,
    validity: &EmptyOrFullCOctetString<17>,
) -> Result<SubmitSm, SendError> {
    let to = phone.as_e164().trim_start_matches('+');
    // A phone number and a part always fit; the checks are rusmpp's.
    let unfit = || SendError::Refused("does not fit into a submit".into());
    Ok(SubmitSm::builder()
        .source_addr_ton(source.ton)
        .source_addr_npi(source.npi)
        .source_addr(source.address.clone())
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(COctetString::from_string(to.to_owned()).map_err(|_| unfit())?)
        // Not the default of rusmpp's type, which sets a bit (0x08) that means an acknowledgement.
        .esm_class(EsmClass::from(if part.udh { 0x40 } else { 0x00 }))
        .validity_period(validity.clone())
        // A receipt for the final state alone.
        .registered_delivery(RegisteredDelivery::from(0x01))
        .data_coding(data_coding)
        .short_message(OctetString::from_vec(part.payload).map_err(|_| unfit())?)
        .build())
}

/// By the habits of carriers: nothing leaves the choice to the carrier, `+` and digits is an international number,
/// up to 8 digits a short code, longer digits a service number in the carrier's own plan, anything else a name.
fn source(text: &str) -> Result<Source, String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    let (ton, npi, written, len_max) = match (is_number, digits.len()) {
        _ if text.is_empty() => (Ton::Unknown, Npi::Unknown, text, 0),
        (true, 0..=8) if digits == text => (Ton::NetworkSpecific, Npi::Unknown, digits, 8),
        (true, _) if digits == text => (Ton::Unknown, Npi::Isdn, digits, 20),
        (true, _) => (Ton::International, Npi::Isdn, digits, 15),
        // TS 23.040, section 9.1.2.5: a name has at most 11 characters.
        (false, _) => (Ton::Alphanumeric, Npi::Unknown, text, 11),
    };
    let address = COctetString::from_string(written.to_owned());
    match address {
        Ok(address) if written.len() <= len_max => Ok(Source { ton, npi, address }),
        _ => Err("the carrier's source must be a number, or a name of at most 11 ASCII characters".into()),
    }
}

/// A relative time as SMPP 3.4 writes it (section 7.1.1): `YYMMDDhhmmss000R`.
fn validity(left: TimeDelta) -> EmptyOrFullCOctetString<17> {
    let seconds = left
        .num_seconds()
        .clamp(VALIDITY_SECONDS_MIN, VALIDITY_SECONDS_MAX);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let written = format!(
        "0000{days:02}{hours:02}{:02}{:02}000R",
        seconds / 60 % 60,
        seconds % 60
    );
    EmptyOrFullCOctetString::from_string(written).unwrap_or_default()
}

fn refusal(status: CommandStatus, throttled: Duration) -> SendError {
    match status {
        CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful => SendError::Throttled {
            retry_after: throttled,
        },
        CommandStatus::EsmeRinvdstadr => SendError::BadAddress(status_name(status)),
        // The carrier's own trouble, and the codes that each carrier gives its own meaning: the attempts are counted,
        // so even a lasting one comes to an end.
        CommandStatus::EsmeRsyserr
        | CommandStatus::EsmeRinvbndsts
        | CommandStatus::EsmeRsubmitfail
        | CommandStatus::EsmeRdeliveryfailure
        | CommandStatus::EsmeRsertypunavail
        | CommandStatus::EsmeRxTAppn
        | CommandStatus::EsmeRunknownerr
        | CommandStatus::Other(_) => SendError::Unreachable(status_name(status)),
        status => SendError::Refused(status_name(status)),
    }
}

/// `ESME_RINVDSTADR`, as the standard and the carriers' papers write it.
fn status_name(status: CommandStatus) -> String {
    match status {
        CommandStatus::Other(code) => format!("status 0x{code:08X}"),
        status => format!("{status:?}")
            .to_uppercase()
            .replacen("ESMER", "ESME_R", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_written_as_the_standard_says() {
        let written = |seconds| validity(TimeDelta::seconds(seconds)).as_str().to_owned();
        assert_eq!(written(90_061), "000001010101000R");
        assert_eq!(written(-5), "000000000100000R");
        assert_eq!(written(i64::from(u32::MAX)), "000030000000000R");
    }

    #[test]
    fn sources_get_the_type_that_carriers_expect() {
        let read =
            |text| source(text).map(|source| (source.ton, source.npi, source.address.as_str().to_owned()));
        assert_eq!(
            read("+8613900000001"),
            Ok((Ton::International, Npi::Isdn, "8613900000001".into()))
        );
        assert_eq!(
            read("10086"),
            Ok((Ton::NetworkSpecific, Npi::Unknown, "10086".into()))
        );
        assert_eq!(
            read("106912345678"),
            Ok((Ton::Unknown, Npi::Isdn, "106912345678".into()))
        );
        assert_eq!(
            read("Community"),
            Ok((Ton::Alphanumeric, Npi::Unknown, "Community".into()))
        );
        assert_eq!(read(""), Ok((Ton::Unknown, Npi::Unknown, String::new())));
        for bad in ["社区通知", "a name far too long", "+1234567890123456"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_that_cannot_be_sent_are_found_before_the_start() {
        let check = |system_id: &str, password: &str, source: &str| {
            Smpp::check(&SmppConfig {
                system_id: system_id.into(),
                password: password.to_owned().into(),
                source: source.into(),
                ..SmppConfig::default()
            })
        };
        assert_eq!(check("weir", "12345678", "10690000"), Ok(()));
        assert!(check("weir", "123456789", "10690000").is_err_and(|fault| fault.starts_with("password")));
        assert!(
            check("sixteen-letters-", "x", "10690000").is_err_and(|fault| fault.starts_with("system_id"))
        );
        assert!(check("weir", "x", "社区").is_err());
    }

    #[test]
    fn a_status_says_what_to_do_next() {
        let of = |status| refusal(status, Duration::from_secs(1));
        let throttled = SendError::Throttled {
            retry_after: Duration::from_secs(1),
        };
        assert_eq!(of(CommandStatus::EsmeRthrottled), throttled);
        assert_eq!(of(CommandStatus::EsmeRmsgqful), throttled);
        assert_eq!(
            of(CommandStatus::EsmeRinvdstadr),
            SendError::BadAddress("ESME_RINVDSTADR".into())
        );
        assert_eq!(
            of(CommandStatus::EsmeRinvsrcadr),
            SendError::Refused("ESME_RINVSRCADR".into())
        );
        assert_eq!(
            of(CommandStatus::EsmeRsyserr),
            SendError::Unreachable("ESME_RSYSERR".into())
        );
        assert_eq!(
            of(CommandStatus::Other(0x400)),
            SendError::Unreachable("status 0x00000400".into())
        );
    }
}
