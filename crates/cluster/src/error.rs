//! Why the control plane could not do its work on a server.

use mysql_client::ClientError;
use thiserror::Error;

/// What went wrong while reading a cluster's dictionary or writing its heartbeat.
#[derive(Debug, Error)]
pub(crate) enum ClusterError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(
        "the primary is a MySQL server: hadal watches and controls the cluster; the gateway is not made for it yet, and \
         neither accounts nor names are read"
    )]
    MySql,
    /// Without it something would be missed silently.
    #[error("the administrative account lacks the privilege {0}")]
    MissingPrivilege(&'static str),
}
