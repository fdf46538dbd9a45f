//! The board as the controller sees it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use topology::{Role, ServerId};

use super::{Board, Entry};
use crate::detect::death::{PrimarySigns, ReplicaSigns};
use crate::detect::health::Thread;
use crate::detect::roles::{Link, Reach};
use crate::observe::replication::Channel;
use crate::plan::{Applier, Member, Rebuilding, Replication, Situation};

/// Heartbeats of a source that come so often are waited for as if they came all the time.
const FREQUENT: Duration = Duration::from_millis(500);

/// A cluster at one moment, with what tells whether its primary lives.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) situation: Situation,
    /// `None` while no primary was ever known.
    pub(crate) primary: Option<PrimarySigns>,
    /// Of the servers that replicate from it, by name.
    pub(crate) replicas: Vec<(String, ReplicaSigns)>,
    /// How long commits on the primary have waited for acknowledgements of what every replica has.
    pub(crate) stuck_for: Duration,
    /// Every server was tried.
    pub(crate) complete: bool,
    /// When servers were started, by name.
    pub(crate) starts: HashMap<String, Start>,
}

/// When a server was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// In seconds of its own clock.
    pub(crate) at: i64,
    /// Nothing has been seen that says whether it has kept what it acknowledged: neither that it was level with the primary,
    /// nor that it was started again.
    pub(crate) unproved: bool,
}

impl Board {
    /// What there is to decide on.
    pub(crate) fn picture(&self, now: Instant) -> Picture {
        let primary = self.primary.or(self.last_primary).or_else(|| self.commonly_followed());
        let name = |id: ServerId| self.entry(id).map(|e| e.address.to_string());
        let entries = || self.servers.iter().filter(|e| !e.is_alias);
        let situation = Situation {
            cluster: self.name.to_string(),
            epoch: self.epoch,
            primary: primary.and_then(name),
            members: entries().map(|e| self.member(e)).collect(),
            acknowledgers: None,
            fell_back: self.fell_back,
        };
        let follows = |e: &&Entry| {
            let from = e.seen.as_ref().and_then(|s| s.channels.first()).map(|c| self.source_of(e, c));
            primary.and_then(name).is_some_and(|p| from.as_deref() == Some(p.as_str()))
        };
        let replicas =
            entries().filter(follows).map(|e| (e.address.to_string(), replica_signs(e, now))).collect();
        Picture {
            situation,
            primary: primary.and_then(|id| self.entry(id)).map(|e| self.primary_signs(e, now)),
            replicas,
            stuck_for: self
                .stuck
                .as_ref()
                .map_or(Duration::ZERO, |(_, at)| now.saturating_duration_since(*at)),
            complete: self.servers.iter().all(|s| s.reach != Reach::Pending),
            starts: entries().filter_map(start).collect(),
        }
    }

    /// Where no primary was ever seen: the one server that all replicas name.
    fn commonly_followed(&self) -> Option<ServerId> {
        let sources = self.servers.iter().filter(|e| e.reach == Reach::Up && !e.is_alias).filter_map(|e| {
            let channel = e.seen.as_ref()?.channels.first()?;
            self.find(&channel.source, channel.source_server_id, &e.address)
        });
        let mut sources = sources.peekable();
        let first = *sources.peek()?;
        let leads = self.entry(first).is_some_and(|e| e.role != Role::Replica);
        (leads && sources.all(|s| s == first)).then_some(first)
    }

    /// A silence is counted from the first look that got no answer, not from the last answer: a server that was away for less
    /// than the patience must not be taken for dead because nobody happened to look just before.
    fn primary_signs(&self, entry: &Entry, now: Instant) -> PrimarySigns {
        let heard = self.options.pulses.heard(&entry.address);
        let for_how_long =
            |at: Option<Instant>| at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        PrimarySigns {
            fault: entry.fault,
            failures: entry.failures,
            unanswered_for: for_how_long(entry.failing_since),
            silent_for: for_how_long(entry.failing_since.map(|at| heard.map_or(at, |heard| heard.max(at)))),
            stalled_for: self.stall.lasts(),
        }
    }

    fn source_of(&self, entry: &Entry, channel: &Channel) -> String {
        let found = self.find(&channel.source, channel.source_server_id, &entry.address);
        found
            .and_then(|id| self.entry(id))
            .map_or_else(|| channel.source.to_string(), |e| e.address.to_string())
    }

