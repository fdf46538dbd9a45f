"""PyMySQL, unchanged."""

import datetime
import decimal

import pymysql
import pytest


def test_rows_of_many_types_come_back_as_their_python_values(run):
    row = run(
        "SELECT 1, -9223372036854775808, 18446744073709551615, 1.5e0, CAST('12.340' AS DECIMAL(10,3)), 'grüße', "
        "x'00ff', NULL, DATE'2024-02-29', TIMESTAMP'2024-02-29 12:34:56.789', TIME'-12:00:01'"
    )[0]
    assert row == (
        1,
        -(2**63),
        2**64 - 1,
        1.5,
        decimal.Decimal("12.340"),
        "grüße",
        b"\x00\xff",
        None,
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
        -datetime.timedelta(hours=12, seconds=1),
    )


def test_affected_rows_and_insert_ids(connect, table):
    connection = connect()
    with connection.cursor() as cursor:
        assert cursor.execute(f"INSERT INTO {table} (note) VALUES ('a'), ('b')") == 2
        first = cursor.lastrowid
        assert cursor.execute("SELECT LAST_INSERT_ID()") == 1
        assert cursor.fetchone() == (first,)
        # The default client counts changed rows, not matched ones.
        assert cursor.execute(f"UPDATE {table} SET note = 'a' WHERE id = %s", (first,)) == 0


def test_found_rows_clients_count_matched_rows(connect, table):
    connection = connect(client_flag=pymysql.constants.CLIENT.FOUND_ROWS)
    plain = connect()
    with connection.cursor() as cursor, plain.cursor() as other:
        for _ in range(3):
            assert cursor.execute(f"UPDATE {table} SET note = 'one' WHERE id = 1") == 1
            assert other.execute(f"UPDATE {table} SET note = 'one' WHERE id = 1") == 0


def test_multi_statements_and_multi_results(connect, table):
    connection = connect(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1; UPDATE {table} SET note = 'x' WHERE id < 3; SELECT note FROM {table} WHERE id = 1")
        assert cursor.fetchall() == ((1,),)
        assert cursor.nextset() and cursor.rowcount == 2
        assert cursor.nextset() and cursor.fetchall() == (("x",),)
        assert not cursor.nextset()


def test_a_failing_statement_ends_a_multi_statement(connect, table):
    connection = connect(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = 1; SELECT * FROM not_there; DELETE FROM {table} WHERE id = 2")
        with pytest.raises(pymysql.err.ProgrammingError) as error:
            cursor.nextset()
        assert error.value.args[0] == 1146
        cursor.execute(f"SELECT id FROM {table} ORDER BY id")
        assert cursor.fetchall() == ((2,), (3,))


def test_a_client_that_did_not_ask_for_multi_statements_gets_none(run):
    with pytest.raises(pymysql.err.ProgrammingError) as error:
        run("SELECT 1; SELECT 2")
    assert error.value.args[0] == 1064


def test_stored_procedures_with_results_and_out_values(topology, connect):
    topology.primary.sql(
        "CREATE OR REPLACE PROCEDURE app.twice(IN n INT, OUT doubled INT) "
        "BEGIN SELECT n AS given; SELECT n * 2 AS result; SET doubled = n * 2; END"
    )
    topology.settle()
    with connect().cursor() as cursor:
        cursor.callproc("twice", (21, 0))
        assert cursor.fetchall() == ((21,),)
        assert cursor.nextset() and cursor.fetchall() == ((42,),)
        cursor.nextset()
        cursor.execute("SELECT @_twice_1")
        assert cursor.fetchone() == (42,)


def test_load_data_local_sends_the_clients_file(connect, table, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("".join(f"{n}\tline {n}\n" for n in range(100, 1100)))
    with connect(local_infile=True).cursor() as cursor:
        assert cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table}") == 1000
        cursor.execute(f"SELECT COUNT(*), MAX(id) FROM {table}")
        assert cursor.fetchone() == (1003, 1099)


def test_load_data_local_of_a_missing_file_leaves_the_connection_usable(connect, table):
    with connect(local_infile=True).cursor() as cursor:
        with pytest.raises(pymysql.err.OperationalError) as error:
            cursor.execute(f"LOAD DATA LOCAL INFILE '/nowhere/rows' INTO TABLE {table}")
        assert error.value.args[0] == 1017
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_packets_over_sixteen_mebibytes_both_ways(run):
    value = "x" * (17 * 1024 * 1024)
    assert run("SELECT %s, LENGTH(%s)", (value, value[:10]))[0] == (value, 10)


def test_a_statement_of_exactly_the_packet_limit(run):
    prefix, suffix = "SELECT LENGTH('", "')"
    length = 2**24 - 1 - 1 - len(prefix) - len(suffix)
    assert run(prefix + "y" * length + suffix) == ((length,),)


def test_unbuffered_results_stream(connect):
    with connect().cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("SELECT seq FROM seq_1_to_50000")
        assert sum(row[0] for row in cursor) == 50000 * 50001 // 2


def test_warnings_are_shown_on_the_same_connection(connect, run):
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT CAST('12abc' AS SIGNED)")
        assert cursor.fetchone() == (12,)
        cursor.execute("SHOW WARNINGS")
        assert [(level, code) for level, code, _ in cursor.fetchall()] == [("Warning", 1292)]


def test_database_changes_are_followed(connect, topology):
    topology.primary.sql("CREATE DATABASE IF NOT EXISTS app_other")
    topology.settle()
    connection = connect()
    connection.select_db("app_other")
    with connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        assert cursor.fetchone() == ("app_other",)
        cursor.execute("USE app")
        cursor.execute("SELECT DATABASE()")
        assert cursor.fetchone() == ("app",)


def test_errors_carry_the_servers_number_and_text(run):
    with pytest.raises(pymysql.err.ProgrammingError) as error:
        run("SELECT * FROM not_there")
    assert error.value.args == (1146, "Table 'app.not_there' doesn't exist")


def test_rollback_undoes_and_commit_keeps(connect, topology, table):
    connection = connect(autocommit=False)
    for end, expected in ((connection.rollback, 3), (connection.commit, 4)):
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} (note) VALUES ('maybe')")
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            assert cursor.fetchone() == (4,), "a transaction sees its own rows"
        end()
        assert topology.primary.sql(f"SELECT COUNT(*) FROM app.{table}") == ((expected,),)
