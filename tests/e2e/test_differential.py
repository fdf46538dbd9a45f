"""A random stream of statements, through hadal and straight at a server with equal data: every packet must be equal."""

import contextlib
import random

import pytest
from e2e.statements import SETUP, Stream
from wire import capability
from wire.client import WireClient
from wire.codec import Reader, execute_payload, lenenc_bytes

STATE_CHANGED = 1 << 14

BASE = capability.DEFAULT | capability.MULTI_STATEMENTS | capability.FOUND_ROWS
SHAPES = {
    "plain": BASE,
    "deprecate-eof": BASE | capability.DEPRECATE_EOF,
    "session-track": BASE | capability.DEPRECATE_EOF | capability.SESSION_TRACK,
}


class Side:
    """One connection and its own ids of prepared statements."""

    def __init__(self, endpoint, capabilities):
        self.client = WireClient(endpoint.host, endpoint.port)
        self.client.login(endpoint.user, endpoint.password, endpoint.database, capabilities=capabilities)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def run(self, step):
        return [in_fixed_order(packet, self.client.capabilities) for packet in self.answer(step)]

    def answer(self, step):
        if step[0] == "text":
            return self.client.query(step[1])
        _, sql, kinds, values = step
        prepared = self.client.command(b"\x16" + sql.encode())
        if prepared[0][:1] == b"\xff":
            return prepared
        statement = int.from_bytes(prepared[0][1:5], "little")
        types = [(3, 0) if kind == "i" else (253, 0) for kind in kinds]
        executed = self.client.command(execute_payload(statement, [encoded(value) for value in values], types))
        self.client.send(b"\x19" + statement.to_bytes(4, "little"))
        # The id is the session's own business.
        masked = prepared[0][:1] + b"\0\0\0\0" + prepared[0][5:]
        return [masked, *prepared[1:], *executed]


def in_fixed_order(packet, capabilities):
    """An OK packet with its session changes sorted: the server reports variables in the order of a hash of pointers."""
    if not capabilities & capability.SESSION_TRACK or packet[:1] not in (b"\x00", b"\xfe"):
        return packet
    reader = Reader(packet)
    try:
        reader.take(1), reader.lenenc(), reader.lenenc()
        status = reader.number(2)
        reader.take(2)
        reader.lenenc_bytes()
        head = packet[: reader.at]
        if not status & STATE_CHANGED:
            return packet
        changes = Reader(reader.lenenc_bytes())
        blocks = []
        while changes.at < len(changes.data):
            blocks.append((changes.number(1), changes.lenenc_bytes()))
        return head, sorted(blocks), reader.rest()
    except (ValueError, IndexError, KeyError):
        return packet  # A row that begins like an OK packet.


def encoded(value):
    if value is None:
        return None
    if isinstance(value, int):
        return value.to_bytes(4, "little", signed=True)
    return lenenc_bytes(value)


def shown(packets, index):
    return repr(packets if index is None else packets[index])[:600]


@pytest.fixture(scope="module")
def peers(scratch, template, topology):
    """The topology under test, and a single server with equal data and names."""
    from e2e.harness.topology import Topology

    reference = Topology(scratch / "reference", template, replicas=0)
    try:
        yield topology, reference.start()
    finally:
        reference.destroy()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packet_is_equal(peers, shape, request):
    seed = request.config.getoption("--seed")
    count = request.config.getoption("--statements") // len(SHAPES)
    topology, reference = peers
    for cluster in peers:
        cluster.primary.sql(*SETUP, database="app")
    topology.settle()
    with contextlib.ExitStack() as stack:
        # Closed also where they differ: an open transaction would hold up the next setup.
        sides = [stack.enter_context(Side(cluster.endpoint, SHAPES[shape])) for cluster in peers]
        compare(sides, Stream(f"{seed}-{shape}"), count, f"--seed {seed}")


def compare(sides, stream, count, origin):
    """Fails with the first statement that the two sides answer differently."""
    history = []
    for number, step in zip(range(count), stream, strict=False):
        history.append(step)
        ours, theirs = (side.run(step) for side in sides)
        if ours == theirs:
            continue
        different = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
        recent = "\n  ".join(str(step)[:160] for step in history[-12:])
        pytest.fail(
            f"{origin}, statement {number}: {step}\n"
            f"packets {len(ours)} / {len(theirs)}, first difference at {different}\n"
            f"  through hadal: {shown(ours, different)}\n"
            f"  directly:      {shown(theirs, different)}\n"
            f"before it:\n  {recent}"
        )


def test_the_same_seed_makes_the_same_stream():
    def start(seed):
        return [step for _, step in zip(range(200), Stream(seed), strict=False)]

    assert start(1) == start(1) != start(2)
    assert random.Random(1).random() == random.Random(1).random()
