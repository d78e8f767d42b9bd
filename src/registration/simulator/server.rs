//! The simulator as a server: the contract over HTTP in front of the model's queue, in real time.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    super::wire::{IDEMPOTENCY_KEY, LoadReport, RegistrationBody},
    books::{self, Books},
    control::{Condition, Control, People},
    crowd::{Crowd, CrowdOptions},
    model::{Fate, Offer, ServerModel, Settings},
    people::Habits,
};
use crate::clock::Clock;

/// The model works in steps of this length, by the machine's clock.
const TICK: Duration = Duration::from_millis(20);
/// A report speaks of so many seconds.
const REPORT_SECONDS: f64 = 5.0;
/// Reports kept for `GET /history`: a day's.
const HISTORY_LEN_MAX: usize = 24 * 3600 / REPORT_SECONDS as usize;
/// Waits of one period that the p95 is taken from.
const WAITS_LEN_MAX: usize = 100_000;
/// Bodies are refused beyond it.
const BODY_LEN_MAX: usize = 1024 * 1024;
/// A silent system leaves a question open for so long, by the machine's clock.
const SILENCE_MAX: Duration = Duration::from_mins(1);
const ID_LEN_MAX: usize = 200;

/// What kind of simulator it is.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The system's figures.
    pub settings: Settings,
    /// Asked for as a bearer token on all but `/metrics`.
    pub token: Option<String>,
    /// The time that it lives by; a fast one makes everything happen faster.
    pub clock: Clock,
    /// Which people and which results there are.
    pub seed: u64,
    /// How people act.
    pub habits: Habits,
    /// Requests of simulated people under way at once.
    pub connections_max: usize,
}

impl SimOptions {
    /// The reference model with this capacity, in sessions a second.
    pub fn reference(capacity_per_second: f64, clock: Clock) -> Self {
        Self {
            settings: Settings::reference(capacity_per_second),
            token: None,
            clock,
            seed: 1,
            habits: Habits::default(),
            connections_max: 4000,
        }
    }
}

/// A running simulator. Clones share it; it ends with the last, or when told to stop.
#[derive(Clone, Debug)]
pub struct RegistrationSim {
    shared: Arc<Sim>,
    address: SocketAddr,
    _tasks: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Sim {
    options: SimOptions,
    origin: DateTime<Utc>,
    crowd: Crowd,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    model: ServerModel,
    condition: Condition,
    /// Requests in the queue, by the model's id.
    waiting: HashMap<u32, oneshot::Sender<Fate>>,
    next_id: u32,
    books: Books,
    period_began: f64,
    waits: Vec<f64>,
    totals: Totals,
    report: LoadReport,
    /// What is answered while the report is frozen.
    frozen: Option<(LoadReport, Totals)>,
    history: VecDeque<LoadReport>,
}

/// Since the start, at the end of the last period.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Totals {
    started: u64,
    completed: u64,
    failed: u64,
}

impl RegistrationSim {
    /// Listens on `addr`; port 0 takes a free one.
    pub async fn start(addr: SocketAddr, options: SimOptions, stop: CancellationToken) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let address = listener.local_addr()?;
        let crowd = Crowd::new(CrowdOptions {
            url: format!("http://{}", reachable(address)),
            token: options.token.clone(),
            clock: options.clock.clone(),
            habits: options.habits,
            seed: options.seed,
            timeout_seconds: options.settings.timeout_seconds + options.settings.service_seconds,
            connections_max: options.connections_max,
        });
        let shared = Arc::new(Sim::new(options, crowd.clone()));
        let listener = listener.tap_io(|stream| {
            // Without it answers still come, only later.
            let _ = stream.set_nodelay(true);
        });
        let router = router(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let stop = stop.clone();
            async move {
                // Requests in the queue are not waited for: they would wait for the model, which stops too.
                let _ = stop
                    .run_until_cancelled(async { axum::serve(listener, router).await })
                    .await;
            }
        });
        tasks.spawn({
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            async move {
                while stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
                    shared.tick();
                }
            }
        });
        tasks.spawn(async move { crowd.run(stop).await });
        Ok(Self {
            shared,
            address,
            _tasks: Arc::new(tasks),
        })
    }

    /// What `registration.url` is to be.
    pub fn url(&self) -> String {
        format!("http://{}", reachable(self.address))
    }

    /// The people who bring it load.
    pub fn crowd(&self) -> &Crowd {
        &self.shared.crowd
    }

    /// Changes its condition; the error is a sentence.
    pub fn control(&self, control: &Control) -> Result<Condition, &'static str> {
        self.shared.control(control)
    }

    /// How it stands, as `GET /control` tells.
    pub fn status(&self) -> Value {
        self.shared.status()
    }
}

