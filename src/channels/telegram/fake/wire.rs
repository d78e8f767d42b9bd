//! The Bot API's requests and answers, as they travel.

use axum::{
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use reqwest::Url;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::{Map, Value, json};

use crate::domain::Button;

/// Telegram's limit for one message, in UTF-16 code units.
const TEXT_UNITS_MAX: usize = 4096;
/// Telegram's limit for the text under a picture, in the same units.
const CAPTION_UNITS_MAX: usize = 1024;
/// Telegram's limit for what a button sends back.
const CALLBACK_BYTES_MAX: usize = 64;

/// What a method answers: the result as JSON text, or an error.
pub type Answer = Result<String, Refusal>;

/// An error in Telegram's form.
#[derive(Debug)]
pub struct Refusal {
    code: u16,
    description: String,
    retry_after: Option<u64>,
}

impl Refusal {
    pub fn new(code: u16, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            retry_after: None,
        }
    }

    pub fn bad_request(what: &str) -> Self {
        Self::new(400, format!("Bad Request: {what}"))
    }

    pub fn too_many_requests(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, format!("Too Many Requests: retry after {retry_after}"))
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = json!({ "ok": false, "error_code": self.code, "description": self.description });
        if let Some(seconds) = self.retry_after {
            body["parameters"] = json!({ "retry_after": seconds });
        }
        (status, axum::Json(body)).into_response()
    }
}

/// sendMessage, editMessageText with an id, and sendPhoto by the name of a picture.
#[derive(Deserialize)]
pub struct SendMessage {
    pub chat_id: Whole,
    pub message_id: Option<Whole>,
    #[serde(default, alias = "caption")]
    pub text: String,
    pub photo: Option<String>,
    reply_markup: Option<Nested<Markup>>,
}

impl SendMessage {
    /// Says why Telegram would not take the text under a picture.
    pub fn check_caption(&self) -> Result<(), Refusal> {
        if self.text.encode_utf16().count() > CAPTION_UNITS_MAX {
            return Err(Refusal::bad_request("message caption is too long"));
        }
        Ok(())
    }

    /// Says why Telegram would not take the message, or which buttons it shows.
    pub fn check(&self) -> Result<Vec<Vec<Button>>, Refusal> {
        if self.chat_id.0 <= 0 {
            return Err(Refusal::bad_request("chat not found"));
        }
        if self.text.trim().is_empty() {
            return Err(Refusal::bad_request("message text is empty"));
        }
        if self.text.len() > TEXT_UNITS_MAX && self.text.encode_utf16().count() > TEXT_UNITS_MAX {
            return Err(Refusal::bad_request("message is too long"));
        }
        let Some(Nested(markup)) = &self.reply_markup else {
            return Ok(Vec::new());
        };
        let rows = markup.inline_keyboard.iter().chain(&markup.keyboard).flatten();
        rows.map(|row| row.iter().map(|key| key.button(markup)).collect())
            .collect()
    }
}

#[derive(Deserialize)]
struct Markup {
    inline_keyboard: Option<Vec<Vec<Key>>>,
    keyboard: Option<Vec<Vec<Key>>>,
}

#[derive(Deserialize)]
struct Key {
    text: String,
    callback_data: Option<String>,
    url: Option<String>,
    #[serde(default)]
    request_contact: bool,
}

impl Key {
    fn button(&self, markup: &Markup) -> Result<Button, Refusal> {
        let label = self.text.clone();
        if label.is_empty() {
            return Err(Refusal::bad_request("BUTTON_TEXT_INVALID"));
        }
        match (&self.callback_data, &self.url) {
            (Some(data), _) if data.is_empty() || data.len() > CALLBACK_BYTES_MAX => {
                Err(Refusal::bad_request("BUTTON_DATA_INVALID"))
            }
            (Some(data), _) => Ok(Button::Choice {
                label,
                data: data.clone(),
            }),
            (None, Some(url)) => Ok(Button::Link {
                label,
                url: url.clone(),
            }),
            (None, None) if self.request_contact => Ok(Button::ShareContact { label }),
            (None, None) if markup.keyboard.is_some() => Ok(Button::Choice {
                data: label.clone(),
                label,
            }),
            (None, None) => Err(Refusal::bad_request(
                "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
            )),
        }
    }
}

