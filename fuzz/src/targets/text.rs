//! Statements as inputs: the first byte chooses how they are read, the rest is the text.

use anyhow::Result;
use sql::Mode;

/// Mode and text of an input.
pub(super) fn of(input: &[u8]) -> Option<(Mode, &[u8])> {
    let (&choice, text) = input.split_first()?;
    let mode = Mode {
        ansi_quotes: choice & 1 != 0,
        no_backslash_escapes: choice & 2 != 0,
        multibyte_unsafe: choice & 4 != 0,
    };
    Some((mode, text))
}

/// Forms that the collected statements of `crates/sql` have too few of.
const MORE: &[&str] = &[
    "SET @@sql_mode='a', @@`time_zone` := 'x', @@autocommit=0",
    "SET SESSION a=1, @b=(SELECT 1, 2), GLOBAL c=DEFAULT",
    "SET NAMES 'utf8mb4' COLLATE utf8mb4_bin",
    "SET CHARACTER SET DEFAULT",
    "SELECT CONNECTION_ID(), `connection_id`(), a.connection_id() FROM information_schema.processlist AS p",
    "SELECT information_schema.processlist.id FROM INFORMATION_SCHEMA . `PROCESSLIST` x, information_schema.processlist",
    "KILL HARD QUERY ID 17",
    "KILL USER 'a'@'b'",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "SHOW HADAL SESSIONS",
    "EXPLAIN ROUTE SELECT 1",
    "USE `shop`",
    "EXECUTE IMMEDIATE 'SELECT 1'",
    "DEALLOCATE PREPARE `x`",
    "/* hadal: to=db:3306, consistency=eventual */ SELECT 1",
    "/*!40101 SET @@a=1 */",
    "SELECT 1 /*!50701 , 2 /* 3 */ */ -- end\n, 4 # end",
    "SELECT 'it''s', \"it\\\"s\", `a``b`, N'n', x'00', b'01', 0x1f, 1e5, 1e, .5, a.1e5, \\N, ?, @'v', @`v`, -1 - -1",
    // What mutations put into other texts.
    "/*!",
    "/*M!",
    "*/",
    "/*",
    "-- ",
    "--",
    "#",
    "'",
    "\"",
    "`",
    "\\",
    "@@",
    "@",
    ";",
    "\0",
    "N'",
    "x'",
    "\u{e9}",
    "\n",
    "(",
    ")",
    ",",
    ":=",
    " AS ",
    " 17 ",
    "session.",
    "CONNECTION_ID()",
    "information_schema.processlist",
];

pub(super) fn seeds() -> Result<Vec<Vec<u8>>> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/sql/tests/support/statements.txt");
    let collected = std::fs::read_to_string(file)?;
    let collected =
        collected.lines().filter(|line| !line.starts_with("==")).map(|line| line.replace("\\n", "\n"));
    let texts = collected.chain(MORE.iter().map(|text| (*text).to_owned()));
    Ok(texts.enumerate().map(|(n, text)| [&[n as u8 % 8][..], text.as_bytes()].concat()).collect())
}
