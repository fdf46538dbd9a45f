//! Whether the primary is dead.

use topology::Writes;

use super::{Controller, QUIET};
use crate::board::Picture;
use crate::detect::death::{self, Patience, ReplicaSigns, Verdict};
use crate::detect::majority;
use crate::events::EventKind;
use crate::execute::StepError;

impl Controller {
    /// Whether the primary is dead, and the words for it.
    pub(super) async fn judge(&mut self, picture: &Picture) -> Result<Option<String>, StepError> {
        let Some(primary) = &picture.primary else { return Ok(None) };
        let control = &self.options.control;
        let patience = Patience { silence: control.silence, stall: control.stall, quiet: QUIET };
        let replicas: Vec<_> = picture
            .replicas
            .iter()
            .map(|(server, signs)| {
                let by_us = self.preparation.has_asked(server);
                ReplicaSigns { stopped: signs.stopped && !by_us, ..signs.clone() }
            })
            .collect();
        let verdict = self.with_the_others(death::judge(primary, &replicas, patience), picture);
        let (word, why) = match &verdict {
            Verdict::Alive => ("alive", ""),
            Verdict::Refusing(why) => ("refusing", why.as_str()),
            Verdict::Suspect(why) => ("suspect", why.as_str()),
            Verdict::CutOff(why) => ("cut off", why.as_str()),
            Verdict::Isolated => ("isolated", "no server of the cluster answers: the fault may be here"),
            Verdict::Dead(why) => ("dead", why.as_str()),
            Verdict::Stalled(why) => ("stalled", why.as_str()),
        };
        if self.verdict != Some(word) {
            let before = self.verdict.replace(word);
            let server = picture.situation.primary.clone();
            if before.is_some() || word != "alive" {
                self.steering.note(EventKind::Verdict, server, before.unwrap_or("unknown"), word, why).await;
            }
        }
        // What spoke against writes is over where the primary takes them, be it that somebody has opened it by hand.
        let takes_writes = picture.situation.primary().is_some_and(|p| p.up && !p.read_only);
        if word == "alive" && takes_writes && self.refused.take().is_some() {
            self.steering.writes(Writes::Open).await?;
        }
        Ok(match verdict {
            Verdict::Dead(why) | Verdict::Stalled(why) => Some(why),
            _ => None,
        })
    }

    /// One node of several may be the one that is cut off: the dead are dead for a majority.
    fn with_the_others(&self, verdict: Verdict, picture: &Picture) -> Verdict {
        let Verdict::Dead(why) = verdict else { return verdict };
        let Some(voices) = self.voices(picture.situation.primary.as_deref()) else {
            return Verdict::Suspect(format!("{why}, but the other nodes of hadal are not known yet"));
        };
        match majority::agree(&voices) {
            Ok(evidence) if evidence.is_empty() => Verdict::Dead(why),
            Ok(evidence) => Verdict::Dead(format!("{why}; {evidence}")),
            Err(evidence) => Verdict::CutOff(format!("{why}, but only {evidence}")),
        }
    }
}
