//! The store inside hadal: one node, one file, nothing to install.
//!
//! ```text
//!   callers ──commit──▶ writer thread ──fsync──▶ file
//!      │                    │ then
//!      └──reads, renewals─▶ State (memory) ──▶ watches
//! ```
//!
//! One thread writes, so a disk that hangs stops nobody who only reads. What the disk has not confirmed is not shown to
//! anybody. After a disk error the file is opened anew before the next write, and what it has is taken over.

mod disk;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::clock::SharedClock;
use crate::store::error::limited;
use crate::store::state::State;
use crate::store::{
    Answer, Entry, Event, Revision, Session, SessionId, Snapshot, Store, StoreError, Transaction, Watch,
    Write,
};
use crate::{BootClock, Key};
use disk::{Disk, Opener};

pub use disk::DiskError;

/// Writes that may wait for the disk. More are answered with [`StoreError::Unavailable`].
const WAITING_WRITES: usize = 256;

/// How long the writer sleeps at most, if no session ends before.
const LONG: Duration = Duration::from_secs(3600);

/// The store of a node that is alone. Sessions live in memory: the end of the process ends them all.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    commands: mpsc::SyncSender<Command>,
    time_limit: Duration,
}

struct Shared {
    clock: SharedClock,
    state: Mutex<State>,
    changed: watch::Sender<Revision>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("revision", &self.state().revision()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Command {
    Commit {
        transaction: Transaction,
        done: oneshot::Sender<Result<Revision, StoreError>>,
    },
    EndSession {
        session: SessionId,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    /// Somebody opened a session, which may end before the others.
    SessionOpened,
}

impl EmbeddedStore {
    /// Opens the file, or makes it. `time_limit` bounds every call.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is open in another process.
    pub fn open(file: &Path, time_limit: Duration) -> Result<Self, DiskError> {
        Self::start(disk::file_opener(file), time_limit, Arc::new(BootClock))
    }

    fn start(opener: Opener, time_limit: Duration, clock: SharedClock) -> Result<Self, DiskError> {
        let (disk, state) = Disk::open(opener)?;
        let changed = watch::Sender::new(state.revision());
        let shared = Arc::new(Shared { clock, state: Mutex::new(state), changed });
        let (commands, inbox) = mpsc::sync_channel(WAITING_WRITES);
        let writer = Writer { shared: shared.clone(), disk, inbox };
        let thread = std::thread::Builder::new().name("coordination".to_owned());
        thread.spawn(move || writer.run()).map_err(DiskError::Thread)?;
        Ok(Self { shared, commands, time_limit })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state as of now, and lets those who follow know.
    fn change<T>(&self, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state, self.clock.now());
        let revision = state.revision();
        drop(state);
        self.changed.send_if_modified(|newest| {
            let is_newer = *newest < revision;
            *newest = (*newest).max(revision);
            is_newer
        });
        result
    }
}

/// The only one who gives numbers to changes: writes to the disk, and ends sessions.
struct Writer {
    shared: Arc<Shared>,
    disk: Disk,
    inbox: mpsc::Receiver<Command>,
}

impl Writer {
    /// Until the store is dropped.
    fn run(mut self) {
        loop {
            let now = self.shared.clock.now();
            let next_end = self.shared.state().next_end();
            let sleep = next_end.map_or(LONG, |end| end.saturating_sub(now).min(LONG));
            match self.inbox.recv_timeout(sleep) {
                // Who asked may have stopped waiting; what was asked for happens nevertheless.
                Ok(Command::Commit { transaction, done }) => drop(done.send(self.commit(transaction))),
                Ok(Command::EndSession { session, done }) => {
                    self.shared.change(|state, _| state.end_session(session));
                    drop(done.send(Ok(())));
                }
                Ok(Command::SessionOpened) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.shared.change(State::expire);
        }
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Revision, StoreError> {
        if let Some(writes) = self.disk.recover()? {
            // The write that nobody was sure of is there. It gets a number of its own again, because sessions may have
            // ended under the old one.
            self.write(writes)?;
        }
        self.shared.state().check(&transaction, self.shared.clock.now())?;
        self.write(transaction.writes)
    }

    fn write(&mut self, writes: Vec<Write>) -> Result<Revision, StoreError> {
        let revision = Revision(self.shared.state().revision().0 + 1);
        self.disk.write(revision, &writes)?;
        Ok(self.shared.change(|state, _| state.apply(writes)))
    }
}

impl EmbeddedStore {
    /// Hands something to the writer and waits for its answer.
    async fn ask<T>(
        &self,
        attempting: &'static str,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        self.commands.try_send(command(done)).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let answer =
            async { answer.await.unwrap_or_else(|gone| Err(StoreError::uncertain(attempting, &gone))) };
        limited(self.time_limit, attempting, answer).await
    }
}

impl Store for EmbeddedStore {
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Entry>> {
        Box::pin(async { Ok(self.shared.state().get(key).cloned()) })
    }

    fn list<'a>(&'a self, prefix: &'a Key) -> Answer<'a, Snapshot> {
        Box::pin(async { Ok(self.shared.state().list(prefix)) })
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        Box::pin(self.ask("writing", |done| Command::Commit { transaction, done }))
    }

    fn open_session(&self, ttl: Duration) -> Answer<'_, Session> {
        Box::pin(async move {
            let session = self.shared.change(|state, now| state.open_session(ttl, now));
            // A full queue means that the writer looks at the sessions soon anyway.
            drop(self.commands.try_send(Command::SessionOpened));
            Ok(session)
        })
    }

    fn renew_session(&self, session: SessionId) -> Answer<'_, ()> {
        Box::pin(async move { self.shared.change(|state, now| state.renew(session, now)) })
    }

    fn end_session(&self, session: SessionId) -> Answer<'_, ()> {
        Box::pin(self.ask("ending a session", move |done| Command::EndSession { session, done }))
    }

    fn watch(&self, prefix: &Key) -> Watch {
        let (shared, prefix) = (self.shared.clone(), prefix.clone());
        Watch::spawn(move |events| follow(shared, prefix, events))
    }
}

async fn follow(shared: Arc<Shared>, prefix: Key, events: tokio::sync::mpsc::Sender<Event>) {
    let mut changed = shared.changed.subscribe();
    let first = shared.state().list(&prefix);
    let mut seen = first.revision;
    let mut event = Some(Event::Resync(first));
    loop {
        // Fails when nobody follows any more, or when the store is gone.
        if let Some(event) = event
            && events.send(event).await.is_err()
        {
            return;
        }
        if changed.wait_for(|newest| *newest > seen).await.is_err() {
            return;
        }
        let state = shared.state();
        let revision = state.revision();
        event = match state.changes(&prefix, seen) {
            Some(changes) if changes.is_empty() => None,
            Some(changes) => Some(Event::Changed { revision, changes }),
            None => Some(Event::Resync(state.list(&prefix))),
        };
        seen = revision;
    }
}
