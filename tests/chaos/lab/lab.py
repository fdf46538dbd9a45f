"""The lab as one thing that a test can use and hurt."""

import signal
import time

from e2e.harness.ports import free_ports
from e2e.harness.waiting import eventually

from chaos.check.durability import Content, judge
from chaos.load.load import Load

from . import promotion
from .disk import Disk
from .gateway import LabGateway
from .network import Loopback, Network
from .server import LabServer
from .store import STORES
from .supervisor import Supervisor

SCHEMA = (
    "CREATE TABLE app.tokens (id BIGINT AUTO_INCREMENT PRIMARY KEY, token BIGINT NOT NULL, part TINYINT NOT NULL, "
    "parts TINYINT NOT NULL, KEY (token))",
    "CREATE TABLE app.lists (k BIGINT PRIMARY KEY, v LONGTEXT NOT NULL)",
    "CREATE DATABASE app_idle",
)


class Lab:
    """Three servers `db1`…, a `hadal`, `clients`, and an `island` for clients that go past hadal. Owns its processes: `destroy` leaves nothing behind.

    `by_hand` is for a hadal without failover: the lab then promotes by itself.
    """

    def __init__(self, folder, template, binary, servers=3, network=True, by_hand=False, disks=(), nodes=1, store="etcd", **gateway):
        names = [f"db{number}" for number in range(1, servers + 1)]
        labels = ["hadal", *(f"hadal{number}" for number in range(2, nodes + 1))]
        hosts = [*names, *labels, *(["store"] if nodes > 1 else []), "clients", "island"]
        self.folder, self.by_hand, self.binary = folder, by_hand, binary
        ports = [3306] * servers if network else free_ports(servers)
        self.network = Network(hosts) if network else Loopback(hosts)
        self.disks = {name: Disk(folder / f"disk-{name}") for name in disks}
        self.servers = [
            LabServer(folder / name, template, number, port, name, self.network, self.disks.get(name))
            for number, (name, port) in enumerate(zip(names, ports, strict=True), 1)
        ]
        self.store = STORES[store](folder / "store", self.network) if nodes > 1 else None
        self.gateways = []
        for label in labels:
            ports = (6033, 6080) if network else free_ports(2)
            options = {"name": label, "failover": not by_hand, "store": self.store, **gateway}
            self.gateways.append(LabGateway(binary, folder / label, self.servers, self.network, ports, **options))
        self.gateway = self.gateways[0]
        if "hadal" in self.disks:
            self.disks["hadal"].take_over(self.gateway.data_dir)
        self.supervisor = Supervisor(self.servers)

    def start(self):
        for server in self.servers:
            server.spawn()
        for server in self.servers:
            server.wait_until_serving()
        first, *others = self.servers
        first.lead()
        for other in others:
            other.follow(first)
        eventually(lambda: all(other.follows(first) for other in others), within=60, what="replicas follow")
        first.sql(*SCHEMA)
        for other in others:
            other.catch_up_with(first)
        if self.store:
            self.store.start()
        for gateway in self.gateways:
            gateway.start()
        return self

    # Who is what, as the servers say; hadal's opinion is not asked.

    def writable(self):
        return [server for server in self.servers if server.is_writable()]

    def primary(self):
        (primary,) = self.writable()
        return primary

    def replicas(self):
        primary = self.primary()
        return [server for server in self.servers if server is not primary]

    def others(self, *these):
        return [server for server in self.servers if server not in these]

    # Nodes of hadal.

    def leader(self):
        """The node that leads, once there is exactly one."""
        leaders = lambda: [node for node in self.gateways if node.leads()]  # noqa: E731
        return eventually(lambda: len(leaders()) == 1 and leaders()[0], within=30, what="one node of hadal leads")

    def followers(self):
        leader = self.leader()
        return [node for node in self.gateways if node is not leader]

    # Clients.

    def load(self, node=None, **size):
        """Clients of hadal, on their own host; of the first node, or another."""
        node = node or self.gateway
        return self.load_at(node.host, node.port, **size)

    def load_at(self, host, port, on="clients", **size):
        """The same clients at any address. Loads that run together need `first` far apart, for their tokens."""
        return Load(self.folder, host, port, self.network.prefix(on), **size)

    def intruders(self, server):
        """A few clients that write straight to one server, past hadal."""
        size = {"writers": 3, "transactions": 2, "readers": 0, "appenders": 0, "idle": 0}
        return self.load_at(server.host, server.port, on="island", first=1000, **size)

    def judge(self, *loads, replicas=None, within=60):
        """What clients were told, against the servers that are there now. Waits for replicas, all others by default."""
        primary = self.primary()
        replicas = self.replicas() if replicas is None else replicas
        for replica in replicas:
            eventually(lambda r=replica: r.follows(primary), within, what=f"{replica} follows {primary}")
            replica.catch_up_with(primary)
        outcomes = [outcome for load in loads for outcome in load.outcomes]
        # The primary last: hadal's heartbeat goes on, and must not make a replica look ahead.
        contents = [self.content(replica) for replica in replicas]
        history = [entry for load in loads for entry in load.history]
        return judge(outcomes, self.content(primary), contents, history)

    @staticmethod
    def content(server):
        rows = server.sql("SELECT token, part, parts FROM app.tokens")
        lists = {k: tuple(map(int, text.split(","))) for k, text in server.sql("SELECT k, v FROM app.lists")}
        return Content(server.label, list(rows), server.variable("gtid_binlog_state"), lists)

    # What is done.

    def promoted(self, old, within=30):
        """Waits for another primary than `old`, and returns it; by hand it is made here."""
        if self.by_hand:
            return promotion.fail_over([server for server in self.others(old) if server.is_running])
        return eventually(lambda: self.another_primary(old), within, what=f"another primary than {old}")

    def another_primary(self, old):
        return next((server for server in self.others(old) if server.is_writable()), None)

    def switch_over(self, to=None):
        """A planned switchover, as an operator would. Returns the new primary."""
        old = self.primary()
        if self.by_hand:
            new = to or self.others(old)[0]
            promotion.switch_over(old, new, self.others(old, new))
            return new
        self.gateway.succeed("switchover", "main", *(["--to", to.address] if to else []))
        return eventually(lambda: self.another_primary(old), within=5, what="the other primary")

    def rejoined(self, server, primary, within=60):
        """Waits until a server that came back follows `primary`; by hand it is made to."""
        if self.by_hand:
            eventually(lambda: server.sql("SELECT 1"), within=60, what=f"{server} serves")
            server.follow(primary)
        eventually(lambda: server.follows(primary), within, what=f"{server} follows {primary}")

    def joined(self, server, primary, within=60):
        """Waits until a server that came back follows `primary`, or is quarantined for what only it has: False then."""
        follows = lambda: server.follows(primary) or self.gateway.quarantined(server) and "no"  # noqa: E731
        return eventually(follows, within, what=f"{server} follows {primary} or is quarantined") is True

    def restart(self, server):
        """Starts a dead server again, as its unit file would."""
        server.spawn()
        return time.monotonic()

    def destroy(self):
        self.supervisor.close()
        self.network.heal()
        try:
            for gateway in self.gateways:
                if gateway.process:
                    gateway.process.send_signal(signal.SIGCONT)
                    gateway.kill()
            if self.store:
                self.store.kill()
        finally:
            for server in self.servers:
                server.destroy()
            if "hadal" in self.disks:
                self.disks["hadal"].close()
            self.network.close()
