"""Transactions that lose their primary and go on elsewhere, as if nothing had happened (`transaction_replay`)."""

import contextlib
import struct

import pymysql
import pytest
from e2e.harness.mariadb import APP_USER, REPLICATION_PASSWORD, REPLICATION_USER
from e2e.harness.topology import Topology
from e2e.harness.waiting import eventually
from e2e.hostile import prepare
from wire.client import ServerError, WireClient
from wire.codec import execute_payload, lenenc_bytes

pytestmark = pytest.mark.gateway

REPLAY = f"""transaction_replay = true
replication_user = "{REPLICATION_USER}"
replication_password = "{REPLICATION_PASSWORD}"
"""
TABLE = "CREATE TABLE app.jobs (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(40) UNIQUE, amount INT NOT NULL DEFAULT 0)"


def end_connections(topology):
    """The application's connections to the primary are gone, transactions with them."""
    threads = topology.primary.sql(f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{APP_USER}'")
    assert threads
    for (thread,) in threads:
        topology.primary.sql(f"KILL {thread}")
    count = f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{APP_USER}' AND ID IN ({','.join(str(t) for (t,) in threads)})"
    eventually(lambda: topology.primary.sql(count) == ((0,),), what="the connections are gone")


LOSSES = {"lost connection": end_connections, "switchover": Topology.switch_over}


@pytest.fixture(params=LOSSES)
def lose(request):
    return LOSSES[request.param]


@pytest.fixture
def cluster(own_topology):
    topology = own_topology(replicas=1, cluster=REPLAY)
    topology.primary.sql(TABLE)
    topology.settle()
    return topology


def connect(topology, **more):
    return pymysql.connect(**topology.endpoint.keywords(**more))


def replays(topology):
    """(succeeded, failed by reason) as the metrics tell."""
    lines = topology.gateway.http("/metrics")[1].splitlines()
    failed = {line.split('"')[1]: int(line.split()[-1]) for line in lines if line.startswith("hadal_replays_failed_total{")}
    (succeeded,) = [int(line.split()[-1]) for line in lines if line.startswith("hadal_replays_total ")]
    return succeeded, {reason: count for reason, count in failed.items() if count}


def state_of(topology, connection):
    sessions = topology.gateway.json("/api/v1/sessions")["sessions"]
    (mine,) = [s for s in sessions if s["id"] == connection.thread_id()]
    return mine["replay"]


def becomes(topology, connection, *states):
    """A client has its answer before its session has noted what it did."""
    eventually(lambda: state_of(topology, connection) in states, what=f"it becomes one of {states}")


def test_a_transaction_goes_on(cluster, lose):
    with connect(cluster, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET @mine = 41, SESSION sort_buffer_size = 400000")
        becomes(cluster, connection, "idle")
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO jobs (note) VALUES ('one')")
        first = cursor.lastrowid
        cursor.execute("SAVEPOINT half")
        cursor.execute("INSERT INTO jobs (note, amount) VALUES ('two', @mine + 1)")
        cursor.execute("SET @mine = 42, SESSION sort_buffer_size = 500000")
        with pytest.raises(pymysql.err.IntegrityError):
            cursor.execute("INSERT INTO jobs (note) VALUES ('one')")
        becomes(cluster, connection, "ready")
        lose(cluster)
        cursor.execute("SELECT LAST_INSERT_ID(), @mine, @@sort_buffer_size")
        assert cursor.fetchone() == (first + 1, 42, 500000)
        cursor.execute("SELECT note, amount FROM jobs ORDER BY id")
        assert cursor.fetchall() == (("one", 0), ("two", 42))
        cursor.execute("ROLLBACK TO half")
        cursor.execute("INSERT INTO jobs (note) VALUES ('three')")
        cursor.execute("COMMIT")
        assert cluster.primary.sql("SELECT id, note FROM app.jobs ORDER BY id")[0] == (first, "one")
        assert [note for _, note in cluster.primary.sql("SELECT id, note FROM app.jobs ORDER BY id")] == ["one", "three"]
        cursor.execute("SELECT @mine")
        assert cursor.fetchone() == (42,)
    assert replays(cluster) == (1, {})


def test_generated_ids_stay_what_they_were(cluster, lose):
    """Other transactions have taken ids in between, and are gone; those of this one were told already."""
    with connect(cluster, autocommit=True) as connection, connection.cursor() as cursor:
        with connect(cluster) as other, other.cursor() as others:
            others.execute("INSERT INTO jobs (note) VALUES ('rolled back')")
            others.execute("ROLLBACK")
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO jobs (note) VALUES ('a'), ('b')")
        first = cursor.lastrowid
        lose(cluster)
        cursor.execute("UPDATE jobs SET amount = 5 WHERE id = %s", (first,))
        connection.commit()
        cursor.execute("INSERT INTO jobs (note) VALUES ('later')")
        assert cursor.lastrowid > first + 1
    rows = cluster.primary.sql("SELECT id, note, amount FROM app.jobs ORDER BY id")
    assert rows[:2] == ((first, "a", 5), (first + 1, "b", 0))
    assert replays(cluster) == (1, {})


def test_an_id_of_the_client_leaves_the_last_one(cluster, lose):
    """LAST_INSERT_ID() still is what it was before the transaction."""
    with connect(cluster, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('before')")
        before = cursor.lastrowid
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO jobs (id, note) VALUES (1000, 'mine')")
        lose(cluster)
        cursor.execute("SELECT LAST_INSERT_ID()")
        assert cursor.fetchone() == (before,)
        cursor.execute("COMMIT")
    assert replays(cluster) == (1, {})


def test_a_virtual_transaction_goes_on(cluster, lose):
    """`SET autocommit=0`, as Python drivers and ORMs do it."""
    with connect(cluster, autocommit=False) as connection, connection.cursor() as cursor:
        for number in range(3):
            cursor.execute("INSERT INTO jobs (note) VALUES (%s)", (f"job {number}",))
            if number == 1:
                lose(cluster)
        connection.commit()
        cursor.execute("SELECT COUNT(*) FROM jobs")
        assert cursor.fetchone() == (3,)
    assert cluster.primary.sql("SELECT COUNT(*) FROM app.jobs") == ((3,),)
    assert replays(cluster) == (1, {})


def execution(statement, *values, types=True):
    """The values are numbers or strings; their types are sent, or are those of the execution before."""
    encoded = [struct.pack("<i", v) if isinstance(v, int) else lenenc_bytes(v.encode()) for v in values]
    return execute_payload(statement, encoded, [(3, 0) if isinstance(v, int) else (253, 0) for v in values], types)


def done(client, payload):
    packets = client.command(payload)
    assert packets[-1][:1] != b"\xff", ServerError(packets[-1])
    return packets


def test_prepared_statements_keep_their_types(cluster, lose):
    with WireClient("127.0.0.1", cluster.gateway.port) as client:
        login = cluster.endpoint
        client.login(login.user, login.password, login.database)
        statement = prepare(client, "INSERT INTO jobs (note, amount) VALUES (?, ?)")
        client.query("BEGIN")
        executions = [("x", 1, True), ("y", 2, False), (7, "3", True), (8, "4", False)]
        for note, amount, types in executions:
            done(client, execution(statement, note, amount, types=types))
        lose(cluster)
        done(client, execution(statement, 9, "5", types=False))
        done(client, b"\x03COMMIT")
    rows = cluster.primary.sql("SELECT note, amount FROM app.jobs ORDER BY id")
    assert rows == (("x", 1), ("y", 2), ("7", 3), ("8", 4), ("9", 5))
    assert replays(cluster) == (1, {})


def refused(cluster, cursor, connection, reason):
    """The transaction is over as after a deadlock, and the client is told why it could not be saved."""
    with pytest.raises(pymysql.err.OperationalError) as error:
        cursor.execute("SELECT 1 FROM jobs")
    assert error.value.args[0] == 1213
    assert "not replayed" in error.value.args[1], error.value
    assert replays(cluster) == (0, {reason: 1})
    connection.rollback()
    cursor.execute("SELECT 'goes on'")
    assert cursor.fetchone() == ("goes on",)


def test_another_result_ends_it(cluster, lose):
    with connect(cluster) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM jobs")
        cursor.execute("INSERT INTO jobs (note) VALUES ('mine')")
        cluster.primary.sql("INSERT INTO app.jobs (note) VALUES ('by somebody else')")
        lose(cluster)
        refused(cluster, cursor, connection, "differs")
    assert cluster.primary.sql("SELECT note FROM app.jobs") == (("by somebody else",),)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["INSERT INTO plain VALUES (1)"], "plain_table"),
        (["INSERT INTO jobs (note) VALUES ('x')", "SELECT GET_LOCK('replay', 0)"], "session_state"),
        (["SELECT * FROM jobs INTO OUTFILE '/nonexistent/file'"], "statement"),
        (["INSERT INTO jobs (note) VALUES ('x')", "DO SLEEP(0)", "CALL nothing()"], "session_state"),
    ],
)
def test_what_cannot_be_repeated_is_not(own_topology, statements, reason):
    topology = own_topology(replicas=0, cluster="transaction_replay = true")
    topology.primary.sql(TABLE, "CREATE TABLE app.plain (id INT) ENGINE = MyISAM", "CREATE PROCEDURE app.nothing() SELECT 1")
    with connect(topology) as connection, connection.cursor() as cursor:
        for statement in statements:
            with contextlib.suppress(pymysql.err.MySQLError):
                cursor.execute(statement)
        if reason != "session_state":
            becomes(topology, connection, reason)
            end_connections(topology)
            refused(topology, cursor, connection, reason)
        else:
            becomes(topology, connection, "statement", reason)
    assert topology.primary.sql("SELECT COUNT(*) FROM app.plain") == ((1 if reason == "plain_table" else 0,),)


