"""Address ranges: none may overlap another, or packets for one would end in the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from daiku.errors import Fault
from daiku.plan.view import View
from daiku.spec.source import Path


@dataclass(frozen=True, slots=True)
class Range:
    """A range with the setting that gives it. `what` is the user's word for it."""

    what: str
    network: IPv4Network
    path: Path


def ranges(view: View) -> list[Range]:
    """Every range that hosts or pods can meet, in the order of the file's sections."""
    network = view.cluster.network
    found = [
        Range("node network", IPv4Network(network.node.cidr), ("network", "node", "cidr")),
        Range("pod network", IPv4Network(network.pods.cidr), ("network", "pods", "cidr")),
        Range("service network", IPv4Network(network.services.cidr), ("network", "services", "cidr")),
    ]
    for path, pool, rail in view.rails():
        found.append(Range(f"rail {path[-1]} of pool {pool.name}", IPv4Network(rail.cidr), (*path, "cidr")))
    if view.cluster.aws is not None:
        found.append(Range("VPC", IPv4Network(view.cluster.aws.vpc.cidr), ("aws", "vpc", "cidr")))
        link = IPv4Network(view.cluster.aws.connect.amazon_address, strict=False)
        found.append(Range("link to AWS", link, ("aws", "connect", "amazonAddress")))
    return found


def overlaps(view: View) -> Iterator[Fault]:
    for first, second in combinations(ranges(view), 2):
        if not first.network.overlaps(second.network):
            continue
        default = "" if view.source.given(first.path) else " (default)"
        yield view.clash(
            second.path,
            f"{second.what} {second.network} overlaps {first.what} {first.network}",
            first.path,
            f"{first.what} {first.network}{default}",
            "every network needs a range of its own",
        )


def pod_shares(view: View) -> Iterator[Fault]:
    """Every node takes one share of the pod network."""
    pods = view.cluster.network.pods
    prefix = IPv4Network(pods.cidr).prefixlen
    nodes = view.node_count()
    shares = 0 if pods.node_mask < prefix else 2 ** (pods.node_mask - prefix)
    if shares < nodes:
        yield view.clash(
            ("network", "pods", "nodeMask"),
            f"{pods.cidr} holds {shares} shares of /{pods.node_mask}, and there are {nodes} nodes",
            ("network", "pods", "cidr"),
            "pod network",
            "take a wider pod network or a longer node mask; the pod network cannot change later",
        )


def services_size(view: View) -> Iterator[Fault]:
    """The API server refuses a service range of more than 2^20 addresses."""
    cidr = view.cluster.network.services.cidr
    if IPv4Network(cidr).prefixlen < 12:
        yield view.source.fault(("network", "services", "cidr"), f"{cidr} is too wide", "at most a /12")
