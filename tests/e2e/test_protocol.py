"""The protocol as a client without a driver sees it: greeting, commands, capabilities."""

import contextlib

import pytest
from wire import capability
from wire.client import ServerError, WireClient
from wire.codec import Reader, execute_payload, lenenc_bytes

OK, EOF, ERR = b"\x00", b"\xfe", b"\xff"


@pytest.fixture
def client(endpoint):
    with WireClient(endpoint.host, endpoint.port) as client:
        client.login(endpoint.user, endpoint.password, endpoint.database)
        yield client


def test_the_greeting_is_the_servers(endpoint, topology):
    with WireClient("127.0.0.1", topology.primary.port) as direct, WireClient(endpoint.host, endpoint.port) as ours:
        theirs, greeting = direct.greet(), ours.greet()
        assert greeting.protocol == 10
        assert greeting.version == theirs.version
        assert greeting.plugin == "mysql_native_password"
        assert greeting.status == theirs.status
        assert len(greeting.challenge) == len(theirs.challenge) == 20
        assert b"\0" not in greeting.challenge, "some drivers read the challenge up to a zero"
        # What hadal cannot do is not offered; nothing is offered that the server cannot do.
        assert greeting.capabilities & ~theirs.capabilities == 0


def test_no_two_greetings_share_a_challenge(endpoint):
    challenges = set()
    for _ in range(20):
        with WireClient(endpoint.host, endpoint.port) as client:
            challenges.add(client.greet().challenge)
    assert len(challenges) == 20


def test_the_thread_id_is_the_same_everywhere(client):
    thread_id = str(client.greeting.thread_id).encode()
    assert client.rows("SELECT CONNECTION_ID()") == [(thread_id,)]
    listed = [row[0] for row in client.rows("SHOW PROCESSLIST")]
    assert thread_id in listed


def test_ping_statistics_and_reset(client):
    assert client.command(b"\x0e")[0][:1] == OK
    client.send(b"\x09")
    assert b"Uptime" in client.receive()
    client.query("SET @a = 1")
    assert client.command(b"\x1f")[0][:1] == OK
    assert client.rows("SELECT @a") == [(None,)]


def test_init_db_and_its_error(client):
    assert client.command(b"\x02app")[0][:1] == OK
    packet = client.command(b"\x02no_such_database")[0]
    assert ServerError(packet).code in (1044, 1049)
    assert client.rows("SELECT DATABASE()") == [(b"app",)]


def test_field_list_describes_a_table(client, table):
    packets = client.command(b"\x04" + table.encode() + b"\0")
    assert len(packets) == 3 and packets[-1][:1] == EOF


def test_set_option_switches_multi_statements(client):
    assert client.query("SELECT 1; SELECT 2")[0][:1] == ERR
    assert client.command(b"\x1b\x00\x00")[0][:1] == EOF
    assert len(client.query("SELECT 1; SELECT 2")) == 10
    assert client.command(b"\x1b\x01\x00")[0][:1] == EOF
    assert client.query("SELECT 1; SELECT 2")[0][:1] == ERR


def test_an_unknown_command_is_an_error_and_not_the_end(client):
    for command in (b"\x63", b"\x1e", b"\x06", b"\xc8payload"):
        assert ServerError(client.command(command)[0]).code == 1047
        assert client.rows("SELECT 1") == [(b"1",)]


def test_an_empty_query_is_the_servers_error(client):
    assert ServerError(client.query("")[0]).code == 1065


def test_deprecate_eof_shapes_the_result(endpoint):
    shapes = {}
    for extra in (0, capability.DEPRECATE_EOF):
        with WireClient(endpoint.host, endpoint.port) as client:
            client.login(
                endpoint.user, endpoint.password, endpoint.database, capabilities=capability.DEFAULT | extra
            )
            shapes[extra] = [len(client.query("SELECT 1")) for _ in range(3)]
    assert shapes == {0: [5] * 3, capability.DEPRECATE_EOF: [4] * 3}


