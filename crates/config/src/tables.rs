//! The patterns of `[clusters.NAME.tables]`.

/// Which tables a rule is about. Names are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TablePattern {
    /// `orders`: a table of that name in any schema.
    Table(String),
    /// `shop.orders`.
    Exact { schema: String, table: String },
    /// `logs.*`.
    Schema(String),
}

impl TablePattern {
    /// Reads a pattern; `None` where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let name = |part: &str| {
            let plain = !part.is_empty() && !part.contains(['*', '.', '`', ' ']);
            plain.then(|| part.to_lowercase())
        };
        match text.split_once('.') {
            None => name(text).map(Self::Table),
            Some((schema, "*")) => name(schema).map(Self::Schema),
            Some((schema, table)) => Some(Self::Exact { schema: name(schema)?, table: name(table)? }),
        }
    }

    /// Whether it is about a schema that every server has for itself.
    pub fn is_of_the_system(&self) -> bool {
        const SYSTEM: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];
        match self {
            Self::Table(_) => false,
            Self::Exact { schema, .. } | Self::Schema(schema) => SYSTEM.contains(&schema.as_str()),
        }
    }

    /// Whether the rule covers a table. `schema` is the session's current one where the statement names none.
    pub fn covers(&self, schema: Option<&str>, table: &str) -> bool {
        let is_schema = |wanted: &str| schema.is_some_and(|schema| schema.to_lowercase() == wanted);
        match self {
            Self::Table(wanted) => table.to_lowercase() == *wanted,
            Self::Exact { schema, table: wanted } => is_schema(schema) && table.to_lowercase() == *wanted,
            Self::Schema(wanted) => is_schema(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_they_say_and_nothing_else() {
        let covers =
            |pattern: &str, schema, table| TablePattern::parse(pattern).unwrap().covers(schema, table);
        assert!(
            covers("orders_archive", None, "Orders_Archive")
                && covers("orders_archive", Some("x"), "orders_archive")
        );
        assert!(!covers("orders", None, "orders_archive"));
        assert!(covers("logs.*", Some("LOGS"), "any") && !covers("logs.*", None, "any"));
        assert!(
            covers("shop.orders", Some("shop"), "orders") && !covers("shop.orders", Some("other"), "orders")
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "*", "a.", ".b", "a.b.c", "*.b", "a*", "a b"] {
            assert_eq!(TablePattern::parse(text), None, "{text}");
        }
    }
}
