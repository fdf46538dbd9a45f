//! `[users.NAME]`

use crate::{Balance, Consistency, Secret, TransactionSplit};

section! {
    /// Settings of one user. A user needs a section only for what differs from the cluster's settings.
    pub struct User {
        /// The password, where hadal needs it: with `accounts = "config"`, or for an account whose plugin is not
        /// `mysql_native_password`. An `ed25519` account can do without, and then shares no connections.
        [] password: Option<Secret> = None;
        /// The cluster of the user. Needed only where there are several.
        [] cluster: Option<String> = None;
        /// Instead of the cluster's.
        [] consistency: Option<Consistency> = None;
        /// Instead of the cluster's.
        [] transaction_split: Option<TransactionSplit> = None;
        /// Instead of the cluster's.
        [] transaction_replay: Option<bool> = None;
        /// Instead of the `max_connections` of the cluster's pool.
        [] max_connections: Option<u32> = None;
        /// Instead of the cluster's.
        [] balance: Option<Balance> = None;
    }
}
