//! What is known of a cluster, and what follows from it: reports come in, a view and events go out. No I/O.

mod change;
mod entry;
mod picture;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use topology::{Accounts, Address, Catalogue, ClusterView, Health, Position, Role, ServerId, Writes};

pub(crate) use entry::Entry;
pub(crate) use picture::{Picture, Start};

use crate::detect::health::Signs;
use crate::detect::lag::{Arrival, Evidence, Trail, combine};
use crate::detect::roles::{Reach, Source, Standing, Verdict};
use crate::detect::stall::{Mark, Stall};
use crate::detect::{health, roles};
use crate::events::{Event, EventKind};
use crate::observe::probe::Observation;
use crate::options::{FailoverMode, ObserveOptions};
use crate::rebuild::RebuildStatus;
use crate::report::{Failure, Leader};
use crate::status::ServerStatus;

/// More servers than this are not added to a cluster, whatever they report.
const MOST_SERVERS: usize = 64;

/// A primary that stops waiting for acknowledgements sooner than after a day may do so between two looks.
const PATIENT_MS: u64 = 24 * 3600 * 1000;

/// A server that lacks more than the last primary's writes of this long is no successor of it.
const SUCCESSOR_BEHIND: Duration = Duration::from_secs(10);

/// The state of one cluster.
pub(crate) struct Board {
    name: Arc<str>,
    options: Arc<ObserveOptions>,
    servers: Vec<Entry>,
    primary: Option<ServerId>,
    /// The last one that there was, to tell a return from a change.
    last_primary: Option<ServerId>,
    epoch: u64,
    writes: Writes,
    heals: bool,
    read_only: Option<Arc<str>>,
    /// The primary stopped waiting for acknowledgements, and its replicas have not caught up with it since.
    fell_back: bool,
    /// Since when commits on the primary wait for acknowledgements of what every replica has.
    stuck: Option<(Position, Instant)>,
    /// Whether the primary's disk stands still.
    stall: Stall,
    revision: u64,
    /// All times are measured from here.
    origin: Instant,
    beats: Trail<u64>,
    positions: Trail<Position>,
    accounts: Arc<Accounts>,
    catalogue: Arc<Catalogue>,
    events: Vec<Event>,
}

impl Board {
    pub(crate) fn new(name: &str, options: Arc<ObserveOptions>, origin: Instant) -> Self {
        let mut board = Self {
            name: name.into(),
            servers: Vec::new(),
            primary: None,
            last_primary: None,
            epoch: 0,
            writes: Writes::Open,
            heals: false,
            read_only: None,
            fell_back: false,
            stuck: None,
            stall: Stall::default(),
            revision: 0,
            origin,
            beats: Trail::default(),
            positions: Trail::default(),
            accounts: Arc::default(),
            catalogue: Arc::default(),
            events: Vec::new(),
            options,
        };
        for address in board.options.clone().servers.clone() {
            board.add(address);
        }
        board
    }

    /// Adds a server that is not there yet.
    fn add(&mut self, address: Address) {
        let known = self.servers.iter().any(|s| *s.address == address);
        if !known && self.servers.len() < MOST_SERVERS {
            let weight = self.options.weight(&address);
            self.servers.push(Entry::new(address, weight));
        }
    }

