"""Lists to which transactions append, as Elle checks them (Kingsbury and Alvaro, 2020). Pure.

Every append has a value of its own, so a list shows the order of all transactions that appended to it, and every read shows
when it was. What is left at the end tells the order of versions; transactions and what they saw make a graph, and a cycle in
it is a broken promise. Transactions are run as SERIALIZABLE on the primary, where InnoDB's locks also keep to real time: who begins
after another one has ended sees it. A failover must not change that.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from chaos.load.outcome import ACKNOWLEDGED, REFUSED

from .cycles import RT, RW, WR, WW, Graph, anomalies

APPEND, READ = "append", "read"


@dataclass(frozen=True)
class Entry:
    """One transaction. `steps`: (APPEND, key, value) or (READ, key, (values…)), in their order; a read without answer is not there."""

    number: int
    steps: tuple
    began: float
    ended: float
    state: str

    def appended(self):
        """`{key: [values]}`."""
        found = defaultdict(list)
        for what, key, value in self.steps:
            if what == APPEND:
                found[key].append(value)
        return found

    def reads(self):
        """(key, values) of what others wrote: a transaction's own appends are cut off."""
        own = defaultdict(list)
        for what, key, value in self.steps:
            if what == APPEND:
                own[key].append(value)
            else:
                tail = own[key]
                yield key, value[: len(value) - len(tail)] if tail and list(value[-len(tail) :]) == tail else value


def judge_appends(history, final):
    """`{violation: [evidence]}`. `final`: {key: (values…)}, what the primary has after everything ended."""
    found = defaultdict(list)
    writers = {value: entry for entry in history for values in entry.appended().values() for value in values}
    judge_final(found, history, final, writers)
    for entry in history:
        judge_inside(found, entry)
        if entry.state != REFUSED:
            judge_reads(found, entry, final, writers)
    if not found:
        # Without one order of versions there is no graph.
        for name, cycles in anomalies(dependencies(history, final, writers)).items():
            found[name] += cycles
    return dict(found)


def judge_final(found, history, final, writers):
    """Every acknowledged append is there once, no refused one, none that nobody made, and no half of a transaction."""
    for key, values in final.items():
        for value, times in Counter(values).items():
            if times > 1:
                found["executed twice, an append"].append((key, value))
            if value not in writers:
                found["strange append"].append((key, value))
    there = {value for values in final.values() for value in values}
    for entry in history:
        values = [value for appended in entry.appended().values() for value in appended]
        missing = [value for value in values if value not in there]
        if entry.state == ACKNOWLEDGED and missing:
            found["lost append"].append((entry.number, missing))
        elif entry.state == REFUSED and len(missing) < len(values):
            found["phantom append"].append((entry.number, values))
        elif missing and len(missing) < len(values):
            found["half a transaction of appends"].append((entry.number, missing))


def judge_inside(found, entry):
    """A transaction reads what it has read before, and what it has appended since."""
    known = {}
    for what, key, value in entry.steps:
        if what == READ:
            if key in known and known[key] != value:
                found["inconsistent in itself"].append((entry.number, key, known[key], value))
            known[key] = value
        elif key in known:
            known[key] = (*known[key], value)


def judge_reads(found, entry, final, writers):
    for key, values in entry.reads():
        for value in values:
            if value in writers and writers[value].state == REFUSED:
                found["G1a, aborted read"].append((entry.number, key, value))
        if values and values[-1] in writers:
            last = writers[values[-1]]
            if last is not entry and last.appended()[key][-1] != values[-1]:
                found["G1b, intermediate read"].append((entry.number, key, values[-1]))
        if tuple(final.get(key, ())[: len(values)]) != tuple(values):
            found["read is no beginning of the list"].append((entry.number, key, values))


def dependencies(history, final, writers):
    there = {value for values in final.values() for value in values}
    # What is unknown took place if it is there.
    done = [e for e in history if e.state == ACKNOWLEDGED or any(v in there for vs in e.appended().values() for v in vs)]
    graph = Graph()
    for values in final.values():
        for one, other in zip(values, values[1:], strict=False):
            graph.add(writers[one].number, writers[other].number, WW)
    for entry in done:
        for key, values in entry.reads():
            if values:
                graph.add(writers[values[-1]].number, entry.number, WR)
            following = final.get(key, ())[len(values) : len(values) + 1]
            if following:
                graph.add(entry.number, writers[following[0]].number, RW)
    real_time(graph, done)
    return graph


def real_time(graph, entries):
    """An edge from everybody who had ended when another one began, but for what follows from other such edges.

    Whoever's outcome is unknown may have taken place long after its client gave up: it never ended.
    """
    moments = [(entry.began, 1, entry) for entry in entries]
    moments += [(entry.ended, 0, entry) for entry in entries if entry.state == ACKNOWLEDGED]
    ended, before = {}, {}
    for _, begins, entry in sorted(moments, key=lambda moment: moment[:2]):
        if begins:
            before[entry.number] = set(ended)
            for one in ended:
                graph.add(one, entry.number, RT)
        else:
            for one in before[entry.number]:
                ended.pop(one, None)
            ended[entry.number] = entry
