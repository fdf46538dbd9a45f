//! Running one command on a server: route, connect, bring into state, relay, learn.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use mysql_wire::ServerError;
use mysql_wire::scan::ResponseKind;
use sql::{Effects, Facts, Hint};
use topology::ServerId;

use super::binary_log::stream;
use super::client::CommandPacket;
use super::own_ids::Rename;
use super::pinning::COMMITS_IMPLICITLY;
use super::recover::Recovered;
use super::replay::Checksum;
use super::response::{COLLECT_LIMIT, Relay, RelayError, Seen, Step};
use super::special::SPECIAL;
use super::statement::{Text, Use};
use super::{End, Pins, Session, UNREACHABLE};
use crate::backend::Backend;
use crate::metrics::Outcome;
use crate::place::Place;
use crate::route::{Decision, Why};

/// A command to be run.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) command: &'a CommandPacket,
    pub(super) kind: ResponseKind,
    pub(super) facts: &'a Facts,
    pub(super) hint: Option<&'a Hint>,
    /// A prepared statement that must be on the connection.
    pub(super) prepared: Option<Use<'a>>,
    /// The id under which the client will know the statement that is being prepared, and its text.
    pub(super) statement_id: Option<u32>,
    pub(super) text: Option<&'a Rc<Text>>,
    /// It leaves something on its connection that later writes of the session need beside them.
    pub(super) needs_primary: bool,
    /// The execution asks for a cursor.
    pub(super) opens_cursor: bool,
    /// Names of columns to be put back.
    pub(super) rename: Option<&'a Rename>,
    /// The answer is a list of threads, whose ids are to be exchanged.
    pub(super) process_list: bool,
    /// It may be a KILL whose text the gateway has not seen: an unknown thread may be a session of hadal's.
    pub(super) may_kill: bool,
    /// Its `ROW_COUNT()` is about one of its own statements.
    pub(super) counts_within: bool,
}

impl<'a> Job<'a> {
    pub(super) fn new(command: &'a CommandPacket, kind: ResponseKind, facts: &'a Facts) -> Self {
        Self {
            command,
            kind,
            facts,
            hint: None,
            prepared: None,
            statement_id: None,
            text: None,
            needs_primary: false,
            opens_cursor: false,
            rename: None,
            process_list: false,
            may_kill: false,
            counts_within: false,
        }
    }
}

/// How a command ended.
pub(super) enum Ran {
    /// The client has its answer; this is what the answer told.
    Answered(Seen),
    /// The gateway answered with an error of its own; nothing was executed, or nothing is known of it.
    Refused,
}

/// One try on one server.
pub(super) enum Tried {
    Done(Seen),
    /// A replica answered with an error, which the client has not seen.
    ReplicaRefused,
    /// The connection broke before the command can have had an effect.
    NoEffect(String),
    /// It broke when the command may already have run.
    Unknown(String),
    /// It had no effect, since there is no primary to be had for the moment; the client gets this if none comes.
    Await(ServerError),
}

impl Session {
    /// `COM_QUERY`.
    pub(super) async fn query(&mut self, command: &CommandPacket) -> Result<(), End> {
        let text = command.payload().get(1..).unwrap_or_default();
        let facts: Rc<Facts> = self.worker.facts(text, self.mode);
        if facts.effects.intersects(SPECIAL) || begins_with_comment(text) || sets_by_at_signs(&facts, text) {
            return Box::pin(self.special_query(command, &facts)).await;
        }
        if facts.verb == sql::Verb::Show && sql::shows_closed_statements(text, self.mode) {
            return self.show_closed_statements(command.sequence).await;
        }
        let job = Job::new(command, ResponseKind::Query, &facts);
        match facts.effects.contains(Effects::CALL) {
            true => Box::pin(self.call(job)).await,
            false => self.run(job).await.map(drop),
        }
    }

