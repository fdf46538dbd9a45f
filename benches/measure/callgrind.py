"""hadal under callgrind: instructions and calls of the allocator, by function, between two moments."""

import collections
import glob
import os
import re
import subprocess
import time
from dataclasses import dataclass

from lab.gateway import Hadal
from lab.process import Child, LabError

ALLOCATORS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")


@dataclass(frozen=True)
class Counted:
    """What happened while `queries` statements were run."""

    queries: int
    instructions: int
    allocations: int

    @staticmethod
    def per_query(few, many):
        """Of one query more: what both runs have in common, such as logins, does not count."""
        queries = many.queries - few.queries
        return {"instructions": round((many.instructions - few.instructions) / queries, 1),
                "allocations": round((many.allocations - few.allocations) / queries, 2)}


@dataclass(frozen=True)
class Thread:
    """What one thread did; calls of allocating functions by each other are one allocation."""

    instructions: int
    allocations: int
    runs_sessions: bool


class HadalCounted(Hadal):
    """`hadal serve` whose instructions are counted only while `count` asks for it."""

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        path = os.path.join(self.folder, "hadal.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.configuration())
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
                   f"--callgrind-out-file={self.folder}/out", self.program, "serve", "--config", path]
        self.child = Child("hadal", command, os.path.join(self.folder, "log"))
        self.child.wait_port(self.port, 120)
        return self

    def count(self, load):
        """Counts while `load` runs, which returns the number of its queries."""
        self._control("--zero")
        self._control("--instr=on")
        queries = load()
        time.sleep(0.3)  # The last sessions end a moment after their clients.
        self._control("--instr=off")
        self._control("--dump")
        # One file for each dump and thread. Only workers run sessions; what the observer does takes no part.
        newest = max(int(re.search(r"out\.(\d+)-", path).group(1)) for path in glob.glob(f"{self.folder}/out.*-*"))
        threads = [read(path) for path in glob.glob(f"{self.folder}/out.{newest}-*")]
        workers = [thread for thread in threads if thread.runs_sessions]
        return Counted(queries, sum(w.instructions for w in workers), sum(w.allocations for w in workers))

    def _control(self, order):
        done = subprocess.run(["callgrind_control", order, str(self.child.pid)], capture_output=True, text=True,
                              check=False, timeout=60)
        if done.returncode or "Error" in done.stdout:
            raise LabError(f"callgrind_control {order}: {done.stdout}{done.stderr}")


def read(path):
    """One thread's part of a dump (its format: callgrind's manual)."""
    names, calls, total, called = {}, collections.Counter(), 0, False
    function = callee = None
    with open(path, encoding="utf-8", errors="replace") as dump:
        for line in dump:
            if match := re.match(r"(fn|cfn)=(\(\d+\))(?: (.*))?", line):
                kind, number, name = match.groups()
                name = names.setdefault(number, name or number)
                function, callee = (name, callee) if kind == "fn" else (function, name)
            elif line.startswith("calls="):
                called = True
                if callee in ALLOCATORS and function not in ALLOCATORS:
                    calls[callee] += int(line[6:].split()[0])
            elif re.match(r"[-+*\d]", line):
                # The line behind `calls=` has the cost of the call, which the callee's own lines have, too.
                total, called = total + (0 if called else int((line.split() + ["0"])[1])), False
    return Thread(total, sum(calls.values()), any("gateway::session::" in name for name in names.values()))
