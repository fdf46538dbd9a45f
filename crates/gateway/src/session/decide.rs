//! The session's part of a routing decision: what it is bound to, and what it must see.

use mysql_wire::{ResponseKind, ServerError};

use super::job::Job;
use super::{End, Pins, Session, error};
use crate::place::Place;
use crate::route::{Ask, Bound, Decision, Dice, RouteError, Why, decide};

impl Session {
    /// Where a command goes. Has no effect, so that `EXPLAIN ROUTE` can ask, too.
    pub(super) fn decide(&self, job: &Job<'_>) -> Result<Decision, RouteError> {
        let entry = self.worker.core.cluster(self.target);
        let view = entry.view();
        if view.read_only.is_some() && job.kind != ResponseKind::Prepare {
            crate::route::is_taken(&view, job.facts, self.state.database.as_deref())?;
        }
        if let Some(place) = self.direct_to {
            let on_replica = view.primary != Some(place.server);
            return Ok(Decision { server: place.server, on_replica, why: Why::LastStatement, wait: false });
        }
        if self.moves {
            return self.decide_primary(Why::Pinned(self.pins));
        }
        if self.carried.is_some() {
            return self.decide_primary(Why::Pinned(Pins::USER_VARIABLE));
        }
        decide(&Ask {
            facts: job.facts,
            hint: job.hint,
            needs_primary: job.needs_primary,
            view: &view,
            entry,
            settings: self.settings(),
            bound: self.held.as_ref().map(|held| Bound { server: held.place.server, pins: self.pins }),
            autocommit_off: self.autocommit_off(),
            split_left: self.split_left,
            prefer: self.split_replica,
            read_committed: self.splits_transactions() && self.read_committed(),
            database: self.state.database.as_deref(),
            position: self.position_in(self.target),
            dice: Dice { random: self.worker.random(), user: self.user_hash, client: self.client_hash },
        })
    }

    /// Statements that change only the session can be run anywhere: without a primary, who only reads can go on.
    pub(super) fn go_to_a_replica(&mut self, job: &Job<'_>) -> bool {
        if !crate::route::changes_session_only(job.facts) {
            return false;
        }
        let cluster = self.target;
        let view = self.worker.core.cluster(cluster).view();
        let replica = view.servers.iter().find(|s| s.takes_replica_reads());
        self.direct_to = replica.map(|s| Place { cluster, server: s.id });
        self.direct_to.is_some()
    }

    /// The primary, after a replica failed.
    pub(super) fn decide_primary(&self, why: Why) -> Result<Decision, RouteError> {
        let view = self.worker.core.cluster(self.target).view();
        match view.primary() {
            Some(primary) => {
                crate::route::may_write(&view)?;
                Ok(Decision { server: primary.id, on_replica: false, why, wait: false })
            }
            None => Err(RouteError::NoPrimary { cluster: view.name.to_string() }),
        }
    }

    fn splits_transactions(&self) -> bool {
        self.settings().transaction_split == config::TransactionSplit::UntilFirstWrite
    }

    fn read_committed(&self) -> bool {
        let weak = |level: &str| {
            let level = level.to_ascii_uppercase();
            level == "READ-COMMITTED" || level == "READ-UNCOMMITTED"
        };
        let own =
            self.state.variable("tx_isolation").or_else(|| self.state.variable("transaction_isolation"));
        match own {
            Some(own) => weak(&String::from_utf8_lossy(own)),
            None => {
                let view = self.worker.core.cluster(self.target).view();
                view.catalogue.globals.get("tx_isolation").is_some_and(|level| weak(level))
            }
        }
    }

    pub(super) async fn refuse_route(&mut self, sequence: u8, why: &RouteError) -> Result<(), End> {
        self.send_error(sequence, &route_refusal(why)).await?;
        match self.is_stranded(why) {
            true => Err(End::StateLost(why.to_string())),
            false => Ok(()),
        }
    }
}

/// A refusal of the routing as clients get it.
pub(super) fn route_refusal(why: &RouteError) -> ServerError {
    match why {
        // The server's own error for a statement that needs a writable server.
        RouteError::NoPrimary { .. }
        | RouteError::Held { .. }
        | RouteError::ReadOnly { .. }
        | RouteError::Refused { .. } => error(1290, "HY000", format!("hadal: {why}")),
        RouteError::SeveralClusters { .. }
        | RouteError::BoundElsewhere { .. }
        | RouteError::Hidden { .. }
        | RouteError::SwitchesSchema
        | RouteError::ReadsOtherwise { .. } => error(NOT_SUPPORTED, "42000", format!("hadal: {why}")),
        _ => error(1105, "HY000", format!("hadal: {why}")),
    }
}

/// `ER_NOT_SUPPORTED_YET`: drivers make a `NotSupportedError` of it.
const NOT_SUPPORTED: u16 = 1235;
