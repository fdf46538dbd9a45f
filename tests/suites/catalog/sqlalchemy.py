"""SQLAlchemy's own tests: the dialect suite that every dialect must pass, the MySQL dialect, engine, SQL and ORM.

`--backend-only` leaves out the thousands of tests that never talk to a database.
"""

from .base import PLUGINS, QUICK, PytestSuite

VERSION = "2.0.36"
DRIVERS = {"pymysql": ["pymysql==1.1.1", "cryptography"], "mysqlclient": ["mysqlclient==2.2.6"]}
SCHEMES = {"pymysql": "mysql+pymysql", "mysqlclient": "mysql+mysqldb"}
QUICK_PATHS = ["test/dialect/test_suite.py", "test/dialect/mysql", "test/engine/test_transaction.py"]
FULL_PATHS = ["test/dialect/test_suite.py", "test/dialect/mysql", "test/engine", "test/sql", "test/orm", "test/ext",
              "test/base"]


class SqlAlchemy(PytestSuite):
    """One driver under SQLAlchemy."""

    databases = ("test", "test_schema", "test_schema_2")

    def __init__(self, driver):
        self.driver = driver
        self.name = f"sqlalchemy-{driver}"

    def fetch(self, cache):
        self.folder = cache.python_sdist("sqlalchemy", VERSION)
        if self.driver == "mysqlclient":
            cache.need_packages(["libmariadb-dev", "pkg-config", "gcc", "python3-dev"])
        venv = cache.virtualenv(self.name, ["pytest==8.3.4", "pytest-timeout==2.3.1", "typing_extensions",
                                            "greenlet", "setuptools", *DRIVERS[self.driver]])
        self.python = f"{venv}/bin/python"

    def environment(self, target, work):
        return {"PYTHONPATH": f"{PLUGINS}:{self.folder}/lib", "DISABLE_SQLALCHEMY_CEXT_RUNTIME": "1"}

    def arguments(self, target, work, scope):
        url = target.url(SCHEMES[self.driver], "test")
        paths = QUICK_PATHS if scope == QUICK else FULL_PATHS
        return ["--backend-only", "--dburi", f"{url}?charset=utf8mb4", "--maxfail=100000", *paths]
