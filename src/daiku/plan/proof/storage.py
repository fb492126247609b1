"""Storage tiers against disks, servers and networks."""

from __future__ import annotations

from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan.proof.rule import Case, Rule

GIB_OF_GB = 1e9 / 2**30
USABLE = 0.8
"""Of a Ceph cluster's space before it warns that it gets full."""


def cache_fits(case: Case) -> Iterator[Fault]:
    fast = case.view.cluster.storage.fast
    if fast is None:
        return
    for _, path, pool in case.view.pools():
        room = int(fast.disks_per_node * pool.disks.size_gb * GIB_OF_GB)
        if pool.nodes and fast.quota_gib > room:
            yield case.view.clash(
                ("storage", "fast", "quotaGib"),
                f"{fast.quota_gib} GiB of cache on {fast.disks_per_node} x {pool.disks.size_gb} GB ({room} GiB)",
                (*path, "disks", "sizeGb"),
                f"disks of pool {pool.name}",
            )


def disks_are_found(case: Case) -> Iterator[Fault]:
    storage = case.view.cluster.storage
    for _, path, pool in case.view.pools():
        if pool.nodes and pool.disks.type != "nvme" and (storage.reliable or storage.fast):
            tier = "reliable" if storage.reliable else "fast"
            yield case.view.clash(
                (*path, "disks", "type"),
                f"the storage tiers take NVMe disks, and pool {pool.name} has {pool.disks.type} disks",
                ("storage", tier),
                f"{tier} tier",
            )


def volumes_fit(case: Case) -> Iterator[Fault]:
    storage = case.plan.storage
    if storage is None or not storage.reliable_disks:
        return
    raw = sum(n.local_disk_gb for n in case.plan.by_role("gpu")) * storage.reliable_disks
    room = int(raw * GIB_OF_GB / storage.reliable_replicas * USABLE)
    promised = 0
    for place, tenant in enumerate(case.view.cluster.tenants):
        promised += tenant.storage_gib or 0
        if promised > room and tenant.storage_gib:
            yield case.view.clash(
                ("tenants", place, "storageGib"),
                f"the tenants' volumes reach {promised} GiB with {tenant.name}; the reliable tier holds {room}",
                ("storage", "reliable"),
                f"{raw} GB raw, {storage.reliable_replicas} replicas",
            )
            return


def history_kept(case: Case) -> Iterator[Fault]:
    storage = case.plan.storage
    kept = storage is not None and storage.reliable_disks and case.plan.by_role("gpu")
    if case.plan.monitoring is not None and case.view.source.given(("monitoring",)) and not kept:
        yield case.view.clash(
            ("monitoring",),
            f"{case.plan.monitoring.retention_days} days of history on no volume",
            ("storage", "reliable"),
            "no reliable tier",
        )


def rails_under_ceph(case: Case) -> Iterator[Fault]:
    reliable = case.view.cluster.storage.reliable
    if reliable is None or reliable.network != "rails":
        return
    for _, path, pool in case.view.pools():
        if pool.nodes and not pool.fabric.rails:
            yield case.view.clash(
                ("storage", "reliable", "network"),
                f"Ceph is to use the rails, and pool {pool.name} has none",
                (*path, "fabric", "rails"),
                "no rails",
            )


def rails_join_ceph(case: Case) -> Iterator[Fault]:
    reliable = case.view.cluster.storage.reliable
    railed = [(path, pool) for _, path, pool in case.view.pools() if pool.nodes and pool.fabric.rails]
    if reliable is None or reliable.network != "rails" or len(railed) < 2:
        return
    path, pool = railed[1]
    yield case.view.clash(
        ("storage", "reliable", "network"),
        f"the rails of pools {railed[0][1].name} and {pool.name} do not reach each other",
        (*path, "fabric", "rails"),
        f"rails of pool {pool.name}",
    )


def copies(case: Case) -> Iterator[Fault]:
    reliable, gpus = case.view.cluster.storage.reliable, case.plan.by_role("gpu")
    if reliable is not None and gpus and reliable.replicas == 1:
        yield case.view.source.fault(
            ("storage", "reliable", "replicas"), "one replica: the reliable tier survives no disk"
        )


def heals(case: Case) -> Iterator[Fault]:
    reliable, gpus = case.view.cluster.storage.reliable, len(case.plan.by_role("gpu"))
    production = case.plan.phase == "production"
    if reliable is not None and production and 1 < reliable.replicas == gpus:
        yield case.view.clash(
            ("storage", "reliable", "replicas"),
            f"{reliable.replicas} replicas on {gpus} servers: a lost copy has no other place",
            ("gpuPools",),
            f"{gpus} GPU nodes",
        )


def two_copies(case: Case) -> Iterator[Fault]:
    reliable, gpus = case.view.cluster.storage.reliable, len(case.plan.by_role("gpu"))
    production = case.plan.phase == "production"
    if reliable is not None and production and reliable.replicas == 2 < gpus:
        yield case.view.clash(
            ("storage", "reliable", "replicas"), "two replicas in production", ("phase",), "production"
        )


def scratch_left(case: Case) -> Iterator[Fault]:
    if case.view.cluster.gpu_pools and case.view.cluster.storage.scratch_disks_per_node == 0:
        yield case.view.source.fault(
            ("storage", "scratchDisksPerNode"), "no local disk is left to containers and checkpoints"
        )


ERRORS = (
    Rule(
        "cache-over-disks",
        cache_fits,
        "The cache fills the disks before it evicts: workers fail and the node reports disk pressure.",
        "Take a smaller quota or more disks for the fast tier.",
    ),
    Rule(
        "disks-not-nvme",
        disks_are_found,
        "Ceph's filter finds no disk and makes no OSD; the cache has no place.",
        "Turn the tiers off (`reliable: null`, `fast: null`), or use servers with NVMe.",
    ),
    Rule(
        "ceph-rails-missing",
        rails_under_ceph,
        "OSDs of that pool find no address in Ceph's networks and do not start.",
        "Take `network: node`.",
    ),
    Rule(
        "ceph-rails-apart",
        rails_join_ceph,
        "OSDs of different pools never reach each other: placement groups stay inactive and writes hang.",
        "Take `network: node`.",
    ),
)

WARNINGS = (
    Rule(
        "ceph-one-replica",
        copies,
        "The first disk or server that fails takes its part of every volume with it.",
        "Take 3 replicas.",
    ),
    Rule(
        "ceph-two-replicas",
        two_copies,
        "While one server is down, a single further fault loses data; or writes stop until it is back.",
        "Take 3 replicas.",
    ),
    Rule(
        "ceph-no-spare-host",
        heals,
        "After a server's loss the data stays with one copy less until the server is back.",
        "One GPU node more than replicas.",
    ),
    Rule(
        "tenant-storage-over-tier",
        volumes_fit,
        "Ceph gets full before any tenant meets its limit: then every write of every tenant stops.",
        "Promise at most what the tier holds at 80 %.",
    ),
    Rule(
        "monitoring-without-volume",
        history_kept,
        "The history is gone with each restart of the pod, and with it the reason of last night's alert.",
        "Have a reliable tier, or send metrics elsewhere.",
    ),
    Rule(
        "scratch-none",
        scratch_left,
        "Images, scratch data and first-stage checkpoints fill the system disk: the kubelet evicts pods.",
        "Leave at least one disk to scratch.",
    ),
)
