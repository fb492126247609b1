"""Sakura's DSR load balancer: virtual IPs and their real servers.

DSR hands packets on unchanged, so a real server listens on the VIP's own port and carries the VIP on its loopback.
"""

from __future__ import annotations

from daiku.plan.model import LoadBalancerPlan, NodePlan, RealServer, VirtualIpPlan
from daiku.spec import defaults
from daiku.spec.cluster import Cluster

API_PORT = 6443


def load_balancer(cluster: Cluster, nodes: tuple[NodePlan, ...]) -> LoadBalancerPlan:
    """The API VIP over the control plane, and each ingress port over the management nodes."""
    spec = cluster.load_balancer
    # A TCP check would keep an API server in that has lost etcd; /readyz fails then.
    vips = [_vip("api", spec.api_vip, API_PORT, "https", "/readyz", "control-plane", nodes)]
    if spec.ingress is not None:
        vips += [
            _vip("ingress", spec.ingress.vip, port, "tcp", "", "management", nodes)
            for port in sorted(set(spec.ingress.ports))
        ]
    return LoadBalancerPlan(
        plan=spec.plan,
        addresses=defaults.load_balancer_addresses(cluster),
        prefix_length=defaults.node_network(cluster).prefixlen,
        gateway=defaults.gateway(cluster),
        vrid=spec.vrid,
        vips=tuple(vips),
    )


def _vip(
    name: str, address: str, port: int, check: str, path: str, role: str, nodes: tuple[NodePlan, ...]
) -> VirtualIpPlan:
    servers = tuple(RealServer(node=n.name, address=n.address, port=port) for n in nodes if n.role == role)
    return VirtualIpPlan.model_validate(
        {"name": name, "address": address, "port": port, "check": check, "path": path, "servers": servers}
    )