    /// Runs a command to its end. An `Err` ends the session.
    pub(super) async fn run(&mut self, job: Job<'_>) -> Result<Ran, End> {
        if self.worker.core.global_changes.count() != self.globals_seen {
            self.keep_globals();
        }
        let ran = match job.facts.effects.contains(Effects::SETS_GLOBAL) && job.kind != ResponseKind::Prepare
        {
            true => Box::pin(self.run_setting_globals(job)).await,
            false => self.run_routed(job).await,
        };
        self.direct_to = None;
        ran
    }

    pub(super) async fn run_routed(&mut self, job: Job<'_>) -> Result<Ran, End> {
        let began = Instant::now();
        self.clock = began;
        self.shared.clear_interrupt();
        self.shared.forget_kills();
        let mut avoid: Option<Why> = None;
        if self.replay.is_some() {
            Box::pin(self.note_start(&job)).await;
        }
        if matches!(job.facts.reason, sql::Reason::SideEffectFunction | sql::Reason::OwnConnection)
            && !Box::pin(self.prepare_last_value(&job)).await?
        {
            return Ok(Ran::Refused);
        }
        if !self.go_to_cluster(&job, began).await? {
            return Ok(Ran::Refused);
        }
        if self.split.is_some() && !self.stays_on_replica(&job) && !self.enter_primary(&job).await? {
            return Ok(Ran::Refused);
        }
        // A read may be tried on a replica, then on the primary, and once more on a fresh connection. Waiting for a primary
        // is no try.
        let mut tries = 0;
        while tries < 4 {
            tries += 1;
            if self.holds_outdated() && !Box::pin(self.leave_former_epoch(&job, began)).await? {
                self.count_refused(&job, began);
                return Ok(Ran::Refused);
            }
            let decision = match avoid.take() {
                Some(why) => self.decide_primary(why),
                None => self.decide(&job),
            };
            let decision = match decision {
                Ok(decision) => decision,
                Err(error) if self.is_worth_holding(&error) => {
                    tries -= 1;
                    if !self.wait_for_primary(&job, began, super::decide::route_refusal(&error)).await? {
                        return Ok(Ran::Refused);
                    }
                    continue;
                }
                Err(error) => {
                    self.count_refused(&job, began);
                    self.refuse_route(job.command.sequence, &error).await?;
                    return Ok(Ran::Refused);
                }
            };
            match self.try_on(&job, &decision, began).await? {
                Some(Tried::Done(seen)) => return Ok(Ran::Answered(seen)),
                Some(Tried::ReplicaRefused) => {
                    if self.split.is_some() && !self.enter_primary(&job).await? {
                        return Ok(Ran::Refused);
                    }
                    avoid = self.held.is_none().then_some(Why::ReplicaFailed);
                }
                Some(Tried::NoEffect(why)) if decision.on_replica => {
                    tracing::debug!(session = self.shared.id, why, "a replica failed; trying the primary");
                    avoid = Some(Why::ReplicaFailed);
                }
                Some(Tried::NoEffect(_)) => {}
                Some(Tried::Await(why)) => {
                    tries -= 1;
                    if !self.wait_for_primary(&job, began, why).await? {
                        return Ok(Ran::Refused);
                    }
                }
                Some(Tried::Unknown(why)) => match Box::pin(self.recover(&job, began)).await? {
                    Recovered::Again => {}
                    Recovered::Told(seen) => return Ok(Ran::Answered(seen)),
                    Recovered::No => {
                        self.lost(&job, &decision, &why, began).await?;
                        return Ok(Ran::Refused);
                    }
                },
                None => return Ok(Ran::Refused),
            }
        }
        self.count_refused(&job, began);
        let text = "the statement was not run: every connection to the server broke at once; try again";
        self.refuse(job.command.sequence, 1158, "08S01", text).await?;
        Ok(Ran::Refused)
    }

