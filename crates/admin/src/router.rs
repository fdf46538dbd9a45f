//! Which path is answered by what.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};

use crate::apis::Apis;
use crate::error::Refusal;
use crate::routes::{clusters, configuration, gateway, health, metrics};

pub(crate) fn router(apis: Apis) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/api/v1/clusters", get(clusters::list))
        .route("/api/v1/clusters/{name}/{verb}", post(clusters::order))
        .route("/api/v1/sessions", get(gateway::sessions))
        .route("/api/v1/pools", get(gateway::pools))
        .route("/api/v1/explain", get(gateway::explain_query).post(gateway::explain_body))
        .route("/api/v1/reload", post(configuration::reload))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(apis)
}

async fn no_such_path(uri: Uri) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("there is no {}", uri.path()))
}

async fn no_such_method(method: Method, uri: Uri) -> Refusal {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}
