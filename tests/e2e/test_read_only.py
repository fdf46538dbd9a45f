"""A cluster that takes no writes, because an operator says so (`hadal read-only`)."""

import json
import os
import signal
import subprocess
import urllib.request

import pymysql
import pytest
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway

REASON = "moving house until noon"


def command(topology, *words):
    url = f"http://127.0.0.1:{topology.gateway.admin_port}"
    arguments = [topology.gateway.binary, "read-only", *words, "--url", url]
    done = subprocess.run(arguments, env=os.environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def writes(topology):
    """What an application is told, over SQL."""
    with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW HADAL STATUS")
        return dict(cursor.fetchall())["writes"]


def refusal(cursor, statement):
    with pytest.raises(pymysql.err.MySQLError) as error:
        cursor.execute(statement)
    return error.value.args


@pytest.fixture
def cluster(own_topology):
    topology = own_topology(replicas=1)
    topology.primary.sql("CREATE TABLE app.jobs (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(40))")
    topology.settle()
    return topology


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO jobs (note) VALUES ('x')",
        "UPDATE jobs SET note = 'y'",
        "DELETE FROM jobs",
        "CREATE TABLE more (id INT)",
        "TRUNCATE TABLE jobs",
        "CALL nothing()",
        "INSERT INTO jobs (note) VALUES ('x'); SELECT 1",
        "EXECUTE IMMEDIATE 'DELETE FROM jobs'",
        "BEGIN NOT ATOMIC DELETE FROM jobs; END",
    ],
)
def test_writes_are_refused_with_the_reason(cluster, statement):
    command(cluster, "on", "main", "--reason", REASON)
    options = {"client_flag": pymysql.constants.CLIENT.MULTI_STATEMENTS}
    with pymysql.connect(**cluster.endpoint.keywords(autocommit=True, **options)) as connection:
        with connection.cursor() as cursor:
            code, text = refusal(cursor, statement)
            assert code == 1290 and REASON in text
            cursor.execute("BEGIN")
            assert refusal(cursor, statement)[0] == 1290
            cursor.execute("ROLLBACK")


def test_stored_functions_that_may_write_are_refused(cluster):
    for statement in (
        "CREATE FUNCTION app.charge(n INT) RETURNS INT MODIFIES SQL DATA "
        "BEGIN INSERT INTO app.jobs (note) VALUES ('charged'); RETURN n; END",
        "CREATE FUNCTION app.price(n INT) RETURNS INT NO SQL RETURN n * 2",
        "CREATE VIEW app.charged AS SELECT app.charge(1) AS n",
    ):
        cluster.primary.sql(statement)
    cluster.settle()
    command(cluster, "on", "main", "--reason", REASON)
    options = {"client_flag": pymysql.constants.CLIENT.MULTI_STATEMENTS}
    with pymysql.connect(**cluster.endpoint.keywords(autocommit=True, **options)) as connection:
        with connection.cursor() as cursor:

            def reads_on():
                """The function is known to be harmless as soon as the catalogue was read."""
                try:
                    cursor.execute("SELECT price(2)")
                except pymysql.err.MySQLError:
                    return False
                return cursor.fetchone() == (4,)

            def view_is_known():
                try:
                    cursor.execute("EXPLAIN SELECT n FROM charged")
                except pymysql.err.MySQLError as error:
                    return REASON in str(error)
                return False

            eventually(reads_on, what="the functions are known")
            eventually(view_is_known, what="the views are known")
            for statement in ("SELECT charge(1)", "SELECT n FROM charged", "SELECT 1 FOR UPDATE; DELETE FROM jobs"):
                code, text = refusal(cursor, statement)
                assert code == 1290 and REASON in text
    assert cluster.primary.sql("SELECT COUNT(*) FROM app.jobs") == ((0,),)


def test_reads_and_sessions_go_on(cluster):
    with pymysql.connect(**cluster.endpoint.keywords(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO jobs (note) VALUES ('begun before')")
        command(cluster, "on", "main", "--reason", REASON)
        assert refusal(cursor, "INSERT INTO jobs (note) VALUES ('too late')")[0] == 1290
        cursor.execute("COMMIT")
        for statement in (
            "SELECT COUNT(*) FROM jobs",
            "SELECT * FROM jobs FOR UPDATE",
            "SET @a = 1",
            "SET NAMES utf8mb4",
            "SELECT @a",
            "SET autocommit = 0",
            "SELECT note FROM jobs",
        ):
            cursor.execute(statement)
        assert cursor.fetchall() == (("begun before",),)
        cursor.execute("COMMIT")


def test_applications_and_operators_can_ask(cluster):
    assert writes(cluster) == "open"
    assert "read-only" in command(cluster, "on", "main", "--reason", REASON)
    assert writes(cluster) == f"read-only: {REASON}"
    (shown,) = cluster.gateway.json("/api/v1/clusters")["clusters"]
    assert shown["read_only"] == REASON
    assert any(REASON in event["why"] for event in shown["events"])
    command(cluster, "off", "main")
    assert writes(cluster) == "open"
    with pymysql.connect(**cluster.endpoint.keywords(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('x')")


def test_it_outlives_a_restart(cluster):
    url = f"http://127.0.0.1:{cluster.gateway.admin_port}/api/v1/clusters/main/read-only"
    body = json.dumps({"on": True, "reason": REASON, "by": "a test"}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["done"] is True
    cluster.gateway.process.send_signal(signal.SIGTERM)
    cluster.gateway.process.wait(30)
    cluster.gateway.start()
    eventually(lambda: writes(cluster) == f"read-only: {REASON}", what="the mode is read")
    command(cluster, "off", "main")
    assert writes(cluster) == "open"
