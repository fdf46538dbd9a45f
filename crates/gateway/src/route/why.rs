//! The reason for a route.

use std::fmt;

use sql::Reason;

use crate::session::Pins;

/// One clause that a person understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The session's connection is pinned.
    Pinned(Pins),
    /// A hint in the statement's text.
    Hint,
    /// Not a read, or one that only the primary answers correctly.
    Statement(Reason),
    /// `autocommit=0` opens a transaction that may write.
    AutocommitOff,
    /// A function that the catalogue does not declare read-only.
    Function(String),
    /// A view whose text may write or is not understood.
    View(String),
    /// The catalogue was not read yet.
    CatalogueUnknown,
    /// A read, and a replica that has all that the session must see.
    Read,
    /// A read, on a replica that is asked to catch up with the session's own writes first.
    ReadAfterWait,
    /// `START TRANSACTION READ ONLY`.
    ReadOnlyTransaction,
    /// A read before the first write of a transaction, with `transaction_split`.
    BeforeFirstWrite,
    /// A read, but no replica is fit to serve it.
    NoReplica,
    /// A read, but every replica is too far behind the session's own writes.
    ReplicasBehind,
    /// A read that was the primary's turn (`primary_read_weight`).
    PrimaryShare,
    /// A read that a replica refused or broke off, asked again.
    ReplicaFailed,
    /// A question about the last statement, on the connection that ran it.
    LastStatement,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Pinned(pins) => write!(f, "the session is pinned to its connection: {pins}"),
            Why::Hint => f.write_str("a hint in the statement"),
            Why::Statement(reason) => f.write_str(reason.as_str()),
            Why::AutocommitOff => f.write_str("autocommit is off: a transaction that may write"),
            Why::Function(name) => write!(f, "function {name} may write"),
            Why::View(name) => write!(f, "view {name} may write or is not understood"),
            Why::CatalogueUnknown => f.write_str("routines and views are not known yet"),
            Why::Read => f.write_str("a read"),
            Why::ReadAfterWait => {
                f.write_str("a read, after the replica has caught up with the session's writes")
            }
            Why::ReadOnlyTransaction => f.write_str("a read-only transaction"),
            Why::BeforeFirstWrite => f.write_str("a read before the transaction's first write"),
            Why::NoReplica => f.write_str("a read, but no replica is fit to serve it"),
            Why::ReplicasBehind => {
                f.write_str("a read, but the replicas are behind the session's own writes")
            }
            Why::PrimaryShare => f.write_str("a read, the primary's share"),
            Why::ReplicaFailed => f.write_str("a read that a replica could not serve"),
            Why::LastStatement => f.write_str("a question about the last statement"),
        }
    }
}

impl Why {
    /// A hint overrides what is only a matter of prudence, never what would be wrong.
    pub(super) fn forbids(&self) -> bool {
        !matches!(self, Why::AutocommitOff | Why::CatalogueUnknown)
    }

    pub(crate) const COUNT: usize = 16;

    /// Labels for metrics, by [`Self::index`].
    pub(crate) const LABELS: [&'static str; Self::COUNT] = [
        "pinned",
        "hint",
        "statement",
        "autocommit_off",
        "function",
        "view",
        "catalogue_unknown",
        "read",
        "read_after_wait",
        "read_only_transaction",
        "before_first_write",
        "no_replica",
        "replicas_behind",
        "primary_share",
        "replica_failed",
        "last_statement",
    ];

    pub(crate) fn index(&self) -> usize {
        match self {
            Why::Pinned(_) => 0,
            Why::Hint => 1,
            Why::Statement(_) => 2,
            Why::AutocommitOff => 3,
            Why::Function(_) => 4,
            Why::View(_) => 5,
            Why::CatalogueUnknown => 6,
            Why::Read => 7,
            Why::ReadAfterWait => 8,
            Why::ReadOnlyTransaction => 9,
            Why::BeforeFirstWrite => 10,
            Why::NoReplica => 11,
            Why::ReplicasBehind => 12,
            Why::PrimaryShare => 13,
            Why::ReplicaFailed => 14,
            Why::LastStatement => 15,
        }
    }
}
