"""A server that cannot join as it is gets another one's data. Whatever happens meanwhile: it is never promoted half-made."""

import pytest
from e2e.harness.waiting import eventually

from .steps import kill, now, prove, steadily
from .test_replication import ERRANT_DOMAIN, break_applying, make_errant, make_fork

# Slow enough to be hurt at half of it.
SLOWLY = "rate_limit_mib = 4"
AUTOMATIC = 'policy = "automatic"'


def ahead(lab):
    """The old primary has what nobody else ever got, and is restarted. Returns it and the new one."""
    old, replicas = lab.primary(), lab.replicas()
    old.sql("SET GLOBAL rpl_semi_sync_master_enabled = 0")
    lab.network.cut(old.label, [replica.label for replica in replicas])
    old.sql("CREATE TABLE app.alone (id INT)", "INSERT INTO app.alone VALUES (4711)")
    old.kill()
    lab.gateway.command("failover", "main", "--allow-loss", "--force")
    new = lab.promoted(old)
    # Not before: what the dead server has sent already would still arrive.
    lab.network.heal()
    # Its unit file does not say that it was deposed: it takes nothing back.
    old.role = []
    lab.restart(old)
    return old, new


def quarantined(lab, server):
    return eventually(lambda: lab.gateway.quarantined(server), within=30, what=f"{server} is quarantined")


def last_word(lab, server):
    """What was last said of the rebuild of a server, and why."""
    events = [e for e in lab.gateway.cluster()["events"] if e["server"] == server.address and e["from"] == "rebuild"]
    return (events[-1]["to"], events[-1]["why"]) if events else (None, None)


def rebuilt(lab, server, primary, within=120):
    def is_done():
        said, why = last_word(lab, server)
        assert said != "failed", why
        return said == "done"

    eventually(is_done, within, what=f"{server} is rebuilt")
    eventually(lambda: server.follows(primary), within=20, what=f"{server} follows {primary}")
    assert not server.is_writable()
    left = {file.suffix for file in server.folder.glob("data.hadal-*")}
    assert left <= {".hadal-lock"}, f"{left} are left over beside the data"


def copying(lab, server, megabytes=3):
    """Waits until so much of the copy is there."""
    enough = lambda: lab.gateway.rebuild(server).get("bytes", 0) > megabytes << 20  # noqa: E731
    eventually(enough, within=60, every=0.1, what=f"{megabytes} MB of {server} are copied")


def in_need_of_a_copy(make_lab):
    """A lab in which copies are slow, with the server that needs one and the primary."""
    lab = make_lab(rebuild=SLOWLY)
    old, new = ahead(lab)
    quarantined(lab, old)
    return lab, old, new


def half_copied(lab, server):
    order(lab, server)
    copying(lab, server)


def order(lab, server, *words):
    return lab.gateway.command("rejoin", server.address, "--rebuild", *words)


@pytest.mark.network
@pytest.mark.short
def test_server_that_is_ahead_is_rebuilt(lab, report):
    """What only it has is kept in a file; then it gets the others' data, on somebody's word, and replicates."""
    old, new = ahead(lab)
    why = quarantined(lab, old)
    assert "kept in" in why and "--rebuild" in why, why
    refused = lab.gateway.command("rejoin", old.address)
    assert refused.returncode != 0 and "--rebuild" in refused.stderr, refused
    planned = order(lab, old, "--plan").stdout
    assert f"rebuild of {old.address} from" in planned and "place of its data" in planned, planned
    assert last_word(lab, old) == (None, None), "a plan alone does nothing"
    with lab.load() as load:
        at = now()
        assert "it has begun" in order(lab, old).stdout
        rebuilt(lab, old, new)
        took = now() - at
        load.goes_on()
    kept = [file.read_text() for file in (lab.gateway.data_dir / "extra").iterdir()]
    assert any("4711" in text for text in kept), "what only it had is kept"
    assert old.sql("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'alone'") == ((0,),)
    # It acknowledges again, and can be promoted.
    assert lab.switch_over(to=old) is old
    prove(lab, load, report=report, rebuilt_s=took)


@pytest.mark.parametrize("make", [make_errant, make_fork])
def test_errant_transaction_is_rebuilt_away(make_lab, make, report):
    """Where the policy says so, without anybody's word. Replication itself never noticed."""
    lab = make_lab(rebuild=AUTOMATIC)
    with lab.load() as load:
        primary, (errant, _) = lab.primary(), lab.replicas()
        gtid = make(errant)
        rebuilt(lab, errant, primary)
        load.goes_on()
    assert gtid not in errant.variable("gtid_binlog_state").split(",")
    prove(lab, load, report=report)


