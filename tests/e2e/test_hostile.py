"""Clients that share few server connections and leave everything on them that they can.

Nothing of one may reach another, nobody may keep what belongs to all, and each sees what a direct connection shows:
every test also passes with --direct.
"""

import collections
import contextlib
import random
import struct
import threading
import time

import pytest
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER
from e2e.harness.waiting import eventually
from e2e.hostile import (
    BLOB,
    NEW_EOF,
    OLD_EOF,
    ROOT,
    STRING,
    ask,
    begin,
    beside,
    busy,
    enter,
    error_of,
    execute,
    fetch,
    few,
    is_leasing,
    late,
    leave,
    long_data,
    one,
    opened,
    prepare,
    servers,
)
from wire import capability
from wire.client import ServerError, WireClient
from wire.codec import lenenc_bytes

UNTOUCHED = [(b"SYSTEM", None, b"1", b"0")]
STATE = "SELECT @@time_zone, @left, @@autocommit, @@sql_mode LIKE '%ANSI%' FROM (SELECT NEXTVAL(tickets)) t"


@pytest.mark.parametrize("capabilities", [OLD_EOF, NEW_EOF], ids=["eof", "no-eof"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT fails()",
        "SELECT sets(); SELECT nothing_of_that_name",
        "INSERT INTO leaving (note) VALUES ('bad')",
        "SELECT 1 INTO @left",
        "EXECUTE IMMEDIATE 'SET @left = 1'",
        "BEGIN NOT ATOMIC SET @left = 1; SET time_zone = '+05:00'; END",
        "SET SESSION sql_mode = 'ANSI_QUOTES'; SELECT nothing_of_that_name",
        "SET STATEMENT max_statement_time = 10 FOR SELECT @left := 1",
        "SET STATEMENT max_statement_time = 10 FOR SELECT 1; SET SESSION sql_mode = 'ANSI_QUOTES'",
        "SELECT 1; SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT 1",
        "SET STATEMENT max_statement_time = 10 FOR SET sql_mode = 'ANSI_QUOTES'",
        "SET STATEMENT max_statement_time = 10 FOR SET @@sql_mode = 'ANSI_QUOTES', time_zone = '+05:00'",
        "/*!99999 SET STATEMENT sql_mode = '' FOR */ SET time_zone = '+05:00'",
        "/*!40101 SET @@sql_mode = 'ANSI_QUOTES' */",
        "SET /*!99999 @left = 1, */ @@sql_mode = 'ANSI_QUOTES', @@time_zone = '+05:00'",
        "/*!99999 SELECT */ SET @@sql_mode = 'ANSI_QUOTES'",
        "/*!1 SET */ /*!1 @@sql_mode */ /*!1 = */ /*!1 'ANSI_QUOTES' */",
        "PREPARE s FROM 'SET @@sql_mode = ''ANSI_QUOTES'''; EXECUTE s",
        "INSERT INTO leaving (note) VALUES ('zone')",
        "INSERT INTO leaving (note) VALUES ('left') RETURNING id",
        "INSERT INTO over_leaving (note) VALUES ('zone')",
        "BEGIN; INSERT INTO kept (note) VALUES ('open'); SET autocommit = 0; SELECT nothing_of_that_name",
    ],
)
def test_the_next_client_finds_nothing_of_the_last(one, opened, statement, capabilities):
    first = enter(opened, one, capabilities)
    first.query(statement)
    leave(first)
    assert ask(enter(opened, one, capabilities), STATE) == UNTOUCHED


@pytest.mark.parametrize("capabilities", [OLD_EOF, NEW_EOF], ids=["eof", "no-eof"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT sets()",
        "SELECT sets() UNION SELECT 2",
        "SELECT 1; SELECT sets()",
        "INSERT INTO kept (note) VALUES ('good') RETURNING sets()",
        "ANALYZE SELECT sets()",
    ],
)
def test_the_next_client_finds_nothing_that_a_function_has_set(one, opened, statement, capabilities):
    first = enter(opened, one, capabilities)
    first.query(statement)
    leave(first)
    assert ask(enter(opened, one, capabilities), STATE) == UNTOUCHED


def test_a_temporary_table_made_by_a_function_is_nobody_elses(one, opened):
    first = enter(opened, one, OLD_EOF)
    assert ask(first, "SELECT makes()") == [(b"1",)]
    assert ask(first, "SELECT a FROM own") == [(b"5",)]
    leave(first)
    assert ask(enter(opened, one, OLD_EOF), "SELECT a FROM own") == 1146


