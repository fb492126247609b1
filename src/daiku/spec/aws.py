"""AWS: the VPC behind the AWS connection option, shared components and the Cluster API management cluster."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.base import (
    Address,
    Cidr,
    Disruption,
    Domain,
    LinkAddress,
    Model,
    OnChange,
    Port,
    SecretRef,
    ServiceId,
)

Asn = Annotated[int, Field(ge=1, le=4294967294)]


class LocalRouter(Model):
    """Sakura's local router: the L3 end of the connection on the node network."""

    vip: Annotated[
        Address,
        OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile"),
        Field(description="Next hop of the nodes towards AWS."),
    ]
    addresses: Annotated[
        tuple[Address, ...],
        OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile"),
        Field(min_length=2, max_length=2, description="Real addresses of the redundant pair."),
    ]
    vrid: Annotated[int, OnChange(Disruption.REPLACE), Field(ge=1, le=255)] = 101


class AwsConnect(Model):
    """The AWS connection option, as Sakura's paperwork states it. Ordered by hand; daiku adopts it."""

    resource_id: Annotated[
        ServiceId,
        OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile"),
        Field(description="Peer ID that Sakura issues for the local router."),
    ]
    secret_key: Annotated[
        SecretRef,
        OnChange(Disruption.APPLY),
        Field(description="Where the peer's secret key is found, for example { fromEnv: MY_SECRET }."),
    ]
    virtual_interface_id: Annotated[
        str,
        OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile"),
        Field(
            pattern=r"^dxvif-[0-9a-z]{8,17}$",
            description="Hosted virtual interface that waits to be accepted.",
            examples=["dxvif-0a1b2c3d"],
        ),
    ]
    type: Annotated[
        Literal["private", "transit"], OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile")
    ] = "private"
    gateway: Annotated[
        Literal["virtual-private", "direct-connect"],
        OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile"),
        Field(
            description="Virtual private gateway: one VPC in ap-northeast-1; Direct Connect gateway: "
            "anything else."
        ),
    ] = "virtual-private"
    vlan: Annotated[int, OnChange(Disruption.REPLACE, "ordered by hand"), Field(ge=1, le=4094)]
    amazon_asn: Annotated[
        Asn,
        OnChange(Disruption.REPLACE, "the path to AWS is down meanwhile"),
        Field(description="ASN of the AWS side: private, 64512 to 65534 or 4200000000 to 4294967294."),
    ] = 64512
    customer_asn: Annotated[
        Asn, OnChange(Disruption.REPLACE, "ordered by hand"), Field(description="ASN of Sakura's side.")
    ] = 65000
    amazon_address: Annotated[LinkAddress, OnChange(Disruption.REPLACE, "ordered by hand")]
    customer_address: Annotated[LinkAddress, OnChange(Disruption.REPLACE, "ordered by hand")]
    bandwidth_mbps: Annotated[
        int, OnChange(Disruption.REPLACE, "ordered by hand"), Field(ge=50, le=10000)
    ] = 1000
    local_router: LocalRouter


class UserLoadBalancer(Model):
    """The network load balancer on AWS that users reach; its targets are the ingress VIP's ports."""

    ports: Annotated[tuple[Port, ...], OnChange(Disruption.APPLY), Field(min_length=1, max_length=50)] = (
        443,
    )
    internal: Annotated[bool, OnChange(Disruption.REPLACE, "its name and addresses change")] = False


class ManagementCluster(Model):
    """Network and host of the Cluster API management cluster."""

    instance_type: Annotated[
        str,
        OnChange(Disruption.ROLLING_REBOOT),
        Field(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$", examples=["m6i.large"]),
    ] = "m6i.large"
    image_id: Annotated[
        str,
        OnChange(Disruption.REPLACE),
        Field(pattern=r"^ami-[0-9a-f]{8,17}$", examples=["ami-0123456789abcdef0"]),
    ] = "ami-00000000000000001"


class Vpc(Model):
    cidr: Annotated[Cidr, OnChange(Disruption.REPLACE), Field(description="Range of the VPC, /16 to /28.")]
    subnets: Annotated[
        tuple[Cidr, ...],
        OnChange(Disruption.REPLACE),
        Field(min_length=1, max_length=6, description="One subnet an availability zone."),
    ]


class Aws(Model):
    region: Annotated[
        str,
        OnChange(Disruption.REPLACE),
        Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", examples=["ap-northeast-1"]),
    ] = "ap-northeast-1"
    account_id: Annotated[
        str,
        OnChange(Disruption.REPLACE, "another account: everything on AWS"),
        Field(pattern=r"^\d{12}$", description="12 digits, in quotes.", examples=['"123456789012"']),
    ]
    vpc: Vpc
    connect: AwsConnect
    load_balancer: UserLoadBalancer = UserLoadBalancer()
    management_cluster: ManagementCluster = ManagementCluster()
    zone_name: Annotated[
        Domain, OnChange(Disruption.REPLACE), Field(description="Private DNS zone, for example a.internal.")
    ]
