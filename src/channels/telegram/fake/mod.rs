//! A Bot API to try and test against: Telegram's protocol over a real socket, with its limits, its errors
//! and its long polls, and with people who write, tap and block the bot.

mod methods;
mod wire;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, serve::ListenerExt};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, broadcast},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, domain::Button};

/// The fake bot's user name.
pub const FAKE_USERNAME: &str = "weir_fake_bot";
/// Sent messages that a slow subscriber may lag behind before it misses some.
const FEED_LEN_MAX: usize = 1024;
/// Chats whose pace is remembered before those long silent are forgotten.
const PACED_CHATS_MAX: usize = 100_000;
const SECOND_MS: i64 = 1000;

/// What a fake enforces and keeps.
#[derive(Clone, Debug)]
pub struct FakeOptions {
    /// Dates messages and measures the limits.
    pub clock: Clock,
    /// Messages in any one second over all chats; more are answered with 429.
    pub messages_per_second: Option<u32>,
    /// Messages in any one second to one chat; more are answered with 429.
    pub messages_per_second_per_chat: Option<u32>,
    /// Keep every message for [`FakeBotApi::sent`]; otherwise they are only counted.
    pub record: bool,
}

impl FakeOptions {
    /// No limits; everything is kept.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            messages_per_second: None,
            messages_per_second_per_chat: None,
            record: true,
        }
    }
}

/// What is wrong with the fake at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Everything is answered with 500.
    ServerError,
    /// Everything is taken and nothing answered.
    Hang,
    /// Messages are answered with 429.
    TooManyRequests {
        /// Seconds that it asks to wait.
        retry_after: u64,
    },
}

/// A message that the bot sent. Fake people only: it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The id that the bot was told.
    pub message_id: i64,
    /// To whom.
    pub chat_id: i64,
    /// What it says.
    pub text: String,
    /// The name of the picture above it.
    pub photo: Option<String>,
    /// The picture itself, where it was brought with the message.
    pub picture: Option<Vec<u8>>,
    /// What can be tapped; a plain key is a choice that sends its label.
    pub buttons: Vec<Vec<Button>>,
    /// When it was taken, by the fake's clock.
    pub at: DateTime<Utc>,
}

/// A running fake. Clones share it; it ends with the last, or when told to stop.
#[derive(Clone, Debug)]
pub struct FakeBotApi {
    fake: Arc<Fake>,
    address: SocketAddr,
    _tasks: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Fake {
    token: String,
    options: FakeOptions,
    state: Mutex<State>,
    taken: AtomicU64,
    throttled: AtomicU64,
    feed: broadcast::Sender<SentMessage>,
    /// Fired when updates, polls or the webhook change.
    changed: Notify,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    fault: Fault,
    sent: Vec<SentMessage>,
    message_id: i64,
    pace: VecDeque<i64>,
    pace_by_chat: HashMap<i64, VecDeque<i64>>,
    people: HashMap<i64, Person>,
    blocked: HashSet<i64>,
    update_id: i64,
    /// Kept until an offset passes them, or the webhook takes them.
    updates: VecDeque<Value>,
    allowed_updates: Vec<String>,
    open_taps: HashSet<String>,
    /// Counts polls: a new one ends the one before it.
    poll: u64,
    webhook: Option<Webhook>,
    webhook_error: Option<String>,
    commands: HashMap<String, Value>,
}

#[derive(Clone, Debug)]
struct Person {
    language_code: String,
    first_name: String,
}

#[derive(Clone, Debug)]
struct Webhook {
    url: String,
    secret: Option<String>,
}

impl FakeBotApi {
    /// Listens on `addr` (port 0 takes a free one) for the bot with this token.
    pub async fn start(
        addr: SocketAddr,
        token: &str,
        options: FakeOptions,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let address = listener.local_addr()?;
        let fake = Arc::new(Fake {
            token: token.to_owned(),
            options,
            state: Mutex::default(),
            taken: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            feed: broadcast::channel(FEED_LEN_MAX).0,
            changed: Notify::new(),
            stop: stop.clone(),
        });
        let listener = listener.tap_io(|stream| {
            // Without it answers still come, only later.
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new()
            .fallback(methods::answer)
            .with_state(Arc::clone(&fake));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let stop = stop.clone();
            async move {
                let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
                // axum's server ends without an error when told to stop, and never before.
                let _ = server.await;
            }
        });
        let pusher = Arc::clone(&fake);
        tasks.spawn(async move {
            stop.run_until_cancelled(pusher.push_to_webhook()).await;
        });
        Ok(Self {
            fake,
            address,
            _tasks: Arc::new(tasks),
        })
    }

