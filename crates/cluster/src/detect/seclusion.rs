//! Whether a node that the others have lost sight of may go on writing.
//!
//! One of several nodes that does not reach the coordination store does not hear of a new epoch. Often the store alone has
//! failed, and everybody should go on; but the node may also be shut in with a primary that the others have replaced. The
//! servers tell the two apart: nobody is promoted before the replicas at hand have stopped receiving. So a node writes on while
//! it sees replicas that receive from its primary.
//!
//! Where commits are acknowledged, those are all that acknowledge by the last record that the node has heard of. One of them
//! would do if the record were still the same, because a failover needs all of it. But a leader takes a server out of it that it
//! has lost sight of; such a server may come back to a primary that is shut in with this node, and acknowledge what nobody else
//! will ever have. The leader does that only when every other node has heard of the smaller record, or has lost its session.
//!
//! Where they are not, it takes more than half, because a leader that reaches less than half declares nobody dead.

use std::collections::BTreeSet;

/// What a secluded node sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Servers that replicate from its primary, or did when they were last seen.
    pub replicas: BTreeSet<String>,
    /// Those of them that are reached and receive from it now.
    pub receiving: BTreeSet<String>,
    /// Who acknowledges, as far as the node has heard or seen; `None`: it never heard, and it may be any replica.
    pub acknowledgers: Option<BTreeSet<String>>,
    /// Commits wait for acknowledgements.
    pub lossless: bool,
}

/// See the module.
///
/// # Errors
/// The servers that would have to be seen receiving, and are not: another one may have been promoted.
pub fn may_write(sight: &Sight) -> Result<(), Vec<String>> {
    let (replicas, receiving) = (&sight.replicas, &sight.receiving);
    if !sight.lossless {
        // Without any, nobody could have been promoted.
        let most = replicas.is_empty() || receiving.len() * 2 > replicas.len();
        return if most { Ok(()) } else { Err(replicas.difference(receiving).cloned().collect()) };
    }
    let known = sight.acknowledgers.as_ref().filter(|known| !known.is_empty());
    let unseen: Vec<_> = known.unwrap_or(replicas).difference(receiving).cloned().collect();
    if unseen.is_empty() { Ok(()) } else { Err(unseen) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> BTreeSet<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn who_may_have_been_left_behind_stops_writing() {
        let may = |replicas, receiving, acknowledgers: Option<&str>, lossless| {
            let acknowledgers = acknowledgers.map(names);
            let sight =
                Sight { replicas: names(replicas), receiving: names(receiving), acknowledgers, lossless };
            may_write(&sight).map_err(|unseen| unseen.join(" "))
        };
        let unseen = |names: &str| Err(names.to_owned());
        assert_eq!(may("", "", None, false), Ok(()), "there is nobody to be promoted");
        assert_eq!(may("", "", None, true), Ok(()));
        assert_eq!(may("b c", "b c", Some("b c"), true), Ok(()));
        // c may have been promoted if b has left the record meanwhile.
        assert_eq!(may("b c", "b", Some("b c"), true), unseen("c"));
        assert_eq!(may("b c", "b", Some("c"), true), unseen("c"));
        // c died, and everybody has heard that it acknowledges no more.
        assert_eq!(may("b c", "b", Some("b"), true), Ok(()));
        assert_eq!(may("b c", "b", None, true), unseen("c"), "the record was never heard of");
        assert_eq!(may("b c", "b c", None, true), Ok(()));
        assert_eq!(may("b c", "", Some(""), true), unseen("b c"));
        assert_eq!(may("b c", "b c", Some("b"), false), Ok(()));
        assert_eq!(may("b c", "b", Some("b"), false), unseen("c"));
        assert_eq!(may("b c d", "b d", None, false), Ok(()));
    }
}
