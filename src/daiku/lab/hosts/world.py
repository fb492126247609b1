"""Everything that the fabric holds, made equal to a topology: the reconciler."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from daiku.errors import DaikuError, LabError
from daiku.lab.hosts.balance import BalancerService
from daiku.lab.hosts.decide import decide, wiped_roots
from daiku.lab.hosts.guest.syscalls import network_namespace
from daiku.lab.hosts.machines import Disks, Guest, wants_reboot
from daiku.lab.hosts.nat import Nat
from daiku.lab.hosts.nodes import Node, NodePlan, node_plans
from daiku.lab.hosts.relay import Relays, Target
from daiku.lab.hosts.status import HostStatus, RealServerStatus
from daiku.lab.hosts.wiring import Wiring
from daiku.lab.topology import Machine, Topology

T = TypeVar("T")


class World:
    """`outside` is a descriptor of this machine's own network namespace, where port forwardings are published.
    `kubernetes` are the folders with the links to Kubernetes' programs and with the programs themselves. `left` is
    called with the id and the boots of a machine that powered itself off."""

    def __init__(
        self,
        base: Path,
        outside: int,
        interpreter: tuple[str, str],
        programs: Path | None,
        kubernetes: tuple[Path, Path],
        log: Callable[[str], None],
        left: Callable[[str, int], None],
    ) -> None:
        self._left = left
        self._base = base
        self._outside = outside
        self._interpreter = interpreter
        self._kubernetes = kubernetes
        self._log = log
        self._lock = threading.RLock()
        self._topology = Topology()
        self._wiring = Wiring()
        self._nat = Nat(programs)
        self._disks = Disks(base)
        self._relays = Relays()
        self._guests: dict[str, Guest] = {}
        self._nodes: dict[str, Node] = {}
        self._plans: dict[str, NodePlan] = {}
        self._balancers: dict[str, BalancerService] = {}
        self._pool = ThreadPoolExecutor(8)
        self._closed = False

    def apply(self, topology: Topology) -> None:
        """Make everything equal to `topology`. One part's failure does not stop the others; raises LabError at the end
        with all of them."""
        with self._lock:
            problems: list[str] = []
            self._wiring.prepare(topology.segments)
            decision = decide({key: guest.known() for key, guest in self._guests.items()}, topology.machines)
            problems += self._each(self._halt, decision.halt)
            for root in wiped_roots(self._topology.machines, topology.machines):
                self._disks.wipe(root)
            problems += self._sync_nodes(topology)
            problems += self._each(self._rewire, decision.replug)
            problems += self._each(self._boot, decision.boot)
            problems += self._publish(topology)
            self._wiring.forget(topology.segments)
            self._topology = topology
        if problems:
            raise LabError("; ".join(problems))

    def status(self) -> list[HostStatus]:
        """The machines in the order of the topology; PIDs are as the fabric numbers them."""
        with self._lock:
            machines, guests = self._topology.machines, dict(self._guests)
        rows: list[HostStatus] = []
        for machine in machines:
            guest = guests.get(machine.id)
            pid = guest.pid if guest is not None and guest.alive else None
            addresses = _addresses(pid) if pid else ()
            rows.append(HostStatus(machine.id, machine.hostname, pid is not None, pid, addresses))
        return rows

    def lb_status(self) -> list[RealServerStatus]:
        with self._lock:
            return [row for name in sorted(self._balancers) for row in self._balancers[name].status()]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._each(self._halt, tuple(self._guests))

    def _each(self, action: Callable[[T], None], items: Iterable[T]) -> list[str]:
        """Run the action for all items side by side; what went wrong, in words."""

        def attempt(item: T) -> str:
            try:
                action(item)
            except (DaikuError, OSError) as error:
                return str(error)
            return ""

        return [problem for problem in self._pool.map(attempt, list(items)) if problem]

    def _boot(self, machine: Machine) -> None:
        started = time.monotonic()
        guest = Guest(machine, self._wiring, self._exited)
        program, prefix = self._interpreter
        self._guests[machine.id] = guest
        try:
            guest.boot(self._base, self._disks.open(machine), program, prefix, *self._kubernetes)
        except (DaikuError, OSError):
            self._guests.pop(machine.id, None)
            raise
        self._log(f"{machine.hostname} is up after {time.monotonic() - started:.1f} s")

    def _halt(self, identity: str) -> None:
        guest = self._guests.pop(identity)
        guest.halt()
        self._log(f"{guest.machine.hostname} is off")

    def _rewire(self, machine: Machine) -> None:
        self._guests[machine.id].rewire(machine)

    def _exited(self, guest: Guest, status: int) -> None:
        """A machine ended by itself: boot it again if it asked for that."""
        with self._lock:
            machine = guest.machine
            if self._closed or self._guests.get(machine.id) is not guest:
                return
            if not wants_reboot(status):
                self._log(f"{machine.hostname} {'powered itself off' if status == 0 else 'crashed'}")
                if status == 0:
                    self._left(machine.id, machine.boots)
                return
            self._log(f"{machine.hostname} reboots")
            for problem in self._each(self._boot, [machine]):
                self._log(problem)

    def _sync_nodes(self, topology: Topology) -> list[str]:
        plans = node_plans(topology)
        for name in sorted(set(self._nodes) - set(plans)):
            self._drop_node(name)

        def become(name: str) -> None:
            if name not in self._nodes:
                self._nodes[name] = Node(self._wiring, self._nat, self._log)
            if self._plans.get(name) != plans[name]:
                try:
                    self._nodes[name].become(plans[name])
                except LabError:
                    self._drop_node(name)  # half changed: the next apply makes it anew
                    raise
                self._plans[name] = plans[name]

        return self._each(become, sorted(plans))

    def _drop_node(self, name: str) -> None:
        service = self._balancers.pop(name, None)
        if service is not None:
            service.close()
        for key in sorted(key for key in self._relays.doors() if key[0] == name):
            self._relays.close(key)
        self._nodes.pop(name).close()
        self._plans.pop(name, None)

    def _publish(self, topology: Topology) -> list[str]:
        """Port forwardings on this machine's loopback, VIPs inside the balancers' namespaces."""
        doors: dict[tuple[str, str, int], Target] = {}
        for router in topology.routers:
            node = self._nodes.get(f"router:{router.id}")
            if node is not None and router.power:
                for forward in router.forwards:
                    key = (f"router:{router.id}", router.public_address, forward.public_port)
                    doors[key] = Target(node.namespace, forward.private_address, forward.private_port)
        for key in sorted(
            key for key in self._relays.doors() if key[0].startswith("router:") and key not in doors
        ):
            self._relays.close(key)
        problems: list[str] = []
        for key, target in sorted(doors.items(), key=lambda item: item[0]):
            try:
                self._relays.open(key, self._outside, lambda target=target: target)
            except LabError as error:
                problems.append(str(error))
        for balancer in topology.balancers:
            name = f"balancer:{balancer.id}"
            if name in self._nodes:
                service = self._balancers.get(name)
                if service is None:
                    service = BalancerService(self._relays, balancer.id, self._nodes[name].namespace)
                    self._balancers[name] = service
                try:
                    service.become(balancer)
                except LabError as error:
                    problems.append(str(error))
        return problems


def _addresses(pid: int) -> tuple[str, ...]:
    """CIDRs of all interfaces in a process's network namespace."""
    try:
        with Path(f"/proc/{pid}/ns/net").open() as namespace, network_namespace(namespace.fileno()):
            done = subprocess.run(["ip", "-j", "address"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    found: list[str] = []
    for link in json.loads(done.stdout or "[]"):
        for entry in link.get("addr_info", []):
            cidr = f"{entry['local']}/{entry['prefixlen']}"
            if entry.get("scope") != "link" and cidr not in {"127.0.0.1/8", "::1/128"}:
                found.append(cidr)
    return tuple(sorted(found))
