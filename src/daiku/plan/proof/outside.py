"""Names, resolvers, the Internet, Sakura's services and AWS against the cluster's own ranges."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from daiku.errors import Fault
from daiku.plan.checks.ranges import Range, ranges
from daiku.plan.proof.rule import Case, Rule
from daiku.spec.source import Path

PRIVATE = tuple(
    IPv4Network(cidr)
    for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
)
"""Ranges that nobody announces to the Internet: RFC 1918, carriers' and benchmarking networks."""
LINK_LOCAL = IPv4Network("169.254.0.0/16")
METADATA = IPv4Network("169.254.169.252/30")
"""Instance metadata and resolver of cloud machines."""
NLB_TARGETS = PRIVATE[:4]
"""Addresses outside the VPC that an AWS load balancer takes as targets."""

CONNECT_MBPS = (50, 100, 200, 300, 400, 500, 1000, 2000, 5000, 10_000)
"""Speeds of hosted Direct Connect connections."""
ROUTER_MBPS = {"premium": 500, "highspec": 2000, "highspec4000": 4000}
"""The lowest bandwidth on the price list that is not below what the router plan passes (400, 1600, 4000)."""

_DNS: Path = ("network", "egress", "dns")


def resolvers(case: Case) -> Iterator[Fault]:
    for place, address in enumerate(case.view.cluster.network.egress.dns):
        for one in _closed(case):
            if IPv4Address(address) in one.network:
                yield case.view.clash(
                    (*_DNS, place), f"{address} is in the {one.what} {one.network}", one.path, one.what
                )
        if IPv4Address(address).is_loopback:
            yield case.view.source.fault((*_DNS, place), f"{address} is the machine that asks")


def vpc_resolver(case: Case) -> Iterator[Fault]:
    aws = case.view.cluster.aws
    known = {"169.254.169.253"}
    if aws is not None:
        known.add(str(IPv4Network(aws.vpc.cidr).network_address + 2))
    for place, address in enumerate(case.view.cluster.network.egress.dns):
        if address in known:
            yield case.view.clash(
                (*_DNS, place),
                f"{address} is the VPC's own resolver, which answers inside the VPC only",
                ("aws", "vpc", "cidr"),
                "VPC",
            )


def link_local(case: Case) -> Iterator[Fault]:
    for one in ranges(case.view):
        if one.what != "link to AWS" and one.network.overlaps(LINK_LOCAL):
            yield case.view.source.fault(one.path, f"{one.what} {one.network} is link-local")


def metadata(case: Case) -> Iterator[Fault]:
    for one in ranges(case.view):
        if one.what == "link to AWS" and one.network.overlaps(METADATA):
            yield case.view.clash(
                one.path,
                f"the link {one.network} has the addresses of AWS's metadata service",
                ("aws", "connect", "customerAddress"),
                "the other end",
            )


def public(case: Case) -> Iterator[Fault]:
    for one in ranges(case.view):
        inside = any(one.network.subnet_of(private) for private in (*PRIVATE, LINK_LOCAL))
        if not inside:
            yield case.view.source.fault(one.path, f"{one.what} {one.network} is public address space")


def targets_private(case: Case) -> Iterator[Fault]:
    ingress = case.view.cluster.load_balancer.ingress
    if case.view.cluster.aws is None or ingress is None:
        return
    if not any(IPv4Address(ingress.vip) in private for private in NLB_TARGETS):
        yield case.view.clash(
            ("loadBalancer", "ingress", "vip"),
            f"{ingress.vip} is no private address, and AWS's load balancer takes no other target",
            ("network", "node", "cidr"),
            "node network",
        )


def names_apart(case: Case) -> Iterator[Fault]:
    domain, where = case.plan.service_domain, ("network", "services", "domain")
    names: list[tuple[Path, str]] = [
        (("kubernetes", "apiNames", i), name) for i, name in enumerate(case.view.cluster.kubernetes.api_names)
    ]
    if case.view.cluster.aws is not None:
        names.append((("aws", "zoneName"), case.view.cluster.aws.zone_name))
    for path, name in names:
        if f".{name}".endswith(f".{domain}"):
            default = "" if case.view.source.given(where) else " (default)"
            yield case.view.clash(
                path,
                f"{name} is under the service domain {domain}",
                where,
                f"service domain {domain}{default}",
            )


def connect_speed(case: Case) -> Iterator[Fault]:
    aws = case.view.cluster.aws
    if aws is not None and aws.connect.bandwidth_mbps not in CONNECT_MBPS:
        below = max((s for s in CONNECT_MBPS if s < aws.connect.bandwidth_mbps), default=CONNECT_MBPS[0])
        yield case.view.source.fault(
            ("aws", "connect", "bandwidthMbps"),
            f"Direct Connect is not sold with {aws.connect.bandwidth_mbps} Mbps; the next speed below is {below}",
        )


