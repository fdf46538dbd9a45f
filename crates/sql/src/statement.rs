//! One statement: its normalised tokens with their keywords, and the classification by its verb.

mod account;
mod ddl;
mod draft;
mod hazard;
mod local;
mod maintenance;
mod program;
mod scan;
mod select;
mod session;
mod set;
mod show;
mod table;
mod transaction;
mod verb;
mod words;

pub(crate) use draft::{Draft, dedup};
pub(crate) use program::next_statement;
pub(crate) use verb::classify;
pub(crate) use words::{Lexemes, Words, inside, unquote};
