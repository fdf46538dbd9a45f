//! What depends on the values in a text, parsed on demand from the text itself.
//!
//! Every function answers only for the exact forms that it documents, and `None` for everything else: a caller then
//! leaves the statement to the server.

mod assignment;
mod command;
mod cursor;
mod dynamic;
mod hint;
mod kill;
mod leaving;
mod set_names;
mod span;
mod transaction;
mod unscoped;
mod variables;

pub use assignment::{Assignment, Scope, Target, set_autocommit, simple_set};
pub use command::{
    HadalShow, explain_route, show_hadal, shows_closed_statements, text_prepare_name, use_schema,
};
pub use dynamic::{DynamicStatement, DynamicText, dynamic_statement, dynamic_text_span};
pub use hint::{Consistency, Hint, HintError, HintTarget, hint};
pub use kill::{Kill, KillTarget, kill};
pub use leaving::leaves_session_state;
pub use set_names::{SetNames, set_names};
pub use span::{SpanKind, TableReference, first_statement_end, processlist_references, spans};
pub use transaction::{TransactionStart, transaction_start};
pub use unscoped::unscoped_targets;
pub use variables::sets_literals;
