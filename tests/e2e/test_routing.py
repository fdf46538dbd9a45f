"""Which server answers: every server has its own row in `app.whoami`."""

import pytest
from e2e.harness.waiting import eventually

pytestmark = pytest.mark.gateway


@pytest.fixture
def who(run, topology):
    """The servers that answer `times` reads on a connection, while all of them are in the rotation."""

    def ask(on, prefix="", suffix="", times=20):
        statement = f"{prefix}SELECT name FROM whoami{suffix}"
        return topology.undisturbed(lambda: {run(statement, on=on)[0][0] for _ in range(times)})

    return ask


def test_reads_go_to_replicas_and_use_all_of_them(connect, who):
    connection = connect()
    assert who(connection, times=60) == {"server-2", "server-3"}


def test_locking_reads_go_to_the_primary(connect, who):
    connection = connect()
    for suffix in (" FOR UPDATE", " LOCK IN SHARE MODE"):
        assert who(connection, suffix=suffix) == {"server-1"}


@pytest.mark.parametrize("begin", ["BEGIN", "START TRANSACTION", "SET autocommit = 0"])
def test_a_transaction_stays_on_the_primary(connect, who, run, begin):
    connection = connect()
    run(begin, on=connection)
    assert who(connection) == {"server-1"}
    run("COMMIT", on=connection)
    run("SET autocommit = 1", on=connection)
    assert "server-1" not in who(connection)


def test_a_read_only_transaction_stays_on_one_replica(connect, run, topology):
    connection = connect()

    def transaction():
        run("START TRANSACTION READ ONLY", on=connection)
        names = {run("SELECT name FROM whoami", on=connection)[0][0] for _ in range(20)}
        run("COMMIT", on=connection)
        return names

    answers = topology.undisturbed(transaction)
    assert len(answers) == 1 and "server-1" not in answers


def test_a_client_reads_its_own_writes(connect, table):
    connection = connect()
    with connection.cursor() as cursor:
        for number in range(300):
            cursor.execute(f"INSERT INTO {table} (note) VALUES (%s)", (f"n{number}",))
            cursor.execute(f"SELECT note FROM {table} WHERE id = %s", (cursor.lastrowid,))
            assert cursor.fetchall() == ((f"n{number}",),)


def test_a_client_reads_its_own_writes_that_answer_with_rows(connect, table):
    """What Django does on MariaDB: the position of such a write is told at the end of a result set, or not at all."""
    connection = connect()
    with connection.cursor() as cursor:
        for number in range(300):
            cursor.execute(f"INSERT INTO {table} (note) VALUES (%s) RETURNING id", (f"n{number}",))
            cursor.execute(f"SELECT note FROM {table} WHERE id = %s", cursor.fetchone())
            assert cursor.fetchall() == ((f"n{number}",),)


def test_a_client_reads_its_own_writes_from_a_late_replica(own_topology):
    topology = own_topology(replicas=1, delay=2)
    import pymysql

    with pymysql.connect(**topology.endpoint.keywords(autocommit=True)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE late (id INT PRIMARY KEY)")
            for number in range(30):
                cursor.execute("INSERT INTO late VALUES (%s)", (number,))
                cursor.execute("SELECT COUNT(*) FROM late")
                assert cursor.fetchone() == (number + 1,)


def test_a_database_that_a_replica_does_not_have_yet_can_be_used(own_topology):
    # Late, and not so late that it takes no reads.
    topology = own_topology(replicas=1, delay=2, cluster="max_lag_ms = 60000")
    import pymysql

    def ask(database, *statements):
        with pymysql.connect(**topology.endpoint.keywords(database=database, autocommit=True)) as connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall()

    for number in range(3):
        topology.primary.sql(f"CREATE DATABASE fresh{number}", f"GRANT ALL ON fresh{number}.* TO 'app'@'%'")
        answer = ask(f"fresh{number}", "SELECT 1 FROM app.whoami LIMIT 1", "SELECT DATABASE()")
        assert answer == ((f"fresh{number}",),)


def test_committed_transactions_are_read_back(connect, table):
    connection = connect(autocommit=False)
    reader_count = 0
    with connection.cursor() as cursor:
        for _ in range(50):
            cursor.execute(f"INSERT INTO {table} (note) VALUES ('t')")
            connection.commit()
            reader_count += 1
            cursor.execute("SET autocommit = 1")
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            assert cursor.fetchone() == (3 + reader_count,)
            cursor.execute("SET autocommit = 0")


def test_hints_choose_the_server(connect, who, topology):
    connection = connect()
    assert who(connection, prefix="/* hadal: to=primary */ ") == {"server-1"}
    assert "server-1" not in who(connection, prefix="/* hadal: to=replica */ ")
    third = topology.servers[2]
    hint = f"/* hadal: to=127.0.0.1:{third.port} */ "
    assert who(connection, prefix=hint) == {"server-3"}


def test_prepared_reads_are_split_and_shared(topology, endpoint):
    from wire.client import WireClient
    from wire.codec import execute_payload

    with WireClient(endpoint.host, endpoint.port) as client:
        client.login(endpoint.user, endpoint.password, endpoint.database)
        packets = client.command(b"\x16SELECT name FROM whoami")
        statement = int.from_bytes(packets[0][1:5], "little")

        def answers():
            return {client.command(execute_payload(statement, [], []))[-2][-8:] for _ in range(60)}

        assert topology.undisturbed(answers) == {b"server-2", b"server-3"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT GET_LOCK('routing', 0), name FROM whoami",
        "SELECT name INTO @n FROM whoami",
        "SELECT @n := name FROM whoami",
        "CREATE TEMPORARY TABLE IF NOT EXISTS tmp_route AS SELECT name FROM whoami",
    ],
)
def test_reads_with_side_effects_keep_to_the_primary(connect, run, statement):
    connection = connect()
    rows = run(statement, on=connection)
    if statement.startswith("SELECT GET_LOCK"):
        assert rows == ((1, "server-1"),)
        run("DO RELEASE_LOCK('routing')", on=connection)
    elif "@n" in statement:
        assert run("SELECT @n", on=connection) == (("server-1",),)
    else:
        assert run("SELECT name FROM tmp_route", on=connection) == (("server-1",),)


