//! Whom hadal promoted last, and what it left closed: what the servers alone do not tell when the new primary was lost, or was
//! started again, before anybody saw it take writes.

use coordination::{Action, Leadership, Succession};
use serde_json::{Value, json};
use topology::{Position, Writes};

use super::Controller;
use crate::board::Picture;
use crate::events::EventKind;
use crate::execute::{StepError, plan_of, reaches_of};
use crate::plan::{Acknowledgers, Plan, Situation};

/// The newest change of the primary that was carried out at least as far as the promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promoted {
    pub(super) succession: Succession,
    /// What the new primary had when it was promoted: everything that was ever acknowledged. `None`: that is not known.
    pub(super) reaches: Option<Position>,
}

/// What the journal says of the past.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub(super) promoted: Option<Promoted>,
    /// A server that hadal has made read-only, or not yet writable, and that is to take writes again when it is back.
    pub(super) closed: Option<String>,
}

impl Past {
    pub(super) fn of(plan: &Plan, reaches: Option<Position>) -> Promoted {
        Promoted { succession: Succession { old: plan.old.clone(), new: plan.new.clone() }, reaches }
    }

    /// One finished action after another. Gives the plan of one that deposed a server.
    pub(super) fn read(&mut self, action: &Action) -> Option<Plan> {
        let outcome = action.outcome.as_ref()?;
        if outcome["reopened"].is_string() {
            self.closed = None;
        }
        if let Some(server) = outcome["closed"].as_str() {
            self.closed = Some(server.to_owned());
        }
        let done = outcome["done"] == true;
        let plan = plan_of(action).ok().filter(|_| done || outcome["promoted"] == true)?;
        self.promoted = Some(Self::of(&plan, reaches_of(action)));
        if done {
            self.closed = None;
        }
        Some(plan)
    }

    /// Who acknowledged and is to be at hand in a failover. Not the primary itself, where a replica has all that it had when it was
    /// promoted: what came later was acknowledged by others.
    pub(super) fn acknowledgers(&self, situation: &Situation, mut recorded: Acknowledgers) -> Acknowledgers {
        let Some(promoted) =
            self.promoted.as_ref().filter(|p| Some(&p.succession.new) == situation.primary.as_ref())
        else {
            return recorded;
        };
        let has_all =
            |reaches: &Position| situation.replicas().any(|m| !m.is_forgetful() && m.has().covers(reaches));
        if promoted.reaches.as_ref().is_some_and(has_all) {
            recorded.servers.remove(&promoted.succession.new);
        }
        recorded
    }

    /// Whether the primary has kept what it had when it was promoted, where that is known.
    pub(super) fn is_whole(&self, situation: &Situation) -> bool {
        let Some(primary) = situation.primary() else { return false };
        let promoted = self.promoted.as_ref().filter(|p| p.succession.new == primary.server);
        promoted.and_then(|p| p.reaches.as_ref()).is_some_and(|reaches| primary.has().covers(reaches))
    }
}

/// The servers themselves do not show yet, or not any more, that another one was promoted.
fn is_hidden(succession: &Succession, picture: &Picture) -> bool {
    let situation = &picture.situation;
    let present = situation.primary();
    let writes = present.is_some_and(|p| p.up && !p.read_only);
    let expected = situation.primary.is_none() || situation.primary == succession.old;
    let leads = situation.member(&succession.new).is_some_and(|m| !m.up || m.replication.is_none());
    picture.complete && expected && leads && !writes && situation.primary.as_ref() != Some(&succession.new)
}

impl Controller {
    /// Takes the server for the primary that was promoted last, where it does not show it by itself. Gives whether the picture is
    /// another one now.
    pub(super) async fn believe(
        &self,
        succession: Option<&Succession>,
        picture: &Picture,
    ) -> Result<bool, StepError> {
        let Some(succession) = succession.filter(|s| is_hidden(s, picture)) else { return Ok(false) };
        self.steering.succeeded(succession).await?;
        Ok(true)
    }

    /// The new primary was lost between its promotion and the end of the plan. It is judged from now on like any primary: it may
    /// come back and be opened, or turn out to be dead and be replaced in its turn, if that can be proved to lose nothing.
    pub(super) async fn let_go(
        &mut self,
        plan: &Plan,
        action: coordination::Versioned<Action>,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let why = format!(
            "{} does not answer since it was promoted; it is opened when it is back, or replaced if it is dead",
            plan.new
        );
        let reaches = reaches_of(&action.value);
        let outcome = json!({"done": false, "undone": why, "promoted": true, "closed": plan.new});
        self.coordination.journal.finish(&plan.cluster, action, outcome, leadership).await?;
        self.remember_deposed(plan);
        self.past.promoted = Some(Past::of(plan, reaches));
        self.past.closed = Some(plan.new.clone());
        self.preparation.forget();
        plan.stopped().for_each(|server| self.healing.left_out(server));
        let server = Some(plan.new.clone());
        self.steering.note(EventKind::Action, server, plan.kind.as_str(), "given up", &why).await;
        (self.refused, self.verdict) = (Some(why.clone()), None);
        self.steering.writes(Writes::Refused { why: why.into() }).await
    }

    /// What was left closed takes writes again: whoever closes it from now on has a reason.
    pub(super) async fn settle(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let open = situation
            .primary()
            .filter(|p| p.up && !p.read_only && self.past.closed.as_ref() == Some(&p.server));
        let Some(server) = open.map(|p| p.server.clone()) else { return Ok(()) };
        let (journal, cluster) = (&self.coordination.journal, &situation.cluster);
        let action = journal.begin(cluster, "reopening", Value::Null, leadership).await?;
        journal.finish(cluster, action, json!({"done": true, "reopened": server}), leadership).await?;
        self.past.closed = None;
        Ok(())
    }
}
