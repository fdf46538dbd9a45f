"""Logins: who may, who may not, and that refusals read as the server's own."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

import MySQLdb
import pymysql
import pytest
from e2e.harness.mariadb import ADMIN_PASSWORD, ADMIN_USER, APP_PASSWORD
from e2e.harness.topology import Endpoint
from e2e.harness.waiting import eventually
from wire import capability
from wire.client import ServerError, WireClient, native_scramble
from wire.codec import Reader


@pytest.fixture
def refusal(topology, endpoint):
    """The error of a login through hadal, and of the same login at the primary."""

    def ask(**login):
        errors = []
        for port in (endpoint.port, topology.primary.port):
            with pytest.raises(pymysql.err.MySQLError) as error:
                pymysql.connect(**{**Endpoint(port).keywords(), **login})
            errors.append(error.value.args)
        return errors

    return ask


@pytest.fixture
def account(topology):
    """Makes accounts that are dropped after the test."""
    made = []

    def make(name, definition, *more):
        made.append(name)
        topology.primary.sql(f"CREATE OR REPLACE USER {name} {definition}", *more)
        topology.settle()

    yield make
    for name in made:
        topology.primary.sql(f"DROP USER IF EXISTS {name}")


def equal(refusals, code):
    """Whether hadal's refusal is the server's, number and text."""
    ours, theirs = refusals
    assert theirs[0] == code
    assert ours == theirs
    return True


@pytest.mark.parametrize(
    "login",
    [
        {"password": "wrong"},
        {"password": ""},
        {"user": "nobody-here"},
        {"user": "nobody-here", "password": ""},
        {"database": "no_such_database"},
        {"database": "mysql"},
    ],
    ids=str,
)
def test_refusals_are_the_servers_own(refusal, login):
    ours, theirs = refusal(**login)
    assert ours == theirs


def test_an_account_of_another_host_is_refused(refusal, account):
    account("'far'@'10.9.8.7'", "IDENTIFIED BY 'secret'")
    eventually(lambda: equal(refusal(user="far", password="secret", database=None), 1045), within=2)


def test_a_locked_account_is_refused(refusal, account):
    account("'locked'@'%'", "IDENTIFIED BY 'secret' ACCOUNT LOCK")
    # Made at the server behind hadal's back: it is known within a second.
    eventually(lambda: equal(refusal(user="locked", password="secret", database=None), 4151), within=2)


def test_a_new_account_works_at_once(account, endpoint, topology):
    account("'newcomer'@'%'", "IDENTIFIED BY 'first'", "GRANT SELECT ON app.* TO 'newcomer'@'%'")
    login = endpoint.keywords(user="newcomer", password="first")

    def logs_in():
        with pymysql.connect(**login) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT CURRENT_USER()")
            return cursor.fetchone() == ("newcomer@%",)

    eventually(logs_in, within=2, what="the new account logs in")


def comes_as(endpoint, user, password):
    pymysql.connect(**endpoint.keywords(user=user, password=password)).close()


def changes_to(endpoint, user, password):
    with WireClient(endpoint.host, endpoint.port) as client:
        client.login(endpoint.user, endpoint.password, endpoint.database)
        # An empty proof with a named plugin makes the server ask with a fresh challenge.
        claim = b"\x11" + user.encode() + b"\0" + b"\x00" + b"app\0" + (45).to_bytes(2, "little")
        client.send(claim + b"mysql_native_password\0")
        challenge = Reader(client.receive()[1:])
        challenge.until_nul()
        client.send(native_scramble(password, challenge.rest()[:20]), client.sequence + 1)
        packet = client.receive()
        assert packet[:1] == b"\x00", ServerError(packet)


@pytest.fixture
def disconnecting(topology):
    """Says whether the primary lets clients in whose password has expired."""

    def say(whether):
        topology.primary.sql(f"SET GLOBAL disconnect_on_expired_password = {whether}")

    yield say
    say("OFF")


def try_all(connection, statements):
    """What each statement gives, an error's number and text included."""
    outcomes = []
    for statement in statements:
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                outcomes.append(cursor.fetchall())
        except (pymysql.err.MySQLError, MySQLdb.MySQLError) as error:
            outcomes.append(error.args)
    return outcomes


