//! The commands whose responses are captured: at least one of every shape that a response can have.

use mysql_wire::Capabilities;
use mysql_wire::ResponseKind::{self, Execute, Fetch, FieldList, Prepare, Query, Simple, Statistics};

/// One command and the kind of its response.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) kind: ResponseKind,
    pub(crate) payload: Vec<u8>,
}

/// What is sent when the server asks for a file.
pub(crate) const FILE: &[u8] = b"7\tseven\n8\t\\N\n";

/// What every connection of the captures has.
pub(crate) fn base_capabilities() -> Capabilities {
    Capabilities::MULTI_STATEMENTS
        | Capabilities::MULTI_RESULTS
        | Capabilities::PS_MULTI_RESULTS
        | Capabilities::TRANSACTIONS
        | Capabilities::LONG_FLAG
        | Capabilities::LOCAL_FILES
        | Capabilities::MARIADB_STMT_BULK
}

/// The two capabilities that shape responses, in all four combinations; by the name of the capture file.
pub(crate) fn combinations() -> [(&'static str, Capabilities); 4] {
    let (track, deprecate) = (Capabilities::SESSION_TRACK, Capabilities::DEPRECATE_EOF);
    [
        ("plain", base_capabilities()),
        ("track", base_capabilities() | track),
        ("deprecate_eof", base_capabilities() | deprecate),
        ("track_deprecate_eof", base_capabilities() | track | deprecate),
    ]
}

/// Statements that make the world the cases run in.
pub(crate) const SETUP: &[&str] = &[
    "DROP DATABASE IF EXISTS captures",
    "CREATE DATABASE captures",
    "CREATE TABLE captures.t (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20), big LONGTEXT)",
    "CREATE PROCEDURE captures.two() BEGIN SELECT 1 AS one; SELECT 2 AS two, 3 AS three; END",
    "CREATE PROCEDURE captures.out_param(OUT p INT) BEGIN SET p = 42; SELECT 1; END",
];

/// Statements that every connection begins with, where it tracks its session.
pub(crate) const TRACKERS: &[&str] = &[
    "SET SESSION session_track_system_variables='*', session_track_schema=ON, session_track_state_change=ON",
    "SET SESSION session_track_transaction_info='CHARACTERISTICS'",
];

fn case(name: &'static str, kind: ResponseKind, payload: Vec<u8>) -> Case {
    Case { name, kind, payload }
}

fn query(name: &'static str, sql: &str) -> Case {
    case(name, Query, super::client::text_command(0x03, sql.as_bytes()))
}

fn prepare(name: &'static str, sql: &str) -> Case {
    case(name, Prepare, super::client::text_command(0x16, sql.as_bytes()))
}

/// Executes the statement that was prepared last (id -1, which MariaDB understands).
fn execute(name: &'static str, cursor: u8, params: &[u8]) -> Case {
    let head = [0x17, 0xFF, 0xFF, 0xFF, 0xFF, cursor, 1, 0, 0, 0];
    case(name, Execute, [&head[..], params].concat())
}

fn with_id(code: u8, id: u32, tail: &[u8]) -> Vec<u8> {
    [&[code][..], &id.to_le_bytes(), tail].concat()
}

/// All cases, in the order in which one connection runs them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = text();
    cases.extend(session());
    cases.extend(prepared());
    cases.extend(others());
    cases
}

fn text() -> Vec<Case> {
    vec![
        case("init_db", Simple, super::client::text_command(0x02, b"captures")),
        query("select_one", "SELECT 1"),
        query("select_nulls", "SELECT NULL, '', 'text', 1.5, x'00ff', NULL UNION ALL SELECT 1,2,3,4,5,6"),
        query("select_rows", "SELECT seq, REPEAT('x', seq) FROM seq_1_to_40"),
        query("select_long_values", "SELECT REPEAT('a', 250), REPEAT('b', 251), REPEAT('c', 300)"),
        query("select_nothing", "SELECT id FROM t WHERE id < 0"),
        query("select_warning", "SELECT 1/0, CAST('x' AS INT)"),
        query("insert_one", "INSERT INTO t(name) VALUES ('a')"),
        query("insert_many", "INSERT INTO t(name) VALUES ('b'), ('c'), (NULL)"),
        query("insert_returning", "INSERT INTO t(name) VALUES ('d') RETURNING id, name"),
        query("update", "UPDATE t SET name='z' WHERE id IN (1, 2)"),
        query("update_same", "UPDATE t SET name='z' WHERE id = 1"),
        query("delete_none", "DELETE FROM t WHERE id = 4711"),
        query("syntax_error", "SELEKT"),
        query("unknown_table", "SELECT * FROM nowhere"),
        query("error_among_rows", "SELECT IF(seq=5, (SELECT 1 UNION SELECT 2), seq) FROM seq_1_to_10"),
        query("multi", "SELECT 1; INSERT INTO t(name) VALUES ('m'); SELECT 2, 3; DO 1"),
        query("multi_error", "SELECT 1; SELECT * FROM nowhere; SELECT 2"),
        query("call", "CALL two()"),
        query("call_multi", "CALL two(); SELECT 9"),
        query("load_local", "LOAD DATA LOCAL INFILE 'some/file' INTO TABLE t(id, name)"),
        query(
            "load_local_multi",
            "SELECT 5; LOAD DATA LOCAL INFILE 'f' REPLACE INTO TABLE t(id, name); SELECT 6",
        ),
        query("explain", "EXPLAIN SELECT * FROM t"),
        query("show_warnings", "SHOW WARNINGS"),
        query("truncate", "TRUNCATE t"),
    ]
}