    /// What `telegram.api_url` is to be.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every message taken so far, in order; none without [`FakeOptions::record`].
    pub fn sent(&self) -> Vec<SentMessage> {
        self.fake.state().sent.clone()
    }

    /// How many messages were taken.
    pub fn count(&self) -> u64 {
        self.fake.taken.load(Ordering::Relaxed)
    }

    /// How many messages were answered with 429.
    pub fn throttled(&self) -> u64 {
        self.fake.throttled.load(Ordering::Relaxed)
    }

    /// Messages as they are taken from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<SentMessage> {
        self.fake.feed.subscribe()
    }

    /// Breaks or mends the fake. Requests that hang keep hanging.
    pub fn set_fault(&self, fault: Fault) {
        self.fake.state().fault = fault;
    }

    /// The bot's menu for a language code, or with `""` for all others, or for `chat ID` alone, as it was set.
    pub fn commands(&self, language_code: &str) -> Option<Value> {
        self.fake.state().commands.get(language_code).cloned()
    }

    /// Updates that the bot has not acknowledged.
    pub fn pending_updates(&self) -> usize {
        self.fake.state().updates.len()
    }

    /// Taps whose query the bot has not answered.
    pub fn open_taps(&self) -> usize {
        self.fake.state().open_taps.len()
    }

    /// A person writes. Like all that people do, it gives the update, to bring again as a duplicate.
    pub fn user_says(&self, chat_id: i64, language_code: &str, first_name: &str, text: &str) -> Value {
        let person = Person {
            language_code: language_code.to_owned(),
            first_name: first_name.to_owned(),
        };
        self.fake.state().people.insert(chat_id, person);
        let mut message = self.message(chat_id, true);
        message["text"] = text.into();
        if text.starts_with('/') {
            let length = text
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .encode_utf16()
                .count();
            message["entities"] = json!([{ "type": "bot_command", "offset": 0, "length": length }]);
        }
        self.deliver_raw_update(json!({ "message": message }))
    }

    /// A person sends a photo, which Telegram offers in two sizes.
    pub fn user_sends_photo(&self, chat_id: i64, file_id: &str) -> Value {
        let mut message = self.message(chat_id, true);
        message["photo"] = json!([
            { "file_id": format!("{file_id}-small"), "file_unique_id": "s", "width": 90, "height": 60 },
            { "file_id": file_id, "file_unique_id": "l", "width": 1280, "height": 853 },
        ]);
        self.deliver_raw_update(json!({ "message": message }))
    }

    /// A person replies to a message that the bot has sent.
    pub fn user_replies(&self, chat_id: i64, message_id: i64, text: &str) -> Value {
        let mut answered = self.message(chat_id, false);
        answered["message_id"] = message_id.into();
        let mut message = self.message(chat_id, true);
        message["text"] = text.into();
        message["reply_to_message"] = answered;
        self.deliver_raw_update(json!({ "message": message }))
    }

    /// A person taps a button that sends `data` back.
    pub fn user_taps(&self, chat_id: i64, data: &str) -> Value {
        let mut message = self.message(chat_id, false);
        message["text"] = "…".into();
        let query = format!("{chat_id}{}", message["message_id"]);
        self.fake.state().open_taps.insert(query.clone());
        self.deliver_raw_update(json!({ "callback_query": {
            "id": query, "from": self.user(chat_id), "message": message, "chat_instance": "1", "data": data,
        } }))
    }

    /// A person taps a button under a message that the bot has sent.
    pub fn user_taps_under(&self, chat_id: i64, message_id: i64, data: &str) -> Value {
        let mut message = self.message(chat_id, false);
        message["text"] = "…".into();
        message["message_id"] = message_id.into();
        let query = format!("{chat_id}u{message_id}{data}");
        self.fake.state().open_taps.insert(query.clone());
        self.deliver_raw_update(json!({ "callback_query": {
            "id": query, "from": self.user(chat_id), "message": message, "chat_instance": "1", "data": data,
        } }))
    }

    /// A person sends a contact card; `own` as Telegram's own-contact button does.
    pub fn user_shares_contact(&self, chat_id: i64, phone: &str, own: bool) -> Value {
        let mut message = self.message(chat_id, true);
        message["contact"] = json!({ "phone_number": phone, "first_name": "…" });
        if own {
            message["contact"]["user_id"] = chat_id.into();
        }
        self.deliver_raw_update(json!({ "message": message }))
    }

