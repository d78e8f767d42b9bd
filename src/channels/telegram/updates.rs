//! What people write to the bot: asked for by long polls, read, and acknowledged once it is recorded.

use std::{
    mem::{Discriminant, discriminant},
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use teloxide::{
    RequestError,
    payloads::{DeleteMyCommandsSetters, SetMyCommandsSetters, SetWebhookSetters},
    requests::{JsonRequest, Payload, Request, Requester},
    types::{AllowedUpdate, BotCommand, BotCommandScope, CallbackQueryId, ChatId},
};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Intake, POLL_TIMEOUT, SEND_TIMEOUT, TOKEN_REFUSED, Telegram, send_error};
use crate::{
    channels::{ChannelEvent, Incoming, IncomingSender, SendError},
    domain::{Address, Inbound, InboundContent, Language},
};

/// The bot's command menu for clients in one language (two letters), or in all others: command and label.
pub type CommandMenu = (Option<&'static str>, Vec<(String, String)>);

/// What Telegram is asked to report; the rest is of no use here.
const ALLOWED_UPDATES: [AllowedUpdate; 3] = [
    AllowedUpdate::Message,
    AllowedUpdate::CallbackQuery,
    AllowedUpdate::MyChatMember,
];
/// Answers to tapped buttons in flight; beyond, a button stays lit on the phone for some seconds.
const TAP_ANSWERS_MAX: usize = 256;
/// The first pause after a failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);

impl Telegram {
    /// Takes updates in until told to stop, whatever fails. Each is acknowledged to Telegram only after it
    /// is recorded; one that is not is asked for again, with all that follow it, so that some come twice.
    ///
    /// In webhook mode this tells Telegram where to call; [`Telegram::webhook_router`] takes the calls.
    pub async fn run(&self, incoming: IncomingSender, commands: Vec<CommandMenu>, stop: CancellationToken) {
        let taking_in = async {
            let mut patience = Patience::new();
            self.announce(&mut patience).await;
            let updates = async {
                match self.0.intake {
                    Intake::Polling => self.poll(&incoming, &mut patience).await,
                    Intake::Webhook { .. } => std::future::pending().await,
                }
            };
            // Side by side: Telegram may hold menus back for an hour, and people write meanwhile.
            tokio::join!(updates, self.set_menus(&commands));
        };
        stop.run_until_cancelled(taking_in).await;
    }

    /// Says to Telegram how updates come in, and learns the bot's name.
    async fn announce(&self, patience: &mut Patience) {
        match &self.0.intake {
            Intake::Polling => self.remove_webhook(patience).await,
            Intake::Webhook { url, secret } => {
                let set = || {
                    let request = self.0.bot.set_webhook(url.clone());
                    let request = request.secret_token(secret.expose_secret());
                    request.allowed_updates(ALLOWED_UPDATES).send()
                };
                patience.insist(set).await;
            }
        }
        let username = patience.insist(|| self.ask_username()).await;
        tracing::info!(username, "Telegram knows the bot");
    }

    /// Telegram refuses polls while a webhook is set.
    async fn remove_webhook(&self, patience: &mut Patience) {
        patience.insist(|| self.0.bot.delete_webhook().send()).await;
    }

    async fn set_menus(&self, commands: &[CommandMenu]) {
        let mut patience = Patience::new();
        for (language, menu) in commands {
            patience.insist(|| self.set_menu(*language, menu)).await;
        }
    }

    async fn set_menu(&self, language: Option<&str>, menu: &[(String, String)]) -> Result<(), RequestError> {
        let menu = menu.iter().map(|(name, label)| BotCommand::new(name, label));
        let mut request = self.0.bot.set_my_commands(menu);
        if let Some(language) = language {
            request = request.language_code(language);
        }
        match request.await {
            Ok(_) => Ok(()),
            // The bot works without a menu: what Telegram will never take is no reason to wait.
            Err(error) if matches!(send_error(&error), SendError::Refused(_)) => {
                tracing::warn!("Telegram does not take the command menu: {}", send_error(&error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Gives one chat a menu of its own.
    pub async fn set_chat_menu(&self, chat: i64, menu: &[(String, String)]) -> Result<(), SendError> {
        let menu = menu.iter().map(|(name, label)| BotCommand::new(name, label));
        let scope = BotCommandScope::Chat {
            chat_id: ChatId(chat).into(),
        };
        let request = self.0.bot.set_my_commands(menu).scope(scope);
        taken(request.await)
    }

    /// Gives one chat the menu that everybody has.
    pub async fn clear_chat_menu(&self, chat: i64) -> Result<(), SendError> {
        let scope = BotCommandScope::Chat {
            chat_id: ChatId(chat).into(),
        };
        let request = self.0.bot.delete_my_commands().scope(scope);
        taken(request.await)
    }

    async fn poll(&self, incoming: &IncomingSender, patience: &mut Patience) {
        let mut offset = None;
        let mut tap_answers = JoinSet::new();
        loop {
            let ask = GetUpdates {
                offset,
                timeout: POLL_TIMEOUT.as_secs(),
                allowed_updates: ALLOWED_UPDATES,
            };
            match JsonRequest::new(self.0.poller.clone(), ask).await {
                Ok(batch) => {
                    let progress = self.take_in(batch, incoming, &mut tap_answers).await;
                    offset = progress.offset.or(offset);
                    if progress.complete {
                        patience.rewarded();
                    } else {
                        patience.wait(&Trouble::NotRecorded).await;
                    }
                }
                Err(error) => {
                    let trouble = Trouble::of(&error);
                    patience.wait(&trouble).await;
                    if matches!(trouble, Trouble::WebhookSet) {
                        self.remove_webhook(patience).await;
                    }
                }
            }
        }
    }

    /// Hands a batch over in order, then waits until it is recorded, up to the first that is not.
    async fn take_in(
        &self,
        batch: Vec<RawUpdate>,
        incoming: &IncomingSender,
        tap_answers: &mut JoinSet<()>,
    ) -> Progress {
        let mut handed_over = Vec::with_capacity(batch.len());
        for raw in batch {
            let id = raw.update_id;
            let update = read(raw, self.0.clock.now());
            let recorded = match update.inbound {
                Some(inbound) => Some(hand_over(inbound, incoming).await),
                None => None,
            };
            handed_over.push((id, update.tap, recorded));
        }
        let mut progress = Progress {
            offset: None,
            complete: true,
        };
        for (id, tap, recorded) in handed_over {
            if let Some(recorded) = recorded
                && recorded.await.is_err()
            {
                progress.complete = false;
                break;
            }
            progress.offset = Some(id + 1);
            if let Some(tap) = tap {
                self.answer_tap(tap, tap_answers);
            }
        }
        progress
    }

    /// Lets the tapped button go dark. Best effort: Telegram does it by itself after a while.
    fn answer_tap(&self, tap: String, tap_answers: &mut JoinSet<()>) {
        while tap_answers.try_join_next().is_some() {}
        if tap_answers.len() < TAP_ANSWERS_MAX {
            let request = self.0.bot.answer_callback_query(CallbackQueryId(tap));
            tap_answers.spawn(async move {
                // "Query is too old", or no connection: nothing is lost by either.
                let _ = timeout(SEND_TIMEOUT, request.into_future()).await;
            });
        }
    }
}

/// What Telegram will never take is no reason to try again.
fn taken<T>(answer: Result<T, RequestError>) -> Result<(), SendError> {
    match answer.map_err(|error| send_error(&error)) {
        Ok(_) | Err(SendError::Refused(_) | SendError::BadAddress(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts a message where the rest of Weir takes it from; what returns fires once it is recorded.
pub(super) async fn hand_over(inbound: Inbound, incoming: &IncomingSender) -> oneshot::Receiver<()> {
    let (recorded, when_recorded) = oneshot::channel();
    // If nobody takes it any more, `recorded` is dropped, which says that it was not recorded.
    let _ = incoming
        .send(Incoming {
            event: ChannelEvent::Inbound(inbound),
            recorded,
        })
        .await;
    when_recorded
}

/// How far a batch was recorded.
struct Progress {
    /// The first update to ask for next, if anything was recorded.
    offset: Option<i64>,
    complete: bool,
}

/// getUpdates with ids as wide as the manual allows, and answers that are read one by one, so that an update
/// that cannot be read does not spoil the others.
#[derive(Serialize)]
struct GetUpdates {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    timeout: u64,
    allowed_updates: [AllowedUpdate; 3],
}

impl Payload for GetUpdates {
    type Output = Vec<RawUpdate>;
    const NAME: &'static str = "GetUpdates";
}

/// An update as it came, by its id.
#[derive(Deserialize)]
pub(super) struct RawUpdate {
    update_id: i64,
    #[serde(flatten)]
    contents: Map<String, Value>,
}

/// What an update means here.
#[derive(Debug, PartialEq)]
pub(super) struct Update {
    /// What a person sent, unless it is nothing for the bot.
    pub inbound: Option<Inbound>,
    /// The id of a tapped button's query, to be answered.
    pub tap: Option<String>,
}

/// Reads an update. Groups and channels are passed over: what a household is told is its own.
pub(super) fn read(raw: RawUpdate, now: DateTime<Utc>) -> Update {
    let external_id = raw.update_id.to_string();
    let nothing = Update {
        inbound: None,
        tap: None,
    };
    let Ok(contents) = serde_json::from_value::<Contents>(Value::Object(raw.contents)) else {
        metrics::counter!("weir_telegram_unreadable_updates_total").increment(1);
        tracing::warn!(update = %external_id, "an update from Telegram cannot be read and is passed over");
        return nothing;
    };
    let inbound = |chat: &Chat, from: Option<&User>, date: Option<i64>, content: InboundContent| {
        let sent_at = date.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let language = from.and_then(|user| user.language_code.as_deref());
        (chat.kind == "private").then(|| Inbound {
            from: Address::Chat(chat.id),
            external_id,
            // Telegram's own time, as the bot may have been away since; never in the future.
            received_at: sent_at.map_or(now, |at| at.min(now)),
            content,
            language: language.and_then(Language::nearest),
            tapped: None,
        })
    };
    if let Some(message) = contents.message {
        let photo = message.photo.and_then(largest);
        let content = match message_content(message.text, message.contact, message.from.as_ref()) {
            InboundContent::Other => photo.map_or(InboundContent::Other, InboundContent::Photo),
            content => content,
        };
        let tapped = message.replies_to.and_then(|answered| answered.message_id);
        let inbound = inbound(&message.chat, message.from.as_ref(), Some(message.date), content);
        Update {
            inbound: inbound.map(|inbound| Inbound { tapped, ..inbound }),
            tap: None,
        }
    } else if let Some(tap) = contents.callback_query {
        // A button under a message that Telegram no longer shows: a private chat has its person's id.
        let tapped = tap.message.as_ref().and_then(|message| message.message_id);
        let chat = tap
            .message
            .map_or_else(|| Chat::private(tap.from.id), |message| message.chat);
        let content = InboundContent::Choice(tap.data.unwrap_or_default());
        let inbound = inbound(&chat, Some(&tap.from), None, content);
        Update {
            inbound: inbound.map(|inbound| Inbound { tapped, ..inbound }),
            tap: Some(tap.id),
        }
    } else if let Some(change) = contents.my_chat_member {
        let status = change.new_chat_member.status;
        let content = InboundContent::Membership {
            allowed: status != "kicked" && status != "left",
        };
        Update {
            inbound: inbound(&change.chat, Some(&change.from), Some(change.date), content),
            tap: None,
        }
    } else {
        nothing
    }
}

/// The largest of a photo's sizes.
fn largest(sizes: Vec<PhotoSize>) -> Option<String> {
    let largest = sizes.into_iter().max_by_key(|size| size.width * size.height);
    largest.map(|size| size.file_id)
}

fn message_content(text: Option<String>, contact: Option<Contact>, from: Option<&User>) -> InboundContent {
    if let Some(contact) = contact {
        let own = contact.user_id.is_some() && contact.user_id == from.map(|user| user.id);
        let mut phone = contact.phone_number;
        // Telegram leaves out the `+` of its own users' numbers, which are always international.
        if own && !phone.starts_with('+') {
            phone.insert(0, '+');
        }
        return InboundContent::Contact { phone, own };
    }
    let Some(text) = text else {
        return InboundContent::Other;
    };
    let (command, payload) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
    if command == "/start" || command.starts_with("/start@") {
        return InboundContent::Start(payload.trim().to_owned());
    }
    InboundContent::Text(text)
}

// The parts of Telegram's objects that Weir uses, and no others: a new field or kind elsewhere in a message
// then never costs the words in it.

#[derive(Deserialize)]
struct Contents {
    message: Option<Message>,
    callback_query: Option<CallbackQuery>,
    my_chat_member: Option<ChatMemberUpdated>,
}

#[derive(Deserialize)]
struct Message {
    date: i64,
    chat: Chat,
    from: Option<User>,
    text: Option<String>,
    contact: Option<Contact>,
    photo: Option<Vec<PhotoSize>>,
    #[serde(rename = "reply_to_message")]
    replies_to: Option<TappedMessage>,
}

#[derive(Deserialize)]
struct PhotoSize {
    file_id: String,
    #[serde(default)]
    width: u64,
    #[serde(default)]
    height: u64,
}

#[derive(Deserialize)]
struct CallbackQuery {
    id: String,
    from: User,
    message: Option<TappedMessage>,
    data: Option<String>,
}

#[derive(Deserialize)]
struct TappedMessage {
    chat: Chat,
    message_id: Option<i64>,
}

#[derive(Deserialize)]
struct ChatMemberUpdated {
    date: i64,
    chat: Chat,
    from: User,
    new_chat_member: ChatMember,
}

#[derive(Deserialize)]
struct ChatMember {
    status: String,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
}

impl Chat {
    fn private(id: i64) -> Self {
        Self {
            id,
            kind: "private".into(),
        }
    }
}

#[derive(Deserialize)]
struct User {
    id: i64,
    language_code: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    phone_number: String,
    user_id: Option<i64>,
}

/// Why updates do not come in.
enum Trouble {
    Token,
    OtherPoller,
    WebhookSet,
    NotRecorded,
    Throttled(Duration),
    Refused(String),
    Failing(String),
}

impl Trouble {
    fn of(error: &RequestError) -> Self {
        if let RequestError::Api(error) = error {
            let description = error.to_string();
            if description.contains("terminated by other getUpdates") {
                return Self::OtherPoller;
            }
            if description.contains("webhook is active") {
                return Self::WebhookSet;
            }
        }
        match send_error(error) {
            SendError::Throttled { retry_after } => Self::Throttled(retry_after),
            SendError::Unreachable(reason) if reason == TOKEN_REFUSED => Self::Token,
            SendError::Refused(reason) => Self::Refused(reason),
            other => Self::Failing(other.to_string()),
        }
    }

    /// What is wrong and what to do.
    fn sentence(&self) -> String {
        match self {
            Self::Token => TOKEN_REFUSED.into(),
            Self::OtherPoller => {
                "another process polls this bot: stop it, or give each its own bot and token".into()
            }
            Self::WebhookSet => {
                "somebody set a webhook for this bot; it is removed, as telegram.mode is polling".into()
            }
            Self::NotRecorded => "a message was not recorded; Telegram is asked for it again".into(),
            Self::Throttled(wait) => format!("Telegram asks to wait {} s; nothing to do", wait.as_secs()),
            Self::Refused(reason) => {
                format!("Telegram refuses the set-up ({reason}): check telegram.webhook_url")
            }
            Self::Failing(reason) => {
                format!("Telegram does not serve the bot ({reason}): check the network and telegram.api_url")
            }
        }
    }
}

/// Waits longer with each failure in a row, and logs only when their kind changes.
struct Patience {
    pause: Duration,
    last: Option<Discriminant<Trouble>>,
}

impl Patience {
    fn new() -> Self {
        Self {
            pause: PAUSE_MIN,
            last: None,
        }
    }

    /// Repeats the request until it succeeds.
    async fn insist<T, F>(&mut self, request: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        loop {
            match request().await {
                Ok(answer) => {
                    self.rewarded();
                    return answer;
                }
                Err(error) => self.wait(&Trouble::of(&error)).await,
            }
        }
    }

    async fn wait(&mut self, trouble: &Trouble) {
        if self.last.replace(discriminant(trouble)) != Some(discriminant(trouble)) {
            tracing::warn!("Telegram: {}", trouble.sentence());
        }
        let asked = match trouble {
            Trouble::Throttled(wait) => *wait,
            _ => Duration::ZERO,
        };
        sleep(self.pause.max(asked)).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    fn rewarded(&mut self) {
        if self.last.is_some() {
            tracing::info!("Telegram serves the bot again");
        }
        *self = Self::new();
    }
}
