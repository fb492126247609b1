"""Network load balancers, target groups and listeners. Their IDs are their ARNs."""

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
    tags_given,
    tags_shown,
)
from daiku.provider.fields import ListOf, Props
from daiku.provider.handler import Hint
from daiku.wire.aws import Json

SERVICE = "elbv2"
CROSS_ZONE = "load_balancing.cross_zone.enabled"


def _tags(cloud: Cloud, arn: str) -> dict[str, str]:
    described = cloud.call(SERVICE, "describe_tags", ResourceArns=[arn])["TagDescriptions"]
    return tags_shown(described[0]["Tags"]) if described else {}


def _retag(cloud: Cloud, arn: str, olds: Props, news: Props) -> None:
    before, after = olds.get("tags", {}), news.get("tags", {})
    if lost := sorted(set(before) - set(after)):
        cloud.call(SERVICE, "remove_tags", ResourceArns=[arn], TagKeys=lost)
    if after and after != before:
        cloud.call(SERVICE, "add_tags", ResourceArns=[arn], Tags=tags_given(after))


def _by_name(cloud: Cloud, operation: str, key: str, name: str) -> Json | None:
    try:
        found = cloud.call(SERVICE, operation, Names=[name])[key]
    except NotFoundError:
        return None
    return found[0] if found else None


