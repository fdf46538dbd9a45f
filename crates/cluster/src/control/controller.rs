//! The task that decides.

mod cloning;
mod failing_over;
mod following;
mod judging;
mod mending;
mod obeying;
mod read_only;
mod rebuilding;
mod succession;
mod term;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use coordination::{Assembly, Standing, Versioned};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::acknowledging::Acknowledging;
use super::healing::Healing;
use super::preparing::Preparation;
use super::rebuilding::Rebuilding;
use super::scheduling::Scheduling;
use super::{Coordination, Ordered, Orders, Steering};
use crate::board::Picture;
use crate::events::EventKind;
use crate::execute::{StepError, while_leading};
use crate::options::{FailoverMode, ObserveOptions};
use following::Followed;

/// Without news, the leadership and the flags are looked at this often.
const TICK: Duration = Duration::from_millis(250);
/// A replica that hears nothing from its source for this long has lost it, where heartbeats are frequent.
const QUIET: Duration = Duration::from_millis(2000);
/// Between two attempts to fail over, where the first came to nothing.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);
/// Commits that wait this long for an acknowledgement of what every replica has will not get it.
const STUCK: Duration = Duration::from_millis(1500);
const UNSTICK_PAUSE: Duration = Duration::from_millis(500);
/// Between two attempts to open a primary that has come back.
const REOPEN_PAUSE: Duration = Duration::from_secs(2);
/// How long a node that does not lead waits for the store with one look.
const READ_UP: Duration = Duration::from_millis(250);
/// How often the store is asked who is in maintenance.
const FLAGS_EVERY: Duration = Duration::from_secs(2);

/// Decides for one cluster.
pub(crate) struct Controller {
    options: Arc<ObserveOptions>,
    coordination: Coordination,
    steering: Steering,
    pictures: watch::Receiver<Arc<Picture>>,
    gate: Orders,
    orders: mpsc::Receiver<Ordered>,
    verdict: Option<&'static str>,
    healing: Healing,
    acknowledging: Acknowledging,
    acknowledgers: Option<Versioned<coordination::Acknowledgers>>,
    maintenance: BTreeMap<String, String>,
    flags_read: Option<Instant>,
    /// People want no writes.
    mode: Option<coordination::ReadOnly>,
    mode_read: Option<Instant>,
    /// In which term the journal was read.
    term: Option<coordination::Token>,
    last_failover: Option<Instant>,
    /// When a failover last came to nothing.
    last_attempt: Option<Instant>,
    /// Why the last automatic failover did not come about.
    refused: Option<String>,
    preparation: Preparation,
    cloning: cloning::Cloning,
    scheduling: Scheduling,
    rebuilding: Rebuilding,
    past: succession::Past,
    /// When waiting was last ended.
    unstuck: Option<Instant>,
    /// When a primary that had come back was last opened, or could not be.
    reopened: Option<Instant>,
    /// What the service was told last: every directive makes a picture, and a picture wakes the controller.
    heals: Option<bool>,
    /// The other nodes.
    assembly: watch::Receiver<Assembly>,
    followed: Followed,
    /// Since when members are not there.
    absent: HashMap<String, Instant>,
}

impl Controller {
    pub(crate) fn new(
        options: Arc<ObserveOptions>,
        coordination: Coordination,
        steering: Steering,
        pictures: watch::Receiver<Arc<Picture>>,
        gate: Orders,
        orders: mpsc::Receiver<Ordered>,
    ) -> Self {
        let assembly = coordination.attendance.watch();
        Self {
            options,
            coordination,
            steering,
            pictures,
            gate,
            orders,
            verdict: None,
            healing: Healing::default(),
            acknowledging: Acknowledging::default(),
            acknowledgers: None,
            maintenance: BTreeMap::new(),
            flags_read: None,
            mode: None,
            mode_read: None,
            term: None,
            last_failover: None,
            last_attempt: None,
            refused: None,
            preparation: Preparation::default(),
            cloning: cloning::Cloning::default(),
            scheduling: Scheduling::default(),
            rebuilding: Rebuilding::default(),
            past: succession::Past::default(),
            unstuck: None,
            reopened: None,
            heals: None,
            assembly,
            followed: Followed::default(),
            absent: HashMap::new(),
        }
    }

