//! Running a transaction again.

use std::time::{Duration, Instant};

use mysql_wire::ResponseKind;
use sql::TableName;

use super::record::{Transaction, bound};
use super::repeat::{Attempt, Stop};
use super::rules::{is_repeatable, leaves_nothing};
use super::{OPEN, Obstacle, Replay};
use crate::backend::Backend;
use crate::place::Place;
use crate::route::Why;
use crate::session::client::CommandPacket;
use crate::session::decide::route_refusal;
use crate::session::hold::{Held, within_epoch};
use crate::session::job::Job;
use crate::session::{End, InsertId, Pins, Session, command_facts};

impl Session {
    /// Runs the transaction that has just lost its connection on the primary of the day; `job` is what comes next in it.
    /// True: the session holds it there, and `job` can be sent. False: it is lost, and [`Replay::excuse`] says why.
    pub(in crate::session) async fn replay(&mut self, job: &Job<'_>, began: Instant) -> Result<bool, End> {
        let Some(mut replay) = self.replay.take() else { return Ok(false) };
        let Some(transaction) = self.lost_transaction(&mut replay, job) else {
            self.replay = Some(replay);
            return Ok(false);
        };
        let replayed = self.replay_all(&transaction, job, began, self.sent).await?;
        let counts = &self.worker.core.metrics.replays;
        match replayed {
            Ok(()) => {
                counts.succeeded.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let statements = transaction.statements.len();
                counts.statements.fetch_add(statements as u64, std::sync::atomic::Ordering::Relaxed);
                let took = began.elapsed();
                tracing::info!(
                    session = self.shared.id,
                    statements,
                    ?took,
                    "a transaction was replayed on the new primary"
                );
                replay.open = self.pins.intersects(OPEN).then_some(transaction);
                if let (Some(open), Some(held)) = (&mut replay.open, &self.held) {
                    open.on = held.id;
                }
            }
            Err(obstacle) => {
                counts.count_failed(obstacle);
                tracing::info!(session = self.shared.id, why = %obstacle, "a transaction was not replayed");
                replay.failed = Some(obstacle);
            }
        }
        self.replay = Some(replay);
        Ok(replayed.is_ok())
    }

    /// What there is to replay: nothing, if the statement stood alone.
    fn lost_transaction(&self, replay: &mut Replay, job: &Job<'_>) -> Option<Transaction> {
        if self.pins.intersects(OPEN) {
            return Some(replay.open.take().unwrap_or_else(|| Transaction::new(None)));
        }
        // The statement that would have opened one: with `autocommit=0` nothing of it is there without a COMMIT.
        let opens = self.autocommit_off() || job.facts.effects.contains(sql::Effects::BEGIN);
        let alone = opens && self.pins.is_empty() && is_repeatable(job, true);
        let start = replay.start.take().filter(|_| alone)?;
        Some(Transaction::new(Some(start)))
    }

    async fn replay_all(
        &mut self,
        transaction: &Transaction,
        job: &Job<'_>,
        began: Instant,
        sent: bool,
    ) -> Result<Result<(), Obstacle>, End> {
        // What was set for the next transaction has not begun one.
        let opens = transaction.statements.is_empty() || !self.pins.contains(Pins::TRANSACTION);
        if let Some(obstacle) = transaction.obstacle {
            return Ok(Err(obstacle));
        }
        let known = transaction.start.as_ref().is_some_and(|start| start.insert_id.on().is_none());
        if self.insert_id.on() == Some(transaction.on) && !known {
            // Only the connection that is lost knew it.
            return Ok(Err(Obstacle::SessionState));
        }
        if sent && !is_repeatable(job, opens) && !leaves_nothing(job) {
            return Ok(Err(Obstacle::UnderWay));
        }
        let in_doubt: Vec<_> = match sent && self.may_write_unseen(job) {
            true => bound(&job.facts.tables, self.state.database.as_deref()).collect(),
            false => Vec::new(),
        };
        let (attempts, limit) = {
            let config = self.worker.core.config.load();
            (config.gateway.replay_attempts, Duration::from_millis(config.gateway.replay_ms))
        };
        let (pins, insert_id, state) = (self.pins, self.insert_id, self.state.clone());
        let variables = self.variables.clone();
        let mut outcome = Err(Obstacle::Attempts);
        let mut spent = Duration::ZERO;
        for _ in 0..attempts {
            if let Err(obstacle) = self.wait_for_next_primary(job, began).await? {
                outcome = Err(obstacle);
                break;
            }
            let attempt = self.attempt(transaction, job, (began, &in_doubt), (&mut spent, limit)).await;
            // Whatever came of it, the session is what it was.
            (self.pins, self.insert_id, self.state) = (pins, insert_id, state.clone());
            (self.carried, self.variables) = (None, variables.clone());
            match attempt? {
                Attempt::Done(backend) => {
                    self.take_over(*backend, transaction.on);
                    return Ok(Ok(()));
                }
                Attempt::Again(why) => {
                    tracing::debug!(session = self.shared.id, why, "a replay is begun again");
                }
                Attempt::Never(obstacle) => {
                    outcome = Err(obstacle);
                    break;
                }
            }
        }
        Ok(outcome)
    }