    /// Where the servers listen, by id.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (ServerId, &Arc<Address>)> {
        self.servers.iter().enumerate().map(|(i, s)| (server_id(i), &s.address))
    }

    /// What has happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn leader(&self) -> Option<Leader> {
        let server = self.primary?;
        let address = self.entry(server)?.address.clone();
        Some(Leader { server, address, epoch: self.epoch })
    }

    /// A primary, accounts and catalogue are known.
    pub(crate) fn is_ready(&self) -> bool {
        let accounts = self.accounts.loaded || !self.options.read_accounts;
        self.primary.is_some() && accounts && self.catalogue.loaded
    }

    pub(crate) fn set_accounts(&mut self, accounts: Arc<Accounts>) {
        self.accounts = accounts;
    }

    pub(crate) fn set_catalogue(&mut self, catalogue: Arc<Catalogue>) {
        self.catalogue = catalogue;
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Whether what needs the primary may be sent there.
    pub(crate) fn set_writes(&mut self, writes: Writes) {
        self.writes = writes;
    }

    /// Whether the control plane replaces a primary that is gone.
    pub(crate) fn set_read_only(&mut self, why: Option<Arc<str>>) {
        self.read_only = why;
    }

    pub(crate) fn set_heals(&mut self, heals: bool) {
        self.heals = heals;
    }

    /// On which servers people work, and why; on all others nobody does.
    pub(crate) fn set_maintenance(&mut self, reasons: &BTreeMap<String, String>) {
        for entry in &mut self.servers {
            entry.maintenance = reasons.get(&entry.address.to_string()).cloned();
        }
    }

    /// How far the rebuild of a server is.
    pub(crate) fn set_rebuild(&mut self, server: &str, status: Option<RebuildStatus>) {
        let id = self.at(server).map(|id| usize::from(id.0));
        if let Some(entry) = id.and_then(|id| self.servers.get_mut(id)) {
            entry.rebuild = status;
        }
    }

    /// The epoch is this one, if it is not past that.
    pub(crate) fn at_least_epoch(&mut self, number: u64) {
        self.epoch = self.epoch.max(number);
    }

    /// The primary does not answer, or there is none where there was one.
    pub(crate) fn is_alarming(&self) -> bool {
        match self.primary.and_then(|id| self.entry(id)) {
            Some(primary) => {
                let worrying = primary.reach == Reach::Down || primary.slow;
                worrying && self.options.control.failover != FailoverMode::Off
            }
            None => self.writes != Writes::Open,
        }
    }

    /// The server at this address.
    pub(crate) fn at(&self, server: &str) -> Option<ServerId> {
        self.servers.iter().position(|e| e.address.to_string() == server).map(server_id)
    }

    /// Begins an epoch with this number, or a greater one if it is not new.
    pub(crate) fn begin_epoch(&mut self, number: u64) {
        self.epoch = number.max(self.epoch + 1);
    }

    /// A server that was started anew and has all that the primary had written after that: whatever was in its relay log, it
    /// has again. What the primary writes meanwhile does not count, or a busy one would never be caught up with.
    fn note_level(&mut self, looked_at: ServerId) {
        if self.primary != Some(looked_at) {
            if let Some(entry) = self.servers.get_mut(usize::from(looked_at.0)) {
                entry.believe_if_level();
            }
            return;
        }
        let Some(primary) = self.entry(looked_at).filter(|e| e.reach == Reach::Up) else { return };
        let Some((written, at)) = primary.seen.as_ref().map(|seen| (seen.written.clone(), seen.began)) else {
            return;
        };
        for (i, entry) in self.servers.iter_mut().enumerate() {
            match server_id(i) == looked_at {
                true => entry.believe(),
                false => entry.has_to_reach(&written, at),
            }
        }
    }

    /// A replica that lost its connection for a moment fetches from where it was, and what it had not acknowledged before is
    /// not sent to it again: the primary waits for that acknowledgement for ever (seen on MariaDB 10.11).
    fn watch_waiting(&mut self, looked_at: ServerId) {
        if self.primary != Some(looked_at) {
            return;
        }
        let Some(primary) = self.entry(looked_at).filter(|e| e.reach == Reach::Up) else { return };
        // MySQL does not name what waits as written.
        let Some(seen) = primary.seen.as_ref().filter(|seen| seen.uuid.is_none()) else { return };
        let has_all = |e: &Entry| {
            e.role != Role::Replica
                || e.reach == Reach::Up
                    && e.seen
                        .as_ref()
                        .is_some_and(|s| s.channels.iter().any(|c| c.received.covers(&seen.written)))
        };
        let waits = seen.durability.waiting > 0 && seen.durability.acknowledgers > 0;
        if !waits || !self.servers.iter().all(has_all) {
            self.stuck = None;
            return;
        }
        let (written, at) = (seen.written.clone(), seen.ended);
        match &self.stuck {
            Some((before, _)) if *before == written => {}
            _ => self.stuck = Some((written, at)),
        }
    }

    /// Whether commits on the primary come to an end, or at least anything moves there.
    fn watch_writing(&mut self, looked_at: ServerId) {
        if self.primary != Some(looked_at) {
            return;
        }
        let Some(primary) = self.entry(looked_at).filter(|e| e.reach == Reach::Up) else {
            return self.stall.forget();
        };
        let Some(seen) = &primary.seen else { return };
        let mut received = Position::default();
        for channel in self.servers.iter().filter_map(|e| e.seen.as_ref()).flat_map(|s| &s.channels) {
            received.advance_all(&channel.received);
        }
        let write = seen.pending_write.clone();
        let counters = write.as_ref().map(|write| write.counters.clone()).unwrap_or_default();
        let mark = Mark { counters, position: seen.written.clone(), received };
        let (awaiting, at) = (seen.durability.waiting, seen.ended);
        self.stall.look(write.as_ref(), awaiting, mark, at);
    }

    /// Remembers whether the primary commits without waiting for anybody, until its replicas have everything.
    fn watch_acknowledgement(&mut self) {
        let Some(primary) = self.primary.and_then(|id| self.entry(id)).filter(|e| e.reach == Reach::Up)
        else {
            return;
        };
        let Some(seen) = &primary.seen else { return };
        let impatient = seen.durability.timeout_ms < PATIENT_MS;
        if seen.durability.waits && (impatient || !seen.durability.waiting_works) {
            self.fell_back = true;
            return;
        }
        let complete = |e: &Entry| {
            e.role != Role::Replica
                || e.reach == Reach::Up
                    && e.seen
                        .as_ref()
                        .is_some_and(|s| s.channels.iter().any(|c| c.received.covers(&seen.written)))
        };
        if self.fell_back && self.servers.iter().all(complete) {
            self.fell_back = false;
        }
    }

    /// A beat was written to `server`.
    pub(crate) fn beat(&mut self, server: ServerId, beat: u64, at: Instant) {
        // One that was under way while the primary changed belongs to the former one's history.
        if self.primary == Some(server) {
            let at = self.since_origin(at);
            self.beats.leave(beat, at);
        }
    }

    /// A look at a server takes long.
    pub(crate) fn slow(&mut self, server: ServerId) {
        if let Some(entry) = self.servers.get_mut(usize::from(server.0)) {
            entry.slow = true;
        }
    }

    /// A server was looked at, or could not be.
    pub(crate) fn looked(&mut self, server: ServerId, seen: Result<Observation, Failure>) {
        let Some(entry) = self.servers.get_mut(usize::from(server.0)) else { return };
        entry.saw(seen);
        self.find_aliases();
        self.discover(server);
        self.judge_roles();
        self.note_level(server);
        self.watch_acknowledgement();
        self.watch_waiting(server);
        self.watch_writing(server);
        self.measure(server);
        self.judge_health(server);
    }

    fn judge_roles(&mut self) {
        let standings = self.standings();
        let verdict = roles::judge(&standings, self.primary);
        self.remember_members(&standings, &verdict);
        self.change_primary(&verdict);
        for (entry, (role, follows)) in
            self.servers.iter_mut().zip(verdict.roles.iter().zip(&verdict.follows_primary))
        {
            entry.follows_primary = *follows;
            if entry.role != *role {
                self.events.push(change::role(entry, *role, verdict.why));
                entry.role = *role;
            }
        }
    }

    fn change_primary(&mut self, verdict: &Verdict) {
        if verdict.primary == self.primary {
            return;
        }
        let name = |id: Option<ServerId>| id.and_then(|id| self.entry(id)).map(|e| e.address.to_string());
        let (from, to) = (name(self.primary), name(verdict.primary));
        let words = [&from, &to].map(|name| name.as_deref().unwrap_or("none"));
        self.events.push(Event::new(EventKind::Primary, to.clone(), words[0], words[1], verdict.why));
        self.primary = verdict.primary;
        if self.primary.is_some() && self.primary != self.last_primary {
            // The controller begins an epoch itself, before it promotes anybody.
            if self.writes == Writes::Open {
                self.epoch += 1;
            }
            self.follow_another();
        }
    }

    /// Another server, another history to arrive on the replicas.
    fn follow_another(&mut self) {
        self.last_primary = self.primary;
        self.beats.clear();
        self.positions.clear();
        self.stall.forget();
        self.servers.iter_mut().for_each(|entry| entry.level = None);
    }

    /// The server was promoted, and has been restarted or lost since, before it was seen to take writes: it is the one whose death or
    /// return is to be judged from now on, unless the present primary takes writes.
    pub(crate) fn set_promoted(&mut self, server: &str) {
        let Some(new) = self.at(server).filter(|new| self.last_primary != Some(*new)) else { return };
        let writes = |e: &Entry| e.reach == Reach::Up && e.seen.as_ref().is_some_and(|s| !s.read_only);
        if self.primary.and_then(|id| self.entry(id)).is_some_and(writes) {
            return;
        }
        let from = self.primary.or(self.last_primary).and_then(|id| self.entry(id));
        let from = from.map_or("none".to_owned(), |e| e.address.to_string());
        let why = "hadal promoted it, and it does not take writes yet";
        self.events.push(Event::new(EventKind::Primary, Some(server.to_owned()), &from, server, why));
        self.primary = Some(new);
        self.follow_another();
        self.judge_roles();
    }

    fn standings(&self) -> Vec<Standing> {
        self.servers.iter().map(|entry| self.standing(entry)).collect()
    }

    fn standing(&self, entry: &Entry) -> Standing {
        let Some(seen) = entry.seen.as_ref().filter(|_| !entry.is_alias) else {
            let reach = if entry.is_alias { Reach::Down } else { entry.reach };
            return Standing { reach, ..Standing::unknown() };
        };
        let sources = seen.channels.iter().map(|channel| Source {
            from: self.find(&channel.source, channel.source_server_id, &entry.address),
            link: channel.link(),
        });
        Standing {
            reach: entry.reach,
            writable: !seen.read_only,
            sources: sources.collect(),
            member: entry.is_member && self.is_recent(seen),
        }
    }

    /// Whether a server has all that the last primary had some seconds before it was last seen. A switch by hand may
    /// leave a little behind, if only a heartbeat.
    fn is_recent(&self, seen: &Observation) -> bool {
        let behind = self.positions.newest().and_then(|at| self.positions.lag(Some(&seen.position), at));
        behind.is_none_or(|behind| behind <= SUCCESSOR_BEHIND)
    }

    /// The member at this address, or with this `server_id`: servers name each other as they see each other, which
    /// need not be how hadal sees them.
    fn find(&self, address: &Address, id: u32, seen_from: &Address) -> Option<ServerId> {
        let address = change::seen_from(address, seen_from);
        let same = |entry: &Entry| *entry.address == address;
        let at =
            self.servers.iter().position(same).or_else(|| self.servers.iter().position(|e| e.has_id(id)));
        at.map(|i| self.original(i))
    }

    /// The first entry for the same server.
    fn original(&self, index: usize) -> ServerId {
        let identity = self.servers.get(index).and_then(Entry::identity);
        let first = identity
            .and_then(|identity| self.servers.iter().position(|e| e.identity().as_ref() == Some(&identity)));
        server_id(first.unwrap_or(index))
    }

    /// The same server under two addresses counts once.
    fn find_aliases(&mut self) {
        for i in 0..self.servers.len() {
            let is_alias = self.original(i) != server_id(i);
            if let Some(entry) = self.servers.get_mut(i) {
                entry.is_alias = is_alias;
            }
        }
    }

    /// Adds the servers that this one names. Waits until every known server has said who it is, so that a second
    /// name of a known server is recognised.
    fn discover(&mut self, server: ServerId) {
        let waiting = self.servers.iter().any(|s| s.reach == Reach::Pending);
        if !self.options.discover || waiting {
            return;
        }
        let Some((entry, seen)) = self.entry(server).and_then(|e| Some((e, e.seen.as_ref()?))) else {
            return;
        };
        let sources = seen.channels.iter().map(|c| (&c.source, c.source_server_id));
        let named = sources.chain(seen.replicas.iter().map(|(address, id)| (address, *id)));
        let new: Vec<_> = named
            .filter(|(address, id)| self.find(address, *id, &entry.address).is_none())
            .map(|(address, _)| change::seen_from(address, &entry.address))
            .collect();
        let by = entry.address.to_string();
        for address in new {
            let name = address.to_string();
            self.add(address);
            let why = format!("named by {by}");
            self.events.push(Event::new(EventKind::Discovered, Some(name), "", "added", &why));
        }
    }

    /// A server that took part in this cluster's replication once may lead it later.
    fn remember_members(&mut self, standings: &[Standing], verdict: &Verdict) {
        for (i, standing) in standings.iter().enumerate() {
            let from: Vec<_> = standing.sources.iter().filter_map(|s| s.from).collect();
            let leads = verdict.primary == Some(server_id(i));
            let members =
                from.iter().map(|id| usize::from(id.0)).chain((leads || !from.is_empty()).then_some(i));
            for member in members {
                if let Some(entry) = self.servers.get_mut(member) {
                    entry.is_member = true;
                }
            }
        }
    }

    /// Leaves a mark on the primary, or measures how late a replica is.
    fn measure(&mut self, server: ServerId) {
        let Some(entry) = self.entry(server) else { return };
        let mut arrival = entry.arrival;
        let lag_ms = match (&entry.seen, entry.reach, entry.role) {
            (Some(seen), Reach::Up, Role::Primary) => {
                let (written, at) = (seen.written.clone(), self.since_origin(seen.ended));
                if !written.is_empty() {
                    self.positions.leave(written, at);
                }
                Some(0)
            }
            (Some(seen), Reach::Up, Role::Replica) => self.lag_of(seen, &mut arrival),
            _ => None,
        };
        if let Some(entry) = self.servers.get_mut(usize::from(server.0)) {
            entry.lag_ms = lag_ms;
            entry.arrival = arrival;
        }
    }

    fn lag_of(&self, seen: &Observation, arrival: &mut Arrival) -> Option<u64> {
        let at = self.since_origin(self.primary_gone_since().map_or(seen.began, |gone| gone.min(seen.began)));
        let mut beat = Evidence::of(&self.beats, seen.beat.as_ref(), at);
        let held = arrival.look(self.beats.newest_reached(seen.beat.as_ref()), at);
        beat.lag = beat.lag.map(|lag| lag.max(held));
        let position = Evidence::of(&self.positions, Some(&seen.reached), at);
        combine(beat, position, seen.channels.iter().filter_map(|c| c.seconds_behind).max())
    }

    /// When the primary was last seen, if it does not answer now: what it wrote last may never arrive anywhere, and the
    /// replicas do not get later by that.
    fn primary_gone_since(&self) -> Option<Instant> {
        let primary = self.entry(self.primary?)?;
        let seen = primary.seen.as_ref()?;
        (primary.reach == Reach::Down).then_some(seen.ended)
    }

    /// Judges everybody, since a change of the primary concerns all; a returning server's share grows only with its
    /// own looks.
    fn judge_health(&mut self, looked_at: ServerId) {
        let primary_is_up = self.primary.and_then(|id| self.entry(id)).is_some_and(|e| e.reach == Reach::Up);
        for (i, entry) in self.servers.iter_mut().enumerate() {
            let health = health_of(entry, primary_is_up, self.options.max_lag_ms);
            if let Some(event) = change::health(entry, &health) {
                self.events.push(event);
            }
            entry.health = health;
            let healthy = entry.health.is_healthy();
            if !healthy || server_id(i) == looked_at {
                entry.ramp = entry.ramp.next(healthy);
            }
        }
    }

    /// The view to publish now.
    pub(crate) fn view(&mut self) -> ClusterView {
        self.revision += 1;
        ClusterView {
            name: self.name.clone(),
            revision: self.revision,
            epoch: self.epoch,
            servers: self.servers.iter().enumerate().map(|(i, e)| e.view(server_id(i))).collect(),
            primary: self.primary,
            writes: self.writes.clone(),
            heals: self.heals,
            read_only: self.read_only.clone(),
            accounts: self.accounts.clone(),
            catalogue: self.catalogue.clone(),
        }
    }

    pub(crate) fn status(&self) -> Vec<ServerStatus> {
        self.servers.iter().map(Entry::status).collect()
    }

    fn entry(&self, id: ServerId) -> Option<&Entry> {
        self.servers.get(usize::from(id.0))
    }

    fn since_origin(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.origin)
    }
}

fn health_of(entry: &Entry, primary_is_up: bool, max_lag_ms: u64) -> Health {
    if entry.is_alias {
        return Health::Degraded("the same server as another address".to_owned());
    }
    let seen = match (&entry.down_why, &entry.seen) {
        (Some(why), _) => return Health::Down(why.clone()),
        (None, None) => return Health::Down("not tried yet".to_owned()),
        (None, Some(seen)) => seen,
    };
    if entry.rebuild.is_some() && entry.role != Role::Primary {
        return Health::Degraded("it is being rebuilt".to_owned());
    }
    if let Some(reason) = entry.maintenance.as_ref().filter(|_| entry.role != Role::Primary) {
        return Health::Degraded(format!("in maintenance: {reason}"));
    }
    let threads: Vec<_> = seen.channels.iter().map(|c| (c.receiver.clone(), c.applier.clone())).collect();
    health::judge(&Signs {
        role: entry.role,
        threads: &threads,
        lag_ms: entry.lag_ms,
        max_lag_ms,
        follows_primary: entry.follows_primary,
        primary_is_up,
    })
}

fn server_id(index: usize) -> ServerId {
    // There are at most MOST_SERVERS.
    ServerId(u16::try_from(index).unwrap_or(u16::MAX))
}
