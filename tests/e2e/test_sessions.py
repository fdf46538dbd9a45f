"""What a session set stays its own, whichever server connection answers."""

import contextlib
import threading

import pymysql
import pytest
from e2e.harness.waiting import eventually


def test_session_variables_survive_and_do_not_leak(connect, run):
    one, other = connect(), connect()
    run("SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+05:00', max_statement_time = 30", on=one)
    for _ in range(30):
        assert run('SELECT @@sql_mode, @@time_zone, @@max_statement_time', on=one) == (("ANSI_QUOTES", "+05:00", 30.0),)
        assert run("SELECT @@time_zone, @@max_statement_time", on=other) == (("SYSTEM", 0.0),)


def test_ansi_quotes_change_what_a_string_is(connect, run, table):
    connection = connect()
    run("SET sql_mode = 'ANSI_QUOTES'", on=connection)
    assert run(f'SELECT "note" FROM {table} WHERE "id" = 1', on=connection) == (("one",),)
    assert run(f'SELECT "note" FROM {table} WHERE id = 1', on=connect()) == (("note",),)


def test_character_sets_follow_the_session(connect, run):
    latin = connect(charset="latin1")
    for _ in range(10):
        assert run("SELECT HEX('ä'), @@character_set_client", on=latin) == (("E4", "latin1"),)
        assert run("SELECT HEX('ä'), @@character_set_client", on=connect()) == (("C3A4", "utf8mb4"),)


def test_user_variables_stay_with_their_session(connect, run):
    one, other = connect(), connect()
    run("SET @mine = 41, @text = 'it''s'", on=one)
    for _ in range(20):
        assert run("SELECT @mine + 1, @text", on=one) == ((42, "it's"),)
        assert run("SELECT @mine", on=other) == ((None,),)


def test_temporary_tables_stay_with_their_session(connect, run):
    one, other = connect(), connect()
    run("CREATE TEMPORARY TABLE basket (item INT)", on=one)
    run("INSERT INTO basket VALUES (1), (2)", on=one)
    for _ in range(20):
        assert run("SELECT COUNT(*) FROM basket", on=one) == ((2,),)
    with pytest.raises(pymysql.err.ProgrammingError):
        run("SELECT * FROM basket", on=other)


def test_a_temporary_table_is_gone_with_its_session(connect, run):
    one = connect()
    run("CREATE TEMPORARY TABLE fleeting (item INT)", on=one)
    one.close()
    for _ in range(5):
        with pytest.raises(pymysql.err.ProgrammingError):
            run("SELECT * FROM fleeting /* primary */ FOR UPDATE")


def test_last_insert_id_found_rows_and_row_count(connect, run, table, topology):
    connection, noise = connect(), connect()
    run(f"INSERT INTO {table} (note) VALUES ('x')", on=connection)
    inserted = run(f"SELECT MAX(id) FROM {table}", on=connection)[0][0]
    run(f"INSERT INTO {table} (note) VALUES ('y')", on=noise)
    # What another session wrote is not promised to this one at once.
    topology.settle()
    assert run("SELECT LAST_INSERT_ID()", on=connection) == ((inserted,),)
    run(f"SELECT SQL_CALC_FOUND_ROWS * FROM {table} LIMIT 1", on=connection)
    run("SELECT 1", on=noise)
    assert run("SELECT FOUND_ROWS()", on=connection) == ((5,),)
    run(f"UPDATE {table} SET note = 'z' WHERE id <= 2", on=connection)
    run("DO 1", on=noise)
    assert run("SELECT ROW_COUNT()", on=connection) == ((2,),)


def test_locks_belong_to_their_session(connect, run):
    one, other = connect(), connect()
    assert run("SELECT GET_LOCK('e2e', 0)", on=one) == ((1,),)
    assert run("SELECT GET_LOCK('e2e', 0)", on=other) == ((0,),)
    one.close()
    eventually(lambda: run("SELECT GET_LOCK('e2e', 0)", on=other) == ((1,),), what="the lock is free")


def test_lock_tables_is_a_sessions_own(connect, run, table):
    one, other = connect(), connect()
    run(f"LOCK TABLES {table} WRITE", on=one)
    run("SET SESSION lock_wait_timeout = 1", on=other)
    with pytest.raises(pymysql.err.OperationalError) as error:
        run(f"INSERT INTO {table} (note) VALUES ('blocked')", on=other)
    assert error.value.args[0] == 1205
    run("UNLOCK TABLES", on=one)
    run(f"INSERT INTO {table} (note) VALUES ('free')", on=other)


def test_text_prepared_statements(connect, run, table):
    connection = connect()
    run(f"PREPARE pick FROM 'SELECT note FROM {table} WHERE id = ?'", on=connection)
    run("SET @id = 2", on=connection)
    for _ in range(10):
        assert run("EXECUTE pick USING @id", on=connection) == (("two",),)
    run("DEALLOCATE PREPARE pick", on=connection)
    with pytest.raises(pymysql.err.MySQLError) as error:
        run("EXECUTE pick USING @id", on=connection)
    assert error.value.args[0] == 1243


