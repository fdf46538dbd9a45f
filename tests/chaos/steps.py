"""Steps that many faults share."""

import time


def kill(server):
    """kill -9. Returns when it was."""
    at = time.monotonic()
    server.kill()
    return at


def prove(lab, *loads, report, without=(), **figures):
    """Nothing acknowledged is lost, nothing is there twice, nothing refused is there: on all servers but `without`."""
    replicas = [server for server in lab.replicas() if server not in without]
    verdict = lab.judge(*loads, replicas=replicas)
    kinds = {"lost": "lost", "twice": "executed twice", "phantoms": "phantom"}
    counts = {name: verdict.count(kind) for name, kind in kinds.items()}
    report(**counts, **figures, rate=loads[0].rate())
    assert verdict, str(verdict)
    # A reader sees what it has written, in spite of everything.
    stale = [stale for load in loads for stale in load.result["stale"]]
    assert not stale, f"{len(stale)} reads did not see the session's own write: {stale[:3]}"
    return verdict
