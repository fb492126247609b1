"""The AWS side: subnets, the link's addresses and ASNs, and what the user load balancer can reach."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from itertools import combinations

from daiku.errors import Fault
from daiku.plan.aws import zones
from daiku.plan.view import View
from daiku.spec.source import Path

_CONNECT: Path = ("aws", "connect")
_VPC: Path = ("aws", "vpc")
_RESERVED_ASNS = frozenset({23456, 65535, 4294967295})


def link(view: View) -> Iterator[Fault]:
    """Both ends of the link are different hosts of one subnet."""
    aws = view.cluster.aws
    if aws is None:
        return
    ours, theirs = IPv4Interface(aws.connect.customer_address), IPv4Interface(aws.connect.amazon_address)
    here, other = (*_CONNECT, "customerAddress"), (*_CONNECT, "amazonAddress")
    if ours.network != theirs.network:
        yield view.clash(here, f"{ours} and {theirs} are not in one subnet", other, "the other end")
    elif ours.ip == theirs.ip:
        yield view.clash(here, f"both ends have {ours.ip}", other, "the other end")
    for path, end in ((here, ours), (other, theirs)):
        network = end.network
        if network.prefixlen == 30 and end.ip in {network.network_address, network.broadcast_address}:
            yield view.source.fault(
                path, f"{end.ip} is the first or last address of {network}", "take one between"
            )


def asns(view: View) -> Iterator[Fault]:
    """BGP between the two sides needs two ASNs, and AWS takes only private ones on its side."""
    aws = view.cluster.aws
    if aws is None:
        return
    ours, theirs = aws.connect.customer_asn, aws.connect.amazon_asn
    here, other = (*_CONNECT, "customerAsn"), (*_CONNECT, "amazonAsn")
    if ours == theirs:
        yield view.clash(here, f"both sides have ASN {ours}", other, "the other side")
    if not (64512 <= theirs <= 65534 or 4200000000 <= theirs <= 4294967294):
        yield view.source.fault(
            other, f"ASN {theirs} is not private", "64512 to 65534, or 4200000000 to 4294967294"
        )
    if ours in _RESERVED_ASNS:
        yield view.source.fault(here, f"ASN {ours} is reserved")


def gateway_kind(view: View) -> Iterator[Fault]:
    """What kind of gateway can end which kind of interface, and where."""
    aws = view.cluster.aws
    if aws is None:
        return
    here = (*_CONNECT, "gateway")
    if aws.connect.type == "transit" and aws.connect.gateway == "virtual-private":
        message = "a transit interface ends at a Direct Connect gateway"
        yield view.clash(here, message, (*_CONNECT, "type"), "transit", "gateway: direct-connect")
    elif aws.connect.gateway == "virtual-private" and aws.region != "ap-northeast-1":
        message = f"a virtual private gateway serves ap-northeast-1 only, not {aws.region}"
        yield view.clash(here, message, ("aws", "region"), "region", "gateway: direct-connect")


def subnets(view: View) -> Iterator[Fault]:
    """Subnets are parts of the VPC, apart from each other, one a zone."""
    aws = view.cluster.aws
    if aws is None:
        return
    vpc = IPv4Network(aws.vpc.cidr)
    if not 16 <= vpc.prefixlen <= 28:
        yield view.source.fault((*_VPC, "cidr"), f"AWS takes VPCs of /16 to /28, not /{vpc.prefixlen}")
    parts = [IPv4Network(cidr) for cidr in aws.vpc.subnets]
    for place, part in enumerate(parts):
        here = (*_VPC, "subnets", place)
        if not part.subnet_of(vpc):
            yield view.clash(here, f"{part} is outside the VPC {vpc}", (*_VPC, "cidr"), "VPC")
        if part.prefixlen > 28:
            yield view.source.fault(here, f"AWS takes subnets of at least /28, not /{part.prefixlen}")
    for (a, first), (b, second) in combinations(enumerate(parts), 2):
        if first.overlaps(second):
            message = f"subnet {second} overlaps {first}"
            yield view.clash((*_VPC, "subnets", b), message, (*_VPC, "subnets", a), "the other subnet")
    there = zones(aws.region)
    if len(parts) > len(there):
        message = f"{len(parts)} subnets, and {aws.region} has {len(there)} zones: {', '.join(there)}"
        yield view.clash((*_VPC, "subnets", len(there)), message, ("aws", "region"), "region")


def targets(view: View) -> Iterator[Fault]:
    """Users reach what the ingress VIP serves."""
    aws, ingress = view.cluster.aws, view.cluster.load_balancer.ingress
    if aws is None:
        return
    if ingress is None:
        message = "the user load balancer on AWS has no target: `loadBalancer.ingress` is missing"
        yield view.clash(
            ("aws",), message, ("loadBalancer",), "no `ingress` here", "add ingress: { vip: ... }"
        )
        return
    for place, port in enumerate(aws.load_balancer.ports):
        if port not in ingress.ports:
            yield view.clash(
                ("aws", "loadBalancer", "ports", place),
                f"port {port} is not served by the ingress VIP",
                ("loadBalancer", "ingress", "ports"),
                f"ports {', '.join(map(str, ingress.ports))}",
            )


def image(view: View) -> Iterator[Fault]:
    """A warning: the default image exists only in the lab."""
    path = ("aws", "managementCluster", "imageId")
    if view.cluster.aws is not None and not view.source.given(path):
        message = "the management cluster's image is a placeholder that only the lab knows"
        yield view.source.fault(path, message, "imageId: an Ubuntu AMI of the region")
