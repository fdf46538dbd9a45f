//! Facts in the making.

use crate::{Access, Effects, FunctionName, Reason, TableName, Verb};

/// What is known so far; it only ever gets stricter.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) verb: Verb,
    pub(crate) access: Access,
    pub(crate) reason: Reason,
    pub(crate) effects: Effects,
    pub(crate) tables: Vec<TableName>,
    pub(crate) functions: Vec<FunctionName>,
    pub(crate) schemas: Vec<Option<Box<str>>>,
}

impl Draft {
    /// A read of nothing.
    pub(crate) const fn new(verb: Verb) -> Self {
        Self {
            verb,
            access: Access::Read,
            reason: Reason::PlainRead,
            effects: Effects::NONE,
            tables: Vec::new(),
            functions: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// Makes it at least as strict as this.
    pub(crate) fn raise(&mut self, access: Access, reason: Reason) {
        if access > self.access {
            self.access = access;
            self.reason = reason;
        }
    }

    pub(crate) fn primary(&mut self, reason: Reason) {
        self.raise(Access::PrimaryRead, reason);
    }

    pub(crate) fn write(&mut self, reason: Reason) {
        self.raise(Access::Write, reason);
    }

    pub(crate) fn effect(&mut self, effects: Effects) {
        self.effects |= effects;
    }

    /// What a statement that could not be understood is.
    pub(crate) fn not_understood(&mut self) {
        self.write(Reason::NotUnderstood);
        self.effect(Effects::UNCLEAR);
    }

    /// Adds another statement, or another reading of the same one.
    pub(crate) fn merge(&mut self, other: Self) {
        self.raise(other.access, other.reason);
        self.effects |= other.effects;
        self.tables.extend(other.tables);
        self.functions.extend(other.functions);
        self.schemas.extend(other.schemas);
    }

    /// Every name once, in a stable order.
    pub(crate) fn tidy(&mut self) {
        dedup(&mut self.tables);
        dedup(&mut self.functions);
        dedup(&mut self.schemas);
    }
}

/// Removes repeated names. The order of first mention is kept for short lists, for people to read.
pub(crate) fn dedup<T: Ord + Clone>(list: &mut Vec<T>) {
    if list.len() > 32 {
        list.sort();
        list.dedup();
        return;
    }
    let mut kept: Vec<T> = Vec::with_capacity(list.len());
    for item in list.drain(..) {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    *list = kept;
}
