"""The program: `python -m chaos.load JSON`. Commands come by standard input, one line each, answers go out as JSON lines."""

import json
import resource
import sys
import threading
import time
from dataclasses import astuple

from .idle import Idle
from .session import PATIENCE
from .workers import Appender, Reader, Thinker, Transaction, Writer

# When the load ends, a write that is held may still be answered for this long.
GRACE = 12


class Program:
    def __init__(self, options):
        self.options, self.stopping = options, threading.Event()
        where = options["where"]
        counts = {
            Writer: "writers",
            Transaction: "transactions",
            Reader: "readers",
            Appender: "appenders",
            Thinker: "thinkers",
        }
        kinds = [kind for kind, name in counts.items() for _ in range(options[name])]
        self.workers = [kind(number, where, self.stopping) for number, kind in enumerate(kinds, options["first"])]
        self.idle = [
            Idle(number, number >= options["idle"], where, self.stopping)
            for number in range(options["idle"] + options["marked"])
        ]

    def start(self):
        for idle in self.idle:
            idle.prepare()
        for worker in self.workers:
            worker.start()
        return {"ready": True}

    def since(self, when):
        """Acknowledged writes that began after `when`."""
        found = 0
        for worker in self.workers:
            for outcome in reversed(worker.outcomes):
                if outcome.began < when:
                    break
                found += outcome.state == "acknowledged"
        return {"acknowledged": found}

    def sessions(self):
        """What is wrong with idle sessions: with the plain ones, and with those that have a user variable."""
        problems = [(bool(idle.mark), idle.problem()) for idle in self.idle]
        return {
            "plain": [problem for marked, problem in problems if problem and not marked],
            "marked": [problem for marked, problem in problems if problem and marked],
        }

    def stop(self):
        self.stopping.set()
        deadline = time.monotonic() + GRACE
        for worker in self.workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        late = [worker for worker in self.workers if worker.is_alive()]
        for worker in late:
            worker.session.abort()
        for worker in late:
            worker.join(PATIENCE)
        used = resource.getrusage(resource.RUSAGE_SELF)
        everything = {
            "outcomes": [astuple(outcome) for worker in self.workers for outcome in worker.outcomes],
            "errors": [error for worker in self.workers for error in worker.errors],
            "history": [each for worker in self.workers if isinstance(worker, Appender) for each in worker.history],
            "stale": [stale for worker in self.workers for stale in worker.stale],
            "cpu_seconds": used.ru_utime + used.ru_stime,
        }
        with open(self.options["file"], "w", encoding="utf-8") as file:
            json.dump(everything, file)
        return {"stopped": True}

    def serve(self):
        commands = {"since": self.since, "sessions": self.sessions, "stop": self.stop}
        print(json.dumps(self.start()), flush=True)
        for line in sys.stdin:
            name, *values = json.loads(line)
            print(json.dumps(commands[name](*values)), flush=True)
            if name == "stop":
                return


Program(json.loads(sys.argv[1])).serve()
