"""Clients that break the rules. None of them may crash hadal, hang, or disturb another session."""

import contextlib
import random
import socket

import pytest
from e2e.harness.waiting import eventually
from wire.client import ServerError, WireClient
from wire.codec import execute_payload, frame


@pytest.fixture
def open_wire(endpoint):
    """A client that is connected, and logged in unless told otherwise."""
    opened = []

    def open_client(login=True):
        client = WireClient(endpoint.host, endpoint.port)
        opened.append(client)
        if login:
            client.login(endpoint.user, endpoint.password, endpoint.database)
        else:
            client.greet()
        return client

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture(autouse=True)
def bystander(open_wire, topology):
    """A well-behaved session that must notice nothing."""
    client = open_wire()
    client.query("SET @mine = 'untouched'")
    yield client
    assert client.rows("SELECT @mine") == [(b"untouched",)]
    if topology.gateway:
        assert topology.gateway.is_alive()


def half_close(client):
    """Nothing more will be sent; the other side may have gone already."""
    with contextlib.suppress(OSError):
        client.socket.shutdown(socket.SHUT_WR)


def test_garbage_instead_of_a_handshake_response(open_wire):
    noise = random.Random(1)
    for size in (0, 1, 4, 31, 32, 33, 100, 5000):
        client = open_wire(login=False)
        client.send(noise.randbytes(size), 1)
        half_close(client)
        assert client.is_closed_by_peer()


def test_every_truncation_of_a_handshake_response(open_wire, endpoint):
    whole = open_wire(login=False).response(endpoint.user, endpoint.password, endpoint.database)
    for length in range(0, len(whole) - 1, 3):
        client = open_wire(login=False)
        client.send(whole[:length], 1)
        half_close(client)
        assert client.is_closed_by_peer()


def test_a_handshake_response_with_the_wrong_sequence(open_wire, endpoint):
    client = open_wire(login=False)
    client.send(client.response(endpoint.user, endpoint.password, endpoint.database), 7)
    packet = client.receive()
    assert packet[:1] == b"\xff", packet
    assert ServerError(packet).code in (1043, 1045, 1156, 1158)


def test_another_protocol_on_our_port(open_wire):
    client = open_wire(login=False)
    client.send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    half_close(client)
    assert client.is_closed_by_peer()


def test_a_request_for_tls_that_was_not_offered(open_wire):
    client = open_wire(login=False)
    client.send((1 << 11 | 1 << 9 | 1 << 15).to_bytes(4, "little") + bytes(28), 1)
    half_close(client)
    assert client.is_closed_by_peer()


def test_a_packet_that_never_ends(open_wire):
    client = open_wire()
    client.send_raw((1000).to_bytes(3, "little") + b"\x00" + b"\x03SELECT ")
    client.close()


def test_an_empty_command(open_wire):
    client = open_wire()
    client.send(b"")
    try:
        assert client.receive()[:1] == b"\xff"
    except (EOFError, ConnectionError):
        pass


@pytest.mark.parametrize(
    "payload",
    [
        b"\x17",
        b"\x17\x01\x00\x00\x00",
        b"\x17\xff\xff\xff\xff\x00\x01\x00\x00\x00",
        b"\x1a\x01\x02",
        b"\x1c\x01\x00\x00\x00\x01\x00\x00\x00",
        b"\x1b\x09\x00",
        b"\x11root\x00\xff",
        b"\x0c\x01",
    ],
    ids=lambda payload: payload.hex(),
)
def test_malformed_commands_are_answered_with_an_error_or_the_end(open_wire, payload):
    client = open_wire()
    client.send(payload)
    try:
        assert client.receive()[:1] == b"\xff"
    except (EOFError, ConnectionError):
        return


def test_an_execute_that_lies_about_its_parameters(open_wire):
    client = open_wire()
    packets = client.command(b"\x16SELECT ?, ?")
    statement = int.from_bytes(packets[0][1:5], "little")
    whole = execute_payload(statement, [b"\x01\x00\x00\x00", b"\x05hello"], [(3, 0), (253, 0)])
    for length in range(10, len(whole)):
        client.send(whole[:length])
        try:
            packet = client.receive()
        except (EOFError, ConnectionError):
            client = open_wire()
            packets = client.command(b"\x16SELECT ?, ?")
            statement = int.from_bytes(packets[0][1:5], "little")
            whole = execute_payload(statement, [b"\x01\x00\x00\x00", b"\x05hello"], [(3, 0), (253, 0)])
            continue
        if packet[:1] != b"\xff":
            client.rest_of_result([packet], 2)
    assert client.rows("SELECT 1") == [(b"1",)]


def test_closing_a_statement_that_does_not_exist_is_silent(open_wire):
    client = open_wire()
    client.send(b"\x19\xff\xff\xff\x7f")
    assert client.rows("SELECT 1") == [(b"1",)]


def test_random_payloads_after_login(open_wire):
    noise = random.Random(2)
    client = open_wire()
    for _ in range(200):
        # Neither QUIT, which ends, nor commands that change servers or wait for more.
        command = noise.choice([c for c in range(256) if c not in (0x01, 0x07, 0x08, 0x0A, 0x11, 0x12, 0x15, 0x1E, 0x18, 0x19)])
        try:
            client.send(bytes([command]) + noise.randbytes(noise.randrange(40)))
            packet = client.receive()
            assert packet[:1] in (b"\xff", b"\x00", b"\xfe") or command in (0x09, 0x03, 0x16), (command, packet)
        except (EOFError, ConnectionError):
            client = open_wire()
    client.close()


def test_a_client_that_leaves_at_every_moment_of_a_command(open_wire):
    whole = frame(b"\x03SELECT REPEAT('x', 1000000)", 0)
    for length in range(0, len(whole) + 1, 4):
        client = open_wire()
        client.send_raw(whole[:length])
        client.close()


def test_a_command_larger_than_allowed_is_refused(open_wire, topology):
    client = open_wire()
    size = 70 * 1024 * 1024
    try:
        client.send(b"\x03SELECT LENGTH('" + b"x" * size + b"')")
        assert ServerError(client.receive()).code == 1153
    except (EOFError, ConnectionError):
        pass


@pytest.mark.gateway
def test_a_client_that_never_logs_in_is_sent_away(own_topology):
    topology = own_topology(replicas=0, gateway="login_timeout_ms = 1000")
    with WireClient(topology.endpoint.host, topology.endpoint.port) as silent:
        silent.greet()
        assert silent.is_closed_by_peer()
    with WireClient(topology.endpoint.host, topology.endpoint.port) as dripping:
        dripping.greet()
        eventually(lambda: _drip(dripping), within=5, every=0.2, what="the dripping client is sent away")


def _drip(client):
    """Sends a byte; true when the other side is gone."""
    try:
        client.send_raw(b"\x01")
        client.socket.settimeout(0.05)
        return client.socket.recv(1024) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