    /// Waits, as every statement may, until there is a primary.
    async fn wait_for_next_primary(
        &mut self,
        job: &Job<'_>,
        began: Instant,
    ) -> Result<Result<(), Obstacle>, End> {
        loop {
            let refused = match self.decide_primary(Why::Pinned(OPEN)) {
                Ok(_) => return Ok(Ok(())),
                Err(refused) => refused,
            };
            if !self.is_worth_holding(&refused) {
                return Ok(Err(Obstacle::Refused));
            }
            match Box::pin(self.hold(job, began, route_refusal(&refused))).await? {
                Held::Released => {}
                Held::Refused(_) => return Ok(Err(Obstacle::Refused)),
            }
        }
    }

    async fn attempt(
        &mut self,
        transaction: &Transaction,
        job: &Job<'_>,
        (began, in_doubt): (Instant, &[TableName]),
        (spent, limit): (&mut Duration, Duration),
    ) -> Result<Attempt, End> {
        let Some(start) = &transaction.start else { return Ok(Attempt::Never(Obstacle::SessionState)) };
        let Ok(decision) = self.decide_primary(Why::Pinned(OPEN)) else {
            return Ok(Attempt::Again("the primary is gone again".into()));
        };
        self.pins = Pins::NONE;
        self.insert_id = start.insert_id;
        self.state = start.state.clone();
        self.carried = start.variables.clone();
        let facts = command_facts(false);
        let nothing = CommandPacket::of_query(b"", job.command.sequence);
        let place = Place { cluster: self.target, server: decision.server };
        let asked = Job::new(&nothing, ResponseKind::Query, &facts);
        let mut backend = match Box::pin(self.obtain(place, &asked, false)).await {
            Ok(Some(backend)) => backend,
            Ok(None) => return Ok(Attempt::Again("no connection".into())),
            Err(refusal) if self.may_hold(&refusal) => {
                // Nobody may have noticed yet that it is gone: the next view tells.
                let waited = Box::pin(self.hold(job, began, refusal)).await?;
                return Ok(match waited {
                    Held::Released => Attempt::Again("the primary was not to be reached".into()),
                    Held::Refused(_) => Attempt::Never(Obstacle::Refused),
                });
            }
            Err(_) => return Ok(Attempt::Never(Obstacle::Refused)),
        };
        self.shared.set_backend(Some((backend.place, backend.thread_id)));
        let shared = self.shared.clone();
        let running =
            within_epoch(&shared, Box::pin(self.run_again(&mut backend, transaction, job, in_doubt)));
        // The wait for a primary has its own limit.
        let since = Instant::now();
        let ran = tokio::time::timeout(limit.saturating_sub(*spent), running).await;
        *spent += since.elapsed();
        self.shared.set_backend(None);
        match ran {
            Err(_elapsed) => Ok(Attempt::Never(Obstacle::TooLong)),
            Ok(None) => Ok(Attempt::Again("another primary took over".into())),
            Ok(Some(Ok(()))) => Ok(Attempt::Done(Box::new(backend))),
            Ok(Some(Err(Stop::Attempt(attempt)))) => Ok(attempt),
            Ok(Some(Err(Stop::Session(end)))) => Err(end),
        }
    }

    /// The session has its transaction again, on this connection; `former` is the one that it was lost with.
    fn take_over(&mut self, mut backend: Backend, former: u64) {
        backend.listed = true;
        backend.insert_id = None;
        backend.state = self.state.clone();
        match &mut self.insert_id {
            InsertId::On(on) | InsertId::Perhaps { on, .. } if *on == former => *on = backend.id,
            _ => {}
        }
        let here = (backend.place, backend.id, backend.uses + 1);
        let last = &mut self.last;
        for known in [&mut last.ran_on, &mut last.conditions_on, &mut last.found_on] {
            if known.is_some_and(|(_, id, _)| id == former) {
                *known = Some(here);
            }
        }
        if self.pins.is_empty() {
            self.release(backend);
            return;
        }
        self.shared.pins.store(self.pins.bits(), std::sync::atomic::Ordering::Relaxed);
        self.shared.set_backend(Some((backend.place, backend.thread_id)));
        self.held = Some(backend);
    }
}
