"""User variables of sessions that rest: their connection is given back, and the variables come again with the next statement."""

import pymysql
import pytest
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway

# Every type that a user variable can have, with what must come back beside the value.
VALUES = {
    "i": "-7",
    "u": "CAST(18446744073709551615 AS UNSIGNED)",
    "d": "CAST(1.50 AS DECIMAL(10,2))",
    "f": "0.1e0",
    "s": "'it''s \\\\ \"quoted\"'",
    "l": "_latin1 X'E4' COLLATE latin1_german1_ci",
    "b": "X'00FF27'",
    "n": "NULL",
    "e": "''",
    "t": "DATE '2024-02-29'",
}


def connect(topology, **more):
    return pymysql.connect(**topology.endpoint.keywords(autocommit=True, **more))


def described(cursor):
    """The variables with types, as a table made from them has it, and their collations."""
    cursor.execute("CREATE OR REPLACE TABLE carried AS SELECT " + ", ".join(f"@{name} AS {name}" for name in VALUES))
    cursor.execute("SHOW CREATE TABLE carried")
    shape = cursor.fetchone()[1]
    cursor.execute("SELECT " + ", ".join(f"HEX(@{n}), @{n}, COLLATION(@{n}), COERCIBILITY(@{n})" for n in VALUES))
    return shape, cursor.fetchone()


def pins(topology, connection):
    sessions = topology.gateway.json("/api/v1/sessions")["sessions"]
    (mine,) = [s for s in sessions if s["id"] == connection.thread_id()]
    return mine["pinned_by"]


@pytest.mark.parametrize("mode", ["", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"])
def test_values_types_and_collations_come_back(own_topology, mode):
    topology = own_topology(replicas=1)
    with connect(topology) as connection, connection.cursor() as cursor:
        cursor.execute("SET " + ", ".join(f"@{name} = {value}" for name, value in VALUES.items()))
        cursor.execute("SET sql_mode = %s", (mode,))
        before = described(cursor)
        assert pins(topology, connection) == ["user variable"]
        eventually(lambda: not pins(topology, connection), within=20, what="the connection is given back")
        assert described(cursor) == before
        assert pins(topology, connection) == ["user variable"]


def test_nobody_else_sees_them_and_what_the_last_statement_left_is_kept(own_topology):
    topology = own_topology(replicas=1, pool="max_connections = 1")
    with connect(topology) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE numbered (id INT PRIMARY KEY AUTO_INCREMENT)")
        cursor.execute("SET @mine = 5")
        cursor.execute("INSERT INTO numbered VALUES (NULL)")
        cursor.execute("SELECT 1/0")
        eventually(lambda: not pins(topology, connection), within=20, what="the connection is given back")
        # There is one connection to the primary: it is the same one.
        with connect(topology) as other, other.cursor() as others:
            others.execute("SELECT @mine, LAST_INSERT_ID() FROM numbered FOR UPDATE")
            assert others.fetchall() == ((None, 0),)
        cursor.execute("SHOW WARNINGS")
        assert "1365" in str(cursor.fetchall())
        cursor.execute("SELECT @mine, LAST_INSERT_ID()")
        assert cursor.fetchone() == (5, 1)
        connection.commit()


def test_what_cannot_be_carried_keeps_its_connection(own_topology):
    topology = own_topology(replicas=1)
    with connect(topology) as connection, connection.cursor() as cursor:
        cursor.execute("SET @`a name with spaces` = 1")
        with connect(topology) as other, other.cursor() as others:
            others.execute("SET @plain = 1")
            eventually(lambda: not pins(topology, other), within=20, what="the other one's connection is given back")
        assert pins(topology, connection) == ["user variable"]
        cursor.execute("SELECT @`a name with spaces`")
        assert cursor.fetchone() == (1,)


def test_a_session_that_is_reset_carries_nothing(own_topology):
    topology = own_topology(replicas=1)
    with connect(topology) as connection, connection.cursor() as cursor:
        cursor.execute("SET @gone = 1")
        eventually(lambda: not pins(topology, connection), within=20, what="the connection is given back")
        connection._execute_command(0x1F, b"")
        connection._read_ok_packet()
        cursor.execute("SELECT @gone")
        assert cursor.fetchone() == (None,)
