//! Agreement between the nodes of hadal: who leads, in which epoch a cluster is, what is being done to it.
//!
//! ```text
//!   Election  Epochs  Journal  AcknowledgerSets  Schedules  MaintenanceFlags  ReadOnlyModes  Rebuilds  Attendance  Registration  Locks
//!       └─────────┴────────┴───────────┬─┴───────────────┴───────────┴──────────────┴─────────────┴────────────┴───────────┘
//!                                 Store (trait)
//!                 ┌────────────────────┼────────────────────┐
//!           EmbeddedStore          EtcdStore         ZooKeeperStore
//!           one node, one file     3.4 and later     3.5 and later
//! ```
//!
//! Invariants:
//! - A lease is a hint, a **token** is the proof: it rises with every leader, and whatever is changed in a leader's name is
//!   changed by a transaction that the store makes only for the present token.
//! - The time of a lease is counted on a monotonic clock from before it was asked for, and ends a margin before the store
//!   could let go.
//! - No answer means **uncertain**: neither done nor failed, neither held nor lost. Who is uncertain promotes nothing.
//!
//! What this crate deliberately does not know: servers, replication, how a failover goes. `README.md` beside it says what each
//! back end guarantees.

mod acknowledgers;
pub mod assembly;
mod clock;
mod cluster_documents;
mod document;
pub mod election;
mod embedded;
mod epoch;
mod etcd;
mod journal;
mod key;
mod keyspace;
mod lease;
mod locks;
mod maintenance;
mod read_only;
mod rebuilds;
mod registry;
mod schedule;
#[cfg(any(test, feature = "simulation"))]
pub mod simulated;
#[cfg(test)]
mod simulation;
pub mod store;
mod zookeeper;

pub use acknowledgers::{AcknowledgerSets, Acknowledgers};
pub use assembly::{Announcement, Assembly, Attendance, Attendant, Attendee, Remark, Succession, Traffic};
pub use clock::{BootClock, LeaseClock, SharedClock};
pub use cluster_documents::{ClusterDocument, ClusterDocuments};
pub use document::{CoordinationError, Versioned};
pub use election::{Election, ElectionHandle, ElectionOptions, Leadership, NotLeading, Standing, Token};
pub use embedded::{DiskError, EmbeddedStore};
pub use epoch::{Epoch, Epochs};
pub use etcd::EtcdStore;
pub use journal::{Action, Journal, Step};
pub use key::{Key, KeyError, MAX_KEY_BYTES};
pub use keyspace::Keyspace;
pub use locks::{Grant, LockError, Locks};
pub use maintenance::{Maintenance, MaintenanceFlags};
pub use read_only::{ReadOnly, ReadOnlyModes};
pub use rebuilds::{Rebuild, RebuildPhase, Rebuilds};
pub use registry::{Node, Registered, Registration, nodes};
pub use schedule::{Schedule, Schedules};
pub use store::{Store, StoreError};
pub use zookeeper::ZooKeeperStore;
