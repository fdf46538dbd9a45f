"""The `hadal serve` process of a test."""

import json
import subprocess
import urllib.error
import urllib.request

from .mariadb import ADMIN_PASSWORD, ADMIN_USER, APP_USER
from .ports import free_ports
from .process import spawn
from .waiting import eventually

CONFIG = """
[node]
name = "test"
data_dir = "{folder}/node"

[clusters.main]
servers = [{servers}]
admin_user = "{admin_user}"
admin_password = "{admin_password}"
{cluster}

[clusters.main.pool]
{pool}

[gateway]
listen = ["127.0.0.1:{port}"]
{io}
{gateway}

[users.{app_user}]
cluster = "main"
{user}

[admin]
listen = "127.0.0.1:{admin_port}"
"""


# How hadal talks to the kernel (`gateway.io`), where a test does not say; empty leaves it to hadal.
IO = {"default": ""}


class Gateway:
    """hadal in front of some servers. Keyword arguments are further TOML lines of a section."""

    host = "127.0.0.1"

    def __init__(self, binary, folder, servers, cluster="", pool="", gateway="", user=""):
        self.folder = folder
        self.binary = binary
        self.port, self.admin_port = free_ports(2)
        folder.mkdir(parents=True)
        self.config = folder / "hadal.toml"
        self.log = folder / "hadal.log"
        addresses = ", ".join(f'"127.0.0.1:{server.port}"' for server in servers)
        self.config.write_text(
            CONFIG.format(
                folder=folder,
                servers=addresses,
                admin_user=ADMIN_USER,
                admin_password=ADMIN_PASSWORD,
                app_user=APP_USER,
                port=self.port,
                admin_port=self.admin_port,
                cluster=cluster,
                pool=pool,
                io=f'io = "{IO["default"]}"' if IO["default"] and "io = " not in gateway else "",
                gateway=gateway,
                user=user,
            )
        )
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            command = [self.binary, "serve", "--config", str(self.config)]
            self.process = spawn(command, stdout=log, stderr=log)
        eventually(self.is_ready, within=30, what=f"hadal is ready ({self.log})")

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return self.http("/readyz")[0] == 200

    def http(self, path):
        """Status and text of a GET."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.admin_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def json(self, path):
        status, text = self.http(path)
        assert status == 200, (status, text)
        return json.loads(text)

    def resident_bytes(self):
        """Memory that the process holds now."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def last_words(self, size=4000):
        """The end of its log."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else "(it was not started)"

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
