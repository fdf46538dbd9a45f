//! `hadal explain`

use std::process::ExitCode;

use serde_json::{Value, json};

use super::admin_url::AdminUrl;
use super::output::print;
use super::table::table;

/// Says where the running hadal would send a statement, and why. The statement is not executed.
///
/// The same answer as `EXPLAIN ROUTE <statement>` in a new session.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hadal explain 'SELECT * FROM orders WHERE id = 1'
  hadal explain --user app --database shop 'SELECT stock FROM products FOR UPDATE'
  hadal explain --json 'SELECT GET_LOCK(\"report\", 1)'")]
pub(crate) struct ExplainArgs {
    /// The statement, quoted for the shell
    #[arg(value_name = "SQL")]
    sql: String,

    /// The user who would send it: users can have settings of their own
    #[arg(long)]
    user: Option<String>,

    /// The session's current database
    #[arg(long)]
    database: Option<String>,

    #[command(flatten)]
    url: AdminUrl,

    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let mut question = json!({ "sql": args.sql });
    for (key, value) in [("user", &args.user), ("database", &args.database)] {
        if let Some(value) = value {
            question[key] = json!(value);
        }
    }
    let answer = args.url.post("/api/v1/explain", &question)?;
    if args.json {
        print(&format!("{answer:#}"))?;
    } else {
        print(&text(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What people look for first; whatever else the answer holds follows.
const FIRST: &[&str] = &["cluster", "server", "role", "why"];

/// One line per fact; lists line by line.
fn text(answer: &Value) -> String {
    let mut rows = Vec::new();
    let mut facts: Vec<_> = answer.as_object().into_iter().flatten().collect();
    facts.sort_by_key(|(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    for (key, value) in facts {
        let key = key.replace('_', " ");
        match value {
            Value::Null => {}
            Value::Array(values) => {
                let names = std::iter::once(key).chain(std::iter::repeat(String::new()));
                rows.extend(values.iter().zip(names).map(|(value, name)| vec![name, plain(value)]));
            }
            value => rows.push(vec![key, plain(value)]),
        }
    }
    table(&rows)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_line_by_line_and_what_is_unknown_is_left_out() {
        let answer = json!({ "cluster": "main", "hint": null, "reasons": ["it writes", "it locks"], "to_primary": true });
        assert_eq!(
            text(&answer),
            "cluster     main\nreasons     it writes\n            it locks\nto primary  true"
        );
    }
}
