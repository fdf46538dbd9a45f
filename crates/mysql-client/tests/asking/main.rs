//! Logging in to a real server and asking it things, and peers that are no servers at all.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod server;

mod peers;
mod questions;
