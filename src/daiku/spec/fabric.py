"""The interconnect of a pool: rails, how pods get at them, and what the switches agreed to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.base import Address, Cidr, Disruption, Model, OnChange


class Rail(Model):
    """One interconnect NIC of every node of the pool, and the subnet it is in."""

    nic: Annotated[
        str,
        OnChange(Disruption.ROLLING_REBOOT),
        Field(
            pattern=r"^[a-z][a-z0-9]{1,14}$",
            description="Interface name, as the kernel shows it.",
            examples=["ens1f0np0"],
        ),
    ]
    cidr: Annotated[
        Cidr,
        OnChange(Disruption.REINSTALL, "all RDMA workloads stop"),
        Field(description="Subnet of this rail. Lower half: nodes; upper half: pods."),
    ]
    pci: Annotated[
        str | None,
        OnChange(Disruption.ROLLING_RESTART),
        Field(
            pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$",
            description="PCI address of the physical function.",
            examples=['"0000:1a:00.0"'],
        ),
    ] = None
    numa: Annotated[int, OnChange(Disruption.ROLLING_RESTART), Field(ge=0, le=7)] = 0
    rdma: Annotated[
        str | None,
        OnChange(Disruption.APPLY, "NCCL's environment; running jobs keep theirs"),
        Field(
            pattern=r"^[a-z][a-z0-9_]{1,31}$",
            description="RDMA device of the NIC, as `rdma link` shows it.",
            examples=["mlx5_0"],
        ),
    ] = None
    gateway: Annotated[
        Address | None,
        OnChange(Disruption.APPLY, "new pods get it"),
        Field(description="Router of this rail towards other subnets. Without one the rail is isolated."),
    ] = None
    routes: Annotated[
        tuple[Cidr, ...],
        OnChange(Disruption.APPLY, "new pods get them"),
        Field(max_length=16, description="Ranges that pods reach through this rail's gateway."),
    ] = ()


class PodSysctl(Model):
    """A kernel setting of a rail's interface inside pods."""

    name: Annotated[
        str,
        OnChange(Disruption.APPLY, "new pods get it"),
        Field(
            pattern=r"^net\.ipv[46]\.(conf|neigh)\.IFNAME\.[a-z0-9_]+$",
            description="Name of the setting; IFNAME stands for the interface.",
            examples=["net.ipv4.conf.IFNAME.rp_filter"],
        ),
    ]
    value: Annotated[str, OnChange(Disruption.APPLY, "new pods get it"), Field(pattern=r"^-?[0-9]{1,10}$")]


class RoceQos(Model):
    """Quality of service of RoCE, as agreed with whoever runs the switches. Nothing of it has a default: a NIC that
    pauses a class which the switch drops, or the other way round, is worse than none."""

    trust: Annotated[
        Literal["dscp", "pcp"],
        OnChange(Disruption.APPLY),
        Field(description="What ports classify packets by."),
    ]
    dscp: Annotated[int, OnChange(Disruption.APPLY), Field(ge=0, le=63, description="DSCP of RoCE packets.")]
    priority: Annotated[
        int,
        OnChange(Disruption.APPLY),
        Field(ge=0, le=7, description="Priority of RoCE packets, the only one with flow control (PFC)."),
    ]
    cnp_dscp: Annotated[
        int,
        OnChange(Disruption.APPLY),
        Field(ge=0, le=63, description="DSCP of congestion notification packets."),
    ]
    cnp_priority: Annotated[
        int,
        OnChange(Disruption.APPLY),
        Field(ge=0, le=7, description="Priority of congestion notification packets."),
    ]
    ecn: Annotated[
        bool,
        OnChange(Disruption.APPLY),
        Field(description="Whether switches mark congestion (ECN) and NICs slow down (DCQCN)."),
    ]


class Fabric(Model):
    """The interconnect of a pool: rails, each in its own subnet."""

    speed_gbps: Annotated[Literal[100, 200, 400, 800], OnChange(Disruption.NONE)] = 200
    mtu: Annotated[int, OnChange(Disruption.ROLLING_RESTART), Field(ge=1500, le=9216)] = 9000
    vfs: Annotated[
        int,
        OnChange(Disruption.ROLLING_REBOOT),
        Field(ge=0, le=127, description="SR-IOV virtual functions a NIC; 0: none."),
    ] = 8
    attach: Annotated[
        Literal["sriov", "host-device", "dranet"],
        OnChange(Disruption.ROLLING_REBOOT, "all RDMA workloads stop"),
        Field(
            description="How pods get rails: a virtual function each, or the NIC itself "
            "(host-device by Multus, dranet by resource claims)."
        ),
    ] = "sriov"
    ipam: Annotated[
        Literal["whereabouts", "per-node"],
        OnChange(Disruption.ROLLING_RESTART, "all RDMA workloads stop"),
        Field(
            description="Addresses of virtual functions: leased in the whole cluster, "
            "or from a range of each node that the plan computes."
        ),
    ] = "whereabouts"
    sysctls: Annotated[tuple[PodSysctl, ...], Field(max_length=32)] = ()
    qos: Annotated[
        RoceQos | None, OnChange(Disruption.ROLLING_REBOOT, "ports keep the settings until they restart")
    ] = None
    gid_index: Annotated[
        int | None,
        OnChange(Disruption.APPLY, "NCCL's environment; running jobs keep theirs"),
        Field(ge=0, le=255, description="GID that NCCL uses. Default: NCCL finds the RoCE v2 one itself."),
    ] = None
    rails: Annotated[
        tuple[Rail, ...],
        OnChange(Disruption.ROLLING_REBOOT, "all RDMA workloads stop"),
        Field(max_length=16, description="Interconnect NICs, in order; [] when there is none."),
    ]
