"""hadal itself is killed, stopped, started anew, asked twice, or lives in another time."""

import contextlib
import glob
import signal
import threading

import pymysql
import pytest
from e2e.harness.mariadb import APP_PASSWORD, APP_USER
from e2e.harness.waiting import eventually

from .steps import kill, no_failover, now, one_of_two_operators, outcome_of, prove

# Seconds after which hadal is killed: from before it can have noticed until after it is done.
MOMENTS = [0.1, 0.5, 1.2, 2.4]
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


@pytest.mark.parametrize("moment", MOMENTS)
def test_hadal_is_killed_during_failover(lab, moment, report):
    """27: at every moment. The next one finishes what was begun, or undoes it."""
    with lab.load() as load:
        old = lab.primary()
        at = kill(old)
        wait_until(at + moment)
        lab.gateway.kill()
        lab.gateway.spawn()
        lab.promoted(old, within=60)
        load.goes_on(within=60)
    prove(lab, load, report=report, without=[old])


@pytest.mark.parametrize("moment", [0.02, 0.1, 0.3])
def test_hadal_is_killed_during_switchover(lab, moment, report):
    """27: whoever is the primary afterwards, there is one, and the others follow it."""
    with lab.load() as load:
        at = now()
        operator = threading.Thread(target=lab.gateway.command, args=["switchover", "main"])
        operator.start()
        wait_until(at + moment)
        lab.gateway.kill()
        lab.gateway.spawn()
        operator.join()
        load.goes_on(within=60)
    prove(lab, load, report=report)


def wait_until(when):
    while now() < when:
        threading.Event().wait(max(0.0, min(0.01, when - now())))


def test_hadal_stands_still_during_failover(lab, report):
    """30: for longer than any lease. What it does then is right, or is not done."""
    with lab.load() as load:
        old = lab.primary()
        at = kill(old)
        wait_until(at + 0.6)
        lab.gateway.process.send_signal(signal.SIGSTOP)
        wait_until(at + 20)
        lab.gateway.process.send_signal(signal.SIGCONT)
        lab.promoted(old, within=60)
        load.goes_on(within=60)
    prove(lab, load, report=report, without=[old])


@pytest.mark.by_hand
def test_hadal_is_killed(lab, report):
    """37: its clients connect again. What was acknowledged is there, what was in flight is reported as unknown."""
    with lab.load() as load:
        lab.gateway.kill()
        lab.gateway.spawn()
        load.goes_on()
    prove(lab, load, report=report)


@pytest.mark.by_hand
@pytest.mark.measured
def test_restarted_hadal(lab, size, report):
    """37: stopped and started as an operator does it. Clients are away for as long as that takes."""
    with lab.load(**size) as load:
        at = now()
        lab.gateway.process.terminate()
        lab.gateway.process.wait(30)
        lab.gateway.spawn()
        load.goes_on()
    prove(lab, load, report=report, pause_s=load.longest_pause(since=at - 1))


def test_two_operators(lab, report):
    """28: the same order twice at once. One runs, the other is told so: a second switchover would undo the first."""
    one_of_two_operators(lab, lab.gateway, lab.gateway, report=report)


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO app.big SELECT seq, SLEEP(0.01) FROM app.seq_1_to_4000", "ALTER TABLE app.big ADD note INT, ALGORITHM=COPY"],
)
def test_switchover_during_a_long_statement(lab, statement, report):
    """26: it is waited for, ended or not; the switchover may fail. Writes go on long before the statement would end."""
    old = lab.primary()
    old.sql("CREATE TABLE app.big (id BIGINT, zero INT)", "INSERT INTO app.big SELECT seq, 0 FROM app.seq_1_to_300000")
    long = threading.Thread(target=run_to_its_end, args=[old, statement], daemon=True)
    with lab.load() as load:
        long.start()
        eventually(lambda: is_running(old, statement), what="the long statement runs")
        done = lab.gateway.command("switchover", "main")
        load.goes_on(within=20)
    pause = load.longest_pause()
    prove(lab, load, report=report, pause_s=pause, switched=done.returncode == 0)
    assert pause < 20, f"clients waited {pause:.1f} s"


def run_to_its_end(server, statement):
    with contextlib.suppress(pymysql.err.MySQLError):
        server.sql(statement, read_timeout=120)


def is_running(server, statement):
    return (statement,) in server.sql("SELECT info FROM information_schema.processlist")


@pytest.mark.by_hand
def test_too_many_connections(lab, report):
    """10: the primary takes nobody any more, but works. That is no death."""
    with lab.load() as load, contextlib.ExitStack() as crowd:
        primary = lab.primary()
        primary.sql("SET GLOBAL max_connections = 60")
        with contextlib.suppress(pymysql.err.OperationalError):
            for _ in range(200):
                crowd.enter_context(contextlib.closing(primary.connect(user=APP_USER, password=APP_PASSWORD)))
        no_failover(lab, primary, seconds=10)
        crowd.close()
        load.goes_on()
    prove(lab, load, report=report)


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")
@pytest.mark.parametrize("step", ["+3600s", "-3600s"])
def test_clock_step(make_lab, scratch, step, report):
    """19: hadal's clock jumps by an hour. Leases and time-outs do not notice, and a failover works as ever."""
    clock = scratch / f"clock{step}"
    clock.write_text("+0s")
    fake = [f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME_TIMESTAMP_FILE={clock}", "FAKETIME_NO_CACHE=1"]
    lab = make_lab(wrapper=["env", *fake, "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"])
    with lab.load() as load:
        primary = lab.primary()
        clock.write_text(step)
        no_failover(lab, primary)
        load.goes_on()
        kill(primary)
        assert outcome_of(lab, primary, within=30), "nobody was promoted after the step"
        load.goes_on()
    prove(lab, load, report=report, without=[primary])
