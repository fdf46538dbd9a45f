//! The observer on real servers: a primary and two GTID replicas, broken in the ways that servers break.
//!
//! Nothing here sleeps to be right: every step waits for a published view, with a deadline.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod observer;
mod servers;
mod slow_line;

mod dictionary;
mod faults;
mod roles;
