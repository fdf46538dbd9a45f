"""Many sessions that take turns on few server connections, each beside a twin on a connection of its own.

Whatever one session does to its connection, no other may notice: every packet of every session must be the one that its
twin gets, and all session variables must have the twin's values. The sessions use tables of their own, so that they
never wait for each other.

This searches: what it finds becomes a test of its own, such as those in `test_hostile.py`. What it still finds are
differences that no session can take for another's: `AUTO_INCREMENT` in `SHOW CREATE TABLE` on a replica,
`FOUND_ROWS()` after statements that find nothing.
"""

import contextlib
import random
import re

import pytest
from e2e.harness.topology import Topology
from e2e.hostile import change_user
from e2e.statements import SETUP, Stream
from e2e.test_differential import SHAPES, Side, in_fixed_order, shown
from e2e.test_hostile import beside
from wire.client import ServerError

SESSIONS = 8

SETTINGS = [
    "SET SESSION {}",
    "SET LOCAL {}",
    "SET {}",
    "SET @@{}",
    "SET @@session.{}",
    "SET @@local.{}",
    "/*!40101 SET {} */",
    "/*!40101 SET @@{} */",
    "/*M!100100 SET @@{} */",
    "SET @x = 1, @@{}",
    "SET {}, @x = 2",
    "SET STATEMENT max_statement_time = 5 FOR SET {}",
    "BEGIN NOT ATOMIC SET {}; END",
    "EXECUTE IMMEDIATE 'SET @@{}'",
]

VARIABLES = [
    "sql_mode = ANSI_QUOTES",
    "sql_mode = DEFAULT",
    "time_zone = SYSTEM",
    "sql_select_limit = 3",
    "sql_select_limit = DEFAULT",
    "max_join_size = 100000",
    "div_precision_increment = 7",
    "lc_time_names = de_DE",
    "default_storage_engine = MyISAM",
    "foreign_key_checks = 0",
    "unique_checks = OFF",
    "sql_auto_is_null = 1",
    "sql_warnings = 1",
    "sql_notes = 0",
    "group_concat_max_len = 99",
    "collation_connection = latin1_bin",
    "character_set_client = latin1",
    "character_set_connection = utf8mb3",
    "character_set_filesystem = latin1",
    "collation_database = latin1_swedish_ci",
    "collation_server = latin1_swedish_ci",
    "autocommit = 0",
    "autocommit = 1",
    "tx_isolation = 'SERIALIZABLE'",
    "tx_isolation = 'READ-COMMITTED'",
    "tx_read_only = 1",
    "tx_read_only = 0",
    "wait_timeout = 1234",
    "interactive_timeout = 777",
    "net_write_timeout = 61",
    "lock_wait_timeout = 11",
    "innodb_lock_wait_timeout = 12",
    "max_statement_time = 9",
    "optimizer_switch = 'index_merge=off'",
    "old_mode = ''",
    "completion_type = 0",
    "big_tables = 1",
    "updatable_views_with_limit = NO",
    "auto_increment_increment = 2",
    "auto_increment_offset = 2",
    "last_insert_id = 77",
    "insert_id = 5000",
    "timestamp = 1700000000",
    "timestamp = DEFAULT",
    "eq_range_index_dive_limit = 5",
    "profiling = 0",
    "no_such_variable = 1",
    "sql_mode = nonsense",
    "max_allowed_packet = 1",
]

