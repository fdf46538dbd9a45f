"""The grid: every workload, mode and thread count for every subject, in interleaved rounds."""

import statistics
from dataclasses import asdict, dataclass

from . import sysbench


@dataclass(frozen=True)
class Cell:
    """One place of the grid."""

    workload: str
    mode: str
    threads: int


@dataclass
class Sample:
    """One measurement of one subject in one cell."""

    queries_per_second: float
    p95_ms: float
    p99_ms: float
    proxy_us_per_query: float = None


def measure(subjects, cells, rounds, seconds, say):
    """{(cell, subject name): {samples, median, error}}; noise of the machine hits all subjects of a cell alike."""
    results = {}
    for number in range(rounds):
        for cell in cells:
            # Another subject begins each round, so that none always runs on what the one before it left.
            shift = number % len(subjects)
            for subject in subjects[shift:] + subjects[:shift]:
                entry = results.setdefault((cell, subject.name), {"samples": [], "errors": []})
                say(f"round {number + 1}/{rounds} {cell.workload} {cell.mode} {cell.threads} {subject.name}")
                _once(subject, cell, seconds, entry)
    return results


def _once(subject, cell, seconds, entry):
    before = subject.child.cpu_seconds() if subject.child else None
    try:
        load = sysbench.run(subject.port, cell.workload, cell.mode, cell.threads, seconds)
    except sysbench.LoadError as error:
        entry["errors"].append(str(error))
        return
    sample = Sample(load.queries_per_second, load.p95_ms, load.p99_ms)
    if subject.child and load.queries:
        sample.proxy_us_per_query = (subject.child.cpu_seconds() - before) * 1e6 / load.queries
    entry["samples"].append(sample)


def median(entry):
    """The median of each figure over the rounds; None if no round ended well."""
    if not entry["samples"]:
        return None
    rows = [asdict(sample) for sample in entry["samples"]]
    return Sample(**{key: statistics.median(row[key] for row in rows) if rows[0][key] is not None else None
                     for key in rows[0]})
