//! SQL text to facts to route on.
//!
//! This crate owns what can be known of a statement from its bytes alone: its kind, whether a replica may serve it,
//! the tables and functions that it names, and what it does to its session. It does not know servers, catalogues or
//! sessions, does no I/O, and does not build a syntax tree.
//!
//! ```text
//! bytes ── lex ──> tokens ── normal ──> normalised tokens ──> digest ──> Analyser (cache)
//!                                              └──────────> statement ──> Facts
//! ```
//!
//! Invariants:
//! - What is not understood is a write. A [`Facts`] that says [`Access::Read`] is a promise, held by a test that runs
//!   a large corpus on a read-only server.
//! - Facts are a function of the normalised tokens, so they never depend on the value of a literal, and two texts
//!   with one cache key have equal facts. What depends on a literal is parsed on demand, by the functions of this
//!   crate that take the text again.
//! - No input panics, and none takes more than linear time and bounded memory.

mod access;
mod analyse;
mod analyser;
mod digest;
mod effects;
mod facts;
mod function;
mod keyword;
mod lex;
mod literal;
mod mode;
mod normal;
mod statement;
mod variable;
mod verb;

pub use access::{Access, Reason};
pub use analyse::analyse;
pub use analyser::Analyser;
pub use effects::Effects;
pub use facts::{Facts, FunctionName, TableName};
pub use function::is_native_unless_stored;
pub use literal::{
    Assignment, Consistency, DynamicStatement, DynamicText, HadalShow, Hint, HintError, HintTarget, Kill,
    KillTarget, Scope, SetNames, SpanKind, TableReference, Target, TransactionStart, dynamic_statement,
    dynamic_text_span, explain_route, first_statement_end, hint, kill, leaves_session_state,
    processlist_references, set_autocommit, set_names, sets_literals, show_hadal, shows_closed_statements,
    simple_set, spans, text_prepare_name, transaction_start, unscoped_targets, use_schema,
};
pub use mode::Mode;
pub use verb::Verb;
