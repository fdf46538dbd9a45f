"""A bad cable: carries frames between two interfaces; what comes from the first one, late and not all of it.

wire.py FROM TO DELAY_MS LOSS
"""

import contextlib
import heapq
import random
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
FRAME = 1 << 17


def tap(interface):
    """Every frame that arrives, with the header that says which checksums and segments are still to be made."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, struct.pack("i", 1))
    made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, struct.pack("i", 1))
    made.bind((interface, ETH_P_ALL))
    return made


def carry(one, other, delay, loss):
    waiting, number = [], 0
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for source in select.select([one, other], [], [], pause)[0]:
            frame = source.recv(FRAME)
            if source is other:
                send(one, frame)
            elif random.random() >= loss:
                number += 1
                heapq.heappush(waiting, (time.monotonic() + delay, number, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            send(other, heapq.heappop(waiting)[2])


def send(target, frame):
    """A frame that does not fit through is a lost one."""
    with contextlib.suppress(OSError):
        target.send(frame)


if __name__ == "__main__":
    carry(tap(sys.argv[1]), tap(sys.argv[2]), float(sys.argv[3]) / 1000, float(sys.argv[4]))
