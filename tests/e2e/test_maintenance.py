"""A server on which people work takes no reads, and says why (`hadal maintenance`)."""

import os
import subprocess

import pymysql
import pytest
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway


def hadal(topology, *words):
    url = f"http://127.0.0.1:{topology.gateway.admin_port}"
    arguments = [topology.gateway.binary, *words, "--url", url]
    done = subprocess.run(arguments, env=os.environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def readers(topology):
    """The servers that answer twenty reads."""
    with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as connection, connection.cursor() as cursor:
        names = set()
        for _ in range(20):
            cursor.execute("SELECT name FROM app.whoami")
            names.add(cursor.fetchone()[0])
        return names


def test_a_server_in_maintenance_takes_no_reads(own_topology):
    topology = own_topology(replicas=2)
    resting, other = topology.replicas
    address = f"127.0.0.1:{resting.port}"
    eventually(lambda: readers(topology) == {resting.name, other.name}, what="both replicas are read from")

    hadal(topology, "maintenance", "on", address, "--reason", "more memory")
    eventually(lambda: readers(topology) == {other.name}, what="the other one alone is read from")
    assert "degraded: in maintenance: more memory" in hadal(topology, "status")

    topology.gateway.stop()
    topology.gateway.start()
    eventually(lambda: "more memory" in hadal(topology, "status"), what="a restarted hadal still knows")

    hadal(topology, "maintenance", "off", address)
    eventually(lambda: readers(topology) == {resting.name, other.name}, what="both are read from again")