def test_a_lock_taken_by_a_trigger_ends_with_its_session(one, opened):
    first = enter(opened, one)
    assert ask(first, "INSERT INTO leaving (note) VALUES ('lock')") == "OK"
    leave(first)
    assert ask(enter(opened, one), "SELECT GET_LOCK('of a trigger', 5)") == [(b"1",)]


def test_profiles_are_the_sessions_own(one, opened):
    first = enter(opened, one)
    for statement in ("SET profiling = 1", "INSERT INTO sink VALUES (4711)"):
        assert ask(first, statement) == "OK"
    assert len(ask(first, "SHOW PROFILES")) == 1
    leave(first)
    assert ask(enter(opened, one), "SHOW PROFILES") == []


def test_long_data_reaches_only_its_own_statement_and_session(few, opened):
    """Several rounds, so that whichever connection serves the second client, it is one that the first has used."""
    for _ in range(4):
        first, second = enter(opened, few), enter(opened, few)
        text = "SELECT ?, NEXTVAL(tickets) > 1"
        other, mine = prepare(first, "SELECT ?, NEXTVAL(tickets) > 0"), prepare(first, text)
        theirs = prepare(second, text)
        long_data(first, other, b"other")
        long_data(first, mine, b"secret")
        assert execute(first, other, [b""], [BLOB])[:6] == b"\x05other"
        assert execute(second, theirs, [lenenc_bytes(b"public")], [STRING])[:7] == b"\x06public"
        assert execute(first, mine, [b""], [BLOB])[:7] == b"\x06secret"
        leave(first)
        leave(second)


def test_statements_of_one_text_keep_their_own_long_data(few, opened):
    client = enter(opened, few)
    first, second = prepare(client, "SELECT ?, 1"), prepare(client, "SELECT ?, 1")
    long_data(client, first, b"AAA")
    long_data(client, second, b"BBB")
    assert execute(client, first, [b""], [BLOB])[:4] == b"\x03AAA"
    assert execute(client, second, [b""], [BLOB])[:4] == b"\x03BBB"


def test_statements_of_one_text_keep_their_own_cursors(few, opened):
    client = enter(opened, few, OLD_EOF)
    text = "SELECT a FROM numbers ORDER BY a"
    first, second = prepare(client, text), prepare(client, text)
    assert execute(client, first, cursor=True) == "cursor"
    assert fetch(client, first, 2) == [1, 2]
    assert execute(client, second, cursor=True) == "cursor"
    assert fetch(client, second, 1) == [1]
    third = prepare(client, text)
    assert fetch(client, first, 2) == [3, 4]
    assert fetch(client, second, 2) == [2, 3]
    assert execute(client, third, cursor=True) == "cursor"
    assert fetch(client, third, 9) == [1, 2, 3, 4, 5, 6]


def test_closed_statements_use_up_no_limit(few, servers, opened):
    for server in servers.servers:
        server.sql("SET GLOBAL max_prepared_stmt_count = 40")
    try:
        client = enter(opened, few)
        for number in range(100):
            client.send(b"\x19" + struct.pack("<I", prepare(client, f"SELECT {number} FROM numbers")))
    finally:
        for server in servers.servers:
            server.sql("SET GLOBAL max_prepared_stmt_count = 16382")


@pytest.mark.parametrize("setting", ["sql_select_limit = 0", "character_set_results = utf16"])
def test_an_insert_id_is_known_whatever_the_session_has_set(few, servers, opened, setting):
    client = enter(opened, few)
    assert ask(client, f"SET {setting}") == "OK"
    assert ask(client, "INSERT INTO kept (note) VALUES ('mine')") == "OK"
    expected = servers.primary.sql("SELECT MAX(id) FROM app.kept")[0][0]
    # Longer than a connection is kept for what it knows.
    eventually(lambda: not is_leasing(few, opened, client), what="the connection has been given back")
    ask(client, f"SET {setting.split()[0]} = DEFAULT")
    assert ask(client, "SELECT LAST_INSERT_ID()") == [(str(expected).encode(),)]


