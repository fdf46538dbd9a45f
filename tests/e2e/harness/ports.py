"""Free ports of 127.0.0.1 that stay free until their server listens, and while it is away."""

import itertools
import random
import socket

FIRST = 10000
# What this process has taken, by port. An abstract socket is a lock that lives exactly as long as the process.
_TAKEN = {}


def free_ports(count):
    """`count` ports in a row that no other test run has been given."""
    last = first_ephemeral_port()
    start = random.randrange(FIRST, last)
    # A port that the system hands out to outgoing connections could be gone before the server listens on it, or when
    # it comes back after a kill; those are left alone.
    for base in itertools.chain(range(start, last - count), range(FIRST, start)):
        ports = range(base, base + count)
        if all(take(port) for port in ports):
            return list(ports)
    raise AssertionError(f"there are no {count} free ports between {FIRST} and {last}")


def first_ephemeral_port():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first = int(file.read().split()[0])
    # A machine that uses nearly all of them for outgoing connections leaves no choice.
    return first if first > FIRST + 1000 else 32768


def take(port):
    """Whether `port` is ours now: nobody listens on it, and no other run has taken it."""
    if port in _TAKEN:
        return False
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0hadal-test-port-{port}")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        lock.close()
        return False
    _TAKEN[port] = lock
    return True
