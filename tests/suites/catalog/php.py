"""PHP's phpt files for mysqli and PDO, over mysqlnd: a protocol implementation of its own."""

import os
import shutil

from harness.execute import execute
from harness.outcome import FAILED, PASSED, SKIPPED, Outcome, Run

from .base import FULL, QUICK, Suite

# A test that PHP itself expects to fail or to warn counts as passed when it does what it always did.
STATES = {"FAILED": FAILED, "BORKED": FAILED, "LEAKED": FAILED, "SKIPPED": SKIPPED, "XFAILED": PASSED,
          "WARNED": PASSED, "XLEAKED": PASSED, "PASSED": PASSED}
WORST_FIRST = ("XFAILED", "XLEAKED", "FAILED", "BORKED", "LEAKED", "SKIPPED", "WARNED", "PASSED")


class Php(Suite):
    """One extension's folder of phpt files, run by PHP's own `run-tests.php`."""

    limits = {QUICK: 600, FULL: 900}

    def __init__(self, extension, folders):
        self.extension, self.folders = extension, folders
        self.name = f"php-{extension.replace('_', '-')}"
        self.databases = ("test",)

    def fetch(self, cache):
        cache.need_packages(["php-cli", "php-mysql"])
        # The packages may be a security release ahead; the tests of the extension are the same.
        self.folder = cache.debian_source("php8.2", older=True)

    def run(self, target, work, scope):
        source = os.path.join(work, "source")
        for folder in ("ext/mysqli/tests", "ext/pdo/tests", "ext/pdo_mysql/tests"):
            shutil.copytree(os.path.join(self.folder, folder), os.path.join(source, folder))
        shutil.copy(os.path.join(self.folder, "run-tests.php"), source)
        results = os.path.join(work, "results.txt")
        command = ["php", "run-tests.php", "-p", shutil.which("php"), "-q", "-j1", "--set-timeout", "30", "-g", "FAIL",
                   "-W", results, *self.folders]
        environment = {**_environment(target), "NO_INTERACTION": "1", "SKIP_ONLINE_TESTS": "1", "TEMP": work,
                       "TMPDIR": work}
        done = execute(command, os.path.join(work, "log"), self.limits[scope], cwd=source, env=environment)
        return Run(_outcomes(results, source), done.complaint(), done.seconds)


def _environment(target):
    dsn = f"mysql:host={target.host};port={target.port};dbname=test"
    values = {}
    for prefix, password in (("MYSQL_TEST", "PASSWD"), ("PDO_MYSQL_TEST", "PASS")):
        values.update({f"{prefix}_HOST": target.host, f"{prefix}_PORT": str(target.port), f"{prefix}_USER": target.user,
                       f"{prefix}_{password}": target.password, f"{prefix}_DB": "test"})
    return {**values, "PDO_MYSQL_TEST_DSN": dsn, "PDOTEST_DSN": dsn, "PDOTEST_USER": target.user,
            "PDOTEST_PASS": target.password}


def _outcomes(results, source):
    """From the file that `run-tests.php -W` writes test by test, so that a run that was stopped still counts."""
    if not os.path.exists(results):
        return
    with open(results, encoding="utf-8", errors="replace") as file:
        for line in file:
            words, _, path = line.rstrip("\n").partition("\t")
            state = next((STATES[word] for word in WORST_FIRST if word in words), FAILED)
            # A redirected test is named after the file that redirects to it and its own.
            name = os.path.relpath(os.path.join(source, path.rpartition(": ")[2]), source)
            yield Outcome(name, state, _difference(os.path.join(source, name)) if state == FAILED else "")


def _difference(path):
    """What run-tests.php leaves beside a test whose output was not the expected one."""
    try:
        with open(os.path.splitext(path)[0] + ".diff", encoding="utf-8", errors="replace") as file:
            return file.read()[-6000:]
    except OSError:
        return "no difference was written"
