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
