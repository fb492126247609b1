"""The interconnect of a pool: rails wide enough for nodes and virtual functions, and an MTU that carries everything."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from daiku.errors import Fault
from daiku.plan import addressing
from daiku.plan.mtu import ROCE_MIN
from daiku.plan.view import View
from daiku.spec.source import Path


def places(view: View) -> Iterator[Fault]:
    """Every node has an address in the lower half of every rail. One fault a node, at the narrowest rail."""
    for path, pool, node in view.gpu_nodes():
        rails = [(IPv4Network(r.cidr), i) for i, r in enumerate(pool.fabric.rails)]
        if not rails:
            continue
        rail, number = max(rails, key=lambda r: (r[0].prefixlen, -r[1]))
        lower = addressing.halves(rail)[0]
        if node.index >= lower.num_addresses or rail.prefixlen > 30:
            yield view.clash(
                (*path, "index"),
                f"index {node.index} has no address in {lower}, the nodes' half of rail {number}",
                (*path[:2], "fabric", "rails", number, "cidr"),
                f"rail {number} of pool {pool.name}",
                "widen the rail's subnet: its upper half is left to pods",
            )


def virtual_functions(view: View) -> Iterator[Fault]:
    """Every virtual function of every node can have an address in the upper half. Computed ones are counted by the
    highest index: a node's range does not move when others go."""
    for path, pool, rail in view.rails():
        fabric = pool.fabric
        if fabric.attach != "sriov":
            continue
        upper = addressing.halves(IPv4Network(rail.cidr))[1]
        nodes, what = len(pool.nodes), f"{len(pool.nodes)} nodes"
        if fabric.ipam == "per-node":
            nodes = max((node.index for node in pool.nodes), default=0)
            what = f"indexes up to {nodes}"
        wanted, there = fabric.vfs * nodes, upper.num_addresses - 2
        if wanted > there:
            yield view.clash(
                (*path, "cidr"),
                f"{upper}, the pods' half of rail {path[-1]}, has {there} addresses; "
                f"{what} with {fabric.vfs} virtual functions want {wanted}",
                (*path[:3], "vfs"),
                "virtual functions a NIC",
                "widen the rail's subnet or take fewer virtual functions",
            )


def pci(view: View) -> Iterator[Fault]:
    """Two rails on one physical function are one rail."""
    taken: dict[tuple[str, str], Path] = {}
    for path, pool, rail in view.rails():
        if rail.pci is None:
            continue
        here = (*path, "pci")
        if taken.setdefault((pool.name, rail.pci), here) != here:
            yield view.clash(
                here, f"{rail.pci} is another rail's NIC", taken[pool.name, rail.pci], "that rail"
            )


def carries_node_traffic(view: View) -> Iterator[Fault]:
    """Node-to-node packets, tunnels too, leave by a rail: it must take what the node network takes."""
    node = view.cluster.network.node.mtu
    for _, path, pool in view.pools():
        if pool.fabric.rails and pool.fabric.mtu < node:
            yield view.clash(
                (*path, "fabric", "mtu"),
                f"rail MTU {pool.fabric.mtu} is less than the node network's {node}, whose traffic it carries",
                ("network", "node", "mtu"),
                "MTU of the node network",
            )


def whole_nics(view: View) -> Iterator[Fault]:
    """NICs that pods get as a whole are found by their PCI addresses."""
    for path, pool, rail in view.rails():
        if pool.fabric.attach == "host-device" and rail.pci is None:
            yield view.clash(
                path,
                f"rail {path[-1]} has no PCI address, by which pods would be given the NIC",
                (*path[:3], "attach"),
                "how pods get rails",
                "name the rail's `pci`, as `lspci -D` shows it",
            )


def gateways(view: View) -> Iterator[Fault]:
    """A rail's router is in its subnet and has an address that no machine and no pod gets."""
    for path, pool, rail in view.rails():
        if rail.gateway is None:
            if rail.routes:
                yield view.clash(
                    (*path, "routes"),
                    f"pods reach {rail.routes[0]} through the rail's gateway, and rail {path[-1]} has none",
                    path,
                    "this rail",
                    "name the rail's `gateway`, or leave `routes` out",
                )
            continue
        subnet = IPv4Network(rail.cidr)
        upper = addressing.halves(subnet)[1]
        gateway = IPv4Address(rail.gateway)
        first, last = subnet.network_address, subnet.broadcast_address
        owner = int(gateway) - int(first)
        if gateway not in subnet or gateway in (first, last):
            what = f"{gateway} is no host's address of {subnet}"
        elif gateway in upper and gateway != upper.network_address:
            what = f"{gateway} is in {upper}, the half of pods"
        elif any(node.index == owner for node in pool.nodes):
            what = f"{gateway} is the address of the node with index {owner}"
        else:
            continue
        yield view.clash(
            (*path, "gateway"),
            what,
            (*path, "cidr"),
            f"subnet of rail {path[-1]}",
            f"free is {upper.network_address}, the first of the upper half",
        )


def roce(view: View) -> Iterator[Fault]:
    """A warning: RDMA works below this, at half the speed or worse for small messages."""
    for _, path, pool in view.pools():
        if pool.fabric.rails and pool.fabric.mtu < ROCE_MIN:
            yield view.source.fault(
                (*path, "fabric", "mtu"),
                f"with MTU {pool.fabric.mtu} RoCE cannot use its 4096-byte packets",
                f"at least {ROCE_MIN}, best 9000, if the switches allow",
            )
