"""A GPU server's rails as files: the networks of pods that only this machine can describe, and RoCE's quality of
service when the specification has one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import NodePlan, Plan, PoolPlan, QosPlan
from daiku.render.bundle import HostFile
from daiku.render.engine import render
from daiku.render.rail_cni import node_config
from daiku.render.triggers import QOS_SCRIPT, QOS_UNIT_FILE

CNI_FOLDER = "/etc/cni/multus/net.d"
"""Where Multus looks for networks whose attachment definition has no configuration."""


@dataclass(frozen=True, slots=True)
class Qos:
    """`pfc` has a 1 at the priority with flow control; `traffic_class` is the IP header's byte of RoCE packets."""

    template: ClassVar[str] = "host/rail-qos.sh.j2"
    nics: tuple[str, ...]
    trust: str
    pfc: str
    dscp: int
    priority: int
    cnp_dscp: int
    cnp_priority: int
    ecn: int
    traffic_class: int


@dataclass(frozen=True, slots=True)
class QosUnit:
    template: ClassVar[str] = "host/rail-qos.service.j2"
    script: str


def rail_files(plan: Plan, node: NodePlan) -> tuple[HostFile, ...]:
    """None for a machine without rails, and none that the specification does not ask for."""
    if not node.rails:
        return ()
    pool = plan.pool(node.pool)
    return (*_networks(plan, node, pool), *_qos(node, pool))


def _networks(plan: Plan, node: NodePlan, pool: PoolPlan) -> tuple[HostFile, ...]:
    local = pool.attach == "host-device" or (pool.attach == "sriov" and pool.ipam == "per-node")
    found: list[HostFile] = []
    for rail in plan.rails:
        if local and rail.pool == pool.name and (rail.vfs or pool.attach != "sriov"):
            config = node_config(pool, rail, node)
            content = json.dumps(config, indent=2, sort_keys=True) + "\n"
            found.append(HostFile(f"{CNI_FOLDER}/{config['name']}.conflist", content.encode()))
    return tuple(found)


def _qos(node: NodePlan, pool: PoolPlan) -> tuple[HostFile, ...]:
    if pool.qos is None:
        return ()
    script = render(qos(pool.qos, tuple(rail.nic for rail in node.rails)))
    return (
        HostFile(QOS_SCRIPT, script, mode=0o755, trigger="rail-qos"),
        HostFile(QOS_UNIT_FILE, render(QosUnit(QOS_SCRIPT)), trigger="rail-qos"),
    )


def qos(plan: QosPlan, nics: tuple[str, ...]) -> Qos:
    """What every rail port is set to."""
    return Qos(
        nics=nics,
        trust=plan.trust,
        pfc=",".join("1" if priority == plan.priority else "0" for priority in range(8)),
        dscp=plan.dscp,
        priority=plan.priority,
        cnp_dscp=plan.cnp_dscp,
        cnp_priority=plan.cnp_priority,
        ecn=int(plan.ecn),
        traffic_class=traffic_class(plan),
    )


def traffic_class(plan: QosPlan) -> int:
    """The IP header's byte of RoCE packets: DSCP, and ECN-capable transport where switches mark congestion."""
    return plan.dscp << 2 | (2 if plan.ecn else 0)
