"""Clients that share few server connections and leave everything on them that they can.

Nothing of one may reach another, nobody may keep what belongs to all, and each sees what a direct connection shows:
every test also passes with --direct.
"""

import contextlib
import struct
import time

import pytest
from e2e.harness.waiting import eventually
from e2e.hostile import (
    NEW_EOF,
    OLD_EOF,
    ROOT,
    ask,
    begin,
    beside,
    change_user,
    enter,
    execute,
    fetch,
    few,
    leave,
    one,
    opened,
    prepare,
    servers,
)
from wire.client import ServerError


def test_a_sequences_last_value_is_the_sessions_own(few, one, opened):
    first, second = enter(opened, few), enter(opened, few)
    one_value, next_value = (int(ask(c, "SELECT NEXTVAL(tickets)")[0][0]) for c in (first, second))
    assert ask(first, "SELECT LASTVAL(tickets)") == [(str(one_value).encode(),)]
    assert ask(second, "SELECT PREVIOUS VALUE FOR tickets") == [(str(next_value).encode(),)]
    gone = enter(opened, one)
    ask(gone, "SELECT NEXTVAL(tickets)")
    leave(gone)
    assert ask(enter(opened, one), "SELECT LASTVAL(tickets)") == [(None,)]


def test_a_cursor_outlives_many_other_statements_and_a_write(few, opened):
    client = enter(opened, few, OLD_EOF)
    reading = prepare(client, "SELECT a FROM numbers ORDER BY a")
    assert execute(client, reading, cursor=True) == "cursor"
    assert fetch(client, reading, 2) == [1, 2]
    for number in range(300):
        client.send(b"\x19" + struct.pack("<I", prepare(client, f"SELECT {number}")))
    assert ask(client, "INSERT INTO kept (note) VALUES ('while reading')") == "OK"
    assert fetch(client, reading, 9) == [3, 4, 5, 6]


