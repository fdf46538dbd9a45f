//! Tables of statements: where each may run, why, and what it does to the session.

use sql::{Access, Effects, Facts, Mode, Reason, Verb, analyse};

fn facts(text: &str) -> Facts {
    analyse(text.as_bytes(), Mode::default())
}

fn assert_all(access: Access, reason: Option<Reason>, texts: &[&str]) {
    for text in texts {
        let facts = facts(text);
        assert_eq!(facts.access, access, "{text}: {:?}", facts.reason);
        if let Some(reason) = reason {
            assert_eq!(facts.reason, reason, "{text}");
        }
    }
}

#[test]
fn reads() {
    assert_all(
        Access::Read,
        Some(Reason::PlainRead),
        &[
            "SELECT 1",
            "select c from sbtest1 where id=12345;",
            "SELECT 1;; ",
            "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 3",
            "((SELECT a FROM t))",
            "SELECT 1 INTERSECT SELECT 1 EXCEPT SELECT 2",
            "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
            "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM a WHERE n < 5) SELECT n FROM a",
            "WITH a AS (SELECT 1) (SELECT * FROM a)",
            "VALUES (1,2),(3,4)",
            "TABLE t",
            "SELECT * FROM DUAL",
            "SELECT SQL_NO_CACHE HIGH_PRIORITY * FROM t",
            "SELECT STRAIGHT_JOIN a.x FROM a STRAIGHT_JOIN b",
            "SELECT SUBSTRING('abc' FROM 1 FOR 2)",
            "SELECT * FROM t USE INDEX FOR ORDER BY (i) WHERE a = 1",
            "SELECT * FROM t FOR SYSTEM_TIME AS OF NOW()",
            "SELECT CONVERT('a' USING utf8mb4), CAST('1' AS CHAR(3) CHARACTER SET latin1)",
            "SELECT INSERT('abc', 1, 1, 'x'), REPLACE('a', 'b', 'c'), TRUNCATE(1.5, 1)",
            "SELECT NOW(), RAND(), UUID(), UUID_SHORT(), SLEEP(0), BENCHMARK(1, 1), VERSION(), DATABASE(), SCHEMA()",
            "SELECT @@autocommit, @@sql_mode, @@SESSION.time_zone, @@character_set_client",
            "SELECT t.`into`, `for`.`update` FROM `for`, t",
            "SELECT 'x' INTERVAL FROM t",
            "SELECT 'SELECT 1 INTO OUTFILE', \"FOR UPDATE\", '@a', ':=' FROM t",
            "SELECT 'it''s', 'a\\'b', N'x', _utf8mb4'y', x'1f', 0x1f, b'01', \\N",
            "SELECT /* FOR UPDATE */ 1 -- FOR UPDATE\n + 1 # INTO @a",
            "SELECT 5--1",
            "SELECT /*+ MAX_EXECUTION_TIME(1000) */ 1",
            "/* app=web */ SELECT 1",
            "SELECT a.1e5, 1e5, .5, 1., 2fa.x FROM 2fa, a",
            "SELECT COUNT(*) OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
            "SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a INT PATH '$')) AS j",
            "SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1",
            "SELECT `é`, ñ FROM tablé",
            "SHOW TABLES",
            "SHOW FULL TABLES FROM shop LIKE 'a%'",
            "SHOW FULL COLUMNS FROM t FROM shop",
            "SHOW FIELDS IN t",
            "SHOW INDEX FROM shop.t",
            "SHOW KEYS FROM t WHERE Key_name = 'PRIMARY'",
            "SHOW CREATE TABLE t",
            "SHOW CREATE VIEW shop.v",
            "SHOW CREATE PROCEDURE p",
            "SHOW DATABASES",
            "SHOW CHARACTER SET",
            "SHOW COLLATION WHERE Charset = 'utf8mb4'",
            "DESC t",
            "DESCRIBE shop.t 'a%'",
            "DESC t col",
            "EXPLAIN SELECT 1",
            "EXPLAIN EXTENDED SELECT * FROM t",
            "EXPLAIN FORMAT=JSON SELECT * FROM t",
            "ANALYZE FORMAT=JSON SELECT * FROM t",
            "ANALYZE SELECT * FROM t",
            "EXPLAIN ANALYZE SELECT * FROM t",
            "SET STATEMENT max_statement_time=1 FOR SELECT * FROM t",
            "SELECT f(1), shop.g(2) FROM t",
        ],
    );
}

