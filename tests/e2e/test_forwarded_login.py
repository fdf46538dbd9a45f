"""Accounts whose proof only the server can check (`ed25519`): the client proves itself to the primary, through hadal."""

import contextlib
import subprocess

import MySQLdb
import pytest
from e2e.harness.mariadb import APP_PASSWORD, APP_USER
from e2e.harness.topology import Topology
from e2e.harness.waiting import eventually
from wire.client import ServerError, WireClient
from wire.codec import Reader

pytestmark = pytest.mark.gateway

SIGNED = "IDENTIFIED VIA ed25519 USING PASSWORD('s')"
ACCOUNTS = {
    "signer": SIGNED,
    "either": f"{SIGNED} OR mysql_native_password USING PASSWORD('n')",
    "native_first": "IDENTIFIED VIA mysql_native_password USING PASSWORD('n') OR ed25519 USING PASSWORD('s')",
    "socket_first": "IDENTIFIED VIA unix_socket OR ed25519 USING PASSWORD('s')",
    "locked": f"{SIGNED} ACCOUNT LOCK",
    "socket_only": "IDENTIFIED VIA unix_socket",
}
# Of hadal, in a cluster.
MOST_AT_ONCE = 16


@pytest.fixture(scope="module")
def signing(scratch, template, binary):
    made = Topology(scratch / "signing", template, binary=binary, replicas=1, pool="max_connections = 3\nwait_timeout_ms = 700")
    try:
        made.start()
        for server in made.servers:
            server.sql("INSTALL SONAME 'auth_ed25519'")
        for name, definition in ACCOUNTS.items():
            made.primary.sql(f"CREATE USER {name}@'%' {definition}", f"GRANT ALL ON app.* TO {name}@'%'")
        made.settle()
        eventually(lambda: login(made.endpoint, "signer").close() is None)
        yield made
    finally:
        made.destroy()


def login(endpoint, user, password="s", **options):
    return MySQLdb.connect(
        host=endpoint.host, port=endpoint.port, user=user, password=password, database="app", autocommit=True, **options
    )


@pytest.fixture
def enter(signing):
    """Opens connections through hadal, which are closed after the test."""
    with contextlib.ExitStack() as stack:

        def open_connection(user="signer", password="s", **options):
            connection = login(signing.endpoint, user, password, **options)
            stack.callback(close, connection)
            return connection

        yield open_connection
    eventually(lambda: not connections_of(signing, "signer"), what="the session's connection is closed at the server")


def close(connection):
    with contextlib.suppress(MySQLdb.Error):
        connection.close()


def ask(connection, statement):
    cursor = connection.cursor()
    cursor.execute(statement)
    return cursor.fetchall()


def connections_of(topology, user):
    threads = f"SELECT id FROM information_schema.processlist WHERE user = '{user}'"
    return [row[0] for row in topology.primary.sql(threads)]


def pins(topology):
    sessions = topology.gateway.json("/api/v1/sessions")["sessions"]
    return {session["id"]: session["pinned_by"] for session in sessions}


def refusals(topology, **login_options):
    """The error of a login through hadal, and of the same at the primary."""
    errors = []
    for port in (topology.gateway.port, topology.primary.port):
        with pytest.raises(MySQLdb.Error) as error:
            close(MySQLdb.connect(host="127.0.0.1", port=port, **login_options))
        errors.append(error.value.args)
    return errors


