"""VPC, subnets, the internet gateway, route tables and security groups."""

from __future__ import annotations

from typing import Any

from daiku.errors import NotFoundError
from daiku.lab.aws.kinds.base import (
    NUMBER,
    SET,
    TAGS,
    TRUTH,
    Cloud,
    Kind,
    fixed,
    kind,
    live,
    output,
    record,
)
from daiku.lab.aws.kinds.ec2 import Ec2Kind
from daiku.provider.fields import ListOf, Props
from daiku.provider.handler import Hint
from daiku.wire.aws import Json


class Vpc(Ec2Kind):
    type = kind(
        "ec2/vpc:Vpc",
        fixed("cidrBlock"),
        live("enableDnsSupport", TRUTH, default=True),
        live("enableDnsHostnames", TRUTH, default=False),
        TAGS,
        output("arn"),
    )
    noun, creates, described = "vpc", "create_vpc", "describe_vpcs"
    listed, ids, id = "Vpcs", "VpcIds", "VpcId"

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {"CidrBlock": inputs["cidrBlock"]}

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            wanted = inputs[name[0].lower() + name[1:]]
            cloud.call("ec2", "modify_vpc_attribute", VpcId=ident, **{name: {"Value": wanted}})

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        del known
        item = self.item(cloud, ident)
        return {
            "cidrBlock": item["CidrBlock"],
            "enableDnsSupport": self._attribute(cloud, ident, "enableDnsSupport", "EnableDnsSupport"),
            "enableDnsHostnames": self._attribute(cloud, ident, "enableDnsHostnames", "EnableDnsHostnames"),
            "tags": self.tags_of(item),
            "arn": f"arn:aws:ec2:{cloud.region}:{item['OwnerId']}:vpc/{ident}",
        }

    def _attribute(self, cloud: Cloud, ident: str, name: str, key: str) -> bool:
        return bool(cloud.call("ec2", "describe_vpc_attribute", VpcId=ident, Attribute=name)[key]["Value"])

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("ec2", "delete_vpc", VpcId=ident)


class Subnet(Ec2Kind):
    type = kind(
        "ec2/subnet:Subnet",
        fixed("vpcId"),
        fixed("cidrBlock"),
        fixed("availabilityZone"),
        TAGS,
        output("arn"),
    )
    noun, creates, described = "subnet", "create_subnet", "describe_subnets"
    listed, ids, id = "Subnets", "SubnetIds", "SubnetId"

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {
            "VpcId": inputs["vpcId"],
            "CidrBlock": inputs["cidrBlock"],
            "AvailabilityZone": inputs["availabilityZone"],
        }

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        return {
            "vpcId": item["VpcId"],
            "cidrBlock": item["CidrBlock"],
            "availabilityZone": item["AvailabilityZone"],
            "tags": self.tags_of(item),
            "arn": item["SubnetArn"],
        }

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("ec2", "delete_subnet", SubnetId=ident)


class InternetGateway(Ec2Kind):
    type = kind("ec2/internetGateway:InternetGateway", fixed("vpcId"), TAGS)
    noun, creates, described = "internet-gateway", "create_internet_gateway", "describe_internet_gateways"
    listed, ids, id = "InternetGateways", "InternetGatewayIds", "InternetGatewayId"

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {}

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        if not self.item(cloud, ident).get("Attachments"):
            cloud.call("ec2", "attach_internet_gateway", InternetGatewayId=ident, VpcId=inputs["vpcId"])

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        vpc = next((a["VpcId"] for a in item.get("Attachments", [])), "")
        return {"vpcId": vpc, "tags": self.tags_of(item)}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        for attachment in self.item(cloud, ident).get("Attachments", []):
            cloud.call("ec2", "detach_internet_gateway", InternetGatewayId=ident, VpcId=attachment["VpcId"])
        cloud.call("ec2", "delete_internet_gateway", InternetGatewayId=ident)


class RouteTable(Ec2Kind):
    type = kind("ec2/routeTable:RouteTable", fixed("vpcId"), TAGS)
    noun, creates, described = "route-table", "create_route_table", "describe_route_tables"
    listed, ids, id = "RouteTables", "RouteTableIds", "RouteTableId"

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {"VpcId": inputs["vpcId"]}

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        return {"vpcId": item["VpcId"], "tags": self.tags_of(item)}

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("ec2", "delete_route_table", RouteTableId=ident)


def table(cloud: Cloud, ident: str) -> Json:
    """A route table as AWS lists it."""
    return RouteTable().item(cloud, ident)


class RouteTableAssociation(Kind):
    type = kind("ec2/routeTableAssociation:RouteTableAssociation", fixed("subnetId"), fixed("routeTableId"))

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        for association in table(cloud, inputs["routeTableId"])["Associations"]:
            if association.get("SubnetId") == inputs["subnetId"]:
                return str(association["RouteTableAssociationId"])
        made = cloud.call(
            "ec2", "associate_route_table", SubnetId=inputs["subnetId"], RouteTableId=inputs["routeTableId"]
        )
        return str(made["AssociationId"])

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        for association in table(cloud, known["routeTableId"])["Associations"]:
            if association["RouteTableAssociationId"] == ident:
                return {"subnetId": association["SubnetId"], "routeTableId": known["routeTableId"]}
        raise NotFoundError("the association is gone", where=ident)

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("ec2", "disassociate_route_table", AssociationId=ident)


