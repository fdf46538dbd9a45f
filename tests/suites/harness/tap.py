"""The Test Anything Protocol, as Perl's tests speak it, read into outcomes."""

import re

from .outcome import FAILED, PASSED, SKIPPED, Outcome

LINE = re.compile(r"(not )?ok\b(?: (\d+))?\s*(.*)")
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*[Ss][Kk][Ii][Pp]\S*\s*(.*))?")


def outcomes(file, finished):
    """One outcome for the file as a whole and one per test, named by number: descriptions hold ports and times."""
    found, planned, skipped, last = [], None, None, None
    for line in finished.output.splitlines():
        test, plan = LINE.match(line), PLAN.match(line)
        if test:
            state, text = _state(test)
            last = Outcome(f"{file}:{test.group(2) or len(found) + 1}", state, text)
            found.append(last)
        elif plan:
            planned, skipped = int(plan.group(1)), plan.group(2)
        elif last and last.state == FAILED and line.startswith("#"):
            last = Outcome(last.id, FAILED, f"{last.text}\n{line}")
            found[-1] = last
    found.append(_whole(file, finished, len(found), planned, skipped))
    return found


def _state(test):
    text = test.group(3)
    directive = re.search(r"#\s*(skip|todo)\b", text, re.IGNORECASE)
    if directive:
        return SKIPPED, text
    return (FAILED if test.group(1) else PASSED), text


def _whole(file, finished, ran, planned, skipped):
    if finished.timed_out:
        return Outcome(file, FAILED, f"time limit after {ran} tests\n{finished.output[-1500:]}", finished.seconds)
    if planned == 0:
        return Outcome(file, SKIPPED, skipped or "", finished.seconds)
    if planned != ran:
        return Outcome(file, FAILED, f"planned {planned}, ran {ran}, exit {finished.code}\n{finished.output[-1500:]}",
                       finished.seconds)
    return Outcome(file, PASSED, "", finished.seconds)
