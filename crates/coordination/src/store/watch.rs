//! How changes come to those who follow them.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Key;
use crate::store::{Entry, Revision, Snapshot};

/// Events that may wait for who follows; a back end that finds no room waits, and where it cannot, resynchronises.
const WAITING_EVENTS: usize = 64;

/// What happened to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put(Entry),
    Deleted(Key),
}

/// News of what is below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What one or several changes did, in their order, with nothing left out since the event before.
    Changed { revision: Revision, changes: Vec<Change> },
    /// Changes may have been missed. This is what there is now; whatever is not in it is gone.
    Resync(Snapshot),
}

/// Follows a prefix. Ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

impl Watch {
    /// A watch that is fed by a task of its own. The task never ends by itself.
    pub(crate) fn spawn<F>(follow: impl FnOnce(mpsc::Sender<Event>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        Self { events, task: tokio::spawn(follow(sender)) }
    }

    /// The next news, however long that takes. Interruptions are repaired inside and show as [`Event::Resync`]; while the
    /// store does not answer there simply is no news, so who must know whether it answers has to ask it. Cancel-safe.
    pub async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // Only when the runtime shuts down.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