#[test]
fn reads_of_the_primary() {
    for (reason, texts) in [
        (
            Reason::LockingRead,
            &[
                "SELECT * FROM t FOR UPDATE",
                "SELECT * FROM t for/**/update NOWAIT",
                "SELECT * FROM t FOR UPDATE SKIP LOCKED",
                "SELECT * FROM t LOCK IN SHARE MODE",
                "SELECT * FROM t FOR SHARE OF t",
                "(SELECT * FROM t FOR UPDATE) UNION SELECT 1",
                "SELECT * FROM (SELECT * FROM t FOR UPDATE) x",
                "EXPLAIN SELECT * FROM t FOR UPDATE",
                "WITH a AS (SELECT 1) SELECT * FROM a, t FOR UPDATE",
            ][..],
        ),
        (Reason::IntoClause, &["SELECT a INTO x FROM t"]),
        (
            Reason::UserVariable,
            &[
                "SELECT @a",
                "SELECT @a := 1",
                "SELECT @`a b`, @'x', @\"y\", @",
                "SELECT a FROM t WHERE b = @c",
                "SELECT 1 INTO @a",
                "SHOW TABLES WHERE @a = 1",
            ],
        ),
        (
            Reason::SideEffectFunction,
            &[
                "SELECT GET_LOCK('a', 1)",
                "SELECT get_lock ('a', 1)",
                "SELECT `GET_LOCK`('a', 1)",
                "SELECT RELEASE_LOCK('a')",
                "SELECT RELEASE_ALL_LOCKS()",
                "SELECT IS_FREE_LOCK('a'), IS_USED_LOCK('a')",
                "SHOW TABLES WHERE GET_LOCK('a', 1)",
                "SELECT {fn GET_LOCK('a', 1)}",
                "EXPLAIN SELECT GET_LOCK('a', 1)",
            ],
        ),
        (
            Reason::SystemVariable,
            &[
                "SELECT @@version_comment",
                "SELECT @@global.sql_mode",
                "SELECT @@hostname LIMIT 1",
                "SELECT @@ session . max_allowed_packet",
                "SELECT @@`gtid_current_pos`",
            ],
        ),
        (
            Reason::SystemSchema,
            &[
                "SELECT * FROM information_schema.tables",
                "SELECT * FROM `INFORMATION_SCHEMA`.`PROCESSLIST` p",
                "SELECT * FROM performance_schema.threads",
                "SELECT user FROM mysql.user",
                "SELECT * FROM sys.version",
                "SHOW TABLES FROM mysql",
                "SHOW COLUMNS FROM tables FROM information_schema",
                "DESC information_schema.tables",
            ],
        ),
        (
            Reason::ServerState,
            &[
                "SHOW STATUS",
                "SHOW GLOBAL STATUS LIKE 'Com_%'",
                "SHOW VARIABLES LIKE 'wait_timeout'",
                "SHOW FULL PROCESSLIST",
                "SHOW MASTER STATUS",
                "SHOW ALL SLAVES STATUS",
                "SHOW BINLOG EVENTS",
                "SHOW GRANTS",
                "SHOW ENGINE INNODB STATUS",
                "SHOW TABLE STATUS",
                "SHOW CREATE USER root",
                "SHOW CREATE EVENT e",
                "SHOW SOMETHING NEW",
                "HELP 'select'",
                "EXPLAIN FOR CONNECTION 5",
                "SELECT MASTER_GTID_WAIT('0-1-1', 1)",
                "SELECT LOAD_FILE('/etc/passwd')",
                "KILL 5",
            ],
        ),
        (
            Reason::Diagnostics,
            &[
                "SHOW WARNINGS",
                "SHOW ERRORS LIMIT 1",
                "SHOW COUNT(*) WARNINGS",
                "GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT",
            ],
        ),
        (
            Reason::OwnConnection,
            &[
                "SELECT LAST_INSERT_ID()",
                "SELECT FOUND_ROWS()",
                "SELECT ROW_COUNT()",
                "SELECT CONNECTION_ID()",
                "SELECT USER(), 1",
                "SELECT CURRENT_USER",
                "SELECT CURRENT_USER()",
                "SELECT CURRENT_ROLE",
                "SELECT LASTVAL(s)",
                "SELECT PREVIOUS VALUE FOR s",
                "HANDLER t READ FIRST",
                "DO SLEEP(0)",
            ],
        ),
        (Reason::Procedure, &["SELECT * FROM t PROCEDURE ANALYSE()"]),
        (
            Reason::SessionChange,
            &[
                "USE shop",
                "SET NAMES utf8mb4",
                "SET autocommit = 0",
                "SET @a = 1",
                "SET sql_mode='ANSI_QUOTES', @b := 2",
                "SET STATEMENT sql_mode='ANSI_QUOTES' FOR SELECT 1",
                "SET ROLE admin",
                "SET TRANSACTION READ ONLY",
            ],
        ),
        (
            Reason::TransactionControl,
            &[
                "BEGIN",
                "begin work",
                "START TRANSACTION READ ONLY",
                "COMMIT",
                "ROLLBACK AND CHAIN",
                "ROLLBACK TO SAVEPOINT a",
                "SAVEPOINT a",
                "RELEASE SAVEPOINT a",
            ],
        ),
        (Reason::PreparedText, &["PREPARE s FROM 'SELECT 1'", "DEALLOCATE PREPARE s", "DROP PREPARE s"]),
        (Reason::MultiStatement, &["SELECT 1; SELECT 2", "SHOW TABLES; SHOW TABLES;"]),
        (Reason::Writes, &["EXPLAIN INSERT INTO t VALUES (1)", "EXPLAIN FORMAT=JSON DELETE FROM t"]),
        (Reason::Empty, &["", "  ", ";", "-- nothing", "/* nothing */", "#"]),
        (Reason::Hadal, &["SHOW HADAL SESSIONS", "EXPLAIN ROUTE SELECT 1", "EXPLAIN ROUTE (SELECT 1)"]),
    ] {
        assert_all(Access::PrimaryRead, None, texts);
        for text in texts {
            let got = facts(text).reason;
            // The first thing that is found names the reason; both are true of some texts.
            let also =
                matches!((reason, got), (Reason::IntoClause | Reason::Diagnostics, Reason::UserVariable))
                    || (reason == Reason::UserVariable && got == Reason::IntoClause)
                    || (reason == Reason::SystemSchema && got == Reason::ServerState);
            assert!(got == reason || also, "{text}: {got:?}");
        }
    }
}

