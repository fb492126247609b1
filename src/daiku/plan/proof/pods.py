"""How pods get rails: attachment, addresses, routes, kernel settings and what NCCL is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Network

from daiku.errors import Fault
from daiku.plan.proof.rule import Case, Rule
from daiku.spec.machines import GpuPool
from daiku.spec.source import Path

MANY_LEASES = 400
"""Addresses, one a node and rail, from which on one lease for the whole cluster was seen to be too slow."""


def functions_for_every_gpu(case: Case) -> Iterator[Fault]:
    for path, pool in _leasing(case):
        vfs, gpus = pool.fabric.vfs, pool.gpu.count
        if vfs < gpus:
            yield case.view.clash(
                (*path, "fabric", "vfs"),
                f"{vfs} virtual functions a rail, and {gpus} GPUs that a pod each may take",
                (*path, "gpu", "count"),
                "GPUs of a server",
            )


def functions_used(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        where = (*path, "fabric", "vfs")
        if pool.fabric.attach != "sriov" and pool.fabric.vfs and case.view.source.given(where):
            yield case.view.clash(
                where,
                f"{pool.fabric.vfs} virtual functions, and pods get the NIC itself",
                (*path, "fabric", "attach"),
                pool.fabric.attach,
            )


def one_pod_a_nic(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        if pool.fabric.attach != "sriov" and pool.fabric.rails and pool.sharing != "none":
            yield case.view.clash(
                (*path, "fabric", "attach"),
                f"{pool.fabric.attach} gives a NIC to one pod, and {pool.sharing} puts several on a GPU",
                (*path, "sharing"),
                pool.sharing,
            )


def rails_stay_with_ceph(case: Case) -> Iterator[Fault]:
    reliable = case.view.cluster.storage.reliable
    if reliable is None or reliable.network != "rails":
        return
    for _, path, pool in case.view.pools():
        if pool.nodes and pool.fabric.rails and pool.fabric.attach != "sriov":
            yield case.view.clash(
                ("storage", "reliable", "network"),
                f"Ceph is to use the rails, and pods of pool {pool.name} take them off the machine",
                (*path, "fabric", "attach"),
                pool.fabric.attach,
            )


def leases_scale(case: Case) -> Iterator[Fault]:
    for path, pool in _leasing(case):
        leases = len(pool.nodes) * len(pool.fabric.rails)
        if pool.fabric.ipam == "whereabouts" and leases >= MANY_LEASES:
            yield case.view.clash(
                (*path, "fabric", "ipam"),
                f"{len(pool.nodes)} nodes with {len(pool.fabric.rails)} rails lease from one place",
                (*path, "nodes"),
                f"{len(pool.nodes)} nodes",
            )


def routes_outside(case: Case) -> Iterator[Fault]:
    plan = case.plan
    inside = (
        (plan.node_network.cidr, ("network", "node", "cidr"), "node network"),
        (plan.pods_cidr, ("network", "pods", "cidr"), "pod network"),
        (plan.services_cidr, ("network", "services", "cidr"), "service network"),
    )
    for path, _, rail in case.view.rails():
        for number, cidr in enumerate(rail.routes):
            for network, where, what in inside:
                if IPv4Network(cidr).overlaps(IPv4Network(network)):
                    yield case.view.clash(
                        (*path, "routes", number),
                        f"{cidr} takes the {what} {network} through a rail",
                        where,
                        what,
                    )


def gateways_on_all(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        rails = [(*path, "fabric", "rails", place) for place in range(len(pool.fabric.rails))]
        without = [p for p, rail in zip(rails, pool.fabric.rails, strict=True) if rail.gateway is None]
        if without and len(without) < len(rails):
            routed = next(p for p in rails if p not in without)
            yield case.view.clash(
                without[0],
                f"rail {without[0][-1]} is isolated and rail {routed[-1]} is routed",
                (*routed, "gateway"),
                "a rail with a gateway",
            )


def devices_apart(case: Case) -> Iterator[Fault]:
    first: dict[tuple[str, str], Path] = {}
    for path, pool, rail in case.view.rails():
        if rail.rdma is not None:
            where = first.setdefault((pool.name, rail.rdma), (*path, "rdma"))
            if where != (*path, "rdma"):
                yield case.view.clash(
                    (*path, "rdma"), f"{rail.rdma} is another rail's device", where, "that rail"
                )


def devices_of_all(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        named = [place for place, rail in enumerate(pool.fabric.rails) if rail.rdma is not None]
        if named and len(named) < len(pool.fabric.rails):
            missing = next(p for p in range(len(pool.fabric.rails)) if p not in named)
            yield case.view.clash(
                (*path, "fabric", "rails", missing),
                f"rail {missing} has no `rdma`, and rail {named[0]} has",
                (*path, "fabric", "rails", named[0], "rdma"),
                "a rail with its device",
            )


def gid_left_to_nccl(case: Case) -> Iterator[Fault]:
    for path, pool in _leasing(case):
        if pool.fabric.gid_index is not None:
            yield case.view.clash(
                (*path, "fabric", "gidIndex"),
                f"GID {pool.fabric.gid_index} for every pod, and each virtual function has its own table",
                (*path, "fabric", "vfs"),
                "virtual functions",
            )


def settings_once(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        seen: dict[str, list[int]] = defaultdict(list)
        for place, setting in enumerate(pool.fabric.sysctls):
            seen[setting.name].append(place)
        for name, places in seen.items():
            if len({pool.fabric.sysctls[place].value for place in places}) > 1:
                yield case.view.clash(
                    (*path, "fabric", "sysctls", places[1], "value"),
                    f"{name} has two values",
                    (*path, "fabric", "sysctls", places[0], "value"),
                    "the other value",
                )


def reverse_path(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        for place, setting in enumerate(pool.fabric.sysctls):
            strict = setting.name.endswith(".rp_filter") and setting.value == "1"
            if strict and len(pool.fabric.rails) > 1:
                yield case.view.clash(
                    (*path, "fabric", "sysctls", place, "value"),
                    f"strict rp_filter, and pods have {len(pool.fabric.rails)} rails",
                    (*path, "fabric", "rails"),
                    "rails",
                )


def _leasing(case: Case) -> Iterator[tuple[Path, GpuPool]]:
    # Pools whose pods get virtual functions.
    for _, path, pool in case.view.pools():
        if pool.fabric.rails and pool.fabric.attach == "sriov" and pool.fabric.vfs:
            yield path, pool


ERRORS = (
    Rule(
        "ceph-rails-taken",
        rails_stay_with_ceph,
        "With the first pod that takes the NIC, the OSDs of that server lose their address and are marked down.",
        "Take `network: node`, or `attach: sriov`.",
    ),
    Rule(
        "rail-rdma-twice",
        devices_apart,
        "NCCL_IB_HCA names one device twice: half of the rails carry nothing.",
        "Name each rail's own device, as `rdma link` shows it.",
    ),
    Rule(
        "rail-sysctl-twice",
        settings_once,
        "One of the two is applied, and nobody knows which.",
        "Name every setting once.",
    ),
)

WARNINGS = (
    Rule(
        "vfs-under-gpus",
        functions_for_every_gpu,
        "With small pods the virtual functions end before the GPUs do: the last GPUs cannot be used with RDMA.",
        "Take at least as many virtual functions as GPUs, or 0 when pods take whole servers.",
    ),
    Rule(
        "vfs-unused",
        functions_used,
        "They hold memory of the NIC and are gone from the machine when a pod takes the port.",
        "Take `vfs: 0`, or `attach: sriov`.",
    ),
    Rule(
        "rail-one-pod",
        one_pod_a_nic,
        "The first pod takes the rails; all others of the server stay Pending or run over TCP.",
        "Take `attach: sriov` where pods share servers.",
    ),
    Rule(
        "whereabouts-scale",
        leases_scale,
        "Pods of a large job start minutes apart (500 pods on 100 nodes: 4 min 34 s) and, after leader changes, with "
        "addresses that others have.",
        "Take `ipam: per-node`: the plan computes each node's range, and nothing is leased.",
    ),
    Rule(
        "rail-route-over-cluster",
        routes_outside,
        "What a pod sends to these networks from a rail's address goes to the rail's router, which does not know them.",
        "Route only what is behind the rail's router.",
    ),
    Rule(
        "rail-gateway-partly",
        gateways_on_all,
        "NCCL has one setting for all rails (NCCL_CROSS_NIC): one isolated rail makes it take all for isolated, and "
        "the routers serve nobody.",
        "Give every rail a gateway, or none.",
    ),
    Rule(
        "rail-rdma-partly",
        devices_of_all,
        "The list of devices for NCCL cannot be exact: where pods get NICs it takes every one of the maker, the node "
        "network's too.",
        "Name the device of every rail, or of none.",
    ),
    Rule(
        "gid-index-fixed",
        gid_left_to_nccl,
        "The RoCE v2 GID stands at another index from pod to pod: queue pairs fail in some pods and not in others.",
        "Leave `gidIndex` out: NCCL finds the RoCE v2 one itself.",
    ),
    Rule(
        "rail-rp-filter-strict",
        reverse_path,
        "Packets that come in by another rail than the answer would leave by are dropped without a word.",
        "Take 2 (loose) or 0.",
    ),
)