class LoadBalancer(Kind):
    type = kind(
        "lb/loadBalancer:LoadBalancer",
        fixed("name"),
        fixed("loadBalancerType", default="application"),
        fixed("internal", TRUTH, default=False),
        live("subnets", SET, required=True),
        live("securityGroups", SET, default=[]),
        live("enableCrossZoneLoadBalancing", TRUTH, default=False),
        TAGS,
        output("arn"),
        output("dnsName"),
        output("zoneId"),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        if found := _by_name(cloud, "describe_load_balancers", "LoadBalancers", inputs["name"]):
            return str(found["LoadBalancerArn"])
        made = cloud.call(
            SERVICE,
            "create_load_balancer",
            Name=inputs["name"],
            Type=inputs["loadBalancerType"],
            Scheme="internal" if inputs["internal"] else "internet-facing",
            Subnets=inputs["subnets"],
            SecurityGroups=inputs["securityGroups"],
            Tags=tags_given(inputs.get("tags", {})),
        )
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        value = str(inputs["enableCrossZoneLoadBalancing"]).lower()
        cloud.call(
            SERVICE,
            "modify_load_balancer_attributes",
            LoadBalancerArn=ident,
            Attributes=[{"Key": CROSS_ZONE, "Value": value}],
        )

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = cloud.call(SERVICE, "describe_load_balancers", LoadBalancerArns=[ident])["LoadBalancers"][0]
        answer = cloud.call(SERVICE, "describe_load_balancer_attributes", LoadBalancerArn=ident)
        attributes = {a["Key"]: a["Value"] for a in answer["Attributes"]}
        return {
            "name": item["LoadBalancerName"],
            "loadBalancerType": item["Type"],
            "internal": item["Scheme"] == "internal",
            "subnets": sorted(zone["SubnetId"] for zone in item["AvailabilityZones"]),
            "securityGroups": sorted(item.get("SecurityGroups", [])),
            "enableCrossZoneLoadBalancing": attributes.get(CROSS_ZONE) == "true",
            "tags": _tags(cloud, ident),
            "arn": ident,
            "dnsName": item["DNSName"],
            "zoneId": item["CanonicalHostedZoneId"],
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        _retag(cloud, ident, olds, news)
        if olds["subnets"] != news["subnets"]:
            cloud.call(SERVICE, "set_subnets", LoadBalancerArn=ident, Subnets=news["subnets"])
        if olds["securityGroups"] != news["securityGroups"]:
            cloud.call(
                SERVICE, "set_security_groups", LoadBalancerArn=ident, SecurityGroups=news["securityGroups"]
            )

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call(SERVICE, "delete_load_balancer", LoadBalancerArn=ident)


class TargetGroup(Kind):
    type = kind(
        "lb/targetGroup:TargetGroup",
        fixed("name"),
        fixed("vpcId"),
        fixed("targetType", default="instance"),
        fixed("protocol"),
        fixed("port", NUMBER),
        live("healthCheck", record("HealthCheck", live("protocol"), live("port"))),
        TAGS,
        output("arn"),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        if found := _by_name(cloud, "describe_target_groups", "TargetGroups", inputs["name"]):
            return str(found["TargetGroupArn"])
        made = cloud.call(
            SERVICE,
            "create_target_group",
            Name=inputs["name"],
            VpcId=inputs["vpcId"],
            TargetType=inputs["targetType"],
            Protocol=inputs["protocol"],
            Port=inputs["port"],
            Tags=tags_given(inputs.get("tags", {})),
            **self._check(inputs),
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = cloud.call(SERVICE, "describe_target_groups", TargetGroupArns=[ident])["TargetGroups"][0]
        check = {"protocol": item["HealthCheckProtocol"], "port": item["HealthCheckPort"]}
        asked = known.get("healthCheck", check)
        return {
            "name": item["TargetGroupName"],
            "vpcId": item["VpcId"],
            "targetType": item["TargetType"],
            "protocol": item["Protocol"],
            "port": item["Port"],
            "healthCheck": {k: v for k, v in check.items() if k in asked},
            "tags": _tags(cloud, ident),
            "arn": ident,
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        _retag(cloud, ident, olds, news)
        if olds.get("healthCheck") != news.get("healthCheck"):
            cloud.call(SERVICE, "modify_target_group", TargetGroupArn=ident, **self._check(news))

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call(SERVICE, "delete_target_group", TargetGroupArn=ident)

    def _check(self, inputs: Props) -> dict[str, Any]:
        names = {"protocol": "HealthCheckProtocol", "port": "HealthCheckPort"}
        return {names[k]: v for k, v in inputs.get("healthCheck", {}).items()}


class TargetGroupAttachment(Kind):
    type = kind(
        "lb/targetGroupAttachment:TargetGroupAttachment",
        fixed("targetGroupArn"),
        fixed("targetId"),
        fixed("port", NUMBER),
        fixed("availabilityZone", required=False),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        cloud.call(
            SERVICE,
            "register_targets",
            TargetGroupArn=inputs["targetGroupArn"],
            Targets=[self._target(inputs)],
        )
        return f"{inputs['targetGroupArn']}-{inputs['targetId']}-{inputs['port']}"

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        answer = cloud.call(SERVICE, "describe_target_health", TargetGroupArn=known["targetGroupArn"])
        for described in answer["TargetHealthDescriptions"]:
            target = described["Target"]
            if (target["Id"], target.get("Port")) == (known["targetId"], known["port"]):
                names = ("targetGroupArn", "targetId", "port", "availabilityZone")
                return {name: known[name] for name in names if name in known}
        raise NotFoundError("the target is not registered", where=ident)

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call(
            SERVICE,
            "deregister_targets",
            TargetGroupArn=state["targetGroupArn"],
            Targets=[self._target(state)],
        )

    def _target(self, inputs: Props) -> dict[str, Any]:
        target = {"Id": inputs["targetId"], "Port": inputs["port"]}
        if "availabilityZone" in inputs:
            target["AvailabilityZone"] = inputs["availabilityZone"]
        return target


class Listener(Kind):
    type = kind(
        "lb/listener:Listener",
        fixed("loadBalancerArn"),
        live("protocol", required=True),
        live("port", NUMBER, required=True),
        live(
            "defaultActions",
            ListOf(record("DefaultAction", live("type", required=True), live("targetGroupArn"))),
            required=True,
        ),
        output("arn"),
    )

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        there = cloud.call(SERVICE, "describe_listeners", LoadBalancerArn=inputs["loadBalancerArn"])
        for item in there["Listeners"]:
            if item["Port"] == inputs["port"]:
                return str(item["ListenerArn"])
        made = cloud.call(
            SERVICE, "create_listener", LoadBalancerArn=inputs["loadBalancerArn"], **self._settings(inputs)
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        item = cloud.call(SERVICE, "describe_listeners", ListenerArns=[ident])["Listeners"][0]
        return {
            "loadBalancerArn": item["LoadBalancerArn"],
            "protocol": item["Protocol"],
            "port": item["Port"],
            "defaultActions": [
                {"type": a["Type"], "targetGroupArn": a["TargetGroupArn"]} for a in item["DefaultActions"]
            ],
            "arn": ident,
        }

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        cloud.call(SERVICE, "modify_listener", ListenerArn=ident, **self._settings(news))

    def remove(self, cloud: Cloud, ident: str, state: Props) -> None:
        cloud.call(SERVICE, "delete_listener", ListenerArn=ident)

    def _settings(self, inputs: Props) -> dict[str, Any]:
        actions = [
            {"Type": a["type"], "TargetGroupArn": a["targetGroupArn"]} for a in inputs["defaultActions"]
        ]
        return {"Protocol": inputs["protocol"], "Port": inputs["port"], "DefaultActions": actions}


KINDS: tuple[Kind, ...] = (LoadBalancer(), TargetGroup(), TargetGroupAttachment(), Listener())
