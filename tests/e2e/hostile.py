"""What clients in `test_hostile.py` do on the wire, without a driver's opinions."""

import socket
import struct

from wire import capability
from wire.client import ServerError, WireClient, native_scramble
from wire.codec import Reader, execute_payload

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
