"""Tables and schemas in two clusters behind one address: `[clusters.main.tables]`."""

import contextlib
import os
import subprocess
import sys
import textwrap

import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from e2e.conftest import ALIVE
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER, APP_PASSWORD, APP_USER
from e2e.harness.process import run_quietly
from e2e.harness.topology import Topology
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway

RULES = """
[clusters.main.tables]
orders_archive = "archive"
"app.audit" = "archive"
"app_logs.*" = "archive"

[clusters.archive]
servers = ["127.0.0.1:{port}"]
admin_user = "{user}"
admin_password = "{password}"
"""


class Split:
    """Two clusters and hadal in front of both."""

    def __init__(self, folder, template, binary):
        self.archive = Topology(folder / "archive", template, replicas=1, delay=1, first=11)
        rules = RULES.format(port=self.archive.primary.port, user=ADMIN_USER, password=ADMIN_PASSWORD)
        self.main = Topology(folder / "main", template, replicas=1, binary=binary, cluster=rules)

    def start(self):
        self.archive.start()
        self.archive.primary.sql(
            "CREATE DATABASE app_logs",
            "CREATE TABLE app.orders_archive (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(50))",
            "CREATE TABLE app.audit (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(50))",
            "CREATE TABLE app_logs.events (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(50))",
            "INSERT INTO app_logs.events (note) VALUES ('first')",
        )
        self.main.start()
        self.main.primary.sql(
            "CREATE DATABASE app_main",
            "CREATE TABLE app.orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(50))",
            "CREATE TABLE app_main.orders (id INT PRIMARY KEY)",
        )
        eventually(self.knows_both, within=60, what="hadal knows both clusters")
        return self

    def knows_both(self):
        clusters = self.main.gateway.json("/api/v1/clusters")["clusters"]
        servers = [server for cluster in clusters for server in cluster["servers"]]
        return len(servers) == 4 and all(server["health"]["state"] == "healthy" for server in servers)

    @property
    def endpoint(self):
        return self.main.endpoint

    def destroy(self):
        self.main.destroy()
        self.archive.destroy()


@pytest.fixture(scope="module")
def split(scratch, template, binary):
    made = Split(scratch / "split", template, binary)
    ALIVE.append(made.main)
    try:
        yield made.start()
    finally:
        made.destroy()
        ALIVE.remove(made.main)


@pytest.fixture
def connect(split):
    with contextlib.ExitStack() as stack:

        def open_connection(**options):
            connection = pymysql.connect(**{**split.endpoint.keywords(), "autocommit": True, **options})
            stack.callback(lambda: connection.open and connection.close())
            return connection

        yield open_connection


@pytest.fixture
def on(connect):
    """A connection's `run`: one statement, its rows."""

    def make(**options):
        connection = connect(**options)

        def run(statement, values=None):
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()

        run.connection = connection
        return run

    return make


def refused(run, statement):
    with pytest.raises(pymysql.err.NotSupportedError) as raised:
        run(statement)
    code, text = raised.value.args
    assert code == 1235 and text.startswith("hadal: "), text
    return text


def test_each_table_is_where_its_rule_says(split, on):
    run = on()
    run("INSERT INTO orders (note) VALUES ('here')")
    run("INSERT INTO orders_archive (note) VALUES ('there')")
    run("INSERT INTO app.audit (note) VALUES ('there')")
    run("INSERT INTO app_logs.events (note) VALUES ('there')")
    assert run("SELECT note FROM orders WHERE note = 'here'") == (("here",),)
    for table in ("orders_archive", "app.audit", "app_logs.events"):
        assert run(f"SELECT note FROM {table} WHERE note = 'there'") == (("there",),)
        table = table if "." in table else f"app.{table}"
        assert split.archive.primary.sql(f"SELECT note FROM {table} WHERE note = 'there'") == (("there",),)
    assert split.main.primary.sql("SELECT note FROM app.orders WHERE note = 'here'") == (("here",),)


