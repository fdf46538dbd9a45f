"""mysqlclient: the C library's protocol, unchanged."""

import MySQLdb
import MySQLdb.cursors
import pytest


@pytest.fixture
def connection(endpoint):
    connection = MySQLdb.connect(**endpoint.keywords(charset="utf8mb4"))
    yield connection
    connection.close()


def test_default_connections_are_transactions(connection, topology, table):
    cursor = connection.cursor()
    cursor.execute(f"INSERT INTO {table} (note) VALUES (%s)", ("ä",))
    assert topology.primary.sql(f"SELECT COUNT(*) FROM app.{table}") == ((3,),)
    connection.commit()
    assert topology.primary.sql(f"SELECT COUNT(*) FROM app.{table}") == ((4,),)


def test_executemany_and_rowcounts(connection, table):
    cursor = connection.cursor()
    assert cursor.executemany(f"INSERT INTO {table} (note) VALUES (%s)", [(str(n),) for n in range(500)]) == 500
    assert cursor.execute(f"SELECT * FROM {table}") == 503
    connection.rollback()


def test_multi_statements_are_on_by_default(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 2")
    assert cursor.fetchall() == ((1,),)
    assert cursor.nextset() == 1
    assert cursor.fetchall() == ((2,),)


def test_server_side_rows_stream(connection):
    cursor = connection.cursor(MySQLdb.cursors.SSCursor)
    cursor.execute("SELECT seq, REPEAT('x', 100) FROM seq_1_to_30000")
    assert sum(1 for _ in cursor) == 30000
    cursor.close()


def test_load_data_local(endpoint, table, tmp_path):
    file = tmp_path / "rows"
    file.write_text("50\tfifty\n51\tfifty-one\n")
    connection = MySQLdb.connect(**endpoint.keywords(local_infile=1, autocommit=True))
    cursor = connection.cursor()
    assert cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table}") == 2
    connection.close()


def test_ping_info_and_thread_id(connection, topology):
    connection.ping()
    assert "Uptime" in connection.stat()
    cursor = connection.cursor()
    cursor.execute("SELECT CONNECTION_ID()")
    assert cursor.fetchone() == (connection.thread_id(),)
    assert connection.get_server_info() == topology.primary.variable("version")


def test_change_user_keeps_working(connection, endpoint):
    cursor = connection.cursor()
    cursor.execute("SET @a = 1")
    connection.change_user(endpoint.user, endpoint.password, endpoint.database)
    cursor.execute("SELECT @a, DATABASE()")
    assert cursor.fetchone() == (None, "app")


def test_warnings(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT 1/0")
    assert connection.warning_count() == 1
    assert connection.show_warnings()[0][1] == 1365
