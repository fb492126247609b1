"""Machines: cloud VMs and GPU bare metal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.base import Cidr, Disruption, Model, Name, OnChange, ServiceId


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
    count: Annotated[int, Field(ge=1, le=16)] = 8


class Rail(Model):
    """One interconnect NIC of every node of the pool, and the subnet it is in."""

    nic: Annotated[
        str,
        OnChange(Disruption.ROLLING_REBOOT),
        Field(pattern=r"^[a-z][a-z0-9]{1,14}$", description="Interface name, as the kernel shows it."),
    ]
    cidr: Annotated[
        Cidr,
        OnChange(Disruption.REINSTALL, "all RDMA workloads stop"),
        Field(description="Subnet of this rail. Lower half: nodes; upper half: pods."),
    ]
    pci: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$",
            description="PCI address of the physical function.",
        ),
    ] = None
    numa: Annotated[int, Field(ge=0, le=7)] = 0


class Fabric(Model):
    """The interconnect of a pool: rails, each in its own subnet."""

    speed_gbps: Annotated[Literal[100, 200, 400, 800], OnChange(Disruption.NONE)] = 200
    mtu: Annotated[int, OnChange(Disruption.ROLLING_RESTART), Field(ge=1500, le=9216)] = 9000
    vfs: Annotated[
        int,
        OnChange(Disruption.ROLLING_REBOOT),
        Field(ge=0, le=127, description="SR-IOV virtual functions a NIC; 0: none."),
    ] = 8
    rails: Annotated[tuple[Rail, ...], Field(max_length=16)]


class LocalDisks(Model):
    count: Annotated[int, Field(ge=0, le=24)] = 4
    size_gb: Annotated[int, Field(ge=100)] = 3840
    type: Literal["nvme", "ssd"] = "nvme"


class GpuNode(Model):
    """One PHY server, adopted by its service ID. Its place in the list never matters: `index` fixes its addresses."""

    id: Annotated[ServiceId, OnChange(Disruption.REINSTALL)]
    index: Annotated[
        int,
        OnChange(Disruption.REINSTALL),
        Field(ge=1, le=4000, description="Number of the node in its pool: gives name and addresses."),
    ]
    rack: str | None = None


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
        str, OnChange(Disruption.REINSTALL), Field(description="OS image name of the PHY service.")
    ] = "ubuntu-24.04"
    node_port: Annotated[
        str, OnChange(Disruption.ROLLING_REBOOT), Field(description="Interface on the node network.")
    ] = "eno2"
    provisioning_port: Annotated[
        str, Field(description="Interface on the common subnet, used for the first contact, then sealed.")
    ] = "eno1"
    gpu: Gpu = Gpu()
    memory_gib: Annotated[int, Field(ge=64)] = 2048
    fabric: Fabric
    disks: LocalDisks = LocalDisks()
    sharing: Annotated[
        Literal["none", "mig", "mps", "time-slicing"], OnChange(Disruption.ROLLING_RESTART)
    ] = "none"
    release_policy: Annotated[
        Literal["keep", "power-off", "detach"],
        Field(
            description="What `daiku down` does with a server: nothing, power it off, or detach its networks and power it off."
        ),
    ] = "detach"
