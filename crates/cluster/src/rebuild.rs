//! Making a server anew from another one's data: what neither replication nor anything in SQL can do.
//!
//! ```text
//!   donor's host                      hadal                        target's host
//!   mariadb-backup ── stdout ──▶ counts, limits the rate ── stdin ──▶ mbstream ─▶ DATA.hadal-new ─▶ --prepare
//!                                                                     stop, DATA ─▶ DATA.hadal-old, new ─▶ DATA, start
//!                                  SET GLOBAL gtid_slave_pos, CHANGE MASTER ──▶ replicates ─▶ has everything: done
//! ```
//!
//! Programs run through a shell on each host, as operators know it; no port is opened, and no password is an argument. The
//! record in the coordination store says how far it is before it is so far, and until it is cleared the server is neither
//! promoted nor read from. Killed at any moment, the next leader begins again, or goes on behind the swap.

mod job;
mod locality;
mod script;
mod shell;
mod status;
mod stream;

pub(crate) use job::{Job, RebuildError};
pub(crate) use locality::why_no_way;
pub(crate) use status::Progress;
pub use status::RebuildStatus;
