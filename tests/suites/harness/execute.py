"""Running a suite's own test program under a time limit, in a process group that can be ended as a whole."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Finished:
    """How a program ended; `output` is its standard output and error together, the end of it if it was long."""

    code: int
    output: str
    timed_out: bool
    seconds: float

    def complaint(self, accepted=(0, 1)):
        """Empty if the program ended in one of the ways that a test program does."""
        if self.timed_out:
            return f"stopped after {self.seconds:.0f} s: time limit\n{self.output[-2000:]}"
        if self.code not in accepted:
            return f"ended with {self.code}\n{self.output[-2000:]}"
        return ""


def execute(command, log, limit, cwd=None, env=None, stdin=None):
    """Run to the end or to the limit (seconds); everything the program started in its group is gone afterwards."""
    started = time.monotonic()
    merged = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **(env or {})}
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env=merged, stdin=stdin or subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        timed_out = False
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    with open(log, "rb") as file:
        output = file.read().decode(errors="replace")
    return Finished(process.returncode, output, timed_out, time.monotonic() - started)
