//! Changing the primary, and saying why not.

use coordination::Leadership;
use tokio::time::Instant;
use topology::Writes;

use super::succession::Past;
use super::{ATTEMPT_PAUSE, Controller};
use crate::events::EventKind;
use crate::execute::{Outcome, Runner, StepError};
use crate::plan::{self, Plan, Situation};

impl Controller {
    pub(super) async fn fail_over(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
        why: &str,
    ) -> Result<(), StepError> {
        if situation.primary().is_some_and(|p| p.maintenance) {
            return self.hold_back("the primary is in maintenance".to_owned()).await;
        }
        if self.last_attempt.is_some_and(|at| at.elapsed() < ATTEMPT_PAUSE) {
            return Ok(());
        }
        let pause = self.options.control.pause_between_failovers;
        if self.last_failover.is_some_and(|at| at.elapsed() < pause) {
            let text = format!("the last failover was less than {} s ago", pause.as_secs());
            return self.hold_back(format!("{text}; `hadal failover` does it nevertheless")).await;
        }
        let lossless = self.options.control.lossless;
        match plan::failover(situation, !lossless) {
            Err(refusal) => self.hold_back(refusal.explained()).await,
            Ok(plan) => {
                tracing::warn!(cluster = situation.cluster, why, "the primary is gone\n{plan}");
                self.refused = None;
                let outcome = self.carry_out(situation, plan, !lossless, leadership).await;
                if matches!(outcome, Outcome::Done { .. }) {
                    self.last_failover = Some(Instant::now());
                }
                if !matches!(outcome, Outcome::Done { .. }) {
                    self.last_attempt = Some(Instant::now());
                }
                if let Outcome::Undone(error) = outcome {
                    self.hold_back(error.to_string()).await?;
                }
                Ok(())
            }
        }
    }

    /// No failover: clients hear so at once, and why.
    pub(super) async fn hold_back(&mut self, why: String) -> Result<(), StepError> {
        if self.refused.as_ref() == Some(&why) {
            return Ok(());
        }
        self.steering.note(EventKind::Action, None, "failover", "refused", &why).await;
        self.refused = Some(why.clone());
        self.steering.writes(Writes::Refused { why: why.into() }).await
    }

    pub(super) async fn carry_out(
        &mut self,
        situation: &Situation,
        plan: Plan,
        allow_loss: bool,
        leadership: &Leadership,
    ) -> Outcome {
        let _closed = self.gate.close();
        let runner = Runner {
            options: &self.options,
            coordination: &self.coordination,
            leadership,
            steering: &self.steering,
            situation: situation.clone(),
            allow_loss,
            plan: plan.clone(),
            action: None,
            stragglers: Vec::new(),
            epoch: None,
            reaches: None,
        };
        let outcome = runner.run().await;
        self.after(&plan, &outcome).await;
        outcome
    }

    pub(super) async fn after(&mut self, plan: &Plan, outcome: &Outcome) {
        let (to, why) = match outcome {
            Outcome::Done { took, held, stragglers, reaches } => {
                self.remember_deposed(plan);
                self.past.promoted = Some(Past::of(plan, reaches.clone()));
                self.past.closed = None;
                self.preparation.forget();
                stragglers.iter().for_each(|server| self.healing.left_out(server));
                plan.left_out.iter().for_each(|left| self.healing.left_out(&left.server));
                (
                    "done",
                    format!("in {} ms, statements were held for {} ms", took.as_millis(), held.as_millis()),
                )
            }
            Outcome::Undone(error) => {
                plan.stopped().for_each(|server| self.healing.touched(server));
                ("undone", error.to_string())
            }
            Outcome::Unfinished(error) => {
                // Taken up again as if somebody else had left it.
                self.term = None;
                ("unfinished", error.to_string())
            }
        };
        let server = Some(plan.new.clone());
        self.steering.note(EventKind::Action, server, plan.kind.as_str(), to, &why).await;
    }
}
