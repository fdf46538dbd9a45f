//! Functions and triggers that may leave something on the connection of whoever runs them, without a tracker that tells:
//! by `SET @@name`, by a named lock, or beside rows (`INSERT … RETURNING`). All tried on MariaDB 10.11.

use std::collections::{HashMap, HashSet};

use mysql_client::Rows;
use sql::leaves_session_state;
use topology::VariableKind;

/// Changes with every trigger.
pub(super) const FINGERPRINT: &str = "SELECT CONCAT_WS('-', COUNT(*), SUM(CRC32(CONCAT_WS(CHAR(0), TRIGGER_SCHEMA, \
                                      TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT)))) AS f FROM \
                                      information_schema.TRIGGERS WHERE TRIGGER_SCHEMA <> 'sys'";

pub(super) const TRIGGERS: &str = "SELECT EVENT_OBJECT_TABLE AS n, LOWER(ACTION_STATEMENT) AS body FROM \
                                   information_schema.TRIGGERS WHERE TRIGGER_SCHEMA <> 'sys'";

/// Names without schema, in lower case.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    pub(super) functions: HashSet<String>,
    /// Tables with such triggers, and views over them.
    pub(super) tables: HashSet<String>,
    /// Something mentions `LAST_INSERT_ID()`, `@@last_insert_id` or `@@identity`.
    pub(super) reads_insert_id: bool,
}

/// What a body of text belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Function,
    /// The table that a trigger is on.
    Table,
    View,
}

struct Body {
    owner: Owner,
    name: String,
    text: String,
}

/// Whatever may leave something by itself, or mentions the name of something that does: too many rather than too few.
pub(super) fn names(
    functions: &Rows,
    triggers: &Rows,
    views: &Rows,
    variables: &HashMap<String, VariableKind>,
) -> Leaving {
    let mut bodies = Vec::new();
    for (rows, owner, text) in
        [(functions, Owner::Function, "body"), (triggers, Owner::Table, "body"), (views, Owner::View, "d")]
    {
        let name = if owner == Owner::Function { "name" } else { "n" };
        bodies.extend((0..rows.len()).map(|row| Body {
            owner,
            name: rows.get(row, name).unwrap_or_default().to_lowercase(),
            text: rows.get(row, text).unwrap_or("CALL").to_lowercase(),
        }));
    }
    closure(bodies, |text| leaves_session_state(text.as_bytes(), |name| variables.contains_key(name)))
}

fn closure(mut bodies: Vec<Body>, touches_session: impl Fn(&str) -> bool) -> Leaving {
    let mut leaving = Leaving::default();
    let reads = |body: &Body| body.text.contains("last_insert_id") || body.text.contains("@identity");
    leaving.reads_insert_id = bodies.iter().any(reads);
    let mut known: Vec<String> = Vec::new();
    loop {
        let leaves = |body: &Body| {
            // A view cannot name variables; what it calls is looked at when it is read.
            (body.owner != Owner::View && touches_session(&body.text))
                || known.iter().any(|name| body.text.contains(name.as_str()))
        };
        let (found, rest): (Vec<Body>, Vec<Body>) = bodies.into_iter().partition(leaves);
        if found.is_empty() {
            return leaving;
        }
        for body in found {
            known.push(body.name.clone());
            let names =
                if body.owner == Owner::Function { &mut leaving.functions } else { &mut leaving.tables };
            names.insert(body.name);
        }
        bodies = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_runs_something_that_leaves_leaves_it_too() {
        let body = |owner, name: &str, text: &str| Body { owner, name: name.into(), text: text.into() };
        let bodies = vec![
            body(Owner::Table, "plain", "set new.a = 1"),
            body(Owner::Table, "sets", "set new.a = 1; set @@sql_mode = ''"),
            body(Owner::Table, "calls", "set new.a = takes()"),
            body(Owner::Table, "far", "delete from fires"),
            body(Owner::Table, "fires", "insert into sets values (1)"),
            body(Owner::View, "over", "select a from sets"),
            body(Owner::View, "beside", "select a from plain"),
            body(Owner::Function, "takes", "return get_lock('x', 0)"),
            body(Owner::Function, "writes", "begin insert into far values (1); return 1; end"),
            body(Owner::Function, "counts", "return (select count(*) from plain)"),
        ];
        let leaving = closure(bodies, |text| text.contains("@@") || text.contains("_lock"));
        assert_eq!(leaving.functions, HashSet::from(["takes", "writes"].map(str::to_owned)));
        let expected = ["sets", "calls", "far", "fires", "over"].map(str::to_owned);
        assert_eq!(leaving.tables, HashSet::from(expected));
    }
}
