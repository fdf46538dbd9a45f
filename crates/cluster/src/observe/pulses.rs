//! What is heard of all servers of a cluster.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mysql_client::Pulse;
use topology::Address;

/// One pulse per server, over all connections of the control plane. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<HashMap<Address, Pulse>>>);

impl Pulses {
    pub(crate) fn of(&self, address: &Address) -> Pulse {
        let mut pulses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.entry(address.clone()).or_default().clone()
    }

    /// When something last came from this server.
    pub(crate) fn heard(&self, address: &Address) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).and_then(Pulse::heard)
    }
}