LEFTOVERS = [
    "SET NAMES utf8mb3",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET NAMES latin1 COLLATE latin1_german1_ci",
    "SET NAMES DEFAULT",
    "SET TRANSACTION READ ONLY",
    "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION READ WRITE",
    "SET ROLE NONE",
    "SELECT @v := IFNULL(@v, 0) + 1",
    "SELECT MAX(id) FROM diff_t INTO @w",
    "SELECT @v, @w, @x",
    "DO @v := 7",
    "DO GET_LOCK(CONCAT('diff_lock_', 'x'), 0)",
    "SELECT IS_FREE_LOCK('diff_lock_x')",
    "SELECT RELEASE_LOCK('diff_lock_x'), RELEASE_ALL_LOCKS()",
    "LOCK TABLES diff_t WRITE",
    "LOCK TABLES diff_t READ",
    "UNLOCK TABLES",
    "HANDLER diff_t OPEN AS h",
    "HANDLER h READ FIRST",
    "HANDLER h CLOSE",
    "CREATE TEMPORARY TABLE diff_t (only_mine INT)",
    "DROP TEMPORARY TABLE diff_t",
    "INSERT INTO diff_t (id, word) VALUES (LAST_INSERT_ID(4321), 'x')",
    "SELECT LAST_INSERT_ID()",
    "SELECT LAST_INSERT_ID(99)",
    "SELECT @@last_insert_id, @@identity",
    "SHOW COUNT(*) ERRORS",
    "SELECT @@error_count, @@warning_count",
    "SELECT @n",
    "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'of my own'",
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'of my own'",
    "XA START 'diff_xa'",
    "XA END 'diff_xa'",
    "XA ROLLBACK 'diff_xa'",
    "CREATE OR REPLACE TABLE diff_new AS SELECT 1 AS a",
    "INSERT INTO diff_new VALUES (2)",
    "TRUNCATE diff_new",
    "DROP TABLE IF EXISTS diff_new",
    "FLUSH TABLES diff_t",
    "USE diff_db",
    "USE app",
    "SELECT DATABASE(), @@collation_database",
    "SELECT CONNECTION_ID() > 0",
    "CREATE OR REPLACE VIEW diff_v AS SELECT id, @@sql_mode AS mode FROM diff_t",
    "SELECT COUNT(*), MAX(mode) FROM diff_v",
    "ROLLBACK AND CHAIN",
    "SET autocommit = 1; SELECT @@autocommit",
    "SELECT 1; SET @@session.sql_mode = 'ANSI'; SELECT @@sql_mode",
    "BEGIN; SELECT 1; COMMIT",
    "SELECT SQL_CALC_FOUND_ROWS id FROM diff_t ORDER BY id LIMIT 1; SELECT FOUND_ROWS()",
]

# What differs between two servers, or by the moment.
OWN = re.compile(
    "^(GTID_|LAST_GTID|.*SERVER_ID|PSEUDO_THREAD_ID|RAND_SEED|TIMESTAMP|.*PORT$|HOSTNAME|SOCKET|PID_FILE|DATADIR|LOG_|"
    "GENERAL_LOG|SLOW_QUERY|TMPDIR|SLAVE_LOAD|RELAY|REPORT|RPL_|READ_ONLY|INNODB_(?!LOCK)|SESSION_TRACK|"
    "ERROR_COUNT|WARNING_COUNT|.*TIMEOUT$|SERVER_UID|CHARACTER_SET_DATABASE$)"
)
ALL = "SELECT variable_name, session_value FROM information_schema.system_variables WHERE session_value IS NOT NULL"


