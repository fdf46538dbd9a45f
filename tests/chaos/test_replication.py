"""Replication was broken before the primary died. Here others lose data: every fault holds back what only one replica has."""

import contextlib

import pytest
from e2e.harness.waiting import eventually

from .steps import no_failover, now, outcome_of, prove, prove_halted, steadily

# An errant transaction is made in a domain of its own, so that replication does not notice.
ERRANT_DOMAIN = 77


@contextlib.contextmanager
def only_one_is_complete(lab, load, complete, behind):
    """The primary's writes reach `complete` only; the primary dies at the end, and then the cable is whole again."""
    primary = lab.primary()
    lab.network.cut(primary.label, behind.label)
    load.until(200, since=now())
    yield primary
    primary.kill()
    lab.network.heal()


def break_applying(lab, replica):
    """A real error 1032: the row that the primary deletes is not there. Receiving goes on, so does acknowledging."""
    primary = lab.primary()
    primary.sql("CREATE TABLE app.broken (id INT PRIMARY KEY)", "INSERT INTO app.broken VALUES (1)")
    for each in lab.replicas():
        each.catch_up_with(primary)
    replica.sql("SET sql_log_bin = 0", "DELETE FROM app.broken")
    primary.sql("DELETE FROM app.broken")
    eventually(lambda: int(replica.replication()["Last_SQL_Errno"]) == 1032, within=10, what="error 1032")


def mend_applying(replica):
    replica.sql("SET sql_log_bin = 0", "INSERT IGNORE INTO app.broken VALUES (1)", "START SLAVE SQL_THREAD")


@pytest.mark.short
@pytest.mark.network
def test_applying_is_broken_on_the_only_complete_replica(lab, report):
    """20: it acknowledged what it cannot apply. Promoting the other one would lose it: wait, until somebody mends it."""
    with lab.load() as load:
        complete, behind = lab.replicas()
        break_applying(lab, complete)
        with only_one_is_complete(lab, load, complete, behind) as old:
            pass
        new = outcome_of(lab, old, within=8)
        if new is None:
            mend_applying(complete)
            lab.promoted(old, within=60)
        load.goes_on()
    prove(lab, load, report=report, without=[old], halted=new is None)


@pytest.mark.network
def test_acknowledger_dies_before_it_has_applied(lab, report):
    """6: only its relay log has the last writes, and it restarts. They are found there, or nobody is promoted."""
    with lab.load() as load:
        complete, behind = lab.replicas()
        with only_one_is_complete(lab, load, complete, behind) as old:
            with contextlib.closing(complete.connect()) as blocker:
                blocker.cursor().execute("LOCK TABLES app.tokens READ")
                load.goes_on()
                complete.kill()
        received = relay_bytes(complete)
        lab.restart(complete)
        new = outcome_of(lab, old, within=20)
    if new:
        prove(lab, load, report=report, without=[old], halted=False)
    else:
        # Not even a start of replication has purged what only it has.
        assert lab.writable() == [] and relay_bytes(complete) >= received
        report(halted=True)


def relay_bytes(server):
    return sum(file.stat().st_size for file in (server.folder / "data").glob("relay.0*"))


@pytest.mark.network
def test_acknowledger_that_has_just_come_back(lab, report):
    """6: it was away for long, returns, and within the same moment its word alone counts. Then only it has the last writes."""
    with lab.load() as load:
        old, (other, back) = lab.primary(), lab.replicas()
        lab.network.isolate(back.label)
        eventually(lambda: "1 of 1" in lab.gateway.command("failover", "main", "--plan").stdout, 40, every=0.3, what="it is given up")
        load.goes_on()
        lab.network.heal()
        lab.network.cut(old.label, other.label)
        load.until(1, since=now())
        old.freeze()
        lab.network.isolate(back.label)
        old.kill()
        new = outcome_of(lab, old, within=10)
        lab.network.heal()
        if new is None:
            lab.promoted(old, within=60)
        load.goes_on(within=60)
    prove(lab, load, report=report, without=[old], halted=new is None)


@pytest.mark.parametrize("count", [1, 2])
def test_receiving_is_stopped(lab, count, report):
    """21: on one replica, or on all of them, so that writes wait. It is started again; nothing is purged."""
    with lab.load() as load:
        primary, replicas = lab.primary(), lab.replicas()
        for replica in replicas[:count]:
            replica.sql("STOP SLAVE IO_THREAD")
        for replica in replicas:
            lab.rejoined(replica, primary, within=30)
        load.goes_on()
        no_failover(lab, primary, seconds=1)
    prove(lab, load, report=report)


