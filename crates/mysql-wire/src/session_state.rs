//! Session state changes: the blocks at the end of an OK packet in which a server says what a statement changed.
//!
//! A block is a type, a length and data. Servers put several variables into one block or each into its own; the
//! iterator gives one item for each variable either way.

use crate::lenenc::{Put, lenenc_len};
use crate::malformed::Malformed;
use crate::reader::Reader;

const SYSTEM_VARIABLES: u8 = 0;
const SCHEMA: u8 = 1;
const STATE_CHANGED: u8 = 2;
const GTIDS: u8 = 3;
const TRANSACTION_CHARACTERISTICS: u8 = 4;
const TRANSACTION_STATE: u8 = 5;

/// One change of the session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange<'a> {
    SystemVariable {
        name: &'a [u8],
        value: &'a [u8],
    },
    /// The default database; empty when there is none any more.
    Schema(&'a [u8]),
    /// Something about the session changed (`session_track_state_change`).
    StateChanged(bool),
    /// MySQL: the GTIDs that this session, or the server, has executed.
    Gtid(&'a [u8]),
    /// The statements that would start the present transaction again with its characteristics.
    TransactionCharacteristics(&'a [u8]),
    /// Eight letters, one for each property of the transaction; see [`TransactionState`].
    TransactionState(&'a [u8]),
    /// A type that is not known here; relayed as it came.
    Unknown {
        kind: u8,
        data: &'a [u8],
    },
}

/// Iterates over the changes in [`Ok::session_state`](crate::ok::Ok::session_state). It reports the first malformed
/// block and ends there.
#[derive(Clone, Debug)]
pub struct StateChanges<'a> {
    blocks: Reader<'a>,
    /// What is left of a block of variables.
    variables: Reader<'a>,
}

const PACKET: &str = "session state";

impl<'a> StateChanges<'a> {
    /// The changes in `session_state`, which is without its total length.
    pub fn new(session_state: &'a [u8]) -> Self {
        StateChanges { blocks: Reader::new(session_state, PACKET), variables: Reader::new(&[], PACKET) }
    }

    fn change(&mut self) -> Result<Option<StateChange<'a>>, Malformed> {
        loop {
            if !self.variables.is_empty() {
                return self.variable().map(Some);
            }
            if self.blocks.is_empty() {
                return Ok(None);
            }
            let kind = self.blocks.u8()?;
            let data = self.blocks.lenenc_bytes()?;
            if kind != SYSTEM_VARIABLES {
                return block(kind, data).map(Some);
            }
            self.variables = Reader::new(data, PACKET);
        }
    }

    fn variable(&mut self) -> Result<StateChange<'a>, Malformed> {
        let name = self.variables.lenenc_bytes()?;
        Ok(StateChange::SystemVariable { name, value: self.variables.lenenc_bytes()? })
    }
}

fn block(kind: u8, data: &[u8]) -> Result<StateChange<'_>, Malformed> {
    let mut reader = Reader::new(data, PACKET);
    Ok(match kind {
        SCHEMA => StateChange::Schema(reader.lenenc_bytes()?),
        STATE_CHANGED => StateChange::StateChanged(data == b"1"), // the one block whose text has no length of its own
        GTIDS => {
            reader.u8()?; // the encoding; only text has ever been defined
            StateChange::Gtid(reader.lenenc_bytes()?)
        }
        TRANSACTION_CHARACTERISTICS => StateChange::TransactionCharacteristics(reader.lenenc_bytes()?),
        TRANSACTION_STATE => StateChange::TransactionState(reader.lenenc_bytes()?),
        _ => StateChange::Unknown { kind, data },
    })
}

impl<'a> Iterator for StateChanges<'a> {
    type Item = Result<StateChange<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = self.change();
        if change.is_err() {
            *self = StateChanges::new(&[]);
        }
        change.transpose()
    }
}

impl StateChange<'_> {
    /// Appends this change as a block of its own, to build a session state anew of the changes that are to be kept.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            StateChange::SystemVariable { name, value } => {
                put_head(out, SYSTEM_VARIABLES, text_len(name) + text_len(value));
                out.put_lenenc_bytes(name);
                out.put_lenenc_bytes(value);
            }
            StateChange::Schema(name) => put_text(out, SCHEMA, name),
            StateChange::StateChanged(changed) => {
                let text: &[u8] = if changed { b"1" } else { b"0" };
                put_head(out, STATE_CHANGED, text.len());
                out.extend_from_slice(text);
            }
            StateChange::Gtid(gtids) => {
                put_head(out, GTIDS, 1 + text_len(gtids));
                out.push(0);
                out.put_lenenc_bytes(gtids);
            }
            StateChange::TransactionCharacteristics(text) => put_text(out, TRANSACTION_CHARACTERISTICS, text),
            StateChange::TransactionState(text) => put_text(out, TRANSACTION_STATE, text),
            StateChange::Unknown { kind, data } => {
                put_head(out, kind, data.len());
                out.extend_from_slice(data);
            }
        }
    }
}

fn text_len(text: &[u8]) -> usize {
    lenenc_len(text.len() as u64) + text.len()
}

fn put_head(out: &mut Vec<u8>, kind: u8, len: usize) {
    out.push(kind);
    out.put_lenenc_int(len as u64);
}

fn put_text(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    put_head(out, kind, text_len(text));
    out.put_lenenc_bytes(text);
}

/// The eight letters of a transaction state block, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionState {
    /// `T`: begun by a statement.
    pub explicit: bool,
    /// `I`: begun by itself, with autocommit off.
    pub implicit: bool,
    /// `r`, `R`: has read, from tables without or with transactions.
    pub read: bool,
    /// `w`, `W`: has written, to tables without or with transactions.
    pub wrote: bool,
    /// `s`: used statements that are unsafe to repeat, or functions of the session.
    pub unsafe_statement: bool,
    /// `S`: has sent a result set.
    pub sent_result: bool,
    /// `L`: tables are locked by `LOCK TABLES`.
    pub locked_tables: bool,
}

impl TransactionState {
    /// Reads the letters; an unknown letter in a place counts as set, which is the careful side.
    pub fn parse(letters: &[u8]) -> Option<TransactionState> {
        let [begin, read, read_trx, wrote, wrote_trx, unsafe_stmt, sent, locked] = *letters else {
            return None;
        };
        let set = |letter: u8| letter != b'_';
        Some(TransactionState {
            explicit: set(begin) && begin != b'I',
            implicit: begin == b'I',
            read: set(read) || set(read_trx),
            wrote: set(wrote) || set(wrote_trx),
            unsafe_statement: set(unsafe_stmt),
            sent_result: set(sent),
            locked_tables: set(locked),
        })
    }
}
