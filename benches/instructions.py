#!/usr/bin/env python3
"""Instructions that hadal executes per statement, counted by valgrind: figures that other work on the machine leaves alone.

    instructions.py --hadal target/release/hadal --operations target/release/examples/operations
    instructions.py ... --update            write what was counted into benches/instructions.json

Operations are parts of a statement's way through hadal; statements go through the whole program, one worker, to a MariaDB
server, and their calls of the memory allocator are counted, too. Only instructions of the process are counted, not what
the kernel does for it. Exit code: 0, 1 if a figure is above the one kept by more than its tolerance, 2 wrong usage.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from measure import subjects, sysbench  # noqa: E402
from measure.callgrind import Counted, HadalCounted  # noqa: E402
from lab.process import LabError  # noqa: E402

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.json")
# How far above the kept figure a count may be. How many events one wake-up brings depends on the machine.
TOLERANCE = {"operations": 0.02, "statements": 0.05}
ALLOCATIONS_TOLERANCE = 0.2
STATEMENTS = [("oltp_point_select", 3000), ("oltp_read_only", 200), ("oltp_read_write", 200)]
CLIENTS = 16
# With io_uring a wake-up brings as many events as the machine has time to collect: that would be counted, too. Failover
# takes no part in a statement, and asks for a time that valgrind does not know (`CLOCK_BOOTTIME`).
SETTINGS = {"gateway.workers": "1", "gateway.io": '"epoll"', "clusters.main.failover": '"off"'}


def main():
    options = parse()
    folder = tempfile.mkdtemp(prefix="hadal-instructions-", dir="/tmp")
    try:
        counted = {"operations": operations(options.operations), "statements": statements(options.hadal, folder)}
    except (LabError, sysbench.LoadError, subprocess.SubprocessError) as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    kept = {}
    if os.path.exists(KEPT):
        with open(KEPT, encoding="utf-8") as file:
            kept = json.load(file)
    misses = list(compare(counted, kept))
    if options.update:
        with open(KEPT, "w", encoding="utf-8") as file:
            json.dump(counted, file, indent=1)
            file.write("\n")
        return 0
    print("\n".join(f"above the kept figure: {miss}" for miss in misses))
    return 1 if misses else 0


def operations(program):
    """{name: instructions of one}: the difference of two runs, so that starting the program does not count."""
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    few, many = 1000, 3000
    return {name: {"instructions": round((run_operation(program, name, many) - run_operation(program, name, few))
                                         / (many - few), 1)} for name in names}


def run_operation(program, name, times):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, str(times)],
                          capture_output=True, text=True, check=True, timeout=120)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def statements(program, folder):
    """{workload and mode: instructions and allocations of one query}, logins subtracted."""
    lab = subjects.Lab(folder)
    counted = {}
    try:
        lab.start([], None, {}, False)
        hadal = HadalCounted(program, os.path.join(folder, "hadal"), lab.servers, SETTINGS)
        lab.proxies.append(hadal)
        hadal.start()
        for workload, events in STATEMENTS:
            for mode in sysbench.PS_MODES:
                load(hadal.port, workload, mode, 10 * CLIENTS)
                few = hadal.count(lambda: load(hadal.port, workload, mode, CLIENTS))
                many = hadal.count(lambda: load(hadal.port, workload, mode, CLIENTS + events))
                counted[f"{workload} {mode}"] = Counted.per_query(few, many)
    finally:
        lab.stop()
    return counted


def load(port, workload, mode, events):
    """So many events, however long they take; returns the number of queries."""
    command = [part for part in sysbench.command(port, workload, mode, CLIENTS, 0) if not part.startswith("--time")]
    done = subprocess.run([*command, "--time=0", f"--events={events}", "run"], capture_output=True, text=True,
                          check=False, timeout=300)
    if done.returncode:
        raise sysbench.LoadError(done.stdout[-500:] + done.stderr[-300:])
    return int(re.search(r"queries:\s+(\d+)", done.stdout).group(1))


def compare(counted, kept):
    """Prints one line per figure and yields those that have grown."""
    for kind, figures in counted.items():
        for name, figure in figures.items():
            before = kept.get(kind, {}).get(name, {})
            line = f"{name:32}"
            for unit, value in figure.items():
                old = before.get(unit)
                line += f" {value:10,.1f} {unit}" + (f" (kept: {old:,.1f})" if old is not None else "")
                slack = ALLOCATIONS_TOLERANCE if unit == "allocations" else (old or 0) * TOLERANCE[kind]
                if old is not None and value > old + slack:
                    yield f"{name}: {value} {unit}, kept {old}"
            print(line, flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hadal", required=True, help="the program")
    parser.add_argument("--operations", required=True, help="the example `operations` of the crate gateway")
    parser.add_argument("--update", action="store_true", help="keep the new figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
