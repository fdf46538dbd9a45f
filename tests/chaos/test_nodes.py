"""Several nodes of hadal look after the same servers, and agree through etcd or ZooKeeper."""

import signal
import threading

import pytest
from e2e.harness.waiting import eventually

from .lab.store import STORES, why_no_store
from .steps import kill, no_failover, now, one_of_two_operators, prove, steadily

pytestmark = pytest.mark.network
# The lease of a leader and a session, and time for another node to begin.
LEASE = 3
MOMENTS = [0.15, 0.3, 0.6]


def several(make_lab, store, nodes):
    reason = why_no_store(store)
    if reason:
        pytest.skip(reason)
    return make_lab(nodes=nodes, store=store)


@pytest.fixture(params=STORES)
def pair(make_lab, request):
    return several(make_lab, request.param, 2)


@pytest.fixture(params=STORES)
def three(make_lab, request):
    return several(make_lab, request.param, 3)


# Figures are those of one store.
@pytest.mark.short
@pytest.mark.measured
@pytest.mark.parametrize("pair", ["etcd"], indirect=True)
def test_switchover_by_several_nodes(pair, size, report):
    """Ordered at the node that does not lead; clients of both wait for a moment and see no error."""
    leader, (follower,) = pair.leader(), pair.followers()
    old = pair.primary()
    with pair.load(leader, **size) as here, pair.load(follower, first=2000) as there:
        at = now()
        follower.succeed("switchover", "main")
        assert pair.primary() is not old
        here.goes_on()
        there.goes_on()
    errors = {**here.errors(), **there.errors()}
    pauses = {"pause_s": here.longest_pause(since=at - 1), "follower_pause_s": there.longest_pause(since=at - 1)}
    prove(pair, here, there, report=report, **pauses, errors=sum(errors.values()))
    assert not errors, f"clients saw {errors}"


@pytest.mark.short
def test_failover_as_clients_of_a_follower_see_it(pair, report):
    """1: the node that does not lead holds its clients' statements and lets them go to the new primary."""
    (follower,) = pair.followers()
    with pair.load(follower) as load:
        old = pair.primary()
        at = kill(old)
        pair.promoted(old)
        load.goes_on()
        load.check_sessions()
    prove(pair, load, report=report, without=[old], pause_s=load.longest_pause(since=at - 1))


def test_two_operators_at_two_nodes(pair, report):
    """28: the same order at two nodes at once. One runs, the other is told so."""
    one_of_two_operators(pair, *pair.gateways, report=report)


def test_leader_is_cut_off(three, report):
    """8: it cannot change anything any more. Another node leads, and does what has to be done."""
    leader, primary = three.leader(), three.primary()
    node, *_ = three.followers()
    with three.load(node) as load:
        three.network.isolate(leader.label)
        eventually(lambda: any(other.leads() for other in three.gateways if other is not leader), within=30, what="a leader")
        no_failover(three, primary, seconds=3)
        kill(primary)
        new = three.promoted(primary)
        load.goes_on()
        three.network.heal()
        steadily(lambda: three.writable() == [new], 2 * LEASE, "one primary when the former leader is back")
        load.goes_on()
    prove(three, load, report=report, without=[primary])


@pytest.mark.parametrize("moment", MOMENTS)
def test_leader_stands_still_during_failover(three, moment, report):
    """30: for longer than its lease, at any moment of what it does. When it wakes up, it leads nothing."""
    leader = three.leader()
    node, *_ = three.followers()
    with three.load(node) as load:
        old = three.primary()
        kill(old)
        threading.Event().wait(moment)
        leader.process.send_signal(signal.SIGSTOP)
        new = three.promoted(old, within=60)
        load.goes_on(within=60)
        leader.process.send_signal(signal.SIGCONT)
        steadily(lambda: three.writable() == [new], 2 * LEASE, "one primary when the former leader wakes up")
        load.goes_on()
    prove(three, load, report=report, without=[old])


def test_leader_and_primary_die_together(three, report):
    """1 and 8: as with one host that had both. Two of three nodes agree."""
    leader = three.leader()
    node, *_ = three.followers()
    with three.load(node) as load:
        old = three.primary()
        leader.kill()
        at = kill(old)
        three.promoted(old, within=60)
        load.goes_on(within=60)
    prove(three, load, report=report, without=[old], pause_s=load.longest_pause(since=at - 1))


def test_most_nodes_reach_the_primary(three, report):
    """9: the leader has lost the primary, and so have all replicas. The other nodes reach it: nobody is promoted."""
    leader, primary = three.leader(), three.primary()
    node, *_ = three.followers()
    with three.load(node) as load:
        three.network.cut(primary.label, [leader.label, *(server.label for server in three.others(primary))])
        no_failover(three, primary, seconds=8)
        three.network.heal()
        load.goes_on(within=60)
    prove(three, load, report=report)
    evidence = [event["why"] for event in leader.cluster()["events"] if event["kind"] == "verdict"]
    assert any("of 3 nodes of hadal" in why for why in evidence), evidence


def test_node_cut_off_with_the_primary(three, report):
    """7: clients of a node on the wrong side get no OK from there once another server leads."""
    primary = three.primary()
    node, *_ = three.followers()
    other = next(gateway for gateway in three.gateways if gateway is not node)
    with three.load(other) as load, three.load(node, first=2000) as shut_in:
        wrong = [primary.label, node.label]
        three.network.cut(wrong, [host for host in three.network.addresses if host not in (*wrong, "clients", "island")])
        new = three.promoted(primary, within=60)
        promoted = now()
        load.goes_on()
        threading.Event().wait(2 * LEASE)
        early = shut_in.acknowledged_since(promoted)
        three.network.heal()
        shut_in.goes_on(within=60)
        three.joined(primary, new)
    assert early == 0, f"{early} writes were acknowledged on the wrong side"
    prove(three, load, shut_in, report=report, without=[s for s in [primary] if not s.follows(new)])


@pytest.mark.short
def test_lost_store_of_several_nodes(pair, report):
    """29: clients of all nodes are served, nobody is promoted; with the store, failover is back."""
    (follower,) = pair.followers()
    with pair.load(first=1) as load, pair.load(follower, first=2000) as other:
        primary = pair.primary()
        pair.store.kill()
        no_failover(pair, primary, seconds=2 * LEASE)
        load.goes_on()
        other.goes_on()
        kill(primary)
        no_failover(pair, primary, seconds=2 * LEASE)
        pair.store.start()
        pair.promoted(primary, within=60)
        load.goes_on()
        other.goes_on()
    prove(pair, load, other, report=report, without=[primary])
