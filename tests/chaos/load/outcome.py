"""What became of a write, as its client knows it."""

from dataclasses import dataclass

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"
# The connection is gone and the answer with it. Clients number this 2013.
LOST = 2013
# hadal's number for "the answer of the server was lost"; every other error says that nothing was done.
UNKNOWN_CODES = {LOST, 1158}


@dataclass(frozen=True)
class Outcome:
    """Of one autocommit INSERT (`parts` = 1) or one transaction. Times are CLOCK_MONOTONIC, the same in all processes."""

    kind: str
    token: int
    parts: int
    began: float
    ended: float
    state: str
    code: int = 0


def state_of(code):
    return UNKNOWN if code in UNKNOWN_CODES else REFUSED