/// An address to call; listening on all of them is no address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

fn router(sim: Arc<Sim>) -> Router {
    Router::new()
        .route("/v1/load", get(load))
        .route("/v1/people/{reference}/proofs", get(proofs))
        .route("/v1/registrations", post(register))
        .route("/metrics", get(metrics))
        .route("/control", get(status).post(control))
        .route("/people", get(people).post(tell))
        .route("/history", get(history))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(sim)
}

impl Sim {
    fn new(options: SimOptions, crowd: Crowd) -> Self {
        let origin = options.clock.now();
        let model = ServerModel::new(options.settings);
        let report = LoadReport {
            as_of: origin,
            started_per_second: Some(0.0),
            completed_per_second: Some(0.0),
            capacity_per_second: Some(model.capacity_per_second()),
            utilisation: Some(0.0),
            queue_seconds: Some(0.0),
            p95_ms: None,
            error_rate: Some(0.0),
        };
        Self {
            options,
            origin,
            crowd,
            state: Mutex::new(State {
                model,
                condition: Condition::default(),
                waiting: HashMap::new(),
                next_id: 0,
                books: Books::default(),
                period_began: 0.0,
                waits: Vec::new(),
                totals: Totals::default(),
                report,
                frozen: None,
                history: VecDeque::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the model up to the present, and makes a report when a period is over.
    fn tick(&self) {
        let now = self.options.clock.now();
        let seconds = (now - self.origin).as_seconds_f64();
        let mut state = self.state();
        state.advance(seconds);
        if seconds - state.period_began >= REPORT_SECONDS {
            state.make_report(now, self.options.settings.service_seconds);
            state.period_began = seconds;
        }
    }

    fn control(&self, control: &Control) -> Result<Condition, &'static str> {
        let mut state = self.state();
        let condition = state.condition.after(control)?;
        state.condition = condition;
        state.model.set_capacity_factor(condition.capacity_factor);
        state.model.set_error_rate(condition.error_rate);
        self.crowd.set_strangers(condition.strangers_per_second);
        state.frozen = match (condition.frozen, state.frozen) {
            (false, _) => None,
            (true, None) => Some((state.report, state.totals)),
            (true, kept) => kept,
        };
        Ok(condition)
    }

    fn status(&self) -> Value {
        let state = self.state();
        json!({
            "condition": state.condition,
            "capacity_per_second": state.model.capacity_per_second(),
            "waiting": state.model.waiting(),
            "queue_seconds": state.model.queue_seconds(),
            "totals": state.totals,
            "registered": state.books.people(),
            "load": state.report,
        })
    }

    /// What is wrong with the caller, if anything is.
    fn refuse(&self, headers: &HeaderMap) -> Option<Response> {
        let token = self.options.token.as_ref()?;
        let given = headers
            .get(header::AUTHORIZATION)
            .map(header::HeaderValue::as_bytes);
        let is_right = given == Some(format!("Bearer {token}").as_bytes());
        (!is_right).then(|| error(StatusCode::UNAUTHORIZED, "the token is missing or wrong"))
    }

    /// The delay that is switched on.
    async fn be_slow(&self) {
        let slow_ms = self.state().condition.slow_ms;
        if slow_ms > 0 {
            self.options.clock.sleep(Duration::from_millis(slow_ms)).await;
        }
    }

    /// What is said of the load, or nothing for as long as it is silent.
    async fn say_load(&self) -> Option<(LoadReport, Totals)> {
        let mut waited = Duration::ZERO;
        while self.state().condition.silent {
            if waited >= SILENCE_MAX {
                return None;
            }
            tokio::time::sleep(TICK).await;
            waited += TICK;
        }
        self.be_slow().await;
        let state = self.state();
        Some(state.frozen.unwrap_or((state.report, state.totals)))
    }

    /// Lets a request wait for its turn. The error is how long to stay away, in seconds.
    fn enqueue(&self) -> Result<oneshot::Receiver<Fate>, u64> {
        let seconds = (self.options.clock.now() - self.origin).as_seconds_f64();
        let mut state = self.state();
        // The model dates a request by its own time.
        state.advance(seconds);
        let id = state.next_id;
        state.next_id = id.wrapping_add(1);
        match state.model.offer(id) {
            Offer::Queued => {
                let (sender, receiver) = oneshot::channel();
                state.waiting.insert(id, sender);
                Ok(receiver)
            }
            Offer::Refused => Err(state.model.queue_seconds().ceil().clamp(1.0, 3600.0) as u64),
        }
    }
}

impl State {
    fn advance(&mut self, seconds: f64) {
        let Self {
            model,
            waiting,
            waits,
            ..
        } = self;
        model.advance(seconds, |id, fate| {
            if let Fate::Done { wait_seconds } = fate
                && waits.len() < WAITS_LEN_MAX
            {
                waits.push(wait_seconds);
            }
            if let Some(sender) = waiting.remove(&id) {
                // Whoever asked may have gone; the work was done all the same.
                let _ = sender.send(fate);
            }
        });
    }

    fn make_report(&mut self, now: DateTime<Utc>, service_seconds: f64) {
        let counts = self.model.take_counts();
        self.totals.started += counts.started;
        self.totals.completed += counts.completed;
        self.totals.failed += counts.failed;
        let seconds = counts.seconds.max(1e-9);
        self.waits.sort_by(f64::total_cmp);
        let p95 = self.waits.get(self.waits.len() * 95 / 100);
        self.report = LoadReport {
            as_of: now,
            started_per_second: Some(counts.started as f64 / seconds),
            completed_per_second: Some(counts.completed as f64 / seconds),
            capacity_per_second: Some(self.model.capacity_per_second()),
            utilisation: Some(counts.utilisation()),
            queue_seconds: Some(self.model.queue_seconds()),
            p95_ms: p95.map(|wait_seconds| (wait_seconds + service_seconds) * 1000.0),
            error_rate: Some(counts.error_rate()),
        };
        self.waits.clear();
        if self.history.len() >= HISTORY_LEN_MAX {
            self.history.pop_front();
        }
        self.history.push_back(self.report);
    }
}

fn error(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "error": sentence }))).into_response()
}

