"""One connection, packet by packet."""

import hashlib
import socket

from . import capability, ed25519
from .codec import Reader, frame, lenenc_bytes, nul

LARGEST = 2**24 - 1


class ServerError(Exception):
    """An ERR packet."""

    def __init__(self, packet):
        reader = Reader(packet)
        reader.take(1)
        self.code = reader.number(2)
        rest = reader.rest()
        self.state = rest[1:6].decode() if rest[:1] == b"#" else ""
        self.message = (rest[6:] if self.state else rest).decode("utf-8", "replace")
        super().__init__(f"{self.code} ({self.state}): {self.message}")


def native_scramble(password, challenge):
    """What `mysql_native_password` proves a password with."""
    if not password:
        return b""
    stage1 = hashlib.sha1(password.encode()).digest()
    stage2 = hashlib.sha1(stage1).digest()
    mask = hashlib.sha1(challenge + stage2).digest()
    return bytes(a ^ b for a, b in zip(stage1, mask, strict=True))


class Greeting:
    """The server's first packet."""

    def __init__(self, packet):
        reader = Reader(packet)
        self.protocol = reader.number(1)
        self.version = reader.until_nul().decode()
        self.thread_id = reader.number(4)
        challenge = reader.take(8)
        reader.take(1)
        lower = reader.number(2)
        self.collation = reader.number(1)
        self.status = reader.number(2)
        self.capabilities = lower | reader.number(2) << 16
        length = reader.number(1)
        reader.take(6)
        self.extended = reader.number(4)
        self.challenge = challenge + reader.take(max(12, length - 9))
        reader.take(1)
        self.plugin = reader.until_nul().decode()


