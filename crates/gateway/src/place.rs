//! Which server of which cluster.

use topology::ServerId;

/// Index of a cluster in the gateway's list. Stable for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClusterIndex(pub(crate) u16);

/// A server, named across clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) cluster: ClusterIndex,
    pub(crate) server: ServerId,
}
