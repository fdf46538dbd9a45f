"""Many idle sessions: what they cost in memory, and whether busy clients beside them see an error."""

from . import sysbench
from .client import Client, ClientError


def open_sessions(port, count):
    """Log in `count` times; every session has run one statement when this returns."""
    sessions = []
    try:
        for number in range(count):
            session = Client(port, sysbench.USER, sysbench.PASSWORD, sysbench.DATABASE)
            sessions.append(session)
            _ask(session, number)
    except (OSError, ClientError) as error:
        close_sessions(sessions)
        raise ClientError(f"session {len(sessions)} of {count}: {error}") from error
    return sessions


def close_sessions(sessions):
    for session in sessions:
        session.close()


def _ask(session, number):
    answer = session.value(f"SELECT {number}")
    if answer != str(number):
        raise ClientError(f"asked for {number}, answered {answer}")


def idle_memory(port, child, count):
    """Resident bytes before and with `count` idle sessions, and the growth for each."""
    warm = open_sessions(port, 20)
    close_sessions(warm)
    before = child.resident_bytes()
    sessions = open_sessions(port, count)
    try:
        held = child.resident_bytes()
    finally:
        close_sessions(sessions)
    return {"sessions": count, "before_bytes": before, "held_bytes": held,
            "bytes_per_session": round((held - before) / count)}


def idle_and_active(port, server, idle, active, mode, seconds):
    """`active` clients under load beside `idle` ones; afterwards every idle one must still answer rightly."""
    server.sql("FLUSH STATUS")
    sessions = open_sessions(port, idle)
    result = {"idle": idle, "active": active, "mode": mode, "errors": []}
    try:
        load = sysbench.run(port, "oltp_point_select", mode, active, seconds)
        result.update(queries_per_second=load.queries_per_second, p99_ms=load.p99_ms)
        if load.ignored_errors or load.reconnects:
            result["errors"].append(f"{load.ignored_errors} ignored errors, {load.reconnects} reconnects")
        for number, session in enumerate(sessions):
            _ask(session, number)
    except (sysbench.LoadError, ClientError, OSError) as error:
        result["errors"].append(str(error))
    finally:
        close_sessions(sessions)
    used = server.sql("SHOW STATUS LIKE 'Max_used_connections'").split()
    result["server_connections_at_most"] = int(used[-1])
    return result