def test_reads_of_the_second_cluster_go_to_its_replicas_and_see_its_own_writes(split, on):
    run = on()
    run("CREATE TABLE app_logs.fresh (id INT PRIMARY KEY)")
    for number in range(20):
        run(f"INSERT INTO app_logs.fresh VALUES ({number})")
        run("INSERT INTO orders (note) VALUES ('between')")
        # Its replica is a second late.
        assert run("SELECT COUNT(*) FROM app_logs.fresh") == ((number + 1,),)
    run("DROP TABLE app_logs.fresh")
    other = on()
    replica = split.archive.replicas[0].port
    asked = eventually(
        lambda: [row for row in other("EXPLAIN ROUTE SELECT * FROM app_logs.events") if row[2] == "replica"],
        within=60,
        what="the second cluster's replica is read",
    )
    assert asked[0][:3] == ("archive", f"127.0.0.1:{replica}", "replica")
    assert other("EXPLAIN ROUTE SELECT * FROM orders")[0][0] == "main"
    assert other("EXPLAIN ROUTE DELETE FROM orders_archive")[0][:3] == (
        "archive",
        f"127.0.0.1:{split.archive.primary.port}",
        "primary",
    )
    assert "two clusters" in other("EXPLAIN ROUTE SELECT * FROM orders, orders_archive")[0][3]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM orders JOIN orders_archive USING (id)",
        "INSERT INTO orders_archive SELECT * FROM orders",
        "SELECT (SELECT MAX(id) FROM app_logs.events) FROM orders",
        "UPDATE orders SET note = (SELECT MAX(note) FROM audit)",
        "CREATE VIEW v AS SELECT * FROM orders, orders_archive",
        "RENAME TABLE orders_archive TO orders_old",
        "LOCK TABLES orders READ, orders_archive READ",
        "CREATE PROCEDURE p() SELECT * FROM orders_archive",
        "PREPARE s FROM 'SELECT * FROM orders_archive'",
        "EXECUTE IMMEDIATE 'SELECT * FROM app_logs.events'",
    ],
)
def test_a_statement_for_two_clusters_is_refused(on, statement):
    run = on()
    text = refused(run, statement)
    assert "orders_archive" in text or "events" in text or "audit" in text or "app_logs" in text
    # The session goes on.
    assert run("SELECT 1") == ((1,),)


def test_names_that_are_no_tables_do_not_count(on):
    run = on()
    run("INSERT INTO orders_archive (id, note) VALUES (900, 'cte')")
    assert run("WITH orders AS (SELECT * FROM orders_archive) SELECT note FROM orders WHERE id = 900") == (("cte",),)
    assert run("SELECT COUNT(*) FROM orders_archive JOIN information_schema.schemata WHERE schema_name = 'app'")
    run("DELETE o FROM orders_archive AS o JOIN audit AS a ON 1 WHERE o.id = 900")


def test_a_transaction_belongs_to_the_cluster_of_its_first_table(split, on):
    run = on()
    for begin in ("BEGIN", "START TRANSACTION", "SET autocommit = 0"):
        run(begin)
        run("SAVEPOINT one")
        run("INSERT INTO app_logs.events (note) VALUES ('undone')")
        run("ROLLBACK TO SAVEPOINT one")
        run("INSERT INTO app_logs.events (note) VALUES ('kept')")
        text = refused(run, "INSERT INTO orders (note) VALUES ('no')")
        assert "archive" in text and "main" in text and "transaction" in text
        assert run("SELECT COUNT(*) FROM app_logs.events WHERE note = 'undone'") == ((0,),)
        assert split.archive.primary.sql("SELECT COUNT(*) FROM app_logs.events WHERE note = 'kept'") == ((0,),)
        run("COMMIT")
        run("SET autocommit = 1")
        assert split.archive.primary.sql("SELECT COUNT(*) FROM app_logs.events WHERE note = 'kept'") == ((1,),)
        run("DELETE FROM app_logs.events WHERE note = 'kept'")
    run("BEGIN")
    run("INSERT INTO orders (note) VALUES ('first')")
    refused(run, "INSERT INTO app_logs.events (note) VALUES ('no')")
    run("ROLLBACK")
    assert run("SELECT COUNT(*) FROM orders WHERE note = 'first'") == ((0,),)
    run("BEGIN")
    run("INSERT INTO app_logs.events (note) VALUES ('undone')")
    run("ROLLBACK")
    assert run("SELECT COUNT(*) FROM app_logs.events WHERE note = 'undone'") == ((0,),)


