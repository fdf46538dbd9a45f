"""KILL finds hadal's sessions, in whatever way the statement is said."""

import contextlib
import struct

import pytest
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER
from e2e.harness.waiting import eventually
from e2e.hostile import ask, begin, error_of
from wire.client import WireClient
from wire.codec import execute_payload

LONG_LONG = (8, 0)
DIALECTS = {
    "plain": ["{kill} {id}"],
    "expression": ["{kill} {id} + 0"],
    "user variable": ["SET @id = {id}", "{kill} @id"],
    "immediate": ["EXECUTE IMMEDIATE '{kill} {id}'"],
    "immediate, put together": ["EXECUTE IMMEDIATE CONCAT('{kill} ', {id})"],
    "immediate, in a variable": ["SET @text = '{kill} {id}'", "EXECUTE IMMEDIATE @text"],
    "immediate, with a parameter": ["EXECUTE IMMEDIATE '{kill} ?' USING {id}"],
    "prepared": ["PREPARE K FROM '{kill} {id}'", "EXECUTE k"],
    "prepared, in a variable": ["SET @text = '{kill} {id}'", "PREPARE k FROM @text", "EXECUTE k"],
    "prepared, with a parameter": ["PREPARE k FROM '{kill} ?'", "SET @id = {id}", "EXECUTE k USING @id"],
}


@pytest.fixture
def enter(endpoint):
    with contextlib.ExitStack() as stack:

        def open_client():
            client = stack.enter_context(WireClient(endpoint.host, endpoint.port))
            client.login(ADMIN_USER, ADMIN_PASSWORD, endpoint.database)
            return client

        yield open_client


def prepare(client, sql):
    return struct.unpack("<I", client.command(b"\x16" + sql.encode())[0][1:5])[0]


def is_ended(client):
    try:
        client.query("SELECT 1")
        return False
    except (EOFError, ConnectionError):
        return True


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_connection_is_killed(enter, dialect):
    killer, target, other = enter(), enter(), enter()
    for statement in DIALECTS[dialect]:
        packets = killer.query(statement.format(kill="KILL", id=target.greeting.thread_id))
        assert error_of(packets) is None, packets
    assert packets[0] == b"\0\0\0\2\0\0\0"
    assert is_ended(target) and not is_ended(other) and not is_ended(killer)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_the_statement_is_killed(enter, dialect):
    killer, target = enter(), enter()
    begin(target, "SELECT SLEEP(30), 'kill me'")
    running = "SELECT COUNT(*) FROM information_schema.processlist WHERE INFO = 'SELECT SLEEP(30), ''kill me'''"
    eventually(lambda: ask(killer, running) == [(b"1",)])
    for statement in DIALECTS[dialect]:
        packets = killer.query(statement.format(kill="KILL QUERY", id=target.greeting.thread_id))
        assert error_of(packets) is None, packets
    target.answer()
    assert not is_ended(target)


@pytest.mark.parametrize("parameters", [0, 1])
def test_a_binary_prepared_kill(enter, parameters):
    killer, target = enter(), enter()
    thread = target.greeting.thread_id
    statement = prepare(killer, "KILL ?" if parameters else f"KILL {thread}")
    values = [struct.pack("<q", thread)] * parameters
    packets = killer.command(execute_payload(statement, values, [LONG_LONG] * parameters))
    assert packets == [b"\0\0\0\2\0\0\0"]
    assert is_ended(target) and not is_ended(killer)


@pytest.mark.parametrize("text", ["KILL CONNECTION_ID()", "EXECUTE IMMEDIATE 'KILL CONNECTION_ID()'"])
def test_a_session_can_end_itself(enter, text):
    one, two = enter(), enter()
    assert error_of(one.query(text)) == 1927
    assert is_ended(one)
    if not text.startswith("EXECUTE"):
        assert error_of(two.command(execute_payload(prepare(two, text), [], []))) == 1927
        assert is_ended(two)


@pytest.mark.parametrize("statements", DIALECTS.values(), ids=DIALECTS)
def test_nobody_is_killed_where_nobody_is_meant(enter, statements):
    killer, others = enter(), [enter() for _ in range(3)]
    for statement in statements:
        packets = killer.query(statement.format(kill="KILL", id=2_000_000_000))
    assert error_of(packets) == 1094
    assert not any(is_ended(client) for client in [killer, *others])
    assert ask(killer, "SELECT 'not in a transaction'") == [(b"not in a transaction",)]
