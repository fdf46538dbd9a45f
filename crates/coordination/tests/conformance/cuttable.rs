//! A store that can be cut off, as by a network that swallows everything.

use std::sync::Arc;
use std::time::Duration;

use coordination::Key;
use coordination::store::{
    Answer, Entry, Revision, Session, SessionId, Snapshot, Store, StoreError, Transaction, Watch,
};
use tokio::sync::watch;

pub(crate) struct Cuttable {
    inner: Arc<dyn Store>,
    cut: watch::Sender<bool>,
    /// Watches then follow a place where nothing ever happens.
    deaf: bool,
}

impl Cuttable {
    pub(crate) fn new(inner: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner: inner.clone(), cut: watch::Sender::new(false), deaf: false })
    }

    pub(crate) fn deaf(inner: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner: inner.clone(), cut: watch::Sender::new(false), deaf: true })
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }

    /// A call that was on its way when the cut came has no answer either.
    fn unless_cut<'a, T: Send + 'a>(&'a self, call: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            let mut cut = self.cut.subscribe();
            let is_cut = async { drop(cut.wait_for(|cut| *cut).await) };
            tokio::select! {
                biased;
                () = is_cut => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Err(StoreError::Uncertain { attempting: "calling", why: "cut off".to_owned() })
                }
                answer = call => answer,
            }
        })
    }
}

impl Store for Cuttable {
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Entry>> {
        self.unless_cut(self.inner.get(key))
    }

    fn list<'a>(&'a self, prefix: &'a Key) -> Answer<'a, Snapshot> {
        self.unless_cut(self.inner.list(prefix))
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        self.unless_cut(self.inner.commit(transaction))
    }

    fn open_session(&self, ttl: Duration) -> Answer<'_, Session> {
        self.unless_cut(self.inner.open_session(ttl))
    }

    fn renew_session(&self, session: SessionId) -> Answer<'_, ()> {
        self.unless_cut(self.inner.renew_session(session))
    }

    fn end_session(&self, session: SessionId) -> Answer<'_, ()> {
        self.unless_cut(self.inner.end_session(session))
    }

    fn watch(&self, prefix: &Key) -> Watch {
        if self.deaf { self.inner.watch(&prefix.join("nothing").unwrap()) } else { self.inner.watch(prefix) }
    }
}
