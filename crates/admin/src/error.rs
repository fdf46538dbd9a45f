//! Why the API does not run, and what a client of it is told.

use std::net::SocketAddr;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why the API does not run.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The port is taken, or the address is not of this machine.
    #[error("cannot listen on {address} for the admin API: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    /// The listening socket broke.
    #[error("cannot serve the admin API: {0}")]
    Serve(#[source] std::io::Error),
}

/// An answer that says what was wrong.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
