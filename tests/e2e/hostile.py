"""What the tests named `test_hostile…` share: servers, gateways with few connections, and what clients do on the wire."""

import contextlib
import socket
import struct

import pytest
from wire import capability
from wire.client import ServerError, WireClient, native_scramble
from wire.codec import Reader, execute_payload

from e2e.harness.gateway import Gateway
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER
from e2e.harness.topology import Endpoint, Topology
from e2e.harness.waiting import eventually

OLD_EOF = capability.DEFAULT | capability.MULTI_STATEMENTS
NEW_EOF = OLD_EOF | capability.DEPRECATE_EOF
ROOT = {"user": "owner", "password": "owner"}
STRING, BLOB = (0xFD, 0), (0xFC, 0)

SCHEMA = [
    "CREATE USER owner@'%' IDENTIFIED BY 'owner'",
    "GRANT ALL ON *.* TO owner@'%' WITH GRANT OPTION",
    "CREATE ROLE boss",
    "GRANT boss TO app@'%'",
    "CREATE TABLE app.kept (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(50))",
    "CREATE TABLE app.leaving LIKE app.kept",
    "CREATE TABLE app.numbers (a INT)",
    "INSERT INTO app.numbers VALUES (1), (2), (3), (4), (5), (6)",
    "CREATE TABLE app.sink (a INT)",
    "CREATE TABLE app.wide (v LONGTEXT)",
    "CREATE SEQUENCE app.tickets",
]

CHANGES = "SET SESSION time_zone = '+05:00'; SET @left = 'behind';"
NOTES = """CREATE FUNCTION app.notes(i INT) RETURNS INT MODIFIES SQL DATA
    BEGIN INSERT INTO kept VALUES (i, 'function'); RETURN i; END"""
ROUTINES = [
    f"CREATE FUNCTION app.sets() RETURNS INT BEGIN {CHANGES} RETURN 1; END",
    f"CREATE FUNCTION app.fails() RETURNS INT BEGIN {CHANGES} SIGNAL SQLSTATE '45000'; RETURN 1; END",
    """CREATE FUNCTION app.makes() RETURNS INT
    BEGIN CREATE TEMPORARY TABLE IF NOT EXISTS app.own (a INT); INSERT INTO app.own VALUES (5); RETURN 1; END""",
    "CREATE FUNCTION app.locks() RETURNS INT RETURN GET_LOCK('of a function', 0)",
    f"""CREATE TRIGGER app.checks BEFORE INSERT ON app.leaving FOR EACH ROW
    BEGIN IF NEW.note = 'bad' THEN {CHANGES} SIGNAL SQLSTATE '45000'; END IF; END""",
    """CREATE TRIGGER app.leaves BEFORE INSERT ON app.leaving FOR EACH ROW
    BEGIN
        IF NEW.note = 'zone' THEN SET @@time_zone = '+05:00'; END IF;
        IF NEW.note = 'left' THEN SET @left = 'behind'; END IF;
        IF NEW.note = 'lock' THEN DO GET_LOCK('of a trigger', 0); END IF;
    END""",
    "CREATE VIEW app.over_leaving AS SELECT id, note FROM app.leaving",
]


def enter(opened, endpoint, capabilities=NEW_EOF, user=None, password=None, database="app", address=None, timeout=20):
    client = WireClient(endpoint.host, endpoint.port, timeout) if address is None else from_address(endpoint, address)
    opened.callback(client.close)
    client.login(user or endpoint.user, password or endpoint.password, database, capabilities=capabilities)
    return client


def from_address(endpoint, address):
    client = WireClient.__new__(WireClient)
    client.socket = socket.create_connection((endpoint.host, endpoint.port), 20, source_address=(address, 0))
    client.buffer, client.capabilities, client.sequence, client.greeting = b"", 0, 0, None
    return client


def leave(client):
    """Says goodbye and waits until the other side has hung up."""
    client.send(b"\x01")
    client.is_closed_by_peer()
    client.close()


def error_of(packets):
    return next((ServerError(p).code for p in packets if p[:1] == b"\xff"), None)


def ask(client, sql):
    """Rows, 'OK', or the number of the error."""
    packets = client.query(sql)
    code = error_of(packets)
    if code is not None:
        return code
    if packets[0][:1] == b"\x00":
        return "OK"
    columns = Reader(packets[0]).lenenc()
    skip = 1 + columns + (0 if client.capabilities & capability.DEPRECATE_EOF else 1)
    return [tuple(client.text_values(packet, columns)) for packet in packets[skip:-1]]


def begin(client, sql):
    client.send(b"\x03" + sql.encode())


