//! The prepared statements of one connection, by the serial number of their text.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// A statement as one server connection has it.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The server's id.
    pub(crate) id: u32,
    /// Parameter types that this connection was last given, as on the wire.
    pub(crate) types: Option<Arc<[u8]>>,
    used: u64,
    /// It has, or had, a cursor or long data of the session that holds the connection: not to be evicted under it.
    private: bool,
}

/// A bounded cache; the least recently used statement is closed on the server when another needs its place.
#[derive(Debug)]
pub(crate) struct Statements {
    by_serial: FxHashMap<u64, Bound>,
    capacity: usize,
    clock: u64,
}

impl Statements {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { by_serial: FxHashMap::default(), capacity: capacity.max(1), clock: 0 }
    }

    pub(crate) fn contains(&self, serial: u64) -> bool {
        self.by_serial.contains_key(&serial)
    }

    pub(crate) fn get(&mut self, serial: u64) -> Option<&mut Bound> {
        self.clock += 1;
        let bound = self.by_serial.get_mut(&serial)?;
        bound.used = self.clock;
        Some(bound)
    }

    /// Remembers a statement and returns the server's ids of those that must be closed for it.
    pub(crate) fn insert(&mut self, serial: u64, id: u32, private: bool) -> Vec<u32> {
        self.clock += 1;
        let mut closed = Vec::new();
        let bound = Bound { id, types: None, used: self.clock, private };
        if let Some(old) = self.by_serial.insert(serial, bound) {
            closed.push(old.id);
        }
        while self.by_serial.len() > self.capacity {
            let shared = self.by_serial.iter().filter(|(s, b)| !b.private && **s != serial);
            let Some(oldest) = shared.min_by_key(|(_, b)| b.used).map(|(s, _)| *s) else { break };
            closed.extend(self.by_serial.remove(&oldest).map(|b| b.id));
        }
        closed
    }

    /// Forgets what belonged to one session alone; the server's ids of it, to be closed.
    pub(crate) fn drop_private(&mut self) -> Vec<u32> {
        let mut closed = Vec::new();
        self.by_serial.retain(|_, bound| {
            if bound.private {
                closed.push(bound.id);
            }
            !bound.private
        });
        closed
    }

    /// Forgets everything; the server's ids, to be closed.
    pub(crate) fn drain(&mut self) -> Vec<u32> {
        self.by_serial.drain().map(|(_, bound)| bound.id).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.by_serial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_statement_makes_room() {
        let mut statements = Statements::new(2);
        assert!(statements.insert(1, 11, false).is_empty());
        assert!(statements.insert(2, 12, false).is_empty());
        assert!(statements.get(1).is_some());
        assert_eq!(statements.insert(3, 13, false), vec![12]);
        assert!(statements.contains(1) && !statements.contains(2) && statements.contains(3));
        assert_eq!(statements.insert(1, 21, false), vec![11]);
    }
}
