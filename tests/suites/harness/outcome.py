"""What one test did, kept as one JSON line, and the digest that says whether two runs did the same."""

import hashlib
import json
from dataclasses import asdict, dataclass

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Outcome:
    """One test. An error in set-up or tear-down counts as failed; `text` is what a person needs to see."""

    id: str
    state: str
    text: str = ""
    seconds: float = 0.0


class Run:
    """All outcomes of one suite against one address, at most one per id: the worst one wins."""

    def __init__(self, outcomes=(), complaint="", seconds=0.0):
        self.tests, self.complaint, self.seconds = {}, complaint, seconds
        for outcome in outcomes:
            self.add(outcome)

    def add(self, outcome):
        order = (SKIPPED, PASSED, FAILED)
        known = self.tests.get(outcome.id)
        if known is None or order.index(outcome.state) > order.index(known.state):
            self.tests[outcome.id] = outcome

    def count(self, state):
        return sum(test.state == state for test in self.tests.values())

    def ids(self, state):
        return {name for name, test in self.tests.items() if test.state == state}

    def digest(self):
        """Equal for two runs exactly if the same tests passed."""
        return hashlib.sha256("\n".join(sorted(self.ids(PASSED))).encode()).hexdigest()[:24]

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps({"complaint": self.complaint, "seconds": round(self.seconds, 1)}) + "\n")
            for name in sorted(self.tests):
                file.write(json.dumps(asdict(self.tests[name]), ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            head = json.loads(file.readline())
            return cls((Outcome(**json.loads(line)) for line in file), head["complaint"], head["seconds"])


def read_lines(path):
    """Outcomes that one of `plugins/` wrote while its tests ran; a torn last line (a killed run) is left out."""
    outcomes = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.endswith("\n"):
                    outcomes.append(Outcome(**json.loads(line)))
    except FileNotFoundError:
        pass
    return outcomes
