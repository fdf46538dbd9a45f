//! What the other replicas do once a server is chosen.

use super::candidate::foreign;
use super::situation::{Member, Rebuilding, Situation};

/// The replicas beside the new primary.
pub(super) struct Field<'a> {
    new: &'a Member,
    follow: Vec<&'a Member>,
    /// They keep a source that goes on.
    keep: Vec<&'a Member>,
    late: Vec<&'a Member>,
    /// They lack what the new primary cannot hand on any more.
    behind: Vec<&'a Member>,
}

impl<'a> Field<'a> {
    /// `late`: whoever has more to apply is not waited for.
    pub(super) fn of(situation: &'a Situation, new: &'a Member, late: u64) -> Self {
        let joins: Vec<&Member> = situation
            .replicas()
            .filter(|m| m.server != new.server && m.applies() && !m.maintenance)
            // Whoever rebuilds it points it to the new primary.
            .filter(|m| m.rebuilding == Rebuilding::No)
            .filter(|m| foreign(m, situation).is_none())
            .collect();
        let (behind, joins): (Vec<&Member>, Vec<&Member>) =
            joins.into_iter().partition(|m| m.is_behind_logs_of(new));
        let (mut late, mut soon): (Vec<&Member>, Vec<&Member>) =
            joins.into_iter().partition(|m| m.backlog() > late);
        if soon.is_empty() {
            // Somebody has to acknowledge.
            late.sort_by_key(|m| (m.backlog(), m.server.as_str()));
            soon.extend((!late.is_empty()).then(|| late.remove(0)));
        }
        let goes_on = |source: &str| source == new.server || soon.iter().any(|m| m.server == source);
        let keeps = |m: &&Member| m.replication.as_ref().is_some_and(|r| goes_on(&r.source));
        let (keep, follow) = soon.iter().copied().partition(keeps);
        let late = late.into_iter().filter(|m| !keeps(m)).collect();
        Self { new, follow, keep, late, behind }
    }

    pub(super) fn leader(&self) -> &'a Member {
        self.new
    }

    /// It is to replicate from the new primary, and did not.
    pub(super) fn follows(&self, member: &Member) -> bool {
        self.follow.iter().any(|m| m.server == member.server)
    }

    /// A replica replicates from the new primary already.
    pub(super) fn has_below(&self) -> bool {
        self.keep.iter().any(|m| m.follows(&self.new.server))
    }

    pub(super) fn late(&self) -> impl Iterator<Item = &'a Member> + use<'a, '_> {
        self.late.iter().copied()
    }

    pub(super) fn behind(&self) -> impl Iterator<Item = &'a Member> + use<'a, '_> {
        self.behind.iter().copied()
    }

    /// Those that replicate from the new primary afterwards, be it through others.
    pub(super) fn replicas(&self) -> impl Iterator<Item = &'a Member> + use<'a, '_> {
        self.follow.iter().chain(&self.keep).copied()
    }

    pub(super) fn takes_part(&self, server: &str) -> bool {
        self.new.server == server || self.replicas().any(|m| m.server == server)
    }
}
