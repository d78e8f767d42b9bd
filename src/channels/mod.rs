//! Everything that speaks to a carrier: messages out, and what comes back.

pub mod sms;
pub mod telegram;

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use crate::domain::{Inbound, Outbound};

/// A way out. A closed set, so an enum.
#[derive(Clone, Debug)]
pub enum Channel {
    /// The Telegram Bot API.
    Telegram(telegram::Telegram),
    /// One carrier's SMPP account.
    Smpp(sms::smpp::Smpp),
}

/// The channel took the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The channel's names for what it took, one for each part, to match receipts by.
    pub refs: Vec<String>,
    /// Receipts will follow; without, the delivery is final.
    pub receipts_follow: bool,
}

/// Why a message was not taken, by what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Slow the lane until this has passed; the attempt is not counted. Never clamped.
    #[error("the channel asks to wait {} s", retry_after.as_secs())]
    Throttled {
        /// How long the channel asks to be left alone.
        retry_after: Duration,
    },
    /// Nothing was handed over: count the attempt and try later.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The connection broke after the message was handed over, so it may have been taken:
    /// try again, counted as a possible repeat.
    #[error("no answer: {0}")]
    Ambiguous(String),
    /// Never try this message again.
    #[error("refused: {0}")]
    Refused(String),
    /// This address does not work (a blocked bot, a number not in use): never write to it again.
    #[error("address does not work: {0}")]
    BadAddress(String),
}

impl Channel {
    /// Hands one message over and waits until the channel has taken or refused it.
    pub async fn send(&self, message: &Outbound, now: DateTime<Utc>) -> Result<Taken, SendError> {
        match self {
            Self::Telegram(telegram) => telegram.send(message).await,
            Self::Smpp(smpp) => smpp.send(message, now).await,
        }
    }

    /// Whether anything can be handed over now. Telegram has no connection to lose: each send tells.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Telegram(_) => true,
            Self::Smpp(smpp) => smpp.is_connected(),
        }
    }

    /// Whether the other side is there: a carrier by its connection, Telegram by asking it.
    pub async fn answers(&self) -> bool {
        match self {
            Self::Telegram(telegram) => telegram.answers().await,
            Self::Smpp(smpp) => smpp.is_connected(),
        }
    }

    /// How many of the channel's limited units (Telegram messages, SMS parts) the message takes.
    pub fn cost(&self, message: &Outbound) -> u32 {
        match self {
            Self::Telegram(_) => telegram::parts(&message.body.text),
            Self::Smpp(_) => sms::segment::parts(&message.body.text),
        }
    }
}

/// What happened to a part that a channel took earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptReport {
    /// The carrier's name, as in the configuration.
    pub carrier: String,
    /// The channel's name for the part.
    pub part_ref: String,
    /// What became of it.
    pub fate: PartFate,
    /// The carrier's own words, for the record.
    pub raw: String,
}

/// What a receipt says of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartFate {
    /// On its way still.
    Accepted,
    /// The phone has it.
    Delivered,
    /// It will not arrive.
    Failed,
    /// A word that Weir does not know; it is kept and counted.
    Unknown,
}

/// Something that came in. The channel acknowledges it to its server only after `recorded` fires;
/// when `recorded` is dropped instead, it was not recorded and the server must send it again.
#[derive(Debug)]
pub struct Incoming {
    /// What it is.
    pub event: ChannelEvent,
    /// Fired once the event is durably recorded.
    pub recorded: oneshot::Sender<()>,
}

/// What channels report.
#[derive(Debug)]
pub enum ChannelEvent {
    /// A person wrote.
    Inbound(Inbound),
    /// A part's fate.
    Receipt(ReceiptReport),
}

/// Where channels put what comes in.
pub type IncomingSender = mpsc::Sender<Incoming>;
