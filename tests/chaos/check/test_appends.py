"""The checker of lists: what it does not catch, no fault will show."""

import random

import pytest

from chaos.check.appends import APPEND, READ, Entry, judge_appends
from chaos.load.outcome import ACKNOWLEDGED, REFUSED, UNKNOWN

pytestmark = pytest.mark.short


def entry(number, *steps, state=ACKNOWLEDGED, at=None):
    """`entry(1, "a+1", "a=1,2")` appends 1 to a and reads 1 and 2. Without `at` all are at the same time."""
    made = []
    for step in steps:
        key, sign, rest = step[0], step[1], step[2:]
        value = int(rest) if sign == "+" else tuple(int(v) for v in rest.split(",") if v)
        made.append((APPEND if sign == "+" else READ, key, value))
    began, ended = at or (0.0, 100.0)
    return Entry(number, tuple(made), began, ended, state)


def kinds(final, *history):
    return set(judge_appends(history, final))


def test_what_is_right_is_right():
    history = [
        entry(1, "a+1", "a=1", "b+2", at=(0, 1)),
        entry(2, "a=1", "a+3", "a+4", "a=1,3,4", at=(2, 3)),
        entry(3, "b=2", "a=1,3,4", at=(4, 5)),
        entry(4, "b+5", state=REFUSED, at=(4, 5)),
        entry(5, "b+6", state=UNKNOWN, at=(4, 5)),
        entry(6, "b+7", state=UNKNOWN, at=(4, 5)),
        entry(7, "c=", at=(4, 5)),
    ]
    assert judge_appends(history, {"a": (1, 3, 4), "b": (2, 7)}) == {}


@pytest.mark.parametrize(
    ("violation", "final", "history"),
    [
        ("lost append", {"a": (1,)}, [entry(1, "a+1"), entry(2, "a+2")]),
        ("executed twice, an append", {"a": (1, 1)}, [entry(1, "a+1")]),
        ("strange append", {"a": (1, 9)}, [entry(1, "a+1")]),
        ("phantom append", {"a": (1,)}, [entry(1, "a+1", state=REFUSED)]),
        ("half a transaction of appends", {"a": (1,)}, [entry(1, "a+1", "b+2", state=UNKNOWN)]),
        ("inconsistent in itself", {"a": (1, 2)}, [entry(1, "a+1"), entry(2, "a=", "a+2", "a=1,2")]),
        ("G1a, aborted read", {"a": (1,)}, [entry(1, "a+1"), entry(2, "a+2", state=REFUSED), entry(3, "a=1,2")]),
        ("G1b, intermediate read", {"a": (1, 2)}, [entry(1, "a+1", "a+2"), entry(2, "a=1")]),
        ("read is no beginning of the list", {"a": (1, 2)}, [entry(1, "a+1"), entry(2, "a+2"), entry(3, "a=2")]),
        ("read is no beginning of the list", {"a": (1,)}, [entry(1, "a+1"), entry(2, "a+2", state=UNKNOWN), entry(3, "a=1,2")]),
        ("G0", {"a": (1, 2), "b": (4, 3)}, [entry(1, "a+1", "b+3"), entry(2, "a+2", "b+4")]),
        ("G1c", {"a": (1,), "b": (2,)}, [entry(1, "a+1", "b=2"), entry(2, "b+2", "a=1")]),
        ("G-single", {"a": (1,), "b": (2,)}, [entry(1, "a=", "b=2"), entry(2, "a+1", "b+2")]),
        ("G2-item", {"a": (1,), "b": (2,)}, [entry(1, "a=", "b+2"), entry(2, "b=", "a+1")]),
        ("G0-realtime", {"a": (2, 1)}, [entry(1, "a+1", at=(0, 1)), entry(2, "a+2", at=(2, 3))]),
        ("G1c-realtime", {"a": (1,)}, [entry(1, "a=1", at=(0, 1)), entry(2, "a+1", at=(2, 3))]),
        # What a primary that was replaced says to whoever still reads there.
        ("G-single-realtime", {"a": (1,)}, [entry(1, "a+1", at=(0, 1)), entry(2, "a=", at=(2, 3))]),
    ],
)
def test_every_violation_has_its_name(violation, final, history):
    found = kinds(final, *history)
    assert violation in found, found
    assert violation.startswith(("read is", "G1a")) or found == {violation}


def test_who_overlaps_may_come_in_any_order():
    assert kinds({"a": (2, 1)}, entry(1, "a+1", at=(0, 3)), entry(2, "a+2", at=(2, 4))) == set()
    # An answer that was lost says nothing about when it took place.
    assert kinds({"a": (2, 1)}, entry(1, "a+1", at=(0, 1), state=UNKNOWN), entry(2, "a+2", at=(2, 4))) == set()


def serial(count, chance):
    """A history of transactions that were run one after the other, and what is left."""
    lists, history, value = {key: () for key in range(4)}, [], 0
    for number in range(count):
        mine, steps = dict(lists), []
        for _ in range(chance.randint(1, 4)):
            key = chance.randrange(4)
            if chance.random() < 0.5:
                value += 1
                mine[key] = (*mine[key], value)
                steps.append((APPEND, key, value))
            else:
                steps.append((READ, key, mine[key]))
        state = chance.choice([ACKNOWLEDGED] * 8 + [REFUSED, UNKNOWN])
        done = state == ACKNOWLEDGED or state == UNKNOWN and chance.random() < 0.5
        lists = mine if done else lists
        # They overlap by much.
        history.append(Entry(number, tuple(steps), number - 5.0, number + 0.5, state))
    return history, lists


@pytest.mark.parametrize("seed", range(10))
def test_a_serial_history_is_right_and_every_sabotage_is_found(seed):
    chance = random.Random(seed)
    history, final = serial(400, chance)
    assert judge_appends(history, final) == {}
    key = max(final, key=lambda k: len(final[k]))
    acknowledged = {v for e in history if e.state == ACKNOWLEDGED for vs in e.appended().values() for v in vs}
    at = next(i for i, value in enumerate(final[key]) if i > 3 and value in acknowledged)
    values = list(final[key])
    assert "lost append" in kinds({**final, key: tuple(values[:at] + values[at + 1 :])}, *history)
    assert "executed twice, an append" in kinds({**final, key: tuple([*values, values[at]])}, *history)
    # Two appends that are far apart change places: somebody has read them in their old order.
    values[at], values[-1] = values[-1], values[at]
    assert kinds({**final, key: tuple(values)}, *history)
    # Somebody reads what was true long before it began.
    late = Entry(10_000, ((READ, key, ()),), 1000.0, 1001.0, ACKNOWLEDGED)
    assert "G-single-realtime" in kinds(final, *history, late)
