//! What the rest of hadal holds of a cluster's observer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use topology::{ClusterView, ServerId, ViewCell};

use crate::control::{Order, OrderError, OrderReport, Orders};
use crate::dictionary::Request;
use crate::events::{Event, Events};
use crate::status::ServerStatus;

/// What the service and its handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    pub(crate) view: ViewCell,
    pub(crate) events: Events,
    status: ArcSwap<Vec<ServerStatus>>,
    ready: watch::Sender<bool>,
    /// By server.
    wakers: Mutex<Vec<Arc<Notify>>>,
    requests: mpsc::Sender<Request>,
    pub(crate) orders: Orders,
    /// Something is wrong with the primary.
    pub(crate) alarm: Arc<AtomicBool>,
    /// Counts the published views.
    published: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(name: &str, view: ViewCell, requests: mpsc::Sender<Request>, orders: Orders) -> Self {
        Self {
            name: name.into(),
            view,
            events: Events::default(),
            status: ArcSwap::default(),
            ready: watch::Sender::new(false),
            wakers: Mutex::default(),
            requests,
            orders,
            alarm: Arc::default(),
            published: watch::Sender::new(0),
        }
    }

    pub(crate) fn set_status(&self, status: Vec<ServerStatus>) {
        self.status.store(Arc::new(status));
    }

    /// Looks become more frequent, or ordinary again.
    pub(crate) fn set_alarm(&self, alarm: bool) {
        if self.alarm.swap(alarm, Ordering::Relaxed) != alarm && alarm {
            self.wake_all();
        }
    }

    pub(crate) fn publish(&self, view: ClusterView) {
        let revision = view.revision;
        self.view.publish(view);
        self.published.send_replace(revision);
    }

    pub(crate) fn set_ready(&self) {
        self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Notify>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watched(&self) -> usize {
        self.wakers().len()
    }

    pub(crate) fn add_waker(&self, waker: Arc<Notify>) {
        self.wakers().push(waker);
    }

    pub(crate) fn wake_all(&self) {
        self.wakers().iter().for_each(|waker| waker.notify_one());
    }
}

/// Cheap to clone, usable from any thread and any runtime. No call blocks.
#[derive(Clone, Debug)]
pub struct ClusterHandle {
    shared: Arc<Shared>,
}

impl ClusterHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Where the newest view is found.
    pub fn view(&self) -> ViewCell {
        self.shared.view.clone()
    }

    /// Accounts, routines, views or roles may have changed: look now. Returns at once.
    pub fn refresh(&self) {
        self.shared.wake_all();
        // A full queue means that a reading is due anyway.
        let _ = self.shared.requests.try_send(Request { done: None });
    }

    /// The same, and returns once accounts and catalogue as they were at this call, or later, are published. Without a
    /// primary that takes as long as there is none: give it a time limit. Cancel-safe.
    pub async fn refreshed(&self) {
        self.shared.wake_all();
        let (done, waiting) = oneshot::channel();
        if self.shared.requests.send(Request { done: Some(done) }).await.is_ok() {
            // An error means that the service ended.
            let _ = waiting.await;
        }
    }

    /// A session saw an error from this server: look at it now. Returns at once.
    pub fn suspect(&self, server: ServerId) {
        if let Some(waker) = self.shared.wakers().get(usize::from(server.0)) {
            waker.notify_one();
        }
    }

    /// Returns once a primary, its accounts and its catalogue are known for the first time. Cancel-safe.
    pub async fn ready(&self) {
        let mut ready = self.shared.ready.subscribe();
        // It cannot fail: the handle keeps the sender.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Whether [`ClusterHandle::ready`] would return at once.
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// Returns once a view newer than this revision is published. Cancel-safe.
    pub async fn newer_than(&self, revision: u64) {
        let mut published = self.shared.published.subscribe();
        // It cannot fail: the handle keeps the sender.
        let _ = published.wait_for(|newest| *newest > revision).await;
    }

    /// Has the cluster changed; returns when that is done, or refused. Cancelled, it goes on nevertheless.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn order(&self, order: Order, dry_run: bool) -> Result<OrderReport, OrderError> {
        self.shared.orders.give(order, dry_run).await
    }

    /// The servers as they are now.
    pub fn status(&self) -> Arc<Vec<ServerStatus>> {
        self.shared.status.load_full()
    }

    /// The newest changes, the oldest of them first.
    pub fn events(&self) -> Vec<Event> {
        self.shared.events.list()
    }
}
