"""Single addresses on the node network: inside it, different from each other, and outside the blocks of GPU pools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from daiku.errors import Fault
from daiku.plan import addressing
from daiku.plan.view import View
from daiku.spec import defaults
from daiku.spec.source import Path


@dataclass(frozen=True, slots=True)
class Owned:
    """An address, who has it, and the setting that decides it."""

    address: str
    what: str
    path: Path


def fixed(view: View) -> list[Owned]:
    """Addresses of appliances and VIPs, in the order in which they were given away."""
    cluster = view.cluster
    first, *real = defaults.router_addresses(cluster)
    found = [Owned(first, "gateway", ("network", "node", "gateway"))]
    found += [Owned(a, "VPC router", ("network", "egress", "router")) for a in real]
    given = bool(cluster.load_balancer.addresses)
    for i, address in enumerate(defaults.load_balancer_addresses(cluster)):
        path: Path = ("loadBalancer", "addresses")
        found.append(Owned(address, "load balancer", (*path, i) if given else path))
    found.append(Owned(cluster.load_balancer.api_vip, "API VIP", ("loadBalancer", "apiVip")))
    if cluster.load_balancer.ingress is not None:
        found.append(
            Owned(cluster.load_balancer.ingress.vip, "ingress VIP", ("loadBalancer", "ingress", "vip"))
        )
    if cluster.aws is not None:
        router, path = cluster.aws.connect.local_router, ("aws", "connect", "localRouter")
        found.append(Owned(router.vip, "local router's VIP", (*path, "vip")))
        found += [Owned(a, "local router", (*path, "addresses", i)) for i, a in enumerate(router.addresses)]
    return found


def vms(view: View) -> list[Owned]:
    """Addresses of the cloud VMs, by number."""
    found: list[Owned] = []
    roles: list[tuple[addressing.VmRole, str, int]] = [
        ("control-plane", "controlPlane", view.cluster.control_plane.count),
        ("management", "management", view.cluster.management.count),
    ]
    for role, key, count in roles:
        for index in range(1, count + 1):
            address = addressing.vm_address(view.node_network, role, index)
            found.append(Owned(address, f"{role} node {index}", (key, "count")))
    return found


def outside(view: View) -> Iterator[Fault]:
    """An address that the node network does not have."""
    network = view.node_network
    ends = {network.network_address, network.broadcast_address}
    for owned in _one_each([*fixed(view), *vms(view)], lambda o: _is_outside(view, o)):
        at_end = IPv4Address(owned.address) in ends
        yield view.clash(
            owned.path,
            f"{owned.what} {owned.address} is "
            + ("the first or last address of" if at_end else "outside")
            + f" the node network {network}",
            ("network", "node", "cidr"),
            "node network",
        )


def doubles(view: View) -> Iterator[Fault]:
    """Two owners of one address."""
    owners: dict[str, Owned] = {}
    found: dict[tuple[Path, Path], tuple[Owned, Owned]] = {}
    for owned in [*fixed(view), *vms(view)]:
        first = owners.setdefault(owned.address, owned)
        if first is not owned:
            found.setdefault((owned.path, first.path), (owned, first))
    for owned, first in found.values():
        default = "" if view.source.given(first.path) else " (default)"
        yield view.clash(
            owned.path,
            f"{owned.what} has {owned.address}, and so has the {first.what}",
            first.path,
            f"{first.what} {first.address}{default}",
            "give one of them another address",
        )


def inside_blocks(view: View) -> Iterator[Fault]:
    """GPU nodes send their pool's block over the rails: nothing else in it can be reached from them."""
    for position, path, pool in view.pools():
        block = view.block(position)
        for owned in _one_each([*fixed(view), *vms(view)], _within(block)):
            yield view.clash(
                owned.path,
                f"{owned.what} {owned.address} is inside {block}, which belongs to the nodes of pool {pool.name}",
                (*path, "addresses"),
                f"block of pool {pool.name}",
                "take an address outside, or give the pool another block",
            )


def _is_outside(view: View, owned: Owned) -> bool:
    address, network = IPv4Address(owned.address), view.node_network
    return address not in network or address in {network.network_address, network.broadcast_address}


def _within(block: IPv4Network) -> Callable[[Owned], bool]:
    return lambda owned: IPv4Address(owned.address) in block


def _one_each(owned: list[Owned], wrong: Callable[[Owned], bool]) -> Iterator[Owned]:
    # A hundred VMs that do not fit are one fault of one setting.
    seen: set[Path] = set()
    for one in owned:
        if one.path not in seen and wrong(one):
            seen.add(one.path)
            yield one
