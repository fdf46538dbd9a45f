"""Fixtures: labs of one test each, and the report of what was measured."""

import itertools
import os
import shutil
from pathlib import Path

import pytest
from e2e.conftest import DEFAULT_BINARY, scratch, template  # noqa: F401

from chaos.lab.disk import why_no_disks
from chaos.lab.lab import Lab
from chaos.lab.network import why_no_namespaces
from chaos.lab.state import describe
from chaos.load.load import FULL, SMALL
from chaos.report import Report

NUMBER = itertools.count(1)
ALIVE = []
REPORT = Report()
MARKERS = {
    "short": "part of `make test`",
    "measured": "repeated --runs times, for the figures of the report",
    "network": "needs network namespaces",
    "disk": "needs loop devices and mount namespaces",
    "by_hand": "holds also where the lab promotes by itself, with --by-hand",
}


def pytest_addoption(parser):
    group = parser.getgroup("hadal")
    group.addoption("--hadal", default=os.environ.get("HADAL_BIN", str(DEFAULT_BINARY)), help="the binary to test")
    group.addoption("--by-hand", action="store_true", help="the lab promotes, not hadal: proves load and checker")
    group.addoption("--runs", type=int, default=int(os.environ.get("CHAOS_RUNS", "1")), help="of measured faults")
    group.addoption("--report", type=Path, help="folder for report.md and report.json")
    group.addoption("--no-namespaces", action="store_true", help="as on a machine where no networks can be made")


def pytest_configure(config):
    for name, text in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {text}")


def pytest_generate_tests(metafunc):
    """A measured fault is one test per run, but only one in the short set."""
    if metafunc.definition.get_closest_marker("measured"):
        metafunc.fixturenames.append("run")
        metafunc.parametrize("run", range(1, metafunc.config.getoption("--runs") + 1))


def pytest_collection_modifyitems(config, items):
    """A lab takes its time. Without failover only what says so is run."""
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(240))
        if config.getoption("--by-hand") and "lab" in str(item.fixturenames) and not item.get_closest_marker("by_hand"):
            item.add_marker(pytest.mark.skip(reason="needs hadal's own failover"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure is reported with what hadal and the servers said; every outcome goes into the report."""
    result = (yield).get_result()
    if result.failed:
        for lab in ALIVE:
            result.sections.append(("servers", "\n".join(describe(server) for server in lab.servers)))
            for node in lab.gateways:
                result.sections.append((node.label, node.last_words(8000)))
    if result.when == "call" or result.outcome != "passed":
        reason = str(call.excinfo.value).splitlines() if call.excinfo else []
        REPORT.outcome(item.originalname, result.outcome, reason[0] if reason else "")


def pytest_sessionfinish(session):
    folder = session.config.getoption("--report")
    if folder and not hasattr(session.config, "workerinput"):
        REPORT.write(folder)


def pytest_terminal_summary(terminalreporter):
    if REPORT.figures:
        terminalreporter.write_line(REPORT.table())


@pytest.fixture(scope="session")
def binary(request):
    path = request.config.getoption("--hadal")
    assert os.access(path, os.X_OK), f"{path} is missing: run `make build`, or say --hadal PATH"
    return path


@pytest.fixture(scope="session")
def namespaces(request):
    """Why there are none, or None."""
    if request.config.getoption("--no-namespaces"):
        return "--no-namespaces was said"
    return why_no_namespaces()


@pytest.fixture(scope="session")
def disks(scratch):  # noqa: F811
    return why_no_disks(scratch)


@pytest.fixture
def make_lab(request, scratch, template, binary, namespaces):  # noqa: F811
    """Makes labs that differ from the usual one: `make_lab(disks=["db1"], cluster="anti_flap_ms = 1")`."""
    if namespaces and request.node.get_closest_marker("network"):
        pytest.skip(f"this fault needs network namespaces: {namespaces}")
    if request.node.get_closest_marker("disk"):
        reason = request.getfixturevalue("disks")
        if reason:
            pytest.skip(f"this fault needs loop devices: {reason}")
    made = []

    def make(**options):
        by_hand = request.config.getoption("--by-hand")
        folder = scratch / f"lab-{next(NUMBER)}"
        made.append(Lab(folder, template, binary, network=not namespaces, by_hand=by_hand, **options))
        ALIVE.append(made[-1])
        return made[-1].start()

    try:
        yield make
    finally:
        for lab in made:
            lab.destroy()
            ALIVE.remove(lab)
            if not os.environ.get("HADAL_KEEP"):
                shutil.rmtree(lab.folder, ignore_errors=True)


@pytest.fixture
def size(request):
    """How many clients: with a report, as many as its figures are promised for."""
    return FULL if request.config.getoption("--report") else SMALL


@pytest.fixture
def lab(make_lab):
    """Three servers that replicate, and hadal in front of them."""
    return make_lab()


@pytest.fixture
def report(request):
    """`report(pause=0.8)` adds figures of this fault to the report."""
    name = request.node.originalname
    return lambda **figures: REPORT.add(name, **figures)
