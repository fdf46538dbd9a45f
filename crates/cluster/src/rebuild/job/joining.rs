//! The copy replicates, until it has everything.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use topology::{GtidPosition, Position};

use super::{AGAIN, Job, RebuildError};
use crate::execute::look;
use crate::execute::{StepError, replica, seed};
use crate::plan::{Rejoin, Situation, rejoin};

/// What is seen of a server must be so for this long before it is believed: a look may have begun before the last step.
const SETTLED: Duration = Duration::from_secs(3);

impl Job {
    /// Lets the copy replicate from whoever leads now.
    pub(super) async fn begin(&mut self) -> Result<(), RebuildError> {
        self.progress.at("beginning to replicate");
        let (server, record) = (self.progress.server.clone(), self.record());
        let position: GtidPosition = record
            .position
            .parse()
            .map_err(|_| RebuildError::Unfit(format!("the position {:?} cannot be read", record.position)))?;
        let primary = loop {
            let situation = self.situation();
            if let Some(primary) = situation.primary().filter(|p| p.up && !p.read_only && p.server != server)
            {
                break primary.server.clone();
            }
            sleep(AGAIN).await;
        };
        self.held()?;
        let acknowledges = self.options.control.lossless && !self.has_other_acknowledgers();
        seed::begin(&self.options, &server, &primary, (&position, &record.history), acknowledges).await?;
        let seen = look(&self.options, &server).await?;
        self.steering.seen(server, seen).await;
        Ok(())
    }

    /// Until it has all that the primary had a moment ago, and once more.
    pub(super) async fn catch_up(&mut self) -> Result<(), RebuildError> {
        self.progress.at("catching up");
        let server = self.progress.server.clone();
        let mut goals = Goals::default();
        let mut judged: (Option<Rejoin>, Instant) = (None, Instant::now());
        loop {
            let situation = self.pictures.borrow_and_update().situation.clone();
            let verdict = rejoin(&situation, &server).ok();
            if judged.0 != verdict {
                judged = (verdict, Instant::now());
            }
            let settled = judged.1.elapsed() >= SETTLED;
            match &judged.0 {
                Some(Rejoin::Replicates) if goals.reached(&situation, &server) => {
                    let primary = situation.primary.clone().unwrap_or_default();
                    return Ok(seed::acknowledge(&self.options, &server, &primary).await?);
                }
                Some(Rejoin::Replicates) => {}
                Some(verdict) if settled => {
                    self.mend(&situation, &server, verdict.clone()).await?;
                    judged.1 = Instant::now();
                }
                _ => {}
            }
            // Whether news come or not, it is time to look again.
            let _ = tokio::time::timeout(AGAIN, self.pictures.changed()).await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The primary may have changed meanwhile.
    async fn mend(&self, situation: &Situation, server: &str, verdict: Rejoin) -> Result<(), RebuildError> {
        let primary = situation.primary.clone().unwrap_or_default();
        match verdict {
            Rejoin::Follow => replica::follow(&self.options, server, &primary).await?,
            Rejoin::Start | Rejoin::Restart(_) => replica::start(&self.options, server).await?,
            Rejoin::Ahead(_) | Rejoin::Broken(_) | Rejoin::Severed(_) | Rejoin::Behind(_) => {
                return Err(StepError::Unexpected {
                    server: server.to_owned(),
                    why: format!("its copy is of no use: {verdict}"),
                }
                .into());
            }
            Rejoin::Replicates => {}
        }
        Ok(())
    }
}

/// How far the primary was at two moments, one after the other.
#[derive(Debug, Default)]
struct Goals {
    goal: Option<Position>,
    passed: u32,
}

impl Goals {
    fn reached(&mut self, situation: &Situation, server: &str) -> bool {
        let (Some(primary), Some(member)) = (situation.primary(), situation.member(server)) else {
            return false;
        };
        match &self.goal {
            Some(goal) if member.position.covers(goal) => self.passed += 1,
            Some(_) => return false,
            None => {}
        }
        self.goal = Some(primary.position.clone());
        self.passed >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Member;

    #[test]
    fn it_has_everything_when_it_has_come_to_the_primary_twice() {
        let at = |primary: &str, replica: &str| {
            let member = |server: &str, position: &str| Member {
                server: server.into(),
                position: position.parse().unwrap(),
                ..Member::unknown()
            };
            let members = vec![member("a:1", primary), member("b:1", replica)];
            Situation { primary: Some("a:1".into()), members, ..Situation::default() }
        };
        let mut goals = Goals::default();
        assert!(!goals.reached(&at("0-1-10", "0-1-10"), "b:1"));
        assert!(!goals.reached(&at("0-1-20", "0-1-9"), "b:1"));
        assert!(!goals.reached(&at("0-1-20", "0-1-12"), "b:1"), "once");
        assert!(!goals.reached(&at("0-1-30", "0-1-19"), "b:1"));
        assert!(goals.reached(&at("0-1-30", "0-1-20"), "b:1"));
    }
}
