"""A store on a host of its own, for several nodes of hadal: etcd or ZooKeeper."""

import os
import shutil
import subprocess
from pathlib import Path

from e2e.harness.process import spawn
from e2e.harness.waiting import eventually

JAR = Path("/usr/share/java/zookeeper.jar")
# Asks as a client would, on the host of the store: the tests themselves are on none of its hosts.
ANSWERS = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as link:
    link.sendall(sys.argv[3].encode())
    sys.exit(sys.argv[4] not in link.recv(4096).decode())
"""


def find_etcd():
    """Debian's, out of its package by `scripts/setup.sh coordination`, or one that is installed; None where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    program = cache / "hadal" / "etcd" / "etcd"
    return str(program) if program.exists() else shutil.which("etcd")


def find_zookeeper():
    """Debian's."""
    return shutil.which("java") if JAR.exists() else None


class LabStore:
    """One member, which is killed and started like everything else. Its clients are served on host `store`."""

    def __init__(self, folder, network):
        self.folder, self.network, self.process = folder, network, None
        self.host = network.addresses["store"]
        folder.mkdir(parents=True)

    def spawn(self):
        with (self.folder / "log").open("ab") as log:
            self.process = spawn([*self.network.prefix("store"), *self.command()], stdout=log, stderr=log)

    def start(self):
        self.spawn()
        eventually(self.is_healthy, within=30, what=f"{self.backend} serves ({self.folder}/log)")

    def is_healthy(self):
        asked = ["python3", "-c", ANSWERS, self.host, str(self.port), self.question, self.answer]
        return subprocess.run([*self.network.prefix("store"), *asked], capture_output=True, check=False).returncode == 0

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Etcd(LabStore):
    backend, port = "etcd", 2379
    question, answer = "GET /health HTTP/1.0\r\n\r\n", "true"

    @property
    def endpoint(self):
        return f"http://{self.host}:{self.port}"

    def command(self):
        # The peer's address is its own: there is nobody else.
        peer = "http://127.0.0.1:2380"
        return [
            find_etcd(), "--name", "one", "--data-dir", str(self.folder / "data"), "--logger", "zap",
            "--listen-client-urls", self.endpoint, "--advertise-client-urls", self.endpoint,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}",
            "--heartbeat-interval", "50", "--election-timeout", "500",
        ]  # fmt: skip


class ZooKeeper(LabStore):
    backend, port = "zookeeper", 2181
    question, answer = "ruok", "imok"

    @property
    def endpoint(self):
        return f"{self.host}:{self.port}"

    def command(self):
        config = self.folder / "zoo.cfg"
        config.write_text(
            f"tickTime=100\ndataDir={self.folder}/data\nclientPort={self.port}\nclientPortAddress={self.host}\n"
            "admin.enableServer=false\nminSessionTimeout=200\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n"
            "4lw.commands.whitelist=ruok\n"
        )
        return [
            "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", f"{JAR}:{JAR.parent}/*",
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config),
        ]  # fmt: skip


STORES = {"etcd": Etcd, "zookeeper": ZooKeeper}


def why_no_store(backend):
    """None where there is one."""
    found = {"etcd": find_etcd, "zookeeper": find_zookeeper}[backend]()
    return None if found else f"there is no {backend}: scripts/setup.sh coordination"
