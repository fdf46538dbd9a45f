"""hadal and HAProxy in front of the lab's servers, each with a configuration written here."""

import os

from .mariadb import ADMIN, ADMIN_PASSWORD, find_program
from .process import Child, LabError, free_port


class Hadal:
    """`hadal serve` on a configuration of DESIGN.md section 4."""

    def __init__(self, program, folder, servers, settings=None):
        self.program, self.folder, self.servers = os.path.abspath(program), folder, servers
        self.settings = settings or {}
        self.port, self.admin_port = free_port(), free_port()
        self.child = None

    def start(self):
        if not os.access(self.program, os.X_OK):
            raise LabError(f"no hadal program at {self.program}; build it with `cargo build --release`")
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "hadal.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.configuration())
        self.child = Child("hadal", [self.program, "serve", "--config", path], os.path.join(self.folder, "log"))
        self.child.wait_port(self.port, 30)
        return self

    def configuration(self):
        addresses = ", ".join(f'"{server.address}"' for server in self.servers)
        tables = {
            "node": {"name": '"lab"', "data_dir": f'"{os.path.join(self.folder, "data")}"'},
            "clusters.main": {"servers": f"[{addresses}]", "admin_user": f'"{ADMIN}"',
                              "admin_password": f'"{ADMIN_PASSWORD}"'},
            "gateway": {"listen": f'["127.0.0.1:{self.port}"]'},
            "admin": {"listen": f'"127.0.0.1:{self.admin_port}"'},
        }
        for key, value in self.settings.items():
            table, _, name = key.rpartition(".")
            tables.setdefault(table, {})[name] = value
        return "\n".join(_table(name, values) for name, values in tables.items())

    def stop(self):
        if self.child:
            self.child.stop(30)


def _table(name, values):
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


class HaProxy:
    """HAProxy from the distribution, in TCP mode with two threads, in front of the first server."""

    def __init__(self, folder, server, threads=2, connections=6500):
        self.folder, self.server = folder, server
        self.threads, self.connections = threads, connections
        self.port, self.child = free_port(), None

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.configuration())
        # -db keeps it in the foreground, so that the process measured is the process started.
        command = [find_program("haproxy"), "-db", "-f", path]
        self.child = Child("haproxy", command, os.path.join(self.folder, "log"))
        self.child.wait_port(self.port, 15)
        return self

    def configuration(self):
        return (f"global\n    nbthread {self.threads}\n    maxconn {self.connections}\n"
                "defaults\n    mode tcp\n    timeout connect 10s\n    timeout client 1h\n    timeout server 1h\n"
                f"listen mysql\n    bind 127.0.0.1:{self.port}\n    maxconn {self.connections}\n"
                f"    server db {self.server.address}\n")

    def stop(self):
        if self.child:
            self.child.stop(5)
