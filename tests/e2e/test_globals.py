"""SET GLOBAL: sessions that are there keep what they began with, new ones have the new value, as on a server."""

import contextlib

import pymysql
import pytest
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER

CHANGES = {
    "group_concat_max_len": "4096",
    "time_zone": "'+07:00'",
    "sql_mode": "'ANSI_QUOTES'",
    "tx_isolation": "'SERIALIZABLE'",
    "lock_wait_timeout": "99",
    "max_statement_time": "33.5",
    "autocommit": "0",
}


@pytest.fixture
def servers(own_topology):
    return own_topology(replicas=1)


@pytest.fixture
def sides(servers):
    """How to open a connection to hadal, and to the primary."""
    with contextlib.ExitStack() as stack:

        def opener(port):
            def open_connection():
                connection = pymysql.connect(
                    host="127.0.0.1", port=port, user=ADMIN_USER, password=ADMIN_PASSWORD, database="app", autocommit=None
                )
                stack.callback(connection.close)
                return connection

            return open_connection

        yield [opener(servers.endpoint.port), opener(servers.primary.port)]


def ask(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def restore(servers, names):
    old = {name: servers.primary.variable(name) for name in names}
    return lambda: servers.primary.sql(*(f"SET GLOBAL {name} = {value!r}" for name, value in old.items()))


@pytest.mark.parametrize("name", CHANGES)
def test_a_session_keeps_the_values_of_its_beginning(servers, sides, name):
    undo = restore(servers, [name])
    answers = []
    for enter in sides:
        setter, idle, busy, owner = (enter() for _ in range(4))
        ask(busy, "SELECT 1")
        ask(owner, f"SET SESSION {name} = DEFAULT")
        read = f"SELECT @@session.{name}"
        before = ask(busy, read)
        ask(setter, f"SET GLOBAL {name} = {CHANGES[name]}")
        new = enter()
        # More of them at once than there can be old connections.
        seen = [ask(session, f"{read}, @@global.{name}") for session in (setter, idle, busy, owner, new)]
        ask(idle, f"SET SESSION {name} = DEFAULT")
        answers.append([before, *seen, ask(idle, read)])
        undo()
    assert answers[0] == answers[1]
    assert answers[0][1][0][0] != answers[0][5][0][0]


def test_quotes_mean_what_they_meant(servers, sides):
    undo = restore(servers, ["sql_mode"])
    answers = []
    for enter in sides:
        setter, old = enter(), enter()
        ask(setter, "SET GLOBAL sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")
        new = enter()
        answers.append([ask(old, 'SELECT "name" FROM whoami LIMIT 1'), ask(new, 'SELECT "a".name IS NULL FROM whoami "a" LIMIT 1')])
        undo()
    assert answers[0] == answers[1] == [(("name",),), ((0,),)]


def test_a_setting_of_ones_own_stays(servers, sides):
    undo = restore(servers, ["group_concat_max_len"])
    answers = []
    for enter in sides:
        setter, own = enter(), enter()
        ask(own, "SET group_concat_max_len = 555")
        ask(setter, "SET GLOBAL group_concat_max_len = 777")
        answers.append([ask(own, "SELECT @@group_concat_max_len") for _ in range(3)])
        undo()
    assert answers[0] == answers[1] == [((555,),)] * 3
