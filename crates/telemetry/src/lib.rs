//! What the process tells about itself: logs and metrics.
//!
//! Services register their own metrics in a [`Registry`] they are given and log through `tracing`; this crate decides
//! where both go. It knows no service, and it has no global state apart from the log subscriber, of which a process
//! has one.

mod logs;
mod process;
mod registry;

pub use logs::{LogError, LogFilter, LogFormat, init_logs};
pub use process::{ProcessUsage, register_process};
pub use registry::Registry;
