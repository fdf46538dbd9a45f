//! What the controller needs of the coordination store.

use coordination::{
    AcknowledgerSets, ElectionHandle, Epochs, Journal, MaintenanceFlags, Rebuilds, Schedules,
};

/// Everything that lasts longer than the process. Cheap to clone.
#[derive(Clone)]
pub struct Coordination {
    /// Who leads this cluster; somebody else runs the candidate.
    pub election: ElectionHandle,
    pub epochs: Epochs,
    pub journal: Journal,
    pub acknowledgers: AcknowledgerSets,
    pub maintenance: MaintenanceFlags,
    pub schedules: Schedules,
    pub rebuilds: Rebuilds,
}
