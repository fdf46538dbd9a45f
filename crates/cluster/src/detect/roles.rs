//! Which server is the primary, and which ones are its replicas.
//!
//! Roles are observed, never configured, and never guessed: a server that merely could be the primary is not one. The
//! rules, in short:
//! - The primary is writable and replicates from no writable member of the cluster.
//! - Of several such servers it is the one that the others replicate from; else the present one; else nobody.
//! - It stays the primary while it is only unreachable. It stops being one as soon as it is seen read-only.
//! - A successor is believed if others replicate from it, or if it once belonged to this cluster's replication and
//!   nothing speaks for the old primary any more.

use topology::{Role, ServerId};

/// Whether a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not tried yet.
    Pending,
    Up,
    Down,
}

/// How a replication connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Configured; at least the receiving thread is stopped.
    Stopped,
    /// Running, but without a connection.
    Connecting,
    Connected,
}

/// A server that another one replicates from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// `None`: it is no member of this cluster.
    pub from: Option<ServerId>,
    pub link: Link,
}

/// What is known of one server. While it is down: what was last known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub reach: Reach,
    pub writable: bool,
    pub sources: Vec<Source>,
    /// It was once the primary, replicated from a member, or was replicated from by one, and has nearly all that the
    /// last primary had: it may succeed. A replica that was detached days ago may not.
    pub member: bool,
}

impl Standing {
    /// A server that nothing is known of.
    pub fn unknown() -> Self {
        Self { reach: Reach::Pending, writable: false, sources: Vec::new(), member: false }
    }

    fn is_up(&self) -> bool {
        self.reach == Reach::Up
    }

    fn points_to(&self, server: ServerId) -> bool {
        self.sources.iter().any(|s| s.from == Some(server))
    }

    fn replicates_within(&self) -> bool {
        self.sources.iter().any(|s| s.from.is_some())
    }

    fn runs_within(&self) -> bool {
        self.sources.iter().any(|s| s.from.is_some() && s.link != Link::Stopped)
    }
}

/// The judgement on all servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub primary: Option<ServerId>,
    /// One clause for people: why this one, or why nobody.
    pub why: &'static str,
    /// By server.
    pub roles: Vec<Role>,
    /// By server: whether the chain of its sources leads to the primary. True while there is no primary.
    pub follows_primary: Vec<bool>,
}

/// Judges the servers, indexed by [`ServerId`], given who is the primary at present.
pub fn judge(servers: &[Standing], current: Option<ServerId>) -> Verdict {
    let cluster = Cluster { servers };
    let (primary, why) = cluster.primary(current);
    let roles = cluster.ids().map(|id| cluster.role(id, primary)).collect();
    let follows_primary =
        cluster.ids().map(|id| primary.is_none_or(|p| cluster.leads_to(id, p, &mut Vec::new()))).collect();
    Verdict { primary, why, roles, follows_primary }
}

struct Cluster<'a> {
    servers: &'a [Standing],
}

