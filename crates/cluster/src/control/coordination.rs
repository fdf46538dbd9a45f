//! What the controller needs of the coordination store.

use coordination::{
    AcknowledgerSets, Attendance, ElectionHandle, Epochs, Journal, MaintenanceFlags, ReadOnlyModes, Rebuilds,
    Schedules,
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
    /// The other nodes that look after it; somebody else runs the attendant.
    pub attendance: Attendance,
    pub read_only: ReadOnlyModes,
    pub rebuilds: Rebuilds,
}