    /// Decides until the service ends.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                changed = self.pictures.changed() => if changed.is_err() { return },
                changed = self.assembly.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {}
            }
            let picture = self.pictures.borrow_and_update().clone();
            if let Err(error) = Box::pin(self.consider(&picture)).await {
                if matches!(error, StepError::Stopping) {
                    return;
                }
                tracing::warn!(cluster = picture.situation.cluster, %error, "the controller");
            }
        }
    }

    /// One look at how things are.
    async fn consider(&mut self, picture: &Picture) -> Result<(), StepError> {
        self.remark(picture);
        let Some(leadership) = self.coordination.election.leadership() else {
            self.steering.lead(None);
            // Whoever leads now decides.
            self.begin_following();
            if self.term.take().is_some() {
                self.stop_rebuilding().await?;
                self.steering.note(EventKind::Leadership, None, "leading", "not leading", "").await;
            }
            self.follow(picture).await?;
            self.read_up(&picture.situation.cluster).await?;
            let others =
                matches!(self.coordination.election.standing(), Standing::Following { leader: Some(_) });
            return self
                .tell_whether_it_heals(others && self.options.control.failover == FailoverMode::Auto)
                .await;
        };
        if self.term != Some(leadership.token()) {
            self.followed.led = true;
            // Whatever was unfinished is done now, or comes first the next time: this picture is from before.
            return self.begin_term(picture, &leadership).await;
        }
        self.steering.repeat().await?;
        self.strike_off(&leadership).await?;
        self.follow_mode(&picture.situation.cluster).await?;
        self.read_flags(&picture.situation.cluster).await?;
        let promoted = self.past.promoted.as_ref().map(|promoted| promoted.succession.clone());
        if self.believe(promoted.as_ref(), picture).await? {
            return Ok(());
        }
        let situation = self.situation(picture);
        self.settle(&situation, &leadership).await?;
        if let Err(error) = self.record_acknowledgers(&situation, picture, &leadership).await {
            if error.ends_our_part() {
                return Err(error);
            }
            // It may have been written nevertheless: what is there is read anew, and nothing is decided on an old record.
            tracing::warn!(cluster = situation.cluster, %error, "who acknowledges could not be recorded");
            self.acknowledgers = self.coordination.acknowledgers.current(&situation.cluster).await?;
            return Ok(());
        }
        self.tend_cloning().await;
        self.tend_rebuild(&situation, &leadership).await?;
        self.healing.look(&situation, Instant::now());
        let dead = self.judge(picture).await?;
        let auto = self.options.control.failover == FailoverMode::Auto;
        self.tell_whether_it_heals(auto).await?;
        if auto {
            self.preparation.consider(&self.options, picture, self.verdict).await;
            // A successor must know why they hear nothing.
            self.steering.prepared(self.preparation.asked()).await?;
        }
        if let Some(why) = dead
            && auto
            && picture.complete
        {
            self.fail_over(&situation, &leadership, &why).await
        } else if auto && picture.complete && self.has_come_back_closed(&situation) {
            while_leading(&leadership, Box::pin(self.reopen(&situation, &leadership))).await
        } else if auto && picture.stuck_for >= STUCK {
            while_leading(&leadership, self.unstick(&situation)).await
        } else {
            let (options, coordination, steering) = (&self.options, &self.coordination, &self.steering);
            self.scheduling.consider(options, coordination, steering, &situation, &leadership).await?;
            let mut pictures = self.pictures.clone();
            let is_well = picture.primary.as_ref().is_some_and(|primary| primary.fault.is_none());
            let healed = while_leading(&leadership, self.heal(&situation, &leadership));
            tokio::select! {
                biased;
                healed = healed => healed,
                // A server that does not answer may keep us for long; what was begun on it is done again later.
                () = primary_fails(&mut pictures), if is_well => {
                    self.healing.forget_untold();
                    Ok(())
                }
            }
        }
    }

    /// What a node needs of the store that does not lead. It has no time to wait for it: it may have to refuse writes soon.
    async fn read_up(&mut self, cluster: &str) -> Result<(), StepError> {
        let reading = async {
            self.follow_mode(cluster).await?;
            self.read_flags(cluster).await
        };
        match tokio::time::timeout(READ_UP, reading).await {
            Ok(Err(error)) if error.ends_our_part() => Err(error),
            Ok(Err(error)) => {
                tracing::debug!(cluster, %error, "cannot read what is in force");
                Ok(())
            }
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    async fn tell_whether_it_heals(&mut self, heals: bool) -> Result<(), StepError> {
        if self.heals != Some(heals) {
            self.steering.heals(heals).await?;
            self.heals = Some(heals);
        }
        Ok(())
    }
}

/// Returns when the primary does not answer any more; never where the service has ended.
async fn primary_fails(pictures: &mut watch::Receiver<Arc<Picture>>) {
    let fails = |picture: &Arc<Picture>| picture.primary.as_ref().is_some_and(|p| p.fault.is_some());
    if pictures.wait_for(fails).await.is_err() {
        std::future::pending::<()>().await;
    }
}
