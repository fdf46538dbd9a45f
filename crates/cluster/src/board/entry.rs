//! One server on the board.

use std::sync::Arc;
use std::time::Instant;

use topology::{Address, Health, Position, Role, ServerId, ServerView};

use crate::detect::death::Fault;
use crate::detect::health::Ramp;
use crate::detect::lag::Arrival;
use crate::detect::roles::Reach;
use crate::observe::probe::Observation;
use crate::observe::replication::Channel;
use crate::rebuild::RebuildStatus;
use crate::report::Failure;
use crate::status::{ServerStatus, SourceStatus};

/// What is known of one server and what was made of it.
pub(crate) struct Entry {
    pub(crate) address: Arc<Address>,
    pub(crate) weight: u32,
    pub(crate) reach: Reach,
    /// The newest observation there is, also of a server that is down.
    pub(crate) seen: Option<Observation>,
    pub(crate) down_why: Option<String>,
    /// Of the last look, if it failed.
    pub(crate) fault: Option<Fault>,
    /// Looks that failed in a row.
    pub(crate) failures: u32,
    /// The look at it that is under way takes long.
    pub(crate) slow: bool,
    /// It was started not long ago, or has thrown its relay log away, and has not been level with the primary since.
    pub(crate) restarted: bool,
    /// Whether it was is only guessed: it has been like this since it was first looked at.
    pub(crate) unproved: bool,
    /// What it has to have for either to be over.
    pub(crate) level: Option<Position>,
    /// Since when it is so.
    doubted: Option<Instant>,
    /// The most that it was seen to have received, and from whom.
    most_received: Option<(Address, Position)>,
    /// MySQL: it has less than it was seen to have, and has not been level with the primary since.
    pub(crate) diminished: bool,
    /// When the first of these looks began.
    pub(crate) failing_since: Option<Instant>,
    /// When something last came through its replication connection.
    pub(crate) heard: Option<Instant>,
    /// Another entry leads to the same server.
    pub(crate) is_alias: bool,
    /// See [`crate::detect::roles::Standing::member`].
    pub(crate) is_member: bool,
    pub(crate) role: Role,
    pub(crate) follows_primary: bool,
    pub(crate) lag_ms: Option<u64>,
    /// Of the heartbeat.
    pub(crate) arrival: Arrival,
    pub(crate) health: Health,
    /// Its data are being replaced: nobody reads from it.
    pub(crate) rebuild: Option<RebuildStatus>,
    /// People work on it, and why: nobody reads from it.
    pub(crate) maintenance: Option<String>,
    pub(crate) ramp: Ramp,
    version: Arc<str>,
}

impl Entry {
    pub(crate) fn new(address: Address, weight: u32) -> Self {
        Self {
            address: Arc::new(address),
            weight,
            reach: Reach::Pending,
            seen: None,
            down_why: None,
            fault: None,
            failures: 0,
            slow: false,
            restarted: false,
            unproved: true,
            level: None,
            doubted: None,
            most_received: None,
            diminished: false,
            failing_since: None,
            heard: None,
            is_alias: false,
            is_member: false,
            role: Role::Unknown,
            follows_primary: true,
            lag_ms: None,
            arrival: Arrival::default(),
            health: Health::Down("not tried yet".to_owned()),
            rebuild: None,
            maintenance: None,
            ramp: Ramp::default(),
            version: "".into(),
        }
    }

    /// Takes in the outcome of a look.
    pub(crate) fn saw(&mut self, outcome: Result<Observation, Failure>) {
        self.slow = false;
        match outcome {
            Ok(seen) => {
                if *self.version != *seen.version {
                    self.version = seen.version.as_str().into();
                }
                self.reach = Reach::Up;
                self.down_why = None;
                self.fault = None;
                self.failures = 0;
                self.failing_since = None;
                // A late look tells that the server is there; what it was then, another one knows better.
                if self.seen.as_ref().is_some_and(|before| before.began > seen.began) {
                    return;
                }
                self.doubt(&seen);
                if self.seen.as_ref().is_none_or(|before| has_heard(before, &seen)) {
                    self.heard = Some(seen.ended);
                }
                self.seen = Some(seen);
            }
            Err(failure) => {
                self.reach = Reach::Down;
                self.down_why = Some(failure.why);
                self.fault = Some(failure.fault);
                self.failing_since.get_or_insert(failure.began);
                self.failures = self.failures.saturating_add(1);
            }
        }
    }

    /// Whether everything that it ever acknowledged is still there.
    fn doubt(&mut self, seen: &Observation) {
        let started = seen.has_started_since(self.seen.as_ref());
        let diminished = seen.has_less_than(self.seen.as_ref());
        let lost = diminished || self.has_lost_received(seen);
        self.diminished |= diminished;
        if self.seen.is_none() || started || lost {
            self.doubted = Some(seen.ended);
            self.level = None;
        }
        self.restarted |= started || lost;
        self.unproved &= self.seen.is_none() || !(started || lost);
    }

