"""One switch and a cable to each host. Cables are cut in any shape by rules of the switch, never by what runs on a host."""

import contextlib
import os

from e2e.harness.process import spawn
from .namespace import Namespace

SUBNET = "10.77.0"
RULES = """table bridge lab {
  chain cuts {
    type filter hook forward priority 0; policy accept;
    %s
  }
}
"""


class Network:
    """Every host is a namespace with one address; the switch is a bridge in a namespace of its own.

    All addresses are the same in every lab: labs do not see each other, nor the machine that they run on.
    """

    real = True

    def __init__(self, hosts):
        self.switch = Namespace()
        self.hosts = {name: Namespace() for name in hosts}
        self.addresses = {name: f"{SUBNET}.{number}" for number, name in enumerate(hosts, 1)}
        self.cuts, self.wires = set(), {}
        self.switch.run("ip", "link", "add", "switch", "type", "bridge")
        self.switch.run("ip", "link", "set", "switch", "up")
        for name, host in self.hosts.items():
            self._connect(name, host)
        self._apply()

    def _connect(self, name, host):
        self.switch.run("ip", "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", host.path)
        self.switch.run("ip", "link", "set", "dev", name, "master", "switch", "up")
        host.run("ip", "address", "add", f"{self.addresses[name]}/24", "dev", "eth0")
        host.run("ip", "link", "set", "dev", "eth0", "up")

    def prefix(self, name):
        return self.hosts[name].prefix

    def entered(self, name):
        return self.hosts[name].entered()

    # Faults.

    def cut(self, *sides):
        """Nothing passes between hosts of different sides; a side is a name or a list of names."""
        sides = [[side] if isinstance(side, str) else list(side) for side in sides]
        self._change(add={(a, b) for one in sides for other in sides if one is not other for a in one for b in other})

    def isolate(self, name):
        """As if somebody pulled the cable."""
        self.cut(name, [other for other in self.hosts if other != name])

    def cut_one_way(self, sender, receiver):
        self._change(add={(sender, receiver)})

    def heal(self):
        self._change(remove=set(self.cuts))

    def _change(self, add=frozenset(), remove=frozenset()):
        self.cuts = (self.cuts | add) - remove
        self._apply()

    def _apply(self):
        """All rules at once: no packet sees half of a partition."""
        drops = "\n".join(f'iifname "{a}" oifname "{b}" drop' for a, b in sorted(self.cuts))
        rules = f"table bridge lab\ndelete table bridge lab\n{RULES % drops}"
        self.switch.run("nft", "-f", "-", stdin=rules)

    def worsen(self, name, delay_ms=0, loss=0.0):
        """What one host sends comes late or not at all, as with netem on its interface, until `repair`.

        A small program carries every frame: many kernels lack netem, and this one is the same everywhere.
        """
        far, run = f"far-{name}", self.switch.run
        run("ip", "link", "set", "dev", name, "nomaster", "down")
        run("ip", "link", "set", "dev", name, "name", far)
        run("ip", "link", "set", "dev", far, "up")
        run("ip", "link", "add", "name", name, "type", "veth", "peer", "name", f"in-{name}")
        run("ip", "link", "set", "dev", f"in-{name}", "up")
        run("ip", "link", "set", "dev", name, "master", "switch", "up")
        program = os.path.join(os.path.dirname(__file__), "wire.py")
        command = [*self.switch.prefix, "python3", program, far, f"in-{name}", delay_ms, loss]
        self.wires[name] = spawn(command)

    def repair(self, name):
        process = self.wires.pop(name)
        process.kill()
        process.wait()
        run = self.switch.run
        run("ip", "link", "del", "dev", name)
        run("ip", "link", "set", "dev", f"far-{name}", "down")
        run("ip", "link", "set", "dev", f"far-{name}", "name", name)
        run("ip", "link", "set", "dev", name, "master", "switch", "up")

    def close(self):
        for process in self.wires.values():
            process.kill()
            process.wait()
        for namespace in [*self.hosts.values(), self.switch]:
            namespace.close()


class Loopback:
    """Where namespaces cannot be made: everything on 127.0.0.1. Faults of the network are not possible then."""

    real = False

    def __init__(self, hosts):
        self.addresses = dict.fromkeys(hosts, "127.0.0.1")

    def prefix(self, _name):
        return []

    def entered(self, _name):
        return contextlib.nullcontext()

    def heal(self):
        """There was nothing to cut."""

    def close(self):
        """There is nothing to close."""


def why_no_namespaces():
    """None where networks can be made, else the reason."""
    try:
        Network(["probe"]).close()
    except (OSError, FileNotFoundError) as error:
        return str(error)
    return None
