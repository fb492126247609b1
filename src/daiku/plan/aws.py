"""The AWS side: subnets over zones, the connection, the user load balancer's targets, the bucket and DNS records."""

from __future__ import annotations

from ipaddress import IPv4Network

from daiku.plan.model import AwsPlan, ConnectPlan, LocalRouterPlan, SubnetPlan
from daiku.spec.aws import Aws
from daiku.spec.cluster import Cluster
from daiku.spec.defaults import at

_ZONES = {
    "ap-northeast-1": "acd",
    "ap-northeast-2": "abcd",
    "us-east-1": "abcdef",
    "us-west-1": "ac",
    "us-west-2": "abcd",
}
MANAGEMENT_OFFSET = 10
"""Of the management host in the first subnet. AWS keeps the first four addresses and the last."""


def zones(region: str) -> str:
    """Letters of a region's availability zones that new accounts can use."""
    return _ZONES.get(region, "abc")


def aws_plan(cluster: Cluster) -> AwsPlan | None:
    """Decisions for AWS; None when the cluster has no AWS part. Subnets beyond the region's zones are left out."""
    aws = cluster.aws
    if aws is None:
        return None
    ingress = cluster.load_balancer.ingress
    names = [("api", cluster.load_balancer.api_vip)]
    if ingress is not None:
        names.append(("ingress", ingress.vip))
    return AwsPlan(
        region=aws.region,
        account_id=aws.account_id,
        vpc_cidr=aws.vpc.cidr,
        subnets=tuple(
            SubnetPlan(cidr=cidr, zone=f"{aws.region}{letter}")
            for cidr, letter in zip(aws.vpc.subnets, zones(aws.region), strict=False)
        ),
        connect=_connect(cluster, aws),
        user_ports=tuple(sorted(set(aws.load_balancer.ports))),
        user_internal=aws.load_balancer.internal,
        user_targets=(ingress.vip,) if ingress is not None else (),
        management_instance_type=aws.management_cluster.instance_type,
        management_image_id=aws.management_cluster.image_id,
        management_address=at(IPv4Network(aws.vpc.subnets[0]), MANAGEMENT_OFFSET),
        bucket=f"{cluster.name}-etcd-{aws.account_id}",
        snapshot_keep_days=cluster.kubernetes.etcd.keep_days,
        zone_name=aws.zone_name,
        records=tuple((f"{name}.{aws.zone_name}", address) for name, address in names),
    )


def _connect(cluster: Cluster, aws: Aws) -> ConnectPlan:
    connect = aws.connect
    node_network = IPv4Network(cluster.network.node.cidr)
    return ConnectPlan(
        resource_id=connect.resource_id,
        secret_env=connect.secret_key.from_env,
        virtual_interface_id=connect.virtual_interface_id,
        type=connect.type,
        gateway=connect.gateway,
        vlan=connect.vlan,
        amazon_asn=connect.amazon_asn,
        customer_asn=connect.customer_asn,
        amazon_address=connect.amazon_address,
        customer_address=connect.customer_address,
        bandwidth_mbps=connect.bandwidth_mbps,
        prefixes_to_aws=(str(node_network),),
        prefixes_from_aws=(aws.vpc.cidr,),
        local_router=LocalRouterPlan(
            vip=connect.local_router.vip,
            addresses=connect.local_router.addresses,
            prefix_length=node_network.prefixlen,
            vrid=connect.local_router.vrid,
            routes=(),
        ),
    )