@pytest.mark.parametrize(
    "steps",
    [
        ["BEGIN"],
        ["INSERT INTO kept (id, note) VALUES (NULL, 'mine') ON DUPLICATE KEY UPDATE note = 'x'", "COMMIT"],
        ["INSERT INTO kept (id, note) VALUES (100001, 'given')"],
        ["INSERT INTO kept (id, note) VALUES (100001, 'given')", "INSERT INTO kept (id, note) VALUES (100002, 'too')"],
        ["SET @mine = 1"],
        ["REPLACE INTO kept (id, note) VALUES (100001, 'given')", "BEGIN"],
    ],
)
def test_nobody_sees_another_sessions_insert_id(one, servers, opened, steps):
    servers.primary.sql("DELETE FROM app.kept WHERE id > 100000", "ALTER TABLE app.kept AUTO_INCREMENT = 1")
    other = enter(opened, one)
    assert ask(other, "INSERT INTO kept (note) VALUES ('of another')") == "OK"
    foreign = ask(other, "SELECT LAST_INSERT_ID()")
    leave(other)
    session = enter(opened, one)
    for step in steps:
        assert ask(session, step) == "OK"
    expected = b"0"
    if "NULL" in steps[0]:
        expected = str(servers.primary.sql("SELECT MAX(id) FROM app.kept")[0][0]).encode()
    assert foreign != [(expected,)]
    assert ask(session, "SELECT LAST_INSERT_ID()") == [(expected,)]
    assert ask(session, "SELECT @@last_insert_id") == [(expected,)]


@pytest.mark.parametrize("rows", [1, 3])
def test_counts_of_rows_are_kept_in_variables_and_tie_nobody_to_a_replica(few, opened, rows):
    client = enter(opened, few)
    assert len(ask(client, f"SELECT a FROM numbers ORDER BY a LIMIT {rows}")) == rows
    assert ask(client, "SET @found = FOUND_ROWS(), @counted = ROW_COUNT()") == "OK"
    assert ask(client, "INSERT INTO kept (note) VALUES ('after counting')") == "OK"
    assert ask(client, "SELECT @found, @counted") == [(str(rows).encode(), b"-1")]


COUNTS = {
    "mixed": ("SELECT ROW_COUNT(), 'x'", (b"3", b"x")),
    "in an expression": ("SELECT IF(ROW_COUNT() = 3, 'three', 'other')", (b"three",)),
    "of one of its own": ("UPDATE kept SET note = 'x' WHERE 1 = 0; SELECT ROW_COUNT()", (b"0",)),
    "of one of its own, of two": ("DO 1; SELECT ROW_COUNT(), 'x'", (b"0", b"x")),
}


@pytest.mark.parametrize("question", COUNTS)
def test_counts_are_known_when_others_have_the_connection(one, opened, question):
    asking, other = enter(opened, one), enter(opened, one)
    assert ask(asking, "INSERT INTO kept (note) VALUES ('a'), ('b'), ('c')") == "OK"
    assert ask(other, "INSERT INTO kept (note) VALUES ('d')") == "OK"
    statement, expected = COUNTS[question]
    packets = asking.query(statement)
    assert error_of(packets) is None, packets
    columns = len(expected)
    row = next(packet for packet in reversed(packets) if packet[:1] != b"\xfe")
    assert tuple(WireClient.text_values(row, columns)) == expected


def test_a_count_that_is_asked_for_in_an_expression_has_its_own_name(one, connect, opened):
    asking, other = connect(port=one.port), enter(opened, one)
    with asking.cursor() as cursor:
        cursor.execute("UPDATE kept SET note = CONCAT(note, '+')")
        rows = cursor.rowcount
        assert ask(other, "DO 1") == "OK"
        cursor.execute("SELECT row_count( ), 'x'")
        assert cursor.fetchall() == ((rows, "x"),)
        assert [column[0] for column in cursor.description] == ["row_count( )", "x"]


def test_rows_that_were_found_are_known_when_others_have_the_connection(one, connect, opened):
    asking, other = connect(port=one.port), enter(opened, one)
    with asking.cursor() as cursor:
        cursor.execute("SELECT a FROM numbers ORDER BY a LIMIT 4")
        assert ask(other, "DO 1") == "OK"
        cursor.execute("SELECT FOUND_ROWS() + 1, ROW_COUNT()")
        assert cursor.fetchall() == ((5, -1),)
        assert [column[0] for column in cursor.description] == ["FOUND_ROWS() + 1", "ROW_COUNT()"]


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("statement", ["SET NAMES DEFAULT", "SET CHARACTER SET utf8mb4", "SET NAMES utf8mb4"])
def test_a_change_of_character_set_leaves_the_counts_alone(few, opened, statement, pinned):
    client = enter(opened, few)
    if pinned:
        assert ask(client, "SET @a = 1") == "OK"
    for question, expected in [("SELECT ROW_COUNT()", b"0"), ("SELECT 0 + ROW_COUNT()", b"0"), ("SELECT FOUND_ROWS()", b"4")]:
        assert len(ask(client, "SELECT SQL_CALC_FOUND_ROWS a FROM numbers LIMIT 4 OFFSET 0")) == 4
        assert len(ask(client, "SELECT a FROM numbers ORDER BY a LIMIT 4")) == 4
        assert ask(client, statement) == "OK"
        assert ask(client, question) == [(expected,)]


