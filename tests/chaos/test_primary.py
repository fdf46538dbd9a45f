"""The primary dies, stands still or is replaced as planned."""

import pytest

from .steps import kill, prove

pytestmark = pytest.mark.by_hand


@pytest.mark.short
@pytest.mark.measured
def test_kill_primary(lab, report):
    """1: kill -9 under load. Nothing acknowledged is lost, and writes go on."""
    with lab.load() as load:
        old = lab.primary()
        at = kill(old)
        lab.promoted(old)
        load.goes_on()
        load.check_sessions()
    prove(lab, load, report=report, without=[old], pause_s=load.longest_pause(since=at - 1))


@pytest.mark.short
@pytest.mark.measured
def test_switchover(lab, report):
    """A planned switchover: no client sees an error, the old primary becomes a replica."""
    with lab.load() as load:
        old = lab.primary()
        new = lab.switch_over()
        load.goes_on()
        load.check_sessions()
    assert lab.by_hand or load.errors() == {}
    assert new is not old
    prove(lab, load, report=report, pause_s=load.longest_pause(), errors=sum(load.errors().values()))