def test_other_state_of_the_session_binds_it_too(on):
    run = on()
    run("SET @mine = 1")
    assert "user variable" in refused(run, "SELECT * FROM orders_archive")
    assert run("SELECT @mine") == ((1,),)


def test_settings_follow_to_the_second_cluster(on):
    run = on()
    run("SET sql_mode = 'ANSI_QUOTES', time_zone = '+05:00', names latin1")
    assert run('SELECT @@sql_mode, @@time_zone, @@character_set_client FROM "orders_archive" LIMIT 1') in (
        (),
        (("ANSI_QUOTES", "+05:00", "latin1"),),
    )
    run("INSERT INTO orders_archive (note) VALUES ('settings')")
    assert run("SELECT @@sql_mode, @@time_zone, @@character_set_client FROM orders_archive LIMIT 1") == (
        ("ANSI_QUOTES", "+05:00", "latin1"),
    )


def test_what_the_last_statement_left_behind_is_asked_where_it_ran(on):
    run = on()
    run("INSERT INTO orders (id, note) VALUES (5000, 'main')")
    assert run("SELECT LAST_INSERT_ID()") != ((7000,),)
    run("INSERT INTO app_logs.events (note) VALUES ('id')")
    made = run.connection.insert_id()
    run("ALTER TABLE app_logs.events AUTO_INCREMENT = 7000")
    run("INSERT INTO app_logs.events (note) VALUES ('id')")
    assert run("SELECT LAST_INSERT_ID()") == ((7000,),) and made < 7000
    assert run("SELECT LAST_INSERT_ID(), COUNT(*) >= 0 FROM orders") == ((7000, 1),)
    run("BEGIN")
    assert run("SELECT LAST_INSERT_ID()") == ((7000,),)
    run("COMMIT")
    run("UPDATE app_logs.events SET note = 'changed' WHERE note = 'id'")
    assert run("SELECT ROW_COUNT()") == ((2,),)
    run("SELECT SQL_CALC_FOUND_ROWS id FROM app_logs.events LIMIT 1")
    assert run("SELECT FOUND_ROWS()")[0][0] >= 2
    run("DROP TABLE IF EXISTS app_logs.nobody")
    assert "app_logs.nobody" in run("SHOW WARNINGS")[0][2]


def test_a_schema_of_the_second_cluster_is_used_like_any_other(split, on):
    run = on()
    run("USE app_logs")
    assert run("SELECT DATABASE()") == (("app_logs",),)
    assert run("SELECT note FROM events ORDER BY id LIMIT 1") == (("first",),)
    assert ("events",) in run("SHOW TABLES") and ("orders",) not in run("SHOW TABLES")
    assert run("SHOW COLUMNS FROM events")[0][0] == "id"
    run("CREATE TABLE made (id INT PRIMARY KEY)")
    assert split.archive.primary.sql("SHOW TABLES FROM app_logs LIKE 'made'") == (("made",),)
    run("DROP TABLE made")
    assert run("SELECT COUNT(*) >= 0 FROM app.orders") == ((1,),)
    run("BEGIN")
    run("INSERT INTO events (note) VALUES ('gone')")
    run("ROLLBACK")
    run.connection.select_db("app")
    assert run("SELECT DATABASE()") == (("app",),)
    assert ("orders",) in run("SHOW TABLES")
    direct = on(database="app_logs")
    assert direct("SELECT DATABASE(), note FROM events ORDER BY id LIMIT 1") == (("app_logs", "first"),)
    assert direct("EXPLAIN ROUTE SELECT 1")[0][0] == "archive"
    assert ("events",) in run("SHOW TABLES FROM app_logs")
    assert run("DESCRIBE app_logs.events")[0][0] == "id"
    assert "events" in run("SHOW CREATE TABLE app_logs.events")[0][1]


def test_a_database_that_the_second_cluster_lacks(on):
    run = on(database="app_main")
    for _ in range(3):
        assert run("SELECT note FROM app_logs.events ORDER BY id LIMIT 1") == (("first",),)
        run("INSERT INTO app_logs.events (note) VALUES (%s)", ("from app_main",))
    with pytest.raises(pymysql.err.MySQLError, match="app_main") as raised:
        run("INSERT INTO orders_archive (note) VALUES ('x')")
    assert raised.value.args[0] == 1049 and "hadal: " in raised.value.args[1]
    run("BEGIN")
    run("DELETE FROM app_logs.events WHERE note = 'from app_main'")
    with pytest.raises(pymysql.err.MySQLError, match="app_main"):
        run("SELECT DATABASE()")
    run("COMMIT")
    assert run("SELECT DATABASE(), COUNT(*) FROM orders") == (("app_main", 0),)
    assert run("SELECT COUNT(*) FROM app_logs.events WHERE note = 'from app_main'") == ((0,),)


