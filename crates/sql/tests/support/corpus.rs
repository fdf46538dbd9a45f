//! Statements: collected ones, one a line, and generated ones over the schema of `schema.sql`.
#![allow(dead_code, reason = "shared by test binaries that use parts of it")]

use super::random::Random;

/// The collected statements.
pub(crate) fn collected() -> Vec<String> {
    include_str!("statements.txt")
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("== "))
        .map(|line| line.replace("\\n", "\n"))
        .collect()
}

/// The collected statements and `count` generated ones.
pub(crate) fn everything(random: &mut Random, count: usize) -> Vec<String> {
    let mut all = collected();
    all.extend((0..count).map(|_| statement(random)));
    all
}

/// One statement, mostly valid.
pub(crate) fn statement(random: &mut Random) -> String {
    let text = match random.below(20) {
        0..=8 => select(random, 3),
        9 => format!(
            "({}) {} ({})",
            select(random, 1),
            random.pick(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]),
            select(random, 1)
        ),
        10 => with(random),
        11 | 12 => insert(random),
        13 => format!(
            "UPDATE {} SET c = {} WHERE a = {}",
            table(random),
            expression(random, 2),
            random.below(5)
        ),
        14 => format!("DELETE FROM {} WHERE {}", table(random), expression(random, 2)),
        15 => wrapped(random),
        16 => show(random),
        17 => set(random),
        18 => ddl(random),
        _ => format!("DO {}", expression(random, 2)),
    };
    decorate(random, text)
}

fn decorate(random: &mut Random, text: String) -> String {
    match random.below(30) {
        0 => format!("/* {} */ {text}", random.pick(&["app=web", "INSERT", "'", "/*"])),
        1 => format!("/*!50000 {text} */"),
        2 => format!("/*!99999 {text} */ SELECT 1"),
        3 => format!("/*M!100100 {text} */"),
        4 => format!("{text};"),
        5 => text.to_ascii_lowercase(),
        6 => format!("{text} -- {}", random.pick(&["x", "'", "FOR UPDATE"])),
        7 => random.dress(&text),
        8 => format!("SELECT 1; {text}"),
        9 => format!("{text}; {}", "SELECT 2"),
        10 => {
            let at = text.find(' ').unwrap_or(0);
            format!("{} /*!50000 {} */", &text[..at], &text[at..])
        }
        _ => text,
    }
}

fn select(random: &mut Random, depth: usize) -> String {
    let mut text = format!(
        "SELECT {}",
        random.pick(&["", "", "", "DISTINCT ", "SQL_NO_CACHE ", "HIGH_PRIORITY ", "SQL_CALC_FOUND_ROWS "])
    );
    let columns = random.below(3) + 1;
    let list: Vec<_> = (0..columns).map(|_| expression(random, depth)).collect();
    text.push_str(&list.join(", "));
    if random.once_in(5) {
        return text;
    }
    text.push_str(&format!(" FROM {}", from(random, depth)));
    if random.once_in(2) {
        text.push_str(&format!(" WHERE {}", expression(random, depth)));
    }
    if random.once_in(6) {
        text.push_str(" GROUP BY 1");
    }
    if random.once_in(8) {
        text.push_str(&format!(" HAVING {}", expression(random, 1)));
    }
    if random.once_in(6) {
        text.push_str(&format!(" ORDER BY {}", expression(random, 1)));
    }
    if random.once_in(5) {
        text.push_str(&format!(" LIMIT {}", random.below(5)));
    }
    if random.once_in(14) {
        text.push_str(random.pick(&[
            " FOR UPDATE",
            " LOCK IN SHARE MODE",
            " FOR UPDATE SKIP LOCKED",
            " FOR UPDATE NOWAIT",
            " INTO @a",
            " INTO @a, @b",
            " INTO OUTFILE '/nonexistent/x'",
            " PROCEDURE ANALYSE()",
            " FOR/**/UPDATE",
            " for update wait 1",
        ]));
    }
    text
}

fn from(random: &mut Random, depth: usize) -> String {
    match random.below(8) {
        0 if depth > 0 => format!("({}) AS d", select(random, depth - 1)),
        1 => format!(
            "{} JOIN {} AS j ON {}",
            table(random),
            table(random),
            random.pick(&["1", "j.a = 1", "TRUE"])
        ),
        2 => format!("{}, {} AS j", table(random), table(random)),
        3 => format!("{} USE INDEX (PRIMARY)", random.pick(&["t", "u"])),
        4 => format!("{} LEFT JOIN ({} AS k) ON TRUE", table(random), table(random)),
        _ => table(random),
    }
}

