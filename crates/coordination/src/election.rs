//! Who of several candidates leads, and until when.
//!
//! ```text
//!             ┌── seat taken: wait for a change ──┐
//!   look ─────┤                                   ├──▶ look
//!   (list)    └── seat free: open a session, take ┘
//!                      │ taken
//!                      ▼
//!                   lead: renew, confirm the own key, extend the lease … until lost, over, or resigned
//! ```
//!
//! Three keys: `leader` says who leads, `holders/<session>` that the session of a leader still lives, `term` that somebody
//! has ever led. The first two are bound to the leader's session. A seat is free when there is no `leader` and no `holders/*`:
//! a leader whose key somebody deletes by hand is not succeeded before it has noticed, or before its session is over.
//!
//! The token is the number of the change that took the seat: the version of `leader`, which is never written again. So a
//! transaction that asks for `leader` at this version can be made by the present leader only.

mod campaign;
mod leadership;
mod seat;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::SharedClock;
use crate::{BootClock, Keyspace, Store, StoreError};
pub use leadership::{Leadership, NotLeading, Token};
pub use seat::Holder;
use seat::Seat;

/// Shortest time to live of a lease: below that, a scheduler's hiccup costs the leadership.
const MIN_TTL: Duration = Duration::from_millis(300);

/// How an election is run. All candidates should have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionOptions {
    /// What is elected.
    pub name: String,
    /// Who this is, for people to read.
    pub candidate: String,
    /// How long the store keeps the seat for a leader from which nothing is heard. A back end may round up.
    pub ttl: Duration,
    /// How long before that a leader stops by its own clock. Covers the difference in speed of the two clocks, and with an
    /// ensemble of ZooKeeper servers also half a tick.
    pub margin: Duration,
    /// Time between two renewals. Several should fit into `ttl - margin`.
    pub renew_every: Duration,
}

impl ElectionOptions {
    /// With a margin of a quarter of the time to live, and room for four renewals before that.
    pub fn new(name: &str, candidate: &str, ttl: Duration) -> Self {
        let margin = ttl / 4;
        let renew_every = (ttl - margin) / 5;
        Self { name: name.to_owned(), candidate: candidate.to_owned(), ttl, margin, renew_every }
    }

    fn check(&self) -> Result<(), StoreError> {
        let fits = self.ttl >= MIN_TTL
            && !self.margin.is_zero()
            && !self.renew_every.is_zero()
            && self.renew_every.saturating_mul(2).saturating_add(self.margin) <= self.ttl;
        let why = "an election needs a ttl of 300 ms or more, a margin, and two renewals before the margin";
        if fits { Ok(()) } else { Err(StoreError::Invalid(why.to_owned())) }
    }
}

/// What a candidate knows.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The store does not answer, or has not yet: somebody may lead, nobody knows. Promote nothing.
    Unknown,
    /// Somebody else leads, or nobody does for the moment.
    Following { leader: Option<Holder> },
    /// This candidate leads. The lease inside is the truth: it may be over before the standing has changed.
    Leading(Leadership),
}

/// One candidate of one election.
pub struct Election {
    store: Arc<dyn Store>,
    clock: SharedClock,
    options: ElectionOptions,
    seat: Seat,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    standing: watch::Sender<Standing>,
    rest: Mutex<Option<Duration>>,
}

/// What the others hold of a candidate. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ElectionHandle {
    shared: Arc<Shared>,
}

impl Election {
    /// A candidate that does nothing before it is run.
    ///
    /// # Errors
    /// Options that cannot work, names that are too long.
    pub fn new(
        store: Arc<dyn Store>,
        keyspace: &Keyspace,
        options: ElectionOptions,
    ) -> Result<(Self, ElectionHandle), StoreError> {
        Self::with_clock(store, keyspace, options, Arc::new(BootClock))
    }

    /// The same on a clock of the caller's.
    ///
    /// # Errors
    /// As for [`Election::new`].
    pub fn with_clock(
        store: Arc<dyn Store>,
        keyspace: &Keyspace,
        options: ElectionOptions,
        clock: SharedClock,
    ) -> Result<(Self, ElectionHandle), StoreError> {
        options.check()?;
        let seat = Seat::new(keyspace, &options.name)?;
        let standing = watch::Sender::new(Standing::Unknown);
        let shared = Arc::new(Shared { standing, rest: Mutex::default() });
        let handle = ElectionHandle { shared: shared.clone() };
        Ok((Self { store, clock, options, seat, shared }, handle))
    }
}

impl Shared {
    fn take_rest(&self) -> Option<Duration> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ElectionHandle {
    /// What is known now.
    pub fn standing(&self) -> Standing {
        self.shared.standing.borrow().clone()
    }

    /// The leadership, if it is ours at this moment by our own clock.
    pub fn leadership(&self) -> Option<Leadership> {
        match &*self.shared.standing.borrow() {
            Standing::Leading(leadership) if leadership.is_held() => Some(leadership.clone()),
            _ => None,
        }
    }

    /// Tells when the standing changes.
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.shared.standing.subscribe()
    }

    /// Gives the leadership up, and does not stand again for `rest`. Without the leadership it has no effect.
    pub fn resign(&self, rest: Duration) {
        if let Standing::Leading(leadership) = &*self.shared.standing.borrow() {
            *self.shared.rest.lock().unwrap_or_else(PoisonError::into_inner) = Some(rest);
            // From this moment, and not only when the candidate gets to it.
            leadership.give_up();
        }
    }
}
