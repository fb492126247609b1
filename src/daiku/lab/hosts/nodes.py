"""Namespaces without processes: routers, balancers, and the gateway that stands for the internet's routers."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daiku.lab.hosts.decide import port_changes
from daiku.lab.hosts.guest.syscalls import network_namespace, new_network_namespace
from daiku.lab.hosts.nat import Nat
from daiku.lab.hosts.wiring import Wiring, ip_batch
from daiku.lab.topology import INTERNET, Balancer, Nic, Router, Topology

GATEWAY_MAC = "02:da:1a:00:00:01"


@dataclass(frozen=True, slots=True)
class Leg:
    """One NIC of a node and every address on it."""

    nic: Nic
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What a node should look like. `routes` are (target, via); `forwards` says that it routes between its legs;
    `nat` names the legs behind whose address it hides what it forwards."""

    legs: tuple[Leg, ...]
    routes: tuple[tuple[str, str], ...] = ()
    forwards: bool = False
    nat: tuple[str, ...] = ()


def node_plans(topology: Topology) -> dict[str, NodePlan]:
    """Every node of the topology by name (`router:ID`, `balancer:ID`, `gateway`). Pure."""
    plans = {f"router:{router.id}": _router(router) for router in topology.routers if router.power}
    plans |= {f"balancer:{b.id}": _balancer(b) for b in topology.balancers if b.power}
    gateway = _gateway(topology)
    return plans | ({"gateway": gateway} if gateway else {})


def _router(router: Router) -> NodePlan:
    routes = tuple(("default", nic.gateway) for nic in router.nics if nic.gateway)[:1]
    nat = tuple(nic.name for nic in router.nics if router.nat and nic.segment == INTERNET)
    return NodePlan(tuple(Leg(nic, nic.addresses) for nic in router.nics), routes, forwards=True, nat=nat)


def _balancer(balancer: Balancer) -> NodePlan:
    vips = tuple(dict.fromkeys(f"{vip.address}/32" for vip in balancer.vips))
    own = {address.partition("/")[0] for address in balancer.nic.addresses}
    addresses = balancer.nic.addresses + tuple(vip for vip in vips if vip.partition("/")[0] not in own)
    routes = (("default", balancer.nic.gateway),) if balancer.nic.gateway else ()
    return NodePlan((Leg(balancer.nic, addresses),), routes)


def _gateway(topology: Topology) -> NodePlan | None:
    """The router of the internet segment: it owns the gateway addresses that the machines and routers there were
    given. It also knows the way back to what is behind a router with NAT, for kernels that cannot translate addresses;
    there, of two routers with the same private range the first by id gets the answers.
    """
    nics = [nic for machine in topology.machines for nic in machine.nics]
    nics += [nic for router in topology.routers for nic in router.nics]
    outside = [nic for nic in nics if nic.segment == INTERNET]
    taken = {address.partition("/")[0] for nic in outside for address in nic.addresses}
    addresses: dict[str, str] = {}
    for nic in outside:
        for address in nic.addresses:
            if nic.gateway and nic.gateway not in taken:
                addresses[nic.gateway] = f"{nic.gateway}/{address.partition('/')[2]}"
    if not addresses or all(segment.id != INTERNET for segment in topology.segments):
        return None
    routes: dict[str, str] = {}
    for router in sorted(topology.routers, key=lambda router: router.id):
        legs = [nic for nic in router.nics if nic.segment == INTERNET and nic.addresses]
        if not (router.power and router.nat and legs):
            continue
        via = legs[0].addresses[0].partition("/")[0]
        for nic in router.nics:
            for address in nic.addresses if nic.segment != INTERNET else ():
                routes.setdefault(str(ipaddress.ip_interface(address).network), via)
    nic = Nic("eth0", GATEWAY_MAC, INTERNET)
    return NodePlan(
        (Leg(nic, tuple(addresses[a] for a in sorted(addresses))),), tuple(sorted(routes.items())), True
    )


class Node:
    """One such namespace, kept alive by a descriptor."""

    def __init__(self, wiring: Wiring, nat: Nat, log: Callable[[str], None]) -> None:
        self.namespace = new_network_namespace()
        self._wiring = wiring
        self._nat = nat
        self._log = log
        self._plan = NodePlan(())
        self._cables: dict[str, str] = {}
        with network_namespace(self.namespace):
            ip_batch(["link set lo up"])

    def become(self, plan: NodePlan) -> None:
        """Change the namespace from the plan it has to this one; what stays the same is not touched."""
        before, after = self._plan, plan
        changes = port_changes([leg.nic for leg in before.legs], [leg.nic for leg in after.legs])
        self._wiring.remove(self._cables.pop(name) for name in changes.remove)
        added = [(nic.name, nic.mac, nic.segment) for nic in changes.add]
        self._cables |= self._wiring.connect(f"/proc/{os.getpid()}/fd/{self.namespace}", added)
        self._wiring.move((self._cables[nic.name], nic.segment) for nic in changes.move)
        fresh = {nic.name for nic in changes.add}
        old = {leg.nic.name: set(leg.addresses) for leg in before.legs if leg.nic.name not in fresh}
        with network_namespace(self.namespace):
            for name, value in (("ip_forward", after.forwards), ("conf/all/rp_filter", False)):
                Path("/proc/sys/net/ipv4", name).write_text(f"{int(value)}\n")
            Path("/proc/sys/net/ipv4/conf/all/send_redirects").write_text("0\n")
            ip_batch(_lines(old, after))
            _routes(before.routes, after.routes)
            if before.nat != after.nat and (refusal := self._nat.masquerade(after.nat)):
                self._log(f"no address translation, return routes stand in: {refusal}")
        self._plan = plan

    def close(self) -> None:
        """Let go of the namespace; the kernel removes it with its NICs."""
        self._wiring.remove(self._cables.values())
        self._cables = {}
        os.close(self.namespace)


def _lines(old: Mapping[str, set[str]], plan: NodePlan) -> list[str]:
    lines: list[str] = []
    for leg in plan.legs:
        name, had = leg.nic.name, old.get(leg.nic.name, set[str]())
        lines += [f"address del {address} dev {name}" for address in sorted(had - set(leg.addresses))]
        lines.append(f"link set dev {name} up")
        lines += [f"address replace {address} dev {name}" for address in leg.addresses]
    return lines


def _routes(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> None:
    """`flush` of a route that went away with its address or port is no fault, unlike `del`."""
    targets = {target for target, _ in after}
    ip_batch(f"route flush exact {target}" for target, _ in before if target not in targets)
    ip_batch(f"route replace {target} via {via}" for target, via in after)
