//! The one error of every decoder: the peer sent bytes that are not the packet that was expected.

/// A packet that does not have the shape the protocol prescribes. Nothing of such a packet may be used; the
/// connection it came from has lost its place and has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {packet}: {reason}")]
pub struct Malformed {
    /// The packet that was being decoded.
    pub packet: &'static str,
    /// What was wrong with it.
    pub reason: &'static str,
}

impl Malformed {
    pub(crate) const fn new(packet: &'static str, reason: &'static str) -> Self {
        Malformed { packet, reason }
    }
}
