//! The configuration file.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::apis::{Apis, ReloadRefused, Reloaded};
use crate::error::Refusal;

pub(crate) async fn reload(State(apis): State<Apis>) -> Result<Json<Reloaded>, Refusal> {
    apis.reload.reload().map(Json).map_err(|refused| {
        let status = match refused {
            ReloadRefused::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ReloadRefused::NeedsRestart(_) => StatusCode::CONFLICT,
        };
        Refusal(status, refused.to_string())
    })
}
