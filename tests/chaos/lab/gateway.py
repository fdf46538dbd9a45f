"""hadal on a host of its own, with failover on."""

import re
import subprocess

from e2e.harness.gateway import Gateway
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER, APP_USER, REPLICATION_PASSWORD, REPLICATION_USER
from e2e.harness.process import spawn
from e2e.harness.waiting import eventually

CONFIG = """
[node]
name = "{name}"
data_dir = "{data_dir}"

[coordination]
{coordination}

[clusters.main]
servers = [{servers}]
admin_user = "{admin_user}"
admin_password = "{admin_password}"
{failover}
{cluster}

[clusters.main.rebuild]
shell = "{on_host} {{host}}"
stop = "{stop}"
start = "{start}"
{rebuild}

[clusters.main.pool]
max_connections = 300

[gateway]
listen = ["{host}:{port}"]

[users.{app_user}]
cluster = "main"

[admin]
listen = "{host}:{admin_port}"
"""
# As `systemctl` would: a server that is stopped has ended, and one that is started is spawned by whoever supervises it.
STOP = (
    "pid=$(cat $(dirname {data_dir})/pid) || exit 0; kill $pid 2>/dev/null || exit 0; "
    "while [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.1; done"
)
START = "touch $(dirname {data_dir})/start"
ACTION = r'kind=Action server="{server}" from="[^"]*" to="(?P<to>[^"]*)" why="(?P<why>.*)"'
# Only hadal with failover knows these.
FAILOVER = f"""failover = "auto"
replication_user = "{REPLICATION_USER}"
replication_password = "{REPLICATION_PASSWORD}"
"""


def promotion_rules(servers, rules):
    """`{"db2": "must_not"}` as TOML."""
    rules = [f'"{server.address}" = "{rules[server.label]}"' for server in servers if server.label in rules]
    return f"\npromotion = {{ {', '.join(rules)} }}" if rules else ""


class LabGateway(Gateway):
    def __init__(
        self,
        binary,
        folder,
        servers,
        network,
        ports,
        name="hadal",
        failover=True,
        cluster="",
        rebuild="",
        wrapper=(),
        promotion=None,
        store=None,
    ):
        self.binary, self.folder, self.label, self.network = binary, folder, name, network
        self.host, self.wrapper = network.addresses[name], list(wrapper)
        self.port, self.admin_port = ports
        self.config, self.log, self.process = folder / "hadal.toml", folder / "hadal.log", None
        self.data_dir = folder / "node"
        self.data_dir.mkdir(parents=True)
        self.config.write_text(
            CONFIG.format(
                name=name,
                coordination=f'backend = "{store.backend}"\nendpoints = ["{store.endpoint}"]' if store else 'backend = "embedded"',
                data_dir=self.data_dir,
                servers=", ".join(f'"{server.address}"' for server in servers),
                admin_user=ADMIN_USER,
                admin_password=ADMIN_PASSWORD,
                app_user=APP_USER,
                host=self.host,
                port=self.port,
                admin_port=self.admin_port,
                failover=FAILOVER if failover else "",
                cluster=cluster + promotion_rules(servers, promotion or {}),
                on_host=self.way_to_hosts(servers),
                stop=STOP,
                start=START,
                rebuild=rebuild,
            )
        )

    def way_to_hosts(self, servers):
        """A program that runs a script on a server's host: `on-host ADDRESS SCRIPT`, as `ssh ADDRESS SCRIPT` does."""
        program = self.folder / "on-host"
        ways = [f'{s.host}) exec {" ".join(self.network.prefix(s.label))} sh -c "$2" ;;' for s in servers]
        program.write_text("\n".join(["#!/bin/sh", 'case "$1" in', *ways, "esac", "exit 64", ""]))
        program.chmod(0o755)
        return program

    def rebuild(self, server):
        """How far the rebuild of a server is, as the API tells; empty where there is none."""
        return next(s for s in self.cluster()["servers"] if s["server"] == server.address).get("rebuild") or {}

    @property
    def url(self):
        return f"http://{self.host}:{self.admin_port}"

    def spawn(self):
        with self.log.open("ab") as log:
            command = [*self.network.prefix(self.label), *self.wrapper, self.binary, "serve", "--config", str(self.config)]
            self.process = spawn(command, stdout=log, stderr=log)

    def start(self):
        self.spawn()
        eventually(self.is_ready, within=30, what=f"hadal is ready ({self.log})")

    def http(self, path):
        with self.network.entered(self.label):
            return super().http(path)

    def command(self, *words, timeout=60):
        """`hadal switchover main --json` and the like, as an operator on hadal's own host would type it."""
        command = [*self.network.prefix(self.label), self.binary, *words, "--url", self.url]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def succeed(self, *words, timeout=60):
        done = self.command(*words, timeout=timeout)
        assert done.returncode == 0, f"hadal {' '.join(words)} ended with {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout

    def cluster(self):
        """What hadal thinks of the cluster, as its API tells."""
        (cluster,) = self.json("/api/v1/clusters")["clusters"]
        return cluster

    def leads(self):
        """Whether this node leads, as it has said last."""
        if not self.is_alive():
            return False
        words = [event["to"] for event in self.cluster()["events"] if event["kind"] == "leadership"]
        return words[-1:] == ["leading"]

    def quarantined(self, server):
        """Why hadal keeps a server apart, or None."""
        actions = [event for event in self.cluster()["events"] if event["kind"] == "action"]
        last = [event for event in actions if event["server"] == server.address][-1:] or self.logged_actions(server)[-1:]
        return next((event["why"] for event in last if event["to"] == "quarantined"), None)

    def logged_actions(self, server):
        """hadal remembers its newest events only; in ten minutes of faults there are many more."""
        found = re.finditer(ACTION.format(server=re.escape(server.address)), self.log.read_text(errors="replace"))
        return [match.groupdict() for match in found]

    def kill(self):
        """kill -9."""
        if self.is_alive():
            self.process.kill()
            self.process.wait()
