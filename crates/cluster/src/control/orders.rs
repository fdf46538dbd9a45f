//! What people ask of a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::plan::Plan;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    /// Another primary while the present one is well.
    Switchover {
        #[serde(default)]
        to: Option<String>,
    },
    /// Another primary now that the present one is gone.
    Failover {
        /// Go on without the proof that nothing acknowledged is lost.
        #[serde(default)]
        allow_loss: bool,
        /// Also if the primary answers.
        #[serde(default)]
        force: bool,
    },
    /// The server becomes a replica of the primary.
    Rejoin {
        server: String,
        /// With another server's data in place of its own.
        #[serde(default)]
        rebuild: bool,
    },
    /// Nothing is decided about the server, or is again.
    Maintenance { server: String, on: bool, reason: String, by: String },
}

/// What came of an order.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was done, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// The same for people.
    pub text: String,
    pub done: bool,
    /// From the first step to the last.
    pub took_ms: u64,
    /// How long statements were held.
    pub held_ms: u64,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    /// It would be wrong, or there is nothing to do.
    #[error("{0}")]
    Refused(String),
    /// Something failed on the way; the text says how things stand.
    #[error("{0}")]
    Failed(String),
    /// Not now, or not here.
    #[error("{0}")]
    Unavailable(String),
}

/// An order with who waits for its outcome.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) order: Order,
    /// Only the plan is wanted.
    pub(crate) dry_run: bool,
    pub(crate) answer: oneshot::Sender<Result<Report, OrderError>>,
    /// Until this is dropped, no other order is taken.
    pub(crate) closed: Option<Closed>,
}

/// Dropped, orders are taken again.
#[derive(Debug)]
pub(crate) struct Closed(Arc<AtomicBool>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Where orders are given.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    sender: mpsc::Sender<Ordered>,
    /// Something is being done already.
    busy: Arc<AtomicBool>,
}

impl Orders {
    /// Orders that may wait: people are slow, and each of them waits for an answer.
    const WAITING: usize = 8;

    pub(crate) fn new() -> (Self, mpsc::Receiver<Ordered>) {
        let (sender, receiver) = mpsc::channel(Self::WAITING);
        (Self { sender, busy: Arc::default() }, receiver)
    }

    /// Refuses orders until the guard is dropped: they were given for a cluster that is about to be another.
    pub(crate) fn close(&self) -> Closed {
        self.busy.store(true, Ordering::SeqCst);
        Closed(self.busy.clone())
    }

    /// Gives an order and waits for its outcome. Cancelled, the order is carried out nevertheless.
    pub(crate) async fn give(&self, order: Order, dry_run: bool) -> Result<Report, OrderError> {
        let mut closed = None;
        if !dry_run {
            if self.busy.swap(true, Ordering::SeqCst) {
                let text = "another change of the cluster is under way; look at its outcome and ask again";
                return Err(OrderError::Unavailable(text.into()));
            }
            closed = Some(Closed(self.busy.clone()));
        }
        let (answer, waiting) = oneshot::channel();
        let nobody =
            || OrderError::Unavailable("this cluster is not controlled by hadal (failover = \"off\")".into());
        self.sender.try_send(Ordered { order, dry_run, answer, closed }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                OrderError::Unavailable("other orders are waiting; try again".into())
            }
            mpsc::error::TrySendError::Closed(_) => nobody(),
        })?;
        waiting.await.unwrap_or_else(|_| Err(OrderError::Unavailable("hadal is stopping".into())))
    }
}
