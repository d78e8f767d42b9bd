//! Weir's own HTTP listener: health, readiness, metrics.

use std::sync::{Arc, OnceLock};

use axum::{
    Json, Router,
    extract::State as Shared,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, config::Config, domain::ChannelKind, release::status::PacingStatus, store::Store};

/// Where the service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The store is not open.
    Starting,
    /// Another process works on the store.
    Standby,
    /// This one does.
    Active,
    /// On its way out.
    Stopping,
}

/// The state as the listener tells it.
#[derive(Clone, Debug)]
pub struct Status {
    now: Arc<watch::Sender<(State, Option<Store>)>>,
    config: Arc<Config>,
    clock: Clock,
}

impl Status {
    /// Starting, without a store.
    pub fn new(config: Config, clock: Clock) -> Self {
        Self {
            now: Arc::new(watch::Sender::new((State::Starting, None))),
            config: Arc::new(config),
            clock,
        }
    }

    /// Notes a change.
    pub fn set(&self, state: State, store: Option<Store>) {
        self.now.send_replace((state, store));
    }

    /// How pacing stands, as the store has it; none while that does not answer.
    async fn pacing(&self) -> Option<PacingStatus> {
        let store = self.now.borrow().1.clone()?;
        let row = store.pacing().await.ok()?;
        Some(PacingStatus::of(&self.config, &row, self.clock.now()))
    }
}

/// The process has one recorder of metrics, whoever starts it first.
fn metrics_handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| PrometheusBuilder::new().install_recorder().ok())
        .as_ref()
}

/// `/healthz`, `/readyz`, `/metrics`.
pub fn router(status: Status) -> Router {
    metrics_handle();
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(status)
}

async fn ready(Shared(status): Shared<Status>) -> Response {
    let (state, store) = status.now.borrow().clone();
    let answers = match store {
        Some(store) => store.ping().await.is_ok(),
        None => false,
    };
    let ready = answers && matches!(state, State::Active | State::Standby);
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // A store that does not answer is not asked twice: whoever watches would wait as long again.
    let pacing = if answers { status.pacing().await } else { None };
    let pacing = pacing.map(|pacing| {
        serde_json::json!({
            "mode": pacing.mode, "since": pacing.since, "per_second": pacing.per_second,
            "reasons": pacing.reasons, "load_age_seconds": pacing.load_age_seconds,
        })
    });
    (
        code,
        Json(serde_json::json!({ "state": state, "store": answers, "pacing": pacing })),
    )
        .into_response()
}

async fn metrics_text(Shared(status): Shared<Status>) -> Response {
    let store = status.now.borrow().1.clone();
    if let Some(store) = store
        && let Ok(open) = store.queue_lengths().await
    {
        for kind in ChannelKind::ALL {
            let queued = open
                .iter()
                .find(|(channel, _)| channel == kind.as_str())
                .map_or(0, |(_, count)| *count);
            metrics::gauge!("weir_queued", "channel" => kind.as_str()).set(queued as f64);
        }
    }
    match metrics_handle() {
        Some(handle) => handle.render().into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no recorder of metrics\n").into_response(),
    }
}

/// Serves until told to stop.
pub async fn serve(socket: tokio::net::TcpListener, router: Router, stop: CancellationToken) {
    let served = axum::serve(socket, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP listener ended");
    }
}
