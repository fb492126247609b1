"""A packet filter: stateless rules for NICs on the shared segment or a router+switch."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import STRING, Field, ListOf, Object, Props, ResourceType
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, ZONE
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import PACKET_FILTER

RULE = Object(
    "PacketFilterRule",
    "One rule; the first that matches decides.",
    (
        Field(
            name="protocol",
            type=STRING,
            description="Protocol.",
            required=True,
            choices=("http", "https", "tcp", "udp", "icmp", "fragment", "ip"),
        ),
        Field(
            name="sourceNetwork", type=STRING, description="Source address or prefix; empty: any.", default=""
        ),
        Field(
            name="sourcePort", type=STRING, description="Source port or range a-b; empty: any.", default=""
        ),
        Field(
            name="destinationPort",
            type=STRING,
            description="Destination port or range; empty: any.",
            default="",
        ),
        Field(
            name="action", type=STRING, description="What to do.", default="allow", choices=("allow", "deny")
        ),
        Field(name="description", type=STRING, description="Free text.", default=""),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:PacketFilter",
    description="A packet filter for NICs of servers.",
    fields=(
        NAME,
        DESCRIPTION,
        ZONE,
        Field(
            name="rules",
            type=ListOf(RULE),
            description="Rules in order, at most 30.",
            default=[],
            problem=lambda value: "at most 30 rules" if len(value) > 30 else "",
        ),
        RESOURCE_ID,
    ),
)


class PacketFilterHandler(CloudObject):
    type = TYPE
    kind = PACKET_FILTER
    tagged = False

    def make(self, ctx: Context, goal: Goal) -> Json:
        body = {**self.named(goal), "Expression": [_rule_body(rule) for rule in goal.inputs["rules"]]}
        return ctx.cloud.create(PACKET_FILTER, body, zone=goal.zone, once=True)

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        body = self.named(goal)
        wanted = goal.inputs["rules"]
        if _rules(live) == wanted and all(live.get(key) == value for key, value in body.items()):
            return live
        body["Expression"] = [_rule_body(rule) for rule in wanted]
        return ctx.cloud.update_packet_filter(
            id_of(live), body, zone=goal.zone, expression_hash=live.get("ExpressionHash") or ""
        )

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        return {
            **self.common_state(ctx, live),
            "zone": prior.get("zone") or ctx.zone,
            "rules": _rules(live),
        }


_WIRE = {
    "protocol": "Protocol",
    "sourceNetwork": "SourceNetwork",
    "sourcePort": "SourcePort",
    "destinationPort": "DestinationPort",
    "action": "Action",
    "description": "Description",
}


def _rule_body(rule: Props) -> Json:
    return {key: rule[name] for name, key in _WIRE.items()}


def _rules(live: Json) -> list[Props]:
    listed = [as_dict(rule) for rule in as_list(live.get("Expression"))]
    return [{name: str(rule.get(key) or "") for name, key in _WIRE.items()} for rule in listed]
