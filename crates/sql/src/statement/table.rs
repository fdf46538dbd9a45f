//! Names in the place of a table.
//!
//! The walk follows the keywords that a table name comes after, one level of parentheses at a time. It reports too
//! much rather than too little. Names of common table expressions are left out, and so are the targets of a multi-table
//! DELETE: those are aliases, or tables that are named once more behind FROM or USING.

use super::local::LocalNames;
use super::{Draft, Words};
use crate::TableName;
use crate::keyword::Keyword as K;
use crate::lex::Kind;

/// What the walk knows of one level of parentheses.
#[derive(Clone, Copy, Default)]
struct Level {
    /// The next name is a table.
    expects: bool,
    /// A comma or JOIN at this level is followed by a table.
    in_list: bool,
    /// Inside of `EXTRACT(… FROM …)` and the like, where FROM is no clause.
    plain_from: bool,
}

/// Adds the tables of `words` to `draft`; returns the places of their names, in order.
pub(super) fn collect(words: Words<'_>, draft: &mut Draft) -> Vec<usize> {
    let mut walk = Walk {
        words,
        levels: Vec::new(),
        level: Level::default(),
        places: Vec::new(),
        local: LocalNames::of(words),
        skip_until: 0,
    };
    let mut at = 0;
    while at < words.len() {
        at = walk.step(at, draft);
    }
    walk.places
}

/// The possibly qualified name at `at`, and the index behind it.
pub(super) fn qualified(words: Words<'_>, at: usize) -> Option<(TableName, usize)> {
    let first = words.name(at)?.into_boxed_str();
    if words.punct(at + 1, b'.')
        && let Some(second) = words.name(at + 2)
    {
        let name = TableName { schema: Some(first), name: second.into_boxed_str() };
        return Some((name, at + 3));
    }
    Some((TableName { schema: None, name: first }, at + 1))
}

struct Walk<'a> {
    words: Words<'a>,
    levels: Vec<Level>,
    level: Level,
    places: Vec<usize>,
    local: LocalNames,
    /// Names in front of this index are no tables.
    skip_until: usize,
}