#[test]
fn writes() {
    assert_all(
        Access::Write,
        None,
        &[
            "INSERT INTO t VALUES (1)",
            "insert t (a) SELECT 1",
            "REPLACE INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "WITH a AS (SELECT 1) UPDATE t, a SET t.x = 1",
            "WITH a AS (SELECT 1) DELETE FROM t",
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
            "CALL p()",
            "DO f()",
            "SELECT NEXTVAL(s)",
            "SELECT NEXT VALUE FOR s",
            "SELECT SETVAL(s, 5)",
            "SELECT s.nextval",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT 1 FROM t INTO DUMPFILE '/tmp/x'",
            "CREATE TABLE t (a INT)",
            "CREATE TEMPORARY TABLE t (a INT)",
            "DROP TABLE t",
            "TRUNCATE t",
            "RENAME TABLE a TO b",
            "ALTER TABLE t ADD b INT",
            "GRANT SELECT ON *.* TO 'a'@'%'",
            "SET GLOBAL max_connections = 5",
            "SET PASSWORD = PASSWORD('x')",
            "SET DEFAULT ROLE a",
            "SET @a = f()",
            "SET STATEMENT max_statement_time=1 FOR INSERT INTO t VALUES (1)",
            "ANALYZE UPDATE t SET a = 1",
            "EXPLAIN ANALYZE DELETE FROM t",
            "ANALYZE TABLE t",
            "ANALYZE LOCAL TABLE t",
            "OPTIMIZE TABLE t",
            "FLUSH TABLES WITH READ LOCK",
            "LOCK TABLES t READ",
            "XA START 'x'",
            "EXECUTE s",
            "EXECUTE IMMEDIATE 'SELECT 1'",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "IF 1 THEN SELECT 1; END IF",
            "CHANGE MASTER TO MASTER_HOST='x'",
            "RESET MASTER",
            "START SLAVE",
            "SHUTDOWN",
            "BINLOG 'x'",
            "SELECT 1; DELETE FROM t",
            "DELETE FROM t; SELECT 1",
        ],
    );
}

