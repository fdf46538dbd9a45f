//! The SQL data plane: clients in front, a cluster's servers behind.
//!
//! ```text
//!  client ── listener ── session ── sql facts ── route ── pool ── backend ── server
//!                           │                     ▲
//!                           └── relay ◀── bytes   └── ClusterView (published by the control plane)
//! ```
//!
//! Each worker thread runs one single-threaded runtime with its own listening sockets; a session lives where it was
//! accepted. Invariants kept here: a response reaches only the client whose command caused it; a connection returns to
//! its pool only in a proved state; nothing that may have taken effect is sent twice; what is not understood goes to the
//! primary. The gateway knows no other service: it is given views, and a [`ControlPlane`] to nudge.

mod backend;
mod core;
mod explain;
mod globals;
mod handle;
mod hold;
mod io;
mod io_choice;
mod listener;
mod metrics;
mod metrics_page;
mod names;
mod outstanding;
mod place;
mod pool;
mod registry;
mod ring;
mod route;
mod rules;
mod scramble;
mod service;
mod session;
mod settings;
mod state;
pub mod status;
mod worker;

pub use crate::core::{ClusterLink, ControlPlane};
pub use handle::{Explained, GatewayHandle};
pub use service::{Options, StartError, start};
