"""What kubelets and kubeadm accept: topology policy against pod shapes, processors and memory that must be left."""

from __future__ import annotations

from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan.checks.workloads import GPUS_PER_NUMA_NODE
from daiku.plan.gpus import MODELS
from daiku.plan.proof.rule import Case, Rule
from daiku.spec.machines import GpuPool
from daiku.spec.source import Path

RESERVED_CPUS = 4
"""Of a GPU node, for the system and for Kubernetes."""

KUBEADM_CPUS = 2
KUBEADM_MEMORY_GIB = 2
"""kubeadm's preflight wants two processors and 1700 MB."""

OSD_MEMORY_GIB = 8
"""That one Ceph OSD takes under recovery."""
OSD_SHARE = 8
"""Storage daemons in the shadow of GPU jobs: at most the eighth part of a server's memory."""

CONTROL_PLANE_CPUS = ((500, 16), (100, 8))
"""From so many nodes on, an API server wants so many processors."""


def rails_of_one_numa_node(case: Case) -> Iterator[Fault]:
    for path, where, pool in _policies(case):
        spread = {rail.numa for rail in pool.fabric.rails}
        # Whole servers under this policy are refused before: no pod of theirs could start, with rails or without.
        small = pool.gpu.count <= GPUS_PER_NUMA_NODE or pool.sharing != "none"
        policy = case.plan.pool(pool.name).topology_policy
        leasing = pool.fabric.attach == "sriov" and pool.fabric.vfs
        if policy == "single-numa-node" and small and leasing and len(spread) > 1:
            yield case.view.clash(
                where,
                f"single-numa-node rejects every pod with rails of both NUMA nodes, as pool {pool.name} has",
                (*path, "fabric", "rails"),
                f"rails on NUMA nodes {', '.join(map(str, sorted(spread)))}",
            )


def alignment(case: Case) -> Iterator[Fault]:
    for path, where, pool in _policies(case):
        if pool.fabric.rails and case.plan.pool(pool.name).topology_policy == "none":
            yield case.view.clash(
                where,
                "with policy none a pod's processors, GPUs and rails come from any socket",
                (*path, "fabric", "rails"),
                f"rails of pool {pool.name}",
            )


def containers_together(case: Case) -> Iterator[Fault]:
    for path, where, pool in _policies(case):
        policy = case.plan.pool(pool.name).topology_policy
        if pool.topology_scope == "container" and policy in {"restricted", "single-numa-node"}:
            yield case.view.clash(
                (*path, "topologyScope"),
                f"{policy} for each container alone: those of one pod may stand on different sockets",
                where,
                policy,
            )


def _policies(case: Case) -> Iterator[tuple[Path, Path, GpuPool]]:
    """Each pool with its path and that of the setting that decides its topology policy."""
    for _, path, pool in case.view.pools():
        own = pool.topology_policy is not None
        yield path, (*path, "topologyPolicy") if own else ("kubernetes", "topologyPolicy"), pool


def processors_left(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        if pool.cpu - RESERVED_CPUS < pool.gpu.count:
            yield case.view.clash(
                (*path, "cpu"),
                f"{pool.cpu} cores less {RESERVED_CPUS} reserved are fewer than {pool.gpu.count} GPUs",
                (*path, "gpu", "count"),
                "GPUs of a server",
            )


def memory_for_vram(case: Case) -> Iterator[Fault]:
    for _, path, pool in case.view.pools():
        memory = MODELS[pool.gpu.model].memory_gib
        vram = memory * pool.gpu.count
        if pool.memory_gib < vram:
            yield case.view.clash(
                (*path, "memoryGib"),
                f"{pool.memory_gib} GiB of memory under {vram} GiB on the GPUs",
                (*path, "gpu", "model"),
                f"{pool.gpu.count} GPUs of {memory} GiB",
            )


def memory_for_osds(case: Case) -> Iterator[Fault]:
    storage = case.plan.storage
    if storage is None or not storage.reliable_disks:
        return
    wanted = storage.reliable_disks * OSD_MEMORY_GIB
    for _, path, pool in case.view.pools():
        if pool.nodes and wanted > pool.memory_gib // OSD_SHARE:
            yield case.view.clash(
                ("storage", "reliable", "osdDisksPerNode"),
                f"{storage.reliable_disks} OSDs want {wanted} GiB on every node of pool {pool.name}, "
                f"which has {pool.memory_gib}",
                (*path, "memoryGib"),
                "memory of a server",
            )


def control_plane_starts(case: Case) -> Iterator[Fault]:
    pool = case.view.cluster.control_plane
    for key, is_there, wanted, unit in (
        ("cpu", pool.cpu, KUBEADM_CPUS, "processors"),
        ("memoryGib", pool.memory_gib, KUBEADM_MEMORY_GIB, "GiB of memory"),
    ):
        if is_there < wanted:
            yield case.view.source.fault(
                ("controlPlane", key), f"{is_there} of {wanted} {unit} that a control plane needs"
            )


def control_plane_keeps_up(case: Case) -> Iterator[Fault]:
    nodes, pool = case.view.node_count(), case.view.cluster.control_plane
    wanted = next((cpus for limit, cpus in CONTROL_PLANE_CPUS if nodes > limit), 0)
    if KUBEADM_CPUS <= pool.cpu < wanted:
        yield case.view.clash(
            ("controlPlane", "cpu"),
            f"{pool.cpu} processors for {nodes} nodes; {wanted} are usual",
            ("gpuPools",),
            f"{nodes} nodes together",
        )


ERRORS = (
    Rule(
        "topology-rejects-rails",
        rails_of_one_numa_node,
        "The kubelet rejects pods on all rails (TopologyAffinityError); their controller makes new ones without end.",
        "Take best-effort, or `vfs: 0`.",
    ),
    Rule(
        "cpu-all-reserved",
        processors_left,
        "Quotas promise a processor a GPU that the node does not have: the last pods stay Pending.",
        "Check `cpu`: cores of all sockets.",
    ),
    Rule(
        "control-plane-too-small",
        control_plane_starts,
        "kubeadm's preflight checks fail; forced on, the API server is killed for memory.",
        "Take at least 2 processors and 2 GiB; 4 and 16 are the default.",
    ),
)

WARNINGS = (
    Rule(
        "topology-off",
        alignment,
        "A process on one socket feeds a GPU and a NIC of the other: up to half of the bandwidth is lost, differently "
        "at each start.",
        "Take best-effort.",
    ),
    Rule(
        "topology-scope-container",
        containers_together,
        "A pod passes although its sidecar feeds it from the other socket; init containers are counted one by one and "
        "can make the kubelet reject a pod that fits.",
        "Take `topologyScope: pod`.",
    ),
    Rule(
        "memory-under-vram",
        memory_for_vram,
        "Checkpoints and pinned buffers do not fit beside the models: processes are killed for memory.",
        "At least as much memory as the GPUs have together.",
    ),
    Rule(
        "osd-memory",
        memory_for_osds,
        "Under recovery the OSDs take memory that jobs were promised: one of both is killed.",
        "Fewer OSDs a server, or more memory.",
    ),
    Rule(
        "control-plane-small-for-nodes",
        control_plane_keeps_up,
        "Requests time out when many nodes or pods start at once, and leases are lost.",
        "Give the control planes more processors: each is changed in turn.",
    ),
)
