"""Events that the database runs by its own clock go on, on whoever is the primary, and nowhere else."""

import pytest
from e2e.harness.waiting import eventually

from .steps import kill


@pytest.fixture
def primary(lab):
    """Runs two events, one of an account that `read_only` does not hold back; a third one is switched off."""
    primary = lab.primary()
    primary.sql("CREATE TABLE app.ticks (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20), server INT)")
    for name, state in [("tick", "ENABLE"), ("`tö'ck`", "ENABLE"), ("never", "DISABLE")]:
        plain = name.strip("`").replace("'", "''")
        body = f"INSERT INTO app.ticks (name, server) VALUES ('{plain}', @@server_id)"
        primary.sql(f"CREATE EVENT app.{name} ON SCHEDULE EVERY 1 SECOND {state} DO {body}")
    primary.sql("SET GLOBAL event_scheduler = ON")
    eventually(lambda: recorded(lab), what="hadal has seen what runs")
    return primary


def recorded(lab):
    told = [event["why"] for event in lab.gateway.cluster()["events"] if event["to"] == "recorded"]
    return told and told[-1] == "2 are switched on, the scheduler is on"


def states(server):
    return dict(server.sql("SELECT name, status FROM mysql.event WHERE db = 'app'"))


def ticks(server):
    return set(server.sql("SELECT DISTINCT name, server FROM app.ticks"))


def runs_them(primary):
    return {("tick", primary.number), ("tö'ck", primary.number)} <= ticks(primary)


def prove(lab, new):
    eventually(lambda: runs_them(new), what=f"{new} runs the events", within=20)
    assert states(new) == {"tick": "ENABLED", "tö'ck": "ENABLED", "never": "SLAVESIDE_DISABLED"}
    assert "never" not in {name for name, _ in ticks(new)}
    for replica in lab.others(new):
        eventually(lambda replica=replica: "ENABLED" not in states(replica).values(), what=f"{replica} runs none")
        assert replica.follows(new)


@pytest.mark.short
def test_events_follow_a_switchover(lab, primary):
    new = lab.switch_over()
    prove(lab, new)
    assert primary.variable("event_scheduler") == "OFF"


def test_events_follow_a_failover(lab, primary):
    """And the killed one, started with the same events switched on, runs none when it is back."""
    kill(primary)
    new = lab.promoted(primary)
    lab.restart(primary)
    lab.joined(primary, new)
    prove(lab, new)