    /// MariaDB: notes what was received. One that has received less than before has begun its relay log anew: both its threads were
    /// stopped, and one of them was started.
    fn has_lost_received(&mut self, seen: &Observation) -> bool {
        let Some(channel) = seen.channels.first().filter(|_| seen.uuid.is_none()) else {
            self.most_received = None;
            return false;
        };
        if channel.received.is_empty() {
            return false;
        }
        match &mut self.most_received {
            Some((source, most)) if *source == channel.source => {
                let lost = !channel.received.covers(most);
                most.advance_all(&channel.received);
                lost && !seen.reached.covers(most)
            }
            most => {
                *most = Some((channel.source.clone(), channel.received.clone()));
                false
            }
        }
    }

    /// The primary had written this at a look that began then.
    pub(crate) fn has_to_reach(&mut self, written: &Position, at: Instant) {
        if self.level.is_none() && self.doubted.is_some_and(|doubted| doubted <= at) {
            self.level = Some(written.clone());
        }
    }

    /// Whether it has got there.
    pub(crate) fn believe_if_level(&mut self) {
        let has = |level: &Position| {
            self.seen.as_ref().is_some_and(|seen| {
                seen.reached.covers(level) || seen.channels.iter().any(|c| c.received.covers(level))
            })
        };
        if self.level.as_ref().is_some_and(has) {
            self.believe();
        }
    }

    /// It has everything that it ever had.
    pub(crate) fn believe(&mut self) {
        self.restarted = false;
        self.diminished = false;
        self.unproved = false;
        self.doubted = None;
        self.level = None;
    }

    pub(crate) fn has_id(&self, id: u32) -> bool {
        id != 0 && self.seen.as_ref().is_some_and(|s| s.server_id == id)
    }

    /// What tells two servers apart; `None` before the first contact.
    pub(crate) fn identity(&self) -> Option<(u32, &(String, String))> {
        self.seen.as_ref().map(|s| (s.server_id, &s.identity))
    }

    pub(crate) fn view(&self, id: ServerId) -> ServerView {
        let seen = self.seen.as_ref();
        ServerView {
            id,
            address: self.address.clone(),
            role: self.role,
            health: self.health.clone(),
            lag_ms: self.lag_ms,
            position: seen.map(|s| s.position.mariadb().clone()).unwrap_or_default(),
            weight: self.weight,
            ramp_percent: self.ramp.percent(),
            version: self.version.clone(),
            server_id: seen.map_or(0, |s| s.server_id),
            // What was never seen is not to be written to.
            read_only: seen.is_none_or(|s| s.read_only),
        }
    }

    /// What people want to see: how far the primary has written, how far a replica can be read.
    fn at<'a>(&self, seen: &'a Observation) -> &'a Position {
        if self.role == Role::Primary { &seen.reached } else { &seen.position }
    }

    pub(crate) fn status(&self) -> ServerStatus {
        let seen = self.seen.as_ref();
        let probe_us = seen.map_or(0, |s| s.ended.saturating_duration_since(s.began).as_micros());
        ServerStatus {
            server: self.address.to_string(),
            role: self.role.as_str(),
            health: self.health.clone(),
            lag_ms: self.lag_ms,
            position: seen.map(|s| self.at(s).to_string()).unwrap_or_default(),
            weight: self.weight,
            ramp_percent: self.ramp.percent(),
            version: self.version.to_string(),
            server_id: seen.map_or(0, |s| s.server_id),
            read_only: seen.is_none_or(|s| s.read_only),
            acknowledgers: seen.map_or(0, |s| s.durability.acknowledgers),
            sources: seen.map(|s| s.channels.iter().map(source).collect()).unwrap_or_default(),
            rebuild: self.rebuild.clone(),
            maintenance: self.maintenance.clone(),
            probe_us: u64::try_from(probe_us).unwrap_or(u64::MAX),
        }
    }
}

/// Whether something came through a replication connection between two looks.
fn has_heard(before: &Observation, now: &Observation) -> bool {
    let signs = |seen: &Observation| -> Vec<_> {
        seen.channels.iter().map(|c| (c.received.clone(), c.heartbeats)).collect()
    };
    signs(before) != signs(now)
}

fn source(channel: &Channel) -> SourceStatus {
    let errors = [channel.receiver.error.as_str(), channel.applier.error.as_str()];
    SourceStatus {
        name: channel.name.clone(),
        source: channel.source.to_string(),
        receiver: channel.receiver.state.clone(),
        applier: channel.applier.state.clone(),
        error: errors.into_iter().filter(|e| !e.is_empty()).collect::<Vec<_>>().join("; "),
        received: channel.received.to_string(),
        seconds_behind: channel.seconds_behind,
    }
}
