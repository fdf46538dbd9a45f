"""The tests of Go's MySQL driver, as the distribution packages its source."""

import os
import re
import shutil

from harness.execute import execute
from harness.outcome import FAILED, PASSED, SKIPPED, Outcome, Run

from .base import Suite

STATES = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}


class GoMysql(Suite):
    """go-sql-driver/mysql: text and prepared, transactions, contexts, LOAD DATA LOCAL, TLS where there is any."""

    name = "go-mysql"
    databases = ("gotest",)

    def fetch(self, cache):
        cache.need_programs(go="golang-go")
        source = cache.debian_source("golang-github-go-sql-driver-mysql")

        def build(folder):
            # Compiled once; only the program is needed afterwards.
            done = execute(["go", "test", "-c", "-o", os.path.join(folder, "mysql.test")], os.path.join(folder, "log"),
                           600, cwd=source, env={"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local",
                                                 "GOCACHE": os.path.join(folder, "cache")})
            shutil.rmtree(os.path.join(folder, "cache"), ignore_errors=True)
            if done.code:
                raise RuntimeError(done.output[-2000:])
        self.program = os.path.join(cache.item("go-mysql-test", build), "mysql.test")
        self.folder = source

    def run(self, target, work, scope):
        environment = {"MYSQL_TEST_USER": target.user, "MYSQL_TEST_PASS": target.password, "MYSQL_TEST_PROT": "tcp",
                       "MYSQL_TEST_ADDR": f"{target.host}:{target.port}", "MYSQL_TEST_DBNAME": "gotest"}
        # The tests write files into their folder.
        folder = os.path.join(work, "source")
        shutil.copytree(self.folder, folder)
        done = execute([self.program, "-test.v", "-test.timeout=240s"], os.path.join(work, "log"), self.limits[scope],
                       cwd=folder, env=environment)
        return Run(_outcomes(done.output), done.complaint(), done.seconds)


def _outcomes(output):
    """From `go test -v`: the lines before a verdict that belong to a test are its text."""
    found, lines = [], output.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"\s*--- (PASS|FAIL|SKIP): (\S+) \(([\d.]+)s\)", line)
        if match:
            text = "\n".join(lines[max(0, number - 3):number + 12]) if match.group(1) == "FAIL" else ""
            found.append(Outcome(match.group(2), STATES[match.group(1)], text, float(match.group(3))))
        started = re.match(r"=== RUN\s+(\S+)", line)
        if started:
            # Stays if the program dies in this test; replaced by its verdict otherwise.
            found.append(Outcome(started.group(1), SKIPPED, "began and never ended"))
    return found
