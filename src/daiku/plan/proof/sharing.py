"""GPUs and the tenants that share them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from daiku.errors import Fault
from daiku.plan.proof.rule import Case, Rule

BOARD_GPUS = 8
"""SXM boards have four or eight GPUs."""
_RANKS = {"low": 0, "normal": 1, "high": 2}


def boards(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        if pool.gpu.count > BOARD_GPUS:
            yield case.view.clash(
                (*path, "gpu", "count"),
                f"no server has {pool.gpu.count} GPUs {pool.gpu.model}",
                (*path, "gpu", "model"),
                f"boards of at most {BOARD_GPUS}",
            )


def slices_without_rails(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        if pool.sharing == "mig" and pool.fabric.rails and pool.fabric.attach == "sriov" and pool.fabric.vfs:
            yield case.view.clash(
                (*path, "sharing"),
                f"GPUs cut by MIG cannot use NVLink or RDMA together, and pool {pool.name} gives pods "
                f"{pool.fabric.vfs} virtual functions a rail",
                (*path, "fabric", "vfs"),
                "virtual functions",
            )


def fences(case: Case) -> Iterator[Fault]:
    tenants = [t for t in case.plan.tenants if t.gpus or t.borrow]
    for _, path, pool in case.view.pools():
        if pool.nodes and pool.sharing in {"mps", "time-slicing"} and len(tenants) > 1:
            yield case.view.clash(
                (*path, "sharing"),
                f"{pool.sharing} keeps no memory apart, and {len(tenants)} tenants share pool {pool.name}",
                ("tenants",),
                f"{len(tenants)} tenants",
            )


def replicas_used(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        where = (*path, "replicas")
        if pool.sharing in {"none", "mig"} and case.view.source.given(where):
            yield case.view.clash(
                where,
                f"{pool.replicas} pods a GPU, and sharing {pool.sharing} has none of that",
                (*path, "sharing"),
                pool.sharing,
            )


def something_to_run_on(case: Case) -> Iterator[Fault]:
    for place, tenant in enumerate(case.view.cluster.tenants):
        if tenant.gpus == 0 and not tenant.borrow:
            yield case.view.clash(
                ("tenants", place, "gpus"),
                f"{tenant.name} owns no GPU and may not borrow",
                ("tenants", place, "borrow"),
                "borrow",
            )


def priority_with_quota(case: Case) -> Iterator[Fault]:
    tenants = case.view.cluster.tenants
    if not case.view.gpu_count() or sum(t.gpus for t in tenants) < case.view.gpu_count():
        return
    for place, tenant in enumerate(tenants):
        below = [i for i, t in enumerate(tenants) if t.gpus and _RANKS[t.priority] < _RANKS[tenant.priority]]
        if tenant.gpus == 0 and tenant.borrow and below:
            yield case.view.clash(
                ("tenants", place, "priority"),
                f"{tenant.name} has priority {tenant.priority} and owns nothing; every GPU is another tenant's own",
                ("tenants", below[0], "gpus"),
                f"own of {tenants[below[0]].name}, priority {tenants[below[0]].priority}",
            )


def sources_outside(case: Case) -> Iterator[Fault]:
    inside = [
        (IPv4Network(case.plan.pods_cidr), ("network", "pods", "cidr"), "pod network"),
        (IPv4Network(case.plan.services_cidr), ("network", "services", "cidr"), "service network"),
    ]
    for place, tenant in enumerate(case.view.cluster.tenants):
        for number, cidr in enumerate(tenant.allow_from):
            for network, path, what in inside:
                if IPv4Network(cidr).subnet_of(network):
                    yield case.view.clash(
                        ("tenants", place, "allowFrom", number),
                        f"{cidr} is inside the {what} {network}, whose members no range in a policy means",
                        path,
                        what,
                    )


ERRORS = (
    Rule(
        "gpu-count-over-board",
        boards,
        "Quotas and thresholds count GPUs that no server has: pods for the whole server stay Pending.",
        "Count the GPUs of one server.",
    ),
)

WARNINGS = (
    Rule(
        "mig-with-rails",
        slices_without_rails,
        "The virtual functions lie idle; jobs over several GPUs fail in NCCL or run over TCP.",
        "Keep MIG pools apart from training pools, and give them `vfs: 0`.",
    ),
    Rule(
        "sharing-without-fences",
        fences,
        "One tenant's process can take all memory of a GPU or end the others' with a fault.",
        "Take mig or none where tenants share.",
    ),
    Rule(
        "replicas-unused",
        replicas_used,
        "Each pod has a GPU or a MIG device of its own: less is shared than somebody counts on.",
        "Take sharing mps or time-slicing, or leave `replicas` out.",
    ),
    Rule(
        "tenant-without-gpus",
        something_to_run_on,
        "Every job of the tenant waits for ever.",
        "Give it a quota, or let it borrow.",
    ),
    Rule(
        "priority-without-quota",
        priority_with_quota,
        "A priority reclaims nothing that others own: the important jobs wait behind the unimportant.",
        "Give it GPUs of its own, or the others fewer.",
    ),
    Rule(
        "tenant-source-inside",
        sources_outside,
        "Cilium knows pods by identity and never by address: the rule allows nobody.",
        "Allow sources outside the cluster; pods of the own namespace may come in already.",
    ),
)
