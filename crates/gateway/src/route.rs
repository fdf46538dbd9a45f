//! Where a statement goes, and why.
//!
//! Pure: facts, session and view come in, a decision comes out that can explain itself. `EXPLAIN ROUTE` prints the
//! very value that the hot path uses. Anything that is not known to be a read goes to the primary.

mod balance;
mod catalogue;
mod decide;
#[cfg(test)]
mod table;
mod why;

pub(crate) use balance::Dice;
pub(crate) use catalogue::{objection, shares_a_name};
pub(crate) use decide::{
    Ask, Bound, Decision, RouteError, changes_session_only, decide, is_taken, may_write,
};
pub(crate) use why::Why;
