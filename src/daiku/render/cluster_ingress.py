"""Ingress: a controller on every machine that the load balancer sends to, on the ports that it sends to.

The load balancer is DSR: packets come with the VIP as their target and the client's own address as their source, and
the answer goes past it. So there is no PROXY protocol, and a forwarded header can only be a client's invention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import Plan
from daiku.plan.namespaces import INGRESS
from daiku.render.cluster_parts import MANAGEMENT_POOL, POOL_LABEL, Files, chart_parts

CLASS = "public"
_KNOWN = {80: "web", 443: "websecure"}
_PRIVILEGED = 1024


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """`port` is the VIP's and the machine's; the controller itself listens on `inside`, as no root."""

    name: str
    port: int
    inside: int


@dataclass(frozen=True, slots=True)
class IngressValues:
    template: ClassVar[str] = "cluster/ingress/traefik-values.yaml.j2"
    ingress_class: str
    vip: str
    pool_label: str
    pool: str
    entry_points: tuple[EntryPoint, ...]
    unused: tuple[str, ...]


def has_ingress(plan: Plan) -> bool:
    """The load balancer has a VIP for it."""
    return any(vip.name == "ingress" for vip in plan.load_balancer.vips)


def ingress_parts(plan: Plan) -> Files:
    """The controller's chart; nothing without a VIP."""
    if not has_ingress(plan):
        return {}
    return chart_parts(plan, "35-ingress", "traefik", INGRESS, ingress_values(plan))


def ingress_values(plan: Plan) -> IngressValues:
    """ValueError: the load balancer sends to machines that are not management nodes."""
    vips = [vip for vip in plan.load_balancer.vips if vip.name == "ingress"]
    management = {node.name for node in plan.by_role("management")}
    servers = {server.node for vip in vips for server in vip.servers}
    if servers != management:
        raise ValueError("the ingress VIP's real servers are not the management nodes")
    points = entry_points(tuple(vip.port for vip in vips))
    names = {point.name for point in points}
    return IngressValues(
        ingress_class=CLASS,
        vip=vips[0].address,
        pool_label=POOL_LABEL,
        pool=MANAGEMENT_POOL,
        entry_points=points,
        unused=tuple(name for name in _KNOWN.values() if name not in names),
    )


def entry_points(ports: tuple[int, ...]) -> tuple[EntryPoint, ...]:
    """One for each port of the VIP, in order; what it listens on inside is free among them all."""
    taken = {port for port in ports if port >= _PRIVILEGED} | {8080, 9100}
    made: list[EntryPoint] = []
    for port in sorted(ports):
        inside = port
        if port < _PRIVILEGED:
            inside = 8000 + port
            while inside in taken:
                inside += _PRIVILEGED
            taken.add(inside)
        made.append(EntryPoint(_KNOWN.get(port, f"tcp-{port}"), port, inside))
    return tuple(made)
