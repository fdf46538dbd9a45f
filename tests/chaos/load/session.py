"""A client's session that connects again when it has to."""

import socket
import time

from wire.client import ServerError, WireClient

from .outcome import LOST

# What a held statement may take, before its client gives up.
PATIENCE = 40
# After an error, so that thousands of refused attempts do not hide the ones that count.
PAUSE = 0.02


class Failed(Exception):
    """A statement had no success; `code` is the server's number or LOST."""

    def __init__(self, code, text=""):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Session:
    def __init__(self, where, stopping):
        self.where, self.stopping, self.client = where, stopping, None

    def connect(self):
        """Logs in; raises Failed."""
        try:
            self.client = WireClient(self.where["host"], self.where["port"], PATIENCE)
            self.client.login(self.where["user"], self.where["password"], self.where["database"])
        except ServerError as error:
            self.close()
            raise Failed(error.code, error.message) from error
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Failed(LOST, repr(error)) from error

    def ready(self, errors):
        """Connects until it succeeds; False when the load ends. Every failure is counted in `errors`."""
        while self.client is None and not self.stopping.is_set():
            try:
                self.connect()
            except Failed as failure:
                errors.append((time.monotonic(), failure.code, f"login: {failure.text}"))
                self.stopping.wait(PAUSE)
        return self.client is not None

    def execute(self, sql):
        """Runs a statement without rows; raises Failed. After LOST there is no connection any more."""
        self.packets(sql)

    def number(self, sql):
        """The one number that a query answers with."""
        packets = self.packets(sql)
        return int(next(WireClient.text_values(packets[3], 1)))

    def value(self, sql):
        """The one text that a query answers with; None where there is no row."""
        packets = self.packets(sql)
        return next(WireClient.text_values(packets[3], 1)).decode() if len(packets) > 4 else None

    def packets(self, sql):
        if self.client is None:
            raise Failed(LOST, "not connected")
        try:
            packets = self.client.query(sql)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise Failed(LOST, repr(error)) from error
        for packet in packets:
            if packet[:1] == b"\xff":
                error = ServerError(packet)
                raise Failed(error.code, error.message)
        return packets

    def abort(self):
        """From another thread: whoever waits for an answer stops to."""
        client = self.client
        if client:
            try:
                client.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        if self.client:
            self.client.close()
        self.client = None
