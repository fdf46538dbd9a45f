//! The clusters as last observed, and what is to be done to them.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::apis::{Apis, OrderRefused};
use crate::error::Refusal;
use crate::status::{ClusterStatus, Clusters};

pub(crate) async fn list(State(apis): State<Apis>) -> Json<Clusters> {
    let clusters = apis.clusters.iter().map(|cluster| ClusterStatus::of(&**cluster));
    Json(Clusters { clusters: clusters.collect() })
}

/// What a path may ask of a cluster.
const VERBS: &[&str] = &["switchover", "failover", "rejoin", "maintenance", "read-only"];

/// `POST /api/v1/clusters/NAME/VERB`: the body holds the order's own fields, and `"dry_run": true` for the plan alone.
pub(crate) async fn order(
    State(apis): State<Apis>,
    Path((name, verb)): Path<(String, String)>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(mut order) = body.map_err(|why| Refusal(why.status(), why.body_text()))?;
    let not_found = |what: String| Refusal(StatusCode::NOT_FOUND, what);
    if !VERBS.contains(&verb.as_str()) {
        return Err(not_found(format!(
            "nothing like {verb} can be asked of a cluster: it is one of {}",
            VERBS.join(", ")
        )));
    }
    let cluster = apis.clusters.iter().find(|cluster| *cluster.view().name == *name);
    let cluster = cluster.ok_or_else(|| not_found(format!("there is no cluster {name}")))?.clone();
    let Some(fields) = order.as_object_mut() else {
        return Err(Refusal(StatusCode::BAD_REQUEST, "the body must be a JSON object".to_owned()));
    };
    let dry_run = match fields.remove("dry_run") {
        None => false,
        Some(Value::Bool(dry_run)) => dry_run,
        Some(_) => return Err(Refusal(StatusCode::BAD_REQUEST, "dry_run must be true or false".to_owned())),
    };
    fields.insert("order".to_owned(), json!(verb.replace('-', "_")));
    // In a task of its own: who asked may go away, and what was begun is not left half-done by that.
    let doing = tokio::spawn(async move { cluster.order(order, dry_run).await });
    let done = doing.await.map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    done.map(Json).map_err(|refused| {
        let status = match refused {
            OrderRefused::Invalid(_) => StatusCode::BAD_REQUEST,
            OrderRefused::Refused(_) => StatusCode::CONFLICT,
            OrderRefused::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            OrderRefused::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal(status, refused.to_string())
    })
}
