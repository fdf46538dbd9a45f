//! What a node does that does not lead: it follows what the leader says, and says what it sees itself.

use std::collections::BTreeSet;
use std::time::Duration;

use coordination::{Announcement, Assembly, Leadership, Standing, Versioned};
use tokio::time::Instant;
use topology::Writes;

use super::Controller;
use crate::board::Picture;
use crate::control::voice;
use crate::detect::death::{Fault, PrimarySigns};
use crate::detect::majority::{Says, Voice};
use crate::detect::seclusion::{self, Sight};
use crate::events::EventKind;
use crate::execute::{StepError, look_again};

/// What a follower has done last of what it was told.
#[derive(Debug, Default)]
pub(super) struct Followed {
    epoch: u64,
    writes: Option<Writes>,
    /// Why this node refuses writes: it may be shut in with a primary that was replaced.
    secluded: Option<String>,
    /// Who acknowledges, as far as this node knows.
    acknowledgers: Option<BTreeSet<String>>,
    /// The announcement that said so.
    acknowledgers_at: u64,
    /// This node has led since.
    pub(super) led: bool,
    /// Looked at the servers at once because another node had lost the primary.
    alarmed: bool,
}

/// Attempts that failed in a row before a node says that it has lost the primary.
const LOST_FAILURES: u32 = 2;

/// A member that is not there for this long is no member any more, if a majority is there to see that.
const STRIKE_OFF: Duration = Duration::from_secs(600);

/// Who does not see that these receive from the primary refuses writes.
fn secluded_by(unseen: &[String]) -> String {
    format!(
        "this node of hadal does not reach its coordination store, and does not see that {} receive from the primary: another \
         server may have been promoted",
        unseen.join(" and ")
    )
}

impl Controller {
    /// One look, as long as somebody else leads or nobody knows who does.
    pub(super) async fn follow(&mut self, picture: &Picture) -> Result<(), StepError> {
        let assembly = self.assembly.borrow_and_update().clone();
        self.look_too(picture, &assembly).await?;
        let told = assembly.announcement.as_ref();
        if let Some(told) = told {
            self.hear_acknowledgers(told);
            self.follow_epoch(told).await?;
            self.believe(told.value.succession.as_ref(), picture).await?;
        }
        let secluded = self.is_secluded(picture, &assembly).await;
        let told_writes = told.map_or(Writes::Open, |told| voice::writes(&told.value.traffic));
        let wanted = match secluded {
            Some(why) => Writes::Refused { why: why.into() },
            // Who hears nothing any more does not hold for ever.
            None if !self.hears() => Writes::Open,
            None => told_writes,
        };
        if self.followed.writes.as_ref() != Some(&wanted) {
            if wanted == Writes::Open && self.followed.writes.is_some() {
                // Another server may lead: better known before than after.
                look_again(&self.options, &self.steering, &picture.situation).await;
            }
            self.steering.set_writes(wanted.clone()).await?;
            self.followed.writes = Some(wanted);
        }
        if let Some(told) = told {
            self.steering.heard_epoch(told.value.epoch);
            self.coordination.attendance.say(|remark| remark.heard = told.version.0);
        }
        Ok(())
    }

    /// What is told is applied anew if this node has led since: what it did then may be something else.
    pub(super) fn begin_following(&mut self) {
        if !std::mem::take(&mut self.followed.led) {
            return;
        }
        self.followed.writes = None;
        self.followed.secluded = None;
        (self.refused, self.verdict) = (None, None);
        if let Some(recorded) = &self.acknowledgers {
            self.followed.acknowledgers.get_or_insert_default().extend(recorded.value.servers.clone());
        }
        self.followed.epoch = self.steering.told_epoch();
    }

    async fn follow_epoch(&mut self, told: &Versioned<Announcement>) -> Result<(), StepError> {
        let number = told.value.epoch;
        if number <= self.followed.epoch {
            return Ok(());
        }
        match self.followed.epoch {
            // The first that this process hears of: no connection is older.
            0 => self.steering.epoch(number).await?,
            _ => self.steering.set_next_epoch(number).await?,
        }
        self.followed.epoch = number;
        Ok(())
    }

    /// The store answers.
    fn hears(&self) -> bool {
        !matches!(self.coordination.election.standing(), Standing::Unknown)
    }

    fn is_in_touch(&self, assembly: &Assembly) -> bool {
        let attendance = &self.coordination.attendance;
        assembly.is_only(attendance.node()) || attendance.is_in_touch()
    }

    /// Only while the leader counts on being heard: else the word may be about another primary than the one this node knows.
    fn hear_acknowledgers(&mut self, told: &Versioned<Announcement>) {
        let in_touch = self.coordination.attendance.is_in_touch();
        if in_touch
            && told.version.0 != self.followed.acknowledgers_at
            && let Some(acknowledgers) = &told.value.acknowledgers
        {
            self.followed.acknowledgers = Some(acknowledgers.clone());
            self.followed.acknowledgers_at = told.version.0;
        }
    }

