//! Which cluster a table lives in: the rules of `[clusters.*.tables]`, of all clusters together.
//!
//! Pure. Names are compared without regard to case. A lookup of names in lower case allocates nothing.

use std::collections::HashMap;

use config::{Config, TablePattern};
use sql::{Effects, Facts, TableName};

use crate::place::ClusterIndex;

type Names = HashMap<String, ClusterIndex>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// `shop.orders`, by schema and table.
    exact: HashMap<String, Names>,
    /// `logs.*`
    schemas: Names,
    /// `orders_archive`
    tables: Names,
}

/// The clusters that a statement cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// It names nothing that lives anywhere.
    Nothing,
    /// One cluster, and a name that lives there.
    One(Lives),
    Several(Lives, Lives),
}

/// A name and its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lives {
    pub(crate) name: String,
    pub(crate) cluster: ClusterIndex,
}

/// From where a statement's names are seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewpoint<'a> {
    /// Where everything is that no rule speaks of.
    pub(crate) home: ClusterIndex,
    /// The session's own schema.
    pub(crate) database: Option<&'a str>,
}

impl Rules {
    pub(crate) fn of(config: &Config, index: impl Fn(&str) -> Option<ClusterIndex>) -> Self {
        let mut rules = Self::default();
        for (text, target) in config.clusters.values().flat_map(|cluster| &cluster.tables) {
            let (Some(pattern), Some(cluster)) = (TablePattern::parse(text), index(target)) else { continue };
            match pattern {
                TablePattern::Table(table) => rules.tables.insert(table, cluster),
                TablePattern::Schema(schema) => rules.schemas.insert(schema, cluster),
                TablePattern::Exact { schema, table } => {
                    rules.exact.entry(schema).or_default().insert(table, cluster)
                }
            };
        }
        rules
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.schemas.is_empty() && self.tables.is_empty()
    }

    /// The cluster of a schema as a whole, where a rule names one.
    pub(crate) fn schema(&self, schema: &str) -> Option<ClusterIndex> {
        find(&self.schemas, schema).copied()
    }

    /// The cluster of a table, where a rule names one: the most specific rule counts.
    pub(crate) fn table(&self, schema: Option<&str>, table: &str) -> Option<ClusterIndex> {
        let exact =
            || schema.and_then(|schema| find(&self.exact, schema)).and_then(|t| find(t, table)).copied();
        exact().or_else(|| self.schema(schema?)).or_else(|| find(&self.tables, table).copied())
    }

    /// What a statement needs.
    pub(crate) fn needs(&self, facts: &Facts, from: Viewpoint<'_>) -> Needs {
        let mut first: Option<(Named<'_>, ClusterIndex)> = None;
        for (named, cluster) in self.all(facts, from) {
            match &first {
                None => first = Some((named, cluster)),
                Some((_, same)) if *same == cluster => {}
                Some((one, at)) => {
                    let lives = |named: &Named<'_>, cluster| Lives { name: named.to_string(), cluster };
                    return Needs::Several(lives(one, *at), lives(&named, cluster));
                }
            }
        }
        match first {
            Some((named, cluster)) => Needs::One(Lives { name: named.to_string(), cluster }),
            None => Needs::Nothing,
        }
    }

    /// Everything named that lives somewhere, and where. What every server has for itself lives nowhere.
    fn all<'a>(
        &'a self,
        facts: &'a Facts,
        from: Viewpoint<'a>,
    ) -> impl Iterator<Item = (Named<'a>, ClusterIndex)> {
        let tables = facts.tables.iter().filter_map(move |table| {
            let schema = table.schema.as_deref().or(from.database);
            let cluster = self.table(schema, &table.name).unwrap_or(from.home);
            (!schema.is_some_and(is_of_the_system)).then_some((Named::Table(table), cluster))
        });
        let schemas = facts.schemas.iter().filter_map(move |schema| {
            let (named, schema) = match schema {
                Some(schema) => (Named::Schema(schema), Some(&**schema)),
                None => (Named::OwnSchema, from.database),
            };
            let cluster = schema.and_then(|schema| self.schema(schema)).unwrap_or(from.home);
            (!schema.is_some_and(is_of_the_system)).then_some((named, cluster))
        });
        // An unqualified function, or one in a schema without a rule, may be there as well as here: a server tells.
        let functions = facts.functions.iter().filter_map(move |function| {
            let schema = function.schema.as_deref()?;
            Some((Named::Schema(schema), self.schema(schema)?))
        });
        tables.chain(schemas).chain(functions)
    }

    /// A name of the rules that stands somewhere in `text`, quoted or not, and does not live in `cluster`.
    pub(crate) fn mentioned_beside(&self, text: &[u8], cluster: ClusterIndex) -> Option<&str> {
        let text = String::from_utf8_lossy(text).to_lowercase();
        let tables = self.exact.values().flatten().chain(&self.tables);
        let mut elsewhere = tables.chain(&self.schemas).filter(|(_, there)| **there != cluster);
        elsewhere.find(|(name, _)| mentions(&text, name)).map(|(name, _)| name.as_str())
    }
}

/// A statement's name, for messages.
enum Named<'a> {
    Table(&'a TableName),
    Schema(&'a str),
    OwnSchema,
}

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Named::Table(TableName { schema: Some(schema), name }) => write!(f, "{schema}.{name}"),
            Named::Table(TableName { schema: None, name }) => f.write_str(name),
            Named::Schema(schema) => write!(f, "schema {schema}"),
            Named::OwnSchema => f.write_str("the session's own schema"),
        }
    }
}

fn find<'a, T>(names: &'a HashMap<String, T>, name: &str) -> Option<&'a T> {
    if names.is_empty() {
        return None;
    }
    let lower = name.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
    if lower { names.get(name) } else { names.get(&name.to_lowercase()) }
}

