"""The host of the Cluster API management cluster: it drives the cluster from AWS, so it outlives it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from daiku.stacks.aws_network import ANYWHERE
from daiku.stacks.common import Component, aws_tags

ROOT_DISK_GIB = 60
SSH_PORT = 22
API_PORT = 6443


@dataclass(frozen=True, kw_only=True)
class ManagementClusterArgs:
    """`trusted` are the ranges behind the connection that may reach its SSH and its API server."""

    cluster: str
    instance_type: str
    image_id: str
    address: str
    deploy_key: str
    trusted: tuple[str, ...]
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]


class ManagementCluster(Component):
    """It has a public address to call Sakura's APIs, and lets nobody in through it."""

    instance_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: ManagementClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ManagementCluster", name, opts)
        tags = aws_tags(args.cluster, f"{args.cluster}-management")
        group = aws.ec2.SecurityGroup(
            "management",
            vpc_id=args.vpc_id,
            description="Cluster API management cluster",
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    protocol="tcp", from_port=port, to_port=port, cidr_blocks=list(args.trusted)
                )
                for port in (SSH_PORT, API_PORT)
            ],
            egress=[
                aws.ec2.SecurityGroupEgressArgs(protocol="-1", from_port=0, to_port=0, cidr_blocks=[ANYWHERE])
            ],
            tags=tags,
            opts=self.child(),
        )
        key = aws.ec2.KeyPair(
            "deploy",
            key_name=f"{args.cluster}-deploy",
            public_key=args.deploy_key,
            tags=tags,
            opts=self.child(),
        )
        instance = aws.ec2.Instance(
            "management",
            ami=args.image_id,
            instance_type=args.instance_type,
            subnet_id=args.subnet_id,
            private_ip=args.address,
            associate_public_ip_address=True,
            key_name=key.key_name,
            vpc_security_group_ids=[group.id],
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required"
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                encrypted=True, volume_size=ROOT_DISK_GIB, volume_type="gp3"
            ),
            tags=tags,
            opts=self.child(),
        )
        self.instance_id = instance.id
        self.register_outputs({"instanceId": self.instance_id})
