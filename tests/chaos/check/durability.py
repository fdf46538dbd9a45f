"""What clients were told, against what is there. Pure: outcomes and contents in, violations out."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from .appends import judge_appends

# Of each kind of violation so many are named; the number of all is told.
NAMED = 5


@dataclass(frozen=True)
class Content:
    """What one server has: (token, part, parts) of every row, and its binary log's state."""

    name: str
    rows: list
    gtid_binlog_state: str
    # By key, the values in their order.
    lists: dict = field(default_factory=dict)


@dataclass
class Verdict:
    """Every kind of violation with the tokens, or positions, that it was found at."""

    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    # Transactions on lists that were acknowledged.
    appended: int = 0
    violations: dict = field(default_factory=lambda: defaultdict(list))

    def __bool__(self):
        return not self.violations

    def __str__(self):
        head = f"{self.acknowledged} acknowledged, {self.refused} refused, {self.unknown} unknown, {self.appended} on lists"
        lines = [f"{kind}: {len(at)}, such as {at[:NAMED]}" for kind, at in self.violations.items()]
        return "\n".join([head, *lines])

    def count(self, kind):
        """How many tokens suffer from it, on the server where it is worst."""
        return max((len(at) for name, at in self.violations.items() if name.startswith(kind)), default=0)


def judge(outcomes, primary, replicas=(), history=()):
    """`replicas` have caught up with `primary` before their content was taken; `history` is of the lists."""
    verdict = Verdict()
    states = Counter(outcome.state for outcome in outcomes)
    verdict.acknowledged, verdict.refused, verdict.unknown = (states[s] for s in ("acknowledged", "refused", "unknown"))
    for content in (primary, *replicas):
        judge_rows(verdict, outcomes, content)
    for replica in replicas:
        judge_history(verdict, primary, replica)
    verdict.appended = sum(entry.state == "acknowledged" for entry in history)
    for kind, evidence in judge_appends(history, primary.lists).items():
        verdict.violations[kind] += evidence
    return verdict


def judge_rows(verdict, outcomes, content):
    parts = defaultdict(Counter)
    for token, part, _ in content.rows:
        parts[token][part] += 1
    known = set()
    for outcome in outcomes:
        known.add(outcome.token)
        kind = judge_token(outcome, parts.get(outcome.token, {}))
        if kind:
            verdict.violations[f"{kind} on {content.name}"].append(outcome.token)
    strangers = [token for token in parts if token not in known]
    if strangers:
        verdict.violations[f"strange rows on {content.name}"] += strangers


def judge_token(outcome, found):
    """The name of what is wrong with one token, or None. `found` is how often each part is there."""
    if any(times > 1 for times in found.values()):
        return "executed twice"
    if found and set(found) != set(range(outcome.parts)):
        return "half a transaction"
    if outcome.state == "acknowledged" and not found:
        return "lost"
    if outcome.state == "refused" and found:
        return "phantom"
    return None


def judge_history(verdict, primary, replica):
    """A replica has nothing that the primary has not, per domain and server; a plain maximum would hide a fork."""
    leading, following = positions(primary.gtid_binlog_state), positions(replica.gtid_binlog_state)
    ahead = [f"{d}-{s}-{n}" for (d, s), n in following.items() if n > leading.get((d, s), 0)]
    if ahead:
        verdict.violations[f"history of its own on {replica.name}"] += ahead
    other = [key for key in {**primary.lists, **replica.lists} if primary.lists.get(key) != replica.lists.get(key)]
    if other:
        verdict.violations[f"other lists than the primary on {replica.name}"] += other
    if Counter(primary.rows) != Counter(replica.rows):
        difference = Counter(primary.rows) - Counter(replica.rows) + (Counter(replica.rows) - Counter(primary.rows))
        verdict.violations[f"other rows than the primary on {replica.name}"] += sorted(difference)


def positions(state):
    """`0-1-100,0-2-110` as {(0, 1): 100, (0, 2): 110}."""
    parts = (tuple(map(int, gtid.split("-"))) for gtid in state.replace("\n", "").split(",") if gtid)
    return {(domain, server): number for domain, server, number in parts}