    fn member(&self, entry: &Entry) -> Member {
        let server = entry.address.to_string();
        let rules = &self.options.control;
        let (promotion, zone) =
            (rules.promotion.get(&server).copied().unwrap_or_default(), rules.zones.get(&server).cloned());
        let up = entry.reach == Reach::Up;
        let Some(seen) = &entry.seen else {
            return Member { server, up, promotion, zone, read_only: true, ..Member::unknown() };
        };
        let channel = seen.channels.first();
        let replication = channel.map(|channel| Replication {
            source: self.source_of(entry, channel),
            source_id: channel.source_server_id,
            source_uuid: channel.source_uuid,
            connected: up && channel.link() == Link::Connected,
            halted: channel.link() == Link::Stopped,
            applier: applier(&channel.applier),
            severed: severed(&channel.receiver),
            received: channel.received.clone(),
            acknowledges: seen.durability.acknowledges,
        });
        let keeps = seen.durability.keeps_received && channel.is_some();
        let waits = rules.lossless && !seen.durability.can_wait;
        let no_plugin =
            || "its plugin for waiting for acknowledgements (semisync_source) is not installed".to_owned();
        Member {
            server,
            id: seen.server_id,
            uuid: seen.uuid,
            up,
            read_only: seen.read_only,
            version: seen.version.clone(),
            logs: seen.durability.logs,
            position: seen.reached.clone(),
            history: seen.durability.history.clone(),
            base: seen.durability.base.clone(),
            purged: seen.purged.clone(),
            unprepared: seen.unprepared.clone().or_else(|| waits.then(no_plugin)),
            wait_for: seen.durability.wait_for,
            replication,
            promotion,
            zone,
            maintenance: false,
            restarted: entry.diminished || entry.restarted && !keeps,
            rebuilding: Rebuilding::No,
        }
    }
}

fn start(entry: &Entry) -> Option<(String, Start)> {
    // Not known of MySQL, which keeps what it received.
    let seen = entry.seen.as_ref().filter(|seen| seen.uuid.is_none())?;
    let at = seen.durability.started;
    Some((entry.address.to_string(), Start { at, unproved: entry.unproved }))
}

fn applier(thread: &Thread) -> Applier {
    match (thread.is_running(), thread.error.is_empty()) {
        (true, _) => Applier::Running,
        (false, true) => Applier::Stopped,
        (false, false) => Applier::Broken(thread.error.clone()),
    }
}

/// Error 1236 covers all that a source can have against a position; the receiving thread does not try again after it.
fn severed(thread: &Thread) -> Option<String> {
    let fatal = thread.state == "No" && thread.error.starts_with("error 1236:");
    fatal.then(|| thread.error.clone())
}

fn since(at: Option<Instant>, now: Instant) -> Duration {
    at.map_or(Duration::MAX, |at| now.saturating_duration_since(at))
}

fn replica_signs(entry: &Entry, now: Instant) -> ReplicaSigns {
    let connected = |seen: &crate::observe::probe::Observation| {
        seen.channels.first().is_some_and(|c| c.link() == Link::Connected)
    };
    let channel = entry.seen.as_ref().and_then(|seen| seen.channels.first());
    ReplicaSigns {
        up: entry.reach == Reach::Up,
        stopped: channel.is_some_and(|c| c.link() == Link::Stopped),
        connected: entry.seen.as_ref().is_some_and(connected),
        quiet_for: unusually_quiet(since(entry.heard, now), channel.and_then(|c| c.heartbeat_period)),
    }
}

/// With MariaDB's default of 30 s between heartbeats, silence on a connection says nothing for as long.
fn unusually_quiet(quiet: Duration, period: Option<Duration>) -> Duration {
    match (quiet, period) {
        (Duration::MAX, _) => quiet,
        (_, None) => Duration::ZERO,
        (_, Some(period)) => quiet.saturating_sub(period.saturating_sub(FREQUENT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_when_a_heartbeat_was_due() {
        let ms = Duration::from_millis;
        assert_eq!(unusually_quiet(ms(1600), Some(ms(500))), ms(1600));
        assert_eq!(unusually_quiet(ms(1600), Some(ms(1000))), ms(1100));
        assert_eq!(unusually_quiet(ms(20_000), Some(ms(30_000))), Duration::ZERO);
        assert_eq!(unusually_quiet(ms(31_500), Some(ms(30_000))), ms(2000));
        assert_eq!(unusually_quiet(ms(90_000), None), Duration::ZERO);
        assert_eq!(unusually_quiet(Duration::MAX, None), Duration::MAX);
    }
}
