//! A cluster of MySQL servers, observed and changed: a primary and two replicas with GTIDs and semi-synchronous replication.
//!
//! Without MySQL (`scripts/setup.sh mysql`) the tests are left out. Nothing here sleeps to be right: every step waits for
//! something to be seen, with a deadline.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod controlled;
mod server;
mod servers;

mod changes;
mod failures;
mod gtid_sets;
mod rejoining;
