"""MTU of every layer, in bytes."""

from __future__ import annotations

from daiku.plan.model import MtuPlan
from daiku.spec.cluster import Cluster

VXLAN_OVERHEAD = 50
"""Outer Ethernet 14, IPv4 20, UDP 8 and VXLAN 8."""

ROCE_MIN = 4200
"""An RDMA path MTU of 4096 needs a network device with at least this; below it RoCE falls to 1024 or less."""


def mtu_plan(cluster: Cluster) -> MtuPlan:
    node = cluster.network.node.mtu
    overhead = VXLAN_OVERHEAD if cluster.network.pods.mode == "vxlan" else 0
    return MtuPlan(
        node=node,
        pods=node - overhead,
        tunnel_overhead=overhead,
        rails=tuple(sorted((p.name, p.fabric.mtu) for p in cluster.gpu_pools if p.fabric.rails)),
    )
