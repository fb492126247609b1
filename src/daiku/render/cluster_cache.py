"""The fast tier: volumes on the node's own NVMe, and a read cache over all of them before a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.given import DATASET as KEYS
from daiku.plan.model import Plan, StoragePlan
from daiku.plan.namespaces import CEPH, FAST, FLUID
from daiku.render.cluster_parts import MANAGEMENT_POOL, POOL_LABEL, Files, chart_parts, gpu_pools
from daiku.render.cluster_secrets import given_secret
from daiku.render.cluster_storage import OBJECTS, has_reliable
from daiku.render.engine import render
from daiku.render.images import image

DATASET = "datasets"
FAST_PATH = "/var/lib/daiku/fast"
"""Where the disks of the fast tier are mounted on a GPU node: disk0, disk1 ..."""
LOCAL = "fast-local"
"""Storage class of a volume on the node's own disk, and the name of its provisioner's objects."""


@dataclass(frozen=True, slots=True)
class FastTier:
    """The read cache. `paths` is a list joined by commas, one item a disk; `quota` is a node's, which the disks share
    evenly. `bucket_class` is empty when the bucket is outside the cluster."""

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


@dataclass(frozen=True, slots=True)
class LocalVolumes:
    """The provisioner of local volumes. `configuration` is its own file: which directories of a node it may use."""

    template: ClassVar[str] = "cluster/cache/local-volumes.yaml.j2"
    name: str
    namespace: str
    image: str
    helper_image: str
    configuration: dict[str, Any]
    pool_label: str
    management_pool: str


def has_fast(plan: Plan) -> bool:
    """Disks of GPU nodes are given to the fast tier."""
    return bool(plan.storage and plan.storage.fast_disks and gpu_pools(plan))


def has_cache(plan: Plan) -> bool:
    """The fast tier has a bucket to cache: one of the reliable tier, or one outside."""
    return has_fast(plan) and (has_reliable(plan) or bool(plan.storage and plan.storage.fast_bucket))


def cache_parts(plan: Plan) -> Files:
    """Local volumes wherever there are fast disks, the read cache where there is something to read."""
    storage = plan.storage
    if storage is None or not has_fast(plan):
        return {}
    files: Files = {"52-fast-local/local-volumes.yaml": render(local_volumes(plan, storage))}
    if has_cache(plan):
        files |= chart_parts(plan, "50-fluid", "fluid", FLUID, "cluster/cache/fluid-values.yaml.j2")
        files["51-fast-tier/fast-tier.yaml"] = render(fast_tier(plan, storage))
    return files | given_secret(plan, "51-fast-tier/bucket-keys.yaml", KEYS, DATASET, FAST)


def fast_tier(plan: Plan, storage: StoragePlan) -> FastTier:
    """The cache: a worker on every GPU node."""
    inside = not storage.fast_bucket
    bucket = DATASET if inside else storage.fast_bucket
    gateway = f"http://rook-ceph-rgw-{OBJECTS}.{CEPH}.svc.{plan.service_domain}"
    return FastTier(
        name=DATASET,
        namespace=FAST,
        bucket_class=OBJECTS if inside else "",
        mount_point=f"s3://{bucket}/",
        endpoint=gateway if inside else storage.fast_endpoint,
        pool_label=POOL_LABEL,
        disk_pools=gpu_pools(plan),
        workers=len(plan.by_role("gpu")),
        paths=",".join(disk_paths(storage)),
        quota=f"{storage.fast_quota_gib}Gi",
    )


def local_volumes(plan: Plan, storage: StoragePlan) -> LocalVolumes:
    """The provisioner: its volumes lie beside the cache's files, on GPU nodes only."""
    anywhere = "DEFAULT_PATH_FOR_NON_LISTED_NODES"
    return LocalVolumes(
        name=LOCAL,
        namespace=FAST,
        image=image(plan.release, "local-path-provisioner"),
        helper_image=image(plan.release, "busybox"),
        configuration={
            "nodePathMap": [{"node": anywhere, "paths": [f"{p}/volumes" for p in disk_paths(storage)]}]
        },
        pool_label=POOL_LABEL,
        management_pool=MANAGEMENT_POOL,
    )


def disk_paths(storage: StoragePlan) -> tuple[str, ...]:
    """Where a GPU node mounts the disks of its fast tier."""
    return tuple(f"{FAST_PATH}/disk{number}" for number in range(storage.fast_disks))
