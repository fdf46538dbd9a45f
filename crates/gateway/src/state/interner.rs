//! One allocation for each distinct state.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::StateSet;

/// Shared by all workers; used only when a session's state changes, never for a statement that changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    known: Mutex<HashSet<Arc<StateSet>>>,
}

impl Interner {
    /// Above this number of distinct states, those that nobody holds any more are dropped.
    const SWEEP_ABOVE: usize = 1024;

    /// The shared copy of `state`.
    pub(crate) fn intern(&self, state: StateSet) -> Arc<StateSet> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.get(&state) {
            return same.clone();
        }
        if known.len() >= Self::SWEEP_ABOVE {
            known.retain(|s| Arc::strong_count(s) > 1);
        }
        let shared = Arc::new(state);
        // Still full of live states (thousands of different time zones, say): hand out an unshared copy.
        if known.len() < Self::SWEEP_ABOVE {
            known.insert(shared.clone());
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_database(name: &str) -> StateSet {
        StateSet { database: Some(name.as_bytes().into()), ..StateSet::of_new_connection() }
    }

    #[test]
    fn equal_states_are_one_allocation() {
        let interner = Interner::default();
        let (shop, again) = (interner.intern(in_database("shop")), interner.intern(in_database("shop")));
        assert!(Arc::ptr_eq(&shop, &again));
        assert!(!Arc::ptr_eq(&shop, &interner.intern(in_database("blog"))));
        assert_eq!(*shop, in_database("shop"));
    }

    #[test]
    fn what_nobody_has_any_more_makes_room() {
        let interner = Interner::default();
        let kept: Vec<_> = (0..10).map(|n| interner.intern(in_database(&format!("kept{n}")))).collect();
        for n in 0..10 * Interner::SWEEP_ABOVE {
            interner.intern(in_database(&format!("gone{n}")));
            assert!(interner.known.lock().unwrap().len() <= Interner::SWEEP_ABOVE);
        }
        for (n, state) in kept.iter().enumerate() {
            assert!(Arc::ptr_eq(state, &interner.intern(in_database(&format!("kept{n}")))));
        }
    }

    #[test]
    fn more_states_in_use_than_are_remembered_are_right_but_not_shared() {
        let interner = Interner::default();
        let alive: Vec<_> =
            (0..Interner::SWEEP_ABOVE).map(|n| interner.intern(in_database(&format!("s{n}")))).collect();
        let (one, other) = (interner.intern(in_database("more")), interner.intern(in_database("more")));
        assert!(one == other && !Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&alive[7], &interner.intern(in_database("s7"))));
        drop(alive);
        let one = interner.intern(in_database("more"));
        assert!(Arc::ptr_eq(&one, &interner.intern(in_database("more"))), "there is room again");
    }
}
