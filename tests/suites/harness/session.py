"""One invocation: the servers it runs against, and for each suite the run through hadal, the direct run, the verdict.

The direct run is stored per suite version and server version, and done only where it is needed: if the run through
hadal passes exactly what a stored direct run passed, it is not repeated.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal

from lab.gateway import Hadal, HaProxy
from lab.mariadb import ADMIN, ADMIN_PASSWORD, start_pair

from . import compare
from .outcome import FAILED, PASSED, Run
from .target import Target, prepare


@contextlib.contextmanager
def servers(options, work):
    """The addresses to use: given ones, or servers started here and stopped at the end."""
    if not options.lab:
        yield Addresses(Target.parse(options.direct), Target.parse(options.url) if options.url else None)
        return
    shutil.rmtree(os.path.join(work, "lab"), ignore_errors=True)
    started = start_pair(os.path.join(work, "lab"), options.replica, options.delay, ["--max-allowed-packet=64M"],
                         zones=True)
    try:
        direct = Target("127.0.0.1", started[0].port, ADMIN, ADMIN_PASSWORD)
        if options.baseline:
            yield Addresses(direct, None, started)
            return
        proxy = _proxy(options, os.path.join(work, "lab", "proxy"), started).start()
        try:
            yield Addresses(direct, Target("127.0.0.1", proxy.port, ADMIN, ADMIN_PASSWORD), started, proxy)
        finally:
            proxy.stop()
    finally:
        for server in reversed(started):
            server.stop()


def _proxy(options, folder, started):
    if options.proxy == "haproxy":
        return HaProxy(folder, started[0])
    settings = dict(item.split("=", 1) for item in options.set)
    return Hadal(options.hadal or "hadal", folder, started, settings)


class Addresses:
    """The primary itself, the address under test, and the servers if they are ours."""

    def __init__(self, direct, through, lab=(), proxy=None):
        self.direct, self.through, self.lab, self.proxy = direct, through, lab, proxy

    def resume(self):
        """Have a replica of ours that the suite before has stopped replicate again."""
        for replica in self.lab[1:]:
            replica.resume_at(self.lab[0])

    def settle(self):
        """Let a replica of ours reach what was just set up, so that a suite starts from equal data."""
        for replica in self.lab[1:]:
            replica.caught_up_with(self.lab[0])

    @contextlib.contextmanager
    def paused(self):
        """Have a proxy of ours do nothing, so that a direct run meets the plain server: hadal writes there itself."""
        if not self.proxy or not self.proxy_alive():
            yield
            return
        self.proxy.child.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.proxy.child.process.send_signal(signal.SIGCONT)

    def proxy_alive(self):
        return self.proxy is None or self.proxy.child.process.poll() is None


class Job:
    """One suite in one scope."""

    def __init__(self, suite, options, addresses, work, cache):
        self.suite, self.options, self.addresses = suite, options, addresses
        self.work = os.path.join(work, suite.name)
        version = addresses.direct.sql("SELECT VERSION()").strip()
        folder = os.path.join(cache.root, "direct")
        os.makedirs(folder, exist_ok=True)
        mark = hashlib.sha256(repr((version, _source_of(suite), suite.databases, suite.setup)).encode())
        name = f"{suite.name}-{options.scope}-{re.sub('[^0-9.]', '', version.split('-')[0])}-{mark.hexdigest()[:8]}"
        results = os.path.join(cache.root, "results")
        os.makedirs(results, exist_ok=True)
        # Runs in step and late are of interest side by side.
        late = f"-late{options.delay}" if options.delay else ""
        self.regressions = os.path.join(results, f"{suite.name}-{options.scope}{late}.txt")
        self.stored = os.path.join(folder, name + ".jsonl")

    def run(self):
        """True if nothing that passes directly does otherwise through hadal."""
        if self.options.baseline:
            run = self._direct(store=True)
            self._show_failures(run)
            return bool(run.count(PASSED)) and not run.complaint
        through = self._run(self.addresses.through, "through")
        known = self._known()
        direct = known or self._direct(store=True)
        found = compare.regressions(direct, through)
        if known and not found:
            print(compare.summary(self.suite.name, "stored", known), flush=True)
        if found and known:
            # The stored run may be of another day's machine; only a fresh one convicts.
            direct = self._direct(store=True)
            found = compare.regressions(direct, through)
        return self._verdict(direct, through, found)

    def _verdict(self, direct, through, found):
        name, text = self.suite.name, compare.describe(found)
        if not self.addresses.proxy_alive():
            text += "\n--- the process under test has ended\n" + self.addresses.proxy.child.tail()
        with open(self.regressions, "w", encoding="utf-8") as file:
            file.write(text)
        if found:
            print(f"{name}: {len(found)} tests pass directly and not through hadal; all of it: {self.regressions}")
            print(compare.causes(found))
        if not self.addresses.proxy_alive():
            print(f"{name}: the process under test has ended\n{self.addresses.proxy.child.tail()}")
        better = compare.improvements(direct, through)
        if better:
            print(f"{name}: {len(better)} tests fail directly and pass through hadal, such as {better[0]}")
        if not direct.count(PASSED):
            print(f"{name}: nothing passes directly: {direct.complaint or 'no tests'}")
        return not text and bool(direct.count(PASSED))

    def _known(self):
        if self.options.fresh or not os.path.exists(self.stored):
            return None
        return Run.load(self.stored)

    def _direct(self, store):
        with self.addresses.paused():
            run = self._run(self.addresses.direct, "direct")
        if store:
            run.save(self.stored)
        return run

    def _run(self, target, label):
        folder = os.path.join(self.work, label)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.addresses.resume()
        prepare(self.addresses.direct, self.suite.databases, self.suite.setup)
        self.addresses.settle()
        run = self.suite.run(target.as_suite_user(), folder, self.options.scope)
        run.save(os.path.join(folder, "outcomes.jsonl"))
        print(compare.summary(self.suite.name, label, run), flush=True)
        return run

    def _show_failures(self, run):
        for test in run.tests.values():
            if test.state == FAILED:
                last = (test.text.strip().splitlines() or [""])[-1]
                print(f"    {test.id}: {last[:160]}")
        if run.complaint:
            print(run.complaint)


def _source_of(suite):
    """What the suite is made of: its module's text, so that a change of version or labels makes a new baseline."""
    import inspect
    return inspect.getsource(inspect.getmodule(type(suite)))
