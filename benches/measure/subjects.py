"""What is compared: the server itself, HAProxy and hadal before one server, hadal splitting over two."""

import os
from dataclasses import dataclass, field

from lab.gateway import Hadal, HaProxy
from lab.mariadb import start_pair
from lab.process import Child

from . import sysbench

ACCOUNT = (f"CREATE DATABASE {sysbench.DATABASE}; CREATE USER '{sysbench.USER}'@'%' IDENTIFIED BY "
           f"'{sysbench.PASSWORD}'; GRANT ALL ON {sysbench.DATABASE}.* TO '{sysbench.USER}'@'%';")


@dataclass
class Subject:
    """An address to load; `child` is the process between client and server, none for the server itself."""

    name: str
    port: int
    child: Child = None


@dataclass
class Lab:
    """The running servers and subjects; `stop` ends all of them."""

    folder: str
    servers: list = field(default_factory=list)
    proxies: list = field(default_factory=list)
    subjects: list = field(default_factory=list)

    def start(self, wanted, hadal, settings, replica):
        """Start MariaDB, fill it, and start what is wanted in front of it."""
        self.servers = start_pair(self.folder, replica)
        self.servers[0].sql(ACCOUNT)
        sysbench.prepare(self.servers[0].port)
        for follower in self.servers[1:]:
            follower.caught_up_with(self.servers[0])
        for name in wanted:
            self._add(name, hadal, settings)
        return self

    def _add(self, name, hadal, settings):
        if name == "direct":
            self.subjects.append(Subject(name, self.servers[0].port))
            return
        folder = os.path.join(self.folder, name)
        if name == "haproxy":
            proxy = HaProxy(folder, self.servers[0])
        else:
            behind = self.servers if name == "hadal-split" else self.servers[:1]
            proxy = Hadal(hadal, folder, behind, settings)
        self.proxies.append(proxy)
        proxy.start()
        self.subjects.append(Subject(name, proxy.port, proxy.child))

    def subject(self, name):
        return next((subject for subject in self.subjects if subject.name == name), None)

    def stop(self):
        for started in [*reversed(self.proxies), *reversed(self.servers)]:
            started.stop()
