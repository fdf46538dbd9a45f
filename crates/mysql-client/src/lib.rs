//! Connecting to a MySQL or MariaDB server, and asking it things.
//!
//! [`connect()`] is the one way in which hadal opens a connection: the gateway's pool takes the bare stream from it, the
//! control plane's [`Client`] is built on it. The protocol itself is in `mysql-wire`; this crate adds the socket, the
//! time limits, and nothing else. It knows no pools, no retries and no topology beyond an address.

pub mod client;
pub mod connect;
pub mod forwarded;
mod packets;
pub mod pulse;
pub mod rows;

pub use client::{Client, ClientError};
pub use connect::{ConnectError, ConnectOptions, Connected, connect};
pub use forwarded::{Forwarded, Unproved, forward};
pub use mysql_wire::{Challenge, LoginRequest, Secret, ServerError, Session};
pub use pulse::Pulse;
pub use rows::Rows;
