"""A network namespace without a name: it lives as long as this process or something in it, so nothing is ever left over."""

import contextlib
import ctypes
import os
import subprocess
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespace:
    """Made by a thread that ends at once; only the descriptor keeps it. Raises OSError where that is not allowed."""

    def __init__(self):
        self.fd, self.error = None, None
        thread = threading.Thread(target=self._make)
        thread.start()
        thread.join()
        if self.error:
            raise self.error
        self.run("ip", "link", "set", "lo", "up")

    def _make(self):
        try:
            _call(_libc.unshare, CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.error = error

    @property
    def path(self):
        """For other programs, and for a human: `nsenter --net=PATH bash`."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @property
    def prefix(self):
        """What makes a command run inside. nsenter becomes that command, so its process id stays."""
        return ["nsenter", f"--net={self.path}"]

    def run(self, *command, stdin=None):
        """Runs a command inside to its end; fails with what it said."""
        done = subprocess.run([*self.prefix, *command], input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    @contextlib.contextmanager
    def entered(self):
        """This thread's new sockets are made inside. The rest of the process does not notice."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call(_libc.setns, self.fd, CLONE_NEWNET)
            yield self
        finally:
            _call(_libc.setns, before, CLONE_NEWNET)
            os.close(before)

    def close(self):
        os.close(self.fd)
