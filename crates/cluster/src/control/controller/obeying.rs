//! What people order.

use std::time::Duration;

use coordination::{Leadership, Maintenance, Standing};
use tokio::time::Instant;

use super::Controller;
use crate::control::{Order, OrderError, OrderReport, Ordered};
use crate::events::EventKind;
use crate::execute::{Outcome, replica};
use crate::plan::{self, Kind, Plan, Refusal, Situation};

impl Controller {
    pub(super) async fn obey(&mut self, ordered: Ordered) {
        let outcome = self.try_obey(ordered.order, ordered.dry_run).await;
        // Who asked may have gone.
        drop(ordered.closed);
        let _ = ordered.answer.send(outcome);
    }

    pub(super) async fn try_obey(&mut self, order: Order, dry_run: bool) -> Result<OrderReport, OrderError> {
        if let Order::ReadOnly { on, reason, by } = order {
            // Any node may be asked.
            return self.set_mode(on, reason, by).await;
        }
        let leadership = self.coordination.election.leadership().ok_or_else(|| self.not_here())?;
        let picture = self.pictures.borrow().clone();
        let situation = self.situation(&picture);
        let refused = |refusal: Refusal| OrderError::Refused(refusal.explained());
        match order {
            Order::Switchover { to } => {
                let plan = plan::switchover(&situation, to.as_deref()).map_err(refused)?;
                self.order(&situation, plan, false, dry_run, &leadership).await
            }
            Order::Failover { allow_loss, force } => {
                let alive = situation.primary().is_some_and(|p| p.up) && self.verdict != Some("stalled");
                if alive && !force && !dry_run {
                    let text =
                        "the primary answers: use `hadal switchover`, or --force if it must go at once";
                    return Err(OrderError::Refused(text.into()));
                }
                let allow_loss = allow_loss || !self.options.control.lossless;
                let plan = plan::failover(&situation, allow_loss).map_err(refused)?;
                self.order(&situation, plan, allow_loss, dry_run, &leadership).await
            }
            Order::Rejoin { server, rebuild: true } => {
                if situation.member(&server).is_some_and(|m| m.uuid.is_some()) {
                    return self.order_clone(&situation, &server, dry_run).await;
                }
                self.order_rebuild(&situation, &server, dry_run, &leadership).await
            }
            Order::Rejoin { server, rebuild: false } => self.rejoin(&situation, &server, dry_run).await,
            Order::Maintenance { server, on, reason, by } => {
                self.set_maintenance(&situation, &server, on, reason, by).await
            }
            Order::ReadOnly { on, reason, by } => self.set_mode(on, reason, by).await,
        }
    }

    /// Who leads, where that is known.
    fn not_here(&self) -> OrderError {
        let election = &self.coordination.election;
        if let Standing::Following { leader: Some(leader) } = election.standing() {
            let node = leader.candidate;
            let admin = self.assembly.borrow().present.get(&node).and_then(|remark| remark.admin.clone());
            return OrderError::Elsewhere { node, admin };
        }
        OrderError::Unavailable(
            "this node does not lead the cluster now, or the coordination store does not answer".into(),
        )
    }

    pub(super) async fn order(
        &mut self,
        situation: &Situation,
        plan: Plan,
        allow_loss: bool,
        dry_run: bool,
        leadership: &Leadership,
    ) -> Result<OrderReport, OrderError> {
        let text = plan.to_string();
        if dry_run {
            return Ok(OrderReport { plan: Some(plan), text, done: false, took_ms: 0, held_ms: 0 });
        }
        match self.carry_out(situation, plan.clone(), allow_loss, leadership).await {
            Outcome::Done { took, held, .. } => {
                if plan.kind == Kind::Failover {
                    self.last_failover = Some(Instant::now());
                }
                let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
                Ok(OrderReport { plan: Some(plan), text, done: true, took_ms: ms(took), held_ms: ms(held) })
            }
            Outcome::Undone(error) => {
                Err(OrderError::Failed(format!("{error}; everything is as it was before")))
            }
            Outcome::Unfinished(error) => {
                Err(OrderError::Failed(format!("{error}; it is not finished, and hadal goes on with it")))
            }
        }
    }

    pub(super) async fn rejoin(
        &mut self,
        situation: &Situation,
        server: &str,
        dry_run: bool,
    ) -> Result<OrderReport, OrderError> {
        use plan::Rejoin;
        if self.rebuilding.is_at_work_on(server) {
            return Err(OrderError::Unavailable(format!(
                "{server} is being rebuilt; `hadal status` shows how far it is"
            )));
        }
        let found = plan::rejoin(situation, server).map_err(|r| OrderError::Refused(r.explained()))?;
        let primary = situation.primary.clone().unwrap_or_default();
        let text = match &found {
            Rejoin::Replicates => format!("{server} replicates from {primary} already"),
            Rejoin::Follow => format!("{server} follows {primary}"),
            Rejoin::Start => format!("the threads of {server} are started"),
            Rejoin::Restart(why) => format!("the applying thread of {server} is started again after {why}"),
            Rejoin::Ahead(_) | Rejoin::Broken(_) | Rejoin::Severed(_) | Rejoin::Behind(_) => {
                return Err(OrderError::Refused(format!(
                    "{server} cannot join as it is: {found}; `hadal rejoin {server} --rebuild` gives it another \
                     server's data (--plan shows how)"
                )));
            }
        };
        let began = Instant::now();
        if !dry_run {
            let outcome = match found {
                Rejoin::Follow => replica::follow(&self.options, server, &primary).await,
                Rejoin::Start | Rejoin::Restart(_) => replica::start(&self.options, server).await,
                _ => Ok(()),
            };
            outcome.map_err(|error| OrderError::Failed(error.to_string()))?;
        }
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(OrderReport { plan: None, text, done: !dry_run, took_ms, held_ms: 0 })
    }

    pub(super) async fn set_maintenance(
        &mut self,
        situation: &Situation,
        server: &str,
        on: bool,
        reason: String,
        by: String,
    ) -> Result<OrderReport, OrderError> {
        if situation.member(server).is_none() {
            return Err(OrderError::Refused(format!("{server} is no server of this cluster")));
        }
        let (cluster, flags) = (&situation.cluster, &self.coordination.maintenance);
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let done = match on {
            true => flags.set(cluster, server, &Maintenance { reason: reason.clone(), by, since_ms }).await,
            false => flags.clear(cluster, server).await,
        };
        done.map_err(|error| OrderError::Failed(error.to_string()))?;
        self.flags_read = None;
        let (from, to) = if on { ("in service", "in maintenance") } else { ("in maintenance", "in service") };
        self.steering.note(EventKind::Action, Some(server.to_owned()), from, to, &reason).await;
        let text = format!("{server} is {to}");
        Ok(OrderReport { plan: None, text, done: true, took_ms: 0, held_ms: 0 })
    }
}