fn session() -> Vec<Case> {
    vec![
        query("use", "USE captures"),
        query("use_other", "USE mysql"),
        query("use_back", "USE captures"),
        query("set_one", "SET sql_select_limit=100"),
        query("set_several", "SET autocommit=1, lock_wait_timeout=17, sql_mode='ANSI_QUOTES', @a=1"),
        query("set_back", "SET sql_mode='', sql_select_limit=DEFAULT"),
        query("set_names", "SET NAMES latin1"),
        query("set_names_back", "SET NAMES utf8mb4"),
        query("set_user_variable", "SET @x='y'"),
        query("autocommit_off", "SET autocommit=0"),
        query("write_in_transaction", "INSERT INTO t(name) VALUES ('t')"),
        query("read_in_transaction", "SELECT COUNT(*) FROM t"),
        query("rollback", "ROLLBACK"),
        query("autocommit_on", "SET autocommit=1"),
        query("begin", "START TRANSACTION READ ONLY"),
        query("isolation_read", "SELECT id FROM t LIMIT 1"),
        query("commit", "COMMIT"),
        query("begin_multi", "BEGIN; INSERT INTO t(name) VALUES ('u'); SELECT 1; COMMIT"),
        query("lock_tables", "LOCK TABLES t WRITE"),
        query("unlock_tables", "UNLOCK TABLES"),
        query("temporary_table", "CREATE TEMPORARY TABLE tt(a INT)"),
    ]
}

fn prepared() -> Vec<Case> {
    let one_int = [0, 1, 0x03, 0, 7, 0, 0, 0];
    vec![
        prepare("prepare_both", "SELECT seq, ? AS x FROM seq_1_to_3 WHERE seq > ?"),
        execute("execute_rows", 0, &[0, 1, 3, 0, 3, 0, 9, 0, 0, 0, 0, 0, 0, 0]),
        prepare("prepare_nothing", "DO 1"),
        execute("execute_nothing", 0, &[]),
        prepare("prepare_columns", "SELECT seq, NULL, CONCAT('v', seq) FROM seq_1_to_5"),
        execute("execute_columns", 0, &[]),
        execute("execute_cursor", 1, &[]),
        case("fetch_two", Fetch, with_id(0x1C, u32::MAX, &2u32.to_le_bytes())),
        case("fetch_rest", Fetch, with_id(0x1C, u32::MAX, &100u32.to_le_bytes())),
        case("fetch_after_end", Fetch, with_id(0x1C, u32::MAX, &100u32.to_le_bytes())),
        execute("execute_cursor_again", 1, &[]),
        case("stmt_reset", Simple, with_id(0x1A, u32::MAX, &[])),
        prepare("prepare_insert", "INSERT INTO t(name) VALUES (?)"),
        execute("execute_insert", 0, &one_int),
        execute("execute_insert_types_known", 0, &[0, 0, 8, 0, 0, 0]),
        execute("execute_insert_cursor", 1, &one_int),
        case("bulk_insert", Execute, bulk(&[b"p", b"q", b"r"])),
        prepare("prepare_returning", "INSERT INTO t(name) VALUES (?) RETURNING id"),
        case("bulk_returning", Execute, bulk(&[b"s"])),
        prepare("prepare_call", "CALL two()"),
        execute("execute_call", 0, &[]),
        prepare("prepare_call_out", "CALL out_param(?)"),
        execute("execute_call_out", 0, &one_int),
        prepare("prepare_error", "SELECT * FROM nowhere"),
        case("execute_unknown", Execute, with_id(0x17, 4711, &[0, 1, 0, 0, 0])),
        case("fetch_unknown", Fetch, with_id(0x1C, 4711, &1u32.to_le_bytes())),
        query("text_prepare", "PREPARE s FROM 'SELECT 1 + ?'; EXECUTE s USING 2; DEALLOCATE PREPARE s"),
    ]
}

/// A bulk execution with one text parameter in each row.
fn bulk(rows: &[&[u8]]) -> Vec<u8> {
    let mut payload = with_id(0xFA, u32::MAX, &[128, 0, 0xFE, 0]);
    for row in rows {
        payload.extend_from_slice(&[0, row.len() as u8]);
        payload.extend_from_slice(row);
    }
    payload
}

fn others() -> Vec<Case> {
    vec![
        case("field_list", FieldList, super::client::text_command(0x04, b"t\0%")),
        case("field_list_unknown", FieldList, super::client::text_command(0x04, b"nowhere\0%")),
        case("statistics", Statistics, vec![0x09]),
        case("process_info", Query, vec![0x0A]),
        case("ping", Simple, vec![0x0E]),
        case("set_option", Simple, vec![0x1B, 1, 0]),
        case("set_option_back", Simple, vec![0x1B, 0, 0]),
        case("init_db_unknown", Simple, super::client::text_command(0x02, b"nowhere")),
        case("process_kill_unknown", Simple, with_id(0x0C, 999_999, &[])),
        case("debug", Simple, vec![0x0D]),
        case("reset_connection", Simple, vec![0x1F]),
        case("unknown_command", Simple, vec![0x7F]),
        query("select_after_all", "SELECT 1"),
    ]
}
