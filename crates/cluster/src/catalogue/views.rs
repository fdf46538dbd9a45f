//! Which views only the primary may answer: a `SELECT` from a view runs the view's own text.

use std::collections::HashSet;

use topology::RoutineAccess;

use super::Functions;

/// A view and what its text says.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// `schema.name`, lower-case.
    pub(super) name: String,
    /// `None`: the text is not a plain read, is not understood, or is kept from us.
    pub(super) reading: Option<Reading>,
}

/// A text that only reads, as far as these do. Names as `schema.name`, lower-case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Tables and views; also some that are neither.
    pub(super) tables: Vec<String>,
    pub(super) functions: Vec<String>,
}

/// Views whose text may write or depends on the server that answers, by themselves or through views they stand on.
/// A function that is not in the catalogue (a loadable one) may do anything.
pub(super) fn primary_only(views: &[View], functions: &Functions) -> HashSet<String> {
    let harmless = |name: &String| functions.get(name) == Some(&RoutineAccess::DeclaredReadOnly);
    let is_plain = |view: &View| view.reading.as_ref().is_some_and(|r| r.functions.iter().all(harmless));
    let mut found: HashSet<String> = views.iter().filter(|v| !is_plain(v)).map(|v| v.name.clone()).collect();
    // Each round goes one storey up; there are as many rounds as storeys, and one that finds nothing.
    loop {
        let stands_on =
            |v: &View| v.reading.as_ref().is_some_and(|r| r.tables.iter().any(|t| found.contains(t)));
        let next: Vec<_> = views
            .iter()
            .filter(|v| !found.contains(&v.name) && stands_on(v))
            .map(|v| v.name.clone())
            .collect();
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, tables: &[&str], functions: &[&str]) -> View {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        View {
            name: name.to_owned(),
            reading: Some(Reading { tables: owned(tables), functions: owned(functions) }),
        }
    }

    #[test]
    fn views_are_judged_by_their_functions_and_by_what_they_stand_on() {
        let functions = Functions::from([
            ("d.reads".to_owned(), RoutineAccess::DeclaredReadOnly),
            ("d.writes".to_owned(), RoutineAccess::MayWrite),
        ]);
        let views = [
            view("d.plain", &["d.t"], &[]),
            view("d.calls_reads", &["d.t"], &["d.reads"]),
            view("d.third", &["d.second", "d.t"], &[]),
            view("d.second", &["d.calls_writes"], &[]),
            view("d.calls_writes", &["d.t"], &["d.writes"]),
            view("d.calls_unknown", &[], &["d.loadable"]),
            View { name: "d.hidden".to_owned(), reading: None },
            view("d.on_hidden", &["d.hidden"], &[]),
        ];
        let mut found: Vec<_> = primary_only(&views, &functions).into_iter().collect();
        found.sort();
        assert_eq!(
            found,
            ["d.calls_unknown", "d.calls_writes", "d.hidden", "d.on_hidden", "d.second", "d.third"]
        );
    }
}
