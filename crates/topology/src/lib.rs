//! The vocabulary that the services share: values only, no I/O, no clock, no async.
//!
//! `cluster` publishes an immutable [`ClusterView`]; `gateway` reads the newest one on its hot path; `admin`
//! shows it. Nothing here decides anything.

pub mod account;
pub mod address;
pub mod catalogue;
pub mod gtid;
pub mod gtid_set;
pub mod gtid_state;
pub mod position;
pub mod server;
pub mod view;

pub use account::{Account, Accounts, AuthMethod, ClientHost, LoginRefusal};
pub use address::Address;
pub use catalogue::{Catalogue, LeavingTriggers, RoutineAccess, VariableKind};
pub use gtid::{GtidPosition, MariaGtid};
pub use gtid_set::{GtidSet, ServerUuid};
pub use gtid_state::{ExtraRange, GtidState};
pub use position::{Extra, Position};
pub use server::{Health, Role, ServerId, ServerView};
pub use view::{ClusterView, ViewCell, Writes};
