"""What runs on the machines: Kubernetes, storage tiers and tenants."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.base import AnyCidr, Disruption, Domain, Model, Name, OnChange


class Etcd(Model):
    snapshot_hours: Annotated[
        int,
        OnChange(Disruption.APPLY),
        Field(ge=1, le=24, description="Hours between snapshots to the S3 bucket."),
    ] = 6
    keep_days: Annotated[int, OnChange(Disruption.APPLY), Field(ge=1, le=3650)] = 30


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
    etcd: Etcd = Etcd()


class ReliableTier(Model):
    """Rook/Ceph: block, file and object storage that survives machines."""

    replicas: Annotated[int, OnChange(Disruption.APPLY), Field(ge=1, le=5)] = 3
    osd_disks_per_node: Annotated[
        int,
        OnChange(Disruption.NONE),
        Field(ge=1, le=24, description="Local disks of each GPU node given to Ceph."),
    ] = 2
    network: Annotated[Literal["node", "rails"], OnChange(Disruption.ROLLING_RESTART, "Ceph daemons")] = (
        "node"
    )


class FastTier(Model):
    """Distributed read cache on local NVMe (Fluid with Alluxio). Loses nothing but speed when a node goes."""

    disks_per_node: Annotated[int, OnChange(Disruption.NONE), Field(ge=1, le=24)] = 1
    quota_gib: Annotated[int, OnChange(Disruption.APPLY), Field(ge=1)] = 2000


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


class Tenant(Model):
    """One project that shares the GPUs."""

    name: Annotated[Name, OnChange(Disruption.REPLACE)]
    gpus: Annotated[int, OnChange(Disruption.APPLY), Field(ge=0, description="Nominal quota, GPUs.")]
    borrow: Annotated[
        bool, OnChange(Disruption.APPLY), Field(description="May use what other tenants leave idle.")
    ] = True
    priority: Annotated[Literal["low", "normal", "high"], OnChange(Disruption.APPLY)] = "normal"
    allow_from: Annotated[tuple[AnyCidr, ...], OnChange(Disruption.APPLY)] = ()
