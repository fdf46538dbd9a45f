"""Restarts servers that died, as systemd would. Whether it does is decided per server, at any time."""

import threading

import time

EVERY = 0.05


class Supervisor(threading.Thread):
    """Lives as long as the lab: a process is killed with the thread that started it."""

    def __init__(self, servers=()):
        super().__init__(name="supervisor", daemon=True)
        self.servers, self.watched, self.restarts, self.lock = list(servers), {}, [], threading.Lock()
        self.closing = threading.Event()
        self.start()

    def watch(self, server, after=0.1):
        """From now on `server` is started `after` seconds (systemd's RestartSec) after it was found dead."""
        with self.lock:
            self.watched[server] = after

    def leave(self, server):
        with self.lock:
            self.watched.pop(server, None)

    def run(self):
        while not self.closing.wait(EVERY):
            with self.lock:
                dead = [(server, after) for server, after in self.watched.items() if not server.is_running]
            for server in self.servers:
                self.start_if_told(server)
            for server, after in dead:
                self.closing.wait(after)
                self.restart(server)

    @staticmethod
    def start_if_told(server):
        """`systemctl start` of somebody who cannot spawn servers himself is a file `start` beside the data."""
        told = server.folder / "start"
        if told.exists() and not server.is_running:
            told.unlink()
            server.spawn()

    def restart(self, server):
        with self.lock:
            if server in self.watched and not self.closing.is_set():
                server.spawn()
                self.restarts.append((time.monotonic(), server.label))

    def close(self):
        self.closing.set()
        self.join()
