//! The statements that bring a connection from one state into another.

use std::sync::Arc;

use topology::{Catalogue, VariableKind};

use super::StateSet;

/// What must be sent, in this order, before the connection is in the wanted state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// A complete `SET …` statement.
    pub(crate) set: Option<Vec<u8>>,
    /// A database to change to.
    pub(crate) database: Option<Arc<[u8]>>,
}

/// `None` where it cannot be done: a connection that has a database cannot be without one again.
pub(crate) fn difference(from: &StateSet, to: &StateSet, catalogue: &Catalogue) -> Option<Difference> {
    let mut set = SetStatement::default();
    for name in from.variables.keys() {
        if !to.variables.contains_key(name) {
            set.assign(name, b"DEFAULT");
        }
    }
    for (name, value) in &to.variables {
        if from.variables.get(name) != Some(value) {
            set.assign_value(name, value, catalogue);
        }
    }
    if from.charset != to.charset {
        if let (Some(results), Some(collation)) = (&to.charset.results, &to.charset.results_collation) {
            set.names(results.as_bytes(), collation.as_bytes());
        }
        set.assign_text("character_set_client", to.charset.client.as_bytes());
        match &to.charset.results {
            Some(_) if to.charset.results_collation.is_some() => {}
            Some(results) => set.assign_text("character_set_results", results.as_bytes()),
            None => set.assign("character_set_results", b"NULL"),
        }
        set.assign_text("collation_connection", to.charset.collation.as_bytes());
    }
    let database = match (&from.database, &to.database) {
        (Some(_), None) => return None,
        (from, to) if from == to => None,
        (_, to) => to.clone(),
    };
    Some(Difference { set: set.finish(), database })
}

#[derive(Default)]
struct SetStatement(Vec<u8>);

impl SetStatement {
    fn assign(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(if self.0.is_empty() { b"SET " } else { b", " });
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        self.0.extend_from_slice(value);
    }

    fn names(&mut self, charset: &[u8], collation: &[u8]) {
        self.0.extend_from_slice(if self.0.is_empty() { b"SET " } else { b", " });
        self.0.extend_from_slice(b"NAMES ");
        self.0.extend_from_slice(&quoted(charset));
        self.0.extend_from_slice(b" COLLATE ");
        self.0.extend_from_slice(&quoted(collation));
    }

    fn assign_text(&mut self, name: &str, value: &[u8]) {
        self.assign(name, &quoted(value));
    }

    fn assign_value(&mut self, name: &str, value: &[u8], catalogue: &Catalogue) {
        let number = catalogue.variables.get(name) == Some(&VariableKind::Number) && is_number(value);
        if number {
            self.assign(name, value);
        } else {
            self.assign_text(name, value);
        }
    }

    fn finish(self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

fn is_number(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'))
}

/// A string literal that reads the same under every `sql_mode` and character set of the connection: plain where the
/// text is harmless, hexadecimal otherwise.
fn quoted(value: &[u8]) -> Vec<u8> {
    let harmless = value.iter().all(|b| (0x20..0x7f).contains(b) && !matches!(b, b'\'' | b'\\'));
    let mut out = Vec::with_capacity(value.len() + 3);
    if harmless {
        out.push(b'\'');
        out.extend_from_slice(value);
    } else {
        out.extend_from_slice(b"x'");
        for byte in value {
            out.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
    }
    out.push(b'\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let mut c = Catalogue::default();
        c.variables.insert("sql_select_limit".into(), VariableKind::Number);
        c.variables.insert("sql_mode".into(), VariableKind::Text);
        c
    }

    fn state(vars: &[(&str, &str)], db: Option<&str>) -> StateSet {
        let mut s = StateSet::of_new_connection();
        for (name, value) in vars {
            s.set_variable(name, value.as_bytes());
        }
        s.database = db.map(|d| Arc::from(d.as_bytes()));
        s
    }

    fn sql(from: &StateSet, to: &StateSet) -> Option<String> {
        difference(from, to, &catalogue()).unwrap().set.map(|s| String::from_utf8(s).unwrap())
    }

    #[test]
    fn only_what_differs_is_sent() {
        let plain = state(&[], None);
        let set =
            state(&[("sql_select_limit", "10"), ("sql_mode", "ANSI"), ("time_zone", "+01:00")], Some("app"));
        assert_eq!(sql(&plain, &plain), None);
        assert_eq!(sql(&set, &set), None);
        assert_eq!(
            sql(&plain, &set).unwrap(),
            "SET sql_mode='ANSI', sql_select_limit=10, time_zone='+01:00'"
        );
        assert_eq!(difference(&plain, &set, &catalogue()).unwrap().database.as_deref(), Some(&b"app"[..]));
        let other = state(&[("sql_select_limit", "10"), ("sql_mode", "")], Some("app"));
        assert_eq!(sql(&set, &other).unwrap(), "SET time_zone=DEFAULT, sql_mode=''");
    }

    #[test]
    fn a_database_cannot_be_left() {
        assert_eq!(difference(&state(&[], Some("a")), &state(&[], None), &catalogue()), None);
    }

    #[test]
    fn character_sets_keep_their_collation_and_null() {
        let mut to = state(&[], None);
        to.set_variable("character_set_results", b"");
        to.set_variable("collation_connection", b"utf8mb4_bin");
        assert_eq!(
            sql(&state(&[], None), &to).unwrap(),
            "SET character_set_client='utf8mb4', character_set_results=NULL, collation_connection='utf8mb4_bin'"
        );
    }

    #[test]
    fn the_collation_of_results_is_named_as_it_was() {
        let mut to = state(&[], None);
        to.charset.results_collation = Some("utf8mb4_bin".into());
        assert_eq!(
            sql(&state(&[], None), &to).unwrap(),
            "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin', character_set_client='utf8mb4', \
             collation_connection='utf8mb4_general_ci'"
        );
        assert_eq!(sql(&to, &to), None);
    }

    #[test]
    fn hostile_values_cannot_leave_their_quotes() {
        assert_eq!(quoted(b"it's"), b"x'69742773'");
        assert_eq!(quoted(b"a\\"), b"x'615c'");
    }
}
