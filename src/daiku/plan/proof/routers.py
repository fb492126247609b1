"""BGP towards outside routers."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from daiku.errors import Fault
from daiku.plan.checks.addresses import fixed, vms
from daiku.plan.proof.rule import Case, Rule
from daiku.spec.source import Path

RESERVED = frozenset({23456, 65535, 4294967295})

_BGP: Path = ("network", "bgp")


def reserved(case: Case) -> Iterator[Fault]:
    bgp = case.view.cluster.network.bgp
    if bgp is None:
        return
    numbers = [((*_BGP, "localAsn"), bgp.local_asn)]
    numbers += [((*_BGP, "peers", place, "asn"), peer.asn) for place, peer in enumerate(bgp.peers)]
    for path, asn in numbers:
        if asn in RESERVED:
            yield case.view.source.fault(path, f"ASN {asn} is reserved")


def peers_once(case: Case) -> Iterator[Fault]:
    bgp = case.view.cluster.network.bgp
    first: dict[str, Path] = {}
    for place, peer in enumerate(bgp.peers if bgp else ()):
        here = (*_BGP, "peers", place, "address")
        where = first.setdefault(peer.address, here)
        if where != here:
            yield case.view.clash(here, f"two peers have {peer.address}", where, "the other peer")


def peers_outside(case: Case) -> Iterator[Fault]:
    bgp = case.view.cluster.network.bgp
    own = {one.address: one for one in (*vms(case.view), *fixed(case.view))}
    own = {a: one for a, one in own.items() if one.what not in {"gateway", "VPC router"}}
    for place, peer in enumerate(bgp.peers if bgp else ()):
        here = (*_BGP, "peers", place, "address")
        if peer.address in own:
            one = own[peer.address]
            yield case.view.clash(here, f"{peer.address} is the {one.what}, no router", one.path, one.what)
        for network, path, what in _inner(case):
            if IPv4Address(peer.address) in network:
                yield case.view.clash(here, f"{peer.address} is in the {what} {network}", path, what)


def peers_near(case: Case) -> Iterator[Fault]:
    bgp, network = case.view.cluster.network.bgp, case.view.node_network
    for place, peer in enumerate(bgp.peers if bgp else ()):
        address = IPv4Address(peer.address)
        inner = any(address in other for other, _, _ in _inner(case))
        if peer.multihop == 1 and address not in network and not inner:
            yield case.view.clash(
                (*_BGP, "peers", place, "address"),
                f"{peer.address} is not on the node network {network}, and its hops are 1",
                ("network", "node", "cidr"),
                "node network",
            )


def pods_of_all(case: Case) -> Iterator[Fault]:
    bgp = case.view.cluster.network.bgp
    if bgp is None or "pods" not in bgp.advertise:
        return
    silent = sorted({node.pool for node in case.plan.nodes} - {bgp.pool})
    if silent:
        yield case.view.clash(
            (*_BGP, "advertise"),
            f"each node tells its own pods' range, and only {bgp.pool} speaks: not {', '.join(silent)}",
            (*_BGP, "pool"),
            f"speakers: {bgp.pool}",
        )


def _inner(case: Case) -> list[tuple[IPv4Network, Path, str]]:
    return [
        (IPv4Network(case.plan.pods_cidr), ("network", "pods", "cidr"), "pod network"),
        (IPv4Network(case.plan.services_cidr), ("network", "services", "cidr"), "service network"),
        *(
            (IPv4Network(rail.cidr), (*path, "cidr"), f"rail {path[-1]} of pool {pool.name}")
            for path, pool, rail in case.view.rails()
        ),
    ]


ERRORS = (
    Rule(
        "bgp-asn-reserved",
        reserved,
        "Routers refuse the session: bad peer AS.",
        "Take a private ASN: 64512 to 65534, or 4200000000 to 4294967294.",
    ),
    Rule(
        "bgp-peer-twice",
        peers_once,
        "Two sessions with one router fight for its port: both flap.",
        "Name every router once.",
    ),
    Rule(
        "bgp-peer-inside",
        peers_outside,
        "The session never opens: nothing there speaks BGP. Between nodes it would route nothing either; Cilium's BGP "
        "only announces.",
        "Name a router outside the cluster.",
    ),
    Rule(
        "bgp-peer-far",
        peers_near,
        "Packets of the session have a lifetime of one hop and die at the gateway.",
        "Say how many hops away it is with `multihop`.",
    ),
)

WARNINGS = (
    Rule(
        "bgp-pods-partly",
        pods_of_all,
        "Routers learn the way to some pods; packets for all others take the default route and are lost.",
        "Advertise load balancers' addresses only, or let every machine's pool speak.",
    ),
)
