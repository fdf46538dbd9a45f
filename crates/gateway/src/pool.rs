//! Connections to one server as one user: how many, who gets one, who waits.
//!
//! Invariants:
//! - the number of open connections never exceeds the maximum, whatever the number of workers: every connection
//!   carries a [`Slot`], and a slot is counted until it is dropped;
//! - waiters are served in the order of their arrival, each with a deadline;
//! - a connection comes in only in a proved state (the caller's duty) and goes out only while it is quiet.
//!
//! Each worker has a shard of idle connections, newest last. A worker out of its own takes from another's shard
//! before a new connection is opened.

mod checkout;
#[cfg(test)]
mod interleave;
#[cfg(test)]
mod model;
mod server_pool;
mod slot;
mod sync;
#[cfg(test)]
mod tests;
mod user_pools;
mod waiter;

pub(crate) use checkout::{Checkout, Want};
pub use server_pool::PoolStatus;
pub(crate) use server_pool::{PoolLimits, ServerPool};
pub(crate) use slot::Slot;
pub(crate) use user_pools::{PoolOwner, UserPools, UserPoolsMap};
pub(crate) use waiter::Grant;
