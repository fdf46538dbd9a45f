//! Deciding: the one task of a cluster that may change it.
//!
//! ```text
//!   pictures of the board ──┐
//!   orders of people ───────┼──▶ controller ──▶ plan ──▶ runner ──▶ servers
//!   leadership ─────────────┘        └──▶ directives ──▶ service ──▶ view
//! ```
//!
//! It does one thing at a time, and nothing without the leadership. Without a store that answers there is no leadership:
//! hadal goes on serving, and promotes nothing.

mod acknowledging;
mod controller;
mod coordination;
mod healing;
mod orders;
mod preparing;
mod rebuilding;
pub(crate) mod saving;
mod scheduling;
mod steering;
mod voice;

pub(crate) use controller::Controller;
pub use coordination::Coordination;
pub use orders::{Order, OrderError, Report as OrderReport};
pub(crate) use orders::{Ordered, Orders};
pub(crate) use steering::Steering;
pub(crate) use voice::Voice;
