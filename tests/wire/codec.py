"""Numbers and strings as they lie in packets."""

import struct


def lenenc(number):
    """A length-encoded integer."""
    if number < 251:
        return bytes([number])
    if number < 2**16:
        return b"\xfc" + number.to_bytes(2, "little")
    if number < 2**24:
        return b"\xfd" + number.to_bytes(3, "little")
    return b"\xfe" + number.to_bytes(8, "little")


def lenenc_bytes(data):
    return lenenc(len(data)) + data


def nul(text):
    return text.encode() + b"\0"


class Reader:
    """Reads a packet from its start."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise ValueError(f"packet ends early: {self.data!r}")
        self.at += count
        return part

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def lenenc(self):
        first = self.number(1)
        sizes = {0xFC: 2, 0xFD: 3, 0xFE: 8}
        return self.number(sizes[first]) if first in sizes else first

    def lenenc_bytes(self):
        return self.take(self.lenenc())

    def until_nul(self):
        end = self.data.index(b"\0", self.at)
        part = self.take(end - self.at)
        self.at += 1
        return part

    def rest(self):
        return self.take(len(self.data) - self.at)


def frame(payload, sequence):
    """A packet of less than 16 MiB with its header."""
    return len(payload).to_bytes(3, "little") + bytes([sequence & 0xFF]) + payload


def execute_payload(statement_id, values, types, new_types=True):
    """COM_STMT_EXECUTE. `types` are (type, flags) pairs; a value is its encoded bytes, or None."""
    payload = b"\x17" + struct.pack("<IBI", statement_id, 0, 1)
    if not values:
        return payload
    nulls = bytearray((len(values) + 7) // 8)
    for index, value in enumerate(values):
        if value is None:
            nulls[index // 8] |= 1 << (index % 8)
    payload += bytes(nulls) + bytes([1 if new_types else 0])
    if new_types:
        payload += b"".join(bytes(pair) for pair in types)
    return payload + b"".join(value for value in values if value is not None)
