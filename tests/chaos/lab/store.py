"""etcd on a host of its own, for several nodes of hadal."""

import os
import shutil
import subprocess
from pathlib import Path

from e2e.harness.process import spawn
from e2e.harness.waiting import eventually

PORT = 2379


def find_etcd():
    """Debian's, out of its package by `scripts/setup.sh coordination`, or one that is installed; None where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    program = cache / "hadal" / "etcd" / "etcd"
    return str(program) if program.exists() else shutil.which("etcd")


class LabStore:
    """One member, which is killed and started like everything else. Its clients are served on host `store`."""

    def __init__(self, folder, network):
        self.folder, self.network, self.process = folder, network, None
        self.url = f"http://{network.addresses['store']}:{PORT}"
        folder.mkdir(parents=True)

    def spawn(self):
        # The peer's address is its own: there is nobody else.
        peer = "http://127.0.0.1:2380"
        command = [
            find_etcd(), "--name", "one", "--data-dir", str(self.folder / "data"), "--logger", "zap",
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}",
            "--heartbeat-interval", "50", "--election-timeout", "500",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = spawn([*self.network.prefix("store"), *command], stdout=log, stderr=log)

    def start(self):
        self.spawn()
        eventually(self.is_healthy, within=30, what=f"etcd serves ({self.folder}/log)")

    def is_healthy(self):
        command = [*self.network.prefix("store"), "python3", "-c", HEALTH, f"{self.url}/health"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


HEALTH = "import sys, urllib.request; sys.exit(b'true' not in urllib.request.urlopen(sys.argv[1], timeout=2).read())"
