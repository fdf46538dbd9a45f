#!/usr/bin/env python3
"""One run, one table: a MariaDB server directly, through HAProxy in TCP mode, and through hadal.

    bench.py --hadal target/release/hadal                         everything: about 20 minutes
    bench.py --only direct,haproxy --threads 64 --rounds 1        a part
    bench.py --hadal PATH --replica                               also hadal splitting over primary and replica
    bench.py --hadal PATH --skip-load                             only memory and the crowd

Queries per second, 95th and 99th percentile of sysbench's event latency in milliseconds, and microseconds of processor
time (user and system) of the proxy process per query. Exit code: 0, 1 with --check if a target was missed, 2 wrong usage.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from measure import cells, crowd, report, subjects, sysbench  # noqa: E402
from measure.client import ClientError  # noqa: E402
from lab.process import LabError, raise_open_files  # noqa: E402

WORKLOADS = ("oltp_point_select", "oltp_read_only", "oltp_read_write")
SUBJECTS = ("direct", "haproxy", "hadal", "hadal-split")
SERVER_CONNECTIONS = 50
# The observer and its heartbeat talk to the server beside the pool.
OBSERVER_CONNECTIONS = 4


def main():
    options = parse()
    # An interrupt or a polite kill must still stop the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    files = raise_open_files(4 * options.idle + 2000)
    folder = tempfile.mkdtemp(prefix="hadal-bench-", dir="/tmp")
    try:
        document, text = measure(options, folder, files)
    except (LabError, sysbench.LoadError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.results:
        with open(options.results, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
    print(json.dumps(document, indent=1) if options.json else text)
    return 1 if options.check and document["misses"] else 0


def measure(options, folder, files):
    """Run all that was asked for; returns the record and the text."""
    results, memory, crowds = {}, {}, []
    grid = [cells.Cell(workload, mode, threads) for workload in options.workloads for mode in options.modes
            for threads in options.threads]
    if not options.skip_load:
        with_lab(folder, "load", options, {}, lambda lab: results.update(
            cells.measure(lab.subjects, grid, options.rounds, options.seconds, say)))
    if not options.skip_idle:
        check_files(files, options.idle)
        try:
            with_lab(folder, "idle", options, pool_settings(options), lambda lab: idle(lab, options, memory, crowds))
        except (LabError, sysbench.LoadError) as error:
            # What was measured before is still worth printing.
            memory["hadal"] = {"error": str(error)}
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "seconds": options.seconds,
               "rounds": options.rounds, "haproxy": version("haproxy", "-v"), "sysbench": version("sysbench", "--version"),
               "mariadb": version("mariadbd", "--version")}
    text = [report.table(results, [name for name in options.only if not options.skip_load])] if results else []
    text += report.memory_lines(memory) + report.crowd_lines(crowds)
    text += [f"target missed: {miss}" for miss in report.misses(results, memory, crowds)]
    return report.record(machine, results, memory, crowds), "\n".join(text)


def with_lab(folder, name, options, settings, work):
    """Servers for one part of the run: fresh ones, so that one part's settings and memory do not tint another's."""
    lab = subjects.Lab(os.path.join(folder, name))
    try:
        lab.start(options.only, options.hadal, {**options.settings, **settings}, options.replica)
        work(lab)
    finally:
        lab.stop()


def idle(lab, options, memory, crowds):
    """Memory of idle sessions for each proxy, then hadal with busy clients beside them."""
    for subject in lab.subjects:
        if not subject.child:
            continue
        say(f"{options.idle} idle sessions on {subject.name}")
        try:
            memory[subject.name] = crowd.idle_memory(subject.port, subject.child, options.idle)
        except ClientError as error:
            memory[subject.name] = {"error": str(error)}
    subject = lab.subject("hadal")
    for mode in options.modes if subject else ():
        say(f"{options.idle} idle and {options.active} active clients on hadal, {mode}")
        try:
            entry = crowd.idle_and_active(subject.port, lab.servers[0], options.idle, options.active, mode,
                                          options.seconds)
        except ClientError as error:
            entry = {"idle": options.idle, "active": options.active, "mode": mode, "errors": [str(error)],
                     "server_connections_at_most": 0}
        crowds.append({**entry, "allowed_connections": options.server_connections + OBSERVER_CONNECTIONS})


def pool_settings(options):
    return {options.pool_key: str(options.server_connections)}


def check_files(limit, sessions):
    if limit < 2 * sessions + 200:
        raise LabError(f"the limit of open files is {limit}; {sessions} sessions through a proxy need "
                       f"{2 * sessions + 200}: raise it with `ulimit -n` or use fewer with --idle")


def version(program, flag):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not path:
        return None
    shown = subprocess.run([path, flag], capture_output=True, text=True, check=False).stdout
    return (shown.splitlines() or [""])[0]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hadal", metavar="PATH", help="the hadal program, built for release")
    parser.add_argument("--only", type=names(SUBJECTS), help="direct,haproxy,hadal,hadal-split")
    parser.add_argument("--replica", action="store_true", help="a replica beside the primary, and hadal splitting")
    parser.add_argument("--workloads", type=names(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--modes", type=names(tuple(sysbench.PS_MODES)), default=list(sysbench.PS_MODES))
    parser.add_argument("--threads", type=lambda text: [int(item) for item in text.split(",")], default=[1, 16, 64, 256])
    parser.add_argument("--seconds", type=int, default=5, help="of each cell (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="the figures are their median (default: %(default)s)")
    parser.add_argument("--skip-load", action="store_true")
    parser.add_argument("--skip-idle", action="store_true")
    parser.add_argument("--idle", type=int, default=5000, help="idle sessions (default: %(default)s)")
    parser.add_argument("--active", type=int, default=500, help="active clients beside them (default: %(default)s)")
    parser.add_argument("--server-connections", type=int, default=SERVER_CONNECTIONS)
    parser.add_argument("--pool-key", default="clusters.main.pool.max_connections",
                        help="the setting that limits server connections (default: %(default)s)")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="TABLE.KEY=VALUE",
                        help="a setting of hadal's configuration, the value as TOML")
    parser.add_argument("--json", action="store_true", help="print the record instead of the table")
    parser.add_argument("--results", metavar="FILE", help="also write the record there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()
    options.settings = dict(item.split("=", 1) for item in options.settings)
    if options.only is None:
        options.only = ["direct", "haproxy"] + (["hadal"] if options.hadal else [])
        options.only += ["hadal-split"] if options.hadal and options.replica else []
    if any(name.startswith("hadal") for name in options.only) and not options.hadal:
        parser.error("--hadal names the program to measure (or leave it out with --only direct,haproxy)")
    if "hadal-split" in options.only:
        options.replica = True
    return options


def names(known):
    """A comma-separated choice."""
    def convert(text):
        wrong = [item for item in text.split(",") if item not in known]
        if wrong:
            raise argparse.ArgumentTypeError(f"{wrong[0]} is none of {', '.join(known)}")
        return text.split(",")
    return convert


if __name__ == "__main__":
    sys.exit(main())