def test_an_insert_id_survives_a_kill_of_another_session(few, servers, opened):
    killer, target, other = (enter(opened, few) for _ in range(3))
    begin(target, "INSERT INTO sink SELECT SLEEP(20)")
    running = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'INSERT%SLEEP(20)'"
    eventually(lambda: servers.primary.sql(running), what="the target's statement runs")
    assert ask(killer, "INSERT INTO kept (note) VALUES ('mine')") == "OK"
    expected = servers.primary.sql("SELECT MAX(id) FROM app.kept")[0][0]
    assert ask(killer, f"KILL QUERY {target.greeting.thread_id}") == "OK"
    assert error_of(target.answer()) in (None, 1317)
    assert ask(other, "SELECT LAST_INSERT_ID(777) FOR UPDATE") == [(b"777",)]
    assert ask(killer, "SELECT LAST_INSERT_ID()") == [(str(expected).encode(),)]


def test_results_in_utf16(few, opened):
    client = enter(opened, few)
    assert ask(client, "SET character_set_results = utf16") == "OK"
    for _ in range(3):
        assert ask(client, "SELECT a FROM numbers WHERE a = 1") == [(b"\x001",)]
        assert ask(client, "INSERT INTO kept (note) VALUES ('x')") == "OK"


@pytest.mark.parametrize(
    "statement",
    [
        "BEGIN",
        "START TRANSACTION",
        "SET autocommit = 1",
        "CREATE TABLE IF NOT EXISTS by_the_way (a INT)",
        "LOCK TABLES kept WRITE",
    ],
)
@pytest.mark.parametrize("user", [{}, ROOT], ids=["user", "super"])
def test_what_ends_a_read_only_transaction_leaves_the_replica(few, servers, opened, statement, user):
    before = servers.primary.sql("SELECT COUNT(*) FROM app.kept")
    client = enter(opened, few, **user)
    for step in ("START TRANSACTION READ ONLY", "SELECT COUNT(*) FROM kept", statement):
        assert isinstance(ask(client, step), str | list)
    if statement.startswith("SET"):
        ask(client, "COMMIT")
    for step in ("INSERT INTO kept (note) VALUES ('after')", "COMMIT", "UNLOCK TABLES"):
        assert ask(client, step) == "OK"
    assert servers.primary.sql("SELECT COUNT(*) FROM app.kept")[0][0] == before[0][0] + 1
    servers.settle()
    counts = [server.sql("SELECT COUNT(*) FROM app.kept") for server in servers.servers]
    assert counts[0] == counts[1]


def test_commit_release_ends_one_session_only(few, opened):
    bystander = enter(opened, few)
    for _ in range(30):
        client = enter(opened, few)
        for statement in ("BEGIN", "INSERT INTO kept (note) VALUES ('released')", "COMMIT RELEASE"):
            assert ask(client, statement) == "OK"
        assert ask(bystander, "INSERT INTO kept (note) VALUES ('bystander')") == "OK"
        assert client.is_closed_by_peer()


def test_a_role_ends_with_its_session(one, opened):
    first = enter(opened, one)
    assert ask(first, "SET ROLE boss") == "OK"
    assert ask(first, "SELECT CURRENT_ROLE()") == [(b"boss",)]
    leave(first)
    assert ask(enter(opened, one), "SELECT CURRENT_ROLE()") == [(None,)]


def test_a_lock_taken_by_a_function_ends_with_its_session(one, servers, opened):
    first = enter(opened, one)
    assert ask(first, "SELECT locks()") == [(b"1",)]
    leave(first)
    eventually(lambda: servers.primary.sql("SELECT IS_FREE_LOCK('of a function')") == ((1,),), what="the lock is free")


def test_questions_about_the_last_statement_can_be_repeated(few, opened):
    client = enter(opened, few)
    assert ask(client, "SELECT 1/0") == [(None,)]
    assert len(ask(client, "SHOW WARNINGS")) == 1
    assert ask(client, "SELECT @@warning_count") == [(b"1",)]
    assert ask(client, "SHOW COUNT(*) WARNINGS") == [(b"1",)]
    assert ask(client, "SELECT nothing_of_that_name") == 1054
    assert len(ask(client, "SHOW ERRORS")) == 1
    assert ask(client, "GET DIAGNOSTICS CONDITION 1 @number = MYSQL_ERRNO") == "OK"
    assert ask(client, "SELECT @number") == [(b"1054",)]


