"""The reliable tier: Rook and Ceph with block, file and object storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.model import Plan, StoragePlan
from daiku.plan.namespaces import CEPH
from daiku.render.cluster_parts import MANAGEMENT_POOL, POOL_LABEL, Files, chart_parts, gpu_pools
from daiku.render.engine import render
from daiku.render.images import image

BLOCK, FILES, OBJECTS = "reliable-block", "reliable-files", "reliable-objects"
RBD, CEPHFS, BUCKET = f"{CEPH}.rbd.csi.ceph.com", f"{CEPH}.cephfs.csi.ceph.com", f"{CEPH}.ceph.rook.io/bucket"


@dataclass(frozen=True, slots=True)
class RookValues:
    template: ClassVar[str] = "cluster/storage/rook-values.yaml.j2"
    service_domain: str


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


def has_reliable(plan: Plan) -> bool:
    """The reliable tier stands on disks of GPU nodes."""
    return bool(plan.storage and plan.storage.reliable_disks and gpu_pools(plan))


def storage_parts(plan: Plan) -> Files:
    """The operator, the drivers and the cluster; nothing when the tier is off."""
    files: Files = {}
    storage = plan.storage
    if storage is not None and has_reliable(plan):
        drivers = CephCsiValues(CEPH, RBD, CEPHFS)
        files |= chart_parts(plan, "40-rook", "rook-ceph", CEPH, RookValues(plan.service_domain))
        files |= chart_parts(plan, "41-ceph-csi", "ceph-csi-drivers", CEPH, drivers)
        files |= {
            "42-ceph/1-cluster.yaml": render(ceph_cluster(plan, storage)),
            "42-ceph/2-pools.yaml": render(
                CephPools(CEPH, BLOCK, FILES, OBJECTS, _replicated(storage.reliable_replicas))
            ),
            "42-ceph/3-storage-classes.yaml": render(
                StorageClasses(CEPH, BLOCK, FILES, f"{FILES}-replicated", OBJECTS, RBD, CEPHFS, BUCKET)
            ),
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
        disk_pools=storage.reliable_pools or pools,
    )


def device_filter(disks: int) -> str:
    """The regular expression of the first `disks` NVMe disks, as the kernel names whole disks."""
    return f"^nvme({'|'.join(str(number) for number in range(disks))})n1$"


def _replicated(replicas: int) -> dict[str, Any]:
    return {"size": replicas, "requireSafeReplicaSize": replicas > 1}
