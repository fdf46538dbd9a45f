//! The nodes that look after one cluster: who they are, which of them are there, what their leader tells them, and what each
//! says of itself.
//!
//! ```text
//!   members/<node>   stays: whose voice counts, whether or not it is there
//!   present/<node>   bound to the node's session: what it has heard, what it sees; gone soon after the node is
//!   announcement     the leader's word, written under its token
//! ```
//!
//! A node that stops in order is no member any more. One that just vanishes stays one, so that those who are left do not
//! become a majority by being left; the leader strikes it off when it has been away for long **and** a majority of the members
//! is there to see it. So a minority never shrinks the assembly to its own size.

mod attendant;
mod contact;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock::SharedClock;
use crate::document::{self, CoordinationError, Versioned};
use crate::election::Leadership;
use crate::store::{Expected, Revision, Snapshot, Transaction};
use crate::{BootClock, Key, Keyspace, Store};
pub use attendant::Attendant;
use contact::Contact;

/// Whether statements for the primary go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Traffic {
    #[default]
    Open,
    /// Nothing new begins. `finish`: what is under way may come to its end.
    Held {
        why: String,
        finish: bool,
    },
    Refused {
        why: String,
    },
}

/// What a leader tells all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub epoch: u64,
    pub traffic: Traffic,
    /// Replicas that were asked to stop receiving, before anything else was begun.
    #[serde(default)]
    pub prepared: Vec<String>,
    /// Whose acknowledgement may count from now on; `None`: the leader does not know yet, and the last word stands.
    #[serde(default)]
    pub acknowledgers: Option<BTreeSet<String>>,
    /// Whom hadal promoted last, where that server does not take writes yet, or no more.
    #[serde(default)]
    pub succession: Option<Succession>,
}

/// A server that was promoted in the place of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    pub old: Option<String>,
    pub new: String,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The version of the announcement that it follows.
    pub heard: u64,
    /// The server that it takes for the primary.
    pub primary: Option<String>,
    /// Why it does not reach that server; `None`: it does.
    pub lost: Option<String>,
    /// Where its admin API is reached, if it is.
    pub admin: Option<String>,
}

/// The nodes of one cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembly {
    pub members: BTreeSet<String>,
    /// Members that are there, with what they said last.
    pub present: BTreeMap<String, Remark>,
    pub announcement: Option<Versioned<Announcement>>,
}

/// One node's part in an assembly. Clones are the same node's.
#[derive(Clone)]
pub struct Attendance {
    store: Arc<dyn Store>,
    keys: Keys,
    node: String,
    remark: watch::Sender<Remark>,
    assembly: watch::Receiver<Assembly>,
    contact: Contact,
    /// The version of what this node has announced last, where that is certain.
    said: Arc<Mutex<Option<Revision>>>,
}

#[derive(Clone, Debug)]
struct Keys {
    folder: Key,
    members: Key,
    present: Key,
    announcement: Key,
}

impl Keys {
    fn new(keyspace: &Keyspace, cluster: &str) -> Result<Self, CoordinationError> {
        let folder = keyspace.cluster(cluster, "assembly")?;
        Ok(Self {
            members: folder.join("members")?,
            present: folder.join("present")?,
            announcement: folder.join("announcement")?,
            folder,
        })
    }

    /// What this program does not understand is left out: nodes of different versions may meet.
    fn read(&self, snapshot: &Snapshot) -> Assembly {
        let mut assembly = Assembly::default();
        for entry in &snapshot.entries {
            if entry.key == self.announcement {
                assembly.announcement = document::decode(entry).ok();
            } else if entry.key.is_below(&self.members) {
                assembly.members.insert(entry.key.name());
            } else if entry.key.is_below(&self.present) {
                let remark = document::decode::<Remark>(entry).map(|remark| remark.value).unwrap_or_default();
                assembly.present.insert(entry.key.name(), remark);
            }
        }
        assembly
    }
}

/// One node in one cluster's assembly.
#[derive(Clone, Debug)]
pub struct Attendee<'a> {
    pub cluster: &'a str,
    pub node: &'a str,
    /// Where others reach its API.
    pub admin: Option<String>,
    /// How long others take it for present when nothing is heard of it.
    pub ttl: Duration,
}

impl Attendance {
    /// A node's part, and the task that keeps it.
    ///
    /// # Errors
    /// Names that no key can hold.
    pub fn new(
        store: Arc<dyn Store>,
        keyspace: &Keyspace,
        attendee: Attendee<'_>,
    ) -> Result<(Self, Attendant), CoordinationError> {
        Self::with_clock(store, keyspace, attendee, Arc::new(BootClock))
    }