/// Whether a statement may name more than its facts tell: it runs a text that is in a literal or a variable, or it was
/// not understood.
pub(crate) fn hides(facts: &Facts) -> bool {
    facts.effects.intersects(Effects::UNCLEAR | Effects::TEXT_PREPARE | Effects::UNKNOWN)
}

/// Whether every server has a schema of that name for itself.
pub(crate) fn is_of_the_system(schema: &str) -> bool {
    ["information_schema", "performance_schema", "mysql", "sys"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(schema))
}

/// Whether the name stands in the text as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: ClusterIndex = ClusterIndex(0);
    const ARCHIVE: ClusterIndex = ClusterIndex(1);
    const LOGS: ClusterIndex = ClusterIndex(2);

    const CONFIG: &str = r#"
        [clusters.main]
        servers = ["127.0.0.1:1"]
        admin_user = "a"
        admin_password = "b"
        [clusters.main.tables]
        orders_archive = "archive"
        "logs.*" = "logs"
        "logs.Kept" = "main2"
        "shop.old" = "archive"
        [clusters.archive]
        servers = ["127.0.0.1:2"]
        admin_user = "a"
        admin_password = "b"
        [clusters.logs]
        servers = ["127.0.0.1:3"]
        admin_user = "a"
        admin_password = "b"
        [clusters.main2]
        servers = ["127.0.0.1:4"]
        admin_user = "a"
        admin_password = "b"
    "#;

    fn rules() -> Rules {
        let config = Config::parse(CONFIG, "f").unwrap();
        let names = ["main", "archive", "logs", "main2"];
        Rules::of(&config, |name| names.iter().position(|n| *n == name).map(|i| ClusterIndex(i as u16)))
    }

    fn needs(text: &str, database: Option<&str>) -> Needs {
        let facts = sql::analyse(text.as_bytes(), sql::Mode::default());
        rules().needs(&facts, Viewpoint { home: HOME, database })
    }

    #[test]
    fn the_most_specific_rule_counts() {
        let rules = rules();
        for (schema, table, expected) in [
            (Some("shop"), "orders", None),
            (Some("shop"), "ORDERS_archive", Some(ARCHIVE)),
            (None, "orders_archive", Some(ARCHIVE)),
            (Some("logs"), "orders_archive", Some(LOGS)),
            (Some("LOGS"), "kept", Some(ClusterIndex(3))),
            (Some("shop"), "old", Some(ARCHIVE)),
            (Some("other"), "old", None),
            (None, "old", None),
        ] {
            assert_eq!(rules.table(schema, table), expected, "{schema:?}.{table}");
        }
    }

    #[test]
    fn a_statement_needs_the_clusters_of_what_it_names() {
        let one = |text, database| match needs(text, database) {
            Needs::One(lives) => Some(lives.cluster),
            Needs::Nothing => None,
            several @ Needs::Several(..) => panic!("{text}: {several:?}"),
        };
        for (text, database, expected) in [
            ("SELECT 1", None, None),
            ("SELECT * FROM orders", Some("shop"), Some(HOME)),
            ("SELECT * FROM events", Some("logs"), Some(LOGS)),
            ("SELECT * FROM shop.orders", Some("logs"), Some(HOME)),
            ("WITH x AS (SELECT * FROM orders_archive) SELECT * FROM x", Some("shop"), Some(ARCHIVE)),
            ("DELETE o FROM orders_archive AS o JOIN old USING (id)", Some("shop"), Some(ARCHIVE)),
            ("SELECT table_name FROM information_schema.tables", Some("shop"), None),
            ("SELECT 1 FROM orders_archive JOIN mysql.user", Some("shop"), Some(ARCHIVE)),
            ("SHOW TABLES FROM logs", Some("shop"), Some(LOGS)),
            ("CREATE TABLE orders_archive (id INT)", Some("shop"), Some(ARCHIVE)),
            ("CALL logs.rotate()", Some("shop"), Some(LOGS)),
            ("SELECT logs.f(1)", Some("shop"), Some(LOGS)),
        ] {
            assert_eq!(one(text, database), expected, "{text}");
        }
    }

    #[test]
    fn what_needs_two_clusters_says_which() {
        let lives = |name: &str, cluster| Lives { name: name.into(), cluster };
        assert_eq!(
            needs("SELECT * FROM orders JOIN shop.Old", Some("shop")),
            Needs::Several(lives("orders", HOME), lives("shop.Old", ARCHIVE))
        );
        for text in [
            "INSERT INTO orders_archive SELECT * FROM orders",
            "UPDATE orders, orders_archive SET x = 1",
            "RENAME TABLE orders TO logs.orders",
            "SELECT * FROM orders; SELECT * FROM orders_archive",
            "CREATE PROCEDURE p() SELECT * FROM orders_archive",
            "LOCK TABLES orders READ, orders_archive WRITE",
            "SELECT (SELECT MAX(id) FROM orders_archive) FROM orders",
        ] {
            assert!(matches!(needs(text, Some("shop")), Needs::Several(..)), "{text}");
        }
    }

    #[test]
    fn a_name_is_mentioned_only_as_a_word() {
        let mentioned = |text: &str| rules().mentioned_beside(text.as_bytes(), HOME).map(str::to_owned);
        assert_eq!(
            mentioned("PREPARE s FROM 'SELECT * FROM `Orders_Archive`'").as_deref(),
            Some("orders_archive")
        );
        assert_eq!(mentioned("PREPARE s FROM 'SELECT * FROM my_orders_archive, orders_archive2'"), None);
        assert_eq!(rules().mentioned_beside(b"orders_archive", ARCHIVE), None);
    }
}
