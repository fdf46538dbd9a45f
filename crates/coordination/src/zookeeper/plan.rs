//! From a transaction and what it has read to the parts of one ZooKeeper multi.

use std::collections::BTreeMap;

use super::jute::Stat;
use super::request::Request;
use super::tree::{Node, Tree};
use crate::Key;
use crate::store::{Condition, Expected, StoreError, Transaction, Write};

/// What the transaction's keys were like.
pub(super) struct Plan<'a> {
    tree: &'a Tree,
    root: Stat,
    nodes: BTreeMap<Key, Node>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(tree: &'a Tree, root: Stat, nodes: Vec<Option<Node>>) -> Self {
        let nodes = nodes.into_iter().flatten().map(|node| (node.entry.key.clone(), node)).collect();
        Self { tree, root, nodes }
    }

    /// The first part writes the root, and fails if anybody has written anything since it was read. What is left are keys
    /// that vanished with their session: those that are only compared are checked, and writing the others fails by itself.
    pub(super) fn parts(&self, transaction: &Transaction) -> Result<Vec<Request>, StoreError> {
        let mut parts = vec![Request::set_data(self.tree.root(), b"", self.root.version)];
        for condition in &transaction.conditions {
            if !self.holds(condition) {
                return Err(StoreError::Refused { key: condition.key.clone() });
            }
            if let Some(node) = self.nodes.get(&condition.key) {
                parts.push(Request::check(&self.tree.path(&condition.key), node.version));
            }
        }
        for write in &transaction.writes {
            self.add_write(&mut parts, write);
        }
        Ok(parts)
    }

    fn holds(&self, condition: &Condition) -> bool {
        let version = self.nodes.get(&condition.key).map(|node| node.entry.version);
        match condition.expected {
            Expected::Absent => version.is_none(),
            Expected::Version(expected) => version == Some(expected),
        }
    }

    /// A node cannot change whether it vanishes with a session, so that takes a new one.
    fn add_write(&self, parts: &mut Vec<Request>, write: &Write) {
        let path = self.tree.path(write.key());
        match (write, self.nodes.get(write.key())) {
            (Write::Put { value, session: None, .. }, Some(node)) if node.entry.session.is_none() => {
                parts.push(Request::set_data(&path, value, node.version));
            }
            (Write::Put { value, session, .. }, node) => {
                parts.extend(node.map(|node| Request::delete(&path, node.version)));
                parts.push(Request::create(&path, value, session.is_some()));
            }
            (Write::Delete { .. }, node) => {
                parts.extend(node.map(|node| Request::delete(&path, node.version)));
            }
        }
    }
}