def test_prepared_statements_run_where_their_tables_are(split):
    from wire.client import WireClient
    from wire.codec import execute_payload

    end = split.endpoint
    with WireClient(end.host, end.port) as client:
        client.login(end.user, end.password, end.database)

        def prepared(text):
            return int.from_bytes(client.command(b"\x16" + text.encode())[0][1:5], "little")

        # In the same session, which then reads it back whatever its replica has.
        client.command(b"\x03INSERT INTO orders_archive (note) VALUES ('prepared')")
        there = prepared("SELECT note FROM orders_archive WHERE note = 'prepared'")
        here = prepared("SELECT COUNT(*) FROM orders")
        for _ in range(5):
            assert client.command(execute_payload(there, [], []))[-2].endswith(b"prepared")
            assert client.command(execute_payload(here, [], []))[0][0] == 1
        client.command(b"\x02app_logs")
        unqualified = prepared("SELECT note FROM events ORDER BY id LIMIT 1")
        client.command(b"\x02app")
        assert client.command(execute_payload(unqualified, [], []))[-2].endswith(b"first")
        refusal = client.command(b"\x16SELECT * FROM orders, orders_archive")[0]
        assert refusal[0] == 0xFF and b"two clusters" in refusal


def test_a_hint_names_a_server_of_either_cluster(split, on):
    run = on()
    for server in (split.archive.primary, split.archive.replicas[0], split.main.replicas[0]):
        hint = f"/* hadal: to=127.0.0.1:{server.port} */"
        assert run(f"{hint} SELECT name FROM whoami") == ((server.name,),)


def test_an_account_that_the_second_cluster_lacks(split, on):
    grants = "GRANT ALL ON app.* TO 'half'@'%'"
    split.main.primary.sql("CREATE USER 'half'@'%' IDENTIFIED BY 'half'", grants)
    run = on(user="half", password="half")
    assert run("SELECT COUNT(*) >= 0 FROM orders") == ((1,),)

    def denied(what):
        with pytest.raises(pymysql.err.OperationalError, match=what) as raised:
            run("SELECT COUNT(*) FROM orders_archive")
        assert raised.value.args[0] == 1045 and "archive" in raised.value.args[1]

    denied("no account for 'half'")
    split.archive.primary.sql("CREATE USER 'half'@'%' IDENTIFIED BY 'other'", grants)
    denied("another password")
    assert run("SELECT COUNT(*) >= 0 FROM orders") == ((1,),)
    run("BEGIN")
    denied("another password")
    run("INSERT INTO orders (note) VALUES ('still in the transaction')")
    run("ROLLBACK")
    assert run("SELECT COUNT(*) FROM orders WHERE note LIKE 'still%'") == ((0,),)
    split.archive.primary.sql("SET PASSWORD FOR 'half'@'%' = PASSWORD('half')")
    assert run("SELECT COUNT(*) >= 0 FROM orders_archive") == ((1,),)


def test_kill_and_lists_know_the_second_cluster(split, on):
    import threading

    victim, watcher = on(), on()
    number = victim("SELECT CONNECTION_ID()")[0][0]
    failed = []

    def sleep():
        try:
            victim("SELECT SLEEP(30) FROM app_logs.events LIMIT 1")
            failed.append(None)
        except pymysql.err.MySQLError as error:
            failed.append(error.args[0])

    thread = threading.Thread(target=sleep)
    thread.start()
    archive = {f"127.0.0.1:{server.port}" for server in split.archive.servers}

    def busy():
        rows = watcher("SHOW HADAL SESSIONS")
        return any(row[0] == str(number) and row[5] == "running" and row[6] in archive for row in rows)

    eventually(busy, within=20, what="the session runs on the second cluster")
    shown = [row for row in watcher("SHOW PROCESSLIST") if row[0] == number]
    assert len(shown) == 1 and "SLEEP" in shown[0][7]
    watcher(f"KILL QUERY {number}")
    thread.join(20)
    assert failed in ([1317], [None]), failed
    assert victim("SELECT 1") == ((1,),)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "sa_orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(sa.String(50))


