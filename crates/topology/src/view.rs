//! A cluster at one moment, and the lock-free cell through which it is published.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{Accounts, Catalogue, Role, ServerId, ServerView};

/// Whether what needs the primary may be sent there now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// To the primary, if there is one.
    #[default]
    Open,
    /// Another primary is on its way: new statements and transactions wait for it. What is under way may finish while
    /// `finish` is set.
    Held { why: Arc<str>, finish: bool },
    /// No primary is to be had until somebody does something: refused at once, with the reason. Reads go on.
    Refused { why: Arc<str> },
}

/// An immutable picture of a cluster. A new one replaces it; nobody changes it.
#[derive(Clone, Debug)]
pub struct ClusterView {
    pub name: Arc<str>,
    /// Grows by one with every published view.
    pub revision: u64,
    /// Grows whenever another server becomes primary. Connections remember the epoch they were opened in.
    pub epoch: u64,
    /// Indexed by `ServerId`.
    pub servers: Vec<ServerView>,
    pub primary: Option<ServerId>,
    pub writes: Writes,
    /// The control plane replaces a primary that is gone by itself: a statement that cannot reach it is worth holding.
    pub heals: bool,
    /// People want no writes, and why: clients' are refused, everything else goes on.
    pub read_only: Option<Arc<str>>,
    /// Who may log in; follows the primary's `mysql.global_priv`.
    pub accounts: Arc<Accounts>,
    /// What SQL names mean on these servers: routines, views, variables, collations.
    pub catalogue: Arc<Catalogue>,
}

impl ClusterView {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            revision: 0,
            epoch: 0,
            servers: Vec::new(),
            primary: None,
            writes: Writes::Open,
            heals: false,
            read_only: None,
            accounts: Arc::default(),
            catalogue: Arc::default(),
        }
    }

    pub fn server(&self, id: ServerId) -> Option<&ServerView> {
        self.servers.get(usize::from(id.0))
    }

    /// The primary, if one is known and it is still one.
    pub fn primary(&self) -> Option<&ServerView> {
        self.primary.and_then(|id| self.server(id)).filter(|s| s.role == Role::Primary)
    }
}

/// Where the newest view is found. Cloning shares the cell.
#[derive(Clone, Debug)]
pub struct ViewCell(Arc<ArcSwap<ClusterView>>);

impl ViewCell {
    pub fn new(view: ClusterView) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(view)))
    }

    /// The newest view.
    pub fn load(&self) -> Arc<ClusterView> {
        self.0.load_full()
    }

    /// Replaces the view; readers see it with their next load.
    pub fn publish(&self, view: ClusterView) {
        self.0.store(Arc::new(view));
    }

    /// The shared cell, for readers that keep a thread-local cache of it.
    pub fn shared(&self) -> Arc<ArcSwap<ClusterView>> {
        self.0.clone()
    }
}
