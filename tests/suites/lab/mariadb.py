"""A MariaDB server of the machine's own package, and a replica of it, on a throw-away data folder."""

import contextlib
import os
import shutil
import subprocess

from .process import Child, LabError, free_port

ADMIN, ADMIN_PASSWORD = "hadal", "hadal-lab"
REPL, REPL_PASSWORD = "repl", "repl-lab"

ACCOUNTS = f"""
DELETE FROM mysql.global_priv WHERE User = '';
FLUSH PRIVILEGES;
CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{ADMIN_PASSWORD}';
GRANT ALL ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;
CREATE USER '{REPL}'@'%' IDENTIFIED BY '{REPL_PASSWORD}';
GRANT REPLICATION SLAVE ON *.* TO '{REPL}'@'%';
"""


def find_program(*names):
    """The first of the programs that this machine has; Debian keeps servers outside an ordinary user's PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin"
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    raise LabError(f"none of these programs is installed: {', '.join(names)}")


class MariaDb:
    """One server: `start()` makes its data folder and waits until it answers."""

    def __init__(self, folder, server_id=1, options=()):
        self.folder, self.server_id, self.options = folder, server_id, list(options)
        self.port = free_port()
        self.socket = os.path.join(folder, "s")
        self.child = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        data = os.path.join(self.folder, "data")
        temporary = os.path.join(self.folder, "tmp")
        os.makedirs(temporary, exist_ok=True)
        user = [f"--user={_own_name()}"]
        install = [find_program("mariadb-install-db", "mysql_install_db"), "--no-defaults", f"--datadir={data}",
                   "--auth-root-authentication-method=normal", "--skip-test-db", *user]
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=120,
                              env={**os.environ, "TMPDIR": temporary})
        if done.returncode:
            raise LabError(f"mariadb-install-db: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        self.child = Child(f"mariadbd {self.server_id}", [*self._command(data), *user],
                           os.path.join(self.folder, "log"))
        self.child.wait(self._answers, 60, "did not answer")
        return self

    def _command(self, data):
        # A server that starts deletes every temporary table in its tmpdir, another server's included.
        return [
            find_program("mariadbd", "mysqld"), "--no-defaults", f"--datadir={data}",
            f"--tmpdir={os.path.join(self.folder, 'tmp')}", f"--port={self.port}",
            f"--socket={self.socket}", f"--pid-file={os.path.join(self.folder, 'pid')}", "--bind-address=127.0.0.1",
            f"--server-id={self.server_id}", "--log-bin=bin", "--binlog-format=ROW", "--log-slave-updates=ON",
            "--gtid-strict-mode=ON", "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve",
            "--max-connections=8000", "--back-log=1000", "--innodb-buffer-pool-size=256M", "--local-infile=ON",
            "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci", "--event-scheduler=OFF",
            "--innodb-stats-persistent=ON", "--performance-schema=OFF", *self.options]

    def _answers(self):
        return self._client("SELECT 1", check=False).returncode == 0

    def sql(self, text, database=None):
        """Run statements as root over the socket; returns the rows' text, tab-separated, without headings."""
        return self._client(text, database=database).stdout

    def _client(self, text, check=True, database=None):
        command = [find_program("mariadb", "mysql"), "--no-defaults", f"--socket={self.socket}", "--user=root",
                   "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        done = subprocess.run(command + ([database] if database else []), input=text, capture_output=True, text=True,
                              check=False, timeout=120)
        if check and done.returncode:
            raise LabError(f"SQL on {self.address} failed: {done.stderr.strip()}")
        return done

    def load_time_zones(self):
        """Named time zones, on this server only: not through the binary log."""
        program = [find_program("mariadb-tzinfo-to-sql", "mysql_tzinfo_to_sql"), "/usr/share/zoneinfo"]
        zones = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
        self.sql("SET sql_log_bin=0;" + zones.stdout, database="mysql")

    def follow(self, primary, delay_seconds=0):
        """Become a read-only GTID replica of `primary`, from an equal (empty) beginning."""
        self.sql("STOP SLAVE; RESET MASTER; SET GLOBAL gtid_slave_pos='';"
                 f"CHANGE MASTER TO master_host='127.0.0.1', master_port={primary.port}, master_user='{REPL}',"
                 f"master_password='{REPL_PASSWORD}', master_use_gtid=slave_pos, master_delay={int(delay_seconds)};"
                 "START SLAVE; SET GLOBAL read_only=ON;")
        self.child.wait(self._replicating, 30, "did not begin to replicate")

    def _replicating(self):
        with contextlib.suppress(LabError):
            state = self._client("SHOW SLAVE STATUS\\G").stdout.splitlines()
            # Without column names the vertical form is values only, in the server's fixed order.
            return sum(line.strip() == "Yes" for line in state) >= 2
        return False

    def caught_up_with(self, primary, seconds=60):
        """Wait until everything that the primary has written is here."""
        position = primary.sql("SELECT @@gtid_binlog_pos").strip()
        if self.sql(f"SELECT MASTER_GTID_WAIT('{position}', {int(seconds)})").strip() != "0":
            raise LabError(f"replica {self.address} did not reach {position} within {seconds} s")

    def resume_at(self, primary):
        """Replicate on from where the primary is now, if an event could not be applied: what it was about is skipped.

        Suites do such things on the primary itself, such as making an account for a plugin that is loaded only there.
        """
        if self._replicating():
            return
        position = primary.sql("SELECT @@gtid_binlog_pos").strip()
        self.sql(f"STOP SLAVE; SET GLOBAL gtid_slave_pos='{position}'; START SLAVE;")
        self.child.wait(self._replicating, 30, "did not replicate again")

    def stop(self):
        if self.child:
            self.child.stop(60)


def _own_name():
    import pwd
    return pwd.getpwuid(os.geteuid()).pw_name


def start_pair(folder, replica=False, delay_seconds=0, options=(), zones=False):
    """A primary with the lab's accounts and, if asked for, one replica that follows it from the first event."""
    servers = []
    try:
        for number in range(1, 3 if replica else 2):
            server = MariaDb(os.path.join(folder, f"db{number}"), number, options)
            servers.append(server)
            server.start().sql(f"SET sql_log_bin=0; {ACCOUNTS}")
            if zones:
                server.load_time_zones()
            server.sql("RESET MASTER")
        for follower in servers[1:]:
            follower.follow(servers[0], delay_seconds)
    except BaseException:
        for server in servers:
            server.stop()
        raise
    return servers
