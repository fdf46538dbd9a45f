"""The checker itself: what it does not catch, no fault will show."""

import pytest

from chaos.check.durability import Content, judge
from chaos.load.outcome import ACKNOWLEDGED, REFUSED, UNKNOWN, Outcome

pytestmark = pytest.mark.short

OUTCOMES = [
    Outcome("writer", 1, 1, 0.0, 0.1, ACKNOWLEDGED),
    Outcome("writer", 2, 1, 0.1, 0.2, REFUSED, 1290),
    Outcome("writer", 3, 1, 0.2, 0.3, UNKNOWN, 1158),
    Outcome("transaction", 4, 2, 0.3, 0.4, ACKNOWLEDGED),
    Outcome("transaction", 5, 3, 0.4, 0.5, UNKNOWN, 2013),
]
RIGHT = [(1, 0, 1), (4, 0, 2), (4, 1, 2)]


def kinds(rows, replica=None, state="0-1-9", replica_state="0-1-9"):
    replicas = [Content("db2", replica, replica_state)] if replica is not None else []
    return {kind for kind, at in judge(OUTCOMES, Content("db1", rows, state), replicas).violations.items() if at}


@pytest.mark.parametrize("unknown", [[], [(3, 0, 1)], [(5, 0, 3), (5, 1, 3), (5, 2, 3)]])
def test_what_is_unknown_may_be_there_or_not(unknown):
    assert kinds(RIGHT + unknown, RIGHT + unknown) == set()


@pytest.mark.parametrize(
    ("rows", "violation"),
    [
        (RIGHT[1:], "lost on db1"),
        (RIGHT[:1], "lost on db1"),
        (RIGHT[:2], "half a transaction on db1"),
        (RIGHT + RIGHT[:1], "executed twice on db1"),
        (RIGHT + RIGHT[2:], "executed twice on db1"),
        ([*RIGHT, (3, 0, 1), (3, 0, 1)], "executed twice on db1"),
        ([*RIGHT, (2, 0, 1)], "phantom on db1"),
        ([*RIGHT, (5, 1, 3)], "half a transaction on db1"),
        ([*RIGHT, (6, 0, 1)], "strange rows on db1"),
    ],
)
def test_every_violation_has_its_name(rows, violation):
    assert kinds(rows) == {violation}


def test_a_replica_is_held_to_the_same():
    assert kinds(RIGHT, RIGHT[1:]) == {"lost on db2", "other rows than the primary on db2"}


def test_a_fork_is_seen_though_its_number_is_lower():
    assert kinds(RIGHT, RIGHT, "0-1-100,0-2-110", "0-2-110,0-1-105") == {"history of its own on db2"}
    assert kinds(RIGHT, RIGHT, "0-1-100,0-2-110", "0-2-109,0-1-100") == set()
