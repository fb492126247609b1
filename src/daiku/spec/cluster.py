"""The whole specification: what `cluster.yaml` may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.aws import Aws
from daiku.spec.base import Disruption, Model, Name, OnChange
from daiku.spec.machines import GpuPool, VmPool
from daiku.spec.network import Access, LoadBalancer, Network
from daiku.spec.platform import Kubernetes, Monitoring, Registry, Storage, Tenant


class Sakura(Model):
    zone: Annotated[Literal["is1a", "is1b", "is1c", "tk1a", "tk1b", "tk1v"], OnChange(Disruption.REBUILD)] = (
        "is1b"
    )


class Cluster(Model):
    """A hybrid GPU cluster. The only thing that a person writes."""

    api_version: Annotated[Literal["daiku/v1"], OnChange(Disruption.NONE)]
    kind: Annotated[Literal["Cluster"], OnChange(Disruption.NONE)]
    name: Annotated[
        Name, OnChange(Disruption.REBUILD), Field(description="Prefix of every name; part of certificates.")
    ]
    release: Annotated[
        str,
        OnChange(Disruption.ROLLING_REBOOT, "what changed between the releases is upgraded"),
        Field(
            pattern=r"^\d{4}\.\d{2}$",
            description='The locked set of versions, for example "2026.11".',
            examples=['"2026.11"'],
        ),
    ]
    registries: Annotated[
        tuple[Registry, ...],
        OnChange(Disruption.ROLLING_RESTART, "images are pulled by other names"),
        Field(description="Registries of images, by source. Default: the container runtime's own."),
    ] = ()
    phase: Annotated[Literal["verification", "production"], OnChange(Disruption.NONE)] = "verification"
    sakura: Sakura = Sakura()
    access: Access = Access()
    network: Annotated[Network, Field(description="At least network.node.cidr.")]
    load_balancer: Annotated[LoadBalancer, Field(description="At least loadBalancer.apiVip.")]
    control_plane: Annotated[VmPool, Field(description="At least controlPlane.count: 1, 3, 5 or 7.")]
    management: Annotated[
        VmPool, Field(description="At least management.count. The first one is the bastion.")
    ]
    gpu_pools: Annotated[
        tuple[GpuPool, ...],
        OnChange(Disruption.NONE, "only the added or removed nodes are touched"),
        Field(max_length=14),
    ] = ()
    aws: Annotated[Aws | None, OnChange(Disruption.REPLACE, "everything on AWS")] = None
    kubernetes: Kubernetes = Kubernetes()
    storage: Storage = Storage()
    monitoring: Annotated[Monitoring | None, OnChange(Disruption.REPLACE, "the history is lost")] = (
        Monitoring()
    )
    tenants: Annotated[tuple[Tenant, ...], OnChange(Disruption.APPLY)] = ()
