"""A promotion by hand, for a hadal that does none: proves load and checker before there is anything to prove."""

import contextlib
import threading

import pymysql


def drain(replica):
    """Everything received is applied. The relay log is read to its end before any thread that reads it is stopped."""
    replica.sql("STOP SLAVE IO_THREAD")
    received = replica.replication()["Gtid_IO_Pos"]
    assert replica.sql(f"SELECT MASTER_GTID_WAIT('{received}', 20)")[0][0] == 0, f"{replica} does not drain {received}"
    return max([int(part.rsplit("-", 1)[1]) for part in received.split(",") if part], default=0)


def make_primary(server):
    server.sql(
        "STOP SLAVE",
        "RESET SLAVE ALL",
        "SET GLOBAL rpl_semi_sync_slave_enabled = 0",
        "SET GLOBAL rpl_semi_sync_master_enabled = 1",
    )


def fail_over(replicas):
    """The most advanced of the replicas becomes the primary; the others follow it. Returns the new primary."""
    best = max(replicas, key=drain)
    make_primary(best)
    for other in replicas:
        if other is not best:
            other.follow(best)
    best.sql("SET GLOBAL read_only = 0")
    return best


def switch_over(old, new, others):
    """As planned: no client's write is lost, whoever waits for the old primary is refused."""
    with block_writes(old):
        position = old.variable("gtid_binlog_pos")
        assert new.sql(f"SELECT MASTER_GTID_WAIT('{position}', 20)")[0][0] == 0
        make_primary(new)
    for other in [old, *others]:
        other.follow(new)
    new.sql("SET GLOBAL read_only = 0")


@contextlib.contextmanager
def block_writes(server):
    """Read-only, also for those who wait inside of a commit: who still runs after a moment is killed."""
    killer = threading.Timer(0.5, kill_writers, [server])
    killer.start()
    try:
        server.sql("SET GLOBAL read_only = 1")
        kill_writers(server)
        yield
    finally:
        killer.cancel()


def kill_writers(server):
    for number, user in server.sql("SELECT id, user FROM information_schema.processlist"):
        if user == "app":
            with contextlib.suppress(pymysql.err.MySQLError):
                server.sql(f"KILL CONNECTION {number}")
