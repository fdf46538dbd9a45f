"""Disks are full, slow, or stand still."""

import itertools
import shutil

import pytest
from e2e.harness.waiting import eventually

from .steps import apart, kill, no_failover, now, promote_by_order, prove

pytestmark = pytest.mark.disk


@pytest.mark.by_hand
def test_full_disk_of_the_primary(make_lab, report):
    """15: MariaDB waits for room, and looks for it once a minute. That is a disk that stands still, so another one may lead
    before; with room again everything works and is whole."""
    lab = make_lab(disks=["db1"])
    with lab.load() as load:
        old = lab.primary()
        old.disk.fill()
        at = now()
        eventually(lambda: lab.another_primary(old) or stands_still(load), within=60, what="the disk is full")
        old.disk.empty()
        load.goes_on(within=90)
        eventually(lambda: len(lab.writable()) == 1, within=30, what="one primary")
        primary = lab.primary()
        without = [] if primary is old else apart(lab, old, primary)
    prove(lab, load, report=report, without=without, pause_s=load.longest_pause(since=at))


def stands_still(load):
    """Nobody's write of the last three seconds was acknowledged."""
    return load.acknowledged_since(now() - 3) == 0


def test_stalled_disk_of_the_primary(make_lab, report):
    """16: connections live, reads answer, but no commit ends. Only a write can show that; then it is replaced."""
    lab = make_lab(disks=["db1"])
    with lab.load() as load:
        old = lab.primary()
        old.disk.freeze()
        at = now()
        new = lab.promoted(old, within=60)
        load.goes_on()
        old.disk.thaw()
        without = apart(lab, old, new)
    prove(lab, load, report=report, without=without, pause_s=load.longest_pause(since=at - 1))


def test_slow_disk_of_the_primary(make_lab, report):
    """16: it stands still for 2.5 s again and again, and is replaced after 4. In between something always ends: that is slow."""
    lab = make_lab(disks=["db1"], cluster="failover_stall_ms = 4000")
    with lab.load() as load:
        primary = lab.primary()
        for _ in range(4):
            primary.disk.freeze()
            no_failover(lab, primary, seconds=2.5)
            primary.disk.thaw()
            load.goes_on(count=20)
        no_failover(lab, primary, seconds=4)
    prove(lab, load, report=report)


@pytest.mark.by_hand
def test_slow_disk_of_an_acknowledger(make_lab, report):
    """17: its disk stops for half of every second. Writes go on with the other one's word, never with nobody's."""
    lab = make_lab(disks=["db2"])
    with lab.load() as load:
        primary, disk = lab.primary(), lab.disks["db2"]
        until = now() + 10
        for step in itertools.cycle([disk.freeze, disk.thaw]):
            step()
            no_failover(lab, primary, seconds=0.5)
            assert primary.status("Rpl_semi_sync_master_status") == "ON"
            if now() > until and not disk.frozen:
                break
        load.goes_on()
    prove(lab, load, report=report)


@pytest.mark.by_hand
def test_full_disk_of_hadal(make_lab, report):
    """18: nothing can be remembered, so nothing is changed; clients do not notice."""
    lab = make_lab(disks=["hadal"])
    with lab.load() as load:
        primary = lab.primary()
        lab.disks["hadal"].fill()
        no_failover(lab, primary, seconds=6)
        load.goes_on()
        lab.disks["hadal"].empty()
        no_failover(lab, primary, seconds=2)
    assert load.errors() == {}
    prove(lab, load, report=report)


def lose_store(lab, load):
    """What was remembered cannot be read nor written. Clients are served; nobody is promoted without a memory."""
    primary = lab.primary()
    lab.disks["hadal"].cut_power()
    no_failover(lab, primary, seconds=3)
    load.goes_on()
    kill(primary)
    no_failover(lab, primary, seconds=8)
    lab.gateway.kill()
    lab.disks["hadal"].restore_power()
    return primary


def goes_on_by_order(lab, load, primary):
    """A new hadal has nobody lead by itself; on somebody's word somebody does."""
    lab.gateway.spawn()
    no_failover(lab, primary, seconds=8)
    promote_by_order(lab)
    load.goes_on(within=60)


def test_lost_store_of_hadal(make_lab, report):
    """29: it is back, with a new hadal that has never seen the dead primary: it remembers who acknowledged, and that they have
    not been started since."""
    lab = make_lab(disks=["hadal"])
    with lab.load() as load:
        primary = lose_store(lab, load)
        lab.gateway.spawn()
        load.goes_on(within=60)
    prove(lab, load, report=report, without=[primary])


def test_emptied_store_of_hadal(make_lab, report):
    """29: it is lost for good. Nobody can tell whose acknowledgement counted, so somebody has to say that it goes on."""
    lab = make_lab(disks=["hadal"])
    with lab.load() as load:
        primary = lose_store(lab, load)
        for file in lab.gateway.data_dir.iterdir():
            file.unlink() if file.is_file() else shutil.rmtree(file)
        goes_on_by_order(lab, load, primary)
    prove(lab, load, report=report, without=[primary])


def test_replica_restarts_while_the_store_is_lost(make_lab, report):
    """29: both acknowledged; one was started again when nobody looked. What its relay log had is not certain: nobody leads."""
    lab = make_lab(disks=["hadal"])
    with lab.load() as load:
        primary = lose_store(lab, load)
        young, _ = lab.others(primary)
        young.kill()
        lab.restart(young)
        young.wait_until_serving()
        # It had applied everything, as the test knows.
        goes_on_by_order(lab, load, primary)
    prove(lab, load, report=report, without=[primary])
