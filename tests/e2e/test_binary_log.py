"""Clients that read the primary's binary log through hadal get what they would get from the primary."""

import contextlib
import struct
import subprocess

import pytest
from e2e.harness.mariadb import (
    ADMIN_PASSWORD,
    ADMIN_USER,
    REPLICATION_PASSWORD,
    REPLICATION_USER,
    Server,
    find,
)
from e2e.harness.ports import free_ports
from e2e.harness.waiting import eventually
from wire import capability
from wire.client import WireClient

NON_BLOCKING = 1
SHAPES = {"old-eof": capability.DEFAULT, "new-eof": capability.DEFAULT | capability.DEPRECATE_EOF}
REPLICATION = (REPLICATION_USER, REPLICATION_PASSWORD)


@pytest.fixture
def opened():
    with contextlib.ExitStack() as stack:
        yield stack


def enter(opened, port, account=REPLICATION, capabilities=capability.DEFAULT):
    client = opened.enter_context(WireClient("127.0.0.1", port))
    client.login(*account, capabilities=capabilities)
    return client


# What a replica says of itself; a primary with checksums sends nothing to one that does not.
READY = "SET @master_binlog_checksum = 'CRC32', @mariadb_slave_capability = 4"


def register(client, server_id):
    return client.command(b"\x15" + struct.pack("<I", server_id) + b"\x04here\0\0" + struct.pack("<HII", 1, 0, 0))[0]


def dump(client, file, position=4, server_id=77, flags=NON_BLOCKING):
    client.send(b"\x12" + struct.pack("<IHI", position, flags, server_id) + file.encode())


def events(client):
    """What comes up to the EOF or the error that ends it."""
    packets = [client.receive()]
    while packets[-1][:1] == b"\0":
        packets.append(client.receive())
    return packets


@pytest.fixture
def log(topology):
    """The name of a file of the binary log that grows no more."""
    rows = topology.primary.sql("FLUSH BINARY LOGS", "SHOW BINARY LOGS")
    return rows[-2][0]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packet_is_equal(topology, table, log, opened, shape):
    answers = []
    for port in (topology.endpoint.port, topology.primary.port):
        client = enter(opened, port, capabilities=SHAPES[shape])
        client.query(READY)
        registered = register(client, 77)
        dump(client, log)
        answers.append([registered, *events(client)])
        assert client.is_closed_by_peer()
    assert answers[0] == answers[1]
    assert len(answers[0]) > 5 and table.encode() in b"".join(answers[0])


def test_mariadb_binlog_reads_the_same(topology, table, log):
    def read(port):
        options = [f"--port={port}", f"--user={ADMIN_USER}", f"--password={ADMIN_PASSWORD}", "--host=127.0.0.1"]
        command = [find("mariadb-binlog"), "--no-defaults", "--read-from-remote-server", "--verbose", *options, log]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ours = read(topology.endpoint.port)
    assert ours == read(topology.primary.port)
    assert f"`app`.`{table}`" in ours


@pytest.mark.parametrize("stays", [False, True], ids=["no such file", "no privilege"])
def test_errors_are_the_servers(topology, opened, stays):
    account = (topology.endpoint.user, topology.endpoint.password) if stays else REPLICATION
    answers = []
    for port in (topology.endpoint.port, topology.primary.port):
        client = enter(opened, port, account)
        registered = register(client, 78)
        dump(client, "no-such-file.000001")
        answers.append([registered, events(client)[-1]])
        assert client.query("SELECT 1") if stays else client.is_closed_by_peer()
    assert answers[0] == answers[1]
    assert answers[0][1][:1] == b"\xff"


@pytest.mark.gateway
def test_a_stream_can_be_killed_and_left(topology, opened):
    def streams():
        sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE COMMAND = 'Binlog Dump'"
        return topology.primary.sql(sql)[0][0]

    before = streams()
    killer = enter(opened, topology.endpoint.port, (ADMIN_USER, ADMIN_PASSWORD))
    for how in ("killed", "left"):
        client = enter(opened, topology.endpoint.port)
        client.query(READY)
        dump(client, topology.primary.sql("SHOW BINARY LOGS")[-1][0], flags=0)
        client.receive()
        eventually(lambda: streams() == before + 1, what="the stream has begun")
        if how == "killed":
            assert killer.query(f"KILL {client.greeting.thread_id}")[0][:1] == b"\0"
            assert client.is_closed_by_peer()
        else:
            client.send(b"\x01")
            client.close()
            # A server notices at the next event, as it does with a direct client.
            topology.primary.sql("FLUSH BINARY LOGS")
            topology.primary.sql("FLUSH BINARY LOGS")
        eventually(lambda: streams() == before, what=f"the stream has ended: {how}")
        sessions = killer.rows("SHOW HADAL SESSIONS")
        eventually(lambda: len(killer.rows("SHOW HADAL SESSIONS")) <= len(sessions))


@pytest.mark.gateway
def test_nobody_gets_the_connection_of_a_replica(topology, opened):
    client = enter(opened, topology.endpoint.port)
    assert register(client, 79)[:1] == b"\0"
    assert 79 in [row[0] for row in topology.primary.sql("SHOW SLAVE HOSTS")]
    client.send(b"\x01")
    assert client.is_closed_by_peer()
    eventually(lambda: 79 not in [row[0] for row in topology.primary.sql("SHOW SLAVE HOSTS")])


def test_a_semi_synchronous_replica_follows_through_hadal(scratch, template, topology, opened):
    (port,) = free_ports(1)
    replica = Server(scratch / "through", template, 30, port)
    opened.callback(replica.destroy)
    replica.start()
    replica.sql("SET GLOBAL gtid_slave_pos = ''")
    replica.sql(
        f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {topology.endpoint.port}, "
        f"MASTER_USER = '{REPLICATION_USER}', MASTER_PASSWORD = '{REPLICATION_PASSWORD}', "
        "MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1",
        "START SLAVE",
    )
    clients = int(topology.primary.status("Rpl_semi_sync_master_clients"))
    assert clients == len(topology.replicas) + 1 or eventually(
        lambda: int(topology.primary.status("Rpl_semi_sync_master_clients")) == len(topology.replicas) + 1
    )
    for stopped in topology.replicas:
        stopped.sql("STOP SLAVE")
    try:
        # Only this one is left to acknowledge.
        yes = int(topology.primary.status("Rpl_semi_sync_master_yes_tx"))
        topology.primary.sql("CREATE TABLE app.through (a INT)", "INSERT INTO app.through VALUES (1)")
        assert int(topology.primary.status("Rpl_semi_sync_master_yes_tx")) >= yes + 2
        replica.catch_up_with(topology.primary)
        assert replica.sql("SELECT a FROM app.through") == ((1,),)
    finally:
        topology.primary.sql("DROP TABLE IF EXISTS app.through")
        for stopped in topology.replicas:
            stopped.sql("START SLAVE")
        topology.settle()
