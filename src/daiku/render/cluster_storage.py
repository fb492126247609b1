"""Storage: the reliable tier (Rook and Ceph) and the fast tier (a distributed cache on local NVMe)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.model import Plan, StoragePlan
from daiku.render.cluster_parts import MANAGEMENT_POOL, POOL_LABEL, Files, chart_note, gpu_pools
from daiku.render.engine import render
from daiku.render.images import image

CEPH = "rook-ceph"
"""Namespace of the operator and the cluster, and the cluster's name: the CSI drivers' names begin with it."""
BLOCK, FILES, OBJECTS = "reliable-block", "reliable-files", "reliable-objects"
RBD, CEPHFS, BUCKET = f"{CEPH}.rbd.csi.ceph.com", f"{CEPH}.cephfs.csi.ceph.com", f"{CEPH}.ceph.rook.io/bucket"
FLUID_NAMESPACE = "fluid-system"
FAST_NAMESPACE = "fast-tier"
DATASET = "datasets"
FAST_PATH = "/var/lib/daiku/fast"
"""Where the disks of the fast tier are mounted on a GPU node: disk0, disk1 ..."""


@dataclass(frozen=True, slots=True)
class RookValues:
    template: ClassVar[str] = "cluster/storage/rook-values.yaml.j2"


@dataclass(frozen=True, slots=True)
class CephCsiValues:
    template: ClassVar[str] = "cluster/storage/ceph-csi-values.yaml.j2"
    namespace: str
    rbd_driver: str
    cephfs_driver: str


@dataclass(frozen=True, slots=True)
class CephCluster:
    """`service_pools` run monitors and managers, `disk_pools` hold the data. Ranges are empty on the pod
    network."""

    template: ClassVar[str] = "cluster/storage/ceph-cluster.yaml.j2"
    name: str
    namespace: str
    image: str
    mons: int
    mgrs: int
    public_ranges: tuple[str, ...]
    cluster_ranges: tuple[str, ...]
    device_filter: str
    pool_label: str
    service_pools: tuple[str, ...]
    disk_pools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CephPools:
    template: ClassVar[str] = "cluster/storage/ceph-pools.yaml.j2"
    namespace: str
    block: str
    files: str
    objects: str
    replicated: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StorageClasses:
    template: ClassVar[str] = "cluster/storage/storage-classes.yaml.j2"
    namespace: str
    block: str
    files: str
    data_pool: str
    objects: str
    rbd_driver: str
    cephfs_driver: str
    bucket_provisioner: str


@dataclass(frozen=True, slots=True)
class FluidValues:
    template: ClassVar[str] = "cluster/cache/fluid-values.yaml.j2"


@dataclass(frozen=True, slots=True)
class FastTier:
    """`paths` is a list joined by commas, one item a disk; `quota` is a node's, which the disks share
    evenly."""

    template: ClassVar[str] = "cluster/cache/fast-tier.yaml.j2"
    name: str
    namespace: str
    bucket_class: str
    mount_point: str
    endpoint: str
    pool_label: str
    disk_pools: tuple[str, ...]
    workers: int
    paths: str
    quota: str


def has_reliable(plan: Plan) -> bool:
    """The reliable tier stands on disks of GPU nodes."""
    return bool(plan.storage and plan.storage.reliable_disks and gpu_pools(plan))


def has_fast(plan: Plan) -> bool:
    """The fast tier caches a bucket of the reliable one."""
    return bool(plan.storage and plan.storage.fast_disks) and has_reliable(plan)


def storage_parts(plan: Plan) -> Files:
    """Both tiers, as far as the plan has them."""
    files: Files = {}
    storage = plan.storage
    if storage is not None and has_reliable(plan):
        files |= {
            "40-rook/chart.yaml": chart_note(plan, "rook-ceph", CEPH),
            "40-rook/values.yaml": render(RookValues()),
            "41-ceph-csi/chart.yaml": chart_note(plan, "ceph-csi-drivers", CEPH),
            "41-ceph-csi/values.yaml": render(CephCsiValues(CEPH, RBD, CEPHFS)),
            "42-ceph/1-cluster.yaml": render(ceph_cluster(plan, storage)),
            "42-ceph/2-pools.yaml": render(
                CephPools(CEPH, BLOCK, FILES, OBJECTS, _replicated(storage.reliable_replicas))
            ),
            "42-ceph/3-storage-classes.yaml": render(
                StorageClasses(CEPH, BLOCK, FILES, f"{FILES}-replicated", OBJECTS, RBD, CEPHFS, BUCKET)
            ),
        }
    if storage is not None and has_fast(plan):
        files |= {
            "50-fluid/chart.yaml": chart_note(plan, "fluid", FLUID_NAMESPACE),
            "50-fluid/values.yaml": render(FluidValues()),
            "51-fast-tier/fast-tier.yaml": render(fast_tier(plan, storage)),
        }
    return files


def ceph_cluster(plan: Plan, storage: StoragePlan) -> CephCluster:
    """The Ceph cluster: three monitors when three machines can hold them, data on the GPU nodes' disks."""
    rails = storage.reliable_network == "rails"
    hosts = len(plan.by_role("management")) + len(plan.by_role("gpu"))
    pools = gpu_pools(plan)
    return CephCluster(
        name=CEPH,
        namespace=CEPH,
        image=image(plan.release, "ceph"),
        mons=3 if hosts >= 3 else 1,
        mgrs=min(2, hosts),
        public_ranges=(plan.node_network.cidr,) if rails else (),
        cluster_ranges=tuple(rail.subnet for rail in plan.rails) if rails else (),
        device_filter=device_filter(storage.reliable_disks),
        pool_label=POOL_LABEL,
        service_pools=(MANAGEMENT_POOL, *pools),
        disk_pools=pools,
    )


def device_filter(disks: int) -> str:
    """The regular expression of the first `disks` NVMe disks, as the kernel names whole disks."""
    return f"^nvme({'|'.join(str(number) for number in range(disks))})n1$"


def fast_tier(plan: Plan, storage: StoragePlan) -> FastTier:
    """The cache: a worker on every GPU node."""
    return FastTier(
        name=DATASET,
        namespace=FAST_NAMESPACE,
        bucket_class=OBJECTS,
        mount_point=f"s3://{DATASET}/",
        endpoint=f"http://rook-ceph-rgw-{OBJECTS}.{CEPH}.svc.{plan.service_domain}",
        pool_label=POOL_LABEL,
        disk_pools=gpu_pools(plan),
        workers=len(plan.by_role("gpu")),
        paths=",".join(f"{FAST_PATH}/disk{number}" for number in range(storage.fast_disks)),
        quota=f"{storage.fast_quota_gib}Gi",
    )


def _replicated(replicas: int) -> dict[str, Any]:
    return {"size": replicas, "requireSafeReplicaSize": replicas > 1}
