"""Machines: cloud VMs and GPU bare metal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.base import Cidr, Disruption, Model, Name, OnChange, ServiceId
from daiku.spec.fabric import Fabric


class VmPool(Model):
    """Equal VMs on Sakura Cloud."""

    count: Annotated[int, OnChange(Disruption.NONE, "VMs are added or removed"), Field(ge=1, le=100)]
    cpu: Annotated[
        int,
        OnChange(Disruption.ROLLING_REBOOT, "a plan change stops each VM and changes its ID"),
        Field(ge=1, le=64),
    ] = 4
    memory_gib: Annotated[
        int,
        OnChange(Disruption.ROLLING_REBOOT, "a plan change stops each VM and changes its ID"),
        Field(ge=1, le=512),
    ] = 16
    disk_gib: Annotated[
        int, OnChange(Disruption.REPLACE, "the VM's disk is replaced"), Field(ge=20, le=4000)
    ] = 100
    image: Annotated[
        str,
        OnChange(Disruption.REPLACE, "the VM's disk is replaced"),
        Field(description="Tag of a public archive."),
    ] = "ubuntu-24.04-latest"


class Gpu(Model):
    model: Annotated[
        Literal["h100-sxm5-80gb", "h200-sxm5-141gb", "b200-sxm6-180gb", "a100-sxm4-80gb"],
        OnChange(Disruption.NONE),
    ] = "h100-sxm5-80gb"
    count: Annotated[int, OnChange(Disruption.NONE), Field(ge=1, le=16)] = 8


class MigDevice(Model):
    """Equal MIG devices of a GPU."""

    profile: Annotated[
        str,
        OnChange(Disruption.ROLLING_RESTART, "each GPU node is drained"),
        Field(
            pattern=r"^[1-7]g\.[0-9]{1,3}gb$",
            description="Profile: compute slices and memory.",
            examples=["1g.10gb"],
        ),
    ]
    count: Annotated[int, OnChange(Disruption.ROLLING_RESTART, "each GPU node is drained"), Field(ge=1, le=7)]


class LocalDisks(Model):
    """Equal local disks next to the system disk."""

    count: Annotated[int, OnChange(Disruption.NONE), Field(ge=0, le=24)] = 4
    size_gb: Annotated[int, OnChange(Disruption.NONE), Field(ge=100, le=100_000)] = 3840
    type: Annotated[Literal["nvme", "ssd"], OnChange(Disruption.NONE)] = "nvme"


class GpuNode(Model):
    """One PHY server, adopted by its service ID.

    Its place in the list never matters: `index` fixes its name and its addresses.
    """

    id: Annotated[
        ServiceId,
        OnChange(Disruption.REINSTALL, "another server takes the node's place"),
        Field(description='Service ID of the server, for example "113600000001".'),
    ]
    index: Annotated[
        int,
        OnChange(Disruption.REINSTALL),
        Field(ge=1, le=4000, description="Number of the node in its pool: gives name and addresses."),
    ]
    rack: Annotated[
        str | None,
        OnChange(Disruption.APPLY),
        Field(
            pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
            description="Where it stands: becomes a node label.",
            examples=["r01"],
        ),
    ] = None


class GpuPool(Model):
    """Equal GPU servers on the PHY service."""

    name: Annotated[Name, OnChange(Disruption.REINSTALL)]
    nodes: Annotated[
        tuple[GpuNode, ...], OnChange(Disruption.NONE, "only the added or removed nodes are touched")
    ]
    addresses: Annotated[
        Cidr | None,
        OnChange(Disruption.REINSTALL),
        Field(description="Block of the node network for this pool. Default: the pool's own /24, in order."),
    ] = None
    image: Annotated[
        str,
        OnChange(
            Disruption.REINSTALL, "its Ceph disks come back empty: one node, then wait for active+clean"
        ),
        Field(description="OS image name of the PHY service."),
    ] = "ubuntu-24.04"
    node_port: Annotated[
        str, OnChange(Disruption.ROLLING_REBOOT), Field(description="Interface on the node network.")
    ] = "eno2"
    provisioning_port: Annotated[
        str,
        OnChange(Disruption.NONE),
        Field(description="Interface on the common subnet, used for the first contact, then sealed."),
    ] = "eno1"
    gpu: Gpu = Gpu()
    cpu: Annotated[
        int, OnChange(Disruption.NONE), Field(ge=1, le=1024, description="Cores of a server, of all sockets.")
    ] = 112
    memory_gib: Annotated[
        int, OnChange(Disruption.NONE), Field(ge=64, le=65536, description="Memory of a server.")
    ] = 2048
    fabric: Fabric
    disks: LocalDisks = LocalDisks()
    sharing: Annotated[
        Literal["none", "mig", "mps", "time-slicing"], OnChange(Disruption.ROLLING_RESTART)
    ] = "none"
    mig: Annotated[
        tuple[MigDevice, ...],
        OnChange(Disruption.ROLLING_RESTART, "each GPU node is drained"),
        Field(
            max_length=7,
            description="MIG devices of every GPU, for sharing mig. Default: seven of the smallest.",
        ),
    ] = ()
    replicas: Annotated[
        int,
        OnChange(Disruption.ROLLING_RESTART, "each GPU node is drained"),
        Field(ge=2, le=48, description="Pods that share a GPU, for sharing mps and time-slicing."),
    ] = 2
    topology_policy: Annotated[
        Literal["none", "best-effort", "restricted", "single-numa-node"] | None,
        OnChange(Disruption.ROLLING_RESTART, "each GPU node is drained"),
        Field(description="Topology Manager policy of this pool. Default: kubernetes.topologyPolicy."),
    ] = None
    topology_scope: Annotated[
        Literal["pod", "container"],
        OnChange(Disruption.ROLLING_RESTART, "each GPU node is drained"),
        Field(description="What the Topology Manager places together."),
    ] = "pod"
    release_policy: Annotated[
        Literal["keep", "power-off", "detach"],
        OnChange(Disruption.NONE),
        Field(
            description="What `daiku down` does with a server: nothing, power it off, or detach its "
            "networks and power it off."
        ),
    ] = "detach"
