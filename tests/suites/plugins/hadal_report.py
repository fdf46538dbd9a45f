"""A pytest plugin and a unittest result that write every outcome at once as a JSON line to $HADAL_REPORT.

Written while tests run, so that a run that hangs and is stopped still says what it had done.
"""

import json
import os
import time
import unittest


def write(name, state, text="", seconds=0.0):
    line = json.dumps({"id": name, "state": state, "text": text[-6000:], "seconds": round(seconds, 3)})
    with open(os.environ["HADAL_REPORT"], "a", encoding="utf-8") as file:
        file.write(line + "\n")


def pytest_runtest_logreport(report):
    """Called by pytest for set-up, call and tear-down of each test."""
    if report.failed:
        write(report.nodeid, "failed", f"[{report.when}] {report.longreprtext}", report.duration)
    elif report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
        write(report.nodeid, "skipped", reason)
    elif report.when == "call":
        write(report.nodeid, "passed", seconds=report.duration)


def pytest_collectreport(report):
    """A file that cannot be imported is a failure of that file, not silence."""
    if report.failed:
        write(report.nodeid, "failed", f"[collect] {report.longreprtext}")


class ReportResult(unittest.TextTestResult):
    """For runners made of unittest: the same lines."""

    def startTest(self, test):  # noqa: N802 (unittest's name)
        self._began = time.monotonic()
        super().startTest(test)

    def _write(self, test, state, error=None, text=""):
        if error is not None:
            text = self._exc_info_to_string(error, test)
        write(test.id(), state, text, time.monotonic() - getattr(self, "_began", time.monotonic()))

    def addSuccess(self, test):  # noqa: N802
        super().addSuccess(test)
        self._write(test, "passed")

    def addError(self, test, err):  # noqa: N802
        super().addError(test, err)
        self._write(test, "failed", err)

    def addFailure(self, test, err):  # noqa: N802
        super().addFailure(test, err)
        self._write(test, "failed", err)

    def addSkip(self, test, reason):  # noqa: N802
        super().addSkip(test, reason)
        self._write(test, "skipped", text=reason)

    def addExpectedFailure(self, test, err):  # noqa: N802
        super().addExpectedFailure(test, err)
        self._write(test, "passed")

    def addUnexpectedSuccess(self, test):  # noqa: N802
        super().addUnexpectedSuccess(test)
        self._write(test, "failed", text="unexpected success")

    def addSubTest(self, test, subtest, err):  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._write(test, "failed", err, str(subtest))