    /// Chooses the cluster, and takes the opening of a transaction there. False: the client has been told why not.
    async fn go_to_cluster(&mut self, job: &Job<'_>, began: Instant) -> Result<bool, End> {
        if !self.ruled {
            return Ok(true);
        }
        if let Err(why) = self.aim(job) {
            self.count_refused(job, began);
            self.refuse_route(job.command.sequence, &why).await?;
            return Ok(false);
        }
        if self.moves
            && let Some(refusal) = Box::pin(self.move_opening(job)).await?
        {
            self.count_refused(job, began);
            self.send_error(job.command.sequence, &refusal).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes a transaction from its replica to the primary. False: the client has been told why not.
    async fn enter_primary(&mut self, job: &Job<'_>) -> Result<bool, End> {
        match Box::pin(self.leave_split(job)).await? {
            None => Ok(true),
            Some(refusal) => {
                self.send_error(job.command.sequence, &refusal).await?;
                Ok(false)
            }
        }
    }

    /// One try. `None`: the client has been told that there is no connection to be had.
    async fn try_on(
        &mut self,
        job: &Job<'_>,
        decision: &Decision,
        began: Instant,
    ) -> Result<Option<Tried>, End> {
        let place = Place { cluster: self.target, server: decision.server };
        let bound = self.held.is_some();
        let mut backend = match self.obtain(place, job, decision.on_replica).await {
            Ok(Some(backend)) => backend,
            Ok(None) => return Ok(Some(Tried::NoEffect("no connection".into()))),
            Err(refusal) if refusal.code == UNREACHABLE && self.go_to_a_replica(job) => {
                return Ok(Some(Tried::NoEffect(refusal.message)));
            }
            Err(refusal) if !decision.on_replica && self.may_hold(&refusal) => {
                return Ok(Some(Tried::Await(refusal)));
            }
            Err(error) => {
                self.count_refused(job, began);
                self.send_error(job.command.sequence, &error).await?;
                return Ok(None);
            }
        };
        if self.shared.is_interrupted() {
            self.shared.clear_interrupt();
            self.settle(backend, false).await?;
            self.send_error(job.command.sequence, &super::error(1317, "70100", INTERRUPTED.into())).await?;
            return Ok(None);
        }
        if self.shared.is_killed() {
            drop(backend);
            return Err(End::Killed);
        }
        if decision.wait && !Box::pin(self.wait_for_position(&mut backend)).await {
            self.release(backend);
            return Ok(Some(Tried::ReplicaRefused));
        }
        let retryable = decision.on_replica && (!bound || self.split.is_some());
        self.count_begun(&backend);
        let tried = self.exchange(&mut backend, job, retryable).await;
        self.count_ended(&backend);
        match tried? {
            Tried::Done(seen) => {
                self.count_done(job, &backend, decision, &seen, began);
                self.last_why_view = matches!(decision.why, Why::View(_) | Why::Pinned(_));
                self.finish(job, backend, &seen).await?;
                self.note_split(job, decision);
                if self.replay.is_some() {
                    self.record(job, &seen);
                }
                if self.journal.is_some() {
                    self.note_written(job.facts);
                }
                if self.ruled {
                    self.note_opening(job, &seen, !bound);
                }
                Ok(Some(Tried::Done(seen)))
            }
            Tried::ReplicaRefused => {
                // The error that the client does not see is on the connection's list all the same.
                backend.listed = true;
                if self.split.is_some() {
                    self.held = Some(backend);
                    return Ok(Some(Tried::ReplicaRefused));
                }
                self.release(backend);
                Ok(Some(Tried::ReplicaRefused))
            }
            Tried::Await(why) if bound && self.pins.contains(Pins::TRANSACTION) => {
                self.note_sent(false);
                drop(backend);
                self.shared.set_backend(None);
                Ok(Some(Tried::Unknown(why.message)))
            }
            Tried::Await(why) => {
                // What the session has there is not lost before another primary is there for good.
                self.held = bound.then_some(backend);
                self.shared.set_backend(None);
                Ok(Some(Tried::Await(why)))
            }
            broken => {
                self.note_sent(!matches!(broken, Tried::NoEffect(_)));
                self.suspect(&backend);
                drop(backend);
                self.shared.set_backend(None);
                Ok(Some(self.judge(broken, job, bound, retryable)))
            }
        }
    }

    /// Whether the server may have got what was sent last.
    pub(super) fn note_sent(&mut self, sent: bool) {
        self.sent = sent;
    }

    /// Whether a broken try may be repeated: only if it had no effect for certain, and nothing that the session
    /// cannot do without was lost with the connection.
    fn judge(&self, broken: Tried, job: &Job<'_>, bound: bool, on_replica: bool) -> Tried {
        match broken {
            // The head of a transaction on a replica has only read: it can begin again on the primary.
            Tried::NoEffect(_) | Tried::Unknown(_) if bound && self.split.is_some() => Tried::ReplicaRefused,
            Tried::NoEffect(why) | Tried::Unknown(why) if bound => Tried::Unknown(why),
            Tried::Unknown(why) if on_replica && job.facts.access == sql::Access::Read => {
                Tried::NoEffect(why)
            }
            other => other,
        }
    }

    /// Sends the command and relays its response.
    pub(super) async fn exchange(
        &mut self,
        backend: &mut Backend,
        job: &Job<'_>,
        retryable: bool,
    ) -> Result<Tried, End> {
        if self.journal.is_some() && self.is_journalled(job, backend) {
            return Box::pin(self.commit_with_token(backend, job)).await;
        }
        if self.replay.is_some() && self.is_closed_before(job, backend) {
            return Ok(Tried::NoEffect("its server had closed it".into()));
        }
        if let Some(prepared) = &job.prepared
            && let Some(tried) =
                self.ensure_prepared(backend, prepared, retryable, job.command.sequence).await?
        {
            return Ok(tried);
        }
        let remade = self.remake(backend, job);
        let command = remade.as_deref().unwrap_or_else(|| job.command.raw());
        let mut freed = false;
        loop {
            let mut relay = Relay::new(job.kind, backend, &self.tracked);
            relay.hold_error =
                retryable || job.may_kill || job.kind == ResponseKind::Prepare || backend.leads.is_some();
            relay.statement_id = job.statement_id;
            if !job.opens_cursor {
                relay.scanner = relay.scanner.without_cursor();
            }
            relay.rename = job.rename;
            relay.checksum = self.replay.is_some().then(Checksum::default);
            relay.collect = (job.rename.is_some() || job.process_list).then(Vec::new);
            let driven = (&*self.worker, &*self.shared);
            let step = match job.kind {
                ResponseKind::BinlogDump => {
                    stream(&mut relay, driven, &mut self.client, backend, command).await
                }
                _ => {
                    drive(&mut relay, driven, &mut self.client, backend, command, |_, _, _| Poll::Pending)
                        .await
                }
            };
            if matches!(step, Ok(Step::HeldError)) && relay.seen.error == Some(TOO_MANY_STATEMENTS) && !freed
            {
                freed = true;
                self.free_statements(backend).await;
                continue;
            }
            let (mut seen, held, collected) = (relay.seen, relay.held_error, relay.collect);
            seen.checksum = relay.checksum.map_or(0, |checksum| checksum.value());
            let too_large = relay.too_large;
            let begun = relay.sent > 0 || seen.begun;
            if let Some(remade) = remade {
                self.worker.recycle_packet(remade);
            }
            return match step {
                Ok(Step::Complete) if too_large => self.too_large(job, seen).await,
                Ok(Step::Complete) => self.completed(job, backend, seen, collected).await,
                Ok(Step::HeldError) if job.may_kill && self.keep_unknown_thread(&held) => {
                    Ok(Tried::Done(seen))
                }
                Ok(Step::HeldError) if !retryable && self.was_demoted(backend, &seen, &held) => {
                    Ok(Tried::Await(self.demoted(backend)))
                }
                Ok(Step::HeldError) if !retryable && self.was_ended(backend, &seen) => {
                    Ok(Tried::Unknown("its server has ended it".into()))
                }
                Ok(Step::HeldError) => self.held_error(seen, &held, retryable).await,
                Ok(Step::LocalInfile) => Box::pin(self.load_file(job.kind, backend, seen)).await,
                Err(RelayError::Client(error)) => Err(End::Client(error)),
                Err(RelayError::Stopped) => Err(self.stopped()),
                // Half an answer cannot be taken back: the client must not take it for a whole one.
                Err(error) if seen.forwarded => {
                    Err(End::StateLost(format!("in the middle of a response: {error}")))
                }
                Err(error) if begun => Ok(Tried::Unknown(error.to_string())),
                Err(error) => Ok(Tried::NoEffect(error.to_string())),
            };
        }
    }

    /// The command as this connection must get it, behind what waits to be sent; `None`: as the client sent it.
    fn remake(&self, backend: &mut Backend, job: &Job<'_>) -> Option<Vec<u8>> {
        if job.prepared.is_none() && backend.outbox.is_empty() {
            return None;
        }
        let mut packet = self.worker.packet();
        packet.append(&mut backend.outbox);
        match (&job.prepared, job.kind) {
            (Some(prepared), ResponseKind::Execute) => self.bind(backend, prepared, job.command, &mut packet),
            (Some(prepared), _) => self.bind_id(backend, prepared, job.command, &mut packet),
            (None, _) => packet.extend_from_slice(job.command.raw()),
        }
        Some(packet)
    }

    async fn completed(
        &mut self,
        job: &Job<'_>,
        backend: &Backend,
        seen: Seen,
        collected: Option<Vec<u8>>,
    ) -> Result<Tried, End> {
        if let Some(packets) = collected {
            self.send_collected(job, backend, &packets).await?;
        }
        Ok(Tried::Done(seen))
    }

    /// A list of threads, complete, of which nothing has been kept.
    async fn too_large(&mut self, job: &Job<'_>, mut seen: Seen) -> Result<Tried, End> {
        let text = format!("a list of threads of more than {COLLECT_LIMIT} bytes; ask for less of it");
        self.refuse(job.command.sequence, 1105, "HY000", &text).await?;
        seen.error = Some(1105);
        Ok(Tried::Done(seen))
    }

    /// An error that nobody has been shown yet: another server may do better, unless somebody wanted it so.
    async fn held_error(&mut self, seen: Seen, packet: &[u8], retryable: bool) -> Result<Tried, End> {
        // An interrupted statement must not be run again behind the back of whoever interrupted it.
        if retryable && !matches!(seen.error, Some(1317 | 1927 | 1969 | 3024)) {
            return Ok(Tried::ReplicaRefused);
        }
        self.client.output.extend_from_slice(packet);
        self.flush().await?;
        Ok(Tried::Done(seen))
    }

    /// Has the server forget statements that no session keeps: those cached on this connection and on idle ones.
    async fn free_statements(&mut self, backend: &mut Backend) {
        let closed = backend.statements.drain();
        backend.close_statements(&closed);
        for pool in self.worker.core.pools.all() {
            if pool.place == backend.place {
                pool.retire_all();
            }
        }
        // An answer tells that everything before it has been done.
        let _ = backend.command(&[mysql_wire::Command::Ping as u8]).await;
    }

    async fn load_file(
        &mut self,
        kind: ResponseKind,
        backend: &mut Backend,
        seen: Seen,
    ) -> Result<Tried, End> {
        let mut relay = Relay::new(kind, backend, &self.tracked);
        relay.seen = seen;
        let loaded = Self::relay_file(relay, &self.worker, &self.shared, &mut self.client, backend).await;
        self.shared.set_stalled(0);
        self.after_file(loaded)
    }

    /// Sends a response that was kept back to be rewritten.
    async fn send_collected(&mut self, job: &Job<'_>, backend: &Backend, packets: &[u8]) -> Result<(), End> {
        let capabilities = self.client.capabilities;
        let packets = match job.rename {
            Some(rename) if job.kind == ResponseKind::Prepare => {
                rename.apply_to_prepared(packets, capabilities)
            }
            Some(rename) => rename.apply(packets, capabilities),
            None => self.rewrite_process_list(backend.thread_id, packets, capabilities),
        };
        self.client.output.extend_from_slice(&packets);
        self.flush().await
    }

    /// Why the relay was stopped.
    pub(super) fn stopped(&self) -> End {
        match () {
            () if self.shared.is_killed() => End::Killed,
            () if self.shared.is_draining() => End::Draining,
            () => End::IdleTooLong,
        }
    }

    fn after_file(&mut self, seen: Result<Seen, RelayError>) -> Result<Tried, End> {
        match seen {
            Ok(seen) => Ok(Tried::Done(seen)),
            Err(RelayError::Client(error)) => Err(End::Client(error)),
            Err(RelayError::Stopped) => Err(self.stopped()),
            Err(error) => Err(End::StateLost(format!("while a file was loaded: {error}"))),
        }
    }

    fn count_begun(&self, backend: &Backend) {
        self.shared.set_backend(Some((backend.place, backend.thread_id)));
        let entry = self.worker.core.cluster(backend.place.cluster);
        entry.outstanding.begin(self.worker.index, backend.place.server);
    }

    fn count_ended(&self, backend: &Backend) {
        let entry = self.worker.core.cluster(backend.place.cluster);
        entry.outstanding.end(self.worker.index, backend.place.server);
    }

    fn suspect(&self, backend: &Backend) {
        self.worker.core.cluster(backend.place.cluster).control.suspect(backend.place.server);
    }

    pub(super) fn server_name(&self, server: ServerId) -> String {
        self.worker.core.address_of(Place { cluster: self.target, server })
    }

    fn count_done(
        &mut self,
        job: &Job<'_>,
        backend: &Backend,
        decision: &Decision,
        seen: &Seen,
        began: Instant,
    ) {
        self.clock = Instant::now();
        let outcome = if seen.error.is_some() { Outcome::Error } else { Outcome::Ok };
        self.worker.core.metrics.count(
            self.worker.index,
            backend.place,
            decision.on_replica,
            job.facts.access,
            outcome,
            &decision.why,
            self.clock.duration_since(began),
        );
        self.shared.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self, job: &Job<'_>, began: Instant) {
        self.worker.core.metrics.count_refused(self.worker.index, job.facts.access, began.elapsed());
    }

    /// The connection broke when the command may have run. Says so, and ends the session if it has lost something that
    /// cannot be rebuilt.
    async fn lost(
        &mut self,
        job: &Job<'_>,
        decision: &Decision,
        why: &str,
        began: Instant,
    ) -> Result<(), End> {
        if self.shared.is_killed() {
            return Err(End::Killed);
        }
        self.count_refused(job, began);
        let server = self.server_name(decision.server);
        let pins = std::mem::take(&mut self.pins);
        self.end_split();
        self.opening = None;
        self.shared.pins.store(0, Ordering::Relaxed);
        self.forget_diagnostics();
        // Where it was not sent, or is known to have come to nothing, it is lost like the rest.
        let may_commit =
            COMMITS_IMPLICITLY | Effects::COMMIT | Effects::CALL | Effects::TEXT_EXECUTE | Effects::UNKNOWN;
        let ends = job.facts.effects.intersects(may_commit) && self.sent;
        if pins.contains(Pins::TRANSACTION) && !ends {
            // The server rolls back what it lost the client of: for an application the same as a deadlock.
            let text = format!(
                "lost the connection to {server} ({why}); the transaction was rolled back, run it again"
            );
            let text = text + &self.excuse();
            self.refuse(job.command.sequence, 1213, "40001", &text).await?;
        } else {
            let text = format!(
                "lost the connection to {server} ({why}); whether the statement took effect is unknown"
            );
            self.refuse(job.command.sequence, 1158, "08S01", &text).await?;
        }
        match pins.leave_nothing() {
            true => Ok(()),
            false => Err(End::StateLost(format!("{pins} went with the connection to {server}"))),
        }
    }

    /// State of the session for the lexer, after `state` has changed.
    pub(super) fn set_state(&mut self, state: crate::state::StateSet) {
        self.base = self.base_of(state.database.as_deref());
        let view = self.worker.core.cluster(self.base).view();
        let default_mode = view.catalogue.globals.get("sql_mode").map(String::as_str).unwrap_or_default();
        let changes = &self.worker.core.global_changes;
        let newer = changes.newest(self.base, "sql_mode", default_mode);
        self.mode = state.lexer_mode(newer.as_deref().unwrap_or(default_mode));
        drop(view);
        if state.database != self.state.database {
            let name: Arc<str> =
                String::from_utf8_lossy(state.database.as_deref().unwrap_or_default()).into();
            self.shared.set_labels(|labels| labels.database = name);
        }
        self.state = self.worker.core.interner.intern(state);
    }
}

/// Drives the relay; a kill, or a client that has stalled for too long, stops it. `beside` is asked whenever the relay
/// waits, and may end it, too.
pub(super) async fn drive(
    relay: &mut Relay<'_>,
    (worker, shared): (&crate::worker::Worker, &crate::registry::SessionShared),
    client: &mut super::Client,
    backend: &mut Backend,
    command: &[u8],
    mut beside: impl FnMut(&mut Context<'_>, &mut super::Client, &mut Backend) -> Poll<RelayError>,
) -> Result<Step, RelayError> {
    let mut progress = (0, 0);
    let step = std::future::poll_fn(|cx| {
        let polled = relay.poll(cx, worker, client, backend, command);
        if polled.is_pending() {
            // Slow is allowed; standing still is not.
            let now = (relay.seen.bytes, client.output.len());
            let moves = std::mem::replace(&mut progress, now) != now;
            if client.output.is_empty() {
                shared.set_stalled(0);
            } else if moves || shared.stalled_ms.load(Ordering::Relaxed) == 0 {
                shared.set_stalled(worker.now_ms().max(1));
            }
            if shared.must_stop(cx.waker()) {
                return Poll::Ready(Err(RelayError::Stopped));
            }
            if shared.has_epoch_ended()
                && (worker.is_outdated(backend) || relay.is_given_up_by(worker, backend))
            {
                return Poll::Ready(Err(RelayError::EpochOver));
            }
            if let Poll::Ready(end) = beside(cx, client, backend) {
                return Poll::Ready(Err(end));
            }
        }
        polled
    })
    .await;
    shared.set_stalled(0);
    step
}

/// As the server words error 1317.
pub(super) const INTERRUPTED: &str = "Query execution was interrupted";

/// `ER_MAX_PREPARED_STMT_COUNT_REACHED`.
pub(super) const TOO_MANY_STATEMENTS: u16 = 1461;

/// `SET @@name = …` has to be given its scope.
pub(super) fn sets_by_at_signs(facts: &Facts, text: &[u8]) -> bool {
    let sets = Effects::SETS_SYSTEM_VARIABLE
        | Effects::SETS_AUTOCOMMIT
        | Effects::SET_NAMES
        | Effects::SETS_UNCARRIED;
    facts.effects.intersects(sets) && text.windows(2).any(|w| w == b"@@")
}

/// A leading comment may be a hint.
fn begins_with_comment(text: &[u8]) -> bool {
    let start = text.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    text.get(start..start + 2) == Some(b"/*")
}
