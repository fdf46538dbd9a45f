"""Cycles of a graph of transactions, and the names of what they show (Adya's). Pure."""

from collections import defaultdict, deque

# What one transaction has to do with another one: its version was overwritten, read, or read before it was overwritten; or it
# had ended before the other one began.
WW, WR, RW, RT = "ww", "wr", "rw", "rt"


class Graph:
    def __init__(self):
        self.edges = defaultdict(dict)

    def add(self, one, other, kind):
        if one != other:
            self.edges[one].setdefault(other, set()).add(kind)

    def only(self, kinds):
        """`{node: [nodes]}` by edges of these kinds."""
        return {
            one: [other for other, found in others.items() if found & kinds] for one, others in self.edges.items()
        }


def components(successors):
    """Strongly connected sets of more than one node (Tarjan's algorithm, without recursion)."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in successors:
        if root in index:
            continue
        work = [(root, iter(successors.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, others = work[-1]
            for other in others:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(successors.get(other, ()))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = close(stack, on_stack, node)
                    if len(component) > 1:
                        found.append(component)
    return found


def close(stack, on_stack, node):
    component = set()
    while True:
        other = stack.pop()
        on_stack.discard(other)
        component.add(other)
        if other == node:
            return component


def path(successors, begin, end, within):
    """The shortest way from one node to another, as nodes; None where there is none."""
    before, queue = {begin: None}, deque([begin])
    while queue:
        node = queue.popleft()
        if node == end:
            way = []
            while node is not None:
                way.append(node)
                node = before[node]
            return way[::-1]
        for other in successors.get(node, ()):
            if other in within and other not in before:
                before[other] = node
                queue.append(other)
    return None


def anomalies(graph):
    """`{name: [cycle]}`: from the worst to the mildest; what is part of a worse one is not named twice."""
    found = defaultdict(list)
    known = set()
    for name, kinds in [("G0", {WW}), ("G1c", {WW, WR}), ("G0-realtime", {WW, RT}), ("G1c-realtime", {WW, WR, RT})]:
        successors = graph.only(kinds)
        for component in components(successors):
            if not component & known:
                known |= component
                found[name].append(cycle(successors, component))
    for suffix, kinds in [("", {WW, WR}), ("-realtime", {WW, WR, RT})]:
        successors = graph.only(kinds | {RW})
        for component in components(successors):
            if not component & known:
                known |= component
                single = single_anti_dependency(graph, graph.only(kinds), component)
                found[("G-single" if single else "G2-item") + suffix].append(single or cycle(successors, component))
    return dict(found)


def cycle(successors, component):
    node = min(component)
    ways = (path(successors, other, node, component) for other in successors[node] if other in component)
    return [node, *min(filter(None, ways), key=len)]


def single_anti_dependency(graph, successors, component):
    """A cycle with exactly one edge from a reader to who overwrote what it had read."""
    for one in sorted(component):
        for other, kinds in graph.edges[one].items():
            if RW in kinds and other in component:
                way = path(successors, other, one, component)
                if way:
                    return [one, *way]
    return None
