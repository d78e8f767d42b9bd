//! The client of the registration system: time-outs, a breaker, small caches, and errors that say what to do next.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use secrecy::{ExposeSecret, SecretString};

use super::{
    breaker::{Breaker, BreakerParams},
    feed::{LoadFeed, LoadReading},
    prometheus::{PrometheusReader, Scraped},
    wire::{IDEMPOTENCY_KEY, LoadReport, ProofEntry, Registered, Registration, RegistrationBody},
};
use crate::{config::RegistrationConfig, domain::Proof};

/// The load is waited for no longer, so that one lost answer is not yet silence.
const LOAD_TIMEOUT_MAX: Duration = Duration::from_secs(4);
/// The load is asked for at most so often: a little less than the reports' period of 5 s, so that whoever asks every
/// 5 s is never given the same one twice.
const LOAD_CACHE: TimeDelta = TimeDelta::milliseconds(4500);
/// A person's proofs are asked for at most so often.
const PROOFS_CACHE: TimeDelta = TimeDelta::seconds(30);
/// People whose proofs are kept at once.
const PROOFS_CACHE_LEN_MAX: usize = 10_000;
/// The longest answer read of the contract's own.
const ANSWER_LEN_MAX: usize = 64 * 1024;
/// The longest text of metrics read.
const METRICS_LEN_MAX: usize = 2 * 1024 * 1024;
/// How long to wait where the system says nothing of it.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);
/// The longest that it is believed to mean.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// The breaker for people's calls.
const CALLS_BREAKER: BreakerParams = BreakerParams {
    failures_max: 5,
    open_min: TimeDelta::seconds(5),
    open_max: TimeDelta::seconds(60),
    probe_max: TimeDelta::seconds(60),
};
/// The load has its own: calls that fail under overload must not make the pace blind, and it is worth asking often.
const LOAD_BREAKER: BreakerParams = BreakerParams {
    failures_max: 3,
    open_min: TimeDelta::seconds(4),
    open_max: TimeDelta::seconds(8),
    probe_max: TimeDelta::seconds(8),
};

/// Why there is no load yet where counters were read for the first time.
pub const RATES_COME_NEXT: &str = "it was counted once, and rates come with the second time";

/// Why there is no answer, by what to do next. Holds no personal datum and no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The setting is missing: nothing was asked. An operator must set it.
    #[error("{0} is not set")]
    NotSet(&'static str),
    /// Ask again after this, the same with the same idempotency key: what was asked may have been done.
    #[error("the registration system is not available: {reason}; try again in {} s", retry_after.as_secs_f64().ceil())]
    Unavailable {
        /// How long to leave it alone.
        retry_after: Duration,
        /// What happened.
        reason: &'static str,
    },
    /// It will answer the same again: do not repeat this call as it is.
    #[error("the registration system refused with {code}: {}", refusal(*code))]
    Refused {
        /// The HTTP status.
        code: u16,
    },
    /// It does not know the person.
    #[error("the registration system does not know the person")]
    Unknown,
    /// What came back is no answer of the contract: nothing may be concluded from it.
    #[error("the registration system's answer cannot be used: {0}")]
    BadAnswer(String),
}

/// What an operator does about a status.
fn refusal(code: u16) -> &'static str {
    match code {
        300..=399 => "it redirects, which is not followed; set the address to where it leads",
        401 | 403 => "look at registration.token",
        404 | 405 => "it does not speak the contract at this address; look at registration.url",
        _ => "it does not accept what it was given",
    }
}

/// Speaks to the registration system. Clones share breakers and caches.
#[derive(Clone, Debug)]
pub struct RegistrationClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    base: Option<Url>,
    metrics_url: Option<Url>,
    token: Option<SecretString>,
    timeout: Duration,
    calls: Mutex<Breaker>,
    load_breaker: Mutex<Breaker>,
    feed: Mutex<LoadFeed>,
    /// Held while the load is asked for, so that several askers share one request.
    asking: tokio::sync::Mutex<Asking>,
    proofs: Mutex<ProofsCache>,
}

#[derive(Debug)]
struct Asking {
    last: Option<(DateTime<Utc>, Result<(), RegistrationError>)>,
    reader: PrometheusReader,
}