def test_kill_query_works_when_all_connections_are_in_use(few, servers, opened):
    killer = enter(opened, few)
    with busy(opened, few, servers, 3, 15) as clients:
        began = time.monotonic()
        for client in clients:
            assert ask(killer, f"KILL QUERY {client.greeting.thread_id}") == "OK"
            client.answer()
        assert time.monotonic() - began < 4
    assert ask(killer, "INSERT INTO kept (note) VALUES ('free again')") == "OK"


@pytest.mark.gateway
@pytest.mark.parametrize("what", ["QUERY", "CONNECTION"])
def test_a_statement_that_waits_for_a_connection_can_be_killed(few, servers, opened, what):
    waiting, killer = enter(opened, few), enter(opened, few, **ROOT)
    with busy(opened, few, servers, 3, 2) as clients:
        begin(waiting, f"INSERT INTO kept (note) VALUES ('killed {what}')")
        eventually(lambda: [r for r in ask(killer, "SHOW HADAL POOLS") if r[2] == b"app" and r[6] == b"1"])
        assert ask(killer, f"KILL {what} {waiting.greeting.thread_id}") == "OK"
        with contextlib.suppress(EOFError, ConnectionError):
            assert error_of(waiting.answer()) in (1317, 1927)
        for client in clients:
            client.answer()
    assert ask(killer, f"SELECT COUNT(*) FROM kept WHERE note = 'killed {what}'") == [(b"0",)]


@pytest.mark.gateway
@pytest.mark.parametrize("how", ["a result is not read", "a file is not sent"])
def test_a_client_that_stands_still_can_be_killed(few, opened, how):
    killer, still = enter(opened, few, **ROOT), []
    for _ in range(3):
        client = enter(opened, few, OLD_EOF | capability.LOCAL_FILES)
        if how == "a file is not sent":
            begin(client, "LOAD DATA LOCAL INFILE 'any' INTO TABLE sink")
            assert client.receive()[:1] == b"\xfb"
        else:
            begin(client, "SELECT NEXTVAL(tickets), REPEAT('x', 1000000) FROM seq_1_to_200")
            client.receive()
        still.append(client)
    for client in still:
        assert ask(killer, f"KILL CONNECTION {client.greeting.thread_id}") == "OK"
    assert ask(enter(opened, few), "INSERT INTO kept (note) VALUES ('place for others')") == "OK"


def test_a_file_in_packets_of_the_largest_size(few, servers, opened):
    client = enter(opened, few, OLD_EOF | capability.LOCAL_FILES)
    begin(client, "LOAD DATA LOCAL INFILE 'any' INTO TABLE wide")
    assert client.receive()[:1] == b"\xfb"
    sequence = client.sequence + 1
    client.send(b"x" * (2**24 - 1), sequence)
    client.send(b"y\n", sequence + 2)
    client.send(b"", sequence + 3)
    assert client.receive()[:1] == b"\x00"
    assert servers.primary.sql("SELECT LENGTH(v) FROM app.wide") == ((2**24,),)


@pytest.mark.gateway
def test_who_has_not_logged_in_gets_little_memory(scratch, servers, binary, opened):
    scope = beside(scratch, servers, binary, "memory")
    with scope as endpoint:
        before = scope.gateway.resident_bytes()
        for _ in range(20):
            client = WireClient(endpoint.host, endpoint.port)
            opened.callback(client.close)
            client.greet()
            with contextlib.suppress(ConnectionError):
                client.send_raw((2**24 - 3).to_bytes(3, "little") + b"\x01" + bytes(2**23))
        assert scope.gateway.resident_bytes() - before < 20 << 20