@pytest.mark.parametrize("how", ["reset", "change user"])
def test_a_transaction_begun_on_a_replica_ends_with_a_reset(scratch, servers, binary, opened, how):
    name = "split-" + how.replace(" ", "-")
    with beside(scratch, servers, binary, name, cluster='transaction_split = "until-first-write"') as endpoint:
        client = enter(opened, endpoint)
        ask(client, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        ask(client, "BEGIN")
        ask(client, "SELECT COUNT(*) FROM kept")
        assert (client.command(b"\x1f") if how == "reset" else [change_user(client, endpoint)])[0][:1] == b"\x00"
        assert ask(client, f"INSERT INTO kept (note) VALUES ('after {how}')") == "OK"
        leave(client)
        assert servers.primary.sql(f"SELECT COUNT(*) FROM app.kept WHERE note = 'after {how}'") == ((1,),)


def test_a_session_survives_its_database(few, servers, opened):
    servers.primary.sql("CREATE DATABASE app_short")
    servers.settle()
    client, other = enter(opened, few, database="app_short", **ROOT), enter(opened, few, **ROOT)
    assert ask(client, "SELECT DATABASE()") == [(b"app_short",)]
    assert ask(other, "DROP DATABASE app_short") == "OK"
    # Takes the place of connections that are in that database.
    servers.settle()
    assert ask(client, "CREATE TABLE app.after_all (a INT)") == "OK"
    assert ask(client, "DROP TABLE app.after_all") == "OK"
    assert ask(client, "USE app") == "OK"
    assert ask(client, "SELECT DATABASE()") == [(b"app",)]


def test_rights_that_were_taken_away_are_gone(few, servers, opened):
    owner = enter(opened, few, **ROOT)
    for statement in ("CREATE USER guest@'%' IDENTIFIED BY 'guest'", "GRANT SELECT ON *.* TO guest@'%'"):
        assert ask(owner, statement) == "OK"
    guest = {"user": "guest", "password": "guest"}
    first = eventually(lambda: enter(opened, few, **guest), what="the account is known")
    assert isinstance(ask(first, "SELECT user FROM mysql.user LIMIT 1"), list)
    leave(first)
    assert ask(owner, "REVOKE SELECT ON *.* FROM guest@'%'") == "OK"
    assert ask(owner, "GRANT SELECT ON app.* TO guest@'%'") == "OK"
    eventually(lambda: ask(enter(opened, few, **guest), "SELECT user FROM mysql.user LIMIT 1") == 1142, within=5)


def test_one_name_with_two_hosts_is_two_accounts(few, servers, opened):
    servers.primary.sql(
        "CREATE USER twin@'%' IDENTIFIED BY 'strong'",
        "GRANT ALL ON *.* TO twin@'%'",
        "CREATE USER twin@'127.0.0.2' IDENTIFIED BY 'weak'",
    )
    servers.settle()
    strong = eventually(lambda: enter(opened, few, user="twin", password="strong"), what="the account is known")
    assert ask(strong, "SELECT CURRENT_USER()") == [(b"twin@%",)]
    with contextlib.suppress(ServerError):
        weak = enter(opened, few, user="twin", password="weak", address="127.0.0.2")
        assert ask(weak, "SELECT user FROM mysql.user LIMIT 1") == 1142
    for statement in ("BEGIN", "INSERT INTO kept (note) VALUES ('twin')", "COMMIT", "SELECT COUNT(*) > 0 FROM kept"):
        assert ask(strong, statement) in ("OK", [(b"1",)])


def test_a_write_that_fails_half_way_is_read_back(few, servers, opened):
    """A table without transactions keeps the rows before the failure, and replicas get them."""
    servers.primary.sql("CREATE TABLE IF NOT EXISTS app.plain (id INT PRIMARY KEY) ENGINE = MyISAM")
    servers.settle()
    client = enter(opened, few)
    for number in range(50):
        assert ask(client, f"INSERT INTO plain VALUES ({number}), ({number})") == 1062
        assert ask(client, f"SELECT COUNT(*) FROM plain WHERE id = {number}") == [(b"1",)]


HIDDEN = [
    "CREATE VIEW app.looks AS SELECT app.sets() AS x",
    "CREATE TABLE app.triggered (a INT)",
    """CREATE TRIGGER app.also_sets BEFORE INSERT ON app.triggered FOR EACH ROW
    BEGIN SET SESSION time_zone = '+05:00'; SET @left = 'behind'; END""",
    "CREATE PROCEDURE app.sets_too() BEGIN SET SESSION time_zone = '+05:00'; SET @left = 'behind'; END",
    "CREATE FUNCTION app.calls() RETURNS INT BEGIN CALL app.sets_too(); RETURN 1; END",
    "CREATE PROCEDURE app.rises() SET ROLE boss",
]
WHOLE_STATE = "SELECT @@time_zone, @left, @@autocommit, CURRENT_ROLE() FROM (SELECT NEXTVAL(tickets)) t"


@pytest.fixture(scope="module")
def hidden(servers, one):
    servers.primary.sql(*HIDDEN)
    servers.settle()
    # The gateway reads the catalogue again when it sees that it has changed.
    time.sleep(2)


@pytest.mark.parametrize("capabilities", [OLD_EOF, NEW_EOF], ids=["eof", "no-eof"])
@pytest.mark.parametrize(
    "statements",
    [
        ["SELECT * FROM looks"],
        ["INSERT INTO triggered VALUES (1)"],
        ["SELECT calls()"],
        ["CALL rises()"],
        ["PREPARE s FROM 'SET ROLE boss'", "EXECUTE s"],
        ["INSERT INTO leaving (note) VALUES ('bad')", "SELECT LAST_INSERT_ID()"],
    ],
)
def test_the_next_client_finds_nothing_of_what_was_done_out_of_sight(one, hidden, opened, statements, capabilities):
    first = enter(opened, one, capabilities)
    for statement in statements:
        first.query(statement)
    leave(first)
    assert ask(enter(opened, one, capabilities), WHOLE_STATE) == [(b"SYSTEM", None, b"1", None)]


@pytest.mark.gateway
def test_a_client_that_does_not_read_a_rewritten_answer_can_be_killed(one, opened):
    still, killer = enter(opened, one, OLD_EOF), enter(opened, one, **ROOT)
    begin(still, "SELECT CONNECTION_ID(), REPEAT('x', 15000000), NEXTVAL(tickets)")
    still.socket.recv(1)
    assert ask(killer, f"KILL CONNECTION {still.greeting.thread_id}") == "OK"
    assert ask(enter(opened, one), "INSERT INTO kept (note) VALUES ('place for others')") == "OK"
