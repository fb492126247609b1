"""What runs on the machines: Kubernetes, storage tiers and tenants."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from daiku.spec.base import AnyCidr, Disruption, Domain, Model, Name, OnChange


class Registry(Model):
    """Where the images of one source are found: its own registry, or a mirror that the machines reach."""

    source: Annotated[
        Literal["charts", "docker", "github", "kubernetes", "nvidia", "quay"],
        OnChange(Disruption.ROLLING_RESTART, "images are pulled by other names"),
        Field(description="Whose images: `daiku release show` lists them. `charts`: all helm charts."),
    ]
    at: Annotated[
        str,
        OnChange(Disruption.ROLLING_RESTART, "images are pulled by other names"),
        Field(
            pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9._-]+)*$",
            description="Host, port and path in front of all repositories.",
            examples=["mirror.example:5000/quay"],
        ),
    ]


class Etcd(Model):
    snapshot_hours: Annotated[
        int,
        OnChange(Disruption.APPLY),
        Field(ge=1, le=24, description="Hours between snapshots to the S3 bucket."),
    ] = 6
    keep_days: Annotated[int, OnChange(Disruption.APPLY), Field(ge=1, le=3650)] = 30
    encryption: Annotated[
        Literal["secretbox", "none"],
        OnChange(Disruption.REBUILD, "kubeadm sets it when the cluster is made"),
        Field(description="How Secrets are written into etcd."),
    ] = "secretbox"


class Kubernetes(Model):
    api_names: Annotated[
        tuple[Domain, ...],
        OnChange(Disruption.ROLLING_RESTART),
        Field(description="Further names in the API servers' certificate."),
    ] = ()
    topology_policy: Annotated[
        Literal["none", "best-effort", "restricted", "single-numa-node"],
        OnChange(Disruption.ROLLING_RESTART, "each GPU node is drained"),
    ] = "best-effort"
    gpu_stack: Annotated[
        Literal["operator", "device-plugin"],
        OnChange(Disruption.ROLLING_RESTART, "GPU workloads stop"),
        Field(description="What gives GPUs to pods: NVIDIA's operator, or its device plugin alone."),
    ] = "operator"
    etcd: Etcd = Etcd()


class Monitoring(Model):
    """Prometheus, Alertmanager and Grafana with alerts and dashboards for GPUs, rails, storage and queues."""

    retention_days: Annotated[int, OnChange(Disruption.APPLY), Field(ge=1, le=365)] = 15
    storage_gib: Annotated[
        int,
        OnChange(Disruption.REPLACE, "the history is lost"),
        Field(ge=10, le=10_000, description="Volume of the history, on the reliable tier when there is one."),
    ] = 100


class ReliableTier(Model):
    """Rook/Ceph: block, file and object storage that survives machines."""

    replicas: Annotated[int, OnChange(Disruption.APPLY), Field(ge=1, le=5)] = 3
    osd_disks_per_node: Annotated[
        int,
        OnChange(Disruption.NONE),
        Field(ge=1, le=24, description="Local disks of each GPU node given to Ceph."),
    ] = 2
    pools: Annotated[
        tuple[Name, ...],
        OnChange(Disruption.ROLLING_RESTART, "data moves between the pools; wait until it is clean"),
        Field(description="GPU pools whose disks hold the data, when not all shall. Default: all."),
    ] = ()
    network: Annotated[Literal["node", "rails"], OnChange(Disruption.ROLLING_RESTART, "Ceph daemons")] = (
        "node"
    )


class CacheSource(Model):
    """A bucket outside the cluster that the fast tier caches. Its keys are a Secret that the owner puts there."""

    endpoint: Annotated[
        str,
        OnChange(Disruption.APPLY),
        Field(
            pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
            description="Address of the S3 service.",
            examples=["https://s3.example.net"],
        ),
    ]
    bucket: Annotated[
        str,
        OnChange(Disruption.APPLY),
        Field(
            pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            description="Name of the bucket.",
            examples=["datasets"],
        ),
    ]


class FastTier(Model):
    """Local NVMe: volumes on the node itself, and a distributed read cache (Fluid with Alluxio) before a bucket.

    The cache loses nothing but speed when a node goes; a local volume is lost with its node.
    """

    disks_per_node: Annotated[int, OnChange(Disruption.NONE), Field(ge=1, le=24)] = 1
    quota_gib: Annotated[
        int, OnChange(Disruption.APPLY), Field(ge=1, description="Of each node, for the read cache.")
    ] = 2000
    source: Annotated[
        CacheSource | None,
        OnChange(Disruption.REPLACE, "the cache starts empty"),
        Field(description="The bucket to cache. Default: one of the reliable tier."),
    ] = None


class Storage(Model):
    reliable: Annotated[ReliableTier | None, OnChange(Disruption.REPLACE, "its data is lost")] = (
        ReliableTier()
    )
    fast: Annotated[FastTier | None, OnChange(Disruption.REPLACE, "the cache starts empty")] = FastTier()
    scratch_disks_per_node: Annotated[
        int,
        OnChange(Disruption.NONE),
        Field(ge=0, le=24, description="Local disks left to containers and scratch."),
    ] = 1


def _group(value: str) -> str:
    if value.startswith("system:"):
        raise ValueError(f"`{value}` is Kubernetes' own group; name one of your identity provider")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:_.@/-]{0,127}", value):
        raise ValueError(f"`{value}` is no name of a group; for example research:members")
    return value


Group = Annotated[str, AfterValidator(_group)]
"""A group of users, as the API server knows it from a certificate or an identity provider."""


class Tenant(Model):
    """One project that shares the GPUs."""

    name: Annotated[
        Name,
        OnChange(Disruption.REPLACE),
        Field(description="Also the tenant's namespace: no namespace of the platform."),
    ]
    gpus: Annotated[int, OnChange(Disruption.APPLY), Field(ge=0, description="Nominal quota, GPUs.")]
    borrow: Annotated[
        bool, OnChange(Disruption.APPLY), Field(description="May use what other tenants leave idle.")
    ] = True
    priority: Annotated[Literal["low", "normal", "high"], OnChange(Disruption.APPLY)] = "normal"
    allow_from: Annotated[tuple[AnyCidr, ...], OnChange(Disruption.APPLY)] = ()
    admins: Annotated[
        tuple[Group, ...],
        OnChange(Disruption.APPLY),
        Field(description="Groups that run the tenant's workloads and say which of its groups may use them."),
    ] = ()
    users: Annotated[
        tuple[Group, ...], OnChange(Disruption.APPLY), Field(description="Groups that run workloads.")
    ] = ()
    storage_gib: Annotated[
        int | None,
        OnChange(Disruption.APPLY),
        Field(ge=1, description="Limit of all volumes together. Default: none."),
    ] = None
