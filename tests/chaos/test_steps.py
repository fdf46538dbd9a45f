"""27: hadal is killed at every step of a failover and of a switchover: before it is made, and when it was made and the journal
does not know yet. The next hadal goes on with it, or undoes it."""

import json
import threading

import pytest
from e2e.harness.waiting import eventually

from .lab.last_word import LastWord, why_no_last_word
from .steps import kill, no_failover, outcome_of, prove
from .test_replication import only_one_is_complete

pytestmark = pytest.mark.skipif(why_no_last_word() is not None, reason=str(why_no_last_word()))

FAILOVER = ["hold", "fence", "stop_receiving", "drain", "promote", "repoint", "await_acknowledger", "open", "release"]
SWITCHOVER = ["hold", "demote", "catch_up", "fence", "promote", "repoint", "await_acknowledger", "open", "release"]
MOMENTS = ["begins", "was made"]


@pytest.fixture
def last_word(tmp_path):
    return LastWord(tmp_path)


def dies_at(last_word, step, moment):
    last_word.arm(f'a step {moment} cluster="main" step="{step}"')


def replace_hadal(lab, last_word, within=30):
    """Waits until hadal has died of its own word, and starts the next one."""
    eventually(lambda: not lab.gateway.is_alive(), within, what="hadal dies at the step")
    assert last_word.was_said, "hadal died of something else"
    lab.gateway.spawn()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", FAILOVER)
def test_hadal_is_killed_at_a_step_of_a_failover(make_lab, last_word, step, moment, report):
    """The primary is dead, so nothing can be undone for good: somebody else leads at the end."""
    lab = make_lab(wrapper=last_word.wrapper)
    with lab.load() as load:
        old = lab.primary()
        dies_at(last_word, step, moment)
        kill(old)
        replace_hadal(lab, last_word)
        new = lab.promoted(old, within=60)
        load.goes_on(within=60)
        no_failover(lab, new, seconds=1)
    assert lab.writable() == [new]
    prove(lab, load, report=report, without=[old])


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", SWITCHOVER)
def test_hadal_is_killed_at_a_step_of_a_switchover(make_lab, last_word, step, moment, report):
    """Whoever is the primary afterwards, there is one, and the others follow it."""
    lab = make_lab(wrapper=last_word.wrapper)
    with lab.load() as load:
        dies_at(last_word, step, moment)
        operator = threading.Thread(target=lab.gateway.command, args=["switchover", "main"])
        operator.start()
        replace_hadal(lab, last_word)
        operator.join()
        load.goes_on(within=60)
        primary = lab.primary()
        no_failover(lab, primary, seconds=1)
    assert lab.writable() == [primary]
    prove(lab, load, report=report)


@pytest.mark.network
@pytest.mark.parametrize("moment", MOMENTS)
def test_hadal_is_killed_while_a_candidate_is_levelled(make_lab, last_word, moment, report):
    """The step that only some failovers have: the one with everything must not lead, and the other one fetches from it."""
    lab = make_lab(wrapper=last_word.wrapper, promotion={"db2": "must_not"})
    with lab.load() as load:
        complete, behind = lab.replicas()
        dies_at(last_word, "level", moment)
        with only_one_is_complete(lab, load, complete, behind) as old:
            pass
        replace_hadal(lab, last_word)
        new = outcome_of(lab, old, within=60)
        load.goes_on(within=60)
    assert new is behind and lab.writable() == [new]
    prove(lab, load, report=report, without=[old])


def test_every_step_is_named_here(lab):
    """A step that is new is to be killed, too."""
    for order, names in [("failover", FAILOVER), ("switchover", SWITCHOVER)]:
        plan = json.loads(lab.gateway.succeed(order, "main", "--plan", "--json"))["plan"]
        assert [step["step"] for step in plan["steps"]] == names
