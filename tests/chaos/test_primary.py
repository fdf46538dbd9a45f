"""The primary dies, stands still, loses its power, or is replaced as planned. Numbers are those of the README's table."""

import contextlib

import pytest
from e2e.harness.waiting import eventually

from .steps import apart, kill, no_failover, nobody_acknowledged, now, promote_by_order, prove, steadily


@pytest.mark.by_hand
@pytest.mark.short
@pytest.mark.measured
def test_kill_primary(lab, size, report):
    """1: kill -9 under load. Writes go on elsewhere, idle sessions keep their state."""
    with lab.load(**size) as load:
        old = lab.primary()
        at = kill(old)
        lab.promoted(old)
        load.goes_on()
        idle_lost = load.check_sessions()
    pause = load.longest_pause(since=at - 1)
    prove(lab, load, report=report, without=[old], pause_s=pause, idle_lost=idle_lost)


@pytest.mark.by_hand
@pytest.mark.short
@pytest.mark.measured
def test_switchover(lab, size, report):
    """Planned: no client sees an error, and the old primary is a replica afterwards."""
    with lab.load(**size) as load:
        old = lab.primary()
        assert lab.switch_over() is not old
        load.goes_on()
        idle_lost = load.check_sessions()
    errors = load.errors()
    prove(lab, load, report=report, pause_s=load.longest_pause(), errors=sum(errors.values()), idle_lost=idle_lost)
    assert lab.by_hand or errors == {}, errors


@pytest.mark.short
@pytest.mark.measured
def test_frozen_primary(lab, size, report):
    """2: SIGSTOP. Woken, it acknowledges nothing to anybody, also on connections that were open."""
    old = lab.primary()
    with lab.load(**size) as load, lab.intruders(old) as intruders:
        old.freeze()
        at = now()
        new = lab.promoted(old)
        load.goes_on()
        old.thaw()
        woken = now()
        eventually(lambda: not old.is_writable(), within=30, what="the woken primary is read-only")
        fenced = now() - woken
        without = apart(lab, old, new)
        idle_lost = load.check_sessions()
    nobody_acknowledged(intruders, since=at)
    pause = load.longest_pause(since=at - 1)
    figures = {"pause_s": pause, "fenced_s": fenced, "idle_lost": idle_lost}
    prove(lab, load, intruders, report=report, without=without, **figures)


def test_primary_frozen_for_a_minute(lab, report):
    """2: long enough for every timeout to have passed."""
    old = lab.primary()
    with lab.load() as load, lab.intruders(old) as intruders:
        old.freeze()
        at = now()
        new = lab.promoted(old)
        steadily(new.is_writable, 60 - (now() - at), f"{new} is the primary")
        old.thaw()
        without = apart(lab, old, new)
        load.goes_on()
    nobody_acknowledged(intruders, since=at)
    prove(lab, load, intruders, report=report, without=without)


@pytest.mark.by_hand
@pytest.mark.short
def test_brief_pause(lab, report):
    """3: a primary that stands still for two seconds is left alone."""
    with lab.load() as load:
        old = lab.primary()
        old.freeze()
        no_failover(lab, old, seconds=2)
        old.thaw()
        no_failover(lab, old)
        load.goes_on()
    prove(lab, load, report=report)


@pytest.mark.by_hand
@pytest.mark.disk
def test_power_loss(make_lab, report):
    """4: what the primary had not synced is gone. It joins all the same, without transactions of its own."""
    lab = make_lab(disks=["db1"])
    with lab.load() as load:
        old = lab.primary()
        old.disk.cut_power()
        old.kill()
        new = lab.promoted(old)
        old.disk.restore_power()
        lab.restart(old)
        lab.rejoined(old, new)
        load.goes_on()
    prove(lab, load, report=report)