class Route(Kind):
    """Its ID is made of the table and the destination, as there is one route for each."""

    type = kind(
        "ec2/route:Route",
        fixed("routeTableId"),
        fixed("destinationCidrBlock"),
        live("gatewayId"),
        live("transitGatewayId"),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        ident = f"r-{inputs['routeTableId']}-{inputs['destinationCidrBlock']}"
        known = self.read(cloud, ident, inputs)
        if known is None:
            cloud.call("ec2", "create_route", **self._target(inputs))
        elif known != inputs:
            cloud.call("ec2", "replace_route", **self._target(inputs))
        return ident

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        for route in table(cloud, known["routeTableId"])["Routes"]:
            if route.get("DestinationCidrBlock") == known["destinationCidrBlock"]:
                targets = {"gatewayId": "GatewayId", "transitGatewayId": "TransitGatewayId"}
                shown = {name: route[key] for name, key in targets.items() if route.get(key)}
                return {k: known[k] for k in ("routeTableId", "destinationCidrBlock")} | shown
        raise NotFoundError("the route is gone", where=ident)

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        cloud.call("ec2", "replace_route", **self._target(news))

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call(
            "ec2",
            "delete_route",
            RouteTableId=state["routeTableId"],
            DestinationCidrBlock=state["destinationCidrBlock"],
        )

    def _target(self, inputs: Props) -> dict[str, Any]:
        target = {
            "RouteTableId": inputs["routeTableId"],
            "DestinationCidrBlock": inputs["destinationCidrBlock"],
        }
        if "gatewayId" in inputs:
            target["GatewayId"] = inputs["gatewayId"]
        if "transitGatewayId" in inputs:
            target["TransitGatewayId"] = inputs["transitGatewayId"]
        return target


def _rules(name: str) -> Any:
    return ListOf(
        record(
            f"SecurityGroup{name}",
            live("protocol", required=True),
            live("fromPort", NUMBER, required=True),
            live("toPort", NUMBER, required=True),
            live("cidrBlocks", SET, default=[]),
            live("description"),
            live("self", TRUTH),
        )
    )


class SecurityGroup(Ec2Kind):
    type = kind(
        "ec2/securityGroup:SecurityGroup",
        fixed("vpcId"),
        fixed("name", required=False),
        fixed("description", default="Managed by Pulumi"),
        live("revokeRulesOnDelete", TRUTH),
        live("ingress", _rules("Ingress"), default=[]),
        live("egress", _rules("Egress"), default=[]),
        TAGS,
        output("arn"),
    )
    noun, creates, described = "security-group", "create_security_group", "describe_security_groups"
    listed, ids, id = "SecurityGroups", "GroupIds", "GroupId"

    def order(self, hint: Hint, inputs: Props) -> Json:
        return {
            "GroupName": inputs.get("name") or hint.name,
            "Description": inputs["description"],
            "VpcId": inputs["vpcId"],
        }

    def made(self, answer: Json) -> str:
        return str(answer["GroupId"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        item = self.item(cloud, ident)
        for name, key, way in (
            ("ingress", "IpPermissions", "ingress"),
            ("egress", "IpPermissionsEgress", "egress"),
        ):
            have, want = _shown(item[key]), inputs[name]
            if sorted(map(str, have)) == sorted(map(str, [_plain(rule) for rule in want])):
                continue
            if have:
                cloud.call(
                    "ec2", f"revoke_security_group_{way}", GroupId=ident, IpPermissions=_permissions(have)
                )
            if want:
                cloud.call(
                    "ec2", f"authorize_security_group_{way}", GroupId=ident, IpPermissions=_permissions(want)
                )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = self.item(cloud, ident)
        given = {k: known[k] for k in ("name", "revokeRulesOnDelete") if k in known}
        return given | {
            "vpcId": item["VpcId"],
            "description": item["Description"],
            "ingress": _in_order(_shown(item["IpPermissions"]), known.get("ingress", [])),
            "egress": _in_order(_shown(item["IpPermissionsEgress"]), known.get("egress", [])),
            "tags": self.tags_of(item),
            "arn": f"arn:aws:ec2:{cloud.region}:{item['OwnerId']}:security-group/{ident}",
        }

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call("ec2", "delete_security_group", GroupId=ident)


def _plain(rule: Props) -> Props:
    return {k: rule[k] for k in ("cidrBlocks", "fromPort", "protocol", "toPort")}


def _shown(permissions: list[Json]) -> list[Props]:
    """AWS's permissions as rules; what it leaves out for "all traffic" is port 0."""
    return [
        {
            "cidrBlocks": sorted(r["CidrIp"] for r in p.get("IpRanges", [])),
            "fromPort": int(p.get("FromPort", 0)),
            "protocol": p["IpProtocol"],
            "toPort": int(p.get("ToPort", 0)),
        }
        for p in permissions
        if p.get("IpRanges")
    ]


def _in_order(rules: list[Props], known: list[Props]) -> list[Props]:
    """AWS keeps no order: rules that are known come in their known order, with what only we know of them."""
    by_text = {str(_plain(rule)): rule for rule in known}
    places = {text: number for number, text in enumerate(by_text)}
    shown = [by_text.get(str(rule), rule) for rule in rules]
    return sorted(shown, key=lambda rule: (places.get(str(_plain(rule)), len(places)), str(rule)))


def _permissions(rules: list[Props]) -> list[Json]:
    return [
        {
            "IpProtocol": rule["protocol"],
            "IpRanges": [{"CidrIp": cidr} for cidr in rule["cidrBlocks"]],
            **({} if rule["protocol"] == "-1" else {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}),
        }
        for rule in rules
    ]


KINDS: tuple[Kind, ...] = (
    Vpc(),
    Subnet(),
    InternetGateway(),
    RouteTable(),
    RouteTableAssociation(),
    Route(),
    SecurityGroup(),
)
