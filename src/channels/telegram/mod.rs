//! The Telegram Bot API, spoken through teloxide's `Bot`, payloads and types.
//!
//! teloxide's dispatcher is left aside: it acknowledges updates before they are recorded, so that a crash
//! loses them, and it panics when its first getMe fails. Of answers and updates only what Weir uses is read:
//! teloxide's full message type turns a text with one new kind of entity into an empty message.

pub mod fake;
mod updates;
mod webhook;

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use reqwest::{
    Client, Url,
    multipart::{Form, Part},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use teloxide::{
    ApiError, Bot, RequestError,
    payloads::{SendMessage, SendMessageSetters},
    requests::{JsonRequest, Payload},
    types::{
        ButtonRequest, ChatId, InlineKeyboardButton, InlineKeyboardMarkup, KeyboardButton, KeyboardMarkup,
        LinkPreviewOptions, ReplyMarkup,
    },
};
use tokio::{sync::OnceCell, time::timeout};

use super::{SendError, Taken};
use crate::{
    clock::Clock,
    config::{TelegramConfig, TelegramMode},
    domain::{Address, Button, Outbound},
    pacing::picture,
};

pub use updates::CommandMenu;
pub use webhook::WEBHOOK_PATH;

/// A whole send, all parts of a long text together, is given up after this. It is longer than one request
/// may take, and longer than the 10 s that teloxide sleeps after each server error.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// One request, but for long polls.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(17);
/// Telegram holds a long poll this long at most.
const POLL_TIMEOUT: Duration = Duration::from_secs(50);
/// What a long poll may take beyond [`POLL_TIMEOUT`] before the connection counts as dead.
const POLL_GRACE: Duration = Duration::from_secs(15);
/// A question whether Telegram is there is given up after this.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that is not made after this is not reachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept for the next sends.
const IDLE_CONNECTIONS_MAX: usize = 256;
/// Telegram's limit for one message, in UTF-16 code units.
const TEXT_UNITS_MAX: usize = 4096;
/// Telegram's limit for the text under a picture is 1024 UTF-16 code units; characters take one or two.
const CAPTION_CHARACTERS_MAX: usize = 512;
/// The same limit in those units.
const CAPTION_UNITS_MAX: usize = 1024;
/// A longer text is refused: its parts, one a second, would not be through within [`SEND_TIMEOUT`].
const PARTS_MAX: usize = 8;
/// A later part waits at most this long for Telegram within the send.
const PART_WAIT_MAX: Duration = Duration::from_secs(5);

const _: () = assert!(REQUEST_TIMEOUT.as_secs() < SEND_TIMEOUT.as_secs());

/// A bot. Clones share its connections.
#[derive(Clone)]
pub struct Telegram(Arc<Inner>);

struct Inner {
    /// For everything but long polls.
    bot: Bot,
    /// For long polls, which take longer.
    poller: Bot,
    intake: Intake,
    clock: Clock,
    /// Between the parts of one long text.
    part_pause: Duration,
    username: OnceCell<String>,
}

/// How updates come in.
enum Intake {
    Polling,
    Webhook { url: Url, secret: SecretString },
}

/// Why the configured bot cannot be used, by the setting to mend.
#[derive(Debug, thiserror::Error)]
pub enum BadTelegramConfig {
    /// `api_url` is no address of a web server.
    #[error("telegram.api_url is not an http or https address: write it like https://api.telegram.org")]
    ApiUrl,
    /// `webhook_url` is missing, or not one that Telegram would call.
    #[error(
        "telegram.mode is webhook: set telegram.webhook_url to the public https address of /telegram/webhook"
    )]
    WebhookUrl,
    /// `webhook_secret` is missing, or not one that Telegram would repeat.
    #[error("telegram.mode is webhook: set telegram.webhook_secret to 1–256 of A-Z, a-z, 0-9, _ and -")]
    WebhookSecret,
    /// The HTTP client cannot be set up, which no setting mends.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Bot` would show its token.
        f.debug_struct("Telegram").finish_non_exhaustive()
    }
}