def test_kills_hit_nobody_else(few, opened):
    """Victims share three connections with targets that are killed all the time."""
    until, results, targets = time.monotonic() + 4, collections.Counter(), {}
    statements = [
        "INSERT INTO sink VALUES (7)",
        "SELECT SLEEP(0.001), NEXTVAL(tickets) > 0",
        "SELECT a FROM numbers LIMIT 1",
    ]

    def work(name, is_target):
        choose = random.Random(name)
        client = None
        while time.monotonic() < until:
            try:
                if client is None:
                    client = enter(opened, few)
                    if is_target:
                        targets[name] = client.greeting.thread_id
                result = ask(client, choose.choice(statements))
            except (EOFError, OSError):
                result, client = "gone", None
            results["target" if is_target else "victim", result if isinstance(result, int | str) else "rows"] += 1

    def kill():
        client, choose = enter(opened, few, **ROOT), random.Random(1)
        while time.monotonic() < until:
            for target in list(targets.values()):
                ask(client, f"KILL {choose.choice(['QUERY', 'QUERY', 'CONNECTION'])} {target}")

    threads = [threading.Thread(target=work, args=(n, n < 4)) for n in range(10)] + [threading.Thread(target=kill)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {what for who, what in results if who == "victim"} <= {"OK", "rows"}, results
    assert results["target", 1317] + results["target", "gone"] > 0, results


@pytest.mark.gateway
def test_clients_that_leave_in_the_middle_leave_nothing(few, servers, opened):
    """A hundred clients on three connections: who stays gets answers to own questions only, and all comes back."""
    until, wrong = time.monotonic() + 4, []

    def work(number):
        choose = random.Random(number)
        while time.monotonic() < until:
            with contextlib.suppress(EOFError, OSError, ServerError), contextlib.ExitStack() as own:
                client = enter(own, few)
                for _ in range(choose.randrange(1, 6)):
                    tag = f"{number}-{choose.random()}"
                    step = choose.randrange(5)
                    if step == 0:
                        begin(client, "SELECT REPEAT('y', 300000), NEXTVAL(tickets) FROM seq_1_to_20")
                        client.receive()
                        break
                    if step == 1:
                        begin(client, f"INSERT INTO kept (note) VALUES ('{tag}')")
                        break
                    if step == 2:
                        ask(client, "BEGIN")
                        ask(client, "INSERT INTO kept (note) VALUES ('never committed')")
                        break
                    begin(client, f"SELECT '{tag}', NEXTVAL(tickets) > 0")
                    begin(client, f"SELECT '{tag}', 2")
                    client.send(b"\x0e")
                    for answer in (client.answer(), client.answer()):
                        if error_of(answer) is None and tag.encode() not in b"".join(answer):
                            wrong.append((tag, answer))
                    client.answer()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    watcher = enter(opened, few, user=ADMIN_USER, password=ADMIN_PASSWORD)

    def at_rest():
        pools = [row for row in ask(watcher, "SHOW HADAL POOLS") if row[2] == b"app"]
        return all(int(row[4]) <= 3 and row[4] == row[5] and row[6] == b"0" for row in pools)

    eventually(at_rest, what="all connections are back")
    eventually(lambda: servers.primary.sql("SELECT COUNT(*) FROM information_schema.innodb_trx") == ((0,),))
    assert servers.primary.sql("SELECT COUNT(*) FROM app.kept WHERE note = 'never committed'") == ((0,),)


@pytest.mark.parametrize("capabilities", [OLD_EOF, NEW_EOF], ids=["eof", "no-eof"])
@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO kept VALUES ({}, 'x') RETURNING id",
        "SELECT notes({})",
        "ANALYZE INSERT INTO kept VALUES ({}, 'x')",
        "INSERT INTO kept VALUES ({}, 'x'); SELECT nothing_of_that_name",
    ],
)
def test_a_write_that_answers_with_rows_is_read_back(late, opened, write, capabilities):
    client, number = enter(opened, late.endpoint, capabilities), random.randrange(10**9)
    client.query(write.format(number))
    assert ask(client, f"SELECT COUNT(*) FROM kept WHERE id = {number}") == [(b"1",)]


@pytest.mark.gateway
def test_the_first_write_after_a_change_of_primary_succeeds(own_topology, opened):
    """Though the new primary's pool is full of connections from the time when it was a replica."""
    topology = own_topology(replicas=1, pool="max_connections = 20")
    old, new = topology.servers
    readers = [enter(opened, topology.endpoint) for _ in range(12)]
    for reader in readers:
        begin(reader, "SELECT name, SLEEP(0.5) FROM whoami")
    for reader in readers:
        reader.answer()
    old.sql("SET GLOBAL read_only = 1")
    new.catch_up_with(old)
    new.lead(semi_sync=False)
    old.follow(new)
    where = "/* hadal: to=primary */ SELECT name FROM whoami"
    eventually(lambda: (b"server-2",) in ask(readers[0], where), what="the new primary is known")
    assert ask(readers[1], "CREATE TABLE app.after_all (a INT)") == "OK"