    /// A person blocks the bot: it is told, and its messages are refused from now on.
    pub fn user_blocks(&self, chat_id: i64) -> Value {
        self.fake.state().blocked.insert(chat_id);
        self.membership(chat_id, "member", "kicked")
    }

    /// A person lets the bot in again.
    pub fn user_unblocks(&self, chat_id: i64) -> Value {
        self.fake.state().blocked.remove(&chat_id);
        self.membership(chat_id, "kicked", "member")
    }

    /// Brings any update, hostile ones and duplicates too; without `update_id` it gets the next.
    pub fn deliver_raw_update(&self, mut update: Value) -> Value {
        let mut state = self.fake.state();
        if update.get("update_id").is_none() {
            state.update_id += 1;
            update["update_id"] = state.update_id.into();
        }
        let known = ["message", "callback_query", "my_chat_member"];
        let unwanted = |kind: &&str| update.get(*kind).is_some() && !state.allows(kind);
        if !known.iter().any(unwanted) {
            state.updates.push_back(update.clone());
        }
        drop(state);
        self.fake.changed.notify_waiters();
        update
    }

    fn membership(&self, chat_id: i64, before: &str, after: &str) -> Value {
        let bot = self.fake.bot();
        let member = |status: &str| json!({ "user": bot, "status": status, "until_date": 0 });
        self.deliver_raw_update(json!({ "my_chat_member": {
            "chat": chat(chat_id), "from": self.user(chat_id), "date": self.fake.now().timestamp(),
            "old_chat_member": member(before), "new_chat_member": member(after),
        } }))
    }

    fn message(&self, chat_id: i64, from_user: bool) -> Value {
        let from = if from_user {
            self.user(chat_id)
        } else {
            self.fake.bot()
        };
        let message_id = self.fake.state().next_message_id();
        let date = self.fake.now().timestamp();
        json!({ "message_id": message_id, "from": from, "chat": chat(chat_id), "date": date })
    }

    fn user(&self, chat_id: i64) -> Value {
        let mut user = json!({ "id": chat_id, "is_bot": false, "first_name": "…" });
        if let Some(person) = self.fake.state().people.get(&chat_id) {
            user["first_name"] = person.first_name.as_str().into();
            user["language_code"] = person.language_code.as_str().into();
        }
        user
    }
}

fn chat(chat_id: i64) -> Value {
    json!({ "id": chat_id, "type": "private" })
}

impl State {
    fn next_message_id(&mut self) -> i64 {
        self.message_id += 1;
        self.message_id
    }

    fn allows(&self, kind: &str) -> bool {
        self.allowed_updates.is_empty() || self.allowed_updates.iter().any(|allowed| allowed == kind)
    }

    /// Takes one place in the last second, or says how many seconds until there is one.
    fn pace(&mut self, chat_id: i64, now_ms: i64, options: &FakeOptions) -> Result<(), u64> {
        if self.pace_by_chat.len() > PACED_CHATS_MAX {
            self.pace_by_chat
                .retain(|_, times| times.back().is_some_and(|at| at + SECOND_MS > now_ms));
        }
        let chat = options
            .messages_per_second_per_chat
            .map(|limit| (limit, self.pace_by_chat.entry(chat_id).or_default()));
        let all = options.messages_per_second.map(|limit| (limit, &mut self.pace));
        let mut lanes: Vec<_> = chat.into_iter().chain(all).collect();
        for (limit, times) in &mut lanes {
            while times.front().is_some_and(|at| at + SECOND_MS <= now_ms) {
                times.pop_front();
            }
            if times.len() >= *limit as usize {
                let free_at = times.front().map_or(now_ms, |at| at + SECOND_MS);
                return Err((free_at - now_ms)
                    .max(1)
                    .unsigned_abs()
                    .div_ceil(SECOND_MS as u64));
            }
        }
        for (_, times) in &mut lanes {
            times.push_back(now_ms);
        }
        Ok(())
    }
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> DateTime<Utc> {
        self.options.clock.now()
    }

    fn bot_id(&self) -> &str {
        let id = self.token.split(':').next().unwrap_or_default();
        if is_number(id) { id } else { "1" }
    }

    fn bot(&self) -> Value {
        json!({
            "id": self.bot_id().parse::<i64>().unwrap_or(1),
            "is_bot": true,
            "first_name": "Weir",
            "username": FAKE_USERNAME,
            "can_join_groups": false,
            "can_read_all_group_messages": false,
            "supports_inline_queries": false,
            "can_connect_to_business": false,
            "has_main_web_app": false,
        })
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit())
}
