//! Carrying out what was planned, step by step. Every step can be repeated after it was made or half made.
//!
//! ```text
//!   Plan ──▶ runner ── before each step: the lease is still ours ──▶ procedure on servers, or directive to the service
//!              └────── after each step: a line in the journal
//! ```
//!
//! Every procedure opens connections of its own, so that nothing depends on what an earlier one left behind.

mod demote;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod fence;
mod looking;
mod mysql;
pub(crate) mod promote;
pub(crate) mod replica;
pub(crate) mod runner;
pub(crate) mod seed;
mod sql;
mod together;
mod underway;

pub(crate) use error::StepError;
pub(crate) use looking::{look, look_again};
pub(crate) use mysql::clone;
pub(crate) use runner::{Outcome, Runner, may_have_promoted, plan_of, reaches_of};
pub(crate) use together::while_leading;
