"""Settings that change where statements go."""

import pymysql
import pytest

pytestmark = pytest.mark.gateway


def name(cursor, suffix=""):
    cursor.execute(f"SELECT name FROM whoami{suffix}")
    return cursor.fetchone()[0]


@pytest.fixture
def split(own_topology):
    topology = own_topology(replicas=2, user='transaction_split = "until-first-write"')
    topology.primary.sql("CREATE TABLE app.cart (id INT PRIMARY KEY AUTO_INCREMENT)")
    topology.settle()
    return topology


def check(topology, body):
    """`body(cursor)` on a connection of its own, while all replicas are in the rotation."""

    def sample():
        with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as connection:
            with connection.cursor() as cursor:
                return body(cursor)

    return topology.undisturbed(sample)


@pytest.mark.parametrize("begin", ["BEGIN", "SET autocommit = 0"])
def test_a_split_transaction_reads_one_replica_until_it_writes(split, begin):
    def transaction(cursor):
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute(begin)
        before = {name(cursor) for _ in range(10)}
        assert len(before) == 1 and "server-1" not in before
        cursor.execute("INSERT INTO cart VALUES (NULL)")
        assert {name(cursor) for _ in range(10)} == {"server-1"}
        cursor.execute("SELECT COUNT(*) FROM cart")
        seen = cursor.fetchone()[0]
        cursor.execute("COMMIT")
        cursor.execute("SET autocommit = 1")
        cursor.execute("SELECT COUNT(*) FROM cart")
        assert cursor.fetchone() == (seen,)

    # A session that has written may wait for its replica or read the primary; a new one has nothing to wait for.
    for _ in range(5):
        check(split, transaction)


def test_a_split_transaction_goes_over_with_a_locking_read(split):
    def transaction(cursor):
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("BEGIN")
        assert name(cursor) != "server-1"
        assert name(cursor, " FOR UPDATE") == "server-1"
        assert name(cursor) == "server-1"
        cursor.execute("ROLLBACK")

    check(split, transaction)


def test_repeatable_read_is_never_split(split):
    def transaction(cursor):
        cursor.execute("BEGIN")
        assert {name(cursor) for _ in range(10)} == {"server-1"}
        cursor.execute("ROLLBACK")

    check(split, transaction)


def test_the_primary_can_take_a_share_of_reads(own_topology):
    topology = own_topology(replicas=1, cluster='primary_read_weight = 1\nbalance = "weighted-round-robin"')
    answers = check(topology, lambda cursor: [name(cursor) for _ in range(40)])
    assert set(answers) == {"server-1", "server-2"}
    assert 10 <= answers.count("server-1") <= 30


def test_a_hash_of_the_user_keeps_to_one_replica(own_topology):
    topology = own_topology(replicas=2, cluster='balance = "hash-user"')

    def five_connections():
        names = set()
        for _ in range(5):
            with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as connection:
                with connection.cursor() as cursor:
                    names |= {name(cursor) for _ in range(10)}
        return names

    answers = topology.undisturbed(five_connections)
    assert len(answers) == 1 and "server-1" not in answers


def test_eventual_consistency_does_not_wait(own_topology):
    topology = own_topology(replicas=1, delay=5, cluster='consistency = "eventual"\nmax_lag_ms = 60000')
    topology.primary.sql("CREATE TABLE app.later (id INT)")
    topology.settle()
    inserted = 0

    def write_and_read(cursor):
        nonlocal inserted
        cursor.execute("INSERT INTO later VALUES (1)")
        inserted += 1
        assert name(cursor) == "server-2"
        cursor.execute("SELECT COUNT(*) FROM later")
        assert cursor.fetchone()[0] < inserted

    check(topology, write_and_read)