def test_session_tracking_is_answered_when_asked_for(endpoint):
    with WireClient(endpoint.host, endpoint.port) as client:
        wanted = capability.DEFAULT | capability.SESSION_TRACK
        client.login(endpoint.user, endpoint.password, endpoint.database, capabilities=wanted)
        assert b"app_x" not in client.query("DO 1")[0]
        packet = client.query("USE app")[0]
        assert lenenc_bytes(b"app") in packet, packet
        assert b"autocommit" in client.query("SET autocommit = 0")[0]


def test_connection_attributes_are_accepted(endpoint):
    with WireClient(endpoint.host, endpoint.port) as client:
        client.login(
            endpoint.user,
            endpoint.password,
            endpoint.database,
            capabilities=capability.DEFAULT | capability.CONNECT_ATTRS,
            attributes={"program_name": "shop", "long": "v" * 300},
        )
        assert client.rows("SELECT 1") == [(b"1",)]


def test_status_flags_follow_the_session(client):
    def status():
        return WireClient.ok_status(client.query("DO 1")[0])

    assert status() & 3 == capability.STATUS_AUTOCOMMIT
    client.query("BEGIN")
    assert status() & 3 == capability.STATUS_AUTOCOMMIT | capability.STATUS_IN_TRANSACTION
    client.query("COMMIT")
    client.query("SET autocommit = 0")
    assert status() & capability.STATUS_AUTOCOMMIT == 0
    client.query("SET autocommit = 1")
    assert status() & 3 == capability.STATUS_AUTOCOMMIT


def prepare(client, sql):
    packets = client.command(b"\x16" + sql.encode())
    if packets[0][:1] == ERR:
        raise ServerError(packets[0])
    return int.from_bytes(packets[0][1:5], "little"), packets


def test_prepared_statements_live_until_closed(client, table):
    statement, _ = prepare(client, f"SELECT note FROM {table} WHERE id = ?")
    for number, note in ((1, b"one"), (2, b"two"), (3, b"three")):
        value = number.to_bytes(4, "little")
        packets = client.command(execute_payload(statement, [value], [(3, 0)]))
        assert packets[-2].endswith(lenenc_bytes(note))
    # Types may be left out once they are known.
    packets = client.command(execute_payload(statement, [(1).to_bytes(4, "little")], [], new_types=False))
    assert packets[-2].endswith(lenenc_bytes(b"one"))
    client.send(b"\x19" + statement.to_bytes(4, "little"))
    gone = client.command(execute_payload(statement, [(1).to_bytes(4, "little")], [(3, 0)]))
    assert ServerError(gone[0]).code == 1243


def test_a_session_is_told_how_many_statements_it_has_closed(client, endpoint):
    def closed():
        return client.rows("SHOW SESSION STATUS LIKE 'Com_stmt_close'")

    assert closed() == [(b"Com_stmt_close", b"0")]
    for number in (1, 2, 3):
        statement, _ = prepare(client, f"DO {number}")
        client.send(b"\x19" + statement.to_bytes(4, "little"))
    assert closed() == [(b"Com_stmt_close", b"3")]
    with WireClient(endpoint.host, endpoint.port) as other:
        other.login(endpoint.user, endpoint.password, endpoint.database)
        assert other.rows("show status like 'com_stmt_close'") == [(b"Com_stmt_close", b"0")]
    assert client.command(b"\x1f")[0][:1] == OK
    assert closed() == [(b"Com_stmt_close", b"0")]


def test_a_statement_with_many_parameters_moves_to_another_connection(client, endpoint, table):
    count = 65_520
    statement, _ = prepare(client, "DO " + ",".join(["?"] * count))
    with contextlib.ExitStack() as stack:
        # Others take the connection that it was prepared on.
        for _ in range(12):
            other = stack.enter_context(WireClient(endpoint.host, endpoint.port))
            other.login(endpoint.user, endpoint.password, endpoint.database)
            other.query("BEGIN")
            other.query(f"SELECT * FROM {table} LOCK IN SHARE MODE")
        packets = client.command(execute_payload(statement, [(1).to_bytes(4, "little")] * count, [(3, 0)] * count))
    assert packets[0][:1] == OK, ServerError(packets[0])


