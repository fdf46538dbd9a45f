"""An address to run a suite against, and the account that the suites use there."""

import os
import subprocess
import tempfile
import urllib.parse
from dataclasses import dataclass

from lab.mariadb import find_program

SUITE_USER, SUITE_PASSWORD = "suites", "suites"


class SetupError(Exception):
    """The statements that prepare a suite's databases were refused."""


@dataclass(frozen=True)
class Target:
    """Where a client connects: always TCP, always with a password."""

    host: str
    port: int
    user: str
    password: str

    @classmethod
    def parse(cls, url):
        """From `mysql://user:password@host:port`; the port defaults to 3306."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("mysql", "mariadb") or not parts.hostname:
            raise ValueError(f"not a mysql:// address: {url}")
        unquote = urllib.parse.unquote
        return cls(parts.hostname, parts.port or 3306, unquote(parts.username or "root"), unquote(parts.password or ""))

    def as_suite_user(self):
        return Target(self.host, self.port, SUITE_USER, SUITE_PASSWORD)

    def url(self, scheme="mysql", database=""):
        quote = urllib.parse.quote
        return f"{scheme}://{quote(self.user)}:{quote(self.password)}@{self.host}:{self.port}/{database}"

    def client_options(self):
        """A [client] option file's body, for programs that read one."""
        return f"[client]\nhost={self.host}\nport={self.port}\nuser={self.user}\npassword={self.password}\n"

    def sql(self, text):
        """Run statements with the command-line client; the password goes through a file, not through arguments."""
        with tempfile.NamedTemporaryFile("w", suffix=".cnf") as options:
            options.write(self.client_options())
            options.flush()
            os.chmod(options.name, 0o600)
            command = [find_program("mariadb", "mysql"), f"--defaults-file={options.name}", "--protocol=tcp", "--batch",
                       "--skip-column-names", "--default-character-set=utf8mb4"]
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise SetupError(f"{self.host}:{self.port}: {done.stderr.strip()}")
        return done.stdout


def prepare(admin, databases, extra=""):
    """Give the suite fresh databases and its account; `admin` must be a direct connection to the primary."""
    drop = "".join(f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}` CHARACTER SET utf8mb4;"
                   for name in databases)
    admin.sql(f"CREATE OR REPLACE USER '{SUITE_USER}'@'%' IDENTIFIED BY '{SUITE_PASSWORD}';"
              f"GRANT ALL ON *.* TO '{SUITE_USER}'@'%' WITH GRANT OPTION; {drop} {extra}")