def test_limits_are_kept(own_topology):
    topology = own_topology(replicas=0, cluster="transaction_replay = true", gateway="replay_statements = 3\nreplay_bytes = 2000")
    topology.primary.sql(TABLE)
    with connect(topology) as connection, connection.cursor() as cursor:
        for number in range(3):
            cursor.execute("INSERT INTO jobs (note) VALUES (%s)", (number,))
        becomes(topology, connection, "ready")
        cursor.execute("INSERT INTO jobs (note) VALUES ('one too many')")
        becomes(topology, connection, "statements")
        connection.commit()
        cursor.execute(f"SELECT '{'x' * 3000}' FROM jobs")
        becomes(topology, connection, "bytes")
        end_connections(topology)
        refused(topology, cursor, connection, "bytes")
    assert topology.primary.sql("SELECT COUNT(*) FROM app.jobs") == ((4,),)


def test_off_it_is_what_it_was(own_topology):
    topology = own_topology(replicas=0)
    topology.primary.sql(TABLE)
    with connect(topology) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('x')")
        assert state_of(topology, connection) is None
        end_connections(topology)
        with pytest.raises(pymysql.err.OperationalError) as error:
            cursor.execute("SELECT 1")
        assert error.value.args[0] == 1213 and "replayed" not in error.value.args[1]
    assert replays(topology) == (0, {})