def test_a_writing_function_never_reaches_a_replica(topology, connect, run, table):
    topology.primary.sql(
        f"CREATE OR REPLACE FUNCTION app.note_down() RETURNS INT MODIFIES SQL DATA "
        f"BEGIN INSERT INTO app.{table} (note) VALUES ('from a function'); RETURN 1; END"
    )
    topology.settle()
    connection = connect()
    for _ in range(20):
        assert run("SELECT note_down()", on=connection) == ((1,),)
    assert topology.primary.sql(f"SELECT COUNT(*) FROM app.{table} WHERE note LIKE 'from%'") == ((20,),)


def test_explain_route_says_where_and_why(topology, run):
    def explained(statement):
        rows = topology.undisturbed(lambda: run(f"EXPLAIN ROUTE {statement}"))
        return " ".join(str(value) for row in rows for value in row)

    assert "replica" in explained("SELECT 1")
    assert "primary" in explained("DELETE FROM whoami WHERE name = 'x'")


LIARS = {
    "user_variable": "SET @liar = 5; RETURN 1;",
    "insert_id": "RETURN LAST_INSERT_ID(4711);",
    "lock": "RETURN GET_LOCK('liar', 0);",
    "procedure": "CALL liar_p(); RETURN 1;",
    "writes": "INSERT INTO liar_log VALUES (1); RETURN 1;",
}


@pytest.mark.parametrize("what", LIARS)
@pytest.mark.parametrize("nested", [False, True])
def test_functions_that_do_more_than_they_declare(topology, connect, run, what, nested):
    names = ["liar", "liars_friend"]
    topology.primary.sql(
        "CREATE TABLE app.liar_log (a INT)",
        "CREATE PROCEDURE app.liar_p() SET @liar = 5",
        f"CREATE FUNCTION app.liar() RETURNS INT READS SQL DATA BEGIN {LIARS[what]} END",
        "CREATE FUNCTION app.liars_friend() RETURNS INT READS SQL DATA RETURN liar()",
        database="app",
    )
    topology.settle()
    connection = connect()
    try:
        call = f"SELECT {names[nested]}(), name FROM whoami"
        # Of a function that is known at all.
        route = eventually(lambda: [r for r in run(f"EXPLAIN ROUTE {call}") if "catalogue" not in str(r)])
        assert "replica" not in str(route)
        for _ in range(4):
            assert run(call, on=connection)[0][1] == topology.primary.name
        if what in ("user_variable", "procedure"):
            assert run("SELECT @liar", on=connection) == ((5,),)
        if what == "insert_id":
            # On a server, too, it is gone with the function.
            assert run("SELECT LAST_INSERT_ID()", on=connection) == ((0,),)
        if what == "lock":
            assert run("SELECT IS_USED_LOCK('liar') = CONNECTION_ID()", on=connection) == ((1,),)
        if what == "writes":
            assert run("SELECT COUNT(*) FROM liar_log", on=connection) == ((4,),)
    finally:
        connection.close()
        topology.primary.sql(
            "DROP FUNCTION app.liars_friend", "DROP FUNCTION app.liar", "DROP PROCEDURE app.liar_p", "DROP TABLE app.liar_log"
        )
