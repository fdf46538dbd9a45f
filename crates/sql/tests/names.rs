//! Tables of statements: the tables and functions that they name, and how they are shown.

use sql::{Mode, analyse};

fn tables(text: &str) -> Vec<String> {
    let facts = analyse(text.as_bytes(), Mode::default());
    let name = |t: &sql::TableName| match &t.schema {
        Some(schema) => format!("{schema}.{}", t.name),
        None => t.name.to_string(),
    };
    facts.tables.iter().map(name).collect()
}

fn functions(text: &str) -> Vec<String> {
    let facts = analyse(text.as_bytes(), Mode::default());
    let name = |f: &sql::FunctionName| match &f.schema {
        Some(schema) => format!("{schema}.{}", f.name),
        None => f.name.to_string(),
    };
    facts.functions.iter().map(name).collect()
}

#[test]
fn tables_are_found() {
    for (text, expected) in [
        ("SELECT 1", &[][..]),
        ("SELECT * FROM t", &["t"]),
        ("SELECT * FROM shop.T AS x WHERE a = 1", &["shop.T"]),
        ("SELECT * FROM `a``b`.`c d`", &["a`b.c d"]),
        ("SELECT * FROM a, b x, c.d AS y WHERE a.x IN (1,2), e", &["a", "b", "c.d"]),
        ("SELECT * FROM a JOIN b ON a.x = b.x, c", &["a", "b", "c"]),
        ("SELECT * FROM a LEFT JOIN (b, c) ON f(a.x, b.y) NATURAL JOIN d", &["a", "b", "c", "d"]),
        ("SELECT * FROM a STRAIGHT_JOIN b", &["a", "b"]),
        ("SELECT STRAIGHT_JOIN x FROM a", &["a"]),
        ("SELECT * FROM (SELECT * FROM a) x, b", &["a", "b"]),
        ("SELECT (SELECT x FROM a), y FROM b WHERE z IN (SELECT 1 FROM c GROUP BY d, e)", &["a", "b", "c"]),
        ("SELECT * FROM a USE INDEX (i, j), b", &["a", "b"]),
        ("SELECT * FROM a PARTITION (p0, p1) AS x, b", &["a", "b"]),
        ("SELECT EXTRACT(DAY FROM d), TRIM(BOTH 'x' FROM y), SUBSTRING(z FROM 2) FROM t", &["t"]),
        ("SELECT * FROM {oj a LEFT OUTER JOIN b ON 1}", &["a", "b"]),
        ("SELECT * FROM JSON_TABLE(x, '$' COLUMNS (y INT PATH '$')) j, b", &["b"]),
        ("SELECT a FROM t1 UNION SELECT b FROM t2 ORDER BY c, d", &["t1", "t2"]),
        ("SELECT * FROM t ORDER BY a, b LIMIT 1, 2", &["t"]),
        ("WITH x AS (SELECT * FROM a) SELECT * FROM x", &["a"]),
        (
            "WITH x (c, d) AS (SELECT * FROM x), y AS (SELECT * FROM x JOIN z) SELECT * FROM x, y, s.x",
            &["x", "z", "s.x"],
        ),
        ("WITH RECURSIVE x AS (SELECT 1 UNION SELECT * FROM x) SELECT * FROM x JOIN a", &["a"]),
        ("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) d, x", &["x"]),
        ("INSERT INTO x WITH x AS (SELECT * FROM a) SELECT * FROM x UNION SELECT * FROM x", &["x", "a"]),
        ("SELECT a, SUM(b) FROM x GROUP BY a WITH ROLLUP", &["x"]),
        ("TABLE a", &["a"]),
        ("SELECT * FROM DUAL", &[]),
        ("INSERT INTO a (x, y) VALUES (1, 2)", &["a"]),
        ("INSERT a VALUES (1), (2)", &["a"]),
        ("INSERT LOW_PRIORITY IGNORE INTO shop.a SELECT * FROM b", &["shop.a", "b"]),
        ("INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE x = VALUES(x), y = 2", &["a"]),
        ("REPLACE a SET x = 1", &["a"]),
        ("UPDATE a, b.c SET x = 1, y = 2 WHERE z", &["a", "b.c"]),
        ("UPDATE IGNORE a SET x = (SELECT 1 FROM b)", &["a", "b"]),
        ("DELETE FROM a WHERE x IN (SELECT y FROM b)", &["a", "b"]),
        ("DELETE a, b FROM a JOIN b", &["a", "b"]),
        ("DELETE FROM a, b USING a JOIN c", &["a", "c"]),
        ("DELETE QUICK x, s.y.* FROM a AS x, s.y WHERE CONVERT(x.n USING utf8) = 1", &["a", "s.y"]),
        ("EXPLAIN DELETE FROM x, b.* USING a AS x JOIN b", &["a", "b"]),
        ("CREATE TABLE IF NOT EXISTS a (x INT, y INT)", &["a"]),
        ("CREATE TABLE a LIKE b", &["a", "b"]),
        ("CREATE TABLE a AS SELECT * FROM b", &["a", "b"]),
        ("CREATE TABLE a (x INT, FOREIGN KEY (x) REFERENCES b (y) ON UPDATE CASCADE)", &["a", "b"]),
        ("DROP TABLE IF EXISTS a, shop.b", &["a", "shop.b"]),
        ("TRUNCATE TABLE a", &["a"]),
        ("RENAME TABLE a TO b, c TO d", &["a", "b", "c", "d"]),
        ("ALTER TABLE a ADD COLUMN b INT", &["a"]),
        ("CREATE INDEX i ON a (x)", &["a"]),
        ("LOCK TABLES a READ, b WRITE", &["a", "b"]),
        ("LOAD DATA INFILE 'x' INTO TABLE a", &["a"]),
        ("CREATE VIEW v AS SELECT * FROM a", &["v", "a"]),
        ("CREATE VIEW v AS SELECT * FROM a JOIN b ON a.x = b.x", &["v", "a", "b"]),
        ("HANDLER a OPEN AS h", &["a"]),
        ("HANDLER h READ FIRST", &[]),
        ("SELECT NEXTVAL(s), LASTVAL(shop.s), SETVAL(r, 1) FROM a", &["s", "shop.s", "r", "a"]),
        ("GRANT SELECT ON shop.a TO u", &["shop.a"]),
        ("GRANT SELECT ON shop.* TO u", &[]),
        ("SHOW COLUMNS FROM a FROM shop", &["shop.a"]),
        ("SHOW INDEX IN shop.a", &["shop.a"]),
        ("SHOW CREATE TABLE shop.a", &["shop.a"]),
        ("SHOW TABLES FROM shop", &[]),
        ("SHOW TABLE STATUS FROM shop", &[]),
        ("SHOW INDEX FROM a WHERE Key_name = (SELECT x FROM b)", &["b", "a"]),
        ("ALTER TABLE a RENAME TO b", &["a", "b"]),
        ("ALTER TABLE a RENAME COLUMN x TO y", &["a"]),
        ("CREATE TABLE a (x INT REFERENCES b (y) ON DELETE CASCADE)", &["a", "b"]),
        ("DESC shop.a", &["shop.a"]),
        ("EXPLAIN SELECT * FROM a", &["a"]),
        ("SELECT NEXT VALUE FOR s", &["s"]),
        ("SELECT * FROM a; UPDATE b SET x = 1", &["a", "b"]),
        ("OPTIMIZE TABLE a, b", &["a", "b"]),
        ("SELECT * FROM t FOR UPDATE", &["t"]),
        ("SELECT a.1e5 FROM db.1e5", &["db.1e5"]),
    ] {
        assert_eq!(tables(text), expected, "{text}");
    }
}

