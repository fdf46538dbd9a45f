"""Steps that many faults share."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from e2e.harness.waiting import eventually

from chaos.check.durability import judge
from chaos.load.outcome import ACKNOWLEDGED


def now():
    return time.monotonic()


def kill(server):
    """kill -9. Returns when it was."""
    at = now()
    server.kill()
    return at


def steadily(condition, seconds, what):
    """Fails as soon as `condition()` is not true, within the next `seconds`: what must not happen takes its time."""
    until = now() + seconds
    while now() < until:
        assert condition(), f"no longer true: {what}"
        time.sleep(0.05)


def no_failover(lab, primary, seconds=6):
    """Nobody else becomes writable, from now on and for so many seconds."""
    others = lab.others(primary)
    steadily(lambda: not any(server.is_writable() for server in others), seconds, f"{primary} is the only primary")


def outcome_of(lab, old, within=20):
    """The new primary, or None where hadal refused to promote. Both are right for some faults; losing is never."""
    with contextlib.suppress(AssertionError):
        return lab.promoted(old, within)
    return None


def promote_by_order(lab, *words):
    """Somebody says that it goes on, whatever may be lost."""
    order = ["failover", "main", "--allow-loss", *words]
    eventually(lambda: lab.gateway.succeed(*order), within=20, what="failover by order")


def apart(lab, server, primary):
    """Waits until `server` has joined, or is quarantined with what it wrote alone: that must not be spread, then."""
    return [] if lab.joined(server, primary) else [server]


def one_of_two_operators(lab, *nodes, report):
    """The same order given at once at two nodes, or twice at one: one runs, the other is told so."""
    with lab.load() as load, ThreadPoolExecutor(len(nodes)) as operators:
        results = list(operators.map(lambda node: node.command("switchover", "main"), nodes))
        load.goes_on()
    codes = sorted(result.returncode for result in results)
    assert codes == [0, 1], [(result.returncode, result.stdout, result.stderr) for result in results]
    prove(lab, load, report=report)


def nobody_acknowledged(intruders, since):
    """Clients that talk straight to an old primary never get an OK for what they began after `since`."""
    late = [o for o in intruders.outcomes if o.state == ACKNOWLEDGED and o.began > since]
    assert not late, f"{len(late)} writes were acknowledged by the old primary, such as {late[0]}"


def prove_halted(lab, complete, *loads, report):
    """Nobody takes writes, and `complete` has everything that was acknowledged: an operator can go on from there."""
    assert lab.writable() == []
    outcomes = [outcome for load in loads for outcome in load.outcomes]
    history = [entry for load in loads for entry in load.history]
    verdict = judge(outcomes, lab.content(complete), history=history)
    report(lost=verdict.count("lost"), halted=True)
    assert verdict, str(verdict)


def prove(lab, *loads, report, without=(), **figures):
    """Nothing acknowledged is lost, nothing is there twice, nothing refused is there: on all servers but `without`."""
    replicas = [server for server in lab.replicas() if server not in without]
    verdict = lab.judge(*loads, replicas=replicas)
    kinds = {"lost": "lost", "twice": "executed twice", "phantoms": "phantom"}
    counts = {name: verdict.count(kind) for name, kind in kinds.items()}
    report(**counts, **figures, rate=loads[0].rate(), lists=verdict.appended)
    assert verdict, str(verdict)
    assert verdict.appended, "nobody appended to a list"
    # A reader sees what it has written, in spite of everything.
    stale = [stale for load in loads for stale in load.result["stale"]]
    assert not stale, f"{len(stale)} reads did not see the session's own write: {stale[:3]}"
    return verdict
