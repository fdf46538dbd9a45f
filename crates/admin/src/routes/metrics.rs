//! The metrics of all services.

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

use crate::apis::Apis;

pub(crate) async fn show(State(apis): State<Apis>) -> ([(HeaderName, &'static str); 1], String) {
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, format)], apis.metrics.encode())
}
