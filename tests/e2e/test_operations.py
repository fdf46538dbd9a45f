"""What an operator does: check, status, explain, reload, drain."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway


@pytest.fixture
def hadal(binary, topology):
    """Runs a command of the binary against the shared topology."""

    def run(*arguments, check=True):
        environment = {**os.environ, "HADAL_URL": f"http://127.0.0.1:{topology.gateway.admin_port}"}
        command = [binary, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


def test_a_right_configuration_is_right(hadal, topology):
    assert "right" in hadal("check", "--config", str(topology.gateway.config)).stdout


def test_a_wrong_configuration_names_line_and_key(hadal, topology, tmp_path):
    wrong = tmp_path / "wrong.toml"
    text = topology.gateway.config.read_text().replace("admin_user", "admin_usr")
    wrong.write_text(text)
    line = text[: text.index("admin_usr")].count("\n") + 1
    done = hadal("check", "--config", str(wrong), check=False)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "admin_usr" in said and "admin_user" in said and f"{line}" in said


def test_wrong_usage_is_exit_code_2(hadal):
    assert hadal("serve", "--no-such-flag", check=False).returncode == 2


def test_status_lists_the_servers(hadal, topology):
    said = hadal("status").stdout
    for server in topology.servers:
        assert str(server.port) in said
    assert "primary" in said and "replica" in said


def test_explain_names_primary_and_replica(hadal, topology):
    assert "replica" in topology.undisturbed(lambda: hadal("explain", "SELECT 1").stdout)
    assert "primary" in hadal("explain", "DELETE FROM whoami").stdout


def test_an_admin_api_that_is_not_there_is_one_clear_line(hadal):
    done = hadal("status", "--url", "http://127.0.0.1:1", check=False)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1


def test_show_hadal_sessions_names_what_pins(connect, run):
    connection = connect()
    run("CREATE TEMPORARY TABLE pinned (a INT)", on=connection)
    with connect().cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SHOW HADAL SESSIONS")
        shown = " ".join(str(row) for row in cursor.fetchall())
    assert "temporary table" in shown.lower().replace("_", " ").replace("-", " "), shown


def test_a_reload_applies_without_dropping_a_connection(own_topology):
    topology = own_topology(replicas=1, cluster="consistency = 'session'")
    config = topology.gateway.config
    with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET @kept = 1")
            config.write_text(config.read_text().replace("consistency = 'session'", "primary_read_weight = 100"))
            topology.gateway.process.send_signal(signal.SIGHUP)

            def primary_reads():
                with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as other:
                    with other.cursor() as probe:
                        probe.execute("SELECT name FROM whoami")
                        return probe.fetchone() == ("server-1",)

            eventually(primary_reads, within=5, what="the primary takes reads")
            cursor.execute("SELECT @kept")
            assert cursor.fetchone() == (1,)


def reload_with(topology, old, new):
    config = topology.gateway.config
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    request = urllib.request.Request(f"http://127.0.0.1:{topology.gateway.admin_port}/api/v1/reload", method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_pool_limits_change_without_dropping_a_connection(own_topology):
    topology = own_topology(replicas=0, pool="max_connections = 2\nwait_timeout_ms = 300")

    def limits():
        (pool,) = [p for p in topology.gateway.json("/api/v1/pools")["pools"] if p["user"] == topology.endpoint.user]
        return pool["max"], pool["open"]

    with contextlib.ExitStack() as stack:

        # A user variable would not do: it is carried to another connection when somebody waits for this one.
        def pinned():
            connection = pymysql.connect(**topology.endpoint.keywords(autocommit=True))
            stack.callback(lambda: connection.open and connection.close())
            with connection.cursor() as cursor:
                cursor.execute("CREATE TEMPORARY TABLE pinned AS SELECT 1 AS n")
            return connection

        def kept(connection):
            with connection.cursor() as cursor:
                cursor.execute("SELECT n FROM pinned")
                return cursor.fetchone() == (1,)

        connections = [pinned(), pinned()]
        with pytest.raises(pymysql.err.OperationalError) as error:
            pinned()
        assert error.value.args[0] == 1040
        # Somebody who waits is served by a higher limit.
        changed = reload_with(topology, "max_connections = 2\nwait_timeout_ms = 300", "max_connections = 3\nwait_timeout_ms = 20000")
        assert [change["key"] for change in changed["changes"]] == [
            "clusters.main.pool.max_connections",
            "clusters.main.pool.wait_timeout_ms",
        ]
        assert {change["applies"] for change in changed["changes"]} == {"live"}
        connections.append(pinned())
        assert limits() == (3, 3)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(pinned)
            eventually(lambda: topology.gateway.json("/api/v1/pools")["pools"][0]["waiting"] == 1)
            reload_with(topology, "max_connections = 3", "max_connections = 4")
            connections.append(waiting.result(10))
        reload_with(topology, "max_connections = 4", "max_connections = 1")
        assert limits() == (1, 4)
        assert all(map(kept, connections))
        for connection in connections[1:]:
            connection.close()
        eventually(lambda: limits() == (1, 1))
        assert kept(connections[0])
        # A user's own limit is another way to say it.
        reload_with(topology, '[users.app]\n', '[users.app]\nmax_connections = 2\n')
        connections = [connections[0], pinned()]
        assert limits() == (2, 2)


def test_a_wrong_reload_changes_nothing(own_topology):
    topology = own_topology(replicas=0)
    config = topology.gateway.config
    config.write_text(config.read_text() + "\n[nonsense]\nkey = 1\n")
    topology.gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: "nonsense" in topology.gateway.log.read_text(), within=5, what="the refusal is logged")
    with pymysql.connect(**topology.endpoint.keywords()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_drain_lets_a_running_statement_finish(own_topology):
    topology = own_topology(replicas=0)
    answers = []

    def slow():
        with pymysql.connect(**topology.endpoint.keywords()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT SLEEP(4), 'finished'")
            answers.append(cursor.fetchone())

    thread = threading.Thread(target=slow, daemon=True)
    thread.start()

    def runs():
        query = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP(4)%'"
        return topology.primary.sql(query)[0][0]

    eventually(runs, what="the statement runs")
    topology.gateway.process.terminate()
    thread.join(20)
    assert answers == [(0, "finished")]
    assert topology.gateway.process.wait(20) == 0
    with pytest.raises(pymysql.err.OperationalError):
        pymysql.connect(**topology.endpoint.keywords())
