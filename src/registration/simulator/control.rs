//! The switch of a running simulator, and its hand on the other side.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::client::{Answer, RegistrationError, exchange},
    crowd::{Calmed, Moved, Told},
};

/// How long the simulator is waited for.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_LEN_MAX: usize = 8 * 1024 * 1024;

/// What to change; what is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// What is left of the capacity, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_factor: Option<f64>,
    /// Share of sessions that end in an error, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// Questions about the load stay unanswered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<bool>,
    /// Questions about the load are answered with what was true when this was switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<bool>,
    /// Every answer comes so much later, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u64>,
    /// Strangers who come a second, whom nobody told anything: the everyday, or a rumour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers_per_second: Option<f64>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What is left of the capacity, 0 to 1.
    pub capacity_factor: f64,
    /// Share of sessions that end in an error, 0 to 1.
    pub error_rate: f64,
    /// Questions about the load stay unanswered.
    pub silent: bool,
    /// Questions about the load are answered with an old report.
    pub frozen: bool,
    /// Milliseconds by which every answer is late.
    pub slow_ms: u64,
    /// Strangers who come a second.
    pub strangers_per_second: f64,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            capacity_factor: 1.0,
            error_rate: 0.0,
            silent: false,
            frozen: false,
            slow_ms: 0,
            strangers_per_second: 0.0,
        }
    }
}

impl Condition {
    /// Changes what is to be changed; the error is a sentence.
    pub fn after(self, control: &Control) -> Result<Self, &'static str> {
        const SLOW_MS_MAX: u64 = 60_000;
        const STRANGERS_MAX: f64 = 10_000.0;
        let is_share = |value: Option<f64>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
        if !is_share(control.capacity_factor) {
            return Err("capacity_factor must be from 0 to 1");
        }
        if !is_share(control.error_rate) {
            return Err("error_rate must be from 0 to 1");
        }
        if control.slow_ms.is_some_and(|slow_ms| slow_ms > SLOW_MS_MAX) {
            return Err("slow_ms must be from 0 to 60000");
        }
        if control
            .strangers_per_second
            .is_some_and(|rate| !(0.0..=STRANGERS_MAX).contains(&rate))
        {
            return Err("strangers_per_second must be from 0 to 10000");
        }
        Ok(Self {
            capacity_factor: control.capacity_factor.unwrap_or(self.capacity_factor),
            error_rate: control.error_rate.unwrap_or(self.error_rate),
            silent: control.silent.unwrap_or(self.silent),
            frozen: control.frozen.unwrap_or(self.frozen),
            slow_ms: control.slow_ms.unwrap_or(self.slow_ms),
            strangers_per_second: control.strangers_per_second.unwrap_or(self.strangers_per_second),
        })
    }
}

/// The body of `POST /people`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct People {
    /// Who hears of a window now.
    pub told: Vec<Told>,
    /// Who hears now that it has moved.
    pub moved: Vec<Moved>,
    /// Who hears now that they are to stay calm and to wait.
    pub calmed: Vec<Calmed>,
}

/// Asks a running simulator at `url` how it stands, after changing what is to be changed.
pub async fn control(url: &str, token: Option<&str>, change: &Control) -> Result<Value, RegistrationError> {
    let change = (*change != Control::default()).then_some(change);
    ask(url, "control", token, change).await
}

/// Tells the people of a running simulator at `url` what a channel has just delivered.
pub async fn tell(url: &str, token: Option<&str>, people: &People) -> Result<Value, RegistrationError> {
    ask(url, "people", token, Some(people)).await
}

/// Posts what is given, else gets.
async fn ask(
    url: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&impl Serialize>,
) -> Result<Value, RegistrationError> {
    let address = format!("{}/{path}", url.trim_end_matches('/'));
    let http = reqwest::Client::new();
    let mut request = match body {
        Some(body) => http.post(address).json(body),
        None => http.get(address),
    };
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer: Answer = exchange(request.timeout(CONTROL_TIMEOUT), ANSWER_LEN_MAX).await?;
    match answer.status.as_u16() {
        200 => answer.json(),
        _ => Err(answer.refused()),
    }
}
