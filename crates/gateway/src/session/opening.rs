//! Transactions in which nothing has happened yet.
//!
//! `BEGIN` does not say which cluster its transaction is for; it runs in the session's base. As long as nothing but
//! savepoints has followed, the transaction can be given up there and begun again, with the client's own words, in the
//! cluster of its first table.

use sql::{Access, Effects, Verb};

use super::job::Job;
use super::response::Seen;
use super::{End, Pins, Session, error};
use crate::backend::Backend;
use crate::place::Place;

/// Statements that are remembered; an opening with more of them stays where it is.
const MOST: usize = 32;
/// Bytes of one of them.
const LONGEST: usize = 1024;

impl Session {
    /// After a command: whether the transaction is still in its opening. `was_free`: no connection was held before.
    pub(super) fn note_opening(&mut self, job: &Job<'_>, seen: &Seen, was_free: bool) {
        let only = |pins: Pins| {
            let mut rest = pins;
            rest.remove(Pins::TRANSACTION);
            rest.remove(Pins::SAVEPOINT);
            rest.is_empty()
        };
        if self.held.is_none() || !only(self.pins) {
            self.opening = None;
            return;
        }
        if was_free {
            self.opening = Some(Vec::new());
        }
        let facts = job.facts;
        let query = job.kind == mysql_wire::ResponseKind::Query;
        let text = job.command.payload().get(1..).unwrap_or_default();
        let plain = query && facts.statements == 1 && seen.error.is_none() && text.len() <= LONGEST;
        let begins = facts.verb == Verb::Begin && !facts.effects.contains(Effects::CONSISTENT_SNAPSHOT);
        if plain && begins {
            self.opening = Some(vec![text.into()]);
        } else if plain && facts.effects.contains(Effects::SAVEPOINT) {
            if let Some(texts) = &mut self.opening {
                texts.push(text.into());
            }
            self.opening.take_if(|texts| texts.len() > MOST);
        } else if !leaves_no_trace(job) {
            self.opening = None;
        }
    }

    /// Takes the transaction to the cluster of the present command. `Some` is for the client, whose transaction then is
    /// where it was.
    pub(super) async fn move_opening(
        &mut self,
        job: &Job<'_>,
    ) -> Result<Option<mysql_wire::ServerError>, End> {
        self.moves = false;
        let texts = self.opening.take().unwrap_or_default();
        let pins = std::mem::take(&mut self.pins);
        let split = (self.split.take(), self.split_replica.take(), self.split_left);
        let left = self.held.take();
        let begun = self.begin_here(job, &texts).await;
        self.pins = pins;
        self.opening = Some(texts);
        match begun {
            Ok(backend) => {
                // What a replica could have served of it was served before it was known where it belongs.
                self.split_left = true;
                self.settle(backend, false).await?;
                if let Some(mut left) = left
                    && left.query(b"ROLLBACK").await.is_ok()
                {
                    left.give_back(self.clock);
                }
                Ok(None)
            }
            Err(refusal) => {
                (self.split, self.split_replica, self.split_left) = split;
                self.held = left;
                Ok(Some(refusal))
            }
        }
    }

    /// A connection to the primary on which the transaction has begun.
    async fn begin_here(
        &mut self,
        job: &Job<'_>,
        texts: &[Box<[u8]>],
    ) -> Result<Backend, mysql_wire::ServerError> {
        let primary = self.worker.core.cluster(self.target).view().primary().map(|primary| primary.id);
        let Some(server) = primary else {
            let text =
                format!("hadal: cluster {} has no primary at the moment", self.cluster_name(self.target));
            return Err(error(1290, "HY000", text));
        };
        let place = Place { cluster: self.target, server };
        let obtained = self.obtain(place, job, false).await?;
        let mut backend = obtained.ok_or_else(|| self.could_not_begin("no connection to be had"))?;
        for text in texts {
            let said = backend.query(text).await;
            said.map_err(|failed| self.could_not_begin(&failed.to_string()))?;
        }
        Ok(backend)
    }

    fn could_not_begin(&self, why: &str) -> mysql_wire::ServerError {
        let cluster = self.cluster_name(self.target);
        let text = format!("hadal: the transaction could not begin in cluster {cluster} ({why})");
        error(1105, "HY000", text)
    }
}

/// Whether a command has left the transaction as it was: it asks for nothing that is stored, or sets what is carried
/// from connection to connection.
fn leaves_no_trace(job: &Job<'_>) -> bool {
    let facts = job.facts;
    let reads_nothing = facts.access == Access::Read
        && facts.tables.is_empty()
        && facts.functions.is_empty()
        && facts.schemas.is_empty();
    let sets = crate::route::changes_session_only(facts) && !facts.effects.contains(Effects::SETS_AUTOCOMMIT);
    job.kind == mysql_wire::ResponseKind::Prepare || reads_nothing || sets
}