class WireClient:
    """A client without opinions: it sends what it is told and returns packets as bytes."""

    def __init__(self, host, port, timeout=20):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.capabilities = 0
        self.sequence = 0
        self.greeting = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # Packets.

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, payload, sequence=0):
        """Sends a payload as one packet, or as many as it needs."""
        while True:
            part, payload = payload[:LARGEST], payload[LARGEST:]
            self.socket.sendall(frame(part, sequence))
            sequence += 1
            if len(part) < LARGEST:
                return

    def read_exactly(self, count):
        while len(self.buffer) < count:
            part = self.socket.recv(65536)
            if not part:
                raise EOFError("the server closed the connection")
            self.buffer += part
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self):
        """One payload, however many packets it came in. Its last sequence number is kept."""
        payload = b""
        while True:
            header = self.read_exactly(4)
            self.sequence = header[3]
            length = int.from_bytes(header[:3], "little")
            payload += self.read_exactly(length)
            if length < LARGEST:
                return payload

    def is_closed_by_peer(self):
        """Waits for the end of the stream; data before it is dropped."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True

    # Login.

    def greet(self):
        packet = self.receive()
        if packet[:1] == b"\xff":
            raise ServerError(packet)
        self.greeting = Greeting(packet)
        return self.greeting

    def response(self, user, password, database=None, capabilities=capability.DEFAULT, attributes=None, plugin=None):
        """The handshake response as this client would send it."""
        greeting = self.greeting
        if database is None:
            capabilities &= ~capability.CONNECT_WITH_DB
        self.capabilities = capabilities & greeting.capabilities
        proof = native_scramble(password, greeting.challenge[:20])
        payload = self.capabilities.to_bytes(4, "little") + (2**30).to_bytes(4, "little")
        payload += bytes([45]) + bytes(23) + nul(user) + bytes([len(proof)]) + proof
        if database is not None:
            payload += nul(database)
        if self.capabilities & capability.PLUGIN_AUTH:
            payload += nul(plugin or "mysql_native_password")
        if self.capabilities & capability.CONNECT_ATTRS:
            pairs = (attributes or {"_client_name": "wire"}).items()
            payload += lenenc_bytes(b"".join(lenenc_bytes(x.encode()) for pair in pairs for x in pair))
        return payload

    def login(self, user, password, database=None, **options):
        """Greeting, response, a switch of the plugin if asked; returns the OK packet or raises ServerError."""
        self.greet()
        self.send(self.response(user, password, database, **options), 1)
        packet = self.receive()
        packet = self.prove(packet, password)
        if packet[:1] == b"\xff":
            raise ServerError(packet)
        return packet

    def prove(self, packet, password):
        """Answers wishes for other plugins, if that is what the packet is; returns the packet after them."""
        proof = {
            "mysql_native_password": lambda challenge: native_scramble(password, challenge[:20]),
            "client_ed25519": lambda challenge: ed25519.sign(password, challenge),
        }
        while packet[:1] == b"\xfe":
            reader = Reader(packet[1:])
            plugin, challenge = reader.until_nul().decode(), reader.rest()
            self.send(proof[plugin](challenge), self.sequence + 1)
            packet = self.receive()
        return packet

    # Commands.

    def command(self, payload):
        """Sends a command and returns all packets of its answer."""
        self.send(payload)
        if payload[:1] == b"\x16":
            return self.prepare_answer()
        if payload[:1] == b"\x04":
            return self.field_list_answer()
        return self.answer(binary=payload[:1] == b"\x17")

    def query(self, sql):
        return self.command(b"\x03" + (sql if isinstance(sql, bytes) else sql.encode()))

    def rows(self, sql):
        """The rows of a text result as tuples of bytes or None."""
        packets = self.query(sql)
        if packets[0][:1] == b"\xff":
            raise ServerError(packets[0])
        columns = Reader(packets[0]).lenenc()
        skip = 1 + columns + (0 if self.capabilities & capability.DEPRECATE_EOF else 1)
        return [tuple(self.text_values(packet, columns)) for packet in packets[skip:-1]]

    @staticmethod
    def text_values(packet, columns):
        reader = Reader(packet)
        for _ in range(columns):
            if reader.data[reader.at] == 0xFB:
                reader.take(1)
                yield None
            else:
                yield reader.lenenc_bytes()

    def answer(self, binary=False):
        packets = []
        while True:
            first = self.receive()
            packets.append(first)
            kind = first[:1]
            if kind == b"\xff":
                return packets
            if kind == b"\x00":
                status = self.ok_status(first)
            elif kind == b"\xfb":
                self.send(b"", self.sequence + 1)
                continue
            elif kind == b"\xfe" and len(first) < 9 and not packets[:-1]:
                return packets
            else:
                status = self.rest_of_result(packets, Reader(first).lenenc())
                if status is None:
                    return packets
            if not status & capability.STATUS_MORE_RESULTS:
                return packets

    def rest_of_result(self, packets, columns):
        """Definitions and rows; returns the final status, or None after an error."""
        deprecate = self.capabilities & capability.DEPRECATE_EOF
        for _ in range(columns + (0 if deprecate else 1)):
            packets.append(self.receive())
        while True:
            packet = self.receive()
            packets.append(packet)
            if packet[:1] == b"\xff":
                return None
            if packet[:1] == b"\xfe" and len(packet) < (LARGEST if deprecate else 9):
                return self.ok_status(packet) if deprecate else int.from_bytes(packet[3:5], "little")

    @staticmethod
    def ok_status(packet):
        reader = Reader(packet)
        reader.take(1)
        reader.lenenc()
        reader.lenenc()
        return reader.number(2)

    def prepare_answer(self):
        packets = [self.receive()]
        if packets[0][:1] == b"\xff":
            return packets
        reader = Reader(packets[0])
        reader.take(5)
        columns, parameters = reader.number(2), reader.number(2)
        deprecate = self.capabilities & capability.DEPRECATE_EOF
        for count in (parameters, columns):
            if count:
                packets += [self.receive() for _ in range(count + (0 if deprecate else 1))]
        return packets

    def field_list_answer(self):
        packets = [self.receive()]
        while packets[-1][:1] not in (b"\xfe", b"\xff"):
            packets.append(self.receive())
        return packets
