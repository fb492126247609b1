"""The pod network: Cilium in VXLAN or native mode, and what it tells routers outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import BgpPlan, Plan
from daiku.render.cluster_parts import POOL_LABEL, Files, chart_parts
from daiku.render.engine import render


@dataclass(frozen=True, slots=True)
class CiliumValues:
    template: ClassVar[str] = "cluster/cilium/values.yaml.j2"
    cluster: str
    api_host: str
    api_port: int
    native: bool
    pods_cidr: str
    node_mask: int
    devices: tuple[str, ...]
    node_cidr: str
    mtu: int
    pods_mtu: int
    service_domain: str
    operators: int
    bgp: bool


@dataclass(frozen=True, slots=True)
class Peer:
    """`hops` is 1 for a router on the node network."""

    name: str
    address: str
    asn: int
    hops: int


@dataclass(frozen=True, slots=True)
class Bgp:
    template: ClassVar[str] = "cluster/cilium/bgp.yaml.j2"
    local_asn: int
    pool_label: str
    pool: str
    peers: tuple[Peer, ...]
    pods: bool
    load_balancers: bool


def cilium_parts(plan: Plan) -> Files:
    """Cilium's chart; its BGP objects behind it, because the operator makes their definitions."""
    files = chart_parts(plan, "10-cilium", "cilium", "kube-system", cilium(plan))
    return files if plan.bgp is None else files | {"11-cilium-bgp/bgp.yaml": render(_bgp(plan.bgp))}


def cilium(plan: Plan) -> CiliumValues:
    """Values of Cilium's chart."""
    host, _, port = plan.api_endpoint.rpartition(":")
    return CiliumValues(
        cluster=plan.cluster,
        api_host=host,
        api_port=int(port),
        native=plan.pods_mode == "native",
        pods_cidr=plan.pods_cidr,
        node_mask=plan.pods_node_mask,
        devices=tuple(sorted({node.interface for node in plan.nodes})),
        node_cidr=plan.node_network.cidr,
        mtu=plan.mtu.node,
        pods_mtu=plan.mtu.pods,
        service_domain=plan.service_domain,
        operators=min(2, len(plan.nodes)),
        bgp=plan.bgp is not None,
    )


def _bgp(bgp: BgpPlan) -> Bgp:
    return Bgp(
        local_asn=bgp.local_asn,
        pool_label=POOL_LABEL,
        pool=bgp.pool,
        peers=tuple(
            Peer("router-" + address.replace(".", "-"), address, asn, hops)
            for address, asn, hops in bgp.peers
        ),
        pods="pods" in bgp.advertise,
        load_balancers="load-balancers" in bgp.advertise,
    )