#[test]
fn schemas_are_found() {
    for (text, expected) in [
        ("SELECT * FROM a.b", &[][..]),
        ("SHOW TABLES", &["(own)"]),
        ("SHOW TABLE STATUS LIKE 'a%'", &["(own)"]),
        ("SHOW STATUS", &[]),
        ("SHOW FULL TABLES FROM shop LIKE 'a%'", &["shop"]),
        ("SHOW TABLE STATUS IN `shop` WHERE Name IN (SELECT x FROM t)", &["shop"]),
        ("SHOW COLUMNS FROM a FROM shop", &[]),
        ("SHOW EVENTS FROM shop", &["shop"]),
        ("SHOW CREATE DATABASE IF NOT EXISTS shop", &["shop"]),
        ("SHOW CREATE PROCEDURE shop.p", &["shop"]),
        ("CREATE DATABASE IF NOT EXISTS shop DEFAULT CHARACTER SET utf8mb4", &["shop"]),
        ("CREATE OR REPLACE SCHEMA shop", &["shop"]),
        ("DROP DATABASE `shop`", &["shop"]),
        ("ALTER DATABASE CHARACTER SET latin1", &[]),
        ("CREATE PROCEDURE shop.p() SELECT 1", &["shop"]),
        ("CREATE FUNCTION IF NOT EXISTS f() RETURNS INT RETURN 1", &["(own)"]),
        ("CREATE TRIGGER shop.t AFTER INSERT ON a FOR EACH ROW SET @x = 1", &[]),
        ("DROP TRIGGER IF EXISTS shop.t", &["shop"]),
        ("CALL shop.p", &["shop"]),
        ("CALL p(1)", &["(own)"]),
        ("GRANT SELECT ON shop.* TO u", &["shop"]),
    ] {
        let facts = analyse(text.as_bytes(), Mode::default());
        let schemas: Vec<&str> = facts.schemas.iter().map(|s| s.as_deref().unwrap_or("(own)")).collect();
        assert_eq!(schemas, expected, "{text}");
    }
}

