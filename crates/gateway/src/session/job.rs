//! A command to be run, with what is known of it before it is sent.

use std::rc::Rc;

use mysql_wire::scan::ResponseKind;
use sql::{Facts, Hint};

use super::client::CommandPacket;
use super::own_ids::Rename;
use super::statement::{Text, Use};

/// A command to be run.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) command: &'a CommandPacket,
    pub(super) kind: ResponseKind,
    pub(super) facts: &'a Facts,
    pub(super) hint: Option<&'a Hint>,
    /// A prepared statement that must be on the connection.
    pub(super) prepared: Option<Use<'a>>,
    /// The id under which the client will know the statement that is being prepared, and its text.
    pub(super) statement_id: Option<u32>,
    pub(super) text: Option<&'a Rc<Text>>,
    /// It leaves something on its connection that later writes of the session need beside them.
    pub(super) needs_primary: bool,
    /// The execution asks for a cursor.
    pub(super) opens_cursor: bool,
    /// Names of columns to be put back.
    pub(super) rename: Option<&'a Rename>,
    /// The answer is a list of threads, whose ids are to be exchanged.
    pub(super) process_list: bool,
    /// It may be a KILL whose text the gateway has not seen: an unknown thread may be a session of hadal's.
    pub(super) may_kill: bool,
    /// Its `ROW_COUNT()` is about one of its own statements.
    pub(super) counts_within: bool,
}

impl<'a> Job<'a> {
    pub(super) fn new(command: &'a CommandPacket, kind: ResponseKind, facts: &'a Facts) -> Self {
        Self {
            command,
            kind,
            facts,
            hint: None,
            prepared: None,
            statement_id: None,
            text: None,
            needs_primary: false,
            opens_cursor: false,
            rename: None,
            process_list: false,
            may_kill: false,
            counts_within: false,
        }
    }
}
