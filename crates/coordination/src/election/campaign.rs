//! The candidate at work.

use std::time::Duration;

use super::leadership::Leadership;
use super::seat::{Holder, Look};
use super::{Election, Standing};
use crate::lease::Lease;
use crate::store::{Event, Expected, Revision, Session, StoreError, Watch};

/// What a leader learned about its own key.
enum Confirmed {
    /// It was ours at some moment after the time given.
    Since(Duration),
    Gone,
    /// Nobody knows: neither lost nor held.
    Uncertain,
}

impl Election {
    /// Stands for election until `shutdown` resolves, then gives up the seat if it has it.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut watch = self.store.watch(&self.seat.prefix);
        let mut office = None;
        tokio::select! {
            biased;
            () = shutdown => {}
            never = self.stand(&mut watch, &mut office) => match never {},
        }
        if let Some((session, leadership)) = office {
            self.leave(session, &leadership).await;
        }
        self.set(Standing::Unknown);
    }

    async fn stand(
        &self,
        watch: &mut Watch,
        office: &mut Option<(Session, Leadership)>,
    ) -> std::convert::Infallible {
        loop {
            match self.look().await {
                Ok(Look::Free { term }) => {
                    *office = self.take(term).await;
                    if let Some((session, leadership)) = office.clone() {
                        self.lead(watch, session, &leadership).await;
                        self.leave(session, &leadership).await;
                        *office = None;
                        self.rest().await;
                        continue;
                    }
                }
                Ok(Look::Taken(leader)) => self.set(Standing::Following { leader }),
                Err(_) => self.set(Standing::Unknown),
            }
            self.wait(watch).await;
        }
    }

    /// Watches can be silent although something has changed, so the seat is also looked at in between. That tells as well
    /// whether the store answers.
    async fn wait(&self, watch: &mut Watch) {
        tokio::select! {
            biased;
            _event = watch.next() => {}
            () = tokio::time::sleep(self.options.renew_every) => {}
        }
    }

    async fn look(&self) -> Result<Look, StoreError> {
        Ok(self.seat.look(&self.store.list(&self.seat.prefix).await?))
    }

    /// Takes the seat that was free. If that is uncertain, the session is given back, and with it the seat: leading on a
    /// guess saves nothing that matters.
    async fn take(&self, term: Expected) -> Option<(Session, Leadership)> {
        let asked = self.clock.now();
        let session = self.store.open_session(self.options.ttl).await.ok()?;
        let holder = Holder { candidate: self.options.candidate.clone() };
        let taken = match self.seat.take(term, &holder, session) {
            Ok(transaction) => self.store.commit(transaction).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(revision) => Some((session, self.enter(asked, session, revision))),
            Err(_) => {
                // Whether that arrives or not, it ends.
                drop(self.store.end_session(session.id).await);
                None
            }
        }
    }

    fn enter(&self, asked: Duration, session: Session, revision: Revision) -> Leadership {
        let lease = Lease::new(self.clock.clone(), self.deadline(asked, session));
        let leadership = Leadership::new(revision, self.seat.leader.clone(), lease);
        tracing::info!(election = self.options.name, token = revision.0, "this node leads");
        self.set(Standing::Leading(leadership.clone()));
        leadership
    }

    /// Counted from before the store was asked, and a margin before it may let go.
    fn deadline(&self, asked: Duration, session: Session) -> Duration {
        asked.saturating_add(session.ttl).saturating_sub(self.options.margin)
    }

    /// Until the leadership is lost, over, or given up.
    async fn lead(&self, watch: &mut Watch, session: Session, leadership: &Leadership) {
        loop {
            tokio::select! {
                biased;
                () = leadership.over() => return,
                () = self.next_renewal(watch, leadership) => {}
            }
            let confirmed = tokio::select! {
                biased;
                () = leadership.over() => return,
                confirmed = self.confirm(session, leadership) => confirmed,
            };
            match confirmed {
                Confirmed::Since(asked) if leadership.lease().extend(self.deadline(asked, session)) => {}
                Confirmed::Uncertain => {}
                Confirmed::Since(_) | Confirmed::Gone => return,
            }
        }
    }

    /// Returns when it is time, or at once when something happens to the seat.
    async fn next_renewal(&self, watch: &mut Watch, leadership: &Leadership) {
        let news = async {
            loop {
                match watch.next().await {
                    // Our own coming into office.
                    Event::Changed { revision, .. } if revision.0 <= leadership.token().0 => {}
                    _ => return,
                }
            }
        };
        tokio::select! {
            biased;
            () = news => {}
            () = tokio::time::sleep(self.options.renew_every) => {}
        }
    }

    /// A session that lives is not enough: somebody may have deleted the key.
    async fn confirm(&self, session: Session, leadership: &Leadership) -> Confirmed {
        let asked = self.clock.now();
        match self.store.renew_session(session.id).await {
            Ok(()) => {}
            Err(StoreError::SessionEnded) => return Confirmed::Gone,
            Err(_) => return Confirmed::Uncertain,
        }
        match self.store.get(&self.seat.leader).await {
            Ok(Some(entry)) if entry.version.0 == leadership.token().0 => Confirmed::Since(asked),
            Ok(_) => Confirmed::Gone,
            Err(_) => Confirmed::Uncertain,
        }
    }

    /// First for us, then for the others.
    async fn leave(&self, session: Session, leadership: &Leadership) {
        leadership.give_up();
        tracing::info!(
            election = self.options.name,
            token = leadership.token().0,
            "this node no longer leads"
        );
        self.set(Standing::Unknown);
        if let Err(error) = self.store.end_session(session.id).await {
            tracing::debug!("the seat was not given back, and so ends with its session: {error}");
        }
    }

    /// After a resignation, somebody else should have a chance.
    async fn rest(&self) {
        if let Some(rest) = self.shared.take_rest() {
            tokio::time::sleep(rest).await;
        }
    }

    fn set(&self, standing: Standing) {
        self.shared.standing.send_if_modified(|now| {
            let same = match (&*now, &standing) {
                (Standing::Unknown, Standing::Unknown) => true,
                (Standing::Following { leader: a }, Standing::Following { leader: b }) => a == b,
                _ => false,
            };
            *now = standing;
            !same
        });
    }
}
