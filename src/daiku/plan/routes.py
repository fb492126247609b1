"""Static routes of a host. Why the rails carry node-to-node traffic this way: docs/decisions/0002-rail-routes.md."""

from __future__ import annotations

from ipaddress import IPv4Network

from daiku.plan.model import RailPort, Route
from daiku.spec.cluster import Cluster

FIRST_METRIC = 50
"""Below any metric that an OS or a DHCP client would choose for the same destination."""


def rail_routes(
    block: IPv4Network, ports: tuple[RailPort, ...], index: int, source: str
) -> tuple[Route, ...]:
    """On-link routes to the nodes of the own pool, one a rail, best first.

    Nodes start at different rails so that the load spreads; when a rail's carrier goes, the next one takes over.
    """
    count = len(ports)
    routes = [
        Route(to=str(block), dev=p.nic, source=source, metric=FIRST_METRIC + (p.rail - index) % count)
        for p in ports
    ]
    return tuple(sorted(routes, key=lambda r: r.metric or 0))


def aws_routes(cluster: Cluster, interface: str) -> tuple[Route, ...]:
    """The way to the VPC: through the local router's VIP on the node network."""
    if cluster.aws is None:
        return ()
    return (Route(to=cluster.aws.vpc.cidr, dev=interface, via=cluster.aws.connect.local_router.vip),)
