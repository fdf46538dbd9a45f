"""The clients that work: each a thread with one session, which ends in `stop` at the latest."""

import itertools
import random
import threading
import time

from .outcome import ACKNOWLEDGED, LOST, REFUSED, Outcome, state_of
from .session import PAUSE, Failed, Session

DEADLOCK = 1213


# Seconds that a thinker takes from one statement to the next.
THINKING = 0.7


class Worker(threading.Thread):
    """Does `step` again and again. Tokens are unique over all workers and runs of a load."""

    kind = "worker"

    def __init__(self, number, where, stopping):
        super().__init__(name=f"{self.kind}-{number}", daemon=True)
        self.tokens = itertools.count((number << 40) + 1)
        self.stopping, self.session = stopping, Session(where, stopping)
        self.outcomes, self.errors, self.stale = [], [], []

    def run(self):
        while self.session.ready(self.errors) and not self.stopping.is_set():
            self.step()
        self.session.close()

    def insert(self, token, part=0, parts=1):
        self.session.execute(f"INSERT INTO app.tokens (token, part, parts) VALUES ({token}, {part}, {parts})")

    def note(self, token, parts, began, state, failure=None):
        ended = time.monotonic()
        self.outcomes.append(Outcome(self.kind, token, parts, began, ended, state, failure.code if failure else 0))
        if failure:
            self.errors.append((ended, failure.code, failure.text))
            self.stopping.wait(PAUSE)


class Writer(Worker):
    """Autocommit."""

    kind = "writer"

    def step(self):
        token, began = next(self.tokens), time.monotonic()
        try:
            self.insert(token)
        except Failed as failure:
            self.note(token, 1, began, state_of(failure.code), failure)
            return None
        self.note(token, 1, began, ACKNOWLEDGED)
        return token


class Transaction(Worker):
    """Two or three rows of one token: all of them or none."""

    kind = "transaction"

    def step(self):
        token, began = next(self.tokens), time.monotonic()
        parts, committing = 2 + token % 2, False
        try:
            self.session.execute("BEGIN")
            for part in range(parts):
                self.insert(token, part, parts)
                self.think()
            committing = True
            self.session.execute("COMMIT")
        except Failed as failure:
            # Before its COMMIT was sent nobody can have committed it, whatever else is unclear.
            self.note(token, parts, began, state_of(failure.code) if committing else REFUSED, failure)
            self.roll_back()
        else:
            self.note(token, parts, began, ACKNOWLEDGED)

    def think(self):
        """Between two statements."""

    def roll_back(self):
        """Most errors leave the transaction open."""
        try:
            self.session.execute("ROLLBACK")
        except Failed:
            self.session.close()


class Thinker(Transaction):
    """Its transactions are open for so long that every fault meets some of them between two statements.

    It gives its own ids: those that a primary generated last may be given to others by the next one.
    """

    kind = "thinker"

    def insert(self, token, part=0, parts=1):
        values = f"({-4 * token - part}, {token}, {part}, {parts})"
        self.session.execute(f"INSERT INTO app.tokens (id, token, part, parts) VALUES {values}")

    def think(self):
        self.stopping.wait(THINKING)


class Reader(Writer):
    """Writes and reads it back: the same session must see it."""

    kind = "reader"

    def step(self):
        token = super().step()
        if token is None:
            return
        try:
            for _ in range(3):
                if self.session.number(f"SELECT COUNT(*) FROM app.tokens WHERE token = {token}") != 1:
                    self.stale.append((time.monotonic(), token))
                self.stopping.wait(PAUSE)
        except Failed as failure:
            self.errors.append((time.monotonic(), failure.code, f"read: {failure.text}"))
            if failure.code != LOST:
                self.stopping.wait(PAUSE)


class Appender(Worker):
    """Transactions that append to lists and read lists, for the checker that looks for cycles among them.

    SERIALIZABLE, and everything on the primary: there InnoDB promises that they look as if one ran after the other. Deadlocks
    among them are part of that promise, and no error of hadal's.
    """

    kind = "appender"
    # Few enough lists at a time that transactions meet, and short enough ones that reading them is cheap.
    LISTS, LENGTH = 4, 40

    def __init__(self, number, where, stopping):
        super().__init__(number, where, stopping)
        self.history, self.chance, self.made, self.first = [], random.Random(number), 0, 1

    def step(self):
        token, began, steps, committing = next(self.tokens), time.monotonic(), [], False
        try:
            self.session.execute("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            self.session.execute("BEGIN")
            for _ in range(self.chance.randint(1, 4)):
                self.one(steps)
            committing = True
            self.session.execute("COMMIT")
            state = ACKNOWLEDGED
        except Failed as failure:
            state = state_of(failure.code) if committing else REFUSED
            deadlock = failure.code == DEADLOCK and not failure.text.startswith("hadal")
            if not deadlock:
                self.errors.append((time.monotonic(), failure.code, f"{self.kind}: {failure.text}"))
            self.roll_back()
        self.history.append((token, steps, began, time.monotonic(), state))
        self.stopping.wait(PAUSE)

    def one(self, steps):
        """Appends or reads. What was appended is noted before the server is asked: it may have been done without an answer."""
        key = self.first + self.chance.randrange(self.LISTS)
        if self.chance.random() < 0.5:
            value = next(self.tokens)
            steps.append(("append", key, value))
            self.session.execute(
                f"INSERT INTO app.lists VALUES ({key}, '{value}') ON DUPLICATE KEY UPDATE v = CONCAT(v, ',', '{value}')"
            )
            return
        text = self.session.value(f"SELECT v FROM app.lists WHERE k = {key}")
        values = [int(value) for value in (text or "").split(",") if value]
        steps.append(("read", key, values))
        if len(values) >= self.LENGTH:
            # All appenders see that sooner or later, and go on with the next lists.
            self.first = max(self.first, key + self.LISTS - (key - 1) % self.LISTS)

    roll_back = Transaction.roll_back
