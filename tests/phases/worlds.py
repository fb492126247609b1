"""Clusters as live facts: the machines of a plan, and what they may look like."""

from __future__ import annotations

from dataclasses import replace

from daiku.apply.phases.decide import CONTROL_PLANE_LABEL, STATIC_PODS, Machine
from daiku.apply.phases.facts import ClusterFacts, HostFacts, Live, Member, NodeSeen

CA = ("c" * 64,)
OTHER_CA = ("d" * 64,)
PLANES = tuple(
    Machine(f"cp-{n}", f"10.0.0.{n}", True, {CONTROL_PLANE_LABEL: ""}, (f"{CONTROL_PLANE_LABEL}:NoSchedule",))
    for n in (1, 2, 3)
)
WORKERS = tuple(Machine(f"gpu-{n}", f"10.0.1.{n}", False, {"daiku.io/pool": "h100"}) for n in (1, 2))
MACHINES = (*PLANES, *WORKERS)
FRESH = HostFacts()


def member(machine: Machine, *, healthy: bool = True, learner: bool = False) -> Member:
    number = machine.name.rpartition("-")[2]
    return Member(number, machine.name, (f"https://{machine.address}:2380",), learner, healthy)


MEMBERS = tuple(member(m) for m in PLANES)
STANDING = HostFacts(
    kubelet="active",
    joined=True,
    manifests=STATIC_PODS,
    etcd_data=True,
    ca=CA,
    api="ok",
    members=MEMBERS,
    quorum=True,
    vip_file=True,
)
WORKING = HostFacts(kubelet="active", joined=True, ca=CA)


def node(machine: Machine, *, ready: bool = True) -> NodeSeen:
    return NodeSeen(machine.name, ready, "", dict(machine.labels), machine.taints, machine.provider_id)


WHOLE = Live(
    {**{m.name: STANDING for m in PLANES}, **{m.name: WORKING for m in WORKERS}},
    {},
    ClusterFacts({m.name: node(m) for m in MACHINES}),
)


def but(
    live: Live, *, missing_nodes: tuple[str, ...] = (), silent: tuple[str, ...] = (), **hosts: HostFacts
) -> Live:
    """`live` with other facts of some hosts (cp_1 for cp-1), without some nodes, with some hosts silent."""
    known = {**live.hosts, **{name.replace("_", "-"): facts for name, facts in hosts.items()}}
    cluster = live.cluster
    if cluster is not None:
        cluster = replace(
            cluster, nodes={n: one for n, one in cluster.nodes.items() if n not in missing_nodes}
        )
    return Live(
        {name: facts for name, facts in known.items() if name not in silent},
        dict.fromkeys(silent, "no answer"),
        cluster,
    )


def seen_by_others(live: Live, members: tuple[Member, ...]) -> Live:
    """`live` with other members of etcd, as every host with a quorum lists them."""
    return Live(
        {n: replace(h, members=members) if h.quorum else h for n, h in live.hosts.items()},
        live.silent,
        live.cluster,
    )