async fn load(Shared(sim): Shared<Arc<Sim>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = sim.refuse(&headers) {
        return refusal;
    }
    match sim.say_load().await {
        Some((report, _)) => Json(report).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn metrics(Shared(sim): Shared<Arc<Sim>>) -> Response {
    let Some((report, totals)) = sim.say_load().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut text = String::new();
    let mut say = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            text.push_str(&format!(
                "# HELP registration_{name} {help}\n# TYPE registration_{name} {kind}\nregistration_{name} {value}\n"
            ));
        }
    };
    let count = |count: u64| Some(count as f64);
    say(
        "sessions_started_total",
        "counter",
        "Sessions begun.",
        count(totals.started),
    );
    say(
        "sessions_completed_total",
        "counter",
        "Sessions that ended well.",
        count(totals.completed),
    );
    say(
        "sessions_failed_total",
        "counter",
        "Sessions refused, timed out or failed.",
        count(totals.failed),
    );
    say(
        "capacity_per_second",
        "gauge",
        "Sessions that it can complete a second.",
        report.capacity_per_second,
    );
    say(
        "utilisation",
        "gauge",
        "Share of the capacity in use.",
        report.utilisation,
    );
    say(
        "queue_seconds",
        "gauge",
        "Seconds that a new session waits.",
        report.queue_seconds,
    );
    say(
        "p95_ms",
        "gauge",
        "Milliseconds within which 95 % of sessions end.",
        report.p95_ms,
    );
    let as_of = report.as_of.timestamp_millis() as f64 / 1000.0;
    say(
        "as_of_seconds",
        "gauge",
        "When the period of these numbers ended.",
        Some(as_of),
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn proofs(
    Shared(sim): Shared<Arc<Sim>>,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = sim.refuse(&headers) {
        return refusal;
    }
    sim.be_slow().await;
    let known = sim
        .state()
        .books
        .proofs(&reference, sim.options.seed, sim.options.clock.now());
    match known {
        Some(proofs) => Json(proofs).into_response(),
        None => error(StatusCode::NOT_FOUND, "nobody has registered this person"),
    }
}

async fn register(Shared(sim): Shared<Arc<Sim>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = sim.refuse(&headers) {
        return refusal;
    }
    let key = headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
    let Some(key) = key.filter(|key| (1..=ID_LEN_MAX).contains(&key.len())) else {
        return error(StatusCode::BAD_REQUEST, "Idempotency-Key is missing or too long");
    };
    let Ok(body) = serde_json::from_slice::<RegistrationBody<'_>>(&body) else {
        return error(StatusCode::BAD_REQUEST, "the body is not a registration");
    };
    let person = match books::person(&body) {
        Ok(person) => person,
        Err(sentence) => return error(StatusCode::UNPROCESSABLE_ENTITY, sentence),
    };
    let receiver = match sim.enqueue() {
        Ok(receiver) => receiver,
        Err(seconds) => {
            let mut answer = error(StatusCode::TOO_MANY_REQUESTS, "too many are waiting");
            let headers = answer.headers_mut();
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
            return answer;
        }
    };
    match receiver.await {
        Ok(Fate::Done { .. }) => {}
        Ok(Fate::TimedOut) => return error(StatusCode::GATEWAY_TIMEOUT, "it took too long"),
        Ok(Fate::Failed) | Err(_) => return error(StatusCode::INTERNAL_SERVER_ERROR, "it failed"),
    }
    let service = Duration::from_secs_f64(sim.options.settings.service_seconds);
    sim.options.clock.sleep(service).await;
    sim.be_slow().await;
    let now = sim.options.clock.now();
    let is_new = sim.state().books.register(key, person, &body.round, now);
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    (status, Json(json!({ "registered": true }))).into_response()
}

async fn status(Shared(sim): Shared<Arc<Sim>>, headers: HeaderMap) -> Response {
    let refusal = sim.refuse(&headers);
    refusal.unwrap_or_else(|| Json(sim.status()).into_response())
}

async fn control(Shared(sim): Shared<Arc<Sim>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = sim.refuse(&headers) {
        return refusal;
    }
    let control: Control = match serde_json::from_slice(&body) {
        Ok(control) => control,
        Err(fault) => return error(StatusCode::BAD_REQUEST, &fault.to_string()),
    };
    match sim.control(&control) {
        Ok(_) => Json(sim.status()).into_response(),
        Err(sentence) => error(StatusCode::BAD_REQUEST, sentence),
    }
}

async fn people(Shared(sim): Shared<Arc<Sim>>, headers: HeaderMap) -> Response {
    let refusal = sim.refuse(&headers);
    refusal.unwrap_or_else(|| Json(sim.crowd.view()).into_response())
}

async fn tell(Shared(sim): Shared<Arc<Sim>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = sim.refuse(&headers) {
        return refusal;
    }
    let people: People = match serde_json::from_slice(&body) {
        Ok(people) => people,
        Err(fault) => return error(StatusCode::BAD_REQUEST, &fault.to_string()),
    };
    if !sim.crowd.tell(&people.told) {
        return error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "these are more people than there can be",
        );
    }
    sim.crowd.calm(&people.calmed);
    let moved = sim.crowd.move_windows(&people.moved);
    let told: u64 = people.told.iter().map(|told| u64::from(told.count)).sum();
    Json(json!({ "told": told, "moved": moved })).into_response()
}

async fn history(Shared(sim): Shared<Arc<Sim>>, headers: HeaderMap) -> Response {
    let refusal = sim.refuse(&headers);
    refusal.unwrap_or_else(|| Json(json!({ "load": sim.state().history })).into_response())
}
