//! The procedures on MySQL servers. What they are for, and in which order they come, is the same as on MariaDB; the
//! statements are not, and neither are the traps.
//!
//! - A replica keeps its relay log when it is stopped and started (tried with 9.7), and loses it when its source is changed: so
//!   no source is changed before everything is applied.
//! - `super_read_only` lets nobody write, and does not wait for open transactions that are idle: they cannot commit any more.
//! - A commit that waits for an acknowledgement goes on waiting after its session was ended, and keeps `super_read_only`
//!   waiting: see [`fence`].

pub(crate) mod clone;
pub(super) mod demote;
pub(super) mod fence;
pub(super) mod promote;
pub(super) mod replica;
pub(super) mod semi_sync;
