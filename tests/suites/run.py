#!/usr/bin/env python3
"""Run clients' own public test suites through hadal and hold them against a direct run.

    run.py --lab --hadal target/release/hadal [--replica] [--delay 2]    own servers, the quick part of every suite
    run.py --url mysql://root:pw@127.0.0.1:6033 --direct mysql://root:pw@127.0.0.1:3306 django pymysql
    run.py --lab --baseline                                              only the direct run
    run.py --list

Nothing that passes directly may fail, be skipped or be missing through hadal. Exit code: 0 none, 1 some, 2 wrong usage.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from catalog import all_suites  # noqa: E402
from catalog.base import FULL, QUICK  # noqa: E402
from harness import session  # noqa: E402
from harness.cache import Cache, Unavailable, default_root  # noqa: E402
from harness.target import SetupError  # noqa: E402
from lab.process import LabError  # noqa: E402


def main():
    options = parse()
    chosen = choose(options)
    if options.list:
        for suite in chosen:
            print(f"{suite.name:22} {', '.join(suite.scopes):12} {(type(suite).__doc__ or '').splitlines()[0]}")
        return 0
    # An interrupt or a polite kill must still stop the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = options.work or tempfile.mkdtemp(prefix="hadal-suites-", dir="/tmp")
    os.makedirs(work, exist_ok=True)
    try:
        with session.servers(options, work) as addresses:
            failed = run_all(options, chosen, addresses, work)
    except (LabError, SetupError, ValueError) as error:
        print(f"suites: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.work:
            shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0


def run_all(options, chosen, addresses, work):
    """Every suite in turn; returns the names of those with regressions or that could not run."""
    cache = Cache(options.cache)
    failed = []
    for suite in chosen:
        try:
            suite.fetch(cache)
        except Unavailable as error:
            print(f"{suite.name:22} unavailable: {error}")
            if not options.allow_missing:
                failed.append(suite.name)
            continue
        job = session.Job(suite, options, addresses, work, cache)
        if not job.run():
            failed.append(suite.name)
    print(f"suites: {len(chosen) - len(failed)} of {len(chosen)} as on a direct connection"
          + (f"; not: {', '.join(failed)}" if failed else ""))
    return failed


def choose(options):
    suites = [suite for suite in all_suites() if options.scope in suite.scopes]
    known = {suite.name: suite for suite in all_suites()}
    wrong = [name for name in options.suites if name not in known]
    if wrong:
        print(f"unknown suite {', '.join(wrong)}; known: {', '.join(known)}", file=sys.stderr)
        raise SystemExit(2)
    return [known[name] for name in options.suites] or suites


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="default: all of the scope")
    parser.add_argument("--list", action="store_true", help="name the suites of the scope")
    parser.add_argument("--scope", choices=(QUICK, FULL), default=QUICK)
    parser.add_argument("--url", help="address under test, as an account that may do everything")
    parser.add_argument("--direct", help="the primary behind it; its account sets databases up")
    parser.add_argument("--lab", action="store_true", help="start MariaDB and hadal here")
    parser.add_argument("--hadal", metavar="PATH", help="the hadal program for --lab")
    parser.add_argument("--proxy", choices=("hadal", "haproxy"), default="hadal", help="what --lab puts in between")
    parser.add_argument("--replica", action="store_true", help="--lab: with a replica that follows the primary")
    parser.add_argument("--delay", type=int, default=0, metavar="SECONDS", help="--lab: how late the replica is")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE",
                        help="--lab: a setting of hadal's configuration, the value as TOML")
    parser.add_argument("--baseline", action="store_true", help="only the direct run; stores it")
    parser.add_argument("--fresh", action="store_true", help="do not reuse a stored direct run")
    parser.add_argument("--allow-missing", action="store_true", help="a suite that cannot be fetched is no failure")
    parser.add_argument("--cache", default=default_root(), help="where suites are fetched to (default: %(default)s)")
    parser.add_argument("--work", metavar="PATH", help="keep servers' and suites' files here")
    options = parser.parse_args()
    if not options.list and not options.lab and not options.direct:
        parser.error("name --lab or --direct (and --url)")
    if not options.list and not options.baseline and not options.url and not options.lab:
        parser.error("--url names the address under test")
    return options


if __name__ == "__main__":
    sys.exit(main())