def router_passes(case: Case) -> Iterator[Fault]:
    egress = case.view.cluster.network.egress
    limit = ROUTER_MBPS.get(egress.router)
    if limit is not None and (egress.bandwidth_mbps or 0) > limit:
        yield case.view.clash(
            ("network", "egress", "bandwidthMbps"),
            f"{egress.bandwidth_mbps} Mbps before a router that passes less than {limit}",
            ("network", "egress", "router"),
            f"plan {egress.router}",
        )


def router_single(case: Case) -> Iterator[Fault]:
    if case.plan.phase == "production" and case.plan.router.plan == "standard":
        yield case.view.clash(
            ("network", "egress", "router"),
            "plan standard is one machine of 80 Mbps",
            ("phase",),
            "production",
        )


def bastion_reachable(case: Case) -> Iterator[Fault]:
    allowed = [IPv4Network(cidr) for cidr in case.view.cluster.access.allow_from]
    if allowed and all(any(n.subnet_of(p) for p in PRIVATE) for n in allowed):
        yield case.view.source.fault(
            ("access", "allowFrom"),
            "only private addresses may come in, and the bastion's port is on the Internet side of the router",
        )


def ids_apart(case: Case) -> Iterator[Fault]:
    hybrid, aws = case.view.cluster.network.node.hybrid, case.view.cluster.aws
    first: dict[str, tuple[Path, str]] = {}
    uses: list[tuple[str, Path, str]] = []
    if hybrid is not None:
        path: Path = ("network", "node", "hybrid", "privateNetwork")
        uses.append((hybrid.private_network, path, "the PHY private network"))
    uses += [(n.id, (*path, "id"), f"a server of pool {p.name}") for path, p, n in case.view.gpu_nodes()]
    if aws is not None:
        uses.append((aws.connect.resource_id, ("aws", "connect", "resourceId"), "the AWS connection"))
    for value, path, what in uses:
        where, other = first.setdefault(value, (path, what))
        if where != path:
            yield case.view.clash(path, f"{value} is given for {what} and for {other}", where, other)


def zone_is_real(case: Case) -> Iterator[Fault]:
    if case.plan.zone == "tk1v" and case.view.cluster.gpu_pools:
        yield case.view.clash(
            ("sakura", "zone"), "zone tk1v is Sakura's sandbox", ("gpuPools",), "real GPU servers"
        )


def _closed(case: Case) -> list[Range]:
    # Where no resolver of the outside can be: pods, services and rails.
    return [one for one in ranges(case.view) if one.what not in {"node network", "VPC", "link to AWS"}]


ERRORS = (
    Rule(
        "dns-inside-cluster",
        resolvers,
        "The cluster's DNS forwards to itself, or to where the hosts cannot reach: CoreDNS stops with `Loop detected` "
        "and nodes resolve nothing before it runs.",
        "Name resolvers outside the cluster, as Sakura's 133.242.0.3.",
    ),
    Rule(
        "dns-vpc-resolver",
        vpc_resolver,
        "Every look-up from the nodes times out: that resolver does not answer over Direct Connect.",
        "Make a Route 53 inbound endpoint and name its addresses.",
    ),
    Rule(
        "range-link-local",
        link_local,
        "Routers drop the traffic, and hosts take the addresses for neighbours on any of their ports.",
        "Take a private range.",
    ),
    Rule(
        "aws-link-metadata",
        metadata,
        "AWS refuses the addresses, or the management cluster's hosts lose their credentials.",
        "Take another /30 of 169.254.0.0/16, as on the paperwork.",
    ),
    Rule(
        "aws-target-public",
        targets_private,
        "AWS refuses the target: users reach nothing.",
        "Take the node network from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.",
    ),
    Rule(
        "dns-name-in-service-domain",
        names_apart,
        "Pods ask the cluster's DNS, which says that the name does not exist; hosts resolve it. It works in every test "
        "but the one from a pod.",
        "Take another zone or another `services.domain`.",
    ),
    Rule(
        "service-id-twice",
        ids_apart,
        "One of both is adopted in the other's place: a wrong port or server is changed.",
        "Copy each ID from its own line of the control panel.",
    ),
)

WARNINGS = (
    Rule(
        "range-public",
        public,
        "The hosts of the Internet that really have these addresses cannot be reached from the cluster.",
        "Take a private range.",
    ),
    Rule(
        "aws-connect-speed",
        connect_speed,
        "What was ordered and what is policed differ: packets are lost at the lower speed.",
        "Write the speed of the contract.",
    ),
    Rule(
        "egress-bandwidth-idle",
        router_passes,
        "The difference is paid for and never used.",
        "Take a larger router plan or a smaller bandwidth.",
    ),
    Rule(
        "egress-single",
        router_single,
        "When it fails, or is maintained, no node pulls an image and nobody reaches the bastion.",
        "Take plan premium or above.",
    ),
    Rule(
        "bastion-closed",
        bastion_reachable,
        "Nobody gets in by SSH, and neither does daiku.",
        "Allow the public addresses that operators come from.",
    ),
    Rule(
        "zone-sandbox",
        zone_is_real,
        "The sandbox starts no real machine: the first boot never ends.",
        "Take the zone of the PHY servers.",
    ),
)
