"""One child process: started in its own process group, waited for, stopped; what it used is read from /proc."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time


class LabError(Exception):
    """A server of the lab could not be started or did not answer in time."""


def free_port():
    """A port that was free a moment ago on 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_open_files(wanted):
    """Raise the soft limit of open files towards `wanted`; returns the limit that holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < goal:
        resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
        soft = goal
    return soft


class Child:
    """A server process with its log file."""

    def __init__(self, name, command, log, env=None):
        self.name, self.log = name, log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=env)

    @property
    def pid(self):
        return self.process.pid

    def wait_port(self, port, seconds):
        """Return once something accepts on the port; raise with the log's end if the process ends or time is up."""
        self.wait(lambda: _accepts(port), seconds, f"did not listen on port {port}")

    def wait(self, ready, seconds, complaint):
        """Poll `ready` until it holds; a process that ended, or the deadline, is an error that shows the log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise LabError(f"{self.name} ended with {self.process.returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} {complaint} within {seconds} s\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, size=3000):
        with contextlib.suppress(OSError), open(self.log, "rb") as log:
            return log.read()[-size:].decode(errors="replace")
        return ""

    def cpu_seconds(self):
        """User and system time of the process so far (all its threads, not its children)."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        """Resident memory of the process now."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self, seconds=20):
        """Ask, then insist. Only the group that this object started is ever signalled."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()


def _accepts(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
