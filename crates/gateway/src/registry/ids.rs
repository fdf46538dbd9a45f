//! Ids of sessions: numbers that no server gives, and that tell the node.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicU32, Ordering};

/// Far above any id that a server gives to its own connections, so that `KILL n` cannot mean two things.
pub(crate) const FIRST_ID: u32 = 1 << 30;

/// Below the node's bits: so many sessions of one node have different ids.
const COUNT_BITS: u32 = 22;
const NODE_BITS: u32 = 8;

/// More sessions than this have no ids.
pub(super) const MOST: usize = (1 << COUNT_BITS) - 1;

/// The ids of one node. Nodes do not know each other here: theirs differ because their names do, but for one pair in 256.
#[derive(Debug)]
pub(super) struct Ids {
    node: u32,
    next: AtomicU32,
}

impl Ids {
    pub(super) fn of_node(name: &str) -> Self {
        let mut hash = DefaultHasher::new();
        hash.write(name.as_bytes());
        Self { node: (hash.finish() >> (64 - NODE_BITS)) as u32, next: AtomicU32::new(0) }
    }

    /// The next one; after the last the first comes again.
    pub(super) fn next(&self) -> u32 {
        let count = self.next.fetch_add(1, Ordering::Relaxed) & ((1 << COUNT_BITS) - 1);
        FIRST_ID | self.node << COUNT_BITS | count
    }

    #[cfg(test)]
    pub(super) fn begin_again(&self) {
        self.next.store(0, Ordering::SeqCst);
    }

    /// Whether another node has given it: no server has, as it would look then.
    pub(super) fn is_anothers(&self, id: u32) -> bool {
        id >= FIRST_ID && id >> COUNT_BITS != (FIRST_ID >> COUNT_BITS | self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_node_and_is_never_a_servers() {
        let (one, other) = (Ids::of_node("gw-1"), Ids::of_node("gw-2"));
        for ids in [&one, &other] {
            ids.next.store(u32::MAX - 1, Ordering::SeqCst);
        }
        for _ in 0..4 {
            let (id, others) = (one.next(), other.next());
            assert!((FIRST_ID..FIRST_ID * 2).contains(&id) && others >= FIRST_ID, "{id} {others}");
            assert!(!one.is_anothers(id) && one.is_anothers(others));
            assert!(!other.is_anothers(others) && other.is_anothers(id));
        }
        assert!(!one.is_anothers(7), "a server's");
    }
}
