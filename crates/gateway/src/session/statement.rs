//! Prepared statements of a session, and their texts.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sql::{Facts, Hint};

use crate::state::StateSet;

/// A text together with the state in which it was prepared: database and `sql_mode` decide what it means.
#[derive(Debug)]
pub(crate) struct Text {
    /// Unique in this process: server connections know their statements by it.
    pub(crate) serial: u64,
    pub(crate) text: Box<[u8]>,
    pub(crate) state: Arc<StateSet>,
}

/// What the client knows under an id.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) text: Rc<Text>,
    pub(crate) facts: Rc<Facts>,
    pub(crate) hint: Option<Hint>,
    pub(crate) params: u16,
    /// Names of columns to be put back in every answer.
    pub(crate) rename: Option<super::own_ids::Rename>,
    /// Parameter types that the client sent last; it need not repeat them.
    pub(crate) types: RefCell<Option<Arc<[u8]>>>,
    pub(crate) has_cursor: Cell<bool>,
    pub(crate) has_long_data: Cell<bool>,
    /// Why long data could not be sent: the answer to the execution that it was for.
    pub(crate) long_data_error: RefCell<Option<mysql_wire::ServerError>>,
    /// Its own serial number, once it has had a cursor or long data: a statement of equal text must not share them.
    pub(crate) private: Cell<Option<u64>>,
}

impl Statement {
    /// Under which number server connections know it.
    pub(crate) fn serial(&self) -> u64 {
        self.private.get().unwrap_or(self.text.serial)
    }
}

/// An execution of a statement.
#[derive(Clone, Copy)]
pub(crate) struct Use<'a> {
    pub(crate) statement: &'a Rc<Statement>,
    pub(crate) bulk: bool,
}

/// One copy of each text in use, per worker: sessions that prepare the same share it on server connections.
#[derive(Debug)]
pub(crate) struct Texts {
    known: HashMap<(Box<[u8]>, usize), Weak<Text>>,
    next: u64,
}

impl Texts {
    const SWEEP_ABOVE: usize = 4096;

    pub(crate) fn new(worker: u16) -> Self {
        Self { known: HashMap::new(), next: u64::from(worker) << 48 | 1 }
    }

    /// A number that no text has.
    pub(crate) fn private_serial(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn intern(&mut self, text: &[u8], state: &Arc<StateSet>) -> Rc<Text> {
        // The address identifies the state as long as the text holds it.
        let key = (Box::from(text), Arc::as_ptr(state) as usize);
        if let Some(same) = self.known.get(&key).and_then(Weak::upgrade) {
            return same;
        }
        if self.known.len() >= Self::SWEEP_ABOVE {
            self.known.retain(|_, text| text.strong_count() > 0);
        }
        self.next += 1;
        let text = Rc::new(Text { serial: self.next, text: text.into(), state: state.clone() });
        self.known.insert(key, Rc::downgrade(&text));
        text
    }
}