#[derive(Deserialize)]
pub struct AnswerTap {
    pub callback_query_id: String,
}

#[derive(Deserialize)]
pub struct GetUpdates {
    pub offset: Option<Whole>,
    pub limit: Option<Whole>,
    pub timeout: Option<Whole>,
    pub allowed_updates: Option<Nested<Vec<String>>>,
}

#[derive(Deserialize)]
pub struct SetCommands {
    /// None: the menu is taken away.
    pub commands: Option<Nested<Value>>,
    pub scope: Option<Nested<Scope>>,
    pub language_code: Option<String>,
}

#[derive(Deserialize)]
pub struct SetWebhook {
    #[serde(default)]
    pub url: String,
    pub secret_token: Option<String>,
    pub allowed_updates: Option<Nested<Vec<String>>>,
}

/// Whose menu it is: a chat's own, or everybody's.
#[derive(Deserialize)]
pub struct Scope {
    pub chat_id: Option<Whole>,
}

/// A whole number, which forms carry as text.
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => text.trim().parse().map(Self).map_err(D::Error::custom),
        }
    }
}

/// The number, or what Telegram takes where it is left out.
pub fn whole(number: Option<&Whole>, default: i64) -> i64 {
    number.map_or(default, |number| number.0)
}

/// An object or a list, which forms carry as JSON text.
pub struct Nested<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::String(text) => serde_json::from_str(&text).map_err(D::Error::custom)?,
            value => value,
        };
        serde_json::from_value(value).map(Self).map_err(D::Error::custom)
    }
}

/// A method's parameters, in any of the forms that Telegram reads.
pub struct Parameters<'a> {
    pub query: Option<&'a str>,
    pub content_type: &'a str,
    pub body: Bytes,
}

impl Parameters<'_> {
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let unreadable = |error: serde_json::Error| Refusal::bad_request(&format!("can't parse: {error}"));
        if self.content_type.starts_with("application/json") && !self.body.is_empty() {
            return serde_json::from_slice(&self.body).map_err(unreadable);
        }
        let mut fields = form_fields(self.query.unwrap_or_default());
        let body = String::from_utf8_lossy(&self.body);
        if self.content_type.starts_with("application/x-www-form-urlencoded") {
            fields.extend(form_fields(&body));
        }
        for part in self.parts().into_iter().filter(|part| !part.is_file) {
            let value = String::from_utf8_lossy(part.value).into_owned();
            fields.insert(part.name, value.into());
        }
        serde_json::from_value(Value::Object(fields)).map_err(unreadable)
    }

    /// A file of a multipart form.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        let mut parts = self.parts().into_iter();
        let part = parts.find(|part| part.is_file && part.name == name)?;
        Some(part.value.to_vec())
    }

    /// The parts of a multipart form; none where it is none.
    fn parts(&self) -> Vec<Part<'_>> {
        let Some((_, boundary)) = self.content_type.split_once("boundary=") else {
            return Vec::new();
        };
        let boundary = format!("--{}", boundary.trim_matches('"'));
        let mut parts = Vec::new();
        let mut rest: &[u8] = &self.body;
        while let Some(end) = find(rest, boundary.as_bytes()) {
            parts.extend(Part::read(&rest[..end]));
            rest = &rest[end + boundary.len()..];
        }
        parts
    }
}

/// One part of a multipart form.
struct Part<'a> {
    name: String,
    is_file: bool,
    value: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Option<Self> {
        const BLANK: &[u8] = b"\r\n\r\n";
        let head = find(part, BLANK)?;
        let value = &part[head + BLANK.len()..];
        let head = String::from_utf8_lossy(&part[..head]);
        let (_, name) = head.split_once(" name=\"")?;
        let (name, _) = name.split_once('"')?;
        Some(Self {
            name: name.to_owned(),
            is_file: head.contains(" filename=\""),
            value: value.strip_suffix(b"\r\n").unwrap_or(value),
        })
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn form_fields(text: &str) -> Map<String, Value> {
    let Ok(mut url) = Url::parse("http://form/") else {
        return Map::new();
    };
    url.set_query(Some(text));
    let pairs = url.query_pairs();
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect()
}