def test_isolation_levels_are_kept(connect, run):
    connection = connect()
    run("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", on=connection)
    for _ in range(10):
        assert run("SELECT @@tx_isolation", on=connection) == (("SERIALIZABLE",),)
        assert run("SELECT @@tx_isolation", on=connect()) == (("REPEATABLE-READ",),)


@pytest.mark.parametrize("setting", ["SET @@tx_read_only = 1", "/*!40101 SET @@tx_read_only = 1 */"])
def test_what_is_set_for_the_next_transaction_ends_with_it(connect, run, table, setting):
    connection, other = connect(), connect()
    run(setting, on=connection)
    assert run("SELECT @@tx_read_only", on=connection) == ((0,),)
    run(f"INSERT INTO {table} VALUES (11, 'of another')", on=other)
    run("BEGIN", on=connection)
    with pytest.raises(pymysql.err.MySQLError) as error:
        run(f"INSERT INTO {table} VALUES (12, 'read only')", on=connection)
    assert error.value.args[0] == 1792
    run("ROLLBACK", on=connection)
    run("BEGIN", on=connection)
    run(f"INSERT INTO {table} VALUES (12, 'no more')", on=connection)
    run("COMMIT", on=connection)


def test_kill_query_stops_a_statement_and_keeps_the_session(connect, run):
    victim, killer = connect(), connect()
    outcome = []

    def wait_long():
        try:
            outcome.append(run("SELECT SLEEP(60)", on=victim))
        except pymysql.err.MySQLError as error:
            outcome.append(error)

    thread = threading.Thread(target=wait_long, daemon=True)
    thread.start()

    def sleeping():
        return [row for row in run("SHOW FULL PROCESSLIST", on=killer) if row[7] and "SLEEP(60)" in row[7]]

    eventually(sleeping, what="the statement runs")
    run(f"KILL QUERY {victim.thread_id()}", on=killer)
    thread.join(40)
    assert not thread.is_alive()
    # SLEEP returns 1 when interrupted, or the statement fails with 1317.
    assert outcome[0] == ((1,),) or outcome[0].args[0] == 1317
    assert run("SELECT 1", on=victim) == ((1,),)


def test_kill_ends_a_session_and_no_other(connect, run):
    victim, killer, bystander = connect(), connect(), connect()
    run("SELECT 1", on=victim)
    run("SELECT 1", on=bystander)
    killer.kill(victim.thread_id())

    def error():
        try:
            return run("SELECT 1", on=victim) and None
        except pymysql.err.MySQLError as error:
            return error.args[0]

    assert eventually(error, within=5, what="the killed session ends") in (1927, 2006, 2013)
    assert run("SELECT 1", on=bystander) == ((1,),)


def test_kill_of_nobody_is_the_servers_error(run):
    with pytest.raises(pymysql.err.MySQLError) as error:
        run("KILL 4294967290")
    assert error.value.args[0] == 1094


def test_savepoints(connect, run, table):
    connection = connect()
    for statement in (
        "BEGIN",
        f"INSERT INTO {table} (note) VALUES ('kept')",
        "SAVEPOINT here",
        f"INSERT INTO {table} (note) VALUES ('dropped')",
        "ROLLBACK TO SAVEPOINT here",
        "COMMIT",
    ):
        run(statement, on=connection)
    assert run(f"SELECT note FROM {table} WHERE id > 3", on=connection) == (("kept",),)


def test_a_client_that_leaves_in_a_transaction_leaves_no_trace(connect, run, table, topology):
    one = connect()
    run("BEGIN", on=one)
    run(f"UPDATE {table} SET note = 'half' WHERE id = 1", on=one)
    one._force_close()  # No COM_QUIT: the process died.
    other = connect()
    run("SET innodb_lock_wait_timeout = 5", on=other)
    run(f"UPDATE {table} SET note = 'whole' WHERE id = 1", on=other)
    assert topology.primary.sql(f"SELECT note FROM app.{table} WHERE id = 1") == (("whole",),)


def test_wait_timeout_ends_an_idle_session(connect, run):
    connection = connect()
    run("SET SESSION wait_timeout = 1", on=connection)
    connection._sock.settimeout(10)
    # The server closes the connection, perhaps with an error packet before; a socket timeout would fail the test.
    with contextlib.suppress(ConnectionResetError):
        while connection._sock.recv(1024):
            pass


