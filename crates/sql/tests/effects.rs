//! A table of statements and their effects, verbs and numbers of statements.

use sql::{Effects, Mode, Verb, analyse};

fn effects(text: &str) -> Effects {
    analyse(text.as_bytes(), Mode::default()).effects
}

#[test]
fn effects_are_exact() {
    type E = Effects;
    let sets = E::SETS_SYSTEM_VARIABLE;
    let calls = E::USES_LAST_INSERT_ID;
    for (text, expected) in [
        ("SELECT 1", E::NONE),
        ("SELECT @a", E::READS_USER_VARIABLE),
        ("SELECT @a := 1", E::READS_USER_VARIABLE | E::SETS_USER_VARIABLE),
        ("SELECT 1 INTO @a", E::READS_USER_VARIABLE | E::SETS_USER_VARIABLE),
        ("SET @a = 1", E::READS_USER_VARIABLE | E::SETS_USER_VARIABLE),
        ("CREATE TEMPORARY TABLE t (a INT)", E::CREATES_TEMPORARY_TABLE),
        ("CREATE OR REPLACE TEMPORARY TABLE t (a INT)", E::CREATES_TEMPORARY_TABLE),
        ("DROP TEMPORARY TABLE IF EXISTS t", E::DROPS_TEMPORARY_TABLE),
        ("CREATE TABLE t (a INT)", E::DDL),
        ("SELECT GET_LOCK('a', 1)", E::NAMED_LOCK),
        ("INSERT INTO t VALUES (RELEASE_LOCK('a'))", E::NAMED_LOCK | E::MAY_SET_INSERT_ID),
        ("INSERT INTO t VALUES (1) RETURNING id", E::MAY_SET_INSERT_ID | E::RETURNS_ROWS),
        ("DELETE FROM t returning `id`", E::RETURNS_ROWS),
        ("INSERT INTO t VALUES ('RETURNING')", E::MAY_SET_INSERT_ID),
        ("SELECT NEXTVAL(s)", E::DRAWS_FROM_SEQUENCE),
        ("SELECT NEXT VALUE FOR s", E::DRAWS_FROM_SEQUENCE),
        ("SELECT s.nextval", E::DRAWS_FROM_SEQUENCE),
        ("DO SETVAL(s, 5)", E::DRAWS_FROM_SEQUENCE),
        ("SELECT LASTVAL(s)", E::NONE),
        ("SELECT nextval, returning FROM t", E::NONE),
        ("LOCK TABLES t READ", E::LOCK_TABLES),
        ("LOCK TABLE t WRITE", E::LOCK_TABLES),
        ("FLUSH TABLES WITH READ LOCK", E::LOCK_TABLES),
        ("FLUSH TABLES t FOR EXPORT", E::LOCK_TABLES),
        ("FLUSH TABLES", E::NONE),
        ("FLUSH PRIVILEGES", E::ACCOUNT_DDL),
        ("BACKUP STAGE START", E::LOCK_TABLES),
        ("BACKUP STAGE END", E::UNLOCK_TABLES),
        ("BACKUP LOCK t", E::LOCK_TABLES),
        ("UNLOCK TABLES", E::UNLOCK_TABLES),
        ("PREPARE s FROM 'SELECT 1'", E::TEXT_PREPARE),
        ("EXECUTE s USING @a", E::TEXT_EXECUTE | E::READS_USER_VARIABLE | E::MAY_SET_INSERT_ID),
        ("EXECUTE IMMEDIATE 'SELECT 1'", E::TEXT_EXECUTE | E::ANYTHING),
        ("DEALLOCATE PREPARE s", E::TEXT_DEALLOCATE),
        ("DROP PREPARE s", E::TEXT_DEALLOCATE),
        ("HANDLER t OPEN AS x", E::HANDLER_OPEN),
        ("HANDLER t CLOSE", E::HANDLER),
        ("SET TRANSACTION READ ONLY", E::NEXT_TRANSACTION),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", sets),
        ("SET GLOBAL TRANSACTION READ WRITE", E::SETS_GLOBAL),
        ("SET ROLE r", E::SET_ROLE),
        ("SET timestamp = 5", sets | E::SETS_UNCARRIED),
        ("SET @@session.sql_log_bin = 0", sets | E::SETS_UNCARRIED | E::READS_SYSTEM_VARIABLE),
        ("SET insert_id = 5", sets | E::SETS_UNCARRIED | E::MAY_SET_INSERT_ID),
        ("SET STATEMENT max_statement_time = 5 FOR SELECT 1", E::NONE),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", E::SET_NAMES),
        ("SET CHARACTER SET latin1", E::SET_NAMES),
        ("SET character_set_client = latin1", sets | E::SET_NAMES),
        ("SET sql_mode = '', NAMES utf8", sets | E::SET_NAMES),
        ("SET GLOBAL a = 1", E::SETS_GLOBAL),
        ("SET PERSIST a = 1", E::SETS_GLOBAL),
        ("SET @@global.a = 1", E::SETS_GLOBAL | E::READS_SYSTEM_VARIABLE),
        ("SET autocommit = 0", sets | E::SETS_AUTOCOMMIT),
        ("SET @@autocommit = 0", sets | E::SETS_AUTOCOMMIT | E::READS_SYSTEM_VARIABLE),
        ("SET LOCAL autocommit = ON", sets | E::SETS_AUTOCOMMIT),
        ("SET PASSWORD FOR 'a'@'b' = PASSWORD('x')", E::SETS_PASSWORD | E::ACCOUNT_DDL),
        ("SELECT LAST_INSERT_ID()", calls),
        ("SELECT LAST_INSERT_ID(5)", calls | E::MAY_SET_INSERT_ID),
        ("UPDATE t SET a = LAST_INSERT_ID(a + 1)", calls | E::MAY_SET_INSERT_ID),
        ("SELECT @@identity", calls | E::READS_SYSTEM_VARIABLE),
        ("INSERT INTO t VALUES (1)", E::MAY_SET_INSERT_ID),
        ("SELECT SQL_CALC_FOUND_ROWS 1", E::CALC_FOUND_ROWS),
        ("SELECT FOUND_ROWS(), ROW_COUNT()", E::USES_FOUND_ROWS | E::USES_ROW_COUNT),
        ("SHOW WARNINGS", E::USES_DIAGNOSTICS),
        ("SHOW COUNT(*) ERRORS", E::USES_DIAGNOSTICS),
        ("SELECT @@warning_count", E::USES_DIAGNOSTICS | E::READS_SYSTEM_VARIABLE),
        ("SELECT CONNECTION_ID()", E::USES_CONNECTION_ID),
        ("SELECT @@pseudo_thread_id", E::USES_PSEUDO_THREAD_ID | E::READS_SYSTEM_VARIABLE),
        ("SHOW FULL PROCESSLIST", E::USES_PROCESSLIST),
        ("SELECT * FROM information_schema.`processlist`", E::USES_PROCESSLIST | E::SYSTEM_SCHEMA),
        ("SET wait_timeout = 5", sets | E::USES_TIMEOUT_VARIABLE),
        ("SELECT @@session.wait_timeout", E::USES_TIMEOUT_VARIABLE | E::READS_SYSTEM_VARIABLE),
        ("SET session_track_schema = 1", sets | E::USES_TRACKER_VARIABLE),
        ("BEGIN", E::BEGIN),
        ("START TRANSACTION READ ONLY", E::BEGIN | E::BEGIN_READ_ONLY),
        (
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            E::BEGIN | E::BEGIN_READ_ONLY | E::CONSISTENT_SNAPSHOT,
        ),
        ("COMMIT", E::COMMIT),
        ("COMMIT AND NO CHAIN NO RELEASE", E::COMMIT),
        ("ROLLBACK WORK AND CHAIN", E::ROLLBACK | E::COMMIT_CHAIN),
        ("COMMIT RELEASE", E::COMMIT | E::CLOSES_CONNECTION),
        ("ROLLBACK TO a", E::SAVEPOINT),
        ("XA END 'x'", E::XA),
        ("CALL p(@a)", E::CALL | E::MAY_SET_INSERT_ID | E::READS_USER_VARIABLE),
        ("USE shop", E::USE_SCHEMA),
        ("GRANT SELECT ON *.* TO 'a'@'b'", E::DDL | E::ACCOUNT_DDL),
        ("CREATE USER a@localhost IDENTIFIED BY 'x'", E::DDL | E::ACCOUNT_DDL),
        ("CREATE ROLE r", E::DDL | E::ACCOUNT_DDL),
        ("CREATE DEFINER=root@localhost PROCEDURE p() SET @a = 1", E::DDL | E::ROUTINE_DDL),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", E::DDL | E::ROUTINE_DDL),
        ("DROP FUNCTION f", E::DDL | E::ROUTINE_DDL),
        ("KILL QUERY 5", E::KILL),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", E::MAY_SET_INSERT_ID | E::LOAD_LOCAL),
        ("SHOW HADAL STATUS", E::SHOW_HADAL),
        ("EXPLAIN ROUTE SELECT 1", E::EXPLAIN_ROUTE),
        (
            "SELECT 1; SET autocommit=1; INSERT INTO t VALUES (1)",
            sets | E::SETS_AUTOCOMMIT | E::MAY_SET_INSERT_ID,
        ),
    ] {
        let got = effects(text);
        assert_eq!(
            got,
            expected,
            "{text}: {:?} instead of {:?}",
            got.names().collect::<Vec<_>>(),
            expected.names().collect::<Vec<_>>()
        );
    }
}