    /// The same on a clock of the caller's.
    ///
    /// # Errors
    /// As for [`Attendance::new`].
    pub fn with_clock(
        store: Arc<dyn Store>,
        keyspace: &Keyspace,
        attendee: Attendee<'_>,
        clock: SharedClock,
    ) -> Result<(Self, Attendant), CoordinationError> {
        let Attendee { cluster, node, admin, ttl } = attendee;
        let keys = Keys::new(keyspace, cluster)?;
        let remark = watch::Sender::new(Remark { admin, ..Remark::default() });
        let (assemblies, assembly) = watch::channel(Assembly::default());
        let contact = Contact::new(clock);
        let attendant = Attendant {
            store: store.clone(),
            own: keys.present.join(node)?,
            membership: keys.members.join(node)?,
            keys: keys.clone(),
            ttl,
            remarks: remark.subscribe(),
            assemblies,
            contact: contact.clone(),
            alone: false,
        };
        let said = Arc::default();
        Ok((Self { store, keys, node: node.to_owned(), remark, assembly, contact, said }, attendant))
    }

    /// The name of this node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Changes what this node says of itself.
    pub fn say(&self, change: impl FnOnce(&mut Remark)) {
        self.remark.send_if_modified(|remark| {
            let before = remark.clone();
            change(remark);
            *remark != before
        });
    }

    /// Follows the assembly.
    pub fn watch(&self) -> watch::Receiver<Assembly> {
        self.assembly.clone()
    }

    /// The assembly as it was last seen.
    pub fn assembly(&self) -> Assembly {
        self.assembly.borrow().clone()
    }

    /// Whether this node is the only member.
    pub fn is_alone(&self) -> bool {
        self.assembly.borrow().is_only(&self.node)
    }

    /// Whether the others still take this node for present, by its own clock: while they do, no leader goes on without
    /// having been heard by it, or without having waited for its session to end.
    pub fn is_in_touch(&self) -> bool {
        self.contact.holds()
    }

    /// Tells all nodes something, as their leader. Gives its version.
    ///
    /// # Errors
    /// The store's, and that we do not lead.
    pub async fn announce(
        &self,
        announcement: &Announcement,
        leadership: &Leadership,
    ) -> Result<u64, CoordinationError> {
        let known = self.said.lock().unwrap_or_else(PoisonError::into_inner).take();
        let said = match known {
            Some(version) => self.announce_after(Expected::Version(version), announcement, leadership).await,
            None => Err(CoordinationError::Conflict(self.keys.announcement.clone())),
        };
        let version = match said {
            Err(CoordinationError::Conflict(_)) => {
                let there = self.store.get(&self.keys.announcement).await?;
                let expected = there.map_or(Expected::Absent, |entry| Expected::Version(entry.version));
                self.announce_after(expected, announcement, leadership).await?
            }
            said => said?,
        };
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
        Ok(version.0)
    }

    /// On a condition, because an earlier word of ours may still be on its way, and must not be the last one.
    async fn announce_after(
        &self,
        expected: Expected,
        announcement: &Announcement,
        leadership: &Leadership,
    ) -> Result<Revision, CoordinationError> {
        let key = &self.keys.announcement;
        let put = Transaction::new().when(key, expected).put(key, document::encode(key, announcement)?);
        document::commit_as_leader(&*self.store, leadership, put).await
    }

    /// Waits until all others that are there have heard `version`, or are not there any more. Gives those who had not after
    /// `patience`. Cancel-safe.
    pub async fn heard(&self, version: u64, patience: Duration) -> Vec<String> {
        let mut assembly = self.assembly.clone();
        let deaf = |assembly: &Assembly| -> Vec<String> {
            let others = assembly.present.iter().filter(|(node, _)| **node != self.node);
            others.filter(|(_, remark)| remark.heard < version).map(|(node, _)| node.clone()).collect()
        };
        let all = assembly.wait_for(|assembly| deaf(assembly).is_empty());
        // An error means that the attendant has ended, and with it our knowledge.
        let _ = tokio::time::timeout(patience, all).await.map(drop);
        deaf(&self.assembly())
    }

    /// Whether all others that are there have heard `version`. Who is not there has no session any more, and knows that.
    pub fn has_been_heard(&self, version: u64) -> bool {
        let assembly = self.assembly.borrow();
        assembly.present.iter().all(|(node, remark)| *node == self.node || remark.heard >= version)
    }

    /// Strikes off a member that is gone for good.
    ///
    /// # Errors
    /// The store's, and that we do not lead.
    pub async fn strike_off(&self, member: &str, leadership: &Leadership) -> Result<(), CoordinationError> {
        let transaction = Transaction::new().delete(&self.keys.members.join(member)?);
        document::commit_as_leader(&*self.store, leadership, transaction).await?;
        Ok(())
    }
}

impl Assembly {
    /// Whether there is nobody but `node`, nor was.
    pub fn is_only(&self, node: &str) -> bool {
        self.members.iter().chain(self.present.keys()).all(|member| member == node)
    }

    /// Members that are not there.
    pub fn absent(&self) -> impl Iterator<Item = &String> {
        self.members.iter().filter(|member| !self.present.contains_key(*member))
    }
}
