"""Disks, replicas, tenants and the kubelet's placement policy against what the machines have."""

from __future__ import annotations

from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan import namespaces
from daiku.plan.view import View
from daiku.spec.faults import suggestion
from daiku.spec.source import Path

GPUS_PER_NUMA_NODE = 4
"""Of the eight-GPU servers that PHY offers: two sockets with four GPUs each."""


def disks(view: View) -> Iterator[Fault]:
    """The tiers of a node share its local disks, whole ones only."""
    storage = view.cluster.storage
    uses: list[tuple[int, Path, str]] = [
        (storage.scratch_disks_per_node, ("storage", "scratchDisksPerNode"), "scratch")
    ]
    if storage.reliable is not None:
        uses.append((storage.reliable.osd_disks_per_node, ("storage", "reliable", "osdDisksPerNode"), "Ceph"))
    if storage.fast is not None:
        uses.append((storage.fast.disks_per_node, ("storage", "fast", "disksPerNode"), "cache"))
    data = storage.reliable.pools if storage.reliable is not None else ()
    for _, path, pool in view.pools():
        # Ceph takes no disk of a pool that is not to hold its data.
        here = [use for use in uses if use[2] != "Ceph" or not data or pool.name in data]
        wanted = sum(count for count, _, _ in here)
        if pool.nodes and wanted > pool.disks.count:
            yield view.source.fault(
                (*path, "disks", "count"),
                f"a node of pool {pool.name} has {pool.disks.count} local disks; the storage tiers want {wanted}",
                "set a tier to null, or give it fewer disks",
                others=tuple(
                    view.source.fault(where, f"{what}: {count}") for count, where, what in here if count
                ),
            )


def replicas(view: View) -> Iterator[Fault]:
    """Each copy of reliable data lies on another GPU server."""
    reliable = view.cluster.storage.reliable
    data = reliable.pools if reliable is not None else ()
    nodes = sum(len(p.nodes) for p in view.cluster.gpu_pools if not data or p.name in data)
    if reliable is not None and 0 < nodes < reliable.replicas:
        yield view.clash(
            ("storage", "reliable", "replicas"),
            f"{reliable.replicas} replicas need as many GPU nodes; there are {nodes}",
            ("gpuPools",),
            "pools of GPU servers",
            "take fewer replicas, or no reliable tier: `reliable: null`",
        )


def data_pools(view: View) -> Iterator[Fault]:
    """Pools that hold the reliable data are pools of the file."""
    reliable, known = view.cluster.storage.reliable, [pool.name for pool in view.cluster.gpu_pools]
    for place, name in enumerate(reliable.pools if reliable is not None else ()):
        if name not in known:
            hint = suggestion(name, known) or f"the pools are: {', '.join(known) or 'none'}"
            yield view.source.fault(
                ("storage", "reliable", "pools", place), f"there is no GPU pool {name}", hint
            )


def tenant_names(view: View) -> Iterator[Fault]:
    first: dict[str, Path] = {}
    for place, tenant in enumerate(view.cluster.tenants):
        here: Path = ("tenants", place, "name")
        if first.setdefault(tenant.name, here) != here:
            yield view.clash(
                here, f"two tenants are called {tenant.name}", first[tenant.name], "the other tenant"
            )


def tenant_namespaces(view: View) -> Iterator[Fault]:
    """A tenant's name is its namespace: one of the platform's would give the tenant what runs there."""
    for place, tenant in enumerate(view.cluster.tenants):
        whose = namespaces.owner(tenant.name)
        if whose:
            yield view.source.fault(
                ("tenants", place, "name"),
                f"namespace {tenant.name} is {whose}; a tenant gets a namespace of its name",
                f"take a name of its own, for example team-{tenant.name.removesuffix('-system')}",
            )


def quotas(view: View) -> Iterator[Fault]:
    """Nominal quotas are promises: together they may not exceed the GPUs that there are."""
    there, promised = view.gpu_count(), 0
    for place, tenant in enumerate(view.cluster.tenants):
        promised += tenant.gpus
        if promised > there:
            yield view.clash(
                ("tenants", place, "gpus"),
                f"the tenants' quotas reach {promised} GPUs with {tenant.name}; there are {there}",
                ("gpuPools",),
                f"{there} GPUs",
                "tenants may borrow what others leave idle: quotas need not cover peaks",
            )
            return


def cache_source(view: View) -> Iterator[Fault]:
    """A warning: the read cache of the fast tier stands before a bucket, and there is none."""
    storage = view.cluster.storage
    if storage.reliable is None and storage.fast is not None and storage.fast.source is None:
        yield view.clash(
            ("storage", "fast"),
            "the fast tier has no bucket to cache: it is local volumes on NVMe and nothing more",
            ("storage", "reliable"),
            "no reliable tier",
            "name a bucket in `fast.source`, or set `fast: null`",
        )


def placement(view: View) -> Iterator[Fault]:
    """Policies under which the kubelet rejects the pods that the pool is for (seen with its own topology manager)."""
    for _, path, pool in view.pools():
        policy = pool.topology_policy or view.cluster.kubernetes.topology_policy
        here: Path = (*path, "topologyPolicy") if pool.topology_policy else ("kubernetes", "topologyPolicy")
        whole = pool.sharing == "none"
        if policy == "single-numa-node" and whole and pool.gpu.count > GPUS_PER_NUMA_NODE:
            yield view.clash(
                here,
                f"single-numa-node rejects every pod with more than {GPUS_PER_NUMA_NODE} GPUs, "
                f"and pool {pool.name} has {pool.gpu.count} in a server",
                (*path, "gpu", "count"),
                "GPUs of a server",
                "best-effort keeps whole-server pods possible",
            )
        spread = len({rail.numa for rail in pool.fabric.rails}) > 1
        if policy == "restricted" and pool.fabric.attach == "sriov" and pool.fabric.vfs and spread:
            yield view.clash(
                here,
                f"restricted rejects pods that ask for rails of both NUMA nodes, as pool {pool.name} has",
                (*path, "fabric", "vfs"),
                "one resource a rail",
                "take best-effort, or `vfs: 0`",
            )
