//! What to do to a cluster, as a value: worked out from a [`Situation`] without any I/O, to be shown, kept in the journal,
//! and carried out.
//!
//! ```text
//!   Situation ──┬── failover() ───┐
//!               ├── switchover() ─┼──▶ Plan (steps, proof, who is left out) or Refusal (why not)
//!               ├── rejoin() ─────┤
//!               └── rebuild() ────┘
//! ```
//!
//! Rules that no plan breaks:
//! - After the loss of a primary, a replica whose relay log is not drained is never pointed to another source: that would throw
//!   the log away, which may be the only copy of what was acknowledged.
//! - Losslessness is proved, not hoped for: of R enrolled acknowledgers, k of which acknowledge every commit, R−k+1 must be at
//!   hand. Without the proof nothing happens by itself.
//! - A server with transactions of its own is never promoted, nor anything fetched from it.
//!
//! `plan/README.md` says what is claimed and why; `tests/plans` has a hundred situations with their plans, as text.

pub mod candidate;
mod donor;
mod errant;
mod errant_set;
mod failover;
mod field;
mod level;
pub mod proof;
mod rebuild;
mod rejoin;
mod show;
pub mod situation;
mod switchover;
mod value;
mod warn;

pub use candidate::Unfit;
pub(crate) use candidate::most_advanced;
pub use donor::donor;
pub use failover::failover;
pub use proof::{Acknowledgers, Proof};
pub use rebuild::{Method, RebuildPlan, rebuild};
pub use rejoin::{Rejoin, rejoin};
pub use situation::{Applier, Member, Promotion, Rebuilding, Replication, Situation};
pub use switchover::switchover;
pub use value::{Kind, LeftOut, Plan, Refusal, Step};
