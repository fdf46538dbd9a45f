//! `transaction_split = "until-first-write"`: reads at the head of a transaction are served by a replica.
//!
//! At READ COMMITTED every statement sees its own moment anyway, so a transaction loses nothing if its reads before the
//! first write (or locking read) come from a replica that has the session's own writes: the same replica for the whole
//! transaction. The first statement that is not such a read ends the replica's share; from there on everything goes to
//! the primary, where a `BEGIN` of the client is run first.

use sql::{Access, Effects, Verb};
use topology::ServerId;

use super::job::Job;
use super::{End, Pins, Session, error};
use crate::place::Place;
use crate::route::{Decision, Why};

/// A transaction whose reads a replica serves.
#[derive(Debug)]
pub(crate) struct Split {
    /// The client's own words, to be repeated on the primary; `None` if `autocommit=0` opened the transaction.
    begin: Option<Vec<u8>>,
    /// `START TRANSACTION READ ONLY`: only what cannot be a part of it leaves the replica.
    read_only: bool,
}

impl Session {
    /// Notes that a transaction was opened on a replica.
    pub(super) fn note_split(&mut self, job: &Job<'_>, decision: &Decision) {
        let read_only = decision.why == Why::ReadOnlyTransaction;
        let splits = read_only || decision.why == Why::BeforeFirstWrite;
        if !splits || !decision.on_replica || !self.pins.contains(Pins::TRANSACTION) {
            return;
        }
        let begins = job.facts.verb == Verb::Begin;
        let text = || job.command.payload().get(1..).unwrap_or_default().to_vec();
        self.split = Some(Split { begin: begins.then(text), read_only });
        self.split_replica = Some(decision.server);
    }

    /// Forgets the split when the transaction has ended.
    pub(super) fn end_split(&mut self) {
        self.split = None;
        self.split_left = false;
        self.split_replica = None;
    }

    /// Whether the statement may run on the replica that serves the head of the transaction.
    pub(super) fn stays_on_replica(&self, job: &Job<'_>) -> bool {
        let facts = job.facts;
        let ends = facts.statements == 1
            && facts.effects.intersects(Effects::COMMIT | Effects::ROLLBACK)
            && !facts.effects.intersects(Effects::COMMIT_CHAIN | Effects::SAVEPOINT);
        if ends {
            return true;
        }
        if self.split.as_ref().is_some_and(|split| split.read_only) {
            // One snapshot for all its reads, whatever they ask; what writes, commits implicitly or leaves something on
            // the connection is the primary's.
            let leaves =
                facts.effects.intersects(super::pinning::COMMITS_IMPLICITLY | super::pinning::ALL_PINNING);
            return !leaves && (facts.access != Access::Write || crate::route::changes_session_only(facts));
        }
        let database = self.state.database.as_deref();
        let view = self.worker.core.cluster(self.target).view();
        let hinted_away = job.hint.is_some_and(|h| h.to.is_some());
        facts.access == Access::Read
            && !hinted_away
            && !job.needs_primary
            && crate::route::objection(facts, &view.catalogue, database).is_none()
    }

    /// Ends the replica's share and opens the transaction on the primary. `Some` is for the client.
    pub(super) async fn leave_split(
        &mut self,
        job: &Job<'_>,
    ) -> Result<Option<mysql_wire::ServerError>, End> {
        let Some(split) = self.split.take() else { return Ok(None) };
        self.split_left = true;
        self.pins.remove(Pins::TRANSACTION);
        if let Some(mut replica) = self.held.take()
            && replica.query(b"ROLLBACK").await.is_ok()
        {
            self.release(replica);
        }
        let Some(begin) = split.begin else { return Ok(None) };
        let primary: Option<ServerId> = {
            let view = self.worker.core.cluster(self.target).view();
            view.primary().map(|p| p.id)
        };
        let Some(server) = primary else {
            return Ok(Some(error(
                1290,
                "HY000",
                "hadal: the transaction needs a primary, and there is none".into(),
            )));
        };
        let place = Place { cluster: self.target, server };
        let mut backend = match self.obtain(place, job, false).await {
            Ok(Some(backend)) => backend,
            Ok(None) => {
                let text = "hadal: no connection to the primary; the transaction has read only, run it again";
                return Ok(Some(error(1213, "40001", text.into())));
            }
            Err(refusal) => return Ok(Some(refusal)),
        };
        match backend.query(&begin).await {
            Ok(_) => {
                self.pins.insert(Pins::TRANSACTION);
                self.settle(backend, false).await?;
                Ok(None)
            }
            Err(failed) => {
                let text =
                    format!("hadal: the transaction could not begin on the primary ({failed}); run it again");
                Ok(Some(error(1213, "40001", text)))
            }
        }
    }
}
