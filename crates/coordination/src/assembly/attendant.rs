//! The task that keeps a node present and its knowledge of the others fresh.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::contact::Contact;
use super::{Assembly, Keys, Remark};
use crate::document::{self, CoordinationError};
use crate::store::{Event, Expected, Revision, Session, StoreError, Transaction};
use crate::{Key, Store};

/// See the module.
pub struct Attendant {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Keys,
    pub(super) own: Key,
    pub(super) membership: Key,
    pub(super) ttl: Duration,
    pub(super) remarks: watch::Receiver<Remark>,
    pub(super) assemblies: watch::Sender<Assembly>,
    pub(super) contact: Contact,
    pub(super) alone: bool,
}

impl Attendant {
    /// Until `shutdown` resolves; then the node is a member no longer.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut session = None;
        let (store, keys, every) = (self.store.clone(), self.keys.clone(), self.ttl / 4);
        let assemblies = self.assemblies.clone();
        tokio::select! {
            biased;
            () = shutdown => {}
            never = self.attend(&mut session) => match never {},
            never = follow(&*store, &keys, &assemblies, every) => match never {},
        }
        self.contact.lost();
        if let Some(session) = session {
            // In vain, it ends by itself; the membership then stays until a leader strikes it off.
            drop(self.store.commit(Transaction::new().delete(&self.membership)).await);
            self.end(session).await;
        }
    }

    async fn attend(&mut self, session: &mut Option<Session>) -> std::convert::Infallible {
        loop {
            let asked = self.contact.now();
            if let Ok(opened) = self.store.open_session(self.ttl).await {
                *session = Some(opened);
                match self.enter(opened).await {
                    Ok(version) => {
                        self.contact.made(asked, opened.ttl);
                        self.stay(opened, version).await;
                    }
                    Err(error) => tracing::debug!("this node is not present yet: {error}"),
                }
                self.end(opened).await;
                *session = None;
            }
            tokio::time::sleep(self.ttl / 8).await;
        }
    }

    /// Refused while another process has the name, or this node's own from before a restart.
    async fn enter(&mut self, session: Session) -> Result<Revision, CoordinationError> {
        let remark = document::encode(&self.own, &*self.remarks.borrow_and_update())?;
        let mut put = Transaction::new()
            .when(&self.own, Expected::Absent)
            .put_bound(&self.own, remark, session.id)
            .put(&self.membership, "{}");
        if self.alone {
            let assembly = self.keys.read(&self.store.list(&self.keys.folder).await?);
            for other in assembly
                .members
                .iter()
                .filter(|other| self.keys.members.join(other).is_ok_and(|key| key != self.membership))
            {
                put = put.delete(&self.keys.members.join(other)?);
            }
        }
        Ok(self.store.commit(put).await?)
    }

    /// The store is this process's own: whoever is a member besides was this node under an earlier name.
    #[must_use]
    pub fn alone(mut self, alone: bool) -> Self {
        self.alone = alone;
        self
    }

    /// As long as the session lives and our key is ours.
    async fn stay(&mut self, session: Session, mut version: Revision) {
        let mut renewed = tokio::time::Instant::now();
        loop {
            let due = renewed + session.ttl / 4;
            let news = tokio::select! {
                biased;
                changed = self.remarks.changed() => changed.is_ok(),
                () = tokio::time::sleep_until(due) => false,
            };
            let kept = if news {
                self.remark(session, &mut version).await
            } else {
                renewed = tokio::time::Instant::now();
                self.renew(session, version).await
            };
            if !kept {
                return;
            }
        }
    }

    async fn remark(&mut self, session: Session, version: &mut Revision) -> bool {
        let Ok(remark) = document::encode(&self.own, &*self.remarks.borrow_and_update()) else { return true };
        let put = Transaction::new().when(&self.own, Expected::Version(*version));
        match self.store.commit(put.put_bound(&self.own, remark, session.id)).await {
            Ok(revision) => *version = revision,
            // What is there now is not known, so we begin anew.
            Err(_) => return false,
        }
        true
    }

    /// A session that lives is not enough: somebody may have deleted the key.
    async fn renew(&self, session: Session, version: Revision) -> bool {
        let asked = self.contact.now();
        match self.store.renew_session(session.id).await {
            Ok(()) => {}
            Err(StoreError::SessionEnded) => return false,
            Err(_) => return true,
        }
        match self.store.get(&self.own).await {
            Ok(Some(entry)) if entry.version == version => self.contact.made(asked, session.ttl),
            Ok(_) => return false,
            Err(_) => {}
        }
        true
    }

    /// First for us, then for the others.
    async fn end(&self, session: Session) {
        self.contact.lost();
        drop(self.store.end_session(session.id).await);
    }
}

/// Watches can be silent although something has changed, so it is also looked in between.
async fn follow(
    store: &dyn Store,
    keys: &Keys,
    assemblies: &watch::Sender<Assembly>,
    every: Duration,
) -> std::convert::Infallible {
    let mut watch = store.watch(&keys.folder);
    let mut seen = Revision(0);
    loop {
        let snapshot = tokio::select! {
            biased;
            event = watch.next() => match event {
                // A watch may be behind what was listed meanwhile.
                Event::Resync(snapshot) if snapshot.revision < seen => continue,
                Event::Resync(snapshot) => Ok(snapshot),
                Event::Changed { .. } => store.list(&keys.folder).await,
            },
            () = tokio::time::sleep(every) => store.list(&keys.folder).await,
        };
        let Ok(snapshot) = snapshot else { continue };
        seen = snapshot.revision;
        let assembly = keys.read(&snapshot);
        assemblies.send_if_modified(|now| {
            let changed = *now != assembly;
            *now = assembly;
            changed
        });
    }
}