#[test]
fn functions_are_found() {
    for (text, expected) in [
        ("SELECT COUNT(*), MAX(x), IF(a, b, c), NOW(6), CONCAT('a'), COALESCE(a, 1) FROM t", &[][..]),
        ("SELECT F(1), shop.G (2), `h i`(3), `count`(x)", &["f", "shop.g", "h i", "count"]),
        ("SELECT a FROM t WHERE x IN (1) AND (y) OR EXISTS (SELECT 1) AND NOT (z)", &[]),
        ("SELECT CAST(x AS DATETIME(6)), CAST(y AS DECIMAL(10,2)), CONVERT(z, CHAR(5))", &[]),
        ("WITH a (x, y) AS (SELECT 1, 2) SELECT * FROM a", &[]),
        ("INSERT INTO t (a, b) VALUES (f(1), 2)", &["f"]),
        ("SELECT status(1), regexp_like('a', 'b')", &["status", "regexp_like"]),
        ("SELECT * FROM t JOIN u USING (x) WHERE MATCH (a) AGAINST ('b')", &[]),
        ("SELECT ROW_NUMBER() OVER (ORDER BY a), LAG(x) OVER w FROM t WINDOW w AS (PARTITION BY y)", &[]),
        ("SHOW TABLES WHERE f(1)", &["f"]),
        ("SELECT get_lock('a', 1), last_insert_id()", &[]),
        ("SELECT shop.get_lock('a')", &["shop.get_lock"]),
        // With a space, and without IGNORE_SPACE, these are stored functions.
        (
            "SELECT COUNT (*), NOW/**/(), CONCAT (a), IF (a, b, c), SESSION_USER ()",
            &["count", "now", "session_user"],
        ),
    ] {
        assert_eq!(functions(text), expected, "{text}");
    }
    assert!(sql::is_native_unless_stored("count") && sql::is_native_unless_stored("point"));
    assert!(!sql::is_native_unless_stored("f"));
}

#[test]
fn texts_are_shown_normalised() {
    for (text, expected) in [
        ("select c from sbtest1 where id=12345", "SELECT c FROM sbtest1 WHERE id = ?"),
        ("SELECT  *\nFROM t WHERE a IN (1, 2, 3) -- x", "SELECT * FROM t WHERE a IN (?)"),
        ("insert into t(a,b) values (1,'x'),(2,NULL)", "INSERT INTO t(a, b) VALUES (?)"),
        (
            "SELECT count(*), t.`a` FROM db.t WHERE x>=@v AND y<>@@sql_mode",
            "SELECT count(*), t.`a` FROM db.t WHERE x >= @v AND y <> @@sql_mode",
        ),
        ("SELECT 1; SELECT 2", "SELECT ?; SELECT ?"),
        ("show tables", "SHOW tables"),
    ] {
        assert_eq!(&*analyse(text.as_bytes(), Mode::default()).digest_text, expected);
    }
    let long = format!("SELECT {} FROM t", vec!["é"; 2000].join(","));
    let facts = analyse(long.as_bytes(), Mode::default());
    assert!(facts.digest_text.len() <= sql::Facts::DIGEST_TEXT_LIMIT);
    let other = analyse(format!("{long} WHERE x").as_bytes(), Mode::default());
    assert_eq!(facts.digest_text, other.digest_text);
    assert_ne!(facts.digest, other.digest, "the digest covers what is not kept");
}
