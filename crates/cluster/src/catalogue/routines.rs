//! What stored functions do in truth: what they declare is a promise that no server checks.

use std::collections::HashSet;

use mysql_client::Rows;

/// The bodies of all functions, in lower case.
pub(super) struct Bodies<'a>(Vec<(String, &'a str)>);

impl<'a> Bodies<'a> {
    /// Of the rows with `name` and `body`; a body that is kept from us may do anything.
    pub(super) fn new(rows: &'a Rows) -> Self {
        let body =
            |row| Some((rows.get(row, "name")?.to_lowercase(), rows.get(row, "body").unwrap_or("update")));
        Self((0..rows.len()).filter_map(body).collect())
    }

    /// Functions that write, lock what they read, or ask for what is on their connection, whatever they declare: by
    /// themselves, or through functions that they call. By the words of their text: too many rather than too few.
    pub(super) fn for_the_primary(&self) -> HashSet<String> {
        let does = |body: &str| {
            body.contains("replace into") || words(body).any(|word| PRIMARY_ONLY.contains(&word))
        };
        let mut found: HashSet<String> =
            self.0.iter().filter(|(_, body)| does(body)).map(|(name, _)| name.clone()).collect();
        loop {
            let odd: Vec<&String> = found.iter().filter(|name| words(name).next() != Some(name)).collect();
            let calls_one = |body: &str| {
                words(body).any(|word| found.contains(word)) || odd.iter().any(|name| body.contains(*name))
            };
            let more: Vec<String> = self
                .0
                .iter()
                .filter(|(name, body)| !found.contains(name) && calls_one(body))
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }
}

/// `FOR UPDATE` and `LOCK IN SHARE MODE` are here, too.
const PRIMARY_ONLY: &[&str] = &[
    "delete",
    "found_rows",
    "insert",
    "last_insert_id",
    "outfile",
    "row_count",
    "share",
    "truncate",
    "update",
];

fn words(body: &str) -> impl Iterator<Item = &str> {
    body.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_tell_what_declarations_hide() {
        let bodies = [
            ("plain", "begin declare v int; select max(inserted) into v from updates; return v; end"),
            ("replaces", "return replace(a, 'insert', 'x')"),
            ("cleans", "return replace(a, 'x', 'y')"),
            ("asks", "return last_insert_id()"),
            ("writes", "begin insert into log values (1); return 1; end"),
            ("locks", "return (select a from t for update)"),
            ("nested", "return writes() + 1"),
            ("an odd name", "return `nested`()"),
            ("calls_odd", "return `an odd name`()"),
            ("other", "return 'nested_' = 'unnested'"),
        ];
        let bodies = Bodies(bodies.map(|(name, body)| (name.to_owned(), body)).to_vec());
        let mut found: Vec<_> = bodies.for_the_primary().into_iter().collect();
        found.sort();
        assert_eq!(found, ["an odd name", "asks", "calls_odd", "locks", "nested", "replaces", "writes"]);
    }
}