def test_a_user_can_have_it_alone(own_topology):
    topology = own_topology(replicas=0, user="transaction_replay = true")
    topology.primary.sql(TABLE)
    with connect(topology) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('x')")
        end_connections(topology)
        connection.commit()
    assert topology.primary.sql("SELECT COUNT(*) FROM app.jobs") == ((1,),)
    assert replays(topology) == (1, {})


def test_transactions_one_after_the_other_begin_anew(cluster, lose):
    """What an earlier one did is not part of a later one."""
    with connect(cluster, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('before')")
        cursor.execute("BEGIN")
        cursor.execute("UPDATE jobs SET note = 'first'")
        # Ends the first one.
        cursor.execute("START TRANSACTION")
        cursor.execute("UPDATE jobs SET amount = amount + 1")
        lose(cluster)
        cursor.execute("UPDATE jobs SET amount = amount + 1")
        cursor.execute("COMMIT")
    rows = cluster.primary.sql("SELECT note, amount FROM app.jobs ORDER BY id")
    assert rows == (("first", 2),)


def test_what_was_set_for_the_next_transaction_is_part_of_it(cluster, lose):
    """At another isolation level its reads would not lock, and others could change what it has seen."""
    cluster.primary.sql("INSERT INTO app.jobs (id, note) VALUES (1, 'one')")
    cluster.settle()
    with connect(cluster, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        cursor.execute("BEGIN")
        cursor.execute("SELECT note FROM jobs WHERE id = 1")
        lose(cluster)
        cursor.execute("SELECT note FROM jobs WHERE id = 1")
        assert cursor.fetchone() == ("one",)
        with connect(cluster) as other, other.cursor() as others, pytest.raises(pymysql.err.OperationalError) as locked:
            others.execute("SET innodb_lock_wait_timeout = 1")
            others.execute("UPDATE jobs SET note = 'two' WHERE id = 1")
        assert locked.value.args[0] == 1205
        cursor.execute("COMMIT")
    assert replays(cluster) == (1, {})


def test_the_first_statement_of_a_transaction_is_sent_again(own_topology):
    """Its connection breaks under it: without a COMMIT nothing of it is there."""
    topology = own_topology(replicas=0, cluster="transaction_replay = true")
    topology.primary.sql(TABLE)
    client = WireClient("127.0.0.1", topology.gateway.port)
    with client:
        login = topology.endpoint
        client.login(login.user, login.password, login.database)
        client.query("SET autocommit = 0")
        client.send(b"\x03INSERT INTO jobs (note) SELECT SLEEP(3)")
        running = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'INSERT%SLEEP%'"
        eventually(lambda: topology.primary.sql(running), what="the statement runs")
        # The server dies under it, and comes back.
        topology.primary.kill()
        options = topology.primary.folder / "server.cnf"
        options.write_text(options.read_text().replace("read-only = 1", "read-only = 0"))
        topology.primary.start()
        client.socket.settimeout(40)
        packets = client.answer()
        assert packets[-1][:1] != b"\xff", ServerError(packets[-1])
        done(client, b"\x03COMMIT")
    assert topology.primary.sql("SELECT COUNT(*) FROM app.jobs") == ((1,),)
