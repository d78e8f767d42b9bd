//! What each method of the Bot API does here.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State as Shared},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    FAKE_USERNAME, Fake, Fault, SentMessage, State, Webhook, is_number,
    wire::{
        Answer, AnswerTap, GetUpdates, Nested, Parameters, Refusal, SendMessage, SetCommands, SetWebhook,
        whole,
    },
};

/// Telegram's limit for one request.
const BODY_BYTES_MAX: usize = 50 * 1024 * 1024;
/// Telegram holds a long poll this long at most.
const POLL_SECONDS_MAX: i64 = 50;
/// What a PNG file begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Pauses between attempts at a webhook.
const WEBHOOK_PAUSE_MIN: Duration = Duration::from_millis(100);
const WEBHOOK_PAUSE_MAX: Duration = Duration::from_secs(5);

pub(super) async fn answer(Shared(fake): Shared<Arc<Fake>>, request: Request<Body>) -> Response {
    match fake.answer(request).await {
        Ok(result) => {
            let body = format!(r#"{{"ok":true,"result":{result}}}"#);
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

impl Fake {
    async fn answer(&self, request: Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix("/bot");
        let (token, method) = path
            .and_then(|path| path.split_once('/'))
            .ok_or_else(|| Refusal::new(404, "Not Found"))?;
        if token != self.token {
            return Err(wrong_token(token));
        }
        let body = to_bytes(body, BODY_BYTES_MAX)
            .await
            .map_err(|_| Refusal::new(413, "Request Entity Too Large"))?;
        let fault = self.state().fault;
        match fault {
            Fault::Hang => {
                self.stop.cancelled().await;
                return Err(Refusal::new(500, "Internal Server Error"));
            }
            Fault::ServerError => return Err(Refusal::new(500, "Internal Server Error")),
            Fault::None | Fault::TooManyRequests { .. } => {}
        }
        let content_type = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let parameters = Parameters {
            query: head.uri.query(),
            content_type: content_type.unwrap_or_default(),
            body,
        };
        self.call(&method.to_ascii_lowercase(), &parameters).await
    }

    async fn call(&self, method: &str, parameters: &Parameters<'_>) -> Answer {
        match method {
            "sendmessage" => self.send_message(parameters.read()?, None),
            "sendphoto" => self.send_photo(parameters),
            "editmessagetext" => self.edit_message(parameters.read()?),
            "answercallbackquery" => self.answer_tap(&parameters.read()?),
            "getupdates" => self.get_updates(parameters.read()?).await,
            "getme" => Ok(self.bot().to_string()),
            "setmycommands" | "deletemycommands" => Ok(self.set_commands(parameters.read()?)),
            "setwebhook" => self.set_webhook(parameters.read()?),
            "deletewebhook" => {
                self.state().webhook = None;
                Ok("true".into())
            }
            "getwebhookinfo" => Ok(self.webhook_info()),
            _ => Err(Refusal::new(404, "Not Found: method not found")),
        }
    }

    /// A picture by its name, or brought along: then it gets one.
    fn send_photo(&self, parameters: &Parameters<'_>) -> Answer {
        let mut message: SendMessage = parameters.read()?;
        message.check_caption()?;
        let picture = parameters.file("photo");
        if let Some(picture) = &picture {
            if !picture.starts_with(PNG) {
                return Err(Refusal::bad_request("IMAGE_PROCESS_FAILED"));
            }
            message.photo = Some(format!("brought-{}", picture.len()));
        }
        if message.photo.is_none() {
            return Err(Refusal::bad_request("there is no photo in the request"));
        }
        self.send_message(message, picture)
    }

    fn send_message(&self, message: SendMessage, picture: Option<Vec<u8>>) -> Answer {
        let buttons = message.check()?;
        let at = self.now();
        let mut state = self.state();
        self.admit(&mut state, message.chat_id.0, at)?;
        let sent = SentMessage {
            message_id: state.next_message_id(),
            chat_id: message.chat_id.0,
            text: message.text,
            photo: message.photo,
            picture,
            buttons,
            at,
        };
        let answer = self.message_json(&sent);
        self.taken.fetch_add(1, Ordering::Relaxed);
        if self.feed.receiver_count() > 0 {
            // Nobody listens any more: then nobody misses it.
            let _ = self.feed.send(sent.clone());
        }
        if self.options.record {
            state.sent.push(sent);
        }
        Ok(answer)
    }

    fn edit_message(&self, edit: SendMessage) -> Answer {
        let buttons = edit.check()?;
        let id = edit.message_id.map_or(0, |id| id.0);
        let mut state = self.state();
        let is_meant = |sent: &SentMessage| (sent.message_id, sent.chat_id) == (id, edit.chat_id.0);
        let place = state.sent.iter().rposition(is_meant);
        let place = place.ok_or_else(|| Refusal::bad_request("message to edit not found"))?;
        // Telegram counts edits as messages.
        self.admit(&mut state, edit.chat_id.0, self.now())?;
        let sent = &mut state.sent[place];
        sent.text = edit.text;
        sent.buttons = buttons;
        Ok(self.message_json(sent))
    }

    /// Lets a message to the chat pass, or says why not.
    fn admit(&self, state: &mut State, chat_id: i64, at: DateTime<Utc>) -> Result<(), Refusal> {
        if state.blocked.contains(&chat_id) {
            return Err(Refusal::new(403, "Forbidden: bot was blocked by the user"));
        }
        let paced = match state.fault {
            Fault::TooManyRequests { retry_after } => Err(retry_after),
            _ => state.pace(chat_id, at.timestamp_millis(), &self.options),
        };
        paced.map_err(|retry_after| {
            self.throttled.fetch_add(1, Ordering::Relaxed);
            Refusal::too_many_requests(retry_after)
        })
    }

    /// Written by hand: it is the benchmark's hot path.
    fn message_json(&self, sent: &SentMessage) -> String {
        let text = serde_json::to_string(&sent.text).unwrap_or_default();
        format!(
            r#"{{"message_id":{},"from":{{"id":{},"is_bot":true,"first_name":"Weir","username":"{FAKE_USERNAME}"}},"chat":{{"id":{},"type":"private"}},"date":{},"text":{text}}}"#,
            sent.message_id,
            self.bot_id(),
            sent.chat_id,
            sent.at.timestamp(),
        )
    }

    fn answer_tap(&self, answer: &AnswerTap) -> Answer {
        if self.state().open_taps.remove(&answer.callback_query_id) {
            return Ok("true".into());
        }
        Err(Refusal::bad_request(
            "query is too old and response timeout expired or query ID is invalid",
        ))
    }

    /// Forgets what the offset passes, then waits for more.
    async fn get_updates(&self, ask: GetUpdates) -> Answer {
        let seconds = whole(ask.timeout.as_ref(), 0).clamp(0, POLL_SECONDS_MAX);
        let deadline = Instant::now() + Duration::from_secs(seconds.unsigned_abs());
        let limit = whole(ask.limit.as_ref(), 100).clamp(1, 100) as usize;
        let poll = self.begin_poll(whole(ask.offset.as_ref(), 0), ask.allowed_updates)?;
        self.changed.notify_waiters();
        loop {
            let changed = self.changed.notified();
            {
                let state = self.state();
                if state.poll != poll {
                    return Err(Refusal::new(
                        409,
                        "Conflict: terminated by other getUpdates request; make sure that only one bot instance \
                         is running",
                    ));
                }
                if !state.updates.is_empty() {
                    let batch: Vec<&Value> = state.updates.iter().take(limit).collect();
                    return serde_json::to_string(&batch)
                        .map_err(|error| Refusal::new(500, error.to_string()));
                }
            }
            tokio::select! {
                waited = timeout_at(deadline, changed) => if waited.is_err() { return Ok("[]".into()) },
                () = self.stop.cancelled() => return Ok("[]".into()),
            }
        }
    }

    fn begin_poll(&self, offset: i64, allowed_updates: Option<Nested<Vec<String>>>) -> Result<u64, Refusal> {
        let mut state = self.state();
        if state.webhook.is_some() {
            return Err(Refusal::new(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete \
                 the webhook first",
            ));
        }
        if let Some(Nested(allowed)) = allowed_updates {
            state.allowed_updates = allowed;
        }
        if offset < 0 {
            let passed = state.updates.len().saturating_sub(offset.unsigned_abs() as usize);
            state.updates.drain(..passed);
        } else {
            state.updates.retain(|update| update_id(update) >= offset);
        }
        state.poll += 1;
        Ok(state.poll)
    }

    fn set_commands(&self, menu: SetCommands) -> String {
        let chat = menu.scope.and_then(|scope| scope.0.chat_id);
        let whose = match chat {
            Some(chat) => format!("chat {}", chat.0),
            None => menu.language_code.unwrap_or_default(),
        };
        let mut state = self.state();
        match menu.commands {
            Some(commands) => {
                state.commands.insert(whose, commands.0);
            }
            None => {
                state.commands.remove(&whose);
            }
        }
        "true".into()
    }

    fn set_webhook(&self, webhook: SetWebhook) -> Answer {
        let mut state = self.state();
        let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        if webhook.url.is_empty() {
            state.webhook = None;
        } else if webhook.url.starts_with("https://") || loopback.iter().any(|l| webhook.url.starts_with(l)) {
            state.webhook = Some(Webhook {
                url: webhook.url,
                secret: webhook.secret_token,
            });
        } else {
            return Err(Refusal::bad_request(
                "bad webhook: An HTTPS URL must be provided for webhook",
            ));
        }
        if let Some(Nested(allowed)) = webhook.allowed_updates {
            state.allowed_updates = allowed;
        }
        drop(state);
        self.changed.notify_waiters();
        Ok("true".into())
    }

    fn webhook_info(&self) -> String {
        let state = self.state();
        let mut info = json!({
            "url": state.webhook.as_ref().map_or("", |webhook| &webhook.url),
            "has_custom_certificate": false,
            "pending_update_count": state.updates.len(),
        });
        if let Some(error) = &state.webhook_error {
            info["last_error_message"] = error.as_str().into();
        }
        info.to_string()
    }

    /// Brings updates to the webhook one by one, each until it is taken.
    pub(super) async fn push_to_webhook(&self) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build();
        let Ok(client) = client else { return };
        let mut pause = WEBHOOK_PAUSE_MIN;
        loop {
            let changed = self.changed.notified();
            let next = {
                let state = self.state();
                state.webhook.clone().zip(state.updates.front().cloned())
            };
            let Some((webhook, update)) = next else {
                changed.await;
                continue;
            };
            match self.push(&client, &webhook, &update).await {
                Ok(()) => {
                    pause = WEBHOOK_PAUSE_MIN;
                    let mut state = self.state();
                    if let Some(place) = state.updates.iter().position(|kept| *kept == update) {
                        state.updates.remove(place);
                    }
                }
                Err(error) => {
                    self.state().webhook_error = Some(error);
                    sleep(pause).await;
                    pause = (pause * 2).min(WEBHOOK_PAUSE_MAX);
                }
            }
        }
    }

    async fn push(&self, client: &reqwest::Client, webhook: &Webhook, update: &Value) -> Result<(), String> {
        let mut request = client.post(&webhook.url).json(update);
        if let Some(secret) = &webhook.secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        let response = request.send().await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("Wrong response from the webhook: {}", response.status()));
        }
        // A request in the answer is carried out; what comes of it is not told.
        let body = response.bytes().await.unwrap_or_default();
        if let Ok(Value::Object(call)) = serde_json::from_slice::<Value>(&body)
            && let Some(method) = call.get("method").and_then(Value::as_str)
        {
            let parameters = Parameters {
                query: None,
                content_type: "application/json",
                body: body.clone(),
            };
            let _ = self.call(&method.to_ascii_lowercase(), &parameters).await;
        }
        Ok(())
    }
}

/// Telegram tells a token of the right form, which it does not know, from what is no token at all.
fn wrong_token(token: &str) -> Refusal {
    match token.split_once(':') {
        Some((id, secret)) if is_number(id) && !secret.is_empty() => Refusal::new(401, "Unauthorized"),
        _ => Refusal::new(404, "Not Found"),
    }
}

fn update_id(update: &Value) -> i64 {
    update
        .get("update_id")
        .and_then(Value::as_i64)
        .unwrap_or_default()
}
