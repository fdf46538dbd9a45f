"""PHP's phpt files for mysqli and PDO, over mysqlnd: a protocol implementation of its own."""

import os
import shutil
import xml.etree.ElementTree as ElementTree

from harness.execute import execute
from harness.outcome import FAILED, PASSED, SKIPPED, Outcome, Run

from .base import FULL, QUICK, Suite


class Php(Suite):
    """One extension's folder of phpt files, run by PHP's own `run-tests.php`."""

    limits = {QUICK: 400, FULL: 900}

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
        report = os.path.join(work, "junit.xml")
        # phpt files compare whole outputs, so nothing of this machine's settings may add to them.
        command = ["php", "run-tests.php", "-p", shutil.which("php"), "-q", "-j1", "--set-timeout", "60", "-g", "FAIL",
                   *self.folders]
        environment = {**_environment(target), "TEST_PHP_JUNIT": report, "NO_INTERACTION": "1",
                       "SKIP_ONLINE_TESTS": "1", "TEMP": work, "TMPDIR": work}
        done = execute(command, os.path.join(work, "log"), self.limits[scope], cwd=source, env=environment)
        return Run(_outcomes(report), done.complaint(), done.seconds)


def _environment(target):
    dsn = f"mysql:host={target.host};port={target.port};dbname=test"
    values = {}
    for prefix, password in (("MYSQL_TEST", "PASSWD"), ("PDO_MYSQL_TEST", "PASS")):
        values.update({f"{prefix}_HOST": target.host, f"{prefix}_PORT": str(target.port), f"{prefix}_USER": target.user,
                       f"{prefix}_{password}": target.password, f"{prefix}_DB": "test"})
    return {**values, "PDO_MYSQL_TEST_DSN": dsn, "PDOTEST_DSN": dsn, "PDOTEST_USER": target.user,
            "PDOTEST_PASS": target.password}


def _outcomes(report):
    """From JUnit's XML, which PHP writes at the end; a run that was stopped has none, and its tests are missing."""
    if not os.path.exists(report):
        return
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "").split("/ext/")[-1]
        wrong = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        seconds = float(case.get("time") or 0)
        if wrong is not None:
            yield Outcome(name, FAILED, ((wrong.get("message") or "") + "\n" + (wrong.text or ""))[-6000:], seconds)
        elif skipped is not None:
            yield Outcome(name, SKIPPED, skipped.get("message") or "", seconds)
        else:
            yield Outcome(name, PASSED, "", seconds)
