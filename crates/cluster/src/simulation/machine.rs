//! A model of a MariaDB server: its log, its replication, what it acknowledges. The traps are those of 10.11: a replica that
//! starts with both threads stopped throws its relay log away; a server starts read-only and replicates nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use topology::{GtidState, MariaGtid, Position};

/// One transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) gtid: MariaGtid,
    /// What a client wrote with it.
    pub(super) token: u64,
}

/// What became of a client's statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Acknowledged,
    /// It is known not to have happened.
    Refused,
    /// The connection is gone.
    Lost,
}

/// A commit that waits for an acknowledgement, in the session with this number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) session: u64,
    pub(super) token: u64,
    pub(super) gtid: MariaGtid,
}

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) server: usize,
    /// The receiving thread: stopped, connecting, connected.
    pub(super) receives: bool,
    pub(super) connected: bool,
    pub(super) error: String,
    pub(super) applies: bool,
    /// Both threads stop there.
    pub(super) until: Option<Position>,
    /// When something last came.
    pub(super) heard: Duration,
    pub(super) heartbeats: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) number: usize,
    pub(super) up: bool,
    pub(super) frozen_until: Duration,
    /// Counts its starts.
    pub(super) starts: u32,
    /// How long before the world began, or after; with the uptime.
    pub(super) started: Option<Duration>,
    pub(super) read_only: bool,
    /// When it was last made writable.
    pub(super) opened: Duration,
    pub(super) waits: bool,
    pub(super) acknowledges: bool,
    pub(super) log: Vec<Entry>,
    /// `gtid_binlog_state`.
    pub(super) history: GtidState,
    pub(super) relay: Vec<Entry>,
    pub(super) source: Option<Source>,
    pub(super) slave_pos: Position,
    pub(super) waiting: Vec<Waiting>,
    /// Statements that arrived while it stood still, each in its session.
    pub(super) inbox: Vec<(u64, u64)>,
    pub(super) answers: BTreeMap<u64, Answer>,
}

pub(super) fn position(entry: Option<&Entry>) -> Position {
    let mut position = Position::default();
    entry.into_iter().for_each(|entry| position.advance(entry.gtid));
    position
}

impl Machine {
    pub(super) fn new(number: usize) -> Self {
        Self {
            number,
            up: true,
            frozen_until: Duration::ZERO,
            starts: 1,
            started: None,
            read_only: true,
            opened: Duration::ZERO,
            waits: false,
            acknowledges: true,
            log: Vec::new(),
            history: GtidState::default(),
            relay: Vec::new(),
            source: None,
            slave_pos: Position::default(),
            waiting: Vec::new(),
            inbox: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    pub(super) fn id(&self) -> u32 {
        u32::try_from(self.number).unwrap() + 1
    }

    pub(super) fn stands_still(&self, now: Duration) -> bool {
        self.frozen_until > now
    }

    /// `gtid_binlog_pos`.
    pub(super) fn written(&self) -> Position {
        position(self.log.last())
    }

    /// `gtid_current_pos`.
    pub(super) fn reached(&self) -> Position {
        let mut reached = self.slave_pos.clone();
        reached.advance_all(&self.written());
        reached
    }

    pub(super) fn received(&self) -> Position {
        if self.relay.is_empty() { self.slave_pos.clone() } else { position(self.relay.last()) }
    }

    /// Writes to the binary log.
    fn write_log(&mut self, entry: Entry) {
        self.history.advance(entry.gtid);
        self.log.push(entry);
    }

    /// A client's write arrives.
    pub(super) fn write(&mut self, session: u64, token: u64, now: Duration) {
        if self.stands_still(now) {
            self.inbox.push((session, token));
        } else if self.read_only {
            self.answers.insert(token, Answer::Refused);
        } else {
            let seq = self.reached().seq(0) + 1;
            let gtid = MariaGtid { domain: 0, server: self.id(), seq };
            self.write_log(Entry { gtid, token });
            if self.waits {
                self.waiting.push(Waiting { session, token, gtid });
            } else {
                self.answers.insert(token, Answer::Acknowledged);
            }
        }
    }

    /// A replica has this entry on its disk.
    pub(super) fn acknowledged(&mut self, gtid: MariaGtid) {
        let (done, waiting) = self.waiting.drain(..).partition(|w: &Waiting| w.gtid.seq <= gtid.seq);
        self.waiting = waiting;
        let done: Vec<Waiting> = done;
        self.answers.extend(done.into_iter().map(|w| (w.token, Answer::Acknowledged)));
    }

    pub(super) fn kill_session(&mut self, session: u64) {
        let lost: Vec<u64> = self.waiting.iter().filter(|w| w.session == session).map(|w| w.token).collect();
        self.waiting.retain(|w| w.session != session);
        self.inbox.retain(|(inbox, _)| *inbox != session);
        self.answers.extend(lost.into_iter().map(|token| (token, Answer::Lost)));
    }

    pub(super) fn kill(&mut self) {
        self.up = false;
        self.frozen_until = Duration::ZERO;
        let lost =
            self.waiting.drain(..).map(|w| w.token).chain(self.inbox.drain(..).map(|(_, token)| token));
        self.answers.extend(lost.map(|token| (token, Answer::Lost)));
        if let Some(source) = &mut self.source {
            (source.receives, source.connected, source.applies) = (false, false, false);
            (source.heartbeats, source.until) = (0, None);
        }
    }

    /// As its options file says: read-only, not waiting, replicating nothing.
    pub(super) fn start(&mut self, now: Duration) {
        self.up = true;
        self.starts += 1;
        self.started = Some(now);
        (self.read_only, self.waits, self.acknowledges) = (true, false, true);
    }

    pub(super) fn start_threads(&mut self, receives: bool, applies: bool, now: Duration) {
        let Some(source) = &mut self.source else { return };
        if !source.receives && !source.applies {
            // MDEV-4698.
            self.relay.clear();
        }
        if receives && !source.receives {
            source.receives = true;
            source.error.clear();
            source.heard = now;
        }
        source.applies |= applies;
    }

    pub(super) fn stop_threads(&mut self, receives: bool, applies: bool) {
        let Some(source) = &mut self.source else { return };
        if receives {
            (source.receives, source.connected) = (false, false);
        }
        source.applies &= !applies;
        source.until = None;
    }

    pub(super) fn change_source(&mut self, server: usize, demoted: bool, now: Duration) {
        self.relay.clear();
        if demoted {
            self.slave_pos = self.reached();
        }
        self.source = Some(Source {
            server,
            receives: false,
            connected: false,
            error: String::new(),
            applies: false,
            until: None,
            heard: now,
            heartbeats: 0,
        });
    }

    /// Applies some of what was received.
    pub(super) fn apply(&mut self, most: usize) {
        let Some(source) = &mut self.source else { return };
        if !source.applies {
            return;
        }
        let until = source.until.as_ref().map(|until| until.seq(0));
        for _ in 0..most {
            let Some(entry) = self.relay.first().copied() else { break };
            if until.is_some_and(|until| entry.gtid.seq > until) {
                break;
            }
            self.relay.remove(0);
            self.write_log(entry);
            self.slave_pos.advance(entry.gtid);
        }
        if until.is_some_and(|until| self.slave_pos.seq(0) >= until) {
            self.stop_threads(true, true);
        }
    }
}

impl Machine {
    /// It has written something that it has not received: strict replication stops there.
    pub(super) fn log_ends_apart(&self, received: &Position) -> bool {
        self.relay.is_empty() && !self.log.is_empty() && self.written() != *received
    }
}
