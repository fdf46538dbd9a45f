"""PyMySQL's tests, from the last source distribution that carries them, run on that same version."""

import json
import os
import shutil

from .base import PytestSuite

VERSION = "0.9.3"


class PyMysql(PytestSuite):
    """The driver's own tests and the DB-API tests that it shares with mysqlclient."""

    name = "pymysql"
    databases = ("test1", "test2")

    def fetch(self, cache):
        self.source = cache.python_sdist("pymysql", VERSION)
        venv = cache.virtualenv(self.name, ["pytest==8.3.4", "pytest-timeout==2.3.1", "cryptography"])
        self.python = f"{venv}/bin/python"

    def arguments(self, target, work, scope):
        # The tests read their databases from a file beside them, so they run from a copy.
        self.folder = os.path.join(work, "source")
        shutil.copytree(self.source, self.folder)
        common = {"host": target.host, "port": target.port, "user": target.user, "password": target.password,
                  "use_unicode": True, "local_infile": True}
        with open(os.path.join(self.folder, "pymysql", "tests", "databases.json"), "w", encoding="utf-8") as file:
            json.dump([{**common, "db": "test1"}, {**common, "db": "test2"}], file)
        # What this version imports under an old name has long been part of Python.
        with open(os.path.join(self.folder, "unittest2.py"), "w", encoding="utf-8") as file:
            file.write("from unittest import *\n")
        _data_files(os.path.join(self.folder, "pymysql", "tests", "data"))
        return ["pymysql/tests"]


def _data_files(folder):
    """The files that the LOAD DATA LOCAL tests read; the source distribution leaves them out."""
    os.makedirs(folder)
    with open(os.path.join(folder, "load_local_data.txt"), "w", encoding="ascii") as file:
        file.writelines(f"{number},{number * 7}\n" for number in range(22_749))
    with open(os.path.join(folder, "load_local_warn_data.txt"), "w", encoding="ascii") as file:
        file.writelines(f"{number},{'x' if number % 5 == 0 else number}\n" for number in range(100))
