"""One run of sysbench: its command line, and what its report says."""

import re
import subprocess
from dataclasses import dataclass

USER, PASSWORD, DATABASE = "bench", "bench-lab", "sbtest"
TABLES, ROWS = 4, 10_000
PS_MODES = {"text": "disable", "prepared": "auto"}


class LoadError(Exception):
    """sysbench ended with an error, or its report could not be read."""


@dataclass(frozen=True)
class Load:
    """Counts of one run. Latencies are of sysbench's events: a query, or a whole transaction."""

    queries: int
    queries_per_second: float
    p95_ms: float
    p99_ms: float
    ignored_errors: int
    reconnects: int


def command(port, workload, mode, threads, seconds):
    """The arguments that all runs share: uniform keys, so that no row's lock is what is measured."""
    return ["sysbench", workload, "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={port}",
            f"--mysql-user={USER}", f"--mysql-password={PASSWORD}", f"--mysql-db={DATABASE}", f"--tables={TABLES}",
            f"--table-size={ROWS}", "--rand-type=uniform", f"--db-ps-mode={PS_MODES[mode]}", f"--threads={threads}",
            f"--time={seconds}", "--histogram=on", "--percentile=99"]


def run(port, workload, mode, threads, seconds):
    """Load the address for `seconds`; raises LoadError with sysbench's own words if it did not end well."""
    # Connecting hundreds of clients and preparing their statements comes before the measured time.
    limit = seconds * 2 + 60
    try:
        done = subprocess.run([*command(port, workload, mode, threads, seconds), "run"], capture_output=True,
                              text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired as expired:
        raise LoadError(f"did not end within {limit} s") from expired
    if done.returncode:
        complaints = [line for line in (done.stdout + done.stderr).splitlines() if "FATAL" in line or "ALERT" in line]
        raise LoadError("; ".join(complaints[:3]) or f"ended with {done.returncode}: {done.stderr[-300:]}")
    return parse(done.stdout)


def prepare(port):
    """Fill the tables."""
    done = subprocess.run([*command(port, "oltp_read_write", "text", TABLES, 1), "prepare"], capture_output=True,
                          text=True, check=False, timeout=300)
    if done.returncode:
        raise LoadError(f"prepare: {done.stdout[-500:]}{done.stderr[-500:]}")


def parse(report):
    """The numbers of sysbench's report."""
    return Load(
        queries=int(_find(report, r"^\s+queries:\s+(\d+)")),
        queries_per_second=float(_find(report, r"^\s+queries:\s+\d+\s+\(([\d.]+) per sec")),
        p95_ms=percentile(report, 0.95), p99_ms=percentile(report, 0.99),
        ignored_errors=int(_find(report, r"^\s+ignored errors:\s+(\d+)")),
        reconnects=int(_find(report, r"^\s+reconnects:\s+(\d+)")))


def percentile(report, share):
    """From the histogram, because the report itself gives only one percentile."""
    buckets = [(float(value), int(count))
               for value, count in re.findall(r"(?m)^\s+([\d.]+) \|\**\s+(\d+)$", report)]
    wanted, seen = share * sum(count for _, count in buckets), 0
    for value, count in buckets:
        seen += count
        if seen >= wanted:
            return value
    raise LoadError("no histogram in sysbench's report")


def _find(report, pattern):
    match = re.search(pattern, report, re.MULTILINE)
    if not match:
        raise LoadError(f"sysbench's report has no line like {pattern}")
    return match.group(1)
