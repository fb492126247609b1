"""What users reach: a network load balancer on AWS whose targets are the ingress VIP, across the connection."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from daiku.stacks.aws_network import ANYWHERE
from daiku.stacks.common import Component, aws_tags

LONGEST_NAME = 32
"""Of a load balancer or target group, in characters: AWS's limit."""


@dataclass(frozen=True, kw_only=True)
class UserLoadBalancerArgs:
    """`targets` are addresses outside the VPC that listen on each of `ports`."""

    cluster: str
    ports: tuple[int, ...]
    internal: bool
    targets: tuple[str, ...]
    vpc_cidr: str
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]


class UserLoadBalancer(Component):
    """`address` is the DNS name that AWS gives it."""

    arn: pulumi.Output[str]
    address: pulumi.Output[str]

    def __init__(
        self, name: str, args: UserLoadBalancerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("UserLoadBalancer", name, opts)
        group = aws.ec2.SecurityGroup(
            "users",
            vpc_id=args.vpc_id,
            description="Users to the load balancer",
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    protocol="tcp",
                    from_port=port,
                    to_port=port,
                    cidr_blocks=[args.vpc_cidr if args.internal else ANYWHERE],
                )
                for port in args.ports
            ],
            egress=[
                aws.ec2.SecurityGroupEgressArgs(
                    protocol="tcp",
                    from_port=port,
                    to_port=port,
                    cidr_blocks=[f"{target}/32" for target in args.targets],
                )
                for port in args.ports
            ],
            tags=aws_tags(args.cluster, f"{args.cluster}-users"),
            opts=self.child(),
        )
        self.balancer = aws.lb.LoadBalancer(
            "users",
            name=_name(f"{args.cluster}-users"),
            load_balancer_type="network",
            internal=args.internal,
            subnets=args.subnet_ids,
            security_groups=[group.id],
            # Its targets are in no zone of the VPC: every zone's address must reach all of them.
            enable_cross_zone_load_balancing=True,
            tags=aws_tags(args.cluster, f"{args.cluster}-users"),
            opts=self.child(),
        )
        for port in args.ports:
            self._listener(args, port)
        self.arn = self.balancer.arn
        self.address = self.balancer.dns_name
        self.register_outputs({"arn": self.arn, "address": self.address})

    def _listener(self, args: UserLoadBalancerArgs, port: int) -> None:
        group = aws.lb.TargetGroup(
            f"users-{port}",
            name=_name(f"{args.cluster}-users", str(port)),
            vpc_id=args.vpc_id,
            target_type="ip",
            protocol="TCP",
            port=port,
            health_check=aws.lb.TargetGroupHealthCheckArgs(protocol="TCP", port="traffic-port"),
            tags=aws_tags(args.cluster, f"{args.cluster}-users-{port}"),
            opts=self.child(),
        )
        for target in args.targets:
            aws.lb.TargetGroupAttachment(
                f"users-{port}-{target}",
                target_group_arn=group.arn,
                target_id=target,
                port=port,
                availability_zone="all",  # AWS's word for an address outside the VPC
                opts=self.child(),
            )
        aws.lb.Listener(
            f"users-{port}",
            load_balancer_arn=self.balancer.arn,
            protocol="TCP",
            port=port,
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=group.arn)],
            opts=self.child(),
        )


def _name(base: str, *parts: str) -> str:
    """Cut to AWS's limit without losing what tells two names apart."""
    tail = "".join(f"-{part}" for part in parts)
    return base[: LONGEST_NAME - len(tail)].rstrip("-") + tail
