"""The Perl drivers' tests: DBD::mysql and DBD::MariaDB, the distribution's modules under their own test files."""

import glob
import os
import shutil
import time

from harness.execute import execute
from harness.outcome import Run
from harness.tap import outcomes

from .base import Suite

# Leaks are measured on the test's own process, pod and manifest tests never connect.
LEFT_OUT = {"pod.t", "manifest.t", "60leaks.t", "version.t", "12embedded.t"}
FILE_LIMIT = 90


class PerlDriver(Suite):
    """All test files of one driver, in order."""

    def __init__(self, driver):
        self.driver = driver
        self.name = f"perl-dbd-{driver.lower()}"
        self.database = "test"
        self.databases = (self.database,)
        # DBD::MariaDB's tests insist on this collation.
        self.setup = f"ALTER DATABASE `{self.database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;"

    def fetch(self, cache):
        package = f"libdbd-{self.driver.lower()}-perl"
        cache.need_packages([package, "libproc-processtable-perl", "libtest-deep-perl", "libtest-distmanifest-perl"])
        self.folder = cache.debian_source(package)

    def run(self, target, work, scope):
        source = os.path.join(work, "source")
        shutil.copytree(self.folder, source)
        self._settings(target, os.path.join(source, "t", f"{self.driver}.mtest"))
        run, began = Run(), time.monotonic()
        for path in sorted(glob.glob(os.path.join(source, "t", "*.t"))):
            file = os.path.basename(path)
            if file in LEFT_OUT:
                continue
            done = execute(["perl", "-I.", "-It", f"t/{file}"], os.path.join(work, file + ".log"), FILE_LIMIT, cwd=source,
                           env={"CONNECTION_TESTING": "1"} if self.driver == "MariaDB" else None)
            for outcome in outcomes(file, done):
                run.add(outcome)
        run.seconds = time.monotonic() - began
        return run

    def _settings(self, target, path):
        dsn = f"DBI:{self.driver}:database={self.database};host={target.host};port={target.port}"
        if self.driver == "mysql":
            dsn += ";mysql_local_infile=1"
        values = {"host": target.host, "port": target.port, "user": target.user, "password": target.password,
                  "db": self.database, "dsn": dsn, "driver": self.driver}
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"$::test_{key} = '{value}';\n" for key, value in values.items())
            file.write("1;\n")
