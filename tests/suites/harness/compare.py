"""Two runs side by side: nothing that passes directly may fail, be skipped or be missing through hadal."""

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


def describe(found, limit_lines=25):
    """The regressions as text: the id on its own line, so that it can be searched for, then the failure."""
    parts = []
    for name, state, text in found:
        lines = text.strip().splitlines()
        shown = lines if len(lines) <= limit_lines else ["..."] + lines[-limit_lines:]
        parts.append(f"--- {state}: {name}\n" + "".join(f"    {line}\n" for line in shown))
    return "\n".join(parts)
