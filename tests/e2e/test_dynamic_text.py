"""Texts that `PREPARE … FROM`, `EXECUTE IMMEDIATE` and stored routines run: ids of threads in them are hadal's."""

import pymysql
import pytest

DIALECTS = {
    "immediate": ["EXECUTE IMMEDIATE 'SELECT {call}, ''ä'' AS x'"],
    "immediate, put together": ["EXECUTE IMMEDIATE CONCAT('SELECT {call}, ', '''ä'' AS x')"],
    "immediate, in a variable": ["SET @text = 'SELECT {call}, ''ä'' AS x'", "EXECUTE IMMEDIATE @text"],
    "prepared": ["PREPARE s FROM 'SELECT {call}, ''ä'' AS x'", "EXECUTE s"],
    "prepared, twice": ["PREPARE s FROM 'SELECT {call}, ''ä'' AS x'", "EXECUTE s", "EXECUTE S"],
    "prepared, in a variable": ["SET @text = 'SELECT {call}, ''ä'' AS x'", "PREPARE s FROM @text", "EXECUTE s"],
    "prepared, with a parameter": ["PREPARE s FROM 'SELECT {call}, ? AS x'", "SET @a = 'ä'", "EXECUTE s USING @a"],
    "prepared again": ["PREPARE s FROM 'SELECT 1'", "PREPARE s FROM 'SELECT {call}, ''ä'' AS x'", "EXECUTE s"],
}


@pytest.fixture
def connection(connect):
    return connect(charset="utf8mb4")


def said(connection, *statements):
    """The last statement's rows, and the names of its columns."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall(), [column[0] for column in cursor.description]


@pytest.mark.parametrize("call", ["CONNECTION_ID()", "connection_id( )", "@@pseudo_thread_id"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_session_is_told_its_own_id(connection, dialect, call):
    rows, names = said(connection, *(statement.format(call=call) for statement in DIALECTS[dialect]))
    assert rows == ((connection.thread_id(), "ä"),)
    assert names == [call, "x"]


def test_only_calls_are_calls(connection):
    rows, names = said(connection, "EXECUTE IMMEDIATE 'SELECT \"CONNECTION_ID()\", 1 AS `CONNECTION_ID()` -- CONNECTION_ID()'")
    assert rows == (("CONNECTION_ID()", 1),)
    assert names == ["CONNECTION_ID()", "CONNECTION_ID()"]


def test_a_name_that_was_given_to_another_text_has_its_own_columns(connection):
    said(connection, "PREPARE s FROM 'SELECT CONNECTION_ID()'", "EXECUTE s")
    assert said(connection, "PREPARE s FROM 'SELECT CAST(1 AS UNSIGNED)'", "EXECUTE s")[1] == ["CAST(1 AS UNSIGNED)"]


@pytest.fixture
def killing(topology):
    made = "CREATE OR REPLACE PROCEDURE app.killing(id BIGINT) BEGIN KILL id; END"
    topology.primary.sql(made)
    yield
    topology.primary.sql("DROP PROCEDURE app.killing")


@pytest.mark.gateway
def test_a_routine_cannot_kill_a_session_and_says_so(connection, connect, killing):
    target = connect()
    with connection.cursor() as cursor:
        with pytest.raises(pymysql.err.MySQLError) as error:
            cursor.execute(f"CALL killing({target.thread_id()})")
        assert error.value.args[0] == 1094
        assert f"Unknown thread id: {target.thread_id()} (hadal: " in error.value.args[1]
        cursor.execute("SELECT 2")
        assert cursor.fetchall() == ((2,),)
    target.ping(reconnect=False)


def test_a_routine_kills_a_thread_of_the_server(connection, topology, killing):
    with topology.primary.connect(user="app", password="app-password") as victim:
        with connection.cursor() as cursor:
            cursor.execute(f"CALL killing({victim.thread_id()})")
        with pytest.raises(pymysql.err.MySQLError):
            victim.ping(reconnect=False)