fn table(random: &mut Random) -> String {
    random.pick(&["t", "u", "`t`", "app.t", "`app`.`u`", "v", "app . t", "t"]).to_owned()
}

fn expression(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.once_in(3) {
        return leaf(random).to_owned();
    }
    let inner = |random: &mut Random| expression(random, depth - 1);
    match random.below(14) {
        0 => format!("{} + {}", inner(random), inner(random)),
        1 => format!("({})", inner(random)),
        2 => format!("{} IN ({}, {})", inner(random), inner(random), inner(random)),
        3 => format!("({})", select(random, depth - 1).replace(" GROUP BY 1", "") + " LIMIT 1"),
        4 => format!("EXISTS ({})", select(random, depth - 1)),
        5 => format!("CASE WHEN {} THEN {} ELSE {} END", inner(random), inner(random), inner(random)),
        6 => format!("IF({}, {}, {})", inner(random), inner(random), inner(random)),
        7 => format!("CONCAT({}, {})", inner(random), inner(random)),
        8 => format!("{} AND NOT {}", inner(random), inner(random)),
        9 => format!("CAST({} AS CHAR(10))", inner(random)),
        10 => format!("COALESCE({}, {})", inner(random), inner(random)),
        11 => format!("{} BETWEEN {} AND {}", inner(random), inner(random), inner(random)),
        12 => format!("f_read({})", inner(random)),
        _ => side_effect(random, depth),
    }
}

fn side_effect(random: &mut Random, depth: usize) -> String {
    let inner = expression(random, depth - 1);
    match random.below(15) {
        0 => format!("f_write({inner})"),
        1 => format!("app . `f_write` ({inner})"),
        2 => format!("@a := {inner}"),
        3 => format!("GET_LOCK('l', {})", random.pick(&["0", "0.0"])),
        4 => "NEXTVAL(s)".to_owned(),
        5 => "NEXT VALUE FOR app.s".to_owned(),
        6 => format!("SETVAL(s, {})", random.below(100)),
        7 => format!("LAST_INSERT_ID({inner})"),
        8 => "`nextval`(s)".to_owned(),
        9 => "NEXT/**/VALUE FOR/* x */`s`".to_owned(),
        10 => "RELEASE_LOCK('l')".to_owned(),
        11 => "{fn f_write(1)}".to_owned(),
        12 => "LASTVAL(s)".to_owned(),
        13 => format!("SUM ({inner})"),
        _ => "F_WRITE (1)".to_owned(),
    }
}

fn leaf(random: &mut Random) -> &'static str {
    random.pick(&[
        "1",
        "a",
        "'x'",
        "NULL",
        "-1.5e3",
        "0x41",
        "b'1'",
        "N'é'",
        "t.a",
        "`a`",
        "\"q\"",
        "'it''s'",
        "'\\''",
        "NOW()",
        "RAND()",
        "UUID()",
        "VERSION()",
        "DATABASE()",
        "@a",
        "@@autocommit",
        "@@version",
        "CONNECTION_ID()",
        "FOUND_ROWS()",
        "CURRENT_USER",
        "COUNT(*)",
        "'/*'",
        "'-- '",
        "1 /* + f_write(1) */",
        "TRUE",
        "CURDATE()",
        "'; DELETE FROM t'",
        "_utf8mb4'ü'",
        "DATE '2020-01-01'",
        "INTERVAL 1 DAY + NOW()",
        "SUBSTRING('abc' FROM 2)",
        "b",
        "c",
        "1",
    ])
}

fn with(random: &mut Random) -> String {
    let body = select(random, 1);
    match random.below(4) {
        0 => format!("WITH w AS ({body}) SELECT * FROM w"),
        1 => format!("WITH RECURSIVE w (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w WHERE n < 3) {body}"),
        2 => format!("WITH w AS (SELECT 1 AS n), x AS ({body}) SELECT n FROM w"),
        _ => format!("WITH w AS (SELECT 1 AS n) (SELECT n FROM w) UNION {body}"),
    }
}

fn insert(random: &mut Random) -> String {
    let verb = random.pick(&["INSERT INTO", "REPLACE INTO", "INSERT", "INSERT IGNORE INTO", "REPLACE"]);
    let table = random.pick(&["t", "app.t", "`u`"]);
    match random.below(5) {
        0 => format!("{verb} {table} (b, c) VALUES ('x', {}), (NULL, 2)", expression(random, 2)),
        1 => format!("{verb} {table} (c) SELECT {}", expression(random, 2)),
        2 => format!("{verb} {table} SET c = {}", expression(random, 1)),
        3 => format!(
            "INSERT INTO {table} (a) VALUES (1) ON DUPLICATE KEY UPDATE c = {}",
            expression(random, 1)
        ),
        _ => format!("{verb} {table} (c) VALUES (1) RETURNING a, {}", expression(random, 1)),
    }
}

