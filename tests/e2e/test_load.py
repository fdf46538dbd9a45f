"""Many connections, slow readers, a pool that is too small: memory and neighbours stay as they were."""

import contextlib
import resource
import socket
import threading
import time

import pymysql
import pytest
from e2e.harness.waiting import eventually
from wire.client import WireClient

MEBIBYTE = 1024 * 1024


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def logged_in(endpoint, stack):
    client = stack.enter_context(WireClient(endpoint.host, endpoint.port, timeout=60))
    client.login(endpoint.user, endpoint.password, endpoint.database)
    return client


@pytest.mark.slow
def test_two_thousand_connections_at_once(endpoint, many_files, topology):
    with contextlib.ExitStack() as stack:
        clients = [logged_in(endpoint, stack) for _ in range(2000)]
        for number, client in enumerate(clients):
            client.send(b"\x03SELECT %d" % number)
        for number, client in enumerate(clients):
            assert client.answer()[-2].endswith(str(number).encode())
        if topology.gateway:
            assert topology.gateway.resident_bytes() < 300 * MEBIBYTE


def test_a_slow_reader_of_200_mb_does_not_fill_memory(endpoint, topology, run):
    """The rows are made by the server; what the client does not read must wait there, not in hadal."""
    statement = b"\x03SELECT REPEAT('x', 1000000) FROM seq_1_to_200"
    with WireClient(endpoint.host, endpoint.port, timeout=60) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.login(endpoint.user, endpoint.password, endpoint.database)
        before = topology.gateway.resident_bytes() if topology.gateway else 0
        slow.send(statement)
        slow.receive()
        # Others are served while it does not read; by then hadal has read all that it will.
        for _ in range(200):
            assert run("SELECT 1") == ((1,),)
        if topology.gateway:
            assert topology.gateway.resident_bytes() - before < 32 * MEBIBYTE
        slow.receive(), slow.receive()
        total = 0
        while (packet := slow.receive())[:1] != b"\xfe":
            total += len(packet)
        assert total == 200 * (1000000 + 4)
        if topology.gateway:
            assert topology.gateway.resident_bytes() - before < 32 * MEBIBYTE


def test_a_client_that_leaves_in_the_middle_of_rows_gives_nobody_else_its_rows(endpoint, run):
    for size in (0, 1, 5, 1000, 100000):
        with WireClient(endpoint.host, endpoint.port) as client:
            client.login(endpoint.user, endpoint.password, endpoint.database)
            client.send(b"\x03SELECT 'theirs', REPEAT('x', 1000) FROM seq_1_to_50000")
            if size:
                client.read_exactly(size)
    for _ in range(50):
        assert run("SELECT 'mine'") == (("mine",),)


def test_responses_never_cross_under_kills_and_departures(endpoint):
    """Workers check that each answer is their own while others are cut off in the middle of theirs."""
    stop = threading.Event()
    failures, answered = [], [0] * 8

    def worker(number):
        try:
            with WireClient(endpoint.host, endpoint.port) as client:
                client.login(endpoint.user, endpoint.password, endpoint.database)
                while not stop.is_set():
                    count = answered[number]
                    token = f"{number}-{count}".encode()
                    rows = client.rows(f"SELECT '{token.decode()}', REPEAT('r', {count % 3000})")
                    assert rows == [(token, b"r" * (count % 3000))], rows
                    answered[number] += 1
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    workers = [threading.Thread(target=worker, args=(number,), daemon=True) for number in range(8)]
    for thread in workers:
        thread.start()
    begin = time.monotonic()
    try:
        # For four seconds, and on a slow machine until everybody has been answered.
        while not failures and (time.monotonic() - begin < 4 or min(answered) <= 5):
            with WireClient(endpoint.host, endpoint.port) as rude:
                rude.login(endpoint.user, endpoint.password, endpoint.database)
                rude.send(b"\x03SELECT 'rude', REPEAT('x', 5000) FROM seq_1_to_2000")
                rude.read_exactly(20)
    finally:
        stop.set()
        for thread in workers:
            thread.join()
    assert failures == []


@pytest.mark.gateway
def test_a_full_pool_makes_clients_wait_and_serves_them(own_topology):
    topology = own_topology(replicas=0, pool="max_connections = 2")
    answers = []

    def worker(number):
        with pymysql.connect(**topology.endpoint.keywords()) as connection, connection.cursor() as cursor:
            for _ in range(20):
                cursor.execute("SELECT %s", (number,))
                answers.append(cursor.fetchone() == (number,))

    workers = [threading.Thread(target=worker, args=(number,), daemon=True) for number in range(30)]
    for thread in workers:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in workers):
        users = topology.primary.sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'")
        peak = max(peak, users[0][0])
    assert answers == [True] * 600
    assert peak <= 2


@pytest.mark.gateway
def test_a_wait_that_is_too_long_ends_with_an_error_that_says_why(own_topology):
    topology = own_topology(replicas=0, pool="max_connections = 1\nwait_timeout_ms = 500")
    login = topology.endpoint.keywords()
    with pymysql.connect(**login) as holder, pymysql.connect(**login) as waiter:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1")
        begin = time.monotonic()
        with pytest.raises(pymysql.err.MySQLError) as error, waiter.cursor() as cursor:
            cursor.execute("SELECT 2")
        assert error.value.args[0] == 1040 and error.value.args[1].startswith("hadal:")
        # Not at once, and not only after the ten seconds that are the default.
        assert 0.4 < time.monotonic() - begin < 9
        holder.rollback()
        with waiter.cursor() as cursor:
            cursor.execute("SELECT 3")
            assert cursor.fetchone() == (3,)


@pytest.mark.gateway
def test_idle_clients_hold_no_server_connection(topology, connect, run):
    connections = [connect() for _ in range(60)]
    for connection in connections:
        run("SELECT 1", on=connection)

    def used():
        query = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'"
        return sum(server.sql(query)[0][0] for server in topology.servers)

    eventually(lambda: used() < 30, what="server connections are shared")
