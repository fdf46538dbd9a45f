"""The table for people, the record for machines, and the verdict against the targets."""

from dataclasses import asdict

from . import cells

# Processor time per query compared with HAProxy's in the same run, at 64 threads.
TARGETS = {"oltp_point_select": 1.0, "oltp_read_only": 1.1, "oltp_read_write": 1.1}
TARGET_THREADS = 64
IDLE_BYTES = 16 * 1024


def table(results, names):
    """One line per cell, four figures per subject, and hadal's processor time relative to HAProxy's."""
    heads = "".join(f" | {name + ': q/s  p95 ms  p99 ms  cpu µs':^36}" for name in names)
    lines = [f"{'workload':18}{'mode':9}{'threads':>7}{heads} | hadal/haproxy"]
    for cell in _cells(results):
        figures = {name: cells.median(results[(cell, name)]) for name in names}
        columns = "".join(f" | {_columns(figures[name], results[(cell, name)])}" for name in names)
        ratio = _ratio(figures, "hadal")
        lines.append(f"{cell.workload:18}{cell.mode:9}{cell.threads:7}{columns} | "
                     + (f"{ratio:.2f}" if ratio else "-"))
    return "\n".join(lines)


def _columns(sample, entry):
    if sample is None:
        return f"{'failed: ' + entry['errors'][0]:36.36}" if entry["errors"] else " " * 36
    cpu = "-" if sample.proxy_us_per_query is None else f"{sample.proxy_us_per_query:.1f}"
    mark = "!" if entry["errors"] else " "
    return f"{sample.queries_per_second:9,.0f} {sample.p95_ms:8.2f} {sample.p99_ms:8.2f} {cpu:>7}{mark}"


def _cells(results):
    return list(dict.fromkeys(cell for cell, _ in results))


def _ratio(figures, name):
    ours, theirs = figures.get(name), figures.get("haproxy")
    if not ours or not theirs or not theirs.proxy_us_per_query:
        return None
    return ours.proxy_us_per_query / theirs.proxy_us_per_query


def memory_lines(memory):
    return [f"{name:12} {entry['sessions']:,} idle sessions: {entry['held_bytes'] / 2**20:,.1f} MiB resident, "
            f"{entry['before_bytes'] / 2**20:,.1f} before, {entry['bytes_per_session'] / 1024:.1f} KiB a session"
            if "error" not in entry else f"{name:12} idle sessions: {entry['error']}"
            for name, entry in memory.items()]


def crowd_lines(crowd):
    lines = []
    for entry in crowd:
        verdict = "; ".join(entry["errors"]) or "no error"
        speed = f"{entry['queries_per_second']:,.0f} q/s" if "queries_per_second" in entry else "not measured"
        lines.append(f"{entry['idle']:,} idle and {entry['active']} active clients, {entry['mode']}: {speed}, at most "
                     f"{entry['server_connections_at_most']} server connections at once, {verdict}")
    return lines


def misses(results, memory, crowd):
    """Every target that this run did not reach; empty also where a target was not part of the run."""
    found = []
    for cell in _cells(results):
        for name in ("haproxy", "hadal"):
            entry = results.get((cell, name))
            if entry and entry["errors"]:
                found.append(f"{name} {cell.workload} {cell.mode} {cell.threads}: {entry['errors'][0]}")
        both = {name: cells.median(results[(cell, name)]) for name in ("haproxy", "hadal") if (cell, name) in results}
        ratio, target = _ratio(both, "hadal"), TARGETS.get(cell.workload)
        if cell.threads == TARGET_THREADS and ratio and target and ratio > target:
            found.append(f"{cell.workload} {cell.mode}: {ratio:.2f} x HAProxy's processor time, target {target}")
    entry = memory.get("hadal", {})
    if "error" in entry or entry.get("bytes_per_session", 0) > IDLE_BYTES:
        found.append(f"memory of an idle session: {entry.get('error') or entry['bytes_per_session']} bytes")
    for entry in crowd:
        found.extend(f"{entry['idle']} idle and {entry['active']} active: {error}" for error in entry["errors"])
        if entry["server_connections_at_most"] > entry["allowed_connections"]:
            found.append(f"{entry['server_connections_at_most']} server connections, "
                         f"allowed {entry['allowed_connections']}")
    return found


def record(machine, results, memory, crowd):
    """Everything, every single sample included, as plain data."""
    rows = []
    for (cell, name), entry in results.items():
        middle = cells.median(entry)
        rows.append({**asdict(cell), "subject": name, "median": asdict(middle) if middle else None,
                     "samples": [asdict(sample) for sample in entry["samples"]], "errors": entry["errors"]})
    return {"machine": machine, "cells": rows, "memory": memory, "crowd": crowd,
            "misses": misses(results, memory, crowd)}
