//! What `SET GLOBAL` has changed through this gateway, for the sessions that were there before.
//!
//! On a server a session keeps the values that it began with. Through hadal it may get a connection that was opened
//! later, with other defaults: it is then given the values of its beginning.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::place::ClusterIndex;

/// Session variables that begin with the global value and that every user may set, as far as they change what a
/// statement means or does. The others (buffer sizes, what needs a privilege) follow the connection.
pub(crate) const FOLLOWED: &[&str] = &[
    "auto_increment_increment",
    "auto_increment_offset",
    "autocommit",
    "check_constraint_checks",
    "collation_server",
    "default_storage_engine",
    "default_week_format",
    "div_precision_increment",
    "explicit_defaults_for_timestamp",
    "group_concat_max_len",
    "innodb_lock_wait_timeout",
    "innodb_strict_mode",
    "lc_messages",
    "lc_time_names",
    "lock_wait_timeout",
    "low_priority_updates",
    "max_statement_time",
    "old_mode",
    "optimizer_switch",
    "sql_mode",
    "sql_safe_updates",
    "sql_select_limit",
    "time_zone",
    "tx_isolation",
    "tx_read_only",
    "updatable_views_with_limit",
];

/// The values of [`FOLLOWED`] variables, by name.
pub(crate) type Values = std::collections::HashMap<String, Vec<u8>>;

#[derive(Debug)]
struct Change {
    number: u64,
    cluster: ClusterIndex,
    name: String,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// See the module. Bounded: a session that has slept through more changes than are kept gets the kept ones.
#[derive(Debug, Default)]
pub(crate) struct GlobalChanges {
    count: AtomicU64,
    kept: Mutex<VecDeque<Change>>,
}

impl GlobalChanges {
    const KEPT: usize = 1024;

    /// How many changes there have been: a session notes this where it begins.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Takes the variables that differ between two readings.
    pub(crate) fn record(&self, cluster: ClusterIndex, before: Values, after: &Values) {
        let mut kept = self.lock();
        for (name, old) in before {
            let Some(new) = after.get(&name).filter(|new| **new != old) else { continue };
            let number = self.count.load(Ordering::Relaxed) + 1;
            kept.push_back(Change { number, cluster, name, old, new: new.clone() });
            self.count.store(number, Ordering::Release);
        }
        let excess = kept.len().saturating_sub(Self::KEPT);
        kept.drain(..excess);
    }

    /// The first old value of every variable that has changed since, and the count to go on from.
    pub(crate) fn since(&self, cluster: ClusterIndex, seen: u64) -> (Values, u64) {
        let kept = self.lock();
        let mut values = Values::new();
        for change in kept.iter().filter(|c| c.number > seen && c.cluster == cluster) {
            values.entry(change.name.clone()).or_insert_with(|| change.old.clone());
        }
        (values, self.count())
    }

    /// The value of a variable where the last `reading` of the servers may be older than the last change.
    pub(crate) fn newest(&self, cluster: ClusterIndex, name: &str, reading: &str) -> Option<String> {
        if self.count() == 0 {
            return None;
        }
        let kept = self.lock();
        let last = kept.iter().rev().find(|c| c.cluster == cluster && c.name == name)?;
        (last.old == reading.as_bytes()).then(|| String::from_utf8_lossy(&last.new).into_owned())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: ClusterIndex = ClusterIndex(0);

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_session_keeps_the_value_of_its_beginning() {
        let changes = GlobalChanges::default();
        changes.record(
            HERE,
            values(&[("sql_mode", "a"), ("time_zone", "x")]),
            &values(&[("sql_mode", "b"), ("time_zone", "x")]),
        );
        let middle = changes.count();
        changes.record(HERE, values(&[("sql_mode", "b")]), &values(&[("sql_mode", "c")]));
        assert_eq!(changes.since(HERE, 0), (values(&[("sql_mode", "a")]), 2));
        assert_eq!(changes.since(HERE, middle), (values(&[("sql_mode", "b")]), 2));
        assert_eq!(changes.since(HERE, 2), (Values::new(), 2));
        assert_eq!(changes.since(ClusterIndex(1), 0), (Values::new(), 2));
    }

    #[test]
    fn an_old_reading_is_known_for_one() {
        let changes = GlobalChanges::default();
        assert_eq!(changes.newest(HERE, "sql_mode", "a"), None);
        changes.record(HERE, values(&[("sql_mode", "a")]), &values(&[("sql_mode", "b")]));
        assert_eq!(changes.newest(HERE, "sql_mode", "a").as_deref(), Some("b"));
        assert_eq!(changes.newest(HERE, "sql_mode", "b"), None);
        assert_eq!(changes.newest(HERE, "sql_mode", "c"), None, "somebody has set it on the server since");
    }
}
