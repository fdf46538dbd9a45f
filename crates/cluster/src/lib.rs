//! The control plane of a database cluster. Today it observes: which servers there are, which one is the primary,
//! how late and how healthy the replicas are, who may log in, and what names in SQL mean. It changes nothing but its
//! own heartbeat row.
//!
//! ```text
//!   watcher, one per server ──┐                     ┌──► ViewCell ──► gateway, lock-free
//!   heart: beats on primary ──┼─ reports ─► board ──┼──► status, events ──► admin
//!   dictionary: accounts, ────┘   (mpsc)  (no I/O)  └──► leader (watch) ──► heart, dictionary
//!     catalogue of primary
//! ```
//!
//! - The tasks look and report; [`detect`] judges, in pure functions; the service publishes one immutable
//!   [`topology::ClusterView`] after another. Readers go on with the last one while the service is away.
//! - Roles are observed, never configured and never guessed: in doubt there is no primary.
//! - A server leaves the rotation with the first look that finds a fault, and returns gradually.
//!
//! `README.md` beside this crate names the privileges that the administrative account needs.

mod accounts;
mod board;
mod catalogue;
mod control;
pub mod detect;
mod dictionary;
mod error;
pub mod events;
mod execute;
mod handle;
mod observe;
pub mod options;
pub mod plan;
mod rebuild;
mod report;
mod service;
#[cfg(test)]
mod simulation;
pub mod status;

pub use control::{Coordination, Order, OrderError, OrderReport};
pub use events::{Event, EventKind, Events};
pub use handle::ClusterHandle;
pub use mysql_client::Secret;
pub use options::{ControlOptions, FailoverMode, ObserveOptions, RebuildOptions};
pub use plan::Promotion;
pub use rebuild::RebuildStatus;
pub use service::ClusterService;
pub use status::{ServerStatus, SourceStatus};
