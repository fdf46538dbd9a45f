"""Waiting for a condition, with a deadline."""

import time


def eventually(condition, within=10.0, every=0.02, what=None):
    """Returns the first true value of `condition()`; fails with `what` when `within` seconds have passed.

    An exception counts as "not yet": what is waited for is often a server that is still starting.
    """
    deadline = time.monotonic() + within
    while True:
        error = None
        try:
            value = condition()
            if value:
                return value
        except Exception as caught:  # noqa: BLE001
            error, value = caught, None
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"{name}: not within {within} s (last: {error or value!r})") from error
        time.sleep(every)
