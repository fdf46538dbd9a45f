//! What is put right without a change of the primary, where that is possible.

use std::time::Duration;

use coordination::Leadership;
use tokio::time::Instant;
use topology::{Extra, Writes};

use super::{Controller, REOPEN_PAUSE, UNSTICK_PAUSE};
use crate::control::healing::Cure;
use crate::control::saving;
use crate::events::EventKind;
use crate::execute::{StepError, events, fence, promote, replica};
use crate::plan::{self, Member, Situation};

/// Who may have acknowledged what a primary that was started again has not kept: such a server drops the end of its binary log.
/// A primary that `is_whole` has all that it had acknowledged as a replica.
fn doubt(situation: &Situation, is_whole: bool) -> Option<String> {
    if situation.fell_back {
        return Some(
            "it went on without acknowledgements, and may have dropped what nobody else has".to_owned(),
        );
    }
    let enrolled = situation.acknowledgers.iter().flat_map(|a| &a.servers);
    let enrolled = enrolled.filter(|server| !is_whole || Some(*server) != situation.primary.as_ref());
    let why = |server: &String| match situation.member(server) {
        Some(member) if member.up && member.is_forgetful() => {
            Some(format!("{server} was restarted, too, and what it had received and not applied may be gone"))
        }
        Some(member) if member.up => None,
        _ => Some(format!("{server} is not back")),
    };
    let doubts: Vec<_> = enrolled.filter_map(why).collect();
    (!doubts.is_empty()).then(|| doubts.join("; "))
}

/// Nothing else is looked after meanwhile.
const LONGEST_SAVE: Duration = Duration::from_secs(60);

impl Controller {
    /// Ends the wait for an acknowledgement that will not come. Every replica has what is waited for; whoever waits hears that
    /// the outcome is unknown, and all others go on.
    pub(super) async fn unstick(&mut self, situation: &Situation) -> Result<(), StepError> {
        let due = self.unstuck.is_none_or(|at| at.elapsed() > UNSTICK_PAUSE);
        let Some(primary) = situation.primary.clone().filter(|_| due) else { return Ok(()) };
        self.unstuck = Some(Instant::now());
        let (to, why) = match fence::end_waiting(&self.options, &primary).await {
            Ok(ended) => {
                ("ended", format!("{ended} commits waited for acknowledgements of what every replica has"))
            }
            Err(error) => ("failed", error.to_string()),
        };
        self.steering.note(EventKind::Action, Some(primary), "waiting", to, &why).await;
        Ok(())
    }

    /// Whether the primary was started again before anybody took its place: servers start read-only. Or hadal itself could not
    /// open it when it was to.
    pub(super) fn has_come_back_closed(&self, situation: &Situation) -> bool {
        let left = |p: &Member| p.restarted || self.past.closed.as_ref() == Some(&p.server);
        let closed = |p: &Member| p.up && p.read_only && left(p) && p.replication.is_none() && !p.maintenance;
        let due = self.reopened.is_none_or(|at| at.elapsed() > REOPEN_PAUSE);
        let deposed = |p: &Member| self.healing.is_deposed(&p.server);
        due && situation.primary().is_some_and(|p| closed(p) && !deposed(p))
    }

    /// The primary takes writes again, if it has all that its replicas have; if it has lost the end of its binary log, one of
    /// them takes over.
    pub(super) async fn reopen(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        self.reopened = Some(Instant::now());
        let Some(primary) = situation.primary() else { return Ok(()) };
        let lossless = self.options.control.lossless;
        if situation.replicas().any(|replica| !primary.has().covers(&replica.has())) {
            return match plan::failover(situation, !lossless) {
                Err(refusal) => self.hold_back(refusal.explained()).await,
                Ok(plan) => {
                    tracing::warn!(
                        cluster = situation.cluster,
                        "the primary came back with less than its replicas\n{plan}"
                    );
                    self.refused = None;
                    self.carry_out(situation, plan, !lossless, leadership).await;
                    Ok(())
                }
            };
        }
        if let Some(doubt) = lossless.then(|| doubt(situation, self.past.is_whole(situation))).flatten() {
            let text = format!(
                "the primary {} came back; whether it has everything is not certain: {doubt} \
                 (`hadal failover {} --allow-loss --force`, or SET GLOBAL read_only=0 there)",
                primary.server, situation.cluster
            );
            return self.hold_back(text).await;
        }
        let waits = lossless && situation.replicas().next().is_some();
        let server = primary.server.clone();
        let opened = match leadership.is_held() {
            true => promote::reopen(&self.options, &server, waits).await,
            false => return Ok(()),
        };
        let (to, why) = match &opened {
            Ok(()) => ("opened", String::new()),
            Err(error) => ("not opened", error.to_string()),
        };
        if opened.is_ok() {
            self.refused = None;
            self.steering.writes(Writes::Open).await?;
        }
        self.steering.note(EventKind::Action, Some(server), "came back", to, &why).await;
        Ok(())
    }