impl Walk<'_> {
    /// Looks at one token; returns the index to go on at.
    fn step(&mut self, at: usize, draft: &mut Draft) -> usize {
        match self.words.kind(at) {
            Some(Kind::Punct(b'(')) => self.open(at),
            Some(Kind::Punct(b')')) => self.level = self.levels.pop().unwrap_or_default(),
            Some(Kind::Punct(b',')) => self.level.expects = self.level.in_list,
            // `{OJ a LEFT JOIN b}`
            Some(Kind::Punct(b'{')) => return at + 2,
            // MariaDB reads `.t` as a table of the current schema.
            Some(Kind::Punct(b'.')) if self.level.expects => {}
            Some(Kind::Word | Kind::Quoted) => return self.name(at, draft),
            _ => self.level.expects = false,
        }
        at + 1
    }

    fn open(&mut self, at: usize) {
        let inner = Level {
            // `FROM (a, b)`, `FROM (SELECT …)`
            expects: self.level.expects,
            in_list: self.level.expects,
            plain_from: at.checked_sub(1).is_some_and(|before| {
                ["extract", "trim", "substring", "substr", "mid"].iter().any(|f| self.words.says(before, f))
            }),
        };
        self.level.expects = false;
        self.levels.push(self.level);
        self.level = inner;
    }

    fn name(&mut self, at: usize, draft: &mut Draft) -> usize {
        if at < self.skip_until {
            return at + 1;
        }
        if self.is_sequence_call(at) {
            self.level.expects = false;
            if let Some((sequence, next)) = qualified(self.words, at + 2) {
                draft.tables.push(sequence);
                self.places.push(next - 1);
            }
            return at + 1;
        }
        if let Some(keyword) = self.words.keyword(at)
            && self.clause(at, keyword)
        {
            return at + 1;
        }
        if !self.level.expects {
            return at + 1;
        }
        self.level.expects = false;
        // `JSON_TABLE(…)` in the place of a table.
        let is_call = self.words.says(at, "json_table") && self.words.punct(at + 1, b'(');
        if self.words.punct(at + 1, b'.') && self.words.punct(at + 2, b'*') {
            // `GRANT … ON shop.*`
            draft.schemas.push(self.words.name(at).map(String::into_boxed_str));
            return at + 3;
        }
        match qualified(self.words, at) {
            Some((table, next)) if !is_call => {
                if table.schema.is_some() || !self.local.covers(at, &table.name) {
                    draft.tables.push(table);
                }
                self.places.push(next - 1);
                next
            }
            _ => at + 1,
        }
    }

    /// Whether the keyword is part of the statement's skeleton and not a name.
    fn clause(&mut self, at: usize, keyword: K) -> bool {
        match keyword {
            K::From if self.level.plain_from => {}
            K::From => self.start_list(),
            K::Using => return self.using(at),
            K::Into => self.into(at),
            K::Update => return self.update(at),
            K::Table | K::Tables => return self.table(at),
            K::Join => self.expect(),
            K::StraightJoin if self.level.in_list => self.expect(),
            K::View | K::References | K::Sequence => self.expect_name(at),
            K::On => self.on(at),
            K::Like => self.like(at),
            K::For => self.sequence_value(at),
            K::Insert | K::Replace if self.starts_dml(at) => self.start_list(),
            K::Delete if self.starts_dml(at) => self.delete(at),
            K::LowPriority | K::HighPriority | K::Delayed | K::Quick | K::Ignore | K::Lateral => {
                return self.level.expects || !self.level.in_list;
            }
            K::If | K::Exists | K::Not => return true,
            K::Where
            | K::Group
            | K::Having
            | K::Order
            | K::Limit
            | K::Union
            | K::Intersect
            | K::Except
            | K::Select
            | K::Set
            | K::Values
            | K::With
            | K::To => self.end_list(at, keyword),
            K::Dual if self.level.expects => self.level.expects = false,
            _ => return false,
        }
        true
    }

    fn expect(&mut self) {
        self.level.expects = true;
    }

    fn start_list(&mut self) {
        self.level.expects = true;
        self.level.in_list = true;
    }

    fn end_list(&mut self, at: usize, keyword: K) {
        // `RENAME TABLE a TO b, c TO d`
        if keyword == K::To && self.level.in_list && self.words.is(0, K::Rename) {
            self.level.expects = true;
            return;
        }
        // `ALTER TABLE a RENAME TO b`, as opposed to `RENAME COLUMN a TO b`
        self.level.expects = keyword == K::To && self.words.keyword_before(at) == Some(K::Rename);
        self.level.in_list = false;
    }

    /// A keyword that is also a common name: it names a table only where a name follows.
    fn expect_name(&mut self, at: usize) {
        self.level.expects = self.words.is_name(at + 1);
    }

    /// `NEXTVAL(s)`, `LASTVAL(s)`, `SETVAL(s, 1)`.
    fn is_sequence_call(&self, at: usize) -> bool {
        self.words.punct(at + 1, b'(')
            && !self.words.punct_before(at, b'.')
            && ["nextval", "lastval", "setval"].iter().any(|f| self.words.says(at, f))
    }

    /// `DELETE a, b.* FROM …`, `DELETE FROM a, b.* USING …`: what is deleted from is named again where it is read.
    fn delete(&mut self, at: usize) {
        let option = |at| matches!(self.words.keyword(at), Some(K::LowPriority | K::Quick | K::Ignore));
        let first = (at + 1..self.words.len()).find(|at| !option(*at)).unwrap_or(at + 1);
        let is_list = |at: usize| {
            self.words.is_name(at) || [b',', b'.', b'*'].iter().any(|byte| self.words.punct(at, *byte))
        };
        let end = if self.words.is(first, K::From) { K::Using } else { K::From };
        let targets = first + usize::from(end == K::Using);
        let stops = |at: &usize| self.words.is(*at, end) || self.words.is(*at, K::Delete) || !is_list(*at);
        let stop = (targets..self.words.len()).find(stops);
        if let Some(stop) = stop.filter(|stop| self.words.is(*stop, end)) {
            self.skip_until = stop;
        }
        self.start_list();
    }

    /// `DELETE FROM a USING a JOIN b`, as opposed to `JOIN b USING (x)`, `EXECUTE s USING @a`, `CONVERT(x USING utf8)`.
    fn using(&mut self, at: usize) -> bool {
        if self.words.is_name(at + 1) && self.level.in_list {
            self.start_list();
        } else {
            self.level.expects = false;
        }
        true
    }

    fn into(&mut self, at: usize) {
        let file = matches!(self.words.keyword(at + 1), Some(K::Outfile | K::Dumpfile));
        self.level.in_list = false;
        self.level.expects = !file;
    }

    /// The statement `UPDATE a, b SET`, as opposed to `FOR UPDATE`, `ON UPDATE`, `KEY UPDATE`.
    fn update(&mut self, at: usize) -> bool {
        match self.words.keyword_before(at) {
            Some(K::For | K::On | K::Key) => self.level.expects = false,
            _ => self.start_list(),
        }
        true
    }

    fn table(&mut self, at: usize) -> bool {
        if self.level.expects && !self.words.is_name(at + 1) {
            return false;
        }
        if self.words.is_name(at + 1) {
            self.start_list();
        }
        true
    }

    /// `CREATE INDEX i ON t`, `CREATE TRIGGER … ON t`, `GRANT … ON t`; elsewhere a join's condition.
    fn on(&mut self, at: usize) {
        let names_table = matches!(self.words.keyword(0), Some(K::Create | K::Drop | K::Grant | K::Revoke));
        let is_rule = matches!(self.words.keyword(at + 1), Some(K::Delete | K::Update));
        self.level.expects = names_table && !is_rule && !self.level.in_list && self.words.is_name(at + 1);
    }

    /// `CREATE TABLE a LIKE b`.
    fn like(&mut self, at: usize) {
        self.level.expects = self.words.is(0, K::Create) && self.words.is_name(at + 1);
    }

    /// `NEXT VALUE FOR s`.
    fn sequence_value(&mut self, at: usize) {
        self.level.expects = self.words.keyword_before(at) == Some(K::Value) && self.words.is_name(at + 1);
    }

    /// A verb whose table may follow at once: `INSERT t`, `DELETE a, b FROM`.
    fn starts_dml(&self, at: usize) -> bool {
        !self.words.punct(at + 1, b'(')
            && !matches!(self.words.keyword_before(at), Some(K::On | K::Before | K::After))
    }
}
