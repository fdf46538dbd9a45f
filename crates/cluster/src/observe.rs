//! Looking at the servers: one task per server, one for the heartbeat. They report; they judge nothing.

pub(crate) mod commits;
pub(crate) mod durability;
pub(crate) mod flavour;
pub(crate) mod heartbeat;
mod looks;
pub(crate) mod mysql;
pub(crate) mod pending;
pub(crate) mod probe;
pub(crate) mod pulses;
pub(crate) mod replication;
mod rhythm;
pub(crate) mod session;
pub(crate) mod watcher;
