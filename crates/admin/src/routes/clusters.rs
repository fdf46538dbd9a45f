//! The clusters as last observed.

use axum::Json;
use axum::extract::State;

use crate::apis::Apis;
use crate::status::{ClusterStatus, Clusters};

pub(crate) async fn list(State(apis): State<Apis>) -> Json<Clusters> {
    let clusters = apis.clusters.iter().map(|cluster| ClusterStatus::of(&**cluster));
    Json(Clusters { clusters: clusters.collect() })
}