#[test]
fn statements_are_counted() {
    for (text, count, verb) in [
        ("", 0, Verb::Empty),
        (" ; ", 0, Verb::Empty),
        ("SELECT 1;", 1, Verb::Select),
        ("SELECT ';'; SET @a = 1", 2, Verb::Select),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", 1, Verb::Ddl),
        ("CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; END; SELECT 1", 2, Verb::Ddl),
        ("CREATE PROCEDURE p() SELECT IF(1, 2, 3); SELECT 1", 2, Verb::Ddl),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1; SELECT 1", 2, Verb::Ddl),
        (
            "CREATE FUNCTION f() RETURNS INT BEGIN CASE 1 WHEN 1 THEN SET @a = 1; END CASE; \
             l: LOOP LEAVE l; END LOOP l; WHILE 0 DO SET @a = 1; END WHILE; RETURN CASE WHEN 1 THEN 2 END; END; COMMIT",
            2,
            Verb::Ddl,
        ),
        ("BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3", 2, Verb::Compound),
        ("BEGIN; SELECT 1; COMMIT", 3, Verb::Begin),
        ("l: LOOP SELECT 1; LEAVE l; END LOOP", 1, Verb::Compound),
    ] {
        let facts = analyse(text.as_bytes(), Mode::default());
        assert_eq!((facts.statements, facts.verb), (count, verb), "{text}");
    }
    let facts = analyse(b"CREATE PROCEDURE p() BEGIN SET @a = 1; END; SET autocommit = 0", Mode::default());
    assert!(facts.effects.contains(Effects::SETS_AUTOCOMMIT));
    assert!(!facts.effects.contains(Effects::SETS_USER_VARIABLE));
}

#[test]
fn what_a_long_statement_ends_with_counts() {
    let rows = vec!["(1, 'a', CONCAT(b, c))"; 500].join(", ");
    let text = format!("INSERT INTO t VALUES {rows} RETURNING id");
    assert!(text.len() > 2 * sql::Facts::DIGEST_TEXT_LIMIT);
    assert!(effects(&text).contains(Effects::RETURNS_ROWS));
}
