"""Cables are cut in every shape, and become bad."""

import pytest
from e2e.harness.waiting import eventually

from .steps import apart, no_failover, nobody_acknowledged, now, prove, steadily

pytestmark = pytest.mark.network


@pytest.mark.measured
def test_cut_primary(lab, size, report):
    """2: the cable is pulled. Plugged in again, the old primary joins, or is kept apart."""
    with lab.load(**size) as load:
        old = lab.primary()
        lab.network.isolate(old.label)
        at = now()
        new = lab.promoted(old)
        load.goes_on()
        lab.network.heal()
        without = apart(lab, old, new)
        idle_lost = load.check_sessions()
    pause = load.longest_pause(since=at - 1)
    prove(lab, load, report=report, without=without, pause_s=pause, idle_lost=idle_lost)


def test_primary_cut_off_with_clients(lab, report):
    """7: clients on the primary's side are told nothing that the other side does not have."""
    old = lab.primary()
    with lab.load() as load, lab.intruders(old) as intruders:
        lab.network.cut([old.label, "island"], [*(r.label for r in lab.replicas()), "hadal", "clients"])
        at = now()
        new = lab.promoted(old)
        load.goes_on()
        lab.network.heal()
        without = apart(lab, old, new)
    nobody_acknowledged(intruders, since=at)
    prove(lab, load, intruders, report=report, without=without)


@pytest.mark.by_hand
def test_hadal_cut_off(lab, report):
    """8: hadal alone sees nobody. It promotes nobody, neither then nor afterwards."""
    with lab.load() as load:
        primary = lab.primary()
        lab.network.cut("hadal", [server.label for server in lab.servers])
        no_failover(lab, primary, seconds=8)
        lab.network.heal()
        no_failover(lab, primary)
        load.goes_on()
    prove(lab, load, report=report)


@pytest.mark.by_hand
@pytest.mark.parametrize("shape", ["both ways", "to the primary", "from the primary"])
def test_hadal_does_not_see_the_primary(lab, shape, report):
    """9: replicas still get everything from it, so it lives."""
    with lab.load() as load:
        primary = lab.primary()
        if shape != "from the primary":
            lab.network.cut_one_way("hadal", primary.label)
        if shape != "to the primary":
            lab.network.cut_one_way(primary.label, "hadal")
        no_failover(lab, primary, seconds=10)
        lab.network.heal()
        no_failover(lab, primary)
        load.goes_on()
    prove(lab, load, report=report)


@pytest.mark.by_hand
def test_primary_reaches_hadal_only(lab, report):
    """9: its replicas do not see it, hadal does. Writes wait for an acknowledgement; nothing is lost whatever hadal does."""
    with lab.load() as load:
        primary = lab.primary()
        lab.network.cut(primary.label, [replica.label for replica in lab.replicas()])
        at = now()
        steadily(lambda: len(lab.writable()) <= 1, 8, "at most one server is writable")
        lab.network.heal()
        load.until(100, since=at, within=60)
    prove(lab, load, report=report)


@pytest.mark.by_hand
def test_two_and_two(lab, report):
    """11: primary and a replica here, hadal and a replica there. The one there cannot be proved to have everything."""
    with lab.load() as load:
        primary, (here, there) = lab.primary(), lab.replicas()
        lab.network.cut([primary.label, here.label], [there.label, "hadal", "clients", "island"])
        steadily(lambda: not there.is_writable() and not here.is_writable(), 10, f"{there} is not promoted")
        lab.network.heal()
        load.goes_on(within=60)
    prove(lab, load, report=report)


def test_heals_during_failover(lab, report):
    """12: the old primary is back when its replicas have just been taken from it."""
    with lab.load() as load:
        old, replicas = lab.primary(), lab.replicas()
        lab.network.isolate(old.label)
        eventually(lambda: any(is_being_moved(replica, old) for replica in replicas), within=30, what="failover begins")
        lab.network.heal()
        load.goes_on(within=60)
        primary = lab.primary()
        without = [] if primary is old else apart(lab, old, primary)
    prove(lab, load, report=report, without=without)


def is_being_moved(replica, old):
    status = replica.replication()
    return status.get("Slave_IO_Running") == "No" or status.get("Master_Host") != old.host


def test_flapping_cable(lab, report):
    """13: five seconds without, five with. One failover at most within the window that forbids a second."""
    with lab.load() as load:
        first, promotions = lab.primary(), []
        for _ in range(6):
            lab.network.isolate(first.label)
            follow_promotions(lab, promotions, 5)
            lab.network.heal()
            follow_promotions(lab, promotions, 5)
        load.goes_on(within=60)
        primary = lab.primary()
        without = [] if primary is first else apart(lab, first, primary)
    assert len(promotions) <= 1, f"{promotions} were promoted within a minute"
    prove(lab, load, report=report, without=without, promotions=len(promotions))


@pytest.mark.short
def test_flapping_cable_in_a_short_window(make_lab, report):
    """13: whoever leads loses its cable for two seconds of four. The window of twelve sees one failover at most."""
    lab = make_lab(cluster="failover_silence_ms = 1000\nfailover_pause_ms = 12000")
    flap(lab, report, seconds=2, times=3, window=12)


@pytest.mark.timeout(900)
def test_flapping_cable_for_ten_minutes(lab, report):
    """13: whoever leads loses its cable for five seconds of ten. One failover at most in every minute."""
    flap(lab, report, seconds=5, times=60, window=60)


def flap(lab, report, seconds, times, window):
    promotions = []
    with lab.load() as load:
        for _ in range(times):
            primary = lab.primary()
            lab.network.isolate(primary.label)
            follow_promotions(lab, promotions, seconds)
            lab.network.heal()
            follow_promotions(lab, promotions, seconds)
            eventually(lambda: len(lab.writable()) == 1, within=60, what="one primary")
        load.goes_on(within=60)
        primary = lab.primary()
        without = [server for server in lab.others(primary) if apart(lab, server, primary)]
    moments = [at for at, _ in promotions]
    close = [b - a for a, b in zip(moments, moments[1:], strict=False) if b - a < window]
    assert not close, f"{promotions}: {close} s apart"
    prove(lab, load, report=report, without=without, promotions=len(promotions))


def follow_promotions(lab, promotions, seconds):
    """Writes down every server that becomes writable within so many seconds, and when."""
    until, before = now() + seconds, lab.writable()
    while now() < until:
        writable = lab.writable()
        promotions += [(now(), server.label) for server in writable if server not in before]
        before = writable


@pytest.mark.by_hand
@pytest.mark.parametrize("host", ["db1", "hadal"])
def test_bad_cable(lab, host, report):
    """14: every fifth packet is lost, the others take 300 ms. Slow is not dead; writes go on afterwards at once."""
    with lab.load() as load:
        primary = lab.primary()
        lab.network.worsen(host, delay_ms=300, loss=0.2)
        no_failover(lab, primary, seconds=20)
        lab.network.repair(host)
        no_failover(lab, primary)
        load.goes_on()
    prove(lab, load, report=report)
