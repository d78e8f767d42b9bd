//! One SMPP connection: what is to be written, and who awaits which answer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::SinkExt;
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use tokio::{
    net::tcp::OwnedWriteHalf,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::codec::FramedWrite;

use super::wire::FrameCodec;

/// Incoming messages that may await their record at once. Beyond it the carrier is asked to send again later.
pub(super) const ARRIVALS_MAX: u32 = 1024;
/// Submits that may await their answer at once, whatever the configuration says.
pub(super) const WINDOW_MAX: usize = 10_000;
/// PDUs that wait to be written: submits, and answers twice over.
const COMMANDS_MAX: usize = WINDOW_MAX + 2 * ARRIVALS_MAX as usize;
/// PDUs written in one go.
const BATCH_LEN_MAX: usize = 256;

/// One connection, as the senders see it.
pub(super) struct Link {
    /// Its number among the account's connections, growing.
    pub number: u64,
    /// The carrier let the account in.
    pub was_bound: AtomicBool,
    commands: mpsc::Sender<Command>,
    sequence: AtomicU32,
    /// Who awaits which answer; `None` once the connection is gone.
    awaited: Mutex<Option<HashMap<u32, oneshot::Sender<Answer>>>>,
}

/// What the carrier said to a request.
pub(super) struct Answer {
    pub status: CommandStatus,
    pub message_id: Option<String>,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// The request never left.
    NotHandedOver,
    /// It may have been taken.
    ConnectionLost,
    /// It may have been taken.
    TimedOut,
}

/// Forgets a request that nobody awaits any more.
struct Awaiting<'a> {
    link: &'a Link,
    sequence: u32,
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        if let Some(awaited) = lock(&self.link.awaited).as_mut() {
            awaited.remove(&self.sequence);
        }
    }
}

impl Link {
    pub(super) fn new(number: u64) -> (Arc<Self>, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let link = Self {
            number,
            was_bound: AtomicBool::new(false),
            commands,
            sequence: AtomicU32::new(0),
            awaited: Mutex::new(Some(HashMap::new())),
        };
        (Arc::new(link), receiver)
    }

    /// From 1 to `0x7FFFFFFF`, and again from 1.
    pub(super) fn next_sequence(&self) -> u32 {
        self.sequence.fetch_add(1, Ordering::Relaxed) % 0x7FFF_FFFF + 1
    }

    pub(super) async fn request(&self, pdu: impl Into<Pdu>, wait: Duration) -> Result<Answer, NoAnswer> {
        let sequence = self.next_sequence();
        let (sender, answer) = oneshot::channel();
        lock(&self.awaited)
            .as_mut()
            .ok_or(NoAnswer::NotHandedOver)?
            .insert(sequence, sender);
        let _awaiting = Awaiting { link: self, sequence };
        self.put(Command::new(CommandStatus::EsmeRok, sequence, pdu))
            .map_err(|_| NoAnswer::NotHandedOver)?;
        timeout(wait, answer)
            .await
            .map_err(|_| NoAnswer::TimedOut)?
            .map_err(|_| NoAnswer::ConnectionLost)
    }

    pub(super) fn answer(&self, sequence: u32, status: CommandStatus, message_id: Option<String>) {
        let awaiting = lock(&self.awaited)
            .as_mut()
            .and_then(|awaited| awaited.remove(&sequence));
        if let Some(awaiting) = awaiting {
            // Whoever waited may just have given up.
            let _ = awaiting.send(Answer { status, message_id });
        }
    }

    pub(super) fn enquire(&self) -> Result<(), String> {
        self.put(Command::new(
            CommandStatus::EsmeRok,
            self.next_sequence(),
            Pdu::EnquireLink,
        ))
    }

    /// Never waits: there is room for the window and for every answer, so a full queue means that the carrier sends
    /// without reading.
    pub(super) fn put(&self, command: Command) -> Result<(), String> {
        self.commands
            .try_send(command)
            .map_err(|_| "the carrier does not read its answers".to_owned())
    }

    pub(super) fn close(&self) {
        lock(&self.awaited).take();
    }
}

/// Writes what comes, as much of it at once as there is; returns why the connection ended.
pub(super) async fn write(
    mut socket: FramedWrite<OwnedWriteHalf, FrameCodec>,
    mut commands: mpsc::Receiver<Command>,
) -> String {
    socket.set_backpressure_boundary(64 * 1024);
    let mut batch = Vec::with_capacity(BATCH_LEN_MAX);
    while commands.recv_many(&mut batch, BATCH_LEN_MAX).await > 0 {
        let is_last = batch.iter().any(|command| command.id() == CommandId::UnbindResp);
        for command in batch.drain(..) {
            if let Err(error) = socket.feed(command).await {
                return error.to_string();
            }
        }
        if let Err(error) = socket.flush().await {
            return error.to_string();
        }
        if is_last {
            return "the carrier unbound".into();
        }
    }
    "nothing is left to write".into()
}

/// A poisoned lock guards plain values that are never left half-written.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
