"""One MariaDB server of the lab: the playground's safe baseline, on a host of its own."""

import subprocess

import pymysql
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER, REPLICATION_PASSWORD, REPLICATION_USER, Server, find, user_option
from e2e.harness.process import spawn

# Added to the options of the end-to-end tests: of an option that is there twice, the server takes the last.
BASELINE = """
bind-address = {bind}
report-host = {host}
max-connections = 1000
innodb-flush-log-at-trx-commit = 1
sync-binlog = 1
sync-relay-log = 1
rpl-semi-sync-master-timeout = 4294967295
rpl-semi-sync-master-enabled = 0
binlog-row-image = FULL
slave-net-timeout = 3
slave-parallel-threads = 2
slave-parallel-mode = optimistic
skip-slave-start = 1
"""
# A heartbeat that comes later than `slave-net-timeout` makes a replica reconnect for ever.
HEARTBEAT = 0.25


class LabServer(Server):
    """Is asked over its Unix socket, which no fault of the network touches."""

    def __init__(self, folder, template, number, port, name, network, disk=None):
        super().__init__(folder, template, number, port)
        self.host, self.network, self.disk = network.addresses[name], network, disk
        # As its unit file has it: whoever was a primary comes back without what it never got acknowledged.
        self.label, self.extra, self.role = name, [], ["--init-rpl-role=SLAVE"]
        if disk:
            disk.take_over(folder / "data")
        with (folder / "server.cnf").open("a") as options:
            options.write(BASELINE.format(host=self.host, bind="0.0.0.0" if network.real else "127.0.0.1"))

    def __repr__(self):
        return f"{self.label} ({self.address})"

    @property
    def name(self):
        return self.label

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def spawn(self):
        command = [find("mariadbd"), f"--defaults-file={self.folder}/server.cnf", *self.role]
        command = [*self.network.prefix(self.label), *command, *self.extra, *user_option()]
        self.process = spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def is_frozen(self):
        """Stopped by SIGSTOP: asking it would only hang."""
        if not self.is_running:
            return False
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "Tt"

    def connect(self, **options):
        options = {"user": ADMIN_USER, "password": ADMIN_PASSWORD, "autocommit": True, "read_timeout": 30, **options}
        return pymysql.connect(unix_socket=f"{self.folder}/s", connect_timeout=5, **options)

    def is_writable(self):
        """False also for a server that cannot be asked."""
        if not self.is_running or self.is_frozen:
            return False
        try:
            return self.sql("SELECT @@read_only")[0][0] == 0
        except pymysql.err.MySQLError:
            return False

    def follow(self, primary, delay=0):
        self.sql(
            "SET GLOBAL read_only = 1",
            "SET GLOBAL rpl_semi_sync_master_enabled = 0",
            "SET GLOBAL rpl_semi_sync_slave_enabled = 1",
            "STOP SLAVE",
            f"CHANGE MASTER TO MASTER_HOST = '{primary.host}', MASTER_PORT = {primary.port}, "
            f"MASTER_USER = '{REPLICATION_USER}', MASTER_PASSWORD = '{REPLICATION_PASSWORD}', "
            f"MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = {HEARTBEAT}, "
            f"MASTER_DELAY = {delay}",
            "START SLAVE",
        )

    def follows(self, primary):
        status = self.replication()
        where = (status.get("Master_Host"), int(status.get("Master_Port") or 0))
        running = (status.get("Slave_IO_Running"), status.get("Slave_SQL_Running"))
        return where == (primary.host, primary.port) and running == ("Yes", "Yes")

    def catch_up_with(self, primary, within=100):
        """A small disk applies what a large one has written, in its own time."""
        wait = f"SELECT MASTER_GTID_WAIT('{primary.variable('gtid_binlog_pos')}', {within})"
        assert self.sql(wait, read_timeout=within + 20)[0][0] == 0, f"{self} is behind {primary}"

    def destroy(self):
        if self.disk:
            self.disk.thaw()
        if self.is_running:
            self.thaw()
        super().destroy()
        if self.disk:
            self.disk.close()
