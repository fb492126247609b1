"""The VPC: subnets over availability zones, one route table, and the internet gateway of what users reach."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from daiku.plan.model import SubnetPlan
from daiku.stacks.common import Component, aws_tags

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class AwsNetworkArgs:
    cluster: str
    vpc_cidr: str
    subnets: tuple[SubnetPlan, ...]


class AwsNetwork(Component):
    """Nothing gets a public address by itself: only what asks for one."""

    vpc_id: pulumi.Output[str]
    route_table_id: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]

    def __init__(self, name: str, args: AwsNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("AwsNetwork", name, opts)
        self.vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=args.vpc_cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=aws_tags(args.cluster, f"{args.cluster}-vpc"),
            opts=self.child(),
        )
        internet = aws.ec2.InternetGateway(
            "internet",
            vpc_id=self.vpc.id,
            tags=aws_tags(args.cluster, f"{args.cluster}-internet"),
            opts=self.child(),
        )
        table = aws.ec2.RouteTable(
            "routes",
            vpc_id=self.vpc.id,
            tags=aws_tags(args.cluster, f"{args.cluster}-routes"),
            opts=self.child(),
        )
        aws.ec2.Route(
            "default-route",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=internet.id,
            opts=self.child(),
        )
        self.vpc_id = self.vpc.id
        self.route_table_id = table.id
        self.subnet_ids = [self._subnet(args, subnet) for subnet in args.subnets]
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})

    def _subnet(self, args: AwsNetworkArgs, plan: SubnetPlan) -> pulumi.Output[str]:
        subnet = aws.ec2.Subnet(
            f"subnet-{plan.zone}",
            vpc_id=self.vpc.id,
            cidr_block=plan.cidr,
            availability_zone=plan.zone,
            tags=aws_tags(args.cluster, f"{args.cluster}-{plan.zone}"),
            opts=self.child(),
        )
        aws.ec2.RouteTableAssociation(
            f"subnet-{plan.zone}",
            subnet_id=subnet.id,
            route_table_id=self.route_table_id,
            opts=self.child(),
        )
        return subnet.id
