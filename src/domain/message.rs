//! What goes out, what comes in, and how far a delivery has come.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DeliveryId, Language, LoadPicture, PhoneNumber};

/// A kind of channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// The Telegram Bot API.
    Telegram,
    /// Text messages through a carrier.
    Sms,
}

impl ChannelKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Telegram, Self::Sms];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::Sms => "sms",
        }
    }
}

/// Where a message goes to or came from. Personal data: `Debug` masks it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// A Telegram chat id.
    Chat(i64),
    /// A phone number.
    Phone(PhoneNumber),
}

impl Address {
    /// The channel that reaches this address.
    pub fn channel(&self) -> ChannelKind {
        match self {
            Self::Chat(_) => ChannelKind::Telegram,
            Self::Phone(_) => ChannelKind::Sms,
        }
    }

    /// What listings show.
    pub fn masked(&self) -> String {
        match self {
            Self::Chat(id) => format!("chat ****{:03}", id.unsigned_abs() % 1000),
            Self::Phone(phone) => phone.masked(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// What one message says, and what can be tapped under it. SMS shows the text alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Plain text; no markup.
    pub text: String,
    /// Rows of buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Vec<Button>>,
    /// The message that this one takes the place of, where the channel can do that and still has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<i64>,
    /// A picture that stands above the text, by the channel's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
    /// A picture that is drawn where the message is sent, and stands above the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<Box<LoadPicture>>,
}

impl Body {
    /// A body of text alone.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} characters)", self.text.chars().count())
    }
}

/// Something to tap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Button {
    /// Sends `data` (at most 64 bytes, Telegram's limit) back.
    Choice {
        /// What is read on it.
        label: String,
        /// What comes back.
        data: String,
    },
    /// Telegram's own-contact button: sends the person's own phone number back.
    ShareContact {
        /// What is read on it.
        label: String,
    },
    /// Opens a page.
    Link {
        /// What is read on it.
        label: String,
        /// An absolute URL.
        url: String,
    },
}

/// A message that is kept up to date: what is sent later under its name is edited into it, where its channel can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// The channel's name for the message that is there; none for the first.
    pub message: Option<i64>,
}

/// A message ready to send.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Which delivery it carries.
    pub delivery: DeliveryId,
    /// To whom.
    pub to: Address,
    /// What.
    pub body: Body,
    /// After this instant it must not arrive; carriers get it as the validity period.
    pub expires_at: DateTime<Utc>,
    /// It is kept up to date.
    pub live: Option<Live>,
}

/// A message from a person, as a channel understood it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbound {
    /// From where; the reply goes there.
    pub from: Address,
    /// What the channel calls this message, unique within the channel: it is recorded once.
    pub external_id: String,
    /// When the channel received it.
    pub received_at: DateTime<Utc>,
    /// What it is.
    pub content: InboundContent,
    /// The language of the person's client, where the channel knows it.
    pub language: Option<Language>,
    /// The message under which a button was tapped, or that this one replies to, by the channel's number.
    pub tapped: Option<i64>,
}

/// What a person sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboundContent {
    /// Words.
    Text(String),
    /// A tapped button's data.
    Choice(String),
    /// `/start` with a deep link's payload, which may be empty.
    Start(String),
    /// A contact card.
    Contact {
        /// The number on it, as written.
        phone: String,
        /// Telegram vouches that it is the sender's own.
        own: bool,
    },
    /// The person blocked the bot, or let it in again.
    Membership {
        /// The bot may write.
        allowed: bool,
    },
    /// A photo, by the channel's own name for it. Only workers are asked for some.
    Photo(String),
    /// Something the bot does not read: a sticker, a voice message.
    Other,
}

impl fmt::Debug for InboundContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Choice(_) => "Choice",
            Self::Start(_) => "Start",
            Self::Contact { .. } => "Contact",
            Self::Membership { .. } => "Membership",
            Self::Photo(_) => "Photo",
            Self::Other => "Other",
        })
    }
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// An answer to a person.
    Reply,
    /// A declared fault.
    Incident,
    /// A home visit's change of state.
    Visit,
    /// A unit's window.
    Window,
    /// A window that moved.
    Correction,
    /// Shortly before the window.
    Reminder,
    /// Anything else that a worker wrote.
    Announcement,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Reply,
        Self::Incident,
        Self::Visit,
        Self::Window,
        Self::Correction,
        Self::Reminder,
        Self::Announcement,
    ];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Incident => "incident",
            Self::Visit => "visit",
            Self::Window => "window",
            Self::Correction => "correction",
            Self::Reminder => "reminder",
            Self::Announcement => "announcement",
        }
    }

    /// The order in which deliveries leave, the most urgent first: 0 to [`NoticeKind::PRIORITY_MAX`].
    pub fn priority(self) -> i64 {
        match self {
            Self::Reply => 0,
            Self::Incident => 1,
            Self::Visit => 2,
            Self::Window | Self::Correction => 3,
            Self::Reminder => 4,
            Self::Announcement => 5,
        }
    }

    /// The least urgent priority.
    pub const PRIORITY_MAX: i64 = 5;
}

/// How far a delivery has come: `held → queued → sending → accepted →` a final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Written, but not let go: its round is paused.
    Held,
    /// Waiting for a place.
    Queued,
    /// Claimed by a dispatcher.
    Sending,
    /// The carrier took it; its receipt is awaited.
    Accepted,
    /// Final: the phone has it.
    Delivered,
    /// Final: taken by the channel, which gives no receipt, or gave none in its time.
    Sent,
    /// Final: refused, with the reason.
    Failed,
    /// Final: it could no longer be in time.
    Expired,
    /// Final: withdrawn before it left.
    Cancelled,
    /// Final: the address has opted out.
    Suppressed,
}

impl DeliveryState {
    /// Every state, in order.
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Queued,
        Self::Sending,
        Self::Accepted,
        Self::Delivered,
        Self::Sent,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Suppressed,
    ];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Suppressed => "suppressed",
        }
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// No state follows this one.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Held | Self::Queued | Self::Sending | Self::Accepted)
    }
}