def test_long_data_is_collected_and_reset(client):
    statement, _ = prepare(client, "SELECT LENGTH(?), ?")
    target = statement.to_bytes(4, "little")
    for _ in range(3):
        client.send(b"\x18" + target + (0).to_bytes(2, "little") + b"z" * 1000)
    types = [(252, 0), (253, 0)]
    packets = client.command(execute_payload(statement, [b"", lenenc_bytes(b"end")], types))
    assert packets[-2].endswith((3000).to_bytes(4, "little") + lenenc_bytes(b"end")) or b"\xb8\x0b" in packets[-2]
    assert client.command(b"\x1a" + target)[0][:1] == OK
    packets = client.command(execute_payload(statement, [lenenc_bytes(b"ab"), lenenc_bytes(b"end")], types))
    assert b"\xb8\x0b" not in packets[-2]


def test_a_cursor_is_fetched_in_parts(client):
    statement, _ = prepare(client, "SELECT seq FROM seq_1_to_25")
    target = statement.to_bytes(4, "little")
    client.send(b"\x17" + target + b"\x01" + (1).to_bytes(4, "little"))
    columns = Reader(client.receive()).lenenc()
    for _ in range(columns + 1):
        client.receive()
    counts = []
    for _ in range(3):
        client.send(b"\x1c" + target + (10).to_bytes(4, "little"))
        rows = 0
        while client.receive()[:1] != EOF:
            rows += 1
        counts.append(rows)
    assert counts == [10, 10, 5]


def test_many_statements_at_once_keep_their_own_ids(client):
    statements = {prepare(client, f"SELECT {n}, ?")[0]: n for n in range(300)}
    assert len(statements) == 300
    for statement, number in list(statements.items())[::7]:
        packets = client.command(execute_payload(statement, [b"\x05"], [(1, 0)]))
        assert packets[-2][2:6] == number.to_bytes(4, "little")


def test_prepared_metadata_follows_a_changed_table(client, topology, table):
    statement, _ = prepare(client, f"SELECT * FROM {table} WHERE id = 1")
    assert Reader(client.command(execute_payload(statement, [], []))[0]).lenenc() == 2
    client.query(f"ALTER TABLE {table} ADD COLUMN extra INT DEFAULT 7")
    topology.settle()
    assert Reader(client.command(execute_payload(statement, [], []))[0]).lenenc() == 3


def test_change_user_starts_afresh(client, endpoint):
    client.query("SET @a = 5")
    client.query("CREATE TEMPORARY TABLE scratch_pad (a INT)")
    # An empty proof with a named plugin makes the server ask with a fresh challenge.
    payload = b"\x11" + endpoint.user.encode() + b"\0" + b"\x00" + b"app\0" + (45).to_bytes(2, "little")
    client.send(payload + b"mysql_native_password\0")
    packet = client.receive()
    if packet[:1] == EOF:
        from wire.client import native_scramble

        reader = Reader(packet[1:])
        reader.until_nul()
        client.send(native_scramble(endpoint.password, reader.rest()[:20]), client.sequence + 1)
        packet = client.receive()
    assert packet[:1] == OK, packet
    assert client.rows("SELECT @a") == [(None,)]
    assert client.query("SELECT * FROM scratch_pad")[0][:1] == ERR


def test_pipelined_commands_are_answered_in_order(client):
    for number in range(50):
        client.send(b"\x03SELECT %d" % number)
    for number in range(50):
        packets = client.answer()
        assert packets[-2] == lenenc_bytes(str(number).encode())


def test_bytes_that_arrive_one_by_one_make_a_command(client):
    from wire.codec import frame

    for byte in frame(b"\x03SELECT 'slow'", 0):
        client.send_raw(bytes([byte]))
    assert client.answer()[-2] == lenenc_bytes(b"slow")
