"""AWS: the VPC behind the AWS connection option, shared components and the Cluster API management cluster."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.base import Address, Cidr, Disruption, Model, OnChange, SecretRef, ServiceId

Asn = Annotated[int, Field(ge=1, le=4294967294)]


class AwsConnect(Model):
    """The AWS connection option, as Sakura's paperwork states it. Ordered by hand; daiku adopts it."""

    resource_id: Annotated[
        ServiceId,
        OnChange(Disruption.REPLACE),
        Field(description="Peer ID that Sakura issues for the local router."),
    ]
    secret_key: Annotated[SecretRef, OnChange(Disruption.APPLY)]
    virtual_interface_id: Annotated[
        str,
        OnChange(Disruption.REPLACE),
        Field(
            pattern=r"^dxvif-[0-9a-z]{8,17}$",
            description="Hosted virtual interface that waits to be accepted.",
        ),
    ]
    type: Annotated[Literal["private", "transit"], OnChange(Disruption.REPLACE)] = "private"
    gateway: Annotated[
        Literal["virtual-private", "direct-connect"],
        OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile"),
        Field(
            description="Virtual private gateway: one VPC in ap-northeast-1; Direct Connect gateway: anything else."
        ),
    ] = "virtual-private"
    vlan: Annotated[int, Field(ge=1, le=4094)]
    amazon_asn: Annotated[Asn, OnChange(Disruption.REPLACE)] = 64512
    customer_asn: Annotated[Asn, OnChange(Disruption.REPLACE)] = 65000
    amazon_address: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+\.\d+/(30|31)$")]
    customer_address: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+\.\d+/(30|31)$")]
    bandwidth_mbps: Annotated[int, Field(ge=50, le=10000)] = 1000
    local_router: LocalRouter


class LocalRouter(Model):
    """Sakura's local router: the L3 end of the connection on the node network."""

    vip: Address
    addresses: Annotated[tuple[Address, ...], Field(min_length=2, max_length=2)]
    vrid: Annotated[int, Field(ge=1, le=255)] = 101


class UserLoadBalancer(Model):
    """The network load balancer on AWS that users reach; its targets are the ingress VIP's ports."""

    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = (443,)
    internal: bool = False


class ManagementCluster(Model):
    """Network and host of the Cluster API management cluster."""

    instance_type: Annotated[str, OnChange(Disruption.ROLLING_REBOOT)] = "m6i.large"
    image_id: Annotated[str, OnChange(Disruption.REPLACE), Field(pattern=r"^ami-[0-9a-f]{8,17}$")] = (
        "ami-00000000000000001"
    )


class Vpc(Model):
    cidr: Annotated[Cidr, OnChange(Disruption.REPLACE)]
    subnets: Annotated[
        tuple[Cidr, ...],
        OnChange(Disruption.REPLACE),
        Field(min_length=1, max_length=6, description="One subnet an availability zone."),
    ]


class Aws(Model):
    region: Annotated[str, OnChange(Disruption.REPLACE), Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = (
        "ap-northeast-1"
    )
    account_id: Annotated[str, Field(pattern=r"^\d{12}$")]
    vpc: Vpc
    connect: AwsConnect
    load_balancer: UserLoadBalancer = UserLoadBalancer()
    management_cluster: ManagementCluster = ManagementCluster()
    zone_name: Annotated[str, OnChange(Disruption.REPLACE), Field(description="Private DNS zone.")]


AwsConnect.model_rebuild()
