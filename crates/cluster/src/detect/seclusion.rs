//! Whether a node that the others have lost sight of may go on writing.
//!
//! One of several nodes that does not reach the coordination store does not hear of a new epoch. Often the store alone has
//! failed, and everybody should go on; but the node may also be shut in with a primary that the others have replaced. The
//! servers tell the two apart: nobody is promoted before the replicas at hand have stopped receiving. So a node writes on while
//! it sees replicas that receive from its primary: one where commits are acknowledged (the proof of a failover needs all of
//! those who acknowledge), else more than half, because a leader that reaches less than half declares nobody dead.

/// What a secluded node sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Servers that replicate from its primary, or did when they were last seen.
    pub replicas: usize,
    /// Of these, reached and receiving from it now.
    pub receiving: usize,
    /// Commits wait for acknowledgements.
    pub lossless: bool,
}

/// See the module.
pub fn may_write(sight: Sight) -> bool {
    match (sight.replicas, sight.lossless) {
        // Nobody could have been promoted.
        (0, _) => true,
        (_, true) => sight.receiving > 0,
        (_, false) => sight.receiving * 2 > sight.replicas,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_have_been_left_behind_stops_writing() {
        let may = |replicas, receiving, lossless| may_write(Sight { replicas, receiving, lossless });
        assert!(may(0, 0, false), "there is nobody to be promoted");
        assert!(may(2, 1, true) && !may(2, 0, true));
        assert!(may(2, 2, false) && !may(2, 1, false) && may(3, 2, false));
    }
}
