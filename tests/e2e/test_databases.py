"""Statements that change a database itself, while connections that entered it before wait in the pool."""

import contextlib

import pytest
from e2e.harness.topology import Topology
from e2e.hostile import ROOT, SCHEMA, ask, enter
from e2e.test_hostile import beside

LOOK = "SELECT @@character_set_database, @@collation_database"


@pytest.fixture
def opened():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def servers(scratch, template):
    made = Topology(scratch / "databases", template, replicas=1)
    try:
        made.start()
        made.primary.sql(*SCHEMA)
        made.settle()
        yield made
    finally:
        made.destroy()


@pytest.mark.parametrize("connections", [1, 4])
def test_a_changed_database_is_seen_by_who_enters_it_later(scratch, servers, binary, opened, connections):
    pool = f"max_connections = {connections}\nwait_timeout_ms = 5000"
    endpoint = opened.enter_context(beside(scratch, servers, binary, f"databases-{connections}", pool=pool))
    name = f"changing{connections}"
    owner = enter(opened, endpoint, **ROOT, database=None)
    for statement in (f"CREATE DATABASE {name} CHARACTER SET latin1", f"USE {name}"):
        assert ask(owner, statement) == "OK"
    before = [enter(opened, endpoint, **ROOT, database=name) for _ in range(3)]
    for client in before:
        assert ask(client, LOOK) == [(b"latin1", b"latin1_swedish_ci")]
    assert ask(owner, f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin") == "OK"
    assert ask(owner, LOOK) == [(b"utf8mb4", b"utf8mb4_bin")]
    for number in range(4):
        client = enter(opened, endpoint, **ROOT, database=name)
        assert ask(client, LOOK) == [(b"utf8mb4", b"utf8mb4_bin")]
        assert ask(client, f"CREATE TABLE made{number} (note VARCHAR(10))") == "OK"
    if binary is not None:
        # Directly, who entered it before keeps the old view, and makes tables that differ on the replica.
        for number, client in enumerate(before):
            assert ask(client, f"CREATE TABLE late{number} (note VARCHAR(10))") == "OK"
    servers.settle()
    described = f"SELECT table_name, table_collation FROM information_schema.tables WHERE table_schema = '{name}'"
    there, here = (sorted(server.sql(described)) for server in (servers.servers[1], servers.primary))
    assert there == here
    assert {collation for _, collation in here} == {"utf8mb4_bin"}


def test_a_database_made_anew_is_entered_anew(scratch, servers, binary, opened):
    pool = "max_connections = 2\nwait_timeout_ms = 5000"
    endpoint = opened.enter_context(beside(scratch, servers, binary, "anew", pool=pool))
    owner = enter(opened, endpoint, **ROOT, database=None)
    for charset in ("latin1", "utf8mb3", "ascii"):
        assert ask(owner, f"CREATE DATABASE anew CHARACTER SET {charset}") == "OK"
        client = enter(opened, endpoint, **ROOT, database="anew")
        assert ask(client, "SELECT @@character_set_database") == [(charset.encode(),)]
        assert ask(owner, "DROP DATABASE anew") == "OK"