#[test]
fn what_is_not_understood_is_a_write() {
    assert_all(
        Access::Write,
        Some(Reason::NotUnderstood),
        &[
            "SELEKT 1",
            "SELECT 'a",
            "SELECT `a",
            "SELECT \"a",
            "SELECT (1",
            "SELECT 1)",
            "SELECT 1 /* open",
            "SELECT 1 \0",
            "SELECT 1 \u{1} + 1",
            "SELECT 1 # a\0 INTO @b",
            "SELECT a[1]",
            "; SELECT 1",
            "SELECT 1;;SELECT 2",
            "WITH a AS (SELECT 1)",
            "(UPDATE t SET a = 1)",
            "1",
            "'SELECT'",
            "`SELECT` 1",
            "SELECT * FROM t UPDATE",
            "SELECT * FROM (DELETE FROM t) x",
            "SELECT a:b",
            "EXPLAIN SET a = 1",
            "DESC t a b",
            "SELECT 1 --\u{a0}\n FOR UPDATE",
        ],
    );
}

#[test]
fn multibyte_texts_are_not_understood_only_where_they_are_ambiguous() {
    let gbk = Mode { multibyte_unsafe: true, ..Mode::default() };
    assert_eq!(analyse(b"SELECT 'a'", gbk).access, Access::Read);
    let text = b"SELECT '\xbf\\' FROM t WHERE a = ' OR 1'";
    assert_eq!(analyse(text, gbk).access, Access::Write);
    assert_eq!(analyse(text, gbk).reason, Reason::NotUnderstood);
}

#[test]
fn quoting_follows_the_mode() {
    let ansi = Mode { ansi_quotes: true, ..Mode::default() };
    let plain = Mode { no_backslash_escapes: true, ..Mode::default() };
    // An identifier has no escapes: the text goes on behind the second quote.
    assert_eq!(analyse(br#"SELECT "a\" FOR UPDATE -- ""#, ansi).reason, Reason::LockingRead);
    assert_eq!(analyse(br#"SELECT "a\" FOR UPDATE -- ""#, Mode::default()).access, Access::Read);
    assert_eq!(analyse(br"SELECT 'a\' FOR UPDATE -- '", plain).reason, Reason::LockingRead);
    assert_eq!(analyse(br"SELECT 'a\' FOR UPDATE -- '", Mode::default()).access, Access::Read);
    assert_eq!(analyse(br#"SELECT "get_lock"('a', 1)"#, ansi).reason, Reason::SideEffectFunction);
}

#[test]
fn version_comments_get_the_strictest_reading() {
    for text in [
        "SELECT * FROM t /*!50000 FOR UPDATE */",
        "SELECT * FROM t /*!99999 FOR */ UPDATE",
        "/*!99999 SELECT 1 -- */ DELETE FROM t",
        "/*!50000 DELETE FROM t */",
        "/*!DELETE FROM t*/",
        "/*M!100100 DELETE FROM t */",
        "SELECT 1 /*!99999 ' */ ; DELETE FROM t -- '",
        "/*!99999 SELECT*/ /*!50000 DELETE FROM t WHERE 1 AND (*/ SELECT 1 /*!50000 )*/",
        "SELECT 1 /*!50000 /* */ DELETE */",
        "SELECT 1 /*!50000",
        "SELECT 1 /*!50000 a*//*!50000 b*//*!50000 c*//*!50000 d*/",
        "SELECT 1 /*!50000 , GET_LOCK('a', 1) */",
        "SELECT 1 /*!500 , @a */",
    ] {
        assert_ne!(facts(text).access, Access::Read, "{text}");
    }
    for text in ["SELECT /*!40001 SQL_NO_CACHE */ * FROM t", "/*!40101 SELECT 1 */", "SELECT /*!1+*/1"] {
        assert_eq!(facts(text).access, Access::Read, "{text}");
    }
    assert!(facts("/*!40101 SET NAMES utf8 */").effects.contains(Effects::SET_NAMES));
    assert_eq!(facts("/*!40101 SET NAMES utf8 */").verb, Verb::Set);
    assert!(facts("/*!40000 ALTER TABLE `t` DISABLE KEYS */;").effects.contains(Effects::DDL));
}

#[test]
fn a_space_of_another_character_set_hides_nothing() {
    for text in [
        &b"SELECT * FROM t FOR\xa0UPDATE"[..],
        b"SELECT 1 \xa0INTO @a",
        b"SELECT \xc3\xa0GET_LOCK('a', 1)",
        b"SELECT * FROM t LOCK\xc2\xa0IN SHARE MODE",
    ] {
        assert_ne!(analyse(text, Mode::default()).access, Access::Read, "{}", String::from_utf8_lossy(text));
    }
}
