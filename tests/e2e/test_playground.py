"""`hadal playground`: the first thing that anybody runs."""

import itertools
import json
import os
import signal
import socket
import subprocess

import pymysql
import pytest
from e2e.harness.ports import free_ports
from e2e.harness.process import spawn
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway
NUMBER = itertools.count(1)


class Playground:
    """A playground process with ports of its own."""

    def __init__(self, binary, folder, *flags):
        self.binary, self.folder = binary, folder
        self.gateway, self.admin, *servers = free_ports(5)
        self.flags = [f"--gateway-port={self.gateway}", f"--admin-port={self.admin}", *flags]
        if not any(flag.startswith("--base-port") for flag in flags):
            self.flags.append(f"--base-port={servers[0]}")
        self.environment = {**os.environ, "TMPDIR": str(folder)}
        self.process = self.report = None

    def run(self, *more):
        """Runs it to its end."""
        command = [self.binary, "playground", *self.flags, *more]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=100, check=False)

    def start(self):
        command = [self.binary, "playground", *self.flags, "--json"]
        with (self.folder / "said").open("wb") as said:
            self.process = spawn(command, env=self.environment, stdout=subprocess.PIPE, stderr=said)
        line = self.process.stdout.readline()
        assert line, (self.folder / "said").read_text()
        self.report = json.loads(line)
        return self

    def hadal(self, *words):
        """A command for what runs here, to its end."""
        command = [self.binary, *words, "--url", f"http://127.0.0.1:{self.admin}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def connect(self, **options):
        login = {"user": "app", "password": "app", "database": "app", "autocommit": True, **options}
        return pymysql.connect(host="127.0.0.1", port=self.gateway, **login)

    def servers_alive(self):
        return [server for server in self.report["servers"] if listens(server["port"])]

    def stop(self, with_signal=signal.SIGINT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(with_signal)
            self.process.wait(100)
        if self.process:
            self.process.stdout.close()
        return self.process and self.process.returncode


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def playground(binary, scratch):
    made = []

    def make(*flags):
        folder = scratch / f"pg{next(NUMBER)}"
        folder.mkdir()
        made.append(Playground(binary, folder, *flags))
        return made[-1]

    yield make
    for playground in made:
        playground.stop(signal.SIGTERM)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_serves_and_leaves_nothing(playground, end):
    made = playground().start()
    assert [server["role"] for server in made.report["servers"]] == ["primary", "replica", "replica"]
    with made.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE hello (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO hello VALUES (1)")
        cursor.execute("SELECT * FROM hello")
        assert cursor.fetchall() == ((1,),)
    assert made.stop(end) == 0
    assert made.servers_alive() == []
    assert not os.path.exists(made.report["dir"])


def test_killed_it_takes_its_servers_along(playground):
    made = playground().start()
    assert len(made.servers_alive()) == 3
    made.stop(signal.SIGKILL)
    eventually(lambda: made.servers_alive() == [], what="the servers are gone")
    # What it left behind does not keep the next one from starting.
    assert made.start().servers_alive()


def test_a_folder_keeps_data_and_follows_new_ports(playground, scratch):
    folder = scratch / "kept"
    first = playground("--dir", str(folder), "--replicas=1").start()
    with first.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO kept VALUES (7)")
    assert first.stop() == 0
    second = playground("--dir", str(folder), "--app-password=it's new").start()
    assert len(second.report["servers"]) == 2, "as many as the folder holds"
    with second.connect(password="it's new") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM kept")
        assert cursor.fetchall() == ((7,),)
        cursor.execute("INSERT INTO kept VALUES (8)")


def test_two_side_by_side_and_not_two_in_one_folder(playground, scratch):
    one = playground("--dir", str(scratch / "one")).start()
    two = playground().start()
    assert len(one.servers_alive()) == len(two.servers_alive()) == 3
    third = playground("--dir", str(scratch / "one")).run()
    assert third.returncode == 1 and "already runs" in third.stderr


def test_a_taken_port_is_named(playground):
    made = playground()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", made.admin))
        taken.listen()
        done = made.run()
    assert done.returncode == 1
    assert str(made.admin) in done.stderr and "--admin-port" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_server_is_named(playground):
    done = playground("--server-bin=/nowhere/mariadbd").run()
    assert done.returncode == 1 and "/nowhere/mariadbd" in done.stderr


def test_no_replicas_at_all(playground):
    made = playground("--replicas=0", "--base-port=0").start()
    with made.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE alone (id INT)")
        assert cursor.execute("INSERT INTO alone VALUES (1)") == 1


def test_in_the_background(playground):
    made = playground()
    started = made.run("--detach", "--json")
    assert started.returncode == 0, started.stderr
    made.report = json.loads(started.stdout)
    try:
        assert len(made.servers_alive()) == 3
        again = made.run("--detach")
        assert again.returncode == 1 and "taken" in again.stderr
    finally:
        stopped = made.run("--stop")
    assert stopped.returncode == 0, stopped.stderr
    assert made.servers_alive() == []
    nobody = made.run("--stop")
    assert nobody.returncode == 1 and "no playground runs" in nobody.stderr


def test_a_killed_server_is_started_again_and_made_anew(playground, scratch):
    folder = scratch / "anew"
    running = playground(f"--dir={folder}").start()
    port = running.report["servers"][1]["port"]
    address, data = f"127.0.0.1:{port}", folder / "server-2"

    def known():
        clusters = json.loads(running.hadal("status", "--json").stdout)["clusters"]
        return next(server for server in clusters[0]["servers"] if server["server"] == address)

    def is_well():
        return known()["health"]["state"] == "healthy" and "rebuild" not in known()

    with running.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO kept VALUES (7)")
    os.kill(int((data / "server.pid").read_text()), signal.SIGKILL)
    eventually(lambda: not listens(port), within=20, what="the server is gone")
    eventually(lambda: not is_well(), within=20, what="hadal has noticed")
    (folder / "server-2.restart").touch()
    eventually(is_well, within=60, what="the server replicates again")
    before = data.stat().st_ino
    begun = running.hadal("rejoin", address, "--rebuild")
    assert begun.returncode == 0 and "from 127.0.0.1" in begun.stdout, begun
    eventually(lambda: data.exists() and data.stat().st_ino != before and is_well(), within=90, what="it is made anew")
    left = [path.name for path in folder.glob("*.hadal-*")]
    # The lock file stays: one that is removed while somebody waits for it locks nothing.
    assert (data / "app" / "kept.ibd").exists() and left == ["server-2.hadal-lock"]
    running.stop()
