"""What every suite has: a name, databases, a way to be fetched and a way to be run."""

import os

from harness.execute import execute
from harness.outcome import Run, read_lines

PLUGINS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plugins")
QUICK, FULL = "quick", "full"


class Suite:
    """One public test suite.

    `scopes` lists what is worth running: `quick` is the part that `make test` runs, `full` is everything useful.
    """

    name = ""
    databases = ()
    setup = ""
    scopes = (QUICK, FULL)
    limits = {QUICK: 300, FULL: 1800}

    def fetch(self, cache):
        """Bring the sources and the programs under them; may take long once, does nothing the second time."""
        raise NotImplementedError

    def run(self, target, work, scope):
        """Run against `target`, writing only into `work`; returns a `Run`."""
        raise NotImplementedError


class PytestSuite(Suite):
    """A suite that pytest runs: subclasses say where, with which interpreter and which arguments."""

    folder = python = None

    def arguments(self, target, work, scope):
        raise NotImplementedError

    def environment(self, target, work):
        return {}

    def run(self, target, work, scope):
        report = os.path.join(work, "report.jsonl")
        command = [self.python, "-m", "pytest", "-q", "--tb=short", "--color=no", "-p", "hadal_report",
                   "-p", "no:cacheprovider", "--timeout=90", *self.arguments(target, work, scope)]
        environment = {"HADAL_REPORT": report, "PYTHONPATH": PLUGINS, "PYTHONDONTWRITEBYTECODE": "1",
                       **self.environment(target, work)}
        done = execute(command, os.path.join(work, "log"), self.limits[scope], cwd=self.folder, env=environment)
        return Run(read_lines(report), done.complaint(), done.seconds)
