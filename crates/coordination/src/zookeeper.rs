//! ZooKeeper 3.5 and later, over its own protocol.
//!
//! Every key is a child of one root node, and every transaction also writes that root: so one check of the root's version
//! guards whatever a transaction has read, and one watch of the root sees whatever has changed. A key's version is its
//! `mzxid`, which unlike ZooKeeper's own version never comes again after a node was deleted and made anew.

mod client;
mod connection;
mod jute;
mod plan;
mod request;
mod tree;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Key;
use crate::store::error::limited;
use crate::store::{
    Answer, Entry, Revision, Session, SessionId, Snapshot, Store, StoreError, Transaction, Watch,
};
use client::{Client, Ensemble, Kind};
use plan::Plan;
use request::{BAD_VERSION, NO_NODE, NODE_EXISTS, Request, multi_result};
use tree::Tree;

/// The session for everything that is not bound to one. Its length only decides how soon a dead connection is noticed.
const PLAIN_SESSION: Duration = Duration::from_secs(6);

/// A store in a ZooKeeper ensemble. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ZooKeeperStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ensemble: Arc<Ensemble>,
    plain: Client,
    leases: Mutex<BTreeMap<SessionId, Arc<Client>>>,
    tree: Tree,
    time_limit: Duration,
}

impl ZooKeeperStore {
    /// `servers` are addresses like `127.0.0.1:2181`; the first that answers is used. `root` is the path of the node below
    /// which everything is kept, like `/hadal`; it is made when it is missing. Connects with the first call. `time_limit`
    /// bounds every call.
    ///
    /// # Errors
    /// No server, or a root that is no path.
    pub fn new(servers: &[String], root: &str, time_limit: Duration) -> Result<Self, StoreError> {
        if servers.is_empty() {
            return Err(StoreError::Invalid("ZooKeeper needs at least one server".to_owned()));
        }
        let tree = Tree::new(root)?;
        let attempts = u32::try_from(servers.len()).unwrap_or(u32::MAX).saturating_add(1);
        let ensemble = Ensemble {
            servers: servers.to_vec(),
            in_use: AtomicUsize::new(0),
            newest: Arc::default(),
            greeting_limit: time_limit / attempts,
        };
        let ensemble = Arc::new(ensemble);
        let plain = Client::new(ensemble.clone(), Kind::Plain, PLAIN_SESSION);
        let inner = Inner { ensemble, plain, leases: Mutex::default(), tree, time_limit };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Inner {
    fn leases(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Client>>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(&self, session: SessionId) -> Result<Arc<Client>, StoreError> {
        self.leases().get(&session).cloned().ok_or(StoreError::SessionEnded)
    }

    /// Bounds the time of a call over `client`, and gives up its connection when that has passed.
    async fn limited<T>(
        &self,
        client: &Client,
        attempting: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = limited(self.time_limit, attempting, call).await;
        if answer.as_ref().is_err_and(StoreError::is_uncertain) {
            client.abandon();
        }
        answer
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        const WHAT: &str = "reading from ZooKeeper";
        let call = async {
            let connection = self.plain.connection().await?;
            let (_, mut entries) = self.tree.read_keys(&connection, &[key]).await?;
            Ok(entries.pop().flatten().map(|node| node.entry))
        };
        self.limited(&self.plain, WHAT, call).await
    }

    async fn list(&self, prefix: &Key) -> Result<Snapshot, StoreError> {
        let call = async {
            let connection = self.plain.connection().await?;
            Ok(self.tree.snapshot(&connection, prefix, false).await?.0)
        };
        self.limited(&self.plain, "reading from ZooKeeper", call).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, StoreError> {
        transaction.check()?;
        let lease = transaction.session().map(|session| self.lease(session)).transpose()?;
        let client = lease.as_deref().unwrap_or(&self.plain);
        let trying = async {
            loop {
                if let Some(revision) = self.try_commit(client, &transaction).await? {
                    return Ok(revision);
                }
            }
        };
        // What it reads goes over the plain session: which of the two did not answer is not known here.
        let committed = self.limited(client, "writing to ZooKeeper", trying);
        self.limited(&self.plain, "writing to ZooKeeper", committed).await
    }

    /// `None`: something has changed between reading and writing.
    async fn try_commit(
        &self,
        client: &Client,
        transaction: &Transaction,
    ) -> Result<Option<Revision>, StoreError> {
        let connection = self.plain.connection().await?;
        let (root, nodes) = self.tree.read_keys(&connection, &transaction.keys()).await?;
        let parts = Plan::new(&self.tree, root, nodes).parts(transaction)?;
        let answers = client.ask("writing to ZooKeeper", vec![Request::multi(&parts)]).await?;
        let result = match answers.into_iter().next() {
            Some(Ok(body)) => client::decode(&body, |answer| multi_result(*answer))?,
            Some(Err(code)) => Err(code),
            None => Err(0),
        };
        match result {
            Ok(root) => Ok(Some(Revision(root.modified.cast_unsigned()))),
            Err(BAD_VERSION | NO_NODE | NODE_EXISTS) => Ok(None),
            Err(code) => Err(StoreError::uncertain("writing to ZooKeeper", &format_args!("error {code}"))),
        }
    }

    async fn open_session(&self, ttl: Duration) -> Result<Session, StoreError> {
        let client = Arc::new(Client::new(self.ensemble.clone(), Kind::Lease, ttl));
        self.limited(&client, "opening a ZooKeeper session", client.connection()).await?;
        let Some(identity) = client.identity() else {
            return Err(StoreError::uncertain("opening a ZooKeeper session", "it has no number"));
        };
        let id = SessionId(identity.id.cast_unsigned());
        self.leases().insert(id, client);
        Ok(Session { id, ttl: identity.ttl })
    }

    async fn renew_session(&self, session: SessionId) -> Result<(), StoreError> {
        const WHAT: &str = "renewing a ZooKeeper session";
        let client = self.lease(session)?;
        let call = async {
            // A connection that was closed while nobody used it says nothing about the session.
            match client.ask(WHAT, vec![Request::ping()]).await {
                Err(error) if error.is_uncertain() => client.ask(WHAT, vec![Request::ping()]).await,
                answer => answer,
            }
        };
        let answer = self.limited(&client, WHAT, call).await;
        if answer == Err(StoreError::SessionEnded) {
            self.leases().remove(&session);
        }
        answer.map(drop)
    }

    async fn end_session(&self, session: SessionId) -> Result<(), StoreError> {
        // Without its connection it is not renewed any more, and so ends even if this call does not get through.
        let Some(client) = self.leases().remove(&session) else { return Ok(()) };
        let closing = client.ask("ending a ZooKeeper session", vec![Request::close_session()]);
        match self.limited(&client, "ending a ZooKeeper session", closing).await {
            Ok(_) | Err(StoreError::SessionEnded) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Store for ZooKeeperStore {
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Entry>> {
        Box::pin(self.inner.get(key))
    }

    fn list<'a>(&'a self, prefix: &'a Key) -> Answer<'a, Snapshot> {
        Box::pin(self.inner.list(prefix))
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        Box::pin(self.inner.commit(transaction))
    }

    fn open_session(&self, ttl: Duration) -> Answer<'_, Session> {
        Box::pin(self.inner.open_session(ttl))
    }

    fn renew_session(&self, session: SessionId) -> Answer<'_, ()> {
        Box::pin(self.inner.renew_session(session))
    }

    fn end_session(&self, session: SessionId) -> Answer<'_, ()> {
        Box::pin(self.inner.end_session(session))
    }

    fn watch(&self, prefix: &Key) -> Watch {
        let (inner, prefix) = (self.inner.clone(), prefix.clone());
        Watch::spawn(move |events| watch::follow(inner, prefix, events))
    }
}