def test_replication_that_is_broken_is_rebuilt(make_lab, report):
    """A row is missing, so that nothing more can be applied. It never became the primary meanwhile."""
    lab = make_lab(rebuild=AUTOMATIC)
    with lab.load() as load:
        primary, (broken, _) = lab.primary(), lab.replicas()
        break_applying(lab, broken)
        rebuilt(lab, broken, primary)
        load.goes_on()
    prove(lab, load, report=report)


def test_applying_that_a_lock_has_stopped_goes_on(lab, report):
    """Nothing is wrong with the data: the thread is started again, and nobody is rebuilt."""
    with lab.load() as load:
        primary, (replica, other) = lab.primary(), lab.replicas()
        primary.sql("CREATE TABLE app.locked (id INT PRIMARY KEY, n INT)", "INSERT INTO app.locked VALUES (1, 1)")
        for each in (replica, other):
            each.catch_up_with(primary)
        replica.sql("SET GLOBAL innodb_lock_wait_timeout = 1", "SET GLOBAL slave_transaction_retries = 0")
        replica.sql("STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD")
        blocker = replica.connect()
        blocker.cursor().execute("BEGIN")
        blocker.cursor().execute("SELECT * FROM app.locked FOR UPDATE")
        primary.sql("UPDATE app.locked SET n = 2")
        eventually(lambda: int(replica.replication()["Last_SQL_Errno"]) == 1205, within=20, what="error 1205")
        blocker.close()
        eventually(lambda: replica.follows(primary), within=30, what=f"{replica} applies again")
        load.goes_on()
    assert last_word(lab, replica) == (None, None)
    prove(lab, load, report=report)


@pytest.mark.network
def test_hadal_is_killed_at_half_of_a_copy(make_lab, report):
    """35: half a copy is worth nothing: until it is complete the server is not promoted. The next leader begins again."""
    lab, old, new = in_need_of_a_copy(make_lab)
    half_copied(lab, old)
    lab.gateway.kill()
    lab.gateway.start()
    with lab.load() as load:
        eventually(lambda: lab.gateway.rebuild(old), within=30, what="the rebuild is taken up again")
        refused = lab.gateway.command("switchover", "main", "--to", old.address, "--plan")
        assert refused.returncode != 0, refused.stdout
        rebuilt(lab, old, new)
        load.goes_on()
    prove(lab, load, report=report)


@pytest.mark.network
def test_donor_dies_at_half_of_a_copy(make_lab, report):
    """35: the target is as it was, and gets the data of another server."""
    lab, old, new = in_need_of_a_copy(make_lab)
    with lab.load() as load:
        half_copied(lab, old)
        donor = lab.gateway.rebuild(old)["donor"]
        (victim,) = [server for server in lab.servers if server.address == donor]
        assert victim is not new, "a replica gives its data where there is one"
        victim.kill()
        eventually(lambda: last_word(lab, old)[0] == "interrupted", within=30, what="the rebuild is interrupted")
        assert not old.is_writable()
        # Without anybody who acknowledges, commits wait, and the primary's backup waits for the commits.
        lab.restart(victim)
        rebuilt(lab, old, new)
        lab.rejoined(victim, new)
        load.goes_on(within=60)
    prove(lab, load, report=report)


@pytest.mark.network
def test_failover_during_a_rebuild(make_lab, report):
    """36: the primary dies while a copy is made. Another one takes over at once, and the copy belongs to it in the end."""
    lab = make_lab(servers=4, cluster="failover_pause_ms = 100", rebuild=SLOWLY)
    with lab.load() as load:
        primary, (target, *others) = lab.primary(), lab.replicas()
        make_errant(target)
        quarantined(lab, target)
        half_copied(lab, target)
        at = kill(primary)
        new = lab.promoted(primary)
        assert new in others, f"{new} was promoted"
        load.goes_on()
        rebuilt(lab, target, new)
        lab.restart(primary)
        lab.rejoined(primary, new)
    assert f"{ERRANT_DOMAIN}-" not in target.variable("gtid_binlog_state")
    prove(lab, load, report=report, pause_s=load.longest_pause(since=at - 1))


def test_server_that_cannot_be_started_after_the_swap(make_lab, report):
    """Its start fails after the swap: nothing of its old data is gone, and nobody takes it for a replica."""
    lab = make_lab(rebuild="keep_old = true")
    primary, (target, _) = lab.primary(), lab.replicas()
    make_errant(target)
    quarantined(lab, target)
    # Its configuration is broken from now on.
    target.extra = ["--no-such-option"]
    order(lab, target)
    old = target.folder / "data.hadal-old"
    eventually(lambda: old.is_dir() and not target.is_running, within=60, what="the swap was made")
    steadily(lambda: (old / "app" / "errant.frm").exists(), 2, "the old data are there")
    target.extra = []
    lab.restart(target)
    eventually(lambda: last_word(lab, target)[0] == "done", within=90, what=f"{target} is rebuilt")
    assert target.follows(primary) and old.is_dir()
    report(kept=True)
