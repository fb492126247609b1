"""What stands on AWS, read back by the IDs that the stack made."""

from __future__ import annotations

from typing import Any

from daiku.errors import NotFoundError
from daiku.observe.parts import Part
from daiku.plan.facts import Facts
from daiku.plan.model import AwsPlan
from daiku.wire.aws import Aws

MISSING = "missing"


def aws_parts(aws: Aws, plan: AwsPlan, facts: Facts) -> tuple[Part, ...]:
    """VPC, gateway, virtual interface, load balancer, management host, bucket and zone, as they are now."""
    ids = facts.resources
    readers = (
        ("VPC", ids.get("vpc", ""), _vpc),
        ("AWS gateway", ids.get("awsGateway", ""), _gateway),
        ("virtual interface", ids.get("virtualInterface", ""), _interface),
        ("user load balancer", ids.get("userLoadBalancer", ""), _balancer),
        ("management host", ids.get("managementInstance", ""), _instance),
        ("etcd backup bucket", ids.get("bucket", ""), _bucket),
        ("private zone", ids.get("dnsZone", ""), _zone),
    )
    parts: list[Part] = []
    for kind, ident, reader in readers:
        if not ident:
            parts.append(Part(kind, "", "", "", MISSING))
            continue
        try:
            parts.append(reader(aws, plan, kind, ident))
        except NotFoundError:
            parts.append(Part(kind, "", ident, "", MISSING))
    return tuple(parts)


def _first(answer: dict[str, Any], key: str, kind: str) -> dict[str, Any]:
    items: list[dict[str, Any]] = answer.get(key) or []
    if not items:
        raise NotFoundError(f"no {kind}", where="AWS")
    return items[0]


def _name(item: dict[str, Any]) -> str:
    tags: list[dict[str, str]] = item.get("Tags") or item.get("tags") or []
    return next((tag["Value"] for tag in tags if tag.get("Key") == "Name"), "")


def _vpc(aws: Aws, _plan: AwsPlan, kind: str, ident: str) -> Part:
    vpc = _first(aws.call("ec2", "describe_vpcs", VpcIds=[ident]), "Vpcs", kind)
    return Part(kind, _name(vpc), ident, str(vpc.get("CidrBlock", "")), str(vpc.get("State", "")))


def _gateway(aws: Aws, plan: AwsPlan, kind: str, ident: str) -> Part:
    if plan.connect.gateway == "direct-connect":
        answer = aws.call("directconnect", "describe_direct_connect_gateways", directConnectGatewayId=ident)
        gateway = _first(answer, "directConnectGateways", kind)
        state = str(gateway.get("directConnectGatewayState", ""))
        return Part(
            kind, str(gateway.get("directConnectGatewayName", "")), ident, "", state, "Direct Connect gateway"
        )
    gateway = _first(aws.call("ec2", "describe_vpn_gateways", VpnGatewayIds=[ident]), "VpnGateways", kind)
    attached = [
        str(a.get("VpcId")) for a in gateway.get("VpcAttachments") or [] if a.get("State") == "attached"
    ]
    detail = f"ASN {gateway.get('AmazonSideAsn', '')}, attached to {' '.join(attached) or 'nothing'}"
    return Part(kind, _name(gateway), ident, "", str(gateway.get("State", "")), detail)


def _interface(aws: Aws, plan: AwsPlan, kind: str, ident: str) -> Part:
    answer = aws.call("directconnect", "describe_virtual_interfaces", virtualInterfaceId=ident)
    interface = _first(answer, "virtualInterfaces", kind)
    detail = f"VLAN {interface.get('vlan', '')}, ASN {interface.get('asn', '')}"
    return Part(
        kind, "", ident, plan.connect.amazon_address, str(interface.get("virtualInterfaceState", "")), detail
    )


def _balancer(aws: Aws, _plan: AwsPlan, kind: str, ident: str) -> Part:
    balancer = _first(
        aws.call("elbv2", "describe_load_balancers", LoadBalancerArns=[ident]), "LoadBalancers", kind
    )
    state = str((balancer.get("State") or {}).get("Code", ""))
    return Part(kind, str(balancer.get("LoadBalancerName", "")), "", str(balancer.get("DNSName", "")), state)


def _instance(aws: Aws, _plan: AwsPlan, kind: str, ident: str) -> Part:
    reservation = _first(aws.call("ec2", "describe_instances", InstanceIds=[ident]), "Reservations", kind)
    instance = _first(reservation, "Instances", kind)
    state = str((instance.get("State") or {}).get("Name", ""))
    address = str(instance.get("PrivateIpAddress", ""))
    return Part(kind, _name(instance), ident, address, state, str(instance.get("InstanceType", "")))


def _bucket(aws: Aws, _plan: AwsPlan, kind: str, ident: str) -> Part:
    versioning = str(aws.call("s3", "get_bucket_versioning", Bucket=ident).get("Status", "off")).lower()
    return Part(kind, ident, ident, "", "available", f"versioning {versioning}")


def _zone(aws: Aws, plan: AwsPlan, kind: str, ident: str) -> Part:
    zone = aws.call("route53", "get_hosted_zone", Id=ident)["HostedZone"]
    return Part(
        kind, plan.zone_name, ident, "", "available", f"{zone.get('ResourceRecordSetCount', 0)} record sets"
    )
