//! How keys lie in ZooKeeper: one root, and below it one node for every key, with `:` in its name for every `/`.

use super::client::{Outcome, ask_on, decode};
use super::connection::Connection;
use super::jute::Stat;
use super::request::{NO_NODE, NODE_EXISTS, Request};
use crate::Key;
use crate::store::{Entry, Revision, SessionId, Snapshot, StoreError};

const WHAT: &str = "reading from ZooKeeper";

/// An entry with ZooKeeper's own version of it, which writing needs.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) entry: Entry,
    pub(super) version: i32,
}

/// The root as it was when everything was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) stat: Stat,
    /// Names of all its children, in order.
    pub(super) names: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: String,
}

impl Tree {
    pub(super) fn new(root: &str) -> Result<Self, StoreError> {
        let segments = root.strip_prefix('/').map(|rest| rest.split('/'));
        let is_path = segments.is_some_and(|mut all| all.all(|segment| !segment.is_empty()));
        if !is_path || root.contains(['\0', '\u{fffd}']) {
            return Err(StoreError::Invalid(format!("{root:?} is no path of ZooKeeper's, like /hadal")));
        }
        Ok(Self { root: root.to_owned() })
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) fn path(&self, key: &Key) -> String {
        format!("{}/{}", self.root, key.as_str().replace('/', ":"))
    }

    /// The root's stat, read before the keys, and the keys as they are.
    pub(super) async fn read_keys(
        &self,
        connection: &Connection,
        keys: &[&Key],
    ) -> Result<(Stat, Vec<Option<Node>>), StoreError> {
        loop {
            let mut requests = vec![Request::sync(&self.root), Request::exists(&self.root, false)];
            requests.extend(keys.iter().map(|key| Request::data(&self.path(key))));
            let mut answers = ask_on(connection, WHAT, requests).await?.into_iter().skip(1);
            let Some(Ok(body)) = answers.next() else {
                self.make_root(connection).await?;
                continue;
            };
            let root = decode(&body, |answer| answer.stat())?;
            let nodes = keys.iter().zip(answers).map(|(key, answer)| node(key, answer));
            return Ok((root, nodes.collect::<Result<_, _>>()?));
        }
    }

    async fn make_root(&self, connection: &Connection) -> Result<(), StoreError> {
        let ends = self.root.match_indices('/').map(|(at, _)| at).skip(1).chain([self.root.len()]);
        let paths = ends.filter_map(|end| self.root.get(..end));
        let requests = paths.map(|path| Request::create(path, b"", false)).collect();
        for outcome in ask_on(connection, WHAT, requests).await? {
            if let Err(code) = outcome
                && code != NODE_EXISTS
            {
                return Err(StoreError::uncertain(
                    "making the root in ZooKeeper",
                    &format_args!("error {code}"),
                ));
            }
        }
        Ok(())
    }

    /// Everything below the prefix at one moment: read until nothing has changed in between. `watch` leaves watches on the
    /// root, which fire with the next change.
    pub(super) async fn snapshot(
        &self,
        connection: &Connection,
        prefix: &Key,
        watch: bool,
    ) -> Result<(Snapshot, Root), StoreError> {
        loop {
            if let Some(found) = self.try_snapshot(connection, prefix, watch).await? {
                return Ok(found);
            }
        }
    }

    async fn try_snapshot(
        &self,
        connection: &Connection,
        prefix: &Key,
        watch: bool,
    ) -> Result<Option<(Snapshot, Root)>, StoreError> {
        let first = vec![Request::sync(&self.root), Request::children(&self.root, watch)];
        let Some(Ok(body)) = ask_on(connection, WHAT, first).await?.pop() else {
            self.make_root(connection).await?;
            return Ok(None);
        };
        let (mut names, before) = decode(&body, |answer| Some((answer.texts()?, answer.stat()?)))?;
        names.sort_unstable();
        let keys = names.iter().filter_map(|name| Key::parse(&name.replace(':', "/")));
        let keys: Vec<_> = keys.filter(|key| key.is_below(prefix)).collect();
        let data = keys.iter().map(|key| Request::data(&self.path(key)));
        let requests = data.chain([Request::exists(&self.root, watch)]).collect();
        let mut answers = ask_on(connection, WHAT, requests).await?;
        let Some(Ok(body)) = answers.pop() else { return Ok(None) };
        let after = decode(&body, |answer| answer.stat())?;
        let nodes: Result<Vec<_>, _> =
            keys.iter().zip(answers).map(|(key, answer)| node(key, answer)).collect();
        let mut entries: Vec<_> = nodes?.into_iter().flatten().map(|node| node.entry).collect();
        if before != after || entries.len() != keys.len() {
            return Ok(None);
        }
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let revision = Revision(after.modified.max(after.children_changed).cast_unsigned());
        Ok(Some((Snapshot { revision, entries }, Root { stat: after, names })))
    }
}

/// `None` if the node does not exist.
fn node(key: &Key, answer: Outcome) -> Result<Option<Node>, StoreError> {
    let body = match answer {
        Ok(body) => body,
        Err(NO_NODE) => return Ok(None),
        Err(code) => return Err(StoreError::uncertain(WHAT, &format_args!("error {code}"))),
    };
    let (value, stat) = decode(&body, |answer| Some((answer.bytes()?.to_vec(), answer.stat()?)))?;
    let entry = Entry {
        key: key.clone(),
        value,
        version: Revision(stat.modified.cast_unsigned()),
        session: (stat.owner != 0).then_some(SessionId(stat.owner.cast_unsigned())),
    };
    Ok(Some(Node { entry, version: stat.version }))
}
