//! Updates that Telegram brings: one call each, answered once the update is recorded.

use std::time::Duration;

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::time::timeout;

use super::{
    Intake, Telegram,
    updates::{RawUpdate, hand_over, read},
};
use crate::{channels::IncomingSender, clock::Clock};

/// Where Telegram is to call; `telegram.webhook_url` ends in it, unless a proxy in front rewrites paths.
pub const WEBHOOK_PATH: &str = "/telegram/webhook";
/// Updates are a few kilobytes: what is larger is none.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// An update that is not recorded after this is left for Telegram to bring again.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

#[derive(Clone)]
struct Webhook {
    secret: SecretString,
    incoming: IncomingSender,
    clock: Clock,
}

impl Telegram {
    /// Takes Telegram's calls in at [`WEBHOOK_PATH`], to be merged into Weir's own listener; empty in polling mode.
    pub fn webhook_router(&self, incoming: IncomingSender) -> Router {
        let Intake::Webhook { secret, .. } = &self.0.intake else {
            return Router::new();
        };
        let webhook = Webhook {
            secret: secret.clone(),
            incoming,
            clock: self.0.clock.clone(),
        };
        Router::new()
            .route(WEBHOOK_PATH, post(take_in))
            .with_state(webhook)
    }
}

async fn take_in(State(webhook): State<Webhook>, request: Request<Body>) -> Response {
    // Before the body is read: a stranger costs nothing.
    if !webhook.is_telegram(request.headers()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .unwrap_or_default();
    let Ok(raw) = serde_json::from_slice::<RawUpdate>(&body) else {
        // Telegram would bring it again and again, and hold back all others.
        metrics::counter!("weir_telegram_unreadable_updates_total").increment(1);
        tracing::warn!("a call from Telegram is no update and is passed over");
        return StatusCode::OK.into_response();
    };
    let update = read(raw, webhook.clock.now());
    if let Some(inbound) = update.inbound {
        let recorded = async { hand_over(inbound, &webhook.incoming).await.await };
        if !matches!(timeout(RECORD_TIMEOUT, recorded).await, Ok(Ok(()))) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    match update.tap {
        // Telegram carries out a request that it finds in the answer, which saves a call.
        Some(tap) => {
            Json(json!({ "method": "answerCallbackQuery", "callback_query_id": tap })).into_response()
        }
        None => StatusCode::OK.into_response(),
    }
}

impl Webhook {
    fn is_telegram(&self, headers: &HeaderMap) -> bool {
        let secret = self.secret.expose_secret().as_bytes();
        headers
            .get(SECRET_HEADER)
            .is_some_and(|given| given.as_bytes().ct_eq(secret).into())
    }
}