impl Telegram {
    /// The configured bot; none without a token. Nothing is sent yet.
    pub fn new(config: &TelegramConfig, clock: Clock) -> Result<Option<Self>, BadTelegramConfig> {
        let token = config
            .token
            .as_ref()
            .map_or("", |token| token.expose_secret().trim());
        if token.is_empty() {
            return Ok(None);
        }
        let api_url = api_url(&config.api_url).ok_or(BadTelegramConfig::ApiUrl)?;
        let bot = |request_timeout| -> Result<Bot, BadTelegramConfig> {
            let client = client(request_timeout).map_err(BadTelegramConfig::Client)?;
            Ok(Bot::with_client(token, client).set_api_url(api_url.clone()))
        };
        Ok(Some(Self(Arc::new(Inner {
            bot: bot(REQUEST_TIMEOUT)?,
            poller: bot(POLL_TIMEOUT + POLL_GRACE)?,
            intake: intake(config)?,
            clock,
            part_pause: Duration::from_secs(1) / config.messages_per_second_per_chat.max(1),
            username: OnceCell::new(),
        }))))
    }

    /// Sends one message; a text over 4096 UTF-16 units goes out in parts, the buttons under the last.
    /// Answers within [`SEND_TIMEOUT`]. If it fails after the first part, a new try repeats the earlier ones.
    ///
    /// With a [`Button::ShareContact`] among them, choices become keys that send back their label as text,
    /// and links are left out: one message carries one kind of keyboard.
    pub async fn send(&self, message: &Outbound) -> Result<Taken, SendError> {
        let Address::Chat(chat) = message.to else {
            return Err(SendError::Refused("a phone number is no Telegram chat".into()));
        };
        let parts = split(&message.body.text);
        if parts.is_empty() {
            return Err(SendError::Refused("the text is empty".into()));
        }
        if parts.len() > PARTS_MAX {
            return Err(SendError::Refused(format!(
                "the text is longer than {PARTS_MAX} messages"
            )));
        }
        let keyboard = keyboard(&message.body.buttons)?;
        if let (Some(photo), [caption]) = (&message.body.photo, parts.as_slice()) {
            return self.send_photo(ChatId(chat), photo, caption, keyboard).await;
        }
        if let (Some(load), [caption]) = (&message.body.drawing, parts.as_slice())
            && caption.encode_utf16().count() <= CAPTION_UNITS_MAX
            && let Some(file) = picture::png(load)
        {
            match self.upload_photo(chat, file, caption, keyboard.as_ref()).await {
                // The words alone are better than nothing.
                Err(SendError::Refused(reason)) => {
                    tracing::warn!(reason, "a picture is refused: its text goes alone");
                }
                answer => return answer,
            }
        }
        let replaced = message
            .body
            .replaces
            .or(message.live.and_then(|live| live.message));
        if let (Some(id), [text]) = (replaced, parts.as_slice())
            && let Some(answer) = self.edit(ChatId(chat), id, text, keyboard.clone()).await
        {
            return answer;
        }
        let mut refs = Vec::with_capacity(parts.len());
        let sending = self.send_parts(ChatId(chat), &parts, keyboard, &mut refs);
        match timeout(SEND_TIMEOUT, sending).await {
            Ok(Ok(())) => Ok(Taken {
                refs,
                receipts_follow: false,
            }),
            // The parts before it will be sent again.
            Ok(Err(SendError::Unreachable(reason))) if !refs.is_empty() => Err(SendError::Ambiguous(reason)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(SendError::Ambiguous(format!(
                "nothing within {} s",
                SEND_TIMEOUT.as_secs()
            ))),
        }
    }

    /// The bot's user name, without `@`; asked once. The error says what to do.
    pub async fn username(&self) -> Result<String, String> {
        let asked = timeout(SEND_TIMEOUT, self.ask_username()).await;
        let username =
            asked.map_err(|_| "Telegram does not answer: check the network and telegram.api_url")?;
        username
            .map(str::to_owned)
            .map_err(|error| send_error(&error).to_string())
    }

    /// Whether Telegram answers, and knows the bot.
    pub async fn answers(&self) -> bool {
        let asked = JsonRequest::new(self.0.bot.clone(), GetMe {});
        match timeout(ANSWER_TIMEOUT, asked.into_future()).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => matches!(send_error(&error), SendError::Throttled { .. }),
            Err(_) => false,
        }
    }