class Event(Base):
    __tablename__ = "sa_events"
    __table_args__ = {"schema": "app_logs"}
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(sa.String(50))


def test_sqlalchemy_needs_no_binds(split):
    engine = sa.create_engine(split.endpoint.url("pymysql"))
    for table in Base.metadata.sorted_tables:
        with engine.begin() as connection:
            table.create(connection)
    for model in (Order, Event, Order):
        with Session(engine) as session:
            session.add(model(note="mapped"))
            session.flush()
            session.commit()
        with Session(engine) as session:
            assert session.scalars(sa.select(model.note)).first() == "mapped"
    with Session(engine) as session, pytest.raises(sa.exc.DBAPIError, match="bound to cluster"):
        session.add(Order(note="one"))
        session.flush()
        session.add(Event(note="two"))
        session.flush()
    assert split.archive.primary.sql("SELECT COUNT(*) FROM app_logs.sa_events") == ((1,),)
    engine.dispose()


DJANGO = """
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.mysql", "HOST": "127.0.0.1", "PORT": "%(port)s", "NAME": "app",
                           "USER": "%(user)s", "PASSWORD": "%(password)s"}},
    INSTALLED_APPS=[], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
from django.db import NotSupportedError, connection, models, transaction

class Order(models.Model):
    note = models.CharField(max_length=50)
    class Meta:
        app_label, db_table = "shop", "dj_orders"

class Archived(models.Model):
    note = models.CharField(max_length=50)
    class Meta:
        app_label, db_table = "shop", "orders_archive"

with connection.schema_editor() as editor:
    editor.create_model(Order)
for model in (Order, Archived):
    for number in range(5):
        row = model.objects.create(note="django")
        assert model.objects.get(pk=row.pk).note == "django"
with transaction.atomic():
    with transaction.atomic():
        Archived.objects.create(note="nested")
    assert Archived.objects.filter(note="nested").count() == 1
try:
    with transaction.atomic():
        Archived.objects.create(note="undone")
        raise KeyError
except KeyError:
    pass
assert not Archived.objects.filter(note="undone").exists()
try:
    with transaction.atomic():
        Order.objects.create(note="one")
        Archived.objects.create(note="two")
except NotSupportedError as error:
    assert "bound to cluster" in str(error), error
else:
    raise AssertionError("a transaction over two clusters")
assert not Order.objects.filter(note="one").exists() and not Archived.objects.filter(note="two").exists()
print("done")
"""


def test_django_needs_no_router(split, tmp_path):
    script = tmp_path / "app.py"
    values = {"port": split.endpoint.port, "user": APP_USER, "password": APP_PASSWORD}
    script.write_text(textwrap.dedent(DJANGO % values))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.endswith("done\n"), done.stdout[-3000:] + done.stderr[-3000:]


def test_hadal_explain_names_the_cluster(split, binary):
    url = f"http://127.0.0.1:{split.main.gateway.admin_port}"

    def explained(statement):
        command = [binary, "explain", "--url", url, "--user", APP_USER, "--database", "app", statement]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout + done.stderr

    assert "archive" in explained("SELECT * FROM orders_archive")
    assert "two clusters" in explained("SELECT * FROM orders_archive, orders")
    assert "mentions orders_archive" in explained("EXECUTE IMMEDIATE 'SELECT * FROM orders_archive'")
    hint = f"/* hadal: to=127.0.0.1:{split.archive.primary.port} */"
    assert "archive" in explained(f"{hint} SELECT 1")


def test_check_accepts_the_rules_and_refuses_unknown_clusters(split, binary, tmp_path):
    run_quietly([binary, "check", "--config", str(split.main.gateway.config)])
    broken = tmp_path / "hadal.toml"
    broken.write_text(split.main.gateway.config.read_text().replace('"app_logs.*" = "archive"', '"app_logs.*" = "nowhere"'))
    done = subprocess.run([binary, "check", "--config", broken], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nowhere" in done.stdout + done.stderr
    assert os.path.exists(broken)
