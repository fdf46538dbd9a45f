"""The tests of Rust's `mysql` and `mysql_async` crates, which live inside their published sources."""

import glob
import json
import os
import re
import shutil
import subprocess

from harness.cache import Unavailable
from harness.execute import execute
from harness.outcome import FAILED, PASSED, SKIPPED, Outcome, Run

from .base import FULL, QUICK, Suite

VERSIONS = {"mysql": "25.0.1", "mysql_async": "0.34.2"}
# Everything but TLS, without C libraries.
FEATURES = {"mysql": "minimal-rust,time,frunk,derive,binlog,buffer-pool",
            "mysql_async": "minimal-rust,time,frunk,derive,binlog"}
# Tests that read the binary log until nothing was written for a while: run alone, so that one that never ends takes no
# other with it, which libtest cannot prevent.
ENDLESS = ("should_read_binlog",)
ENDLESS_LIMIT = 120
STOPPED = "FAILED (time limit)\n"
STATES = {"ok": PASSED, "FAILED": FAILED, "ignored": SKIPPED}


class RustCrate(Suite):
    """One crate's unit tests; most of them talk to the server that DATABASE_URL names."""

    limits = {QUICK: 400, FULL: 600}
    # Compiling takes minutes on a small machine, so this is no part of the quick scope.
    scopes = (FULL,)

    def __init__(self, crate):
        self.crate = crate
        self.name = f"rust-{crate.replace('_', '-')}"
        self.databases = ("test",)

    def fetch(self, cache):
        if not shutil.which("cargo"):
            raise Unavailable("cargo is not installed")
        version = VERSIONS[self.crate]
        self.program = os.path.join(cache.item(f"rust-{self.crate}-{version}", self._build), "tests")

    def _build(self, folder):
        source = self._source(folder)
        target = os.path.join(folder, "target")
        command = ["cargo", "test", "--lib", "--no-run", "--no-default-features", "--features", FEATURES[self.crate],
                   "--message-format=json"]
        # Without debug information and linked at low priority of space: only the verdicts matter.
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=1500,
                              env={**os.environ, "CARGO_TARGET_DIR": target, "CARGO_PROFILE_TEST_DEBUG": "0"})
        programs = [message["executable"] for message in map(json.loads, done.stdout.splitlines())
                    if message.get("reason") == "compiler-artifact" and message.get("executable")]
        if done.returncode or not programs:
            raise Unavailable(f"{self.crate} does not build: {done.stderr[-1500:]}")
        shutil.copy(programs[-1], os.path.join(folder, "tests"))
        shutil.rmtree(target)

    def _source(self, folder):
        """cargo itself fetches the crate: a package that depends on it, and its dependencies beside it."""
        wish = os.path.join(folder, "wish")
        os.makedirs(os.path.join(wish, "src"))
        with open(os.path.join(wish, "Cargo.toml"), "w", encoding="utf-8") as file:
            file.write('[package]\nname = "wish"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n'
                       f'{self.crate} = {{ version = "={VERSIONS[self.crate]}", default-features = false, '
                       'features = ["minimal-rust"] }\n')
        with open(os.path.join(wish, "src", "lib.rs"), "w", encoding="utf-8"):
            pass
        done = subprocess.run(["cargo", "vendor", "--quiet", "--versioned-dirs", "vendored"], cwd=wish,
                              capture_output=True, text=True, check=False, timeout=600)
        found = glob.glob(os.path.join(wish, "vendored", f"{self.crate}-{VERSIONS[self.crate]}"))
        if done.returncode or not found:
            raise Unavailable(f"cargo vendor: {done.stderr[-800:]}")
        source = os.path.join(folder, "source")
        shutil.move(found[0], source)
        shutil.rmtree(wish)
        return source

    def run(self, target, work, scope):
        # A client on the server's own machine would otherwise go around whatever listens on the port.
        url = target.url("mysql", "test") + "?prefer_socket=false"
        environment = {"DATABASE_URL": url, "SSL": "false", "COMPRESS": "false"}

        def tests(log, limit, *chosen):
            # One at a time: some of the tests count connections or change global settings.
            return execute([self.program, "--test-threads=1", *chosen], os.path.join(work, log), limit, cwd=work,
                           env=environment)
        done = tests("log", self.limits[scope], *(f"--skip={name}" for name in ENDLESS))
        run = Run(_outcomes(done.output), done.complaint((0, 101)), done.seconds)
        for name in ENDLESS:
            alone = tests(f"{name}.log", ENDLESS_LIMIT, name)
            for outcome in _outcomes(alone.output + (STOPPED if alone.timed_out else "")):
                run.add(outcome)
            run.seconds += alone.seconds
        return run


def _outcomes(output):
    """From libtest's plain report; the text of a failure stands further down under its name."""
    texts = dict(re.findall(r"(?ms)^---- (\S+) stdout ----\n(.*?)(?=^---- |\nfailures:\n)", output))
    # A test may print between its name and its verdict.
    pattern = r"(?ms)^test (\S+)(?: - should panic)? \.\.\. (?:(?!^test ).)*?\b(ok|FAILED|ignored)\b"
    for name, word in re.findall(pattern, output):
        yield Outcome(name, STATES[word], texts.get(name, "") if word == "FAILED" else "")
