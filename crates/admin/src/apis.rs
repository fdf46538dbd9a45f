//! What the API asks of the rest of the process. Every call but an order returns at once: the API shares its thread
//! with the control plane.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemetry::Registry;
use topology::ClusterView;

/// Everything that the API shows or does. Clones share it.
#[derive(Clone)]
pub struct Apis {
    pub readiness: Arc<dyn Readiness>,
    pub clusters: Vec<Arc<dyn ClusterApi>>,
    pub gateway: Arc<dyn GatewayApi>,
    pub reload: Arc<dyn ReloadApi>,
    pub metrics: Registry,
}

/// Whether clients can be served.
pub trait Readiness: Send + Sync + 'static {
    /// Why they cannot, in whole sentences; empty means ready.
    fn reasons(&self) -> Vec<String>;
}

/// One cluster.
pub trait ClusterApi: Send + Sync + 'static {
    /// The newest picture of it.
    fn view(&self) -> Arc<ClusterView>;

    /// Its servers with what was observed of them: a list.
    fn servers(&self) -> Value;

    /// What happened to it lately: a list, the oldest first.
    fn events(&self) -> Value;

    /// Has it changed, or with `dry_run` only says how it would be. Returns when that is done.
    fn order(
        &self,
        order: Value,
        dry_run: bool,
    ) -> Pin<Box<dyn Future<Output = Result<Value, OrderRefused>> + Send>>;
}

/// Why a cluster was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// It would be wrong as things are.
    #[error("{0}")]
    Refused(String),
    /// It failed on the way.
    #[error("{0}")]
    Failed(String),
    /// Not here, or not now.
    #[error("{0}")]
    Unavailable(String),
}

/// The SQL gateway.
pub trait GatewayApi: Send + Sync + 'static {
    /// Its clients: a list.
    fn sessions(&self) -> Value;

    /// Its connections to servers: a list.
    fn pools(&self) -> Value;

    /// Where a statement would go, and why.
    ///
    /// # Errors
    /// Why that cannot be said, as a sentence.
    fn explain(&self, request: &ExplainRequest) -> Result<Value, String>;
}

/// A statement to be explained, and who would send it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    pub sql: String,
    /// Without it, a user without settings of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The current schema of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// The configuration of the process.
pub trait ReloadApi: Send + Sync + 'static {
    /// Reads the file again and applies it as a whole.
    ///
    /// # Errors
    /// Why the file was refused; everything stays as it was.
    fn reload(&self) -> Result<Reloaded, ReloadRefused>;
}

/// What a reload did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reloaded {
    /// The keys that have changed, each with old and new value.
    pub changes: Vec<config::Change>,
    pub notices: Vec<config::Notice>,
}

/// Why a reload did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadRefused {
    /// The file is wrong.
    #[error("{0}")]
    Invalid(String),
    /// These keys have changed and need a restart.
    #[error("nothing was applied: a restart is needed for {}", .0.join(", "))]
    NeedsRestart(Vec<String>),
}
