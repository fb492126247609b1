"""The whole specification: what `cluster.yaml` may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.aws import Aws
from daiku.spec.base import Disruption, Model, Name, OnChange, Text
from daiku.spec.machines import GpuPool, VmPool
from daiku.spec.network import Access, LoadBalancer, Network
from daiku.spec.platform import Kubernetes, Storage, Tenant


class Sakura(Model):
    zone: Annotated[Literal["is1a", "is1b", "is1c", "tk1a", "tk1b", "tk1v"], OnChange(Disruption.REBUILD)] = (
        "is1b"
    )


class Cluster(Model):
    """A hybrid GPU cluster. The only thing that a person writes."""

    api_version: Literal["daiku/v1"]
    kind: Literal["Cluster"]
    name: Annotated[
        Name, OnChange(Disruption.REBUILD), Field(description="Prefix of every name; part of certificates.")
    ]
    release: Annotated[
        Text,
        OnChange(Disruption.ROLLING_REBOOT),
        Field(description='The locked set of versions, for example "2026.11".'),
    ]
    phase: Annotated[Literal["verification", "production"], OnChange(Disruption.NONE)] = "verification"
    sakura: Sakura = Sakura()
    access: Access = Access()
    network: Network
    load_balancer: LoadBalancer
    control_plane: VmPool
    management: VmPool
    gpu_pools: Annotated[tuple[GpuPool, ...], Field(max_length=14)] = ()
    aws: Aws | None = None
    kubernetes: Kubernetes = Kubernetes()
    storage: Storage = Storage()
    tenants: tuple[Tenant, ...] = ()