def test_the_command_line_client_logs_in(signing):
    endpoint = signing.endpoint
    command = ["mariadb", "--no-defaults", "-h", endpoint.host, "-P", str(endpoint.port), "-u", "signer", "-ps", "app"]
    command += ["-N", "-B", "-e", "SELECT CURRENT_USER(), DATABASE(), 6 * 7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.stdout, done.stderr) == ("signer@%\tapp\t42\n", "")


def test_the_session_is_the_connections_and_the_primarys(enter, signing):
    connection = enter()
    assert ask(connection, "SELECT name FROM whoami") == (("server-1",),)
    assert ask(connection, "SELECT CONNECTION_ID()") == ((connection.thread_id(),),)
    (thread,) = connections_of(signing, "signer")
    sessions = [list(map(str, row)) for row in ask(connection, "SHOW HADAL SESSIONS")]
    (row,) = [row for row in sessions if row[0] == str(connection.thread_id())]
    assert str(thread) in row and "forwarded login" in row
    assert pins(signing)[connection.thread_id()] == ["forwarded login"]
    assert 'hadal_pinned_sessions{reason="forwarded login"} 1' in signing.gateway.http("/metrics")[1]
    pools = signing.gateway.json("/api/v1/pools")["pools"]
    (pool,) = [pool for pool in pools if pool["user"] == "signer" and pool["open"]]
    assert (pool["open"], pool["idle"], pool["max"]) == (1, 0, 3)


def test_what_a_session_leaves_behind_nobody_sees(enter, signing):
    first = enter()
    ask(first, "SET @secret = 1")
    ask(first, "CREATE TEMPORARY TABLE secret (id INT)")
    (thread,) = connections_of(signing, "signer")
    first.close()
    second = enter()
    assert ask(second, "SELECT @secret") == ((None,),)
    assert thread not in connections_of(signing, "signer")


@pytest.mark.parametrize("user", ["signer", "either", "native_first", "socket_first"])
@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_gets_the_servers_own_error(signing, user, password):
    ours, theirs = refusals(signing, user=user, password=password)
    assert ours == theirs
    assert theirs[0] == 1045


def test_a_locked_account_gets_the_servers_own_error(signing):
    ours, theirs = refusals(signing, user="locked", password="s")
    assert ours == theirs
    assert theirs[0] == 4151


def test_a_database_that_is_not_there_gets_the_servers_own_error(signing):
    ours, theirs = refusals(signing, user="signer", password="s", database="mysql")
    assert ours == theirs
    assert theirs[0] == 1044


def test_a_socket_account_is_refused_at_once(signing):
    with pytest.raises(MySQLdb.Error) as error:
        login(signing.endpoint, "socket_only", "")
    assert error.value.args[0] == 1045


@pytest.mark.parametrize("user", ["either", "native_first"])
def test_either_password_lets_in_who_may_choose(enter, user):
    signed, native = enter(user, "s"), enter(user, "n")
    for connection in (signed, native):
        assert ask(connection, "SELECT CURRENT_USER()") == ((f"{user}@%",),)


@pytest.mark.parametrize("user", ["either", "native_first"])
def test_who_proves_the_native_password_shares_connections(enter, signing, user):
    native = enter(user, "n")
    assert ask(native, "SELECT 1") == ((1,),)
    assert pins(signing)[native.thread_id()] == []


def test_an_account_that_was_made_a_moment_ago(signing):
    with contextlib.closing(login(signing.endpoint, "signer")) as _:
        signing.primary.sql(f"CREATE USER fresh@'%' {SIGNED}", "GRANT ALL ON app.* TO fresh@'%'")
        login(signing.endpoint, "fresh").close()
        signing.primary.sql("SET PASSWORD FOR fresh@'%' = PASSWORD('t')")
        login(signing.endpoint, "fresh", "t").close()
        assert refusals(signing, user="fresh", password="s")[0][0] == 1045
        signing.primary.sql("DROP USER fresh@'%'")


@pytest.fixture
def wire(signing):
    with contextlib.ExitStack() as stack:

        def open_client():
            return stack.enter_context(WireClient(signing.endpoint.host, signing.endpoint.port))

        yield open_client


def test_a_reset_leaves_the_connection_and_nothing_else(wire, signing):
    client = wire()
    client.login("signer", "s", "app")
    before = connections_of(signing, "signer")
    assert len(before) == 1
    for statement in ["SET @a = 1", "SET sql_mode = 'ANSI_QUOTES'", "SET NAMES latin1", "BEGIN"]:
        client.query(statement)
    assert client.command(b"\x1f")[0][:1] == b"\0"
    asked = "SELECT @a, @@sql_mode LIKE '%ANSI_QUOTES%', @@character_set_client, DATABASE(), @@in_transaction"
    assert client.rows(asked) == [(None, b"0", b"utf8mb4", b"app", b"0")]
    assert connections_of(signing, "signer") == before
    assert pins(signing)[client.greeting.thread_id] == ["forwarded login"]


def changes_to(client, user, password):
    claim = b"\x11" + user.encode() + b"\0" + b"\x00" + b"app\0" + (45).to_bytes(2, "little")
    client.send(claim + b"mysql_native_password\0")
    packet = client.prove(client.receive(), password)
    assert packet[:1] == b"\0", ServerError(packet)
    return client.rows("SELECT CURRENT_USER(), @a")


def test_users_change_to_and_from_such_an_account(wire, signing):
    client = wire()
    client.login(APP_USER, APP_PASSWORD, "app")
    for user, password in [("signer", "s"), ("signer", "s"), (APP_USER, APP_PASSWORD), ("native_first", "s")]:
        client.query("SET @a = 1")
        assert changes_to(client, user, password) == [(f"{user}@%".encode(), None)]
        assert len(connections_of(signing, "signer")) <= 1
    with pytest.raises(AssertionError, match="1045"):
        changes_to(client, "signer", "wrong")
    assert client.is_closed_by_peer()


def test_mysqlclient_changes_its_user(enter):
    connection = enter(APP_USER, APP_PASSWORD)
    connection.change_user("signer", "s", "app")
    assert ask(connection, "SELECT CURRENT_USER()") == (("signer@%",),)
    connection.change_user(APP_USER, APP_PASSWORD, "app")
    assert ask(connection, "SELECT CURRENT_USER()") == ((f"{APP_USER}@%",),)


def test_a_lost_connection_ends_the_session(enter, signing):
    connection = enter()
    (thread,) = connections_of(signing, "signer")
    signing.primary.sql(f"KILL {thread}")
    with pytest.raises(MySQLdb.OperationalError) as error:
        ask(connection, "SELECT 1")
    assert error.value.args[0] in (1158, 1927)
    with pytest.raises(MySQLdb.OperationalError) as error:
        ask(connection, "SELECT 1")
    assert error.value.args[0] in (2006, 2013)


def test_such_sessions_kill_and_are_killed(enter):
    killer, target = enter(), enter()
    ask(killer, f"KILL {target.thread_id()}")
    with pytest.raises(MySQLdb.OperationalError):
        ask(target, "SELECT 1")
    another = enter()
    ask(another, f"KILL {killer.thread_id()}")
    with pytest.raises(MySQLdb.OperationalError):
        ask(killer, "SELECT 1")
    assert ask(another, "SELECT 1") == ((1,),)


def test_they_count_in_the_pools_limit(enter):
    taken = [enter() for _ in range(3)]
    with pytest.raises(MySQLdb.OperationalError) as error:
        enter()
    assert error.value.args[0] == 1040
    assert "max_connections" in error.value.args[1]
    taken[0].close()
    eventually(lambda: enter())


def stops_before_its_proof(client, user="signer"):
    client.greet()
    client.send(client.response(user, "s", "app"), 1)
    challenge = client.receive()
    assert challenge.startswith(b"\xfeclient_ed25519\0"), challenge
    return client


def unproved(topology):
    """Connections whose login is not through."""
    return topology.primary.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Connect'")[0][0]


def test_who_proves_nothing_cannot_exhaust_the_servers(signing, wire, enter):
    users = [f"crowd{n}" for n in range(8)]
    for user in users:
        signing.primary.sql(f"CREATE USER {user}@'%' {SIGNED}", f"GRANT ALL ON app.* TO {user}@'%'")
    for user in users:
        login(signing.endpoint, user).close()
    denied = int(signing.primary.status("Access_denied_errors"))
    before = unproved(signing)
    idle = [stops_before_its_proof(wire(), user) for user in users for _ in range(2)]
    assert unproved(signing) - before == len(idle) == MOST_AT_ONCE
    late = wire()
    late.greet()
    late.send(late.response("signer", "s", "app"), 1)
    # Its turn does not come within the pool's time for waiting.
    refused = ServerError(late.receive())
    assert refused.code == 1040
    assert unproved(signing) - before == MOST_AT_ONCE
    # Everybody else goes on.
    assert ask(enter(APP_USER, APP_PASSWORD), "SELECT 1") == ((1,),)
    # The server is told something in place of those who leave: it blocks hosts that say nothing.
    for client in idle:
        client.close()
    eventually(lambda: unproved(signing) == before)
    assert int(signing.primary.status("Access_denied_errors")) - denied == MOST_AT_ONCE
    assert ask(enter(), "SELECT 1") == ((1,),)
    for user in users:
        signing.primary.sql(f"DROP USER {user}@'%'")


@pytest.mark.parametrize("proof", [b"", b"x", bytes(63), bytes(65), b"x" * 5000], ids=len)
def test_a_proof_of_another_form_is_a_wrong_password(signing, wire, proof):
    denied = int(signing.primary.status("Access_denied_errors"))
    client = stops_before_its_proof(wire())
    client.send(proof, client.sequence + 1)
    assert ServerError(client.receive()).code == 1045
    assert int(signing.primary.status("Access_denied_errors")) - denied == 1


def test_who_thinks_too_long_is_sent_away(signing, wire):
    client = stops_before_its_proof(wire())
    # Half of what the server would wait.
    assert client.is_closed_by_peer()
    eventually(lambda: not connections_of(signing, "signer"))
