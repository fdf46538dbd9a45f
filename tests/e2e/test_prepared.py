"""Commands of the binary protocol that a server refuses: hadal refuses them in the same words."""

import contextlib
import struct

import pytest
from e2e.hostile import BLOB, enter, error_of, long_data, prepare
from wire.client import ServerError
from wire.codec import execute_payload

EXECUTE, BULK, FETCH = b"\x17", b"\xfa", b"\x1c"
UNKNOWN = struct.pack("<I", 39321)


@pytest.fixture
def both(topology):
    """A client of hadal's, and one of the primary's."""
    from e2e.harness.topology import Endpoint

    with contextlib.ExitStack() as stack:
        yield [enter(stack, endpoint) for endpoint in (topology.endpoint, Endpoint(topology.primary.port))]


def refusal(client, payload):
    client.send(payload)
    packet = client.receive()
    assert client.rows("SELECT 'goes on'") == [(b"goes on",)]
    return packet


@pytest.mark.parametrize("length", range(10))
def test_short_executions_are_malformed(both, length):
    packets = []
    for client in both:
        statement = struct.pack("<I", prepare(client, "SELECT ?"))
        packets.append(refusal(client, EXECUTE + (statement + b"\0\1\0\0\0")[:length]))
    assert packets[0] == packets[1]
    assert ServerError(packets[0]).code == (1835 if length < 9 else 1210)


@pytest.mark.parametrize("length", range(8))
def test_short_bulk_executions_are_malformed(both, length):
    packets = [refusal(client, BULK + (UNKNOWN + b"\x80\0\0")[:length]) for client in both]
    assert packets[0] == packets[1]
    assert ServerError(packets[0]).code == (1835 if length < 6 else 1295)


@pytest.mark.parametrize("payload", [EXECUTE + UNKNOWN + b"\0\1\0\0\0", FETCH + UNKNOWN + b"\1\0\0\0", b"\x1a" + UNKNOWN])
def test_unknown_statements(both, payload):
    ours, theirs = (refusal(client, payload) for client in both)
    assert ours == theirs
    assert ServerError(ours).code == 1243


def test_a_statement_without_a_cursor(both):
    messages = []
    for client in both:
        statement = prepare(client, "SELECT 1")
        error = ServerError(refusal(client, FETCH + struct.pack("<II", statement, 1)))
        messages.append((error.code, error.state, error.message.replace(f"({statement})", "")))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("resets", [False, True])
def test_long_data_for_a_table_that_is_gone(topology, both, resets):
    packets = []
    for client in both:
        topology.primary.sql("CREATE TABLE app.gone (v LONGTEXT)")
        topology.settle()
        statement = prepare(client, "INSERT INTO gone VALUES (?)")
        topology.primary.sql("DROP TABLE app.gone")
        topology.settle()
        long_data(client, statement, b"abc")
        long_data(client, statement, b"def")
        if resets:
            topology.primary.sql("CREATE TABLE app.gone (v LONGTEXT)")
            assert client.command(b"\x1a" + struct.pack("<I", statement))[0][:1] == b"\0"
            packets.append(client.command(execute_payload(statement, [b"\x03xyz"], [BLOB])))
            assert topology.primary.sql("SELECT v FROM app.gone") == (("xyz",),)
            topology.primary.sql("DROP TABLE app.gone")
        else:
            packets.append(client.command(execute_payload(statement, [b""], [BLOB])))
            assert error_of(packets[-1]) == 1146
            assert error_of(client.command(execute_payload(statement, [b"\x01y"], [BLOB]))) == 1146
        assert client.rows("SELECT 'goes on'") == [(b"goes on",)]
    assert packets[0] == packets[1]