def prepare(client, sql):
    packets = client.command(b"\x16" + sql.encode())
    assert error_of(packets) is None, ServerError(packets[0])
    return struct.unpack("<I", packets[0][1:5])[0]


def execute(client, statement, values=(), types=(), cursor=False):
    """The values of the last row, behind header and NULL bitmap; or the number of the error."""
    payload = bytearray(execute_payload(statement, list(values), list(types)))
    payload[5] = int(cursor)
    if cursor:
        client.send(bytes(payload))
        first = client.receive()
        if first[:1] == b"\xff":
            return ServerError(first).code
        assert not client.capabilities & capability.DEPRECATE_EOF
        for _ in range(first[0] + 1):
            client.receive()
        return "cursor"
    packets = client.command(bytes(payload))
    return error_of(packets) or (packets[-2][2:] if len(packets) > 1 else "OK")


def fetch(client, statement, count):
    client.send(b"\x1c" + struct.pack("<II", statement, count))
    rows = []
    while True:
        packet = client.receive()
        if packet[:1] == b"\xff":
            return ServerError(packet).code
        if packet[:1] == b"\xfe":
            return rows
        rows.append(int.from_bytes(packet[2:6], "little"))


def long_data(client, statement, data, parameter=0):
    client.send(b"\x18" + struct.pack("<IH", statement, parameter) + data)


def change_user(client, endpoint):
    def packet(proof):
        names = endpoint.user.encode() + b"\0" + bytes([len(proof)]) + proof + b"app\0\x2d\0mysql_native_password\0"
        return b"\x11" + names

    client.send(packet(native_scramble(endpoint.password, client.greeting.challenge[:20])))
    answer = client.receive()
    if answer[:1] == b"\xfe":
        reader = Reader(answer[1:])
        reader.until_nul()
        client.send(native_scramble(endpoint.password, reader.rest()[:20]), client.sequence + 1)
        answer = client.receive()
    return answer


def folder_of(request):
    """A short name of a test module's own."""
    return request.module.__name__.rpartition("test_")[2].replace("_", "-")


@pytest.fixture(scope="module")
def servers(scratch, template, request):
    made = Topology(scratch / folder_of(request), template, replicas=1)
    try:
        made.start()
        made.primary.sql(*SCHEMA, *ROUTINES)
        made.settle()
        yield made
    finally:
        made.destroy()


def beside(scratch, servers, binary, name, **settings):
    """Another gateway before the same servers."""
    if binary is None:
        return contextlib.nullcontext(servers.endpoint)
    gateway = Gateway(binary, scratch / f"{servers.folder.name}-{name}", servers.servers, **settings)

    @contextlib.contextmanager
    def running():
        gateway.start()
        try:
            yield Endpoint(gateway.port)
        finally:
            gateway.stop()

    running_gateway = running()
    running_gateway.gateway = gateway
    return running_gateway


@pytest.fixture(scope="module")
def one(scratch, servers, binary):
    """A gateway with a single connection to each server and user: whatever stays on it, the next client gets."""
    with beside(scratch, servers, binary, "one", pool="max_connections = 1\nwait_timeout_ms = 5000") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def few(scratch, servers, binary):
    with beside(scratch, servers, binary, "few", pool="max_connections = 3\nwait_timeout_ms = 5000") as endpoint:
        yield endpoint


@pytest.fixture
def opened():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def late(scratch, template, binary, request):
    """Replicas two seconds late, which stay in rotation."""
    made = Topology(scratch / f"{folder_of(request)}-late", template, replicas=1, binary=binary, delay=2, cluster="max_lag_ms = 60000")
    try:
        made.start()
        made.primary.sql("CREATE TABLE app.kept (id INT PRIMARY KEY, note VARCHAR(50))", NOTES)
        eventually(lambda: made.replicas[0].sql("SHOW FUNCTION STATUS WHERE name = 'notes'"), what="the replica has it")
        yield made
    finally:
        made.destroy()


def is_leasing(endpoint, opened, client):
    watcher = enter(opened, endpoint, user=ADMIN_USER, password=ADMIN_PASSWORD)
    rows = ask(watcher, "SHOW HADAL SESSIONS")
    if isinstance(rows, int):
        return False
    return any(row[0] == str(client.greeting.thread_id).encode() and row[6] is not None for row in rows)


@contextlib.contextmanager
def busy(opened, endpoint, servers, count, seconds):
    """All connections are in use."""
    clients = [enter(opened, endpoint) for _ in range(count)]
    text = f"INSERT INTO sink SELECT SLEEP({seconds})"
    for client in clients:
        begin(client, text)
    running = f"SELECT COUNT(*) FROM information_schema.processlist WHERE info = '{text}'"
    eventually(lambda: servers.primary.sql(running) == ((count,),), what="all connections are busy")
    yield clients
