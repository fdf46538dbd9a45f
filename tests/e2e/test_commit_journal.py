"""COMMITs whose answer is lost, and what clients are told of them (`commit_journal`)."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pymysql
import pytest
from e2e.harness.gateway import Gateway
from e2e.harness.mariadb import APP_DATABASE, APP_PASSWORD, APP_USER, Server
from e2e.harness.ports import free_ports
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway

TABLE = "CREATE TABLE app.jobs (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(40), amount TINYINT)"
GRANTS = ("CREATE DATABASE IF NOT EXISTS hadal", f"GRANT SELECT, INSERT ON hadal.* TO {APP_USER}@'%'")
MODES = {"not arrived": False, "not answered": True}


class Wire:
    """Between hadal and its server: carries everything, until it is told to lose a COMMIT."""

    def __init__(self, port):
        self.port, self.listener = port, socket.create_server(("127.0.0.1", 0))
        self.losing = None
        threading.Thread(target=self.accept, daemon=True).start()

    def lose(self, arrives):
        """The next COMMIT: its connection breaks before it arrives, or after it was carried out."""
        self.losing = arrives

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                lost = threading.Event()
                for way in ((client, server, lost, True), (server, client, lost, False)):
                    threading.Thread(target=self.carry, args=way, daemon=True).start()

    def carry(self, source, target, lost, towards_server):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if towards_server and self.losing is not None and b"COMMIT" in data:
                    arrives, self.losing = self.losing, None
                    lost.set()
                    if not arrives:
                        break
                elif not towards_server and lost.is_set():
                    # The server has done it.
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


@pytest.fixture
def journalled(scratch, template, binary, tmp_path_factory):
    """hadal before one server, with a wire between them: `journalled("transaction_replay = true")`."""
    with contextlib.ExitStack() as stack:

        def make(cluster="", grants=GRANTS, gateway=""):
            folder = scratch / f"journal-{len(list(scratch.glob('journal-*')))}"
            server = Server(folder / "1", template, 1, free_ports(1)[0])
            stack.callback(server.destroy)
            server.start()
            server.sql("SET GLOBAL read_only = 0", TABLE, *grants)
            wire = Wire(server.port)
            stack.callback(wire.close)
            through = SimpleNamespace(port=wire.listener.getsockname()[1])
            hadal = Gateway(binary, folder / "hadal", [through], cluster=f"commit_journal = true\n{cluster}", gateway=gateway)
            stack.callback(hadal.stop)
            hadal.start()
            eventually(lambda: server.sql("SHOW TABLES FROM hadal LIKE 'commits'"), what="the table is made")
            return SimpleNamespace(server=server, wire=wire, gateway=hadal)

        yield make


def connect(lab, **more):
    options = {"user": APP_USER, "password": APP_PASSWORD, "database": APP_DATABASE, **more}
    return pymysql.connect(host="127.0.0.1", port=lab.gateway.port, **options)


def metric(lab, name):
    lines = lab.gateway.http("/metrics")[1].splitlines()
    return {line.rsplit(" ", 1)[0]: int(line.split()[-1]) for line in lines if line.startswith(f"hadal_{name}")}


def resolved(lab):
    counts = metric(lab, "commits_resolved_total")
    return {name.split('"')[1]: count for name, count in counts.items() if count}


def notes(lab):
    return [note for (note,) in lab.server.sql("SELECT note FROM app.jobs ORDER BY id")]


def test_a_commit_that_was_carried_out_is_told_so(journalled):
    lab = journalled()
    with connect(lab) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('one')")
        lab.wire.lose(arrives=True)
        connection.commit()
        cursor.execute("SELECT note FROM jobs")
        assert cursor.fetchall() == (("one",),)
        connection.commit()
    assert notes(lab) == ["one"] and resolved(lab) == {"committed": 1}


def test_a_commit_that_did_not_arrive_can_be_repeated(journalled):
    lab = journalled()
    with connect(lab) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('one')")
        lab.wire.lose(arrives=False)
        with pytest.raises(pymysql.err.OperationalError) as error:
            connection.commit()
        assert error.value.args[0] == 1213, error.value
        assert notes(lab) == []
        cursor.execute("INSERT INTO jobs (note) VALUES ('again')")
        connection.commit()
    assert notes(lab) == ["again"] and resolved(lab) == {"rolled_back": 1}


@pytest.mark.parametrize("arrives", MODES.values(), ids=MODES)
def test_with_replay_no_client_notices(journalled, arrives):
    lab = journalled("transaction_replay = true")
    with connect(lab) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('one')")
        first = cursor.lastrowid
        lab.wire.lose(arrives=arrives)
        connection.commit()
        cursor.execute("INSERT INTO jobs (note) VALUES ('two')")
        assert cursor.lastrowid > first
        connection.commit()
    assert notes(lab) == ["one", "two"]
    assert resolved(lab) == {"committed" if arrives else "rolled_back": 1}


def test_without_the_journal_it_is_unknown(journalled):
    lab = journalled(grants=())
    with connect(lab) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs (note) VALUES ('one')")
        connection.commit()
        # The account has no right to the table: the COMMIT went without.
        assert notes(lab) == ["one"]
        assert metric(lab, "commits_unjournalled_total") == {"hadal_commits_unjournalled_total": 1}
        cursor.execute("INSERT INTO jobs (note) VALUES ('two')")
        lab.wire.lose(arrives=True)
        with pytest.raises(pymysql.err.OperationalError) as error:
            connection.commit()
        assert error.value.args[0] == 1158 and "unknown" in error.value.args[1]


# What a client can ask after a COMMIT.
QUESTIONS = ("SELECT ROW_COUNT()", "SELECT LAST_INSERT_ID()", "SELECT FOUND_ROWS()", "SHOW WARNINGS")


def told(connection, question, inserted):
    with connection.cursor() as cursor:
        cursor.execute(inserted)
        answer = connection._execute_command(3, "COMMIT") or connection._read_packet().get_all_data()
        cursor.execute(question)
        return answer, cursor.fetchall()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "inserted",
    ["INSERT INTO jobs (note, amount) VALUES ('a', 1), ('b', 2)", "INSERT IGNORE INTO jobs (note, amount) VALUES ('a', 70000)"],
    ids=["plain", "with a warning"],
)
def test_clients_see_what_they_would_see_without(journalled, question, inserted):
    lab = journalled()
    with connect(lab) as connection:
        through = told(connection, question, inserted)
    assert metric(lab, "commits_unjournalled_total") == {"hadal_commits_unjournalled_total": 0}
    assert lab.server.sql("SELECT COUNT(*) FROM hadal.commits") == ((1,),)
    lab.server.sql("TRUNCATE TABLE app.jobs")
    options = {"user": APP_USER, "password": APP_PASSWORD, "database": APP_DATABASE}
    with pymysql.connect(host="127.0.0.1", port=lab.server.port, **options) as connection:
        assert told(connection, question, inserted) == through


def test_what_has_written_nothing_leaves_no_row(journalled):
    lab = journalled()
    with connect(lab) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM jobs")
        connection.commit()
        cursor.execute("START TRANSACTION READ ONLY")
        cursor.execute("SELECT * FROM jobs")
        connection.commit()
        cursor.execute("INSERT INTO jobs (note) VALUES ('x')")
        connection.rollback()
    assert lab.server.sql("SELECT COUNT(*) FROM hadal.commits") == ((0,),)


def test_an_error_of_the_commit_reaches_the_client(journalled):
    """The row cannot be written: the transaction must not be reported as committed."""
    lab = journalled()
    with connect(lab) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
        cursor.execute("INSERT INTO jobs (note) VALUES ('x')")
        with contextlib.closing(lab.server.connect(autocommit=False)) as other, other.cursor() as others:
            others.execute("LOCK TABLES hadal.commits WRITE")
            cursor.execute("SET SESSION lock_wait_timeout = 1")
            with pytest.raises(pymysql.err.OperationalError) as error:
                connection.commit()
        assert error.value.args[0] == 1205
        connection.rollback()
    assert notes(lab) == []


@pytest.fixture
def stuck(journalled):
    """`stuck(hold_ms)`: a COMMIT that will be lost, a table of commits that nobody can read, and another client."""
    with contextlib.ExitStack() as stack:

        def make(hold_ms):
            lab = journalled(gateway=f"hold_ms = {hold_ms}")
            connection = stack.enter_context(connect(lab))
            connection.cursor().execute("INSERT INTO jobs (note) VALUES ('one')")
            locker = stack.enter_context(contextlib.closing(lab.server.connect()))
            locker.cursor().execute("LOCK TABLES hadal.commits WRITE")
            # Before the loss: its login says `autocommit`, which the wire would take for what it is to lose.
            other = stack.enter_context(connect(lab))
            lab.wire.lose(arrives=False)
            return lab, connection, other

        yield make


def test_nobody_waits_for_the_journal_longer_than_a_statement_may_be_held(stuck):
    lab, connection, _ = stuck(hold_ms=500)
    with pytest.raises(pymysql.err.OperationalError) as error:
        connection.commit()
    assert error.value.args[0] == 1158 and "unknown" in error.value.args[1]
    assert resolved(lab) == {"unknown": 1} and notes(lab) == []


@pytest.mark.parametrize("what, code", [("CONNECTION", 2013), ("QUERY", 1158)])
def test_a_kill_ends_the_wait_for_the_journal(stuck, what, code):
    lab, connection, other = stuck(hold_ms=200_000)
    looks = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT COUNT(*) FROM hadal.commits%'"
    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(connection.commit)
        eventually(lambda: lab.server.sql(looks) == ((1,),), what="the journal is asked")
        other.cursor().execute(f"KILL {what} {connection.thread_id()}")
        with pytest.raises(pymysql.err.OperationalError) as error:
            committing.result()
    assert error.value.args[0] == code
    eventually(lambda: lab.server.sql(looks) == ((0,),), what="nobody asks any more")