fn wrapped(random: &mut Random) -> String {
    let inner = match random.below(4) {
        0 => insert(random),
        1 => "DELETE FROM t WHERE a = 99".to_owned(),
        2 => "UPDATE t SET c = c".to_owned(),
        _ => select(random, 2),
    };
    let prefix = random.pick(&[
        "EXPLAIN",
        "EXPLAIN EXTENDED",
        "EXPLAIN FORMAT=JSON",
        "DESC",
        "DESCRIBE",
        "ANALYZE",
        "ANALYZE FORMAT=JSON",
        "SET STATEMENT max_statement_time=1 FOR",
        "SET STATEMENT sql_mode='' FOR",
        "SET STATEMENT optimizer_switch=DEFAULT FOR",
    ]);
    match random.below(6) {
        0 => format!("PREPARE p FROM '{}'", inner.replace('\\', "\\\\").replace('\'', "''")),
        1 => format!("EXECUTE IMMEDIATE '{}'", inner.replace('\\', "\\\\").replace('\'', "''")),
        2 => format!("BEGIN NOT ATOMIC {inner}; END"),
        3 => format!("IF 1 THEN {inner}; END IF"),
        _ => format!("{prefix} {inner}"),
    }
}

fn show(random: &mut Random) -> String {
    let what = random.pick(&[
        "TABLES",
        "FULL TABLES FROM app",
        "COLUMNS FROM t",
        "INDEX FROM app.t",
        "CREATE TABLE t",
        "DATABASES",
        "TABLE STATUS",
        "VARIABLES",
        "STATUS",
        "TRIGGERS",
        "WARNINGS",
        "PROCESSLIST",
        "CREATE VIEW v",
        "CREATE FUNCTION f_read",
        "COLLATION",
        "CHARACTER SET",
        "KEYS FROM u",
        "FULL FIELDS IN t IN app",
        "GRANTS",
        "EVENTS",
        "OPEN TABLES",
        "FUNCTION STATUS",
    ]);
    match random.below(3) {
        0 => format!("SHOW {what} WHERE {}", expression(random, 2)),
        1 => format!("SHOW {what} LIKE 'a%'"),
        _ => format!("SHOW {what}"),
    }
}

fn set(random: &mut Random) -> String {
    let value = expression(random, 2);
    match random.below(7) {
        0 => format!("SET @a = {value}"),
        1 => format!("SET @a := {value}, @b = 1"),
        2 => format!(
            "SET sql_select_limit = {}",
            random.pick(&["DEFAULT", "10000", "(SELECT 10000)", "f_write(10000)"])
        ),
        3 => "SET NAMES utf8mb4".to_owned(),
        4 => format!("SET SESSION lock_wait_timeout = 1, @c = {value}"),
        5 => "SET GLOBAL sql_mode = DEFAULT".to_owned(),
        _ => "SET autocommit = 1".to_owned(),
    }
}

fn ddl(random: &mut Random) -> String {
    let name = random.pick(&["n1", "n2", "app.n1"]);
    match random.below(16) {
        0 => format!("CREATE TABLE {name} (a INT)"),
        1 => format!("CREATE TABLE IF NOT EXISTS {name} AS {}", select(random, 1)),
        2 => format!("DROP TABLE IF EXISTS {name}"),
        3 => format!("ALTER TABLE t ADD COLUMN {} INT", random.pick(&["x", "y"])),
        4 => "TRUNCATE TABLE t".to_owned(),
        5 => "CREATE INDEX i ON t (c)".to_owned(),
        6 => format!("CREATE OR REPLACE VIEW {name} AS {}", select(random, 1)),
        7 => "RENAME TABLE t TO n9".to_owned(),
        8 => format!("CREATE DATABASE {}", random.pick(&["d1", "d2"])),
        9 => "CREATE SEQUENCE n3".to_owned(),
        10 => "CREATE FUNCTION n4() RETURNS INT DETERMINISTIC RETURN 1".to_owned(),
        11 => "CREATE USER x@localhost".to_owned(),
        12 => "OPTIMIZE TABLE t".to_owned(),
        13 => "ANALYZE TABLE t".to_owned(),
        14 => format!("CREATE TEMPORARY TABLE n8 AS {}", select(random, 1)),
        _ => "CALL p_write()".to_owned(),
    }
}