    pub(super) async fn heal(
        &mut self,
        situation: &Situation,
        leadership: &Leadership,
    ) -> Result<(), StepError> {
        let Some(cure) = self.healing.next(situation, Instant::now()) else {
            return self.rebuild_by_policy(situation, leadership).await;
        };
        let primary = situation.primary.clone().unwrap_or_default();
        let (server, what, outcome) = match &cure {
            Cure::Fence(server) => (server, "fenced", fence::fence(&self.options, server).await),
            Cure::Follow(server) => {
                if self.healing.is_deposed(server)
                    && let Err(error) = events::rest(&self.options, server).await
                {
                    tracing::info!(server, %error, "its event scheduler was not stopped");
                }
                (server, "follows the primary", replica::follow(&self.options, server, &primary).await)
            }
            Cure::Start(server) => (server, "started", replica::start(&self.options, server).await),
            Cure::Quarantine(server, why, extra) => {
                let why = &format!(
                    "{why}{}{}",
                    self.save(situation, server, extra).await,
                    self.what_rebuilds(server)
                );
                let server = Some(server.clone());
                self.steering.note(EventKind::Action, server, "rejoin", "quarantined", why).await;
                self.healing.told();
                return Ok(());
            }
        };
        self.healing.tried(server, outcome.is_ok(), Instant::now());
        let (to, why) = match &outcome {
            Ok(()) => (what, String::new()),
            Err(error) => ("not healed", error.to_string()),
        };
        self.steering.note(EventKind::Action, Some(server.clone()), "rejoin", to, &why).await;
        Ok(())
    }

    /// Keeps what only this server has; says where, or why not.
    pub(super) async fn save(&mut self, situation: &Situation, server: &str, extra: &[Extra]) -> String {
        if extra.is_empty() {
            return String::new();
        }
        let position = situation.member(server).map(|m| m.position.clone()).unwrap_or_default();
        let saving = saving::save(&self.options, &situation.cluster, server, extra, &position);
        let too_long = || Err("it takes longer than a minute; a rebuild waits for it".to_owned());
        match tokio::time::timeout(LONGEST_SAVE, saving).await.unwrap_or_else(|_| too_long()) {
            Ok(path) => {
                self.rebuilding.saved(server, extra);
                format!("; they are kept in {}", path.display())
            }
            Err(why) => format!("; they could not be kept: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Acknowledgers, Replication};

    #[test]
    fn a_primary_that_came_back_is_doubted_while_an_acknowledger_is_away_or_came_back_too() {
        let position = |text: &str| -> topology::Position { text.parse().unwrap() };
        let member = |server: &str, up, restarted, received: &str| Member {
            server: server.into(),
            up,
            restarted,
            position: position("0-1-9"),
            replication: Some(Replication { received: position(received), ..Replication::default() }),
            ..Member::unknown()
        };
        let doubts = |b: Member, c: Member| {
            let servers = ["b:1".to_owned(), "c:1".to_owned()].into();
            let acknowledgers = Some(Acknowledgers { servers, wait_for: 1 });
            doubt(&Situation { members: vec![b, c], acknowledgers, ..Situation::default() }, false)
                .unwrap_or_default()
        };
        let well = || member("b:1", true, false, "0-1-9");
        assert_eq!(doubts(well(), member("c:1", true, false, "0-1-9")), "");
        assert_eq!(doubts(well(), member("c:1", false, false, "0-1-9")), "c:1 is not back");
        let alone = Situation { fell_back: true, ..Situation::default() };
        assert!(
            doubt(&alone, true).is_some_and(|why| why.starts_with("it went on without acknowledgements"))
        );
        assert!(doubts(well(), member("c:1", true, true, "0-1-9")).starts_with("c:1 was restarted"));
        // Nobody knows what its relay log holds before one of its threads was started.
        assert!(doubts(well(), member("c:1", true, false, "")).starts_with("c:1 was restarted"));
        assert_eq!(doubt(&Situation::default(), false), None);
    }
}
