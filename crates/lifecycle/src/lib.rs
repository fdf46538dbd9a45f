//! How the parts of the process live and end: one shutdown signal, tasks that say what their failure means, and the
//! clock as an argument.
//!
//! ```text
//!   signal ──▶ ShutdownTrigger ──▶ Shutdown (cloned into every service)
//!                    ▲
//!   Tasks::spawn(kind, name, future) ── an essential task that ends early pulls the trigger
//! ```
//!
//! Invariants: a shutdown, once announced, is never taken back; nothing here knows a service; dropping the last trigger
//! counts as a shutdown, so that no service can outlive its owner unnoticed.

mod clock;
mod shutdown;
mod tasks;

pub use clock::{Clock, ManualClock, SystemClock};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use tasks::{TaskError, TaskKind, Tasks};