/// An answer that came whole.
pub(super) struct Answer {
    pub status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl RegistrationClient {
    /// None where neither `registration.url` nor `registration.metrics_url` is set. The error names the setting that
    /// cannot be used.
    pub fn new(config: &RegistrationConfig) -> Result<Option<Self>, String> {
        if config.url.is_none() && config.metrics_url.is_none() {
            return Ok(None);
        }
        let address = |name: &str, text: &Option<String>| {
            let read = text.as_ref().map(|text| Url::parse(text)).transpose();
            read.map_err(|_| format!("{name} is no address"))
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead the token, or a person's data, elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(config.timeout)
            .timeout(config.timeout)
            .build()
            .map_err(|_| "the HTTP client could not be set up".to_owned())?;
        Ok(Some(Self {
            shared: Arc::new(Shared {
                http,
                base: address("registration.url", &config.url)?,
                metrics_url: address("registration.metrics_url", &config.metrics_url)?,
                token: config.token.clone(),
                timeout: config.timeout,
                calls: Mutex::new(Breaker::new(CALLS_BREAKER)),
                load_breaker: Mutex::new(Breaker::new(LOAD_BREAKER)),
                feed: Mutex::default(),
                asking: tokio::sync::Mutex::new(Asking {
                    last: None,
                    reader: PrometheusReader::new(config.metrics.clone()),
                }),
                proofs: Mutex::default(),
            }),
        }))
    }

    /// Asks for the load, at most once in 4.5 s: who asks sooner gets the last answer, as no news. An error says that
    /// this time there was none; [`Self::latest_load`] still has the last sample, with its age.
    pub async fn load(&self, now: DateTime<Utc>) -> Result<LoadReading, RegistrationError> {
        let mut asking = self.shared.asking.lock().await;
        if let Some((at, outcome)) = &asking.last
            && (now - at).abs() < LOAD_CACHE
        {
            outcome.clone()?;
            return self.reading(now, false);
        }
        let started = Instant::now();
        let outcome = self.ask_load(&mut asking.reader, now).await;
        let taken = outcome.and_then(|report| match report {
            Some(report) => self.take(&report, later(now, started)),
            None => Ok(false),
        });
        asking.last = Some((now, taken.clone().map(|_| ())));
        self.reading(later(now, started), taken?)
    }

    /// The latest sample and its age, without asking. None if there never was one.
    pub fn latest_load(&self, now: DateTime<Utc>) -> Option<(crate::domain::LoadSample, Duration)> {
        lock(&self.shared.feed).latest(now)
    }

    /// A person's tests, the newest first; kept for 30 s.
    pub async fn proofs(&self, reference: &str, now: DateTime<Utc>) -> Result<Vec<Proof>, RegistrationError> {
        if let Some(known) = lock(&self.shared.proofs).get(reference, now) {
            return Ok(known);
        }
        // As path segments these would mean another path.
        if matches!(reference, "" | "." | "..") {
            return Err(RegistrationError::Unknown);
        }
        let request = self.request(Method::GET, &["v1", "people", reference, "proofs"])?;
        let answer = self.call(request, now).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(RegistrationError::Unknown),
            _ => return Err(answer.refused()),
        }
        let entries: Vec<ProofEntry> = answer.json()?;
        let mut proofs: Vec<Proof> = entries.iter().map(ProofEntry::proof).collect();
        proofs.sort_by_key(|proof| std::cmp::Reverse(proof.sampled_at));
        lock(&self.shared.proofs).put(reference, proofs.clone(), now);
        Ok(proofs)
    }

    /// Registers somebody. The key makes a repeat harmless: the same registration always has the same key.
    pub async fn register(
        &self,
        registration: &Registration,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Registered, RegistrationError> {
        let request = self
            .request(Method::POST, &["v1", "registrations"])?
            .header(IDEMPOTENCY_KEY, key)
            .json(&RegistrationBody::from(registration));
        let answer = self.call(request, now).await?;
        match answer.status {
            StatusCode::CREATED => Ok(Registered::New),
            StatusCode::OK => Ok(Registered::Known),
            _ => Err(answer.refused()),
        }
    }

    fn reading(&self, now: DateTime<Utc>, is_new: bool) -> Result<LoadReading, RegistrationError> {
        let (sample, age) = self.latest_load(now).ok_or(RegistrationError::Unavailable {
            retry_after: RETRY_AFTER_DEFAULT,
            reason: RATES_COME_NEXT,
        })?;
        Ok(LoadReading { sample, age, is_new })
    }

    fn take(&self, report: &LoadReport, now: DateTime<Utc>) -> Result<bool, RegistrationError> {
        let sample = report.sample().map_err(RegistrationError::BadAnswer)?;
        lock(&self.shared.feed)
            .take(sample, now)
            .map_err(|reason| RegistrationError::BadAnswer(reason.into()))
    }

    /// None where counters were read for the first time, or nothing is new.
    async fn ask_load(
        &self,
        reader: &mut PrometheusReader,
        now: DateTime<Utc>,
    ) -> Result<Option<LoadReport>, RegistrationError> {
        let shared = &self.shared;
        let timeout = shared.timeout.min(LOAD_TIMEOUT_MAX);
        let Some(url) = &shared.metrics_url else {
            let request = self.request(Method::GET, &["v1", "load"])?.timeout(timeout);
            let answer = self
                .ask(request, &shared.load_breaker, ANSWER_LEN_MAX, now)
                .await?;
            return match answer.status {
                StatusCode::OK => answer.json().map(Some),
                _ => Err(answer.refused()),
            };
        };
        let request = shared.http.get(url.clone()).timeout(timeout);
        let started = Instant::now();
        let answer = self
            .ask(request, &shared.load_breaker, METRICS_LEN_MAX, now)
            .await?;
        if answer.status != StatusCode::OK {
            return Err(answer.refused());
        }
        let scraped = reader.read(answer.text()?, later(now, started));
        match scraped.map_err(RegistrationError::BadAnswer)? {
            Scraped::Report(report) => Ok(Some(report)),
            Scraped::First | Scraped::Same => Ok(None),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, RegistrationError> {
        let shared = &self.shared;
        let mut url = shared
            .base
            .clone()
            .ok_or(RegistrationError::NotSet("registration.url"))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = shared.http.request(method, url);
        Ok(match &shared.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        })
    }

    async fn call(&self, request: RequestBuilder, now: DateTime<Utc>) -> Result<Answer, RegistrationError> {
        self.ask(request, &self.shared.calls, ANSWER_LEN_MAX, now).await
    }

    /// Sends a request if the breaker admits it. What comes back is an answer to be read, of whatever status but
    /// 429 and 5xx.
    async fn ask(
        &self,
        request: RequestBuilder,
        breaker: &Mutex<Breaker>,
        len_max: usize,
        now: DateTime<Utc>,
    ) -> Result<Answer, RegistrationError> {
        let started = Instant::now();
        let admitted = lock(breaker).admit(now);
        admitted.map_err(|wait| RegistrationError::Unavailable {
            retry_after: wait.to_std().unwrap_or_default(),
            reason: "it failed several times running, and is left alone for a while",
        })?;
        let outcome = exchange(request, len_max).await;
        let mut breaker = lock(breaker);
        let retry_after = match &outcome {
            Ok(answer) => answer.retry_after.unwrap_or(RETRY_AFTER_DEFAULT),
            Err(_) => RETRY_AFTER_DEFAULT,
        };
        let failed = |reason| RegistrationError::Unavailable { retry_after, reason };
        match outcome {
            Ok(answer) if answer.status.is_server_error() => {
                breaker.failed(later(now, started));
                Err(failed("it says that it cannot answer now"))
            }
            Err(RegistrationError::Unavailable { reason, .. }) => {
                breaker.failed(later(now, started));
                Err(failed(reason))
            }
            Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                breaker.succeeded();
                Err(failed("it is asked too much at present"))
            }
            other => {
                breaker.succeeded();
                other
            }
        }
    }
}

/// `now` was read when `started` was; calls take time.
fn later(now: DateTime<Utc>, started: Instant) -> DateTime<Utc> {
    now + TimeDelta::from_std(started.elapsed()).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request and its whole answer. The libraries' errors hold the address, and so a person's id: they end here.
pub(super) async fn exchange(request: RequestBuilder, len_max: usize) -> Result<Answer, RegistrationError> {
    let unavailable = |error: &reqwest::Error| RegistrationError::Unavailable {
        retry_after: RETRY_AFTER_DEFAULT,
        reason: if error.is_timeout() {
            "it does not answer in time"
        } else if error.is_connect() {
            "no connection can be made"
        } else {
            "the connection broke"
        },
    };
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_builder() => return Err(RegistrationError::Refused { code: 400 }),
        Err(error) => return Err(unavailable(&error)),
    };
    let mut answer = Answer {
        status: response.status(),
        retry_after: retry_after(response.headers()),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error))? {
        if answer.body.len() + chunk.len() > len_max {
            return Err(RegistrationError::BadAnswer(format!(
                "it is longer than {} KiB",
                len_max / 1024
            )));
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// Seconds; a date is not read, for it would need the system's clock.
fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

impl Answer {
    fn text(&self) -> Result<&str, RegistrationError> {
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| RegistrationError::BadAnswer("it is not UTF-8".into()))?;
        if text.trim_start().starts_with('<') {
            return Err(RegistrationError::BadAnswer(
                "it is a page for people, perhaps one to log in".into(),
            ));
        }
        Ok(text)
    }

    /// What a parser says may quote the answer, so it is not passed on.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, RegistrationError> {
        serde_json::from_str(self.text()?).map_err(|error| {
            RegistrationError::BadAnswer(format!(
                "it is not the contract's JSON, at line {} column {}",
                error.line(),
                error.column()
            ))
        })
    }

    pub fn refused(&self) -> RegistrationError {
        match self.status.as_u16() {
            code @ 300.. => RegistrationError::Refused { code },
            code => RegistrationError::BadAnswer(format!("its status is {code}")),
        }
    }
}

/// What was asked of late. All are kept equally long, so the oldest is the first to go.
#[derive(Debug, Default)]
struct ProofsCache {
    by_reference: HashMap<String, (DateTime<Utc>, Vec<Proof>)>,
    in_order: VecDeque<(DateTime<Utc>, String)>,
}

impl ProofsCache {
    fn get(&mut self, reference: &str, now: DateTime<Utc>) -> Option<Vec<Proof>> {
        self.forget(now, PROOFS_CACHE_LEN_MAX);
        let (_, proofs) = self.by_reference.get(reference)?;
        Some(proofs.clone())
    }

    fn put(&mut self, reference: &str, proofs: Vec<Proof>, now: DateTime<Utc>) {
        self.forget(now, PROOFS_CACHE_LEN_MAX - 1);
        self.in_order.push_back((now, reference.to_owned()));
        self.by_reference.insert(reference.to_owned(), (now, proofs));
    }

    /// Forgets what is too old, and the oldest beyond `len_max`.
    fn forget(&mut self, now: DateTime<Utc>, len_max: usize) {
        while let Some((at, _)) = self.in_order.front()
            && ((now - at).abs() >= PROOFS_CACHE || self.in_order.len() > len_max)
        {
            let Some((at, reference)) = self.in_order.pop_front() else {
                return;
            };
            // It may have been asked for again meanwhile.
            if self
                .by_reference
                .get(&reference)
                .is_some_and(|(put_at, _)| *put_at == at)
            {
                self.by_reference.remove(&reference);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_kept_for_half_a_minute_and_never_too_many() {
        let at = |second: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second);
        let mut cache = ProofsCache::default();
        cache.put("a", Vec::new(), at(0));
        cache.put("a", Vec::new(), at(20));
        assert!(cache.get("a", at(49)).is_some());
        assert!(cache.get("a", at(50)).is_none());
        for number in 0..PROOFS_CACHE_LEN_MAX + 10 {
            cache.put(&number.to_string(), Vec::new(), at(60));
        }
        assert_eq!(cache.by_reference.len(), PROOFS_CACHE_LEN_MAX);
        assert!(cache.get("9", at(60)).is_none() && cache.get("10", at(60)).is_some());
    }
}
