//! A ZooKeeper session that outlives its connections.
//!
//! Disconnected is not expired: only a server that was reached again can say that a session is over.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::connection::{Connection, Greeting, Identity, Opening, Reply};
use super::jute::Decoder;
use super::request::{NO_AUTH, Request, SESSION_EXPIRED};
use crate::store::StoreError;

/// What all sessions of a store share.
#[derive(Debug)]
pub(super) struct Ensemble {
    pub(super) servers: Vec<String>,
    /// Counts up; which server that is follows from the remainder.
    pub(super) in_use: AtomicUsize,
    pub(super) newest: Arc<AtomicI64>,
    /// How long one server may take to greet. All of them together take no longer than a call may.
    pub(super) greeting_limit: Duration,
}

/// What becomes of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Kept alive by itself, and replaced when it is over: it only reads and writes what stays.
    Plain,
    /// Kept alive by nothing but renewals. Its end is final.
    Lease,
}

#[derive(Debug)]
pub(super) struct Client {
    ensemble: Arc<Ensemble>,
    kind: Kind,
    ttl: Duration,
    identity: Mutex<Option<Identity>>,
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
}

/// An answer without an error code, or the code.
pub(super) type Outcome = Result<Vec<u8>, i32>;

impl Client {
    pub(super) fn new(ensemble: Arc<Ensemble>, kind: Kind, ttl: Duration) -> Self {
        Self { ensemble, kind, ttl, identity: Mutex::default(), connection: tokio::sync::Mutex::default() }
    }

    /// The session, if it has begun.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_identity(&self, identity: Option<Identity>) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// The connection, opened if there is none.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.has_ended()) {
            return Ok(connection.clone());
        }
        let connection = Arc::new(self.open().await?);
        *slot = Some(connection.clone());
        Ok(connection)
    }

    async fn open(&self) -> Result<Connection, StoreError> {
        let mut why = io::Error::from(io::ErrorKind::NotConnected);
        // One more than there are servers, because a session that is over costs one attempt.
        for _ in 0..=self.ensemble.servers.len() {
            let number = self.ensemble.in_use.load(Ordering::Relaxed);
            let Some(address) = self.ensemble.servers.get(number % self.ensemble.servers.len()) else {
                break;
            };
            let session = self.identity();
            let opening = Opening {
                address,
                session: session.as_ref(),
                ttl: self.ttl,
                pings: self.kind == Kind::Plain,
                newest: self.ensemble.newest.clone(),
            };
            let greeting = tokio::time::timeout(self.ensemble.greeting_limit, Connection::open(opening));
            match greeting.await.unwrap_or_else(|late| Err(late.into())) {
                Ok(Greeting::Welcome(connection)) => {
                    self.set_identity(Some(connection.identity.clone()));
                    return Ok(connection);
                }
                Ok(Greeting::Expired) if self.kind == Kind::Lease && session.is_some() => {
                    return Err(StoreError::SessionEnded);
                }
                Ok(Greeting::Expired) => self.set_identity(None),
                Err(error) => {
                    why = error;
                    self.use_next(number);
                }
            }
        }
        Err(StoreError::uncertain("connecting to ZooKeeper", &why))
    }

    fn use_next(&self, number: usize) {
        let in_use = &self.ensemble.in_use;
        let _ = in_use.compare_exchange(number, number + 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Gives up the connection, because it did not answer in time. What was sent on it may still happen.
    pub(super) fn abandon(&self) {
        // Whoever holds the lock is opening a new one.
        if let Ok(mut connection) = self.connection.try_lock() {
            *connection = None;
            self.use_next(self.ensemble.in_use.load(Ordering::Relaxed));
        }
    }

    /// Sends all at once and gives the answers in the same order.
    pub(super) async fn ask(
        &self,
        attempting: &'static str,
        requests: Vec<Request>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let connection = self.connection().await?;
        ask_on(&connection, attempting, requests).await
    }
}

/// The same on a connection that must not change in between.
pub(super) async fn ask_on(
    connection: &Connection,
    attempting: &'static str,
    requests: Vec<Request>,
) -> Result<Vec<Outcome>, StoreError> {
    let mut waiting: Vec<oneshot::Receiver<Reply>> = Vec::with_capacity(requests.len());
    for request in requests {
        waiting.push(connection.send(request).await);
    }
    let mut outcomes = Vec::with_capacity(waiting.len());
    for receiver in waiting {
        let lost = |_| StoreError::uncertain(attempting, "the connection was lost");
        outcomes.push(judge(attempting, receiver.await.map_err(lost)?, connection.is_lease)?);
    }
    Ok(outcomes)
}

/// Takes out the codes that are the same for every question.
fn judge(attempting: &'static str, reply: Reply, is_lease: bool) -> Result<Outcome, StoreError> {
    match reply.error {
        0 => Ok(Ok(reply.body)),
        SESSION_EXPIRED if is_lease => Err(StoreError::SessionEnded),
        // Not one that the caller knows of. The next call gets a new one.
        SESSION_EXPIRED => Err(StoreError::uncertain(attempting, "the connection's own session is over")),
        NO_AUTH => Err(StoreError::Unavailable("ZooKeeper: no permission".to_owned())),
        code => Ok(Err(code)),
    }
}

/// Reads an answer, all of which must be there.
pub(super) fn decode<T>(
    bytes: &[u8],
    read: impl FnOnce(&mut Decoder<'_>) -> Option<T>,
) -> Result<T, StoreError> {
    let unclear = || StoreError::uncertain("reading from ZooKeeper", "the answer makes no sense");
    read(&mut Decoder(bytes)).ok_or_else(unclear)
}
