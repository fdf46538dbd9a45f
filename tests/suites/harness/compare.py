"""Two runs side by side: nothing that passes directly may fail, be skipped or be missing through hadal."""

import re

from .outcome import FAILED, PASSED, SKIPPED


def regressions(direct, through):
    """(id, what happened instead, text) of every test that passed directly and did not pass through hadal."""
    found = []
    for name in sorted(direct.ids(PASSED)):
        test = through.tests.get(name)
        if test is None:
            found.append((name, "did not run", through.complaint))
        elif test.state != PASSED:
            found.append((name, test.state, test.text))
    return found


def improvements(direct, through):
    """Tests that fail directly and pass through hadal: worth a look, never an error."""
    return sorted(direct.ids(FAILED) & through.ids(PASSED))


def summary(name, label, run):
    """One line for people."""
    counts = f"{run.count(PASSED):6} passed {run.count(FAILED):5} failed {run.count(SKIPPED):5} skipped"
    complaint = f"  ({run.complaint.splitlines()[0][:120]})" if run.complaint else ""
    return f"{name:22} {label:8} {counts} {run.seconds:7.1f} s{complaint}"


def causes(found, examples=3):
    """The regressions in short: grouped by the line that says what went wrong, most frequent first."""
    groups = {}
    for name, state, text in found:
        groups.setdefault((state, _cause(text)), []).append(name)
    lines = []
    for (state, cause), names in sorted(groups.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - examples} more" if len(names) > examples else ""
        lines.append(f"  {len(names):4} {state}: {cause[:200] or '-'}\n       {', '.join(names[:examples])}{more}")
    return "\n".join(lines)


def _cause(text):
    """The last line that names an error, or the last line at all; without numbers, which differ between tests."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if re.search(r"\w(Error|Exception|Warning)\b|[Ee]rror[ :(]|FATAL|panicked", line)]
    return re.sub(r"\b(0x[0-9a-f]+|\d{3,})\b", "N", (named or lines or [""])[-1])


def describe(found, limit_lines=60):
    """The regressions in full: the id on its own line, so that it can be searched for, then the failure."""
    parts = []
    for name, state, text in found:
        lines = text.strip().splitlines()
        shown = lines if len(lines) <= limit_lines else ["..."] + lines[-limit_lines:]
        parts.append(f"--- {state}: {name}\n" + "".join(f"    {line}\n" for line in shown))
    return "\n".join(parts)
