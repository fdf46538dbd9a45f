"""Fixtures: a shared topology for what only reads and writes, topologies of their own for faults."""

import contextlib
import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pymysql
import pytest

from e2e.harness.gateway import IO
from e2e.harness.mariadb import make_template
from e2e.harness.topology import Topology

# For names that nobody else has.
NUMBER = itertools.count(1)
# Whose logs are shown with a failure.
ALIVE = []
DEFAULT_BINARY = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hadal/target/fast/hadal"


def seed(word):
    return int.from_bytes(os.urandom(3), "big") if word == "random" else int(word)


def pytest_addoption(parser):
    group = parser.getgroup("hadal")
    group.addoption("--direct", action="store_true", help="run against MariaDB itself: proves the tests, not hadal")
    group.addoption("--hadal", default=os.environ.get("HADAL_BIN", str(DEFAULT_BINARY)), help="the binary to test")
    group.addoption("--io", default=os.environ.get("HADAL_IO", ""), help="gateway.io of every hadal: epoll or io_uring")
    group.addoption("--seed", type=seed, default=1, help="seed of the differential test: a number, or `random`")
    group.addoption("--interleaved", type=int, default=0, help="statements of the search for sessions that notice others")
    group.addoption("--statements", type=int, default=4500, help="length of the differential test's stream")


def pytest_configure(config):
    IO["default"] = config.getoption("--io")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--direct"):
        skip = pytest.mark.skip(reason="needs hadal")
        for item in items:
            if item.get_closest_marker("gateway"):
                item.add_marker(skip)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure is reported with what hadal said: on a machine that is gone an hour later nobody can look it up."""
    report = (yield).get_result()
    if report.failed:
        report.sections += [(f"hadal of {each.folder.name}", each.gateway.last_words()) for each in ALIVE if each.gateway]


@pytest.fixture(scope="session")
def direct(request):
    return request.config.getoption("--direct")


@pytest.fixture(scope="session")
def binary(request, direct):
    """The hadal under test, or None."""
    if direct:
        return None
    path = request.config.getoption("--hadal")
    assert os.access(path, os.X_OK), f"{path} is missing: run `make build`, or say --hadal PATH or --direct"
    return path


@pytest.fixture(scope="session")
def scratch():
    """A folder with a short name, because sockets have little room for their path."""
    folder = Path(tempfile.mkdtemp(prefix="hadal-e2e-"))
    yield folder
    if not os.environ.get("HADAL_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(scratch):
    folder = scratch / "template"
    make_template(folder)
    return folder


@pytest.fixture(scope="session")
def topology(scratch, template, binary):
    """Shared by the whole session: a test leaves it as it found it."""
    made = Topology(scratch / "shared", template, binary=binary)
    ALIVE.append(made)
    try:
        yield made.start()
    finally:
        made.destroy()


@pytest.fixture
def own_topology(scratch, template, binary):
    """Makes topologies for one test, which may hurt them: `own_topology(replicas=1, cluster='max_lag_ms = 500')`."""
    made = []

    def make(**options):
        made.append(Topology(scratch / f"own-{next(NUMBER)}", template, **{"binary": binary, **options}))
        ALIVE.append(made[-1])
        return made[-1].start()

    try:
        yield make
    finally:
        for topology in made:
            topology.destroy()
            ALIVE.remove(topology)
            if not os.environ.get("HADAL_KEEP"):
                shutil.rmtree(topology.folder, ignore_errors=True)


@pytest.fixture
def endpoint(topology):
    return topology.endpoint


@pytest.fixture
def connect(endpoint):
    """Opens PyMySQL connections that are closed after the test."""
    with contextlib.ExitStack() as stack:

        def open_connection(**options):
            connection = pymysql.connect(**{**endpoint.keywords(), "autocommit": True, **options})
            stack.callback(lambda: connection.open and connection.close())
            return connection

        yield open_connection


@pytest.fixture
def run(connect):
    """Runs one statement on a connection of its own, or of the given one, and returns its rows."""

    def run_statement(statement, values=None, on=None):
        with (on or connect()).cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    return run_statement


@pytest.fixture
def table(topology):
    """A table of this test alone: `id` and `note`, three rows, on all servers."""
    name = f"t_{next(NUMBER)}"
    topology.primary.sql(
        f"CREATE TABLE app.{name} (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200))",
        f"INSERT INTO app.{name} (note) VALUES ('one'), ('two'), ('three')",
    )
    topology.settle()
    yield name
    topology.primary.sql(f"DROP TABLE IF EXISTS app.{name}")
