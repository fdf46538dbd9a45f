//! The gateway's clients, connections and decisions.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::apis::{Apis, ExplainRequest};
use crate::error::Refusal;

pub(crate) async fn sessions(State(apis): State<Apis>) -> Json<Value> {
    Json(json!({ "sessions": apis.gateway.sessions() }))
}

pub(crate) async fn pools(State(apis): State<Apis>) -> Json<Value> {
    Json(json!({ "pools": apis.gateway.pools() }))
}

pub(crate) async fn explain_query(
    State(apis): State<Apis>,
    request: Result<Query<ExplainRequest>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(request) = request.map_err(|why| Refusal(why.status(), why.body_text()))?;
    explain(&apis, &request)
}

pub(crate) async fn explain_body(
    State(apis): State<Apis>,
    request: Result<Json<ExplainRequest>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(request) = request.map_err(|why| Refusal(why.status(), why.body_text()))?;
    explain(&apis, &request)
}

fn explain(apis: &Apis, request: &ExplainRequest) -> Result<Json<Value>, Refusal> {
    apis.gateway.explain(request).map(Json).map_err(|why| Refusal(StatusCode::UNPROCESSABLE_ENTITY, why))
}