@pytest.mark.parametrize("enters", [pymysql.connect, MySQLdb.connect], ids=["pymysql", "mysqlclient"])
def test_an_expired_password_can_be_changed_and_nothing_else(account, endpoint, topology, enters):
    statements = [
        "SELECT 1", "USE app", "BEGIN", "PREPARE s FROM 'SELECT 2'", "SET NAMES latin1", "SHOW WARNINGS",
        "SET PASSWORD = PASSWORD('new')", "SELECT DATABASE(), CURRENT_USER()", "SHOW VARIABLES LIKE 'character_set_client'",
        "CREATE TEMPORARY TABLE t AS SELECT 3 AS n", "SELECT n FROM t",
    ]

    def outcomes(port):
        account("'overdue'@'%'", "IDENTIFIED BY 'old' PASSWORD EXPIRE", "GRANT ALL ON app.* TO 'overdue'@'%'")
        login = endpoint.keywords(port=port, user="overdue")
        with contextlib.closing(eventually(lambda: enters(**{**login, "password": "old"}), within=2)) as connection:
            seen = try_all(connection, statements)
        enters(**{**login, "password": "new"}).close()
        return seen

    ours, theirs = outcomes(endpoint.port), outcomes(topology.primary.port)
    assert theirs[0][0] == 1820 and theirs[-1] == ((3,),)
    assert ours == theirs


CHANGES = {"expired": ("overdue", "old"), "wrong": ("overdue", "wrong"), "nobody": ("nobody-here", "x")}


@pytest.mark.parametrize("disconnects", ["OFF", "ON"])
@pytest.mark.parametrize("able", [0, capability.CAN_HANDLE_EXPIRED_PASSWORDS], ids=["", "able"])
@pytest.mark.parametrize("claim", CHANGES.values(), ids=CHANGES)
def test_mysqlclient_changes_its_user(account, disconnecting, endpoint, topology, able, disconnects, claim):
    """Into an account whose password has expired, or not at all: MariaDB's C library sees what it sees without hadal."""
    disconnecting(disconnects)
    change = "SET PASSWORD FOR 'overdue'@'%' = PASSWORD('new')"
    statements = ["SELECT CURRENT_USER(), DATABASE(), @a", "SELECT * FROM mine", change, "SELECT DATABASE(), CURRENT_USER(), @a"]

    def outcomes(port):
        account("'overdue'@'%'", "IDENTIFIED BY 'old' PASSWORD EXPIRE", "GRANT ALL ON app.* TO 'overdue'@'%'")
        with contextlib.closing(MySQLdb.connect(**endpoint.keywords(port=port, client_flag=able))) as connection:
            seen = try_all(connection, ["SET @a = 1", "CREATE TEMPORARY TABLE mine (id INT)"])
            try:
                connection.change_user(*claim, endpoint.database)
                seen.append("changed")
            except MySQLdb.MySQLError as error:
                seen.append(error.args)
            return seen + try_all(connection, statements)

    theirs = outcomes(topology.primary.port)
    changed, first = theirs[2], theirs[3]
    assert changed == "changed" and first[0] == 1820 or changed[0] in (1045, 1862) and first == (("app@%", "app", None),)
    # The account was made anew behind hadal's back: that is known within a second.
    eventually(lambda: outcomes(endpoint.port) == theirs, within=5, what=f"{theirs} through hadal")


@pytest.mark.parametrize("enters", [comes_as, changes_to])
def test_who_may_not_come_with_an_expired_password_is_told(refusal, account, disconnecting, endpoint, enters):
    disconnecting("ON")
    account("'overdue'@'%'", "IDENTIFIED BY 'old' PASSWORD EXPIRE", "GRANT ALL ON app.* TO 'overdue'@'%'")
    eventually(lambda: equal(refusal(user="overdue", password="old"), 1862), within=2)
    # Who knows what to do about it may come all the same.
    able = endpoint.keywords(user="overdue", password="old", client_flag=capability.CAN_HANDLE_EXPIRED_PASSWORDS)
    with pymysql.connect(**able) as connection:
        assert try_all(connection, ["SELECT 1"])[0][0] == 1820
    with pytest.raises((pymysql.err.OperationalError, AssertionError)) as error:
        enters(endpoint, "overdue", "old")
    assert "1862" in str(error.value)
    assert equal(refusal(user="overdue", password="wrong"), 1045)


@pytest.mark.parametrize("enters", [comes_as, changes_to])
def test_whoever_comes_waits_for_accounts_that_are_being_read(account, endpoint, topology, enters):
    account("'patient'@'%'", "IDENTIFIED BY 'old'", "GRANT SELECT ON app.* TO 'patient'@'%'")
    eventually(lambda: comes_as(endpoint, "patient", "old") is None, within=2)

    def reading():
        waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock'"
        return topology.primary.sql(waiting) == ((1,),)

    with topology.primary.connect() as locker, locker.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("SET PASSWORD FOR 'patient'@'%' = PASSWORD('new')")
        cursor.execute("LOCK TABLES mysql.global_priv WRITE")
        entering = pool.submit(enters, endpoint, "patient", "new")
        eventually(reading, within=2)
        # The servers were looked at meanwhile; that is no reason to refuse.
        with pytest.raises(FutureTimeout):
            entering.result(0.4)
        cursor.execute("UNLOCK TABLES")
        entering.result(10)


