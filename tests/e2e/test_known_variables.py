"""User variables that were set to literals: a session can lose its connection without them, however short ago that was."""

import pymysql
import pytest
from e2e.harness.mariadb import APP_USER, REPLICATION_PASSWORD, REPLICATION_USER

pytestmark = pytest.mark.gateway

CLUSTER = f"""replication_user = "{REPLICATION_USER}"
replication_password = "{REPLICATION_PASSWORD}"
"""
# A session that has rested cannot give its connection back because of such a name: what comes back is known from the texts.
KEPT = "`a name with spaces`"
LITERALS = {
    KEPT: "1",
    "i": "-7",
    "u": "18446744073709551615",
    "d": "1.50",
    "f": "1e-1",
    "s": "'it''s \\\\ \"quoted\" ä'",
    "e": "''",
    "h": "0xE4",
    "x": "X'00FF27'",
    "b": "b'101'",
    "n": "NULL",
    "t": "TRUE",
}
# What the server reads them under, and another state that the session is in afterwards.
STATES = {
    "utf8mb4": ("utf8mb4", "SET NAMES utf8mb4 COLLATE utf8mb4_german2_ci", "", "SET NAMES utf8mb4"),
    "latin1": ("latin1", "SET NAMES latin1 COLLATE latin1_german1_ci", "NO_BACKSLASH_ESCAPES", "SET NAMES utf8mb4"),
    "empty": ("utf8mb4", "SET NAMES utf8mb4", "EMPTY_STRING_IS_NULL", "SET NAMES latin1"),
}


@pytest.fixture
def cluster(own_topology):
    return own_topology(replicas=1, cluster=CLUSTER)


def connect(topology, **more):
    return pymysql.connect(**topology.endpoint.keywords(autocommit=True, **more))


def described(cursor):
    """Value, type, character set and collation of every variable, as a table made from them has it."""
    columns = ", ".join(f"@{name} AS {name}" for name in LITERALS)
    cursor.execute(f"CREATE OR REPLACE TABLE known AS SELECT {columns}")
    cursor.execute("SHOW CREATE TABLE known")
    shape = cursor.fetchone()[1]
    cursor.execute("SELECT " + ", ".join(f"HEX(@{n}), CHARSET(@{n}), COLLATION(@{n}), COERCIBILITY(@{n})" for n in LITERALS))
    return shape, cursor.fetchone()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("at_once", [True, False], ids=["one text", "a text for each"])
def test_values_types_and_collations_come_back(cluster, state, at_once):
    charset, names, mode, later = STATES[state]
    with connect(cluster, charset=charset) as connection, connection.cursor() as cursor:
        cursor.execute(names)
        cursor.execute("SET sql_mode = %s", (mode,))
        assignments = [f"@{name} = {value}" for name, value in LITERALS.items()]
        for text in [", ".join(assignments)] if at_once else assignments:
            cursor.execute(f"SET {text}")
        cursor.execute("SET sql_mode = ''")
        cursor.execute(later)
        before = described(cursor)
        cursor.execute("SELECT @@sql_mode, @@character_set_client, @@collation_connection")
        settings = cursor.fetchone()
        cluster.switch_over()
        assert described(cursor) == before
        cursor.execute("SELECT @@sql_mode, @@character_set_client, @@collation_connection")
        assert cursor.fetchone() == settings


def test_the_last_value_counts_and_they_come_back_more_than_once(cluster):
    with connect(cluster) as connection, connection.cursor() as cursor:
        for value in (1, 2, 3):
            cursor.execute(f"SET @{KEPT} = {value}, @other = 'of {value}'")
        cursor.execute("SET @OTHER = 'last'")
        for _ in range(2):
            cluster.switch_over()
            cursor.execute(f"SELECT @{KEPT}, @other")
            assert cursor.fetchone() == (3, "last")


def test_a_transaction_is_lost_and_the_variables_are_not(cluster):
    cluster.primary.sql("CREATE TABLE app.jobs (id INT PRIMARY KEY)")
    cluster.settle()
    with connect(cluster) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET @{KEPT} = 5")
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO jobs VALUES (1)")
        cluster.switch_over()
        with pytest.raises(pymysql.err.OperationalError) as error:
            cursor.execute("INSERT INTO jobs VALUES (2)")
        assert error.value.args[0] == 1213
        cursor.execute(f"INSERT INTO jobs VALUES (@{KEPT})")
        assert cluster.primary.sql("SELECT id FROM app.jobs") == ((5,),)


def test_they_outlive_a_connection_that_breaks(cluster):
    with connect(cluster) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET @{KEPT} = 5")
        threads = cluster.primary.sql(f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{APP_USER}'")
        for (thread,) in threads:
            cluster.primary.sql(f"KILL {thread}")
        # The server's own error first, where it has still been sent.
        codes = []
        while not codes or codes[-1] != 1158:
            with pytest.raises(pymysql.err.OperationalError) as error:
                cursor.execute("DO 1")
            codes.append(error.value.args[0])
            assert set(codes) <= {1927, 1158} and len(codes) < 3
        cursor.execute(f"SELECT @{KEPT}")
        assert cursor.fetchone() == (5,)


UNKNOWN = {
    "expression": f"SET @{KEPT} = @{KEPT} + 1",
    "function": f"SET @{KEPT} = CONNECTION_ID()",
    "select": f"SELECT @{KEPT} := 5",
    "into": f"SELECT 5 INTO @{KEPT}",
    "too long": f"SET @{KEPT} = '{'x' * 20000}'",
    "failed": f"SET @{KEPT} = 5, @other = (SELECT 1 UNION SELECT 2)",
}


@pytest.mark.parametrize("statement", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_ends_the_session_instead_of_being_wrong(cluster, statement):
    with connect(cluster) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET @{KEPT} = 1")
        try:
            cursor.execute(statement)
        except pymysql.err.OperationalError as error:
            assert error.args[0] == 1242
        cluster.switch_over()
        with pytest.raises(pymysql.err.OperationalError) as error:
            cursor.execute(f"SELECT @{KEPT}")
        assert error.value.args[0] == 2013
