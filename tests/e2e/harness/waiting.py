"""Waiting for a condition, with a deadline in time that the machine really gave."""

import threading
import time

TICK = 0.02
# A wait ends at the latest after this many seconds of the wall's clock, whatever the machine did.
LONGEST_EXTENSION = 45.0


class LostTime(threading.Thread):
    """Adds up how long a thread that only wants to wake up every 20 ms could not.

    On a machine that stands still for seconds, everything that is waited for stands still too: that says nothing about
    hadal. On one that does not, nothing is added and a deadline means what it says.
    """

    def __init__(self):
        super().__init__(name="lost-time", daemon=True)
        self.seconds = 0.0
        self.start()

    def run(self):
        before = time.monotonic()
        while True:
            time.sleep(TICK)
            now = time.monotonic()
            # Half a tick is what an idle machine is late by.
            self.seconds += max(0.0, now - before - 1.5 * TICK)
            before = now


LOST = LostTime()


def eventually(condition, within=10.0, every=0.02, what=None):
    """Returns the first true value of `condition()`; fails with `what` when `within` seconds have passed.

    An exception counts as "not yet": what is waited for is often a server that is still starting.
    """
    begin, lost = time.monotonic(), LOST.seconds
    while True:
        error = None
        try:
            value = condition()
            if value:
                return value
        except Exception as caught:  # noqa: BLE001
            error, value = caught, None
        stood_still = min(LOST.seconds - lost, LONGEST_EXTENSION)
        if time.monotonic() - begin - stood_still > within:
            name = what or getattr(condition, "__name__", "the condition")
            spent = f"{within} s (and {stood_still:.1f} s in which the machine stood still)"
            raise AssertionError(f"{name}: not within {spent} (last: {error or value!r})") from error
        time.sleep(every)