def test_the_owner_of_a_lock_is_a_session(connect, run):
    one, other = connect(), connect()
    own = "SELECT IS_USED_LOCK('whose') = CONNECTION_ID() AS own, IS_USED_LOCK('whose') AS owner"
    assert run("SELECT GET_LOCK('whose', 0), IS_USED_LOCK('whose') = CONNECTION_ID()", on=one) == ((1, 1),)
    assert run(own, on=one) == ((1, one.thread_id()),)
    assert run(own, on=other) == ((0, one.thread_id()),)
    with other.cursor() as cursor:
        cursor.execute("SELECT IS_USED_LOCK('whose'), 1 + is_used_lock( 'nobody' )")
        names = [column[0] for column in cursor.description]
        assert (names, cursor.fetchall()) == (
            ["IS_USED_LOCK('whose')", "1 + is_used_lock( 'nobody' )"],
            ((one.thread_id(), None),),
        )
    run("DO RELEASE_LOCK('whose')", on=one)
    assert run(own, on=other) == ((None, None),)


def test_the_thread_id_is_the_sessions_own(connect, run):
    one = connect()
    same = "SELECT @@pseudo_thread_id, @@session.pseudo_thread_id = CONNECTION_ID()"
    assert run(same, on=one) == ((one.thread_id(), 1),)
    with one.cursor() as cursor:
        cursor.execute("SELECT @@pseudo_thread_id, @@pseudo_thread_id = CONNECTION_ID()")
        assert [column[0] for column in cursor.description] == [
            "@@pseudo_thread_id",
            "@@pseudo_thread_id = CONNECTION_ID()",
        ]


def test_a_thread_id_that_was_set_is_shown(topology, endpoint):
    from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER

    options = {"host": endpoint.host, "user": ADMIN_USER, "password": ADMIN_PASSWORD}
    with contextlib.closing(pymysql.connect(port=endpoint.port, **options)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET @@session.pseudo_thread_id = 77")
            cursor.execute("SELECT @@pseudo_thread_id")
            assert cursor.fetchall() == ((77,),)


def test_large_answers_keep_their_names(connect):
    connection = connect(max_allowed_packet=1 << 26)
    with connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("SELECT REPEAT('x', 1000000), CONNECTION_ID() FROM seq_1_to_40")
        names = [column[0] for column in cursor.description]
        rows = [(len(text), owner) for text, owner in cursor]
    assert names == ["REPEAT('x', 1000000)", "CONNECTION_ID()"]
    assert rows == [(1_000_000, connection.thread_id())] * 40


@pytest.mark.parametrize(
    "charset, codec, name",
    [("latin1", "cp1252", "café"), ("latin1", "cp1252", "€uro"), ("gbk", "gbk", "中文"), ("gbk", "gbk", "誠x"), ("utf8mb4", "utf-8", "日本")],
)
def test_names_of_databases_in_any_character_set(topology, charset, codec, name):
    from e2e.hostile import enter
    from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER

    root = {"user": ADMIN_USER, "password": ADMIN_PASSWORD}
    raw, shown = name.encode(codec), [(name.encode().hex().upper().encode(), b"7")]
    topology.primary.sql(
        f"CREATE DATABASE `{name}`", f"CREATE TABLE `{name}`.t (a INT)", f"INSERT INTO `{name}`.t VALUES (7)", charset="utf8mb4"
    )
    topology.settle()
    try:
        with contextlib.ExitStack() as opened:
            for command in (b"\x03USE `" + raw + b"`", b"\x02" + raw):
                client = enter(opened, topology.endpoint, **root)
                noise = enter(opened, topology.endpoint, **root)
                client.query(f"SET NAMES {charset}")
                assert client.command(command)[0][:1] == b"\0"
                for _ in range(5):
                    noise.query("SELECT 1")
                    assert client.rows("SELECT HEX(CONVERT(DATABASE() USING utf8mb4)), a FROM t") == shown
                    assert client.rows("SELECT @@character_set_client") == [(charset.encode(),)]
                client.query("SET NAMES utf8mb4")
                assert client.rows("SELECT HEX(DATABASE()), a FROM t FOR UPDATE") == shown
                client.query(f"SET NAMES {charset}")
                client.command(b"\x1f")
                assert client.rows("SELECT HEX(CONVERT(DATABASE() USING utf8mb4)), a FROM t") == shown
    finally:
        topology.primary.sql(f"DROP DATABASE `{name}`", charset="utf8mb4")


def test_a_login_names_its_database_in_its_own_character_set(topology, connect, run):
    from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER
    from wire import capability
    from wire.client import WireClient

    topology.primary.sql("CREATE DATABASE `café`", charset="utf8mb4")
    topology.settle()
    try:
        with WireClient(topology.endpoint.host, topology.endpoint.port) as client:
            client.greet()
            payload = client.response(ADMIN_USER, ADMIN_PASSWORD, "cafe", capability.DEFAULT)
            # Collation 8 is latin1_swedish_ci.
            payload = payload[:8] + b"\x08" + payload[9:].replace(b"cafe\0", b"caf\xe9\0")
            client.send(payload, 1)
            assert client.receive()[:1] == b"\0"
            assert client.rows("SELECT HEX(CONVERT(DATABASE() USING utf8mb4))") == [(b"636166C3A9",)]
    finally:
        topology.primary.sql("DROP DATABASE `café`", charset="utf8mb4")
