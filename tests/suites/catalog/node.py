"""The integration tests of node's `mysql`, under that driver and under `mysql2`, which keeps its interface."""

import glob
import os
import re
import shutil
import subprocess
import time

from harness.cache import Unavailable
from harness.execute import execute
from harness.outcome import FAILED, PASSED, SKIPPED, Outcome, Run

from .base import Suite

FILE_LIMIT = 40
# What the tests import, at the versions their manifest names.
PACKAGES = ["after@0.8.2", "seedrandom@3.0.5", "timezone-mock@0.0.7", "urun@0.0.8", "utest@0.0.8",
            "bignumber.js@9.0.0", "readable-stream@2.3.7", "safe-buffer@5.1.2", "sqlstring@2.3.1", "mysql2@3.11.5"]


class Node(Suite):
    """Each test file is a program of its own that ends with 0 if it passed."""

    def __init__(self, driver):
        self.driver = driver
        self.name = f"node-{driver}"
        self.databases = ("test",)

    def fetch(self, cache):
        cache.need_programs(node="nodejs", npm="npm")

        def build(folder):
            done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES],
                                  cwd=folder, capture_output=True, text=True, check=False, timeout=300)
            if done.returncode:
                raise Unavailable(f"npm install: {done.stdout[-800:]}{done.stderr[-800:]}")
        self.modules = os.path.join(cache.item("node-modules", build), "node_modules")
        self.folder = cache.debian_source("node-mysql")

    def run(self, target, work, scope):
        source = os.path.join(work, "source")
        shutil.copytree(self.folder, source)
        os.symlink(self.modules, os.path.join(source, "node_modules"))
        if self.driver == "mysql2":
            _use_mysql2(os.path.join(source, "test", "common.js"))
        environment = {"CI": "1", "MYSQL_HOST": target.host, "MYSQL_PORT": str(target.port),
                       "MYSQL_USER": target.user, "MYSQL_PASSWORD": target.password, "MYSQL_DATABASE": "test"}
        run, began = Run(), time.monotonic()
        for path in sorted(glob.glob(os.path.join(source, "test", "integration", "**", "*.js"), recursive=True)):
            name = os.path.relpath(path, os.path.join(source, "test"))
            log = os.path.join(work, name.replace("/", "_") + ".log")
            run.add(_outcome(name, execute(["node", path], log, FILE_LIMIT, cwd=source, env=environment)))
        run.seconds = time.monotonic() - began
        return run


def _use_mysql2(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    changed, count = re.subn(r"(?m)^var Mysql\s*=.*$", "var Mysql = require('mysql2');", text)
    if count != 1:
        raise Unavailable("the tests no longer import their driver in one place")
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)


def _outcome(name, done):
    if done.timed_out:
        return Outcome(name, FAILED, f"time limit\n{done.output[-2000:]}", done.seconds)
    if done.code:
        return Outcome(name, FAILED, done.output[-3000:], done.seconds)
    if re.search(r"(?im)^skipp", done.output):
        return Outcome(name, SKIPPED, done.output[-500:], done.seconds)
    return Outcome(name, PASSED, "", done.seconds)
