"""A client small enough to hold open by the thousand: log in, run one statement, stay, run another."""

import hashlib
import socket
import struct

CAPABILITIES = 0x00000001 | 0x00000008 | 0x00000200 | 0x00002000 | 0x00008000 | 0x00080000
COM_QUERY = b"\x03"


class ClientError(Exception):
    """The server refused, or answered something that was not asked for."""


class Client:
    """One blocking connection with `mysql_native_password`."""

    def __init__(self, port, user, password, database, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        try:
            self._log_in(user, password, database)
        except BaseException:
            self.close()
            raise

    def _log_in(self, user, password, database):
        greeting = self._packet()[1]
        if greeting[:1] == b"\xff":
            raise ClientError(_error(greeting))
        after_version = greeting.index(b"\0", 1) + 1
        first = greeting[after_version + 4:after_version + 12]
        rest = greeting[after_version + 31:]
        proof = scramble(password, first + rest[:rest.index(b"\0")])
        body = (struct.pack("<IIB23x", CAPABILITIES, 1 << 24, 45) + user.encode() + b"\0"
                + bytes([len(proof)]) + proof + database.encode() + b"\0" + b"mysql_native_password\0")
        self._send(1, body)
        number, answer = self._packet()
        if answer[:1] == b"\xfe":
            salt = answer[answer.index(b"\0", 1) + 1:].rstrip(b"\0")
            self._send(number + 1, scramble(password, salt))
            _, answer = self._packet()
        if answer[:1] != b"\0":
            raise ClientError(_error(answer))

    def value(self, sql):
        """The only value of a one-row, one-column, short result."""
        self._send(0, COM_QUERY + sql.encode())
        head = self._packet()[1]
        if head != b"\x01":
            raise ClientError(_error(head))
        column, end, row, last = (self._packet()[1] for _ in range(4))
        if column[:4] != b"\x03def" or end[:1] != b"\xfe" or last[:1] != b"\xfe":
            raise ClientError("an answer that is not a result of one row")
        return row[1:1 + row[0]].decode()

    def _send(self, number, body):
        self.socket.sendall(struct.pack("<I", len(body))[:3] + bytes([number & 255]) + body)

    def _packet(self):
        self._fill(4)
        size = int.from_bytes(self.buffer[:3], "little")
        number = self.buffer[3]
        self._fill(4 + size)
        body, self.buffer = self.buffer[4:4 + size], self.buffer[4 + size:]
        return number, body

    def _fill(self, size):
        while len(self.buffer) < size:
            got = self.socket.recv(65536)
            if not got:
                raise ClientError("the connection was closed")
            self.buffer += got

    def close(self):
        self.socket.close()


def scramble(password, salt):
    """The proof of `mysql_native_password`."""
    if not password:
        return b""
    once = hashlib.sha1(password.encode()).digest()
    twice = hashlib.sha1(once).digest()
    mask = hashlib.sha1(salt[:20] + twice).digest()
    return bytes(a ^ b for a, b in zip(once, mask))


def _error(packet):
    if packet[:1] == b"\xff":
        return f"{int.from_bytes(packet[1:3], 'little')}: {packet[3:].decode(errors='replace')}"
    return f"unexpected packet {packet[:20]!r}"
