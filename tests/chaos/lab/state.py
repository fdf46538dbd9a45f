"""What the servers say of themselves, for the report of a failure."""

import pymysql

REPLICATION = (
    "Master_Host Slave_IO_Running Slave_SQL_Running Last_IO_Error Last_SQL_Error Slave_SQL_Running_State Gtid_IO_Pos "
    "Using_Gtid"
).split()
VARIABLES = "read_only gtid_binlog_state gtid_slave_pos rpl_semi_sync_master_enabled".split()
WAITING = (
    "SELECT state, user, COUNT(*), MAX(time), LEFT(MAX(info), 60) FROM information_schema.processlist "
    "WHERE command NOT IN ('Sleep', 'Daemon') AND id <> CONNECTION_ID() GROUP BY state, user"
)


def describe(server):
    if not server.is_running:
        return f"{server}: dead\n{(server.folder / 'error.log').read_text(errors='replace')[-1500:]}"
    if server.is_frozen:
        return f"{server}: frozen"
    try:
        lines = [f"{server}:", *variables(server), *replication(server)]
        rows = server.sql(WAITING, read_timeout=5)
        return "\n  ".join([*lines, *(" | ".join(map(str, row)) for row in rows)])
    except (pymysql.err.MySQLError, OSError) as error:
        return f"{server}: cannot be asked: {error}"


def variables(server):
    yield ", ".join(f"{name}={server.variable(name)}" for name in VARIABLES)
    names = [f"Rpl_semi_sync_{name}" for name in ("master_status", "master_clients", "master_wait_sessions", "slave_status")]
    yield ", ".join(f"{name}={server.status(name)}" for name in names)


def replication(server):
    status = server.replication()
    return [f"{name}: {status[name]}" for name in REPLICATION if status.get(name)]