impl<'a> Cluster<'a> {
    fn ids(&self) -> impl Iterator<Item = ServerId> + use<'a> {
        (0..self.servers.len()).map(|i| ServerId(u16::try_from(i).unwrap_or(u16::MAX)))
    }

    fn get(&self, id: ServerId) -> Option<&'a Standing> {
        self.servers.get(usize::from(id.0))
    }

    fn up(&self) -> impl Iterator<Item = (ServerId, &'a Standing)> {
        self.ids().zip(self.servers).filter(|(_, s)| s.is_up())
    }

    fn primary(&self, current: Option<ServerId>) -> (Option<ServerId>, &'static str) {
        if current.is_none() && self.servers.iter().any(|s| s.reach == Reach::Pending) {
            return (None, "not every server was tried yet");
        }
        let candidates: Vec<_> = self.up().filter(|(_, s)| self.may_lead(s)).map(|(id, _)| id).collect();
        match candidates.as_slice() {
            [] => self.without_candidate(current),
            [one] if Some(*one) == current => (current, "it is writable and replicates from nobody"),
            [one] => self.successor(*one, current),
            several => self.choose(several, current),
        }
    }

    /// Writable, and not itself following a writable member. A passive, read-only partner that it replicates from
    /// (a ring of two) does not count.
    fn may_lead(&self, server: &Standing) -> bool {
        let follows_writable = server.sources.iter().any(|source| {
            let from = source.from.and_then(|id| self.get(id));
            source.link != Link::Stopped && from.is_some_and(|s| s.is_up() && s.writable)
        });
        server.writable && !follows_writable
    }

    fn without_candidate(&self, current: Option<ServerId>) -> (Option<ServerId>, &'static str) {
        match current.and_then(|id| self.get(id)) {
            Some(server) if !server.is_up() => (current, "it does not answer, and nobody took its place"),
            Some(server) if server.writable => (current, "the writable servers replicate from each other"),
            Some(_) => (None, "it is read-only, and no other server is writable"),
            None => (None, "no server is writable and free of a source"),
        }
    }

    /// Whether the only candidate takes over from the present primary.
    fn successor(&self, one: ServerId, current: Option<ServerId>) -> (Option<ServerId>, &'static str) {
        if self.is_followed(one) {
            return (Some(one), "it is writable and the others replicate from it");
        }
        let member = self.get(one).is_some_and(|s| s.member);
        let Some(present) = current else {
            let elsewhere = self.up().any(|(id, s)| id != one && s.replicates_within());
            return if elsewhere && !member {
                (None, "the only writable server is not the one that the others replicate from")
            } else {
                (Some(one), "it is the only writable server")
            };
        };
        if !member {
            return self
                .keep_unless_up(present, "the only writable server never was part of this replication");
        }
        let is_down = self.get(present).is_some_and(|s| !s.is_up());
        if is_down && self.has_connected_replica(present) {
            return (current, "it does not answer, but a replica is still connected to it");
        }
        (Some(one), "it became writable, and the former primary is not")
    }

    fn keep_unless_up(&self, present: ServerId, why: &'static str) -> (Option<ServerId>, &'static str) {
        let is_up = self.get(present).is_some_and(Standing::is_up);
        if is_up { (None, why) } else { (Some(present), "it does not answer, and nobody took its place") }
    }

    fn choose(&self, several: &[ServerId], current: Option<ServerId>) -> (Option<ServerId>, &'static str) {
        let followed: Vec<_> = several.iter().copied().filter(|id| self.is_followed(*id)).collect();
        if let [one] = followed.as_slice() {
            return (Some(*one), "of the writable servers it is the one that the others replicate from");
        }
        let Some(present) = current else {
            return (None, "several servers are writable, and it is not clear which one leads");
        };
        if several.contains(&present) {
            return (current, "several servers are writable; it was the primary before");
        }
        self.keep_unless_up(present, "several servers are writable, and it is not clear which one leads")
    }

    fn is_followed(&self, server: ServerId) -> bool {
        self.up().any(|(id, s)| id != server && s.points_to(server))
    }

    fn has_connected_replica(&self, server: ServerId) -> bool {
        let connected = |s: &Source| s.from == Some(server) && s.link == Link::Connected;
        self.up().any(|(_, s)| s.sources.iter().any(connected))
    }

    fn role(&self, id: ServerId, primary: Option<ServerId>) -> Role {
        let Some(server) = self.get(id) else { return Role::Unknown };
        if primary == Some(id) {
            return Role::Primary;
        }
        // A writable server whose replication was stopped is on its way to be something else.
        let replicates = if server.writable { server.runs_within() } else { server.replicates_within() };
        if server.reach != Reach::Pending && replicates { Role::Replica } else { Role::Unknown }
    }

    fn leads_to(&self, id: ServerId, primary: ServerId, seen: &mut Vec<ServerId>) -> bool {
        if id == primary {
            return true;
        }
        if seen.contains(&id) {
            return false;
        }
        seen.push(id);
        let Some(server) = self.get(id) else { return false };
        server.sources.iter().filter_map(|s| s.from).any(|from| self.leads_to(from, primary, seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ServerId = ServerId(0);
    const B: ServerId = ServerId(1);

    /// `rw`/`ro`, `down`, `pending`, `member`, and sources: `<a` connected, `~a` connecting, `!a` stopped, `<x` from
    /// outside.
    fn standing(words: &str) -> Standing {
        let mut s = Standing { reach: Reach::Up, ..Standing::unknown() };
        for word in words.split_whitespace() {
            match word {
                "rw" => s.writable = true,
                "ro" => s.writable = false,
                "down" => s.reach = Reach::Down,
                "pending" => s.reach = Reach::Pending,
                "member" => s.member = true,
                source => s.sources.push(source_of(source)),
            }
        }
        s
    }

    fn source_of(word: &str) -> Source {
        let link = match word.as_bytes()[0] {
            b'<' => Link::Connected,
            b'~' => Link::Connecting,
            b'!' => Link::Stopped,
            _ => panic!("{word}"),
        };
        let from = ["a", "b", "c"].iter().position(|name| *name == &word[1..]).map(|i| ServerId(i as u16));
        Source { from, link }
    }

    fn primary(servers: &[&str], current: Option<ServerId>) -> Option<ServerId> {
        let servers: Vec<_> = servers.iter().map(|s| standing(s)).collect();
        judge(&servers, current).primary
    }

    #[test]
    fn the_primary_is_found_and_followed() {
        type Case<'a> = (&'a str, &'a [&'a str], Option<ServerId>, Option<ServerId>);
        #[rustfmt::skip]
        let table: &[Case<'_>] = &[
            ("a server alone",                           &["rw"], None, Some(A)),
            ("a read-only server alone",                 &["ro"], None, None),
            ("two replicas",                             &["rw", "ro <a", "ro <a"], None, Some(A)),
            ("replicas that nobody made read-only",      &["rw", "rw <a", "rw <a"], None, Some(A)),
            ("not everybody was asked yet",              &["rw", "pending"], None, None),
            ("a newcomer does not unseat the primary",   &["rw", "pending"], Some(A), Some(A)),
            ("a chain",                                  &["rw", "ro <a", "ro <b"], None, Some(A)),
            ("an outside source",                        &["rw <x", "ro <a"], None, Some(A)),
            ("a ring with a passive half",               &["rw <b", "ro <a"], None, Some(A)),
            ("a ring of writers",                        &["rw <b", "rw <a"], None, None),
            ("a ring of writers with a past",            &["rw <b", "rw <a"], Some(B), Some(B)),
            // Made by hand.
            ("read-only, and no other",                  &["ro member", "ro <a member"], Some(A), None),
            ("back again",                               &["rw member", "ro <a member"], None, Some(A)),
            ("moved, the old one repointed",             &["ro <b", "rw", "ro <b"], Some(A), Some(B)),
            ("moved, nobody repointed yet",              &["ro member", "rw !a member", "ro <a member"], Some(A), Some(B)),
            ("moved back, nobody repointed",             &["rw member", "ro !a member", "ro <a member"], Some(B), Some(A)),
            ("half-way: both writable",                  &["rw member", "rw !a member", "ro <a member"], Some(A), Some(A)),
            ("half-way: both writable, reset",           &["rw member", "rw member"], Some(A), Some(A)),
            ("both writable, the others moved",          &["rw member", "rw member", "ro <b"], Some(A), Some(B)),
            ("both writable, no past, no followers",     &["rw", "rw"], None, None),
            ("both writable and both followed",          &["rw", "rw", "ro <a <b"], None, None),
            // A stranger is not believed.
            ("a stray writable server at the start",     &["ro", "ro ~a", "rw"], None, None),
            ("a stray one while the primary is down",    &["rw down member", "ro ~a member", "rw"], Some(A), Some(A)),
            ("a stray one while the primary is read-only", &["ro member", "ro <a member", "rw"], Some(A), None),
            ("a stray one while the real one leads",     &["rw", "ro <a", "rw"], None, Some(A)),
            // The primary dies.
            ("down and nobody took over",                &["rw down", "ro ~a", "ro ~a"], Some(A), Some(A)),
            ("down, a replica promoted by hand",         &["rw down member", "rw member", "ro ~a member"], Some(A), Some(B)),
            ("down for us only",                         &["rw down member", "rw member", "ro <a member"], Some(A), Some(A)),
            ("promoted and followed",                    &["rw down member", "rw", "ro <b", ], Some(A), Some(B)),
            ("down at the start",                        &["down", "ro ~a"], None, None),
            ("the old one comes back writable",          &["rw member", "rw member", "ro <b member"], Some(B), Some(B)),
            ("all are down",                             &["rw down", "ro <a down"], Some(A), Some(A)),
        ];
        for (name, servers, current, expected) in table {
            assert_eq!(primary(servers, *current), *expected, "{name}: {servers:?}");
        }
    }

    #[test]
    fn the_others_get_their_roles() {
        use Role::{Primary, Replica, Unknown};
        #[rustfmt::skip]
        let table: &[(&[&str], [Role; 3], [bool; 3])] = &[
            (&["rw", "ro <a", "ro !a"],      [Primary, Replica, Replica],  [true, true, true]),
            (&["rw", "ro <a", "ro <b"],      [Primary, Replica, Replica],  [true, true, true]),
            (&["rw", "ro <a", "ro"],         [Primary, Replica, Unknown],  [true, true, false]),
            (&["rw", "ro <a", "rw"],         [Primary, Replica, Unknown],  [true, true, false]),
            (&["rw", "ro <a", "rw !a"],      [Primary, Replica, Unknown],  [true, true, true]),
            (&["rw", "rw <a", "ro ~a down"], [Primary, Replica, Replica],  [true, true, true]),
            (&["rw", "ro <a", "down"],       [Primary, Replica, Unknown],  [true, true, false]),
            (&["rw", "ro <c", "ro <b"],      [Primary, Replica, Replica],  [true, false, false]),
            (&["ro", "ro <a", "ro <x"],      [Unknown, Replica, Unknown],  [true, true, true]),
        ];
        for (servers, roles, follows) in table {
            let standings: Vec<_> = servers.iter().map(|s| standing(s)).collect();
            // The ring of B and C has no bearing on A, which leads alone.
            let verdict = judge(&standings, Some(A).filter(|_| standings[0].writable));
            assert_eq!(verdict.roles, roles, "{servers:?}");
            assert_eq!(verdict.follows_primary, follows, "{servers:?}");
        }
    }
}
