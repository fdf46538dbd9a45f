//! When something last came from a server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Notes that bytes have come from a server. Clones are one; several connections may share one.
///
/// That a connection can be made is no such sign: the kernel of a host makes it while the server stands still.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    heard: Arc<Mutex<Option<Instant>>>,
    whole: Option<Arc<Pulse>>,
}

impl Pulse {
    /// One that notes what comes through some of the connections. What it notes counts here, too.
    #[must_use]
    pub fn part(&self) -> Pulse {
        Pulse { heard: Arc::default(), whole: Some(Arc::new(self.clone())) }
    }

    /// When the last bytes came; `None`: never.
    pub fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn beat(&self) {
        let now = Instant::now();
        let mut next = Some(self);
        while let Some(pulse) = next {
            *pulse.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            next = pulse.whole.as_deref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_hears_what_its_parts_hear() {
        let whole = Pulse::default();
        let (one, other) = (whole.part(), whole.part());
        one.beat();
        assert!(one.heard().is_some() && one.heard() == whole.heard());
        assert_eq!(other.heard(), None);
        whole.beat();
        assert!(whole.heard() >= one.heard() && other.heard().is_none());
    }
}
