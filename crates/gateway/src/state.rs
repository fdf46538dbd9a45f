//! What a session has set on its connection, and how another connection is brought into the same state.
//!
//! Servers report changes through their own trackers (`session_track_system_variables='*'`); [`StateSet`] is what
//! was reported. Two equal sets share one allocation, so that comparing them is comparing pointers.

mod charset;
mod diff;
mod interner;
mod set;

pub(crate) use charset::Charset;
pub(crate) use diff::{Difference, difference};
pub(crate) use interner::Interner;
pub(crate) use set::StateSet;