@pytest.fixture
def crowd(topology):
    """So many accounts on the primary that reading them takes a while."""
    gone = "DELETE FROM mysql.global_priv WHERE user LIKE 'crowd%'"
    come = "INSERT INTO mysql.global_priv SELECT '%', CONCAT('crowd', seq), '{}' FROM app.seq_1_to_3000"
    topology.primary.sql("SET sql_log_bin = 0", come, "FLUSH PRIVILEGES")
    yield
    topology.primary.sql("SET sql_log_bin = 0", gone, "FLUSH PRIVILEGES")


def test_an_account_made_again_and_again_logs_in_at_once(account, crowd, endpoint):
    account("'phoenix'@'%'", "IDENTIFIED BY ''")
    login = endpoint.keywords(user="phoenix", password="", database=None)
    maker = endpoint.keywords(user=ADMIN_USER, password=ADMIN_PASSWORD, autocommit=True)
    with pymysql.connect(**maker) as connection, connection.cursor() as cursor:
        # What comes back within a second is equal to the last byte, and hadal reads the accounts all the while.
        for _ in range(40):
            cursor.execute("CREATE OR REPLACE USER 'phoenix'@'%'")
            cursor.execute("DROP USER 'phoenix'@'%'")
            cursor.execute("CREATE USER 'phoenix'@'%'")
            pymysql.connect(**login).close()


def test_a_changed_password_takes_effect_and_the_old_one_ends(account, endpoint, topology):
    account("'changing'@'%'", "IDENTIFIED BY 'old'", "GRANT SELECT ON app.* TO 'changing'@'%'")
    login = endpoint.keywords(user="changing")
    eventually(lambda: pymysql.connect(**{**login, "password": "old"}).close() is None, within=2)
    topology.primary.sql("SET PASSWORD FOR 'changing'@'%' = PASSWORD('new')")
    topology.settle()
    eventually(lambda: pymysql.connect(**{**login, "password": "new"}).close() is None, within=2)

    def old_is_refused():
        try:
            pymysql.connect(**{**login, "password": "old"}).close()
        except pymysql.err.OperationalError as error:
            return error.args[0] == 1045
        return False

    eventually(old_is_refused, within=2, what="the old password is refused")


def test_an_account_without_a_password(account, endpoint):
    account("'open'@'%'", "IDENTIFIED BY ''", "GRANT SELECT ON app.* TO 'open'@'%'")
    login = endpoint.keywords(user="open", password="")
    eventually(lambda: pymysql.connect(**login).close() is None, within=2)


def test_rights_are_the_servers_business(account, endpoint, run, table):
    account("'reader'@'%'", "IDENTIFIED BY 'r'", "GRANT SELECT ON app.* TO 'reader'@'%'")
    login = endpoint.keywords(user="reader", password="r", autocommit=True)
    connection = eventually(lambda: pymysql.connect(**login), within=2)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        assert cursor.fetchone() == (3,)
        with pytest.raises(pymysql.err.OperationalError) as error:
            cursor.execute(f"DELETE FROM {table}")
        assert error.value.args[0] == 1142


def test_many_wrong_passwords_block_nobody(endpoint, run):
    for _ in range(150):
        with pytest.raises(pymysql.err.OperationalError) as error:
            pymysql.connect(**endpoint.keywords(password="wrong"))
        assert error.value.args[0] == 1045
    assert run("SELECT 1") == ((1,),)
    assert endpoint.password == APP_PASSWORD


def test_compression_that_is_not_there_is_refused(endpoint, binary):
    if binary is None:
        pytest.skip("a server has compression")
    client = WireClient(endpoint.host, endpoint.port, 5)
    with contextlib.closing(client), pytest.raises(ServerError) as refusal:
        client.greet().capabilities |= capability.COMPRESS
        asked = capability.DEFAULT | capability.COMPRESS
        client.send(client.response(endpoint.user, endpoint.password, "app", capabilities=asked), 1)
        raise ServerError(client.receive())
    assert refusal.value.code == 1043
    assert "compression" in str(refusal.value)
