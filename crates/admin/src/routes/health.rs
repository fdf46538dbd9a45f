//! Whether the process lives, and whether it can serve.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::apis::Apis;

/// That this is answered is the answer.
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "alive": true }))
}

pub(crate) async fn ready(State(apis): State<Apis>) -> (StatusCode, Json<Value>) {
    let reasons = apis.readiness.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons })))
}
