"""mysqlclient's tests: the C client library under the Python driver that Django recommends."""

import os

from .base import PytestSuite

VERSION = "2.2.6"


class MysqlClient(PytestSuite):
    """The driver's own tests."""

    name = "mysqlclient"
    databases = ("test",)

    def fetch(self, cache):
        cache.need_packages(["libmariadb-dev", "pkg-config", "gcc", "python3-dev"])
        self.folder = cache.python_sdist("mysqlclient", VERSION)
        venv = cache.virtualenv(self.name, ["pytest==8.3.4", "pytest-timeout==2.3.1", f"mysqlclient=={VERSION}"])
        self.python = f"{venv}/bin/python"

    def environment(self, target, work):
        options = os.path.join(work, "client.cnf")
        with open(options, "w", encoding="utf-8") as file:
            file.write("[MySQLdb-tests]\n" + target.client_options().removeprefix("[client]\n") + "database=test\n"
                       "default-character-set=utf8mb4\n")
        return {"TESTDB": options}

    def arguments(self, target, work, scope):
        return ["tests"]
