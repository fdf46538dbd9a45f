"""Transactions that are open when the primary changes, with `transaction_replay` and `commit_journal` on."""

import pytest
from e2e.harness.mariadb import APP_USER
from e2e.harness.waiting import eventually

from .steps import kill, now, prove

ON = "transaction_replay = true\ncommit_journal = true"
SIZE = {"writers": 2, "transactions": 12, "readers": 2, "thinkers": 12}
THINKERS = {"writers": 2, "transactions": 0, "readers": 0, "thinkers": 16}


@pytest.fixture
def safe_lab(make_lab):
    lab = make_lab(cluster=ON)
    primary = lab.primary()
    eventually(lambda: primary.sql("SHOW TABLES FROM hadal LIKE 'commits'"), what="the journal's table is there")
    primary.sql(f"GRANT SELECT, INSERT ON hadal.* TO {APP_USER}@'%'")
    for replica in lab.replicas():
        replica.catch_up_with(primary)
    return lab


def counted(lab, name):
    """A metric of hadal's by its only label, or as a number."""
    lines = [line for line in lab.gateway.http("/metrics")[1].splitlines() if line.startswith(f"hadal_{name}")]
    return {line.split('"')[1] if '"' in line else name: int(line.split()[-1]) for line in lines}


def of(load, kind):
    return [outcome for outcome in load.outcomes if outcome.kind == kind]


@pytest.mark.short
@pytest.mark.measured
def test_switchover_with_open_transactions(safe_lab, report):
    """Transactions that outlast the grace are ended on the old primary and go on, on the new one: no client sees an error."""
    lab = safe_lab
    with lab.load(**THINKERS) as load:
        for _ in range(3):
            since = now()
            lab.switch_over()
            load.goes_on(count=20)
            eventually(lambda s=since: now() - s > 3, what="transactions from before are over")
    replayed = counted(lab, "replays_total")["replays_total"]
    failed = {reason: count for reason, count in counted(lab, "replays_failed_total").items() if count}
    prove(lab, load, report=report, replayed=replayed, failed=sum(failed.values()))
    assert load.errors() == {} and failed == {}, (load.errors(), failed)
    assert replayed > 0
    assert len([o for o in of(load, "thinker") if o.state == "acknowledged"]) == len(of(load, "thinker"))


@pytest.mark.measured
def test_killed_primary_leaves_no_commit_unknown(safe_lab, report):
    """kill -9 among commits: of each of them hadal finds out what became of it."""
    lab = safe_lab
    with lab.load(**SIZE) as load:
        old = lab.primary()
        kill(old)
        lab.promoted(old)
        load.goes_on()
    resolved = {outcome: count for outcome, count in counted(lab, "commits_resolved_total").items() if count}
    replayed = counted(lab, "replays_total")["replays_total"]
    failed = {reason: count for reason, count in counted(lab, "replays_failed_total").items() if count}
    prove(lab, load, report=report, without=[old], replayed=replayed, resolved=sum(resolved.values()))
    unknown = [o for kind in ("transaction", "thinker") for o in of(load, kind) if o.state == "unknown"]
    assert unknown == [], (unknown, resolved)
    thinkers = [o for o in of(load, "thinker") if o.state != "acknowledged"]
    assert thinkers == [], (thinkers, failed)
