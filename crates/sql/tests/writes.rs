//! No statement that writes is ever called a read: held against a real server that is read-only.
//!
//! Every statement of the corpus is run by a user without SUPER on a server with `read_only=1`. An error 1290 proves
//! that it writes. What has side effects that `read_only` allows is proved by looking at the session after every
//! statement that was called a read.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of a test: a failure is the test's")]

#[path = "support/client.rs"]
mod client;
#[path = "support/corpus.rs"]
mod corpus;
#[path = "support/random.rs"]
mod random;
#[path = "support/server.rs"]
mod server;

use client::{Client, Outcome};
use random::Random;
use server::Server;
use sql::{Access, Analyser, Facts, Mode};

/// ER_OPTION_PREVENTS_STATEMENT: the server runs with --read-only.
const READ_ONLY: u16 = 1290;

const SCHEMA: &[&str] = &[
    "CREATE DATABASE app",
    "USE app",
    "CREATE TABLE t (a INT AUTO_INCREMENT PRIMARY KEY, b VARCHAR(50), c INT)",
    "CREATE TABLE u LIKE t",
    "INSERT INTO t (b, c) VALUES ('x', 1), ('y', 2), ('z', 3)",
    "INSERT INTO u (b, c) VALUES ('x', 1)",
    "CREATE SEQUENCE s",
    "CREATE VIEW v AS SELECT a, b, c FROM t",
    "CREATE FUNCTION f_read(x TEXT) RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM t)",
    "CREATE FUNCTION f_write(x TEXT) RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO u (b) VALUES ('w'); RETURN 1; END",
    "CREATE FUNCTION `sum`(x TEXT) RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO u (b) VALUES ('w'); RETURN 1; END",
    "CREATE VIEW v_write AS SELECT f_write(1) AS x",
    "CREATE PROCEDURE p_read() SELECT * FROM t",
    "CREATE PROCEDURE p_write() DELETE FROM t",
    "CREATE USER writer@localhost",
    "GRANT ALL ON *.* TO writer@localhost",
    "REVOKE SUPER, READ ONLY ADMIN, SHUTDOWN, FILE, BINLOG ADMIN, CONNECTION ADMIN, RELOAD, SET USER ON *.* FROM writer@localhost",
    "SET GLOBAL log_bin_trust_function_creators = 1",
    "SET GLOBAL read_only = 1",
];

/// One row that shows what a statement left behind in its session.
const PROBE: &str = "SELECT CONCAT_WS('|', IFNULL(@a, ''), IFNULL(@b, ''), IFNULL(@c, ''), IFNULL(IS_USED_LOCK('l'), ''), \
    LAST_INSERT_ID(), IFNULL(LASTVAL(app.s), ''), @@in_transaction, @@autocommit, DATABASE(), @@sql_mode, \
    @@sql_select_limit, @@character_set_client, @@timestamp > 1000)";

/// What the catalogue of a caller knows.
fn is_read(facts: &Facts) -> bool {
    let writes = facts.functions.iter().any(|f| matches!(&*f.name, "f_write" | "sum"))
        || facts.tables.iter().any(|t| &*t.name == "v_write");
    facts.access == Access::Read && !writes
}

struct Judge {
    client: Client,
    analyser: Analyser,
    fresh: Option<String>,
    proved_writes: usize,
    reads: usize,
    good_reads: usize,
}

impl Judge {
    fn new(server: &Server) -> Self {
        let mut root = Client::connect(&server.socket(), "root", "").expect("root logs in");
        for statement in SCHEMA {
            root.run(statement.as_bytes()).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        }
        let mut client = Client::connect(&server.socket(), "writer", "app").expect("the user logs in");
        let fresh = client.run(PROBE.as_bytes()).expect("the probe works");
        Self { client, analyser: Analyser::new(10_000), fresh, proved_writes: 0, reads: 0, good_reads: 0 }
    }

    fn judge(&mut self, text: &[u8], mode: Mode) {
        let shown = String::from_utf8_lossy(text).into_owned();
        let facts = self.analyser.facts(text, mode);
        if mode.ansi_quotes {
            self.client.run(b"SET sql_mode = 'ANSI_QUOTES'").expect("the mode can be set");
        }
        if mode.no_backslash_escapes {
            self.client.run(b"SET sql_mode = 'NO_BACKSLASH_ESCAPES'").expect("the mode can be set");
        }
        let outcome = self.client.run(text);
        self.count(&facts, &outcome, &shown);
        if is_read(&facts) && mode == Mode::default() {
            let after = self.client.run(PROBE.as_bytes()).expect("the probe works");
            assert_eq!(after, self.fresh, "a read changed the session: {shown}");
            if outcome.is_ok() {
                return;
            }
        }
        self.client.reset();
        self.client.run(b"USE app").expect("the schema is there");
    }

    fn count(&mut self, facts: &Facts, outcome: &Outcome, shown: &str) {
        if let Err(error) = outcome
            && error.number == READ_ONLY
        {
            // A multi-statement text stops at its first error, and `--secure-file-priv` shares the number.
            self.proved_writes += usize::from(error.message.contains("read-only"));
            assert!(!is_read(facts), "called a read, but writes: {shown}: {}", error.message);
        }
        if is_read(facts) {
            self.reads += 1;
            self.good_reads += usize::from(outcome.is_ok());
        }
    }
}

#[test]
fn no_statement_that_writes_is_called_a_read() {
    let server = Server::start();
    let mut judge = Judge::new(&server);
    let mut random = Random::new(3);
    let mut texts = corpus::collected();
    for text in &texts {
        for mode in [
            Mode::default(),
            Mode { ansi_quotes: true, ..Mode::default() },
            Mode { no_backslash_escapes: true, ..Mode::default() },
        ] {
            judge.judge(text.as_bytes(), mode);
        }
    }
    for _ in 0..30_000 {
        let text = corpus::statement(&mut random);
        judge.judge(text.as_bytes(), Mode::default());
        if texts.len() < 2000 {
            texts.push(text);
        }
    }
    for _ in 0..10_000 {
        let mut text = texts[random.below(texts.len())].clone().into_bytes();
        for _ in 0..=random.below(3) {
            let other = &texts[random.below(texts.len())];
            random.mutate(&mut text, other.as_bytes());
        }
        judge.judge(&text, Mode::default());
    }
    println!("{} writes proved, {} of {} reads ran", judge.proved_writes, judge.good_reads, judge.reads);
    // Without these numbers the test would prove nothing.
    assert!(judge.proved_writes > 3000, "only {} statements were proved to write", judge.proved_writes);
    assert!(judge.good_reads > 2000, "only {} reads ran", judge.good_reads);
}
