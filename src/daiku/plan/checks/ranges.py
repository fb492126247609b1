"""Address ranges: none may overlap another, or packets for one would end in the other."""

from __future__ import annotations

from collections import Counter
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
    """One fault a clash; a range that lies over several others is one fault, with all of them."""
    pairs = [(a, b) for a, b in combinations(ranges(view), 2) if a.network.overlaps(b.network)]
    crowds = Counter(one for pair in pairs for one in pair)
    while pairs:
        worst = max(crowds, key=lambda one: (crowds[one], pairs[0][1] == one))
        mine = [pair for pair in pairs if worst in pair]
        yield _overlap(view, worst, [a if b == worst else b for a, b in mine])
        pairs = [pair for pair in pairs if worst not in pair]
        crowds = Counter(one for pair in pairs for one in pair)


def _overlap(view: View, here: Range, others: list[Range]) -> Fault:
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return view.source.fault(
        here.path,
        f"{here.what} {here.network} overlaps {others[0].what} {others[0].network}{more}",
        "every network needs a range of its own",
        others=tuple(
            view.source.fault(
                one.path, f"{one.what} {one.network}{'' if view.source.given(one.path) else ' (default)'}"
            )
            for one in others
        ),
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