    async fn ask_username(&self) -> Result<&str, RequestError> {
        let ask = async || {
            let me = JsonRequest::new(self.0.bot.clone(), GetMe {}).await?;
            Ok(me.username)
        };
        self.0.username.get_or_try_init(ask).await.map(String::as_str)
    }

    /// Edits a message in place; none where it is not there any more, so that a new one is sent.
    async fn edit(
        &self,
        chat: ChatId,
        message_id: i64,
        text: &str,
        keyboard: Option<ReplyMarkup>,
    ) -> Option<Result<Taken, SendError>> {
        let inline = match keyboard {
            Some(ReplyMarkup::InlineKeyboard(inline)) => Some(inline),
            _ => None,
        };
        let edit = EditText {
            chat_id: chat,
            message_id,
            text: text.to_owned(),
            link_preview_options: NO_PREVIEW,
            reply_markup: inline,
        };
        let edited = timeout(SEND_TIMEOUT, JsonRequest::new(self.0.bot.clone(), edit)).await;
        let taken = Ok(Taken {
            refs: vec![message_id.to_string()],
            receipts_follow: false,
        });
        match edited {
            Ok(Ok(_) | Err(RequestError::Api(ApiError::MessageNotModified))) => Some(taken),
            Ok(Err(RequestError::Api(
                ApiError::MessageToEditNotFound | ApiError::MessageCantBeEdited | ApiError::MessageIdInvalid,
            ))) => None,
            Ok(Err(error)) => Some(Err(send_error(&error))),
            Err(_) => Some(Err(SendError::Ambiguous(format!(
                "nothing within {} s",
                SEND_TIMEOUT.as_secs()
            )))),
        }
    }

