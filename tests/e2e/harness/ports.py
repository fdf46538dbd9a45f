"""Free ports of 127.0.0.1."""

import socket


def free_ports(count):
    """Ports that nobody uses now. All are held until all are found, so that none comes twice."""
    held = []
    try:
        for _ in range(count):
            listener = socket.socket()
            held.append(listener)
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()