class Twin:
    """One session through hadal, and the same session on a connection of its own."""

    def __init__(self, endpoints, number, dice, stack):
        self.endpoints, self.number, self.dice, self.stack = endpoints, number, dice, stack
        self.stream = iter(Stream(f"{number}-{dice.random()}"))
        self.sides, self.shape = None, None
        self.history = []
        self.open()

    def open(self):
        self.close()
        self.shape = self.dice.choice(list(SHAPES))
        shape = SHAPES[self.shape]
        self.sides = [self.stack.enter_context(contextlib.closing(Closable(e, shape))) for e in self.endpoints]
        self.history = ["login"]
        # What FOUND_ROWS() gives on a new connection is left to chance by the server.
        self.both("first", lambda side: side.client.query("SELECT 1"))

    def close(self):
        for side in self.sides or []:
            side.close()

    def own(self, text):
        return re.sub(r"\bdiff_(\w+)", rf"diff_\1_{self.number}", text)

    def step(self):
        kind = self.dice.random()
        if kind < 0.03:
            return self.open()
        if kind < 0.06:
            self.both("reset", lambda side: side.client.command(b"\x1f"))
            # A reset leaves the collation of the database wrong, until it is entered once more.
            for database in ("information_schema", "app"):
                self.run(("text", f"USE {database}"))
            return None
        if kind < 0.08:
            return self.both("change user", lambda side: [change_user(side.client, side.endpoint)])
        if kind < 0.40:
            setting, variable = self.dice.choice(SETTINGS), self.dice.choice(VARIABLES)
            if self.is_beside_the_point(setting):
                return None
            return self.run(("text", setting.format(variable)))
        if kind < 0.75:
            return self.run(("text", self.dice.choice(LEFTOVERS)))
        step = next(self.stream)
        # Where hadal has to ask the server something after a statement, the count of its rows is lost.
        return None if "ROW_COUNT" in step[1] else self.run(step)

    def is_beside_the_point(self, setting):
        """hadal names the scope where a client names none, which the server then reports."""
        return re.search(r"@@(?!session|local|global)", setting) and self.shape == "session-track"

    def run(self, step):
        step = (step[0], self.own(step[1]), *step[2:])
        failed = self.both(step, lambda side: side.run(step))
        if failed and "INSERT" in step[1]:
            # Undefined after an error, by the manual.
            self.both("known insert id", lambda side: side.client.query("DO LAST_INSERT_ID(7)"))

    def both(self, what, act):
        """Has both act; whether they were answered with an error."""
        self.history.append(what)
        ours, theirs = (self.answer(side, act) for side in self.sides)
        if ours and isinstance(ours[0], bytes) and b"no longer known" in ours[0]:
            self.history.append("(refused: the connection that knew serves others)")
        elif ours != theirs:
            different = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
            self.fail(f"  through hadal: {shown(ours, different)}\n  directly:      {shown(theirs, different)}")
        return any(isinstance(packet, bytes) and packet[:1] == b"\xff" for packet in theirs)

    @staticmethod
    def answer(side, act):
        return [without_flag(in_fixed_order(p, side.client.capabilities)) for p in act(side)]

    def check(self):
        """The variables of both, which must not disturb what the session knows of its last statement."""
        ours, theirs = (self.variables(side) for side in self.sides)
        wrong = {name: (ours.get(name), theirs.get(name)) for name in theirs if ours.get(name) != theirs.get(name)}
        if wrong:
            self.fail(f"  variables (through hadal, directly): {wrong}")
        self.both("user variables", lambda side: side.client.query("SELECT @a, @b, @c, @v, @w, @x, @n, DATABASE()"))

    @staticmethod
    def variables(side):
        try:
            rows = side.client.rows(ALL)
        except ServerError as error:
            return {"refused": error.code}
        # In a wide character set the digits have zeroes in between.
        names = [tuple((value or b"").replace(b"\0", b"").decode("latin1") for value in row) for row in rows]
        return {name: value for name, value in names if not OWN.match(name)}

    def fail(self, text):
        recent = "\n  ".join(str(step)[:200] for step in self.history[-25:])
        pytest.fail(f"session {self.number}: {self.history[-1]}\n{text}\nbefore it, in this session:\n  {recent}")


def without_flag(packet):
    """An EOF packet without the flag of a changed state, which clients that take no trackers sometimes get."""
    if not isinstance(packet, bytes) or len(packet) != 5 or packet[:1] != b"\xfe":
        return packet
    return packet[:4] + bytes([packet[4] & ~0x40])


class Closable(Side):
    def __init__(self, endpoint, capabilities):
        super().__init__(endpoint, capabilities)
        self.endpoint = endpoint

    def close(self):
        self.client.close()


@pytest.fixture(scope="module")
def peers(scratch, template):
    made = [Topology(scratch / f"interleaved-{name}", template, replicas=n) for name, n in (("ours", 1), ("theirs", 0))]
    try:
        for topology in made:
            topology.start()
            for number in range(SESSIONS):
                own = [re.sub(r"\bdiff_(\w+)", rf"diff_\1_{number}", sql) for sql in SETUP]
                topology.primary.sql(*own, database="app")
                topology.primary.sql(f"CREATE DATABASE diff_db_{number} CHARACTER SET latin1")
            topology.primary.sql("GRANT ALL ON `diff\\_db\\_%`.* TO app@'%'")
            topology.settle()
        yield made
    finally:
        for topology in made:
            topology.destroy()


def test_no_session_notices_another(scratch, peers, binary, request):
    seed = request.config.getoption("--seed")
    count = request.config.getoption("--interleaved")
    if not count:
        pytest.skip("a search, not a proof: --interleaved 4500 --seed random")
    dice = random.Random(f"{seed}-interleaved")
    pool = "max_connections = 40"
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(beside(scratch, peers[0], binary, "interleaved", pool=pool))
        twins = [Twin((ours, peers[1].endpoint), number, dice, stack) for number in range(SESSIONS)]
        for _ in range(count):
            twin = dice.choice(twins)
            twin.step()
            if dice.random() < 0.1:
                twin.check()
