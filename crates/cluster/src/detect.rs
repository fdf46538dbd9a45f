//! What the observations mean: pure functions, free of sockets, tasks and clocks.
//!
//! [`roles`] says which server is the primary, [`death`] whether it has died, [`stall`] whether its disk stands still,
//! [`majority`] whether enough nodes say so, [`seclusion`] whether a node that is left alone may go on, [`lag`] how late a
//! replica is, [`health`] whether it may be read from.

pub mod death;
pub mod health;
pub mod lag;
pub mod majority;
pub mod roles;
pub mod seclusion;
pub mod stall;
