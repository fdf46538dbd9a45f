//! The nodes of hadal that are alive.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::document::{self, CoordinationError};
use crate::store::{Expected, Session, StoreError, Transaction};
use crate::{Key, Keyspace, Store};

/// What a node tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub version: String,
    /// Where its admin API is reached.
    pub admin: String,
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// Not yet, or the store does not answer.
    Unknown,
    Yes,
    /// Another process has the name: one with the same configuration, or this node's own, from before a restart, whose time
    /// is not over yet.
    NameTaken,
}

/// Keeps one node registered.
pub struct Registration {
    store: Arc<dyn Store>,
    key: Key,
    value: Vec<u8>,
    ttl: Duration,
    state: watch::Sender<Registered>,
}

/// Lists who is there.
///
/// # Errors
/// The store's.
pub async fn nodes(store: &dyn Store, keyspace: &Keyspace) -> Result<Vec<(String, Node)>, CoordinationError> {
    let nodes = document::decode_all(&store.list(&keyspace.nodes()?).await?)?;
    Ok(nodes.into_iter().map(|(name, node)| (name, node.value)).collect())
}

impl Registration {
    /// A registration that does nothing before it is run. `ttl`: how long a node from which nothing is heard is listed.
    ///
    /// # Errors
    /// A name that is too long.
    pub fn new(
        store: Arc<dyn Store>,
        keyspace: &Keyspace,
        name: &str,
        node: &Node,
        ttl: Duration,
    ) -> Result<(Self, watch::Receiver<Registered>), CoordinationError> {
        let key = keyspace.nodes()?.join(name)?;
        let value = document::encode(&key, node)?;
        let (state, states) = watch::channel(Registered::Unknown);
        Ok((Self { store, key, value, ttl, state }, states))
    }

    /// Until `shutdown` resolves; then the node is taken off the list.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut session = None;
        tokio::select! {
            biased;
            () = shutdown => {}
            never = self.keep(&mut session) => match never {},
        }
        if let Some(session) = session {
            self.end(session).await;
        }
    }

    async fn keep(&self, session: &mut Option<Session>) -> std::convert::Infallible {
        loop {
            match self.store.open_session(self.ttl).await {
                Ok(opened) => {
                    *session = Some(opened);
                    self.state.send_replace(self.enter(opened).await);
                    if *self.state.borrow() == Registered::Yes {
                        self.stay(opened).await;
                    }
                    self.end(opened).await;
                    *session = None;
                }
                Err(_) => drop(self.state.send_replace(Registered::Unknown)),
            }
            tokio::time::sleep(self.ttl / 4).await;
        }
    }

    async fn enter(&self, session: Session) -> Registered {
        let put = Transaction::new().when(&self.key, Expected::Absent);
        match self.store.commit(put.put_bound(&self.key, self.value.clone(), session.id)).await {
            Ok(_) => Registered::Yes,
            Err(StoreError::Refused { .. }) => Registered::NameTaken,
            Err(_) => Registered::Unknown,
        }
    }

    /// As long as our key is there with our session.
    async fn stay(&self, session: Session) {
        loop {
            tokio::time::sleep(session.ttl / 4).await;
            let there = match self.store.renew_session(session.id).await {
                Ok(()) => self.store.get(&self.key).await,
                Err(error) => Err(error),
            };
            let state = match there {
                Ok(Some(entry)) if entry.session == Some(session.id) => Registered::Yes,
                Ok(_) | Err(StoreError::SessionEnded) => return,
                // Neither there nor gone.
                Err(_) => Registered::Unknown,
            };
            self.state.send_if_modified(|now| std::mem::replace(now, state) != state);
        }
    }

    async fn end(&self, session: Session) {
        // It ends by itself when this does not arrive.
        drop(self.store.end_session(session.id).await);
    }
}