    /// Sends a picture that Telegram has already, with its text.
    async fn send_photo(
        &self,
        chat: ChatId,
        photo: &str,
        caption: &str,
        keyboard: Option<ReplyMarkup>,
    ) -> Result<Taken, SendError> {
        let picture = SendPhoto {
            chat_id: chat,
            photo: photo.to_owned(),
            caption: caption.chars().take(CAPTION_CHARACTERS_MAX).collect(),
            reply_markup: keyboard,
        };
        match timeout(SEND_TIMEOUT, JsonRequest::new(self.0.bot.clone(), picture)).await {
            Ok(Ok(sent)) => Ok(Taken {
                refs: vec![sent.message_id.to_string()],
                receipts_follow: false,
            }),
            Ok(Err(error)) => Err(send_error(&error)),
            Err(_) => Err(SendError::Ambiguous(format!(
                "nothing within {} s",
                SEND_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Sends a picture that Telegram does not have yet, with its text. teloxide's own way would read the whole message that
    /// comes back.
    async fn upload_photo(
        &self,
        chat: i64,
        file: Vec<u8>,
        caption: &str,
        keyboard: Option<&ReplyMarkup>,
    ) -> Result<Taken, SendError> {
        let no_form = |error: &dyn fmt::Display| SendError::Refused(format!("no form can be made: {error}"));
        let part = Part::bytes(file).file_name("load.png").mime_str("image/png");
        let mut form = Form::new()
            .text("chat_id", chat.to_string())
            .text("caption", caption.to_owned())
            .part("photo", part.map_err(|error| no_form(&error))?);
        if let Some(keyboard) = keyboard {
            let keyboard = serde_json::to_string(keyboard).map_err(|error| no_form(&error))?;
            form = form.text("reply_markup", keyboard);
        }
        let bot = &self.0.bot;
        let mut url = bot.api_url();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&format!("bot{}", bot.token())).push("SendPhoto");
        }
        let upload = async {
            let answer = bot.client().post(url).multipart(form).send().await?;
            answer.text().await
        };
        match timeout(SEND_TIMEOUT, upload).await {
            Ok(Ok(answer)) => read_answer(&answer),
            Ok(Err(error)) => Err(network_error(&error)),
            Err(_) => Err(SendError::Ambiguous(format!(
                "nothing within {} s",
                SEND_TIMEOUT.as_secs()
            ))),
        }
    }

    async fn send_parts(
        &self,
        chat: ChatId,
        parts: &[&str],
        mut keyboard: Option<ReplyMarkup>,
        refs: &mut Vec<String>,
    ) -> Result<(), SendError> {
        for (index, part) in parts.iter().enumerate() {
            let mut message = SendMessage::new(chat, *part).link_preview_options(NO_PREVIEW);
            if index + 1 == parts.len() {
                message.reply_markup = keyboard.take();
            }
            let sent = if index == 0 {
                self.send_part(message).await
            } else {
                self.0.clock.sleep(self.0.part_pause).await;
                // Going back to the queue for a short wait would send the earlier parts again.
                match self.send_part(message.clone()).await {
                    Err(SendError::Throttled { retry_after }) if retry_after <= PART_WAIT_MAX => {
                        self.0.clock.sleep(retry_after).await;
                        self.send_part(message).await
                    }
                    sent => sent,
                }
            };
            refs.push(sent?);
        }
        Ok(())
    }

    async fn send_part(&self, message: SendMessage) -> Result<String, SendError> {
        let sent = JsonRequest::new(self.0.bot.clone(), SendText(message)).await;
        sent.map(|sent| sent.message_id.to_string())
            .map_err(|error| send_error(&error))
    }
}

/// How many Telegram messages the text takes.
pub fn parts(text: &str) -> u32 {
    split(text).len() as u32
}

/// teloxide's sendMessage, of whose answer only the id is read: that is fast, and a change to any other
/// field of a message does not make a sent message look unsent.
#[derive(Serialize)]
#[serde(transparent)]
struct SendText(SendMessage);

#[derive(Deserialize)]
struct SentId {
    message_id: i64,
}

impl Payload for SendText {
    type Output = SentId;
    const NAME: &'static str = "SendMessage";
}

/// editMessageText, of whose answer nothing but the id is read.
#[derive(Serialize)]
struct EditText {
    chat_id: ChatId,
    message_id: i64,
    text: String,
    link_preview_options: LinkPreviewOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<InlineKeyboardMarkup>,
}

impl Payload for EditText {
    type Output = SentId;
    const NAME: &'static str = "EditMessageText";
}

/// sendPhoto of a picture that Telegram knows by its name, of whose answer nothing but the id is read.
#[derive(Serialize)]
struct SendPhoto {
    chat_id: ChatId,
    photo: String,
    caption: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<ReplyMarkup>,
}

impl Payload for SendPhoto {
    type Output = SentId;
    const NAME: &'static str = "SendPhoto";
}

/// getMe, of whose answer only the name is read: Bot API servers of other ages know other fields.
#[derive(Serialize)]
struct GetMe {}

#[derive(Deserialize)]
struct Me {
    username: String,
}

impl Payload for GetMe {
    type Output = Me;
    const NAME: &'static str = "GetMe";
}

const NO_PREVIEW: LinkPreviewOptions = LinkPreviewOptions {
    is_disabled: true,
    url: None,
    prefer_small_media: false,
    prefer_large_media: false,
    show_above_text: false,
};

fn api_url(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim().trim_end_matches('/')).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(url)
}

fn intake(config: &TelegramConfig) -> Result<Intake, BadTelegramConfig> {
    if config.mode == TelegramMode::Polling {
        return Ok(Intake::Polling);
    }
    let url = config.webhook_url.as_deref().and_then(|url| Url::parse(url).ok());
    let loopback = ["127.0.0.1", "localhost", "[::1]"];
    let url = url
        .filter(|url| url.scheme() == "https" || url.host_str().is_some_and(|host| loopback.contains(&host)))
        .ok_or(BadTelegramConfig::WebhookUrl)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let secret = config.webhook_secret.clone().filter(|secret| {
        let secret = secret.expose_secret();
        (1..=256).contains(&secret.len()) && secret.chars().all(allowed)
    });
    let secret = secret.ok_or(BadTelegramConfig::WebhookSecret)?;
    Ok(Intake::Webhook { url, secret })
}

/// Keeps connections alive and takes no proxy from the environment: `api_url` alone says where sends go.
fn client(request_timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(request_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build()
}

/// Cuts the text into parts that Telegram takes: at a line's end or a space where one is near, and never
/// within a character. Blank parts, which Telegram would refuse, are left out.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(end) = end_of_part(rest) {
        let head = &rest[..end];
        let near = |place: &usize| *place >= head.len() / 2;
        let line = head.rfind('\n').filter(near);
        let cut = line
            .or_else(|| head.rfind(' ').filter(near))
            .map_or(end, |at| at + 1);
        parts.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    parts.push(rest);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Where the longest part that Telegram takes ends; none if that is the whole text.
fn end_of_part(text: &str) -> Option<usize> {
    if text.len() <= TEXT_UNITS_MAX {
        return None; // No character has fewer bytes than UTF-16 units.
    }
    let mut units = 0;
    text.char_indices().find_map(|(at, c)| {
        units += c.len_utf16();
        (units > TEXT_UNITS_MAX).then_some(at)
    })
}

fn keyboard(rows: &[Vec<Button>]) -> Result<Option<ReplyMarkup>, SendError> {
    if rows.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let asks_contact = |button: &Button| matches!(button, Button::ShareContact { .. });
    if rows.iter().flatten().any(asks_contact) {
        let keys = rows
            .iter()
            .map(|row| row.iter().filter_map(key).collect::<Vec<_>>());
        let keyboard = KeyboardMarkup::new(keys.filter(|row| !row.is_empty()));
        let keyboard = keyboard.one_time_keyboard().resize_keyboard();
        return Ok(Some(ReplyMarkup::Keyboard(keyboard)));
    }
    let rows = rows.iter().filter(|row| !row.is_empty());
    let rows: Result<Vec<Vec<_>>, _> = rows
        .map(|row| row.iter().filter_map(inline_button).collect())
        .collect();
    Ok(Some(ReplyMarkup::InlineKeyboard(InlineKeyboardMarkup::new(
        rows?,
    ))))
}

fn key(button: &Button) -> Option<KeyboardButton> {
    match button {
        Button::ShareContact { label } => Some(KeyboardButton::new(label).request(ButtonRequest::Contact)),
        Button::Choice { label, .. } => Some(KeyboardButton::new(label)),
        Button::Link { .. } => None,
    }
}

fn inline_button(button: &Button) -> Option<Result<InlineKeyboardButton, SendError>> {
    match button {
        Button::Choice { label, data } => Some(Ok(InlineKeyboardButton::callback(label, data))),
        Button::Link { label, url } => Some(
            Url::parse(url)
                .map(|url| InlineKeyboardButton::url(label, url))
                .map_err(|_| SendError::Refused("a button's link is not an absolute URL".into())),
        ),
        Button::ShareContact { .. } => None,
    }
}

/// What to do after teloxide's error. Its own text is never shown: it may hold the token, or a person's words.
fn send_error(error: &RequestError) -> SendError {
    match error {
        RequestError::RetryAfter(wait) => SendError::Throttled {
            retry_after: Duration::from_secs(wait.seconds().into()),
        },
        RequestError::Api(ApiError::InvalidToken) => SendError::Unreachable(TOKEN_REFUSED.into()),
        RequestError::Api(ApiError::Unknown(description)) => refusal(description),
        RequestError::Api(known) => refusal(&known.to_string()),
        RequestError::MigrateToChatId(_) => SendError::BadAddress("the chat has moved".into()),
        RequestError::Network(error) => network_error(error),
        // What teloxide cannot read may still be Telegram's.
        RequestError::InvalidJson { raw, .. } => refused_by(raw),
        RequestError::Io(error) => SendError::Unreachable(error.kind().to_string()),
    }
}

/// What came of a message, by Telegram's answer as it stands.
fn read_answer(raw: &str) -> Result<Taken, SendError> {
    #[derive(Deserialize)]
    struct Sent {
        result: SentId,
    }
    match serde_json::from_str::<Sent>(raw) {
        Ok(sent) => Ok(Taken {
            refs: vec![sent.result.message_id.to_string()],
            receipts_follow: false,
        }),
        Err(_) => Err(refused_by(raw)),
    }
}

/// What to do after an answer that is no message.
fn refused_by(raw: &str) -> SendError {
    match serde_json::from_str::<Refusal>(raw) {
        Ok(answer) => match answer.parameters.retry_after {
            Some(seconds) => SendError::Throttled {
                retry_after: Duration::from_secs(seconds),
            },
            None => refusal(&answer.description),
        },
        Err(_) => SendError::Ambiguous(
            "the answer is a proxy's, not Telegram's; if it lasts, check telegram.api_url".into(),
        ),
    }
}

const TOKEN_REFUSED: &str = "Telegram refuses the token: set telegram.token to the one BotFather gave";

#[derive(Deserialize)]
struct Refusal {
    description: String,
    #[serde(default)]
    parameters: RefusalParameters,
}

#[derive(Default, Deserialize)]
struct RefusalParameters {
    retry_after: Option<u64>,
}

/// Telegram's phrases for a chat that this bot cannot write to, as seen in its answers: not all are in its manual.
const BAD_ADDRESS: [&str; 9] = [
    "bot was blocked by the user",
    "user is deactivated",
    "chat not found",
    "user not found",
    "bot can't initiate conversation with a user",
    "bot can't send messages to bots",
    "bots can't send messages to bots",
    "bot was kicked",
    "PEER_ID_INVALID",
];

fn refusal(description: &str) -> SendError {
    let shown = without_personal_data(description);
    if BAD_ADDRESS.iter().any(|phrase| description.contains(phrase)) {
        SendError::BadAddress(shown)
    } else if description.starts_with("Unauthorized") || description.starts_with("Not Found") {
        SendError::Unreachable(TOKEN_REFUSED.into())
    } else if let Some(wait) = description.strip_prefix("Too Many Requests") {
        let digits: String = wait.chars().filter(char::is_ascii_digit).collect();
        SendError::Throttled {
            retry_after: Duration::from_secs(digits.parse().unwrap_or(1)),
        }
    } else if ["Bad Request", "Forbidden", "Request Entity Too Large"]
        .iter()
        .any(|start| description.starts_with(start))
    {
        SendError::Refused(shown)
    } else {
        SendError::Unreachable(shown) // A server error, or something new: worth another try.
    }
}

/// Telegram repeats parts of a message in quotes, and ids as numbers: the text up to the first of them stays.
fn without_personal_data(description: &str) -> String {
    let quote = description.find(['"', '“']).or_else(|| description.find(" '"));
    let text = &description[..quote.unwrap_or(description.len())];
    let is_id = |word: &&str| word.chars().filter(char::is_ascii_digit).count() > 4;
    let words = text.split_whitespace().take_while(|word| !is_id(word)).take(24);
    words.collect::<Vec<_>>().join(" ")
}

fn network_error(error: &reqwest::Error) -> SendError {
    // The outer errors name the URL, which holds the token; the innermost says what went wrong.
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    let reason = cause.map_or_else(|| "the connection broke".to_owned(), ToString::to_string);
    if error.is_connect() || error.is_builder() {
        SendError::Unreachable(reason)
    } else {
        SendError::Ambiguous(reason)
    }
}

#[cfg(test)]
mod tests;