    /// Why this node must not write, if so.
    async fn is_secluded(&mut self, picture: &Picture, assembly: &Assembly) -> Option<String> {
        let receiving: BTreeSet<String> = picture
            .replicas
            .iter()
            .filter(|(_, r)| r.up && r.connected)
            .map(|(name, _)| name.clone())
            .collect();
        let in_touch = self.is_in_touch(assembly);
        if !in_touch && let Some(acknowledgers) = &mut self.followed.acknowledgers {
            // Whoever joins the primary acknowledges, and this node does not hear of it.
            acknowledgers.extend(receiving.iter().cloned());
        }
        let primary = &picture.situation.primary;
        let others = |known: &BTreeSet<String>| {
            known.iter().filter(|s| Some(*s) != primary.as_ref()).cloned().collect()
        };
        let sight = Sight {
            replicas: picture.replicas.iter().map(|(name, _)| name.clone()).collect(),
            receiving,
            acknowledgers: self.followed.acknowledgers.as_ref().map(others),
            lossless: self.options.control.lossless,
        };
        // Once secluded, it has to see that its primary is the one that the record is about.
        let unseen = match in_touch && self.followed.secluded.is_none() {
            true => Ok(()),
            false => seclusion::may_write(&sight),
        };
        let secluded = unseen.err().map(|unseen| secluded_by(&unseen));
        let before = std::mem::replace(&mut self.followed.secluded, secluded.clone());
        if before.is_none() && secluded.is_some() {
            // A statement that waits for an acknowledgement may get one that counts no more: nobody is told of it.
            let _ = self.steering.set_next_epoch(self.followed.epoch).await;
        }
        if before != secluded {
            let word = |secluded: &Option<String>| if secluded.is_some() { "secluded" } else { "in touch" };
            let why = secluded.as_deref().unwrap_or_default();
            self.steering.note(EventKind::Leadership, None, word(&before), word(&secluded), why).await;
        }
        secluded
    }

    /// Another node that has lost the primary is worth a look at once: it may need a majority.
    async fn look_too(&mut self, picture: &Picture, assembly: &Assembly) -> Result<(), StepError> {
        let primary = &picture.situation.primary;
        let lost = |remark: &coordination::Remark| remark.lost.is_some() && remark.primary == *primary;
        let alarm = assembly.present.values().any(lost);
        if alarm && !self.followed.alarmed {
            self.steering.look().await?;
        }
        self.followed.alarmed = alarm;
        Ok(())
    }

    /// The leader's: members that are gone for good do not count for ever. A minority strikes off nobody.
    pub(super) async fn strike_off(&mut self, leadership: &Leadership) -> Result<(), StepError> {
        let assembly = self.coordination.attendance.assembly();
        let (all, gone) = (assembly.members.len(), assembly.absent().count());
        if (all - gone) * 2 <= all {
            self.absent.clear();
            return Ok(());
        }
        self.absent.retain(|member, _| assembly.absent().any(|absent| absent == member));
        for member in assembly.absent() {
            let since = *self.absent.entry(member.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= STRIKE_OFF {
                self.coordination.attendance.strike_off(member, leadership).await?;
                let why = "it has been away for ten minutes";
                self.steering
                    .note(EventKind::Leadership, Some(member.clone()), "member", "struck off", why)
                    .await;
            }
        }
        Ok(())
    }

    /// What this node sees, for the others.
    pub(super) fn remark(&self, picture: &Picture) {
        let lost = picture.primary.as_ref().and_then(lost);
        self.coordination.attendance.say(|remark| {
            remark.primary.clone_from(&picture.situation.primary);
            // Its words change with every look; what they mean does not.
            if remark.lost.is_some() != lost.is_some() {
                remark.lost = lost;
            }
        });
    }

    /// What the other members say of the primary.
    /// `None`: this node is not one of them yet, and does not know who they are.
    pub(super) fn voices(&self, primary: Option<&str>) -> Option<Vec<Voice>> {
        let attendance = &self.coordination.attendance;
        let assembly = attendance.assembly();
        if !assembly.members.contains(attendance.node()) {
            return None;
        }
        let others = assembly.members.iter().filter(|member| *member != attendance.node());
        let says = |member: &String| match assembly.present.get(member) {
            None => Says::Nothing,
            Some(remark) if remark.primary.as_deref() != primary => Says::Undecided,
            Some(remark) => remark.lost.clone().map_or(Says::Reaches, Says::Lost),
        };
        Some(others.map(|member| Voice { node: member.clone(), says: says(member) }).collect())
    }
}

fn lost(primary: &PrimarySigns) -> Option<String> {
    let fault = primary.fault.filter(|fault| !matches!(fault, Fault::Refuses(_)))?;
    let why = match fault {
        Fault::Gone => "nothing listens there",
        _ => "no answer",
    };
    (primary.failures >= LOST_FAILURES).then(|| why.to_owned())
}