def test_primary_and_acknowledger_die(lab, report):
    """5: the one that is left cannot be proved to have everything, and what the other one has lost by its restart is known to
    nobody: they wait for somebody's word."""
    with lab.load() as load:
        old, (left, dead) = lab.primary(), lab.replicas()
        with contextlib.closing(old.connect()) as holder:
            # The test knows that everything is everywhere, also in the engine: with --init-rpl-role=SLAVE a start takes back the rest.
            holder.cursor().execute("FLUSH TABLES WITH READ LOCK")
            dead.catch_up_with(old)
            dead.sql("FLUSH LOCAL ENGINE LOGS")
            dead.kill()
            old.kill()
        steadily(lambda: not left.is_writable(), 10, f"{left} waits for {dead}")
        lab.restart(dead)
        dead.wait_until_serving()
        no_failover(lab, old, seconds=8)
        promote_by_order(lab)
        load.goes_on(within=60)
    prove(lab, load, report=report, without=[old])


@pytest.mark.short
@pytest.mark.measured
def test_killed_primary_returns(lab, size, report):
    """33: restarted at once by its supervisor. It comes up read-only and joins, whoever is the primary then."""
    with lab.load(**size) as load:
        old = lab.primary()
        lab.supervisor.watch(old, after=2)
        old.kill()
        new = lab.promoted(old)
        eventually(lambda: old.sql("SELECT 1"), within=60, what=f"{old} accepts connections")
        accepts = now()
        assert not old.is_writable(), f"{old} came back writable"
        lab.rejoined(old, new)
        joined = now() - accepts
        load.goes_on()
    prove(lab, load, report=report, joined_s=joined)


def test_primary_restarts_before_anybody_noticed(lab, report):
    """33: systemd was faster than the detection. Somebody is writable again, and nobody has lost anything."""
    with lab.load() as load:
        old = lab.primary()
        lab.supervisor.watch(old, after=0)
        old.kill()
        load.goes_on(within=60)
    prove(lab, load, report=report)


def test_all_servers_restart(lab, report):
    """5, 6: the power of all goes and comes back. What was acknowledged may have been in a relay log that is gone, and at the end of
    a binary log that was dropped: somebody has to say that it goes on."""
    with lab.load() as load:
        old = lab.primary()
        for server in lab.servers:
            server.kill()
        for server in lab.servers:
            lab.restart(server)
        for server in lab.servers:
            server.wait_until_serving()
        steadily(lambda: lab.writable() == [], 8, "nobody takes writes")
        promote_by_order(lab, "--force")
        load.goes_on(within=60)
    # Loss is allowed. Nothing is there twice, or refused and there; and there is one history.
    primary = lab.primary()
    without = [server for server in lab.others(primary) if apart(lab, server, primary)]
    replicas = [server for server in lab.replicas() if server not in without]
    verdict = lab.judge(load, replicas=replicas)
    report(phantoms=verdict.count("phantom"), twice=verdict.count("executed twice"))
    kinds = [kind for kind in verdict.violations if not kind.startswith(("lost", "read is no beginning"))]
    assert not kinds, str(verdict)


@pytest.mark.by_hand
@pytest.mark.measured
def test_killed_replica_returns(lab, size, report):
    """It replicates again without help, although its `skip-slave-start` says no. Writes never stop."""
    with lab.load(**size) as load:
        primary, (dead, _) = lab.primary(), lab.replicas()
        dead.kill()
        load.goes_on()
        at = lab.restart(dead)
        lab.rejoined(dead, primary)
        back = now() - at
        no_failover(lab, primary, seconds=2)
    prove(lab, load, report=report, back_s=back, pause_s=load.longest_pause())


def test_second_failover_while_the_first_rejoins(make_lab, report):
    """36: the new primary dies as soon as the old one answers again, and a second failover is not forbidden."""
    lab = make_lab(cluster="failover_pause_ms = 100")
    with lab.load() as load:
        old = lab.primary()
        lab.supervisor.watch(old)
        old.kill()
        new = lab.promoted(old)
        eventually(lambda: old.sql("SELECT 1"), within=60, what=f"{old} accepts connections")
        lab.supervisor.watch(new)
        new.kill()
        load.goes_on(within=60)
    prove(lab, load, report=report)
