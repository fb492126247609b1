"""AWS's side of the connection: the hosted virtual interface is accepted and leads to the VPC.

Three ways, by the plan: a virtual private gateway on the VPC; a Direct Connect gateway in front of it, for another
region or more VPCs; a transit virtual interface to a transit gateway.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from daiku.plan.model import ConnectPlan
from daiku.stacks.common import Component, aws_tags

FIRST_PRIVATE_ASN = 64512
CONNECT_REGION = "ap-northeast-1"
"""Where Sakura and AWS meet (Tokyo): the hosted interface is in this region, whatever the VPC's."""


@dataclass(frozen=True, kw_only=True)
class AwsInterconnectArgs:
    cluster: str
    plan: ConnectPlan
    vpc_id: pulumi.Input[str]
    route_table_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]


class AwsInterconnect(Component):
    """`gateway_id` is what the virtual interface ends at."""

    gateway_id: pulumi.Output[str]
    virtual_interface_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: AwsInterconnectArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("AwsInterconnect", name, opts)
        if args.plan.type == "transit":
            self._transit(args)
        elif args.plan.gateway == "direct-connect":
            self._direct_connect(args)
        else:
            self._virtual_private(args)
        self.register_outputs({"gatewayId": self.gateway_id, "virtualInterfaceId": self.virtual_interface_id})

    def _virtual_private(self, args: AwsInterconnectArgs) -> None:
        gateway = self._vpn_gateway(args, amazon_asn=args.plan.amazon_asn)
        self.gateway_id = gateway.id
        self._accept_private(args, vpn_gateway_id=gateway.id)

    def _direct_connect(self, args: AwsInterconnectArgs) -> None:
        dx = self._dx_gateway(args)
        gateway = self._vpn_gateway(args, amazon_asn=None)
        association = self._associate(args, dx, gateway.id)
        self.gateway_id = dx.id
        self._accept_private(args, dx_gateway_id=dx.id, after=[association])

    def _transit(self, args: AwsInterconnectArgs) -> None:
        plan = args.plan
        dx = self._dx_gateway(args)
        hub = aws.ec2transitgateway.TransitGateway(
            "transit-gateway",
            amazon_side_asn=transit_asn(plan.amazon_asn, plan.customer_asn),
            description=f"{args.cluster}: VPC to Sakura",
            tags=aws_tags(args.cluster, f"{args.cluster}-transit"),
            opts=self.child(),
        )
        attachment = aws.ec2transitgateway.VpcAttachment(
            "transit-attachment",
            transit_gateway_id=hub.id,
            vpc_id=args.vpc_id,
            subnet_ids=args.subnet_ids,
            tags=aws_tags(args.cluster, f"{args.cluster}-transit"),
            opts=self.child(),
        )
        for number, prefix in enumerate(plan.prefixes_to_aws):
            aws.ec2.Route(
                f"to-sakura-{number}",
                route_table_id=args.route_table_id,
                destination_cidr_block=prefix,
                transit_gateway_id=hub.id,
                opts=self.child(after=[attachment]),
            )
        association = self._associate(args, dx, hub.id)
        accepter = aws.directconnect.HostedTransitVirtualInterfaceAcceptor(
            "virtual-interface",
            virtual_interface_id=plan.virtual_interface_id,
            dx_gateway_id=dx.id,
            region=CONNECT_REGION,
            tags=aws_tags(args.cluster, f"{args.cluster}-sakura"),
            opts=self.child(after=[association]),
        )
        self.gateway_id = dx.id
        self.virtual_interface_id = accepter.id

    def _vpn_gateway(self, args: AwsInterconnectArgs, *, amazon_asn: int | None) -> aws.ec2.VpnGateway:
        gateway = aws.ec2.VpnGateway(
            "vpn-gateway",
            vpc_id=args.vpc_id,
            amazon_side_asn=None if amazon_asn is None else str(amazon_asn),
            tags=aws_tags(args.cluster, f"{args.cluster}-vgw"),
            opts=self.child(),
        )
        aws.ec2.VpnGatewayRoutePropagation(
            "propagation",
            vpn_gateway_id=gateway.id,
            route_table_id=args.route_table_id,
            opts=self.child(),
        )
        return gateway

    def _dx_gateway(self, args: AwsInterconnectArgs) -> aws.directconnect.Gateway:
        return aws.directconnect.Gateway(
            "dx-gateway",
            name=f"{args.cluster}-dx",
            amazon_side_asn=str(args.plan.amazon_asn),
            opts=self.child(),
        )

    def _associate(
        self, args: AwsInterconnectArgs, dx: aws.directconnect.Gateway, gateway_id: pulumi.Output[str]
    ) -> aws.directconnect.GatewayAssociation:
        """The prefixes are what AWS announces to Sakura."""
        return aws.directconnect.GatewayAssociation(
            "dx-association",
            dx_gateway_id=dx.id,
            associated_gateway_id=gateway_id,
            allowed_prefixes=list(args.plan.prefixes_from_aws),
            opts=self.child(),
        )

    def _accept_private(
        self,
        args: AwsInterconnectArgs,
        *,
        vpn_gateway_id: pulumi.Output[str] | None = None,
        dx_gateway_id: pulumi.Output[str] | None = None,
        after: list[pulumi.Resource] | None = None,
    ) -> None:
        accepter = aws.directconnect.HostedPrivateVirtualInterfaceAccepter(
            "virtual-interface",
            virtual_interface_id=args.plan.virtual_interface_id,
            vpn_gateway_id=vpn_gateway_id,
            dx_gateway_id=dx_gateway_id,
            region=CONNECT_REGION,
            tags=aws_tags(args.cluster, f"{args.cluster}-sakura"),
            opts=self.child(after=after),
        )
        self.virtual_interface_id = accepter.id


def transit_asn(amazon_asn: int, customer_asn: int) -> int:
    """The transit gateway's ASN: BGP needs it to differ from the Direct Connect gateway's and from Sakura's."""
    taken = {amazon_asn, customer_asn}
    return next(asn for asn in range(FIRST_PRIVATE_ASN, FIRST_PRIVATE_ASN + 3) if asn not in taken)
