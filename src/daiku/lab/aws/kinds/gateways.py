"""Gateways of the VPC towards Direct Connect: virtual private gateways and transit gateways."""

from __future__ import annotations

from daiku.errors import NotFoundError
from daiku.lab.aws.kinds.base import (
    NUMBER,
    SET,
    TAGS,
    Cloud,
    Kind,
    fixed,
    kind,
    live,
    output,
    tags_given,
    tags_shown,
)
from daiku.lab.aws.kinds.ec2 import Ec2Kind
from daiku.lab.aws.kinds.network import table
from daiku.provider.fields import Props
from daiku.provider.handler import Hint
from daiku.wire.aws import Json

DEFAULT_ASN = 64512


class VpnGateway(Ec2Kind):
    type = kind(
        "ec2/vpnGateway:VpnGateway", fixed("vpcId"), fixed("amazonSideAsn", default=str(DEFAULT_ASN)), TAGS
    )
    noun, creates, described = "vpn-gateway", "create_vpn_gateway", "describe_vpn_gateways"
    listed, ids, id = "VpnGateways", "VpnGatewayIds", "VpnGatewayId"
    gone = frozenset({"deleted", "deleting"})

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {"Type": "ipsec.1", "AmazonSideAsn": int(inputs["amazonSideAsn"])}

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        if not self._vpc(self.item(cloud, ident)):
            cloud.call("ec2", "attach_vpn_gateway", VpnGatewayId=ident, VpcId=inputs["vpcId"])

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        return {
            "vpcId": self._vpc(item),
            "amazonSideAsn": str(item.get("AmazonSideAsn", DEFAULT_ASN)),
            "tags": self.tags_of(item),
        }

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        if vpc := self._vpc(self.item(cloud, ident)):
            cloud.call("ec2", "detach_vpn_gateway", VpnGatewayId=ident, VpcId=vpc)
        cloud.call("ec2", "delete_vpn_gateway", VpnGatewayId=ident)

    def _vpc(self, item: Json) -> str:
        attached = [a for a in item.get("VpcAttachments", []) if a["State"] in ("attaching", "attached")]
        return str(attached[0]["VpcId"]) if attached else ""


class VpnGatewayRoutePropagation(Kind):
    type = kind(
        "ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation",
        fixed("vpnGatewayId"),
        fixed("routeTableId"),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        cloud.call("ec2", "enable_vgw_route_propagation", **self._ends(inputs))
        return f"{inputs['vpnGatewayId']}_{inputs['routeTableId']}"

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        gateway, _, route_table = ident.partition("_")
        shown = table(cloud, route_table).get("PropagatingVgws", [])
        if gateway not in [g["GatewayId"] for g in shown]:
            raise NotFoundError("the propagation is gone", where=ident)
        return {"vpnGatewayId": gateway, "routeTableId": route_table}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("ec2", "disable_vgw_route_propagation", **self._ends(state))

    def _ends(self, inputs: Props) -> dict[str, str]:
        return {"GatewayId": inputs["vpnGatewayId"], "RouteTableId": inputs["routeTableId"]}


class TransitGateway(Ec2Kind):
    type = kind(
        "ec2transitgateway/transitGateway:TransitGateway",
        fixed("amazonSideAsn", NUMBER, default=DEFAULT_ASN),
        fixed("description", default=""),
        TAGS,
        output("arn"),
    )
    noun, creates, described = "transit-gateway", "create_transit_gateway", "describe_transit_gateways"
    listed, ids, id = "TransitGateways", "TransitGatewayIds", "TransitGatewayId"
    gone = frozenset({"deleted", "deleting"})

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {
            "Description": inputs["description"],
            "Options": {"AmazonSideAsn": inputs["amazonSideAsn"]},
        }

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        return {
            "amazonSideAsn": int(item["Options"]["AmazonSideAsn"]),
            "description": item.get("Description") or "",
            "tags": self.tags_of(item),
            "arn": item["TransitGatewayArn"],
        }

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self.item(cloud, ident)
        cloud.call("ec2", "delete_transit_gateway", TransitGatewayId=ident)


class VpcAttachment(Ec2Kind):
    """Found by its two ends, of which there is one attachment; moto neither takes nor lists its tags with it."""

    type = kind(
        "ec2transitgateway/vpcAttachment:VpcAttachment",
        fixed("transitGatewayId"),
        fixed("vpcId"),
        live("subnetIds", SET, required=True),
        TAGS,
    )
    noun = "transit-gateway-attachment"
    described, listed = "describe_transit_gateway_vpc_attachments", "TransitGatewayVpcAttachments"
    ids, id = "TransitGatewayAttachmentIds", "TransitGatewayAttachmentId"
    gone = frozenset({"deleted", "deleting"})

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        ends = {"transit-gateway-id": inputs["transitGatewayId"], "vpc-id": inputs["vpcId"]}
        filters = [{"Name": name, "Values": [value]} for name, value in ends.items()]
        for item in cloud.call("ec2", self.described, Filters=filters)[self.listed]:
            if self.state_of(item) not in self.gone:
                return str(item[self.id])
        made = cloud.call(
            "ec2",
            "create_transit_gateway_vpc_attachment",
            TransitGatewayId=inputs["transitGatewayId"],
            VpcId=inputs["vpcId"],
            SubnetIds=inputs["subnetIds"],
        )
        return str(made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        if tags := inputs.get("tags"):
            cloud.call("ec2", "create_tags", Resources=[ident], Tags=tags_given(tags))

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        return {
            "transitGatewayId": item["TransitGatewayId"],
            "vpcId": item["VpcId"],
            "subnetIds": sorted(item["SubnetIds"]),
            "tags": self._tags(cloud, ident),
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        super().change(cloud, ident, olds, news)
        before, after = set(olds["subnetIds"]), set(news["subnetIds"])
        if before != after:
            cloud.call(
                "ec2",
                "modify_transit_gateway_vpc_attachment",
                TransitGatewayAttachmentId=ident,
                AddSubnetIds=sorted(after - before),
                RemoveSubnetIds=sorted(before - after),
            )

    def _tags(self, cloud: Cloud, ident: str) -> dict[str, str]:
        filters = [{"Name": "resource-id", "Values": [ident]}]
        return tags_shown(cloud.call("ec2", "describe_tags", Filters=filters)["Tags"])

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        self.item(cloud, ident)
        cloud.call("ec2", "delete_transit_gateway_vpc_attachment", TransitGatewayAttachmentId=ident)


KINDS: tuple[Kind, ...] = (VpnGateway(), VpnGatewayRoutePropagation(), TransitGateway(), VpcAttachment())
