//! What a leader is doing to a cluster, step by step, so that its successor can finish or undo it.
//!
//! One action at a time per cluster. Every step is written before it is made, by the present leader only; a finished action
//! goes to a short history. An action and all its steps are one document, so it is bounded by the size of a value.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::{self, CoordinationError, Versioned};
use crate::election::{Leadership, Token};
use crate::store::{Expected, Snapshot, Transaction};
use crate::{Key, Keyspace, Store};

/// Finished actions that are kept per cluster.
const KEPT_ACTIONS: usize = 32;

/// One step of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    /// What a successor has to know of it.
    pub detail: Value,
    /// Of the leader that made it.
    pub token: Token,
}

/// Something done to a cluster, from its plan to its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Counts up per cluster.
    pub number: u64,
    /// As `failover` or `switchover`.
    pub kind: String,
    pub plan: Value,
    /// Of the leader that began it.
    pub token: Token,
    pub steps: Vec<Step>,
    /// How it ended.
    pub outcome: Option<Value>,
}

/// The journals of all clusters.
#[derive(Clone)]
pub struct Journal {
    store: Arc<dyn Store>,
    keyspace: Keyspace,
}

impl Journal {
    pub fn new(store: Arc<dyn Store>, keyspace: Keyspace) -> Self {
        Self { store, keyspace }
    }

    fn present(&self, cluster: &str) -> Result<Key, CoordinationError> {
        Ok(self.keyspace.cluster(cluster, "action")?)
    }

    /// The action that nobody has finished.
    ///
    /// # Errors
    /// The store's.
    pub async fn unfinished(&self, cluster: &str) -> Result<Option<Versioned<Action>>, CoordinationError> {
        document::read(&*self.store, &self.present(cluster)?).await
    }

    /// Finished actions, the oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn history(&self, cluster: &str) -> Result<Vec<Action>, CoordinationError> {
        let past = document::decode_all(&self.past(cluster).await?)?;
        Ok(past.into_iter().map(|(_, action)| action.value).collect())
    }

    async fn past(&self, cluster: &str) -> Result<Snapshot, CoordinationError> {
        Ok(self.store.list(&self.keyspace.cluster(cluster, "history")?).await?)
    }

    /// Begins an action.
    ///
    /// # Errors
    /// A conflict while another one is unfinished.
    pub async fn begin(
        &self,
        cluster: &str,
        kind: &str,
        plan: Value,
        leadership: &Leadership,
    ) -> Result<Versioned<Action>, CoordinationError> {
        let key = self.present(cluster)?;
        let number = self.history(cluster).await?.last().map_or(0, |action| action.number) + 1;
        let token = leadership.token();
        let action = Action { number, kind: kind.to_owned(), plan, token, steps: Vec::new(), outcome: None };
        let transaction =
            Transaction::new().when(&key, Expected::Absent).put(&key, document::encode(&key, &action)?);
        self.commit(leadership, transaction, action).await
    }

    /// Adds a step. `action` must be as it was last read or written.
    ///
    /// # Errors
    /// A conflict if it has changed since. When it is uncertain, [`Journal::unfinished`] tells whether the step is there.
    pub async fn append(
        &self,
        cluster: &str,
        mut action: Versioned<Action>,
        name: &str,
        detail: Value,
        leadership: &Leadership,
    ) -> Result<Versioned<Action>, CoordinationError> {
        let key = self.present(cluster)?;
        action.value.steps.push(Step { name: name.to_owned(), detail, token: leadership.token() });
        let value = document::encode(&key, &action.value)?;
        let transaction = Transaction::new().when(&key, action.unchanged()).put(&key, value);
        self.commit(leadership, transaction, action.value).await
    }

    /// Moves the action to the history.
    ///
    /// # Errors
    /// A conflict if it has changed since it was last read or written.
    pub async fn finish(
        &self,
        cluster: &str,
        mut action: Versioned<Action>,
        outcome: Value,
        leadership: &Leadership,
    ) -> Result<(), CoordinationError> {
        let key = self.present(cluster)?;
        action.value.outcome = Some(outcome);
        // In ten digits, so that their order is that of their names.
        let number = format!("{:010}", action.value.number);
        let past_key = self.keyspace.cluster(cluster, "history")?.join(&number)?;
        let value = document::encode(&past_key, &action.value)?;
        let transaction =
            Transaction::new().when(&key, action.unchanged()).delete(&key).put(&past_key, value);
        let past = self.past(cluster).await?.entries;
        // A few at a time, should there ever be more: a transaction is bounded.
        let too_many = (past.len() + 1).saturating_sub(KEPT_ACTIONS).min(8);
        let transaction = past.iter().take(too_many).fold(transaction, |all, old| all.delete(&old.key));
        document::commit_as_leader(&*self.store, leadership, transaction).await?;
        Ok(())
    }

    async fn commit(
        &self,
        leadership: &Leadership,
        transaction: Transaction,
        value: Action,
    ) -> Result<Versioned<Action>, CoordinationError> {
        let version = document::commit_as_leader(&*self.store, leadership, transaction).await?;
        Ok(Versioned { value, version })
    }
}
