"""A primary, its replicas, and hadal in front of them, as one thing that a test can use and hurt."""

import os
import subprocess
from dataclasses import dataclass

from .gateway import Gateway
from .mariadb import APP_DATABASE, APP_PASSWORD, APP_USER, Server
from .ports import free_ports
from .waiting import eventually


@dataclass(frozen=True)
class Endpoint:
    """Where an application connects, with the names that drivers use."""

    port: int
    host: str = "127.0.0.1"
    user: str = APP_USER
    password: str = APP_PASSWORD
    database: str = APP_DATABASE

    def keywords(self, **more):
        return {**self.__dict__, **more}

    def url(self, driver):
        return f"mysql+{driver}://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}"


class Topology:
    """Owns its processes: `destroy` leaves nothing behind."""

    def __init__(self, folder, template, replicas=2, binary=None, delay=0, first=1, **settings):
        self.folder = folder
        ports = free_ports(replicas + 1)
        self.servers = [Server(folder / str(n), template, n, port) for n, port in enumerate(ports, first)]
        self.primary, self.replicas = self.servers[0], self.servers[1:]
        self.gateway = Gateway(binary, folder / "hadal", self.servers, **settings) if binary else None
        self.delay = delay

    def start(self):
        for server in self.servers:
            server.spawn()
        for server in self.servers:
            server.wait_until_serving()
        for server in self.servers:
            server.sql(
                "SET sql_log_bin = 0",
                "CREATE TABLE app.whoami (name VARCHAR(20) PRIMARY KEY)",
                f"INSERT INTO app.whoami VALUES ('{server.name}')",
            )
        self.primary.lead(semi_sync=bool(self.replicas) and not self.delay)
        for replica in self.replicas:
            replica.follow(self.primary, self.delay)
        for replica in self.replicas:
            eventually(replica.is_replicating, within=60, what=f"{replica} replicates")
        if self.gateway:
            self.gateway.start()
        return self

    @property
    def endpoint(self):
        return Endpoint(self.gateway.port if self.gateway else self.primary.port)

    def rotation(self):
        """What hadal has seen of its servers so far; None while a replica takes less than its share of reads."""
        (cluster,) = self.gateway.json("/api/v1/clusters")["clusters"]
        replicas = [server for server in cluster["servers"] if server["role"] == "replica"]
        whole = [s for s in replicas if s["health"]["state"] == "healthy" and s["ramp_percent"] == 100]
        return str(cluster["events"]) if len(whole) == len(self.replicas) else None

    def undisturbed(self, sample):
        """`sample()`, taken while every replica had its whole share of reads from beginning to end.

        Where the machine stands still for a second hadal rightly takes replicas out for a while. A test of where
        statements go is not about that: it looks again, and only then.
        """
        for _ in range(20):
            before = eventually(self.rotation, within=60, what="all replicas are read")
            try:
                value, failure = sample(), None
            except AssertionError as caught:
                value, failure = None, caught
            if self.rotation() == before:
                if failure:
                    raise failure
                return value
        raise AssertionError("the replicas never stayed in the rotation for the length of a sample")

    def switch_over(self):
        """Another server becomes the primary, by an order to hadal."""
        command = [self.gateway.binary, "switchover", "main", "--url", f"http://127.0.0.1:{self.gateway.admin_port}"]

        def done():
            ran = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=60, check=False)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            return True

        # Until hadal has seen that the other server replicates.
        eventually(done, within=20)
        (self.primary,) = [server for server in self.servers if server.variable("read_only") in (0, "OFF")]

    def settle(self):
        """Waits until every replica has what the primary has."""
        for replica in self.replicas:
            replica.catch_up_with(self.primary)

    def destroy(self):
        for server in self.servers:
            if server.process:
                server.thaw()
        try:
            if self.gateway:
                self.gateway.stop()
        finally:
            for server in self.servers:
                server.destroy()
