"""One MariaDB server of a test: made from a template, started, hurt, healed, stopped."""

import contextlib
import os
import shutil
import signal
import subprocess

import pymysql

from .process import run_quietly, spawn
from .waiting import eventually

ADMIN_USER, ADMIN_PASSWORD = "hadal", "admin-password"
REPLICATION_USER, REPLICATION_PASSWORD = "replication", "replication-password"
APP_USER, APP_PASSWORD, APP_DATABASE = "app", "app-password", "app"

ACCOUNTS = f"""
FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');
FLUSH PRIVILEGES;
CREATE USER '{ADMIN_USER}'@'%' IDENTIFIED BY '{ADMIN_PASSWORD}';
GRANT ALL PRIVILEGES ON *.* TO '{ADMIN_USER}'@'%' WITH GRANT OPTION;
CREATE USER '{REPLICATION_USER}'@'%' IDENTIFIED BY '{REPLICATION_PASSWORD}';
GRANT REPLICATION SLAVE ON *.* TO '{REPLICATION_USER}'@'%';
CREATE DATABASE {APP_DATABASE} CHARACTER SET utf8mb4;
CREATE USER '{APP_USER}'@'%' IDENTIFIED BY '{APP_PASSWORD}';
GRANT ALL PRIVILEGES ON `{APP_DATABASE}`.* TO '{APP_USER}'@'%';
GRANT ALL PRIVILEGES ON `{APP_DATABASE}\\_%`.* TO '{APP_USER}'@'%';
GRANT ALL PRIVILEGES ON `test\\_%`.* TO '{APP_USER}'@'%';
"""

# The baseline of `hadal playground`, with one difference: a semi-synchronous primary without replicas goes on after a
# second, because tests that stop all replicas want to see the gateway, not a primary that rightly waits.
OPTIONS = """[mysqld]
datadir = {folder}/data
tmpdir = {folder}/tmp
socket = {folder}/s
pid-file = {folder}/pid
log-error = {folder}/error.log
port = {port}
server-id = {number}
report-host = 127.0.0.1
report-port = {port}
bind-address = 127.0.0.1
skip-name-resolve = 1
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
max-connections = 2500
max-connect-errors = 100000
back-log = 2000
performance-schema = 0
innodb-buffer-pool-size = 64M
innodb-log-file-size = 32M
innodb-flush-log-at-trx-commit = 2
sync-binlog = 0
rpl-semi-sync-master-wait-point = AFTER_SYNC
rpl-semi-sync-master-timeout = 1000
rpl-semi-sync-slave-enabled = 1
log-bin = binlog
log-bin-trust-function-creators = 1
log-slave-updates = 1
relay-log = relay
binlog-format = ROW
gtid-strict-mode = 1
read-only = 1
slave-net-timeout = 5
max-allowed-packet = 64M
"""


def find(program):
    """A program of MariaDB, also where an ordinary user's PATH does not look."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/local/bin")
    assert path, f"{program} is missing: run scripts/setup.sh server"
    return path


def user_option():
    return ["--user=root"] if os.geteuid() == 0 else []


def make_template(folder):
    """System tables, accounts and the `app` database, before anything goes to a binary log."""
    # A server that starts deletes the temporary tables that it finds in its tmpdir, also those of its neighbours, which
    # may crash for it: every server has a tmpdir of its own.
    temporary = folder.with_name("template-tmp")
    temporary.mkdir(parents=True)
    quietly = {"env": {**os.environ, "TMPDIR": str(temporary)}}
    common = [f"--datadir={folder}", "--skip-name-resolve", "--innodb-log-file-size=32M", *user_option()]
    install = [find("mariadb-install-db"), "--no-defaults", "--skip-test-db", "--force"]
    run_quietly([*install, "--auth-root-authentication-method=normal", *common], **quietly)
    bootstrap = [find("mariadbd"), "--no-defaults", "--bootstrap", *common]
    run_quietly(bootstrap, input=ACCOUNTS.encode(), **quietly)


class Server:
    """A running server. `number` is its server_id; its name is its row in `app.whoami`."""

    def __init__(self, folder, template, number, port):
        self.folder, self.number, self.port = folder, number, port
        self.process = None
        (folder / "tmp").mkdir(parents=True)
        shutil.copytree(template, folder / "data")
        (folder / "server.cnf").write_text(OPTIONS.format(folder=folder, port=port, number=number))

    def __repr__(self):
        return f"{self.name} (127.0.0.1:{self.port})"

    @property
    def name(self):
        return f"server-{self.number}"

    # Its life.

    def spawn(self):
        command = [find("mariadbd"), f"--defaults-file={self.folder}/server.cnf", *user_option()]
        self.process = spawn(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_until_serving(self):
        def serves():
            assert self.process.poll() is None, (self.folder / "error.log").read_text()[-3000:]
            return self.sql("SELECT 1")

        eventually(serves, within=60, what=f"{self} serves")

    def start(self):
        self.spawn()
        self.wait_until_serving()

    def kill(self):
        """kill -9: no shutdown, no goodbye to clients."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def destroy(self):
        self.kill()

    # Its words.

    def connect(self, **options):
        options = {"user": ADMIN_USER, "password": ADMIN_PASSWORD, "autocommit": True, **options}
        return pymysql.connect(host="127.0.0.1", port=self.port, connect_timeout=5, **options)

    def sql(self, *statements, **options):
        """Runs statements as the administrator; returns the rows of the last."""
        with contextlib.closing(self.connect(**options)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def variable(self, name):
        return self.sql(f"SELECT @@GLOBAL.{name}")[0][0]

    def status(self, name):
        return self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'")[0][1]

    def replication(self):
        """The replica's status as a dictionary; empty on a server that follows nobody."""
        with contextlib.closing(self.connect()) as connection:
            with connection.cursor(pymysql.cursors.DictCursor) as cursor:
                cursor.execute("SHOW ALL SLAVES STATUS")
                return cursor.fetchone() or {}

    # Its role.

    def lead(self, semi_sync=True):
        semi = "SET GLOBAL rpl_semi_sync_master_enabled = 1" if semi_sync else "SELECT 1"
        self.sql("STOP ALL SLAVES", "RESET SLAVE ALL", semi, "SET GLOBAL read_only = 0")

    def follow(self, primary, delay=0):
        self.sql(
            "SET GLOBAL read_only = 1",
            "SET GLOBAL rpl_semi_sync_master_enabled = 0",
            "STOP SLAVE",
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, "
            f"MASTER_USER = '{REPLICATION_USER}', MASTER_PASSWORD = '{REPLICATION_PASSWORD}', "
            f"MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1, MASTER_DELAY = {delay}",
            "START SLAVE",
        )

    def is_replicating(self):
        status = self.replication()
        return status.get("Slave_IO_Running") == "Yes" and status.get("Slave_SQL_Running") == "Yes"

    def catch_up_with(self, primary):
        position = primary.variable("gtid_binlog_pos")
        assert self.sql(f"SELECT MASTER_GTID_WAIT('{position}', 20)")[0][0] == 0, f"{self} is behind {primary}"
