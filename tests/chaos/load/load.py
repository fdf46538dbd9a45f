"""The load as a test sees it."""

import json
import subprocess
import sys
import time
from pathlib import Path

from e2e.harness.mariadb import APP_DATABASE, APP_PASSWORD, APP_USER
from e2e.harness.process import spawn
from e2e.harness.waiting import eventually

from chaos.check.appends import Entry

from .outcome import ACKNOWLEDGED, Outcome

TESTS = Path(__file__).parents[2]
FULL = {"writers": 32, "transactions": 4, "readers": 4, "appenders": 2, "thinkers": 0, "idle": 150, "marked": 50}
SMALL = {"writers": 8, "transactions": 2, "readers": 2, "appenders": 2, "thinkers": 0, "idle": 20, "marked": 5}


def entry(number, steps, *rest):
    """A transaction of an appender, as it comes from JSON."""
    return Entry(number, tuple((what, key, tuple(v) if what == "read" else v) for what, key, v in steps), *rest)


class Load:
    """Runs while it is entered. Afterwards it knows the outcome of every write."""

    def __init__(self, folder, host, port, prefix=(), first=1, **size):
        self.file = folder / f"load-{first}.json"
        where = {"host": host, "port": port, "user": APP_USER, "password": APP_PASSWORD, "database": APP_DATABASE}
        options = {**SMALL, **size, "where": where, "file": str(self.file), "first": first}
        command = [*prefix, sys.executable, "-m", "chaos.load", json.dumps(options)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process, self.result, self.began = spawn(command, cwd=TESTS, **pipes), None, None

    def __enter__(self):
        assert self.answer() == {"ready": True}
        self.began = time.monotonic()
        self.until(200)
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            self.process.kill()
            self.process.communicate()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, "the load has died"
        return json.loads(line)

    def ask(self, *words):
        print(json.dumps(words), file=self.process.stdin, flush=True)
        return self.answer()

    # While it runs.

    def acknowledged_since(self, when):
        """Acknowledged writes that were begun after `when`."""
        return self.ask("since", when)["acknowledged"]

    def until(self, count, since=0.0, within=30):
        """Waits for `count` acknowledged writes that began after `since`."""
        eventually(lambda: self.acknowledged_since(since) >= count, within, every=0.05, what=f"{count} writes")

    def goes_on(self, within=30, count=100):
        """Waits until clients write again, from now on."""
        self.until(count, since=time.monotonic(), within=within)

    def check_sessions(self):
        """Every idle session is there with its state. Returns how many are not: none."""
        problems = self.ask("sessions")
        broken = [*problems["plain"], *problems["marked"]]
        assert not broken, f"{len(broken)} idle sessions are broken: {broken[0]}"
        return len(broken)

    def stop(self):
        if self.result is None:
            self.ask("stop")
            self.result = json.loads(self.file.read_text())
            self.result["outcomes"] = [Outcome(*each) for each in self.result["outcomes"]]
            self.result["history"] = [entry(*each) for each in self.result["history"]]
        return self.result

    # Afterwards.

    @property
    def outcomes(self):
        return self.result["outcomes"]

    @property
    def history(self):
        return self.result["history"]

    def errors(self):
        """How many errors clients saw, by number."""
        numbers = [code for _, code, _ in self.result["errors"]]
        return {code: numbers.count(code) for code in sorted(set(numbers))}

    def longest_pause(self, since=0.0, until=float("inf")):
        """Seconds from one acknowledged write to the next, of all clients together, where this was longest."""
        ends = sorted(o.ended for o in self.outcomes if o.state == ACKNOWLEDGED)
        gaps = ((b - a, a) for a, b in zip(ends, ends[1:], strict=False) if b > since and a < until)
        return max(gaps, default=(0.0, 0.0))[0]

    def rate(self):
        """Acknowledged writes a second, over the whole run."""
        ends = [o.ended for o in self.outcomes if o.state == ACKNOWLEDGED]
        return len(ends) / (max(ends) - self.began)
