"""`gateway.io`: how hadal talks to the kernel about connections."""

import contextlib
import subprocess
from pathlib import Path

import pymysql
import pytest

from e2e.harness import without_io_uring

pytestmark = pytest.mark.gateway
FORBIDDEN = "io_uring cannot be had: Operation not permitted (os error 1)"


@pytest.fixture
def forbidding(binary, monkeypatch):
    """hadal in a process that may not use io_uring."""
    monkeypatch.setenv("HADAL_REAL", str(Path(binary).resolve()))
    return without_io_uring.__file__


def way(topology):
    """What the status says; after a few statements, so that it is more than a word."""
    with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as connection, connection.cursor() as cursor:
        for length in (1, 5000, 300_000):
            cursor.execute("SELECT REPEAT('x', %s), %s", (length, "y" * length))
            assert [len(value) for value in cursor.fetchone()] == [length, length]
        cursor.execute("SHOW HADAL STATUS")
        return dict(cursor.fetchall())["io"]


def has_ring(pid):
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # Connections come and go meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if "io_uring" in str(link.readlink()):
                return True
    return False


def test_epoll_is_used_where_the_setting_says_so(own_topology):
    topology = own_topology(replicas=0, gateway='io = "epoll"')
    assert way(topology) == "epoll (gateway.io says so)"
    assert "io=epoll (gateway.io says so)" in topology.gateway.last_words()


def test_without_a_setting_it_is_io_uring_unless_there_is_none(own_topology):
    topology = own_topology(replicas=0, gateway='io = "auto"')
    said = way(topology)
    assert said == "io_uring" or said.startswith("epoll (io_uring cannot be had: "), said
    assert has_ring(topology.gateway.process.pid) == (said == "io_uring")


def test_where_io_uring_is_forbidden_hadal_says_so_and_serves(own_topology, forbidding):
    topology = own_topology(replicas=0, binary=forbidding, gateway='io = "auto"')
    assert way(topology) == f"epoll ({FORBIDDEN})"
    assert f"io=epoll ({FORBIDDEN})" in topology.gateway.last_words()


def test_who_insists_on_io_uring_is_told_that_it_is_forbidden(own_topology, forbidding):
    topology = own_topology(replicas=0, gateway='io = "auto"')
    topology.gateway.stop()
    config = topology.gateway.config
    config.write_text(config.read_text().replace('io = "auto"', 'io = "io_uring"'))
    command = [forbidding, "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1, done
    assert "gateway.io" in done.stderr and "Operation not permitted" in done.stderr
