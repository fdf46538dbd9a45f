//! The face of the process: health, metrics and the HTTP API, on a task of its own.
//!
//! ```text
//!   GET  /healthz            the process answers
//!   GET  /readyz             it can serve clients; 503 with the reasons until then
//!   GET  /metrics            OpenMetrics text
//!   GET  /api/v1/clusters    clusters and their servers, as last observed
//!   GET  /api/v1/sessions    clients of the gateway
//!   GET  /api/v1/pools       connections to the servers
//!   GET  /api/v1/explain     ?sql=&user=&database=: where a statement would go, and why (also POST, as JSON)
//!   POST /api/v1/reload      reads the configuration file again
//! ```
//!
//! Invariants: it knows the services only as the traits of [`Apis`], which `server` implements over their handles; it
//! shows no secret; it answers errors as `{"error": "…"}`. Who may connect is decided by the address it is bound to,
//! until the API has authentication of its own.

mod apis;
mod error;
mod metrics;
mod router;
mod routes;
mod service;
mod status;

pub use apis::{
    Apis, ClusterApi, ExplainRequest, GatewayApi, OrderRefused, Readiness, ReloadApi, ReloadRefused, Reloaded,
};
pub use error::AdminError;
pub use service::AdminService;