@pytest.mark.network
def test_primary_went_on_without_acknowledgements(lab, report):
    """22: its time-out was short, so it acknowledged what no replica has, and dies. Nobody is promoted in silence, nor is it opened
    again: it may have dropped what nobody else has."""
    with lab.load() as load:
        old, replicas = lab.primary(), lab.replicas()
        old.sql("SET GLOBAL rpl_semi_sync_master_timeout = 200")
        load.goes_on()
        lab.network.cut(old.label, [replica.label for replica in replicas])
        alone = eventually(lambda: old.status("Rpl_semi_sync_master_status") == "OFF", within=20, what="no semi-sync")
        load.until(50, since=now())
        with contextlib.closing(old.connect()) as holder:
            # The test knows that its engine has everything: with --init-rpl-role=SLAVE a start takes back the rest.
            holder.cursor().execute("FLUSH TABLES WITH READ LOCK")
            holder.cursor().execute("FLUSH LOCAL ENGINE LOGS")
            old.kill()
        lab.network.heal()
        no_failover(lab, old, seconds=8)
        lab.restart(old)
        old.wait_until_serving()
        steadily(lambda: not old.is_writable(), 8, f"{old} waits for somebody's word")
        old.sql("SET GLOBAL read_only = 0")
        load.goes_on(within=60)
    assert alone
    prove(lab, load, report=report)


@pytest.mark.by_hand
def test_last_acknowledger_dies(make_lab, report):
    """23: writes wait for one, and the primary stays what it is. Its disk is well: that commits do not end is no reason."""
    lab = make_lab(cluster="failover_stall_ms = 2000")
    with lab.load() as load:
        primary, replicas = lab.primary(), lab.replicas()
        for replica in replicas:
            replica.kill()
        steadily(primary.is_writable, 8, f"{primary} is writable")
        for replica in replicas:
            lab.restart(replica)
        for replica in replicas:
            lab.rejoined(replica, primary)
        load.goes_on(within=60)
    prove(lab, load, report=report)


def test_receiving_is_stopped_on_all_for_long(make_lab, report):
    """21, 16: replicas answer, and nobody acknowledges. The primary's disk is well, so it is not replaced."""
    lab = make_lab(cluster="failover_stall_ms = 2000")
    with lab.load() as load:
        primary, replicas = lab.primary(), lab.replicas()
        for replica in replicas:
            lab.gateway.succeed("maintenance", "on", replica.address, "--reason", "a test")
            replica.sql("STOP SLAVE IO_THREAD")
        no_failover(lab, primary, seconds=9)
        assert not any(replica.follows(primary) for replica in replicas), "maintenance was not respected"
        for replica in replicas:
            lab.gateway.succeed("maintenance", "off", replica.address)
        for replica in replicas:
            lab.rejoined(replica, primary, within=30)
        load.goes_on()
    prove(lab, load, report=report)


def test_locked_primary(make_lab, report):
    """16: somebody locks it for a backup. Commits wait, the disk is well."""
    lab = make_lab(cluster="failover_stall_ms = 2000")
    with lab.load() as load:
        primary = lab.primary()
        for lock in ["FLUSH TABLES WITH READ LOCK", "BACKUP STAGE START; BACKUP STAGE BLOCK_COMMIT"]:
            with contextlib.closing(primary.connect()) as holder:
                for statement in lock.split("; "):
                    holder.cursor().execute(statement)
                no_failover(lab, primary, seconds=6)
            load.goes_on()
    prove(lab, load, report=report)


def make_errant(replica):
    """A transaction that exists on this replica only."""
    replica.sql(f"SET gtid_domain_id = {ERRANT_DOMAIN}", "CREATE TABLE app.errant (id INT)")
    return f"{ERRANT_DOMAIN}-{replica.number}-1"


def make_fork(replica):
    """An errant transaction in the cluster's own domain, with a number that the primary has used long ago."""
    replica.sql(
        "STOP SLAVE",
        "SET GLOBAL gtid_strict_mode = 0",
        "SET SESSION gtid_seq_no = 2",
        "CREATE TABLE app.errant (id INT)",
        "SET GLOBAL gtid_strict_mode = 1",
        "START SLAVE",
    )
    return f"0-{replica.number}-2"


@pytest.mark.short
@pytest.mark.network
def test_errant_transaction_on_the_best_replica(lab, report):
    """24: it has everything, and one transaction too many. That is never spread in silence."""
    with lab.load() as load:
        best, behind = lab.replicas()
        with only_one_is_complete(lab, load, best, behind) as old:
            errant = make_errant(best)
        new = outcome_of(lab, old, within=8)
    for server in lab.others(old, best):
        assert errant not in server.variable("gtid_binlog_state").split(","), f"{errant} was spread to {server}"
    if new:
        assert new is not best, f"{best} was promoted with {errant}"
        prove(lab, load, report=report, without=[best, old], halted=False)
    else:
        prove_halted(lab, best, load, report=report)


@pytest.mark.parametrize("make", [make_errant, make_fork])
def test_errant_transaction_on_one_of_two(lab, make, report):
    """24, 25: the other replica has everything, too, and is promoted. A low number does not hide the fork."""
    with lab.load() as load:
        old, (errant, good) = lab.primary(), lab.replicas()
        gtid = make(errant)
        eventually(lambda: errant.follows(old), within=20, what=f"{errant} replicates again")
        load.goes_on()
        old.kill()
        new = lab.promoted(old, within=30)
        load.goes_on()
    assert new is good, f"{new} was promoted"
    assert gtid not in new.variable("gtid_binlog_state").split(",")
    prove(lab, load, report=report, without=[errant, old])
