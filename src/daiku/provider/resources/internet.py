"""Router+switch: a range of global addresses with its own switch."""

from __future__ import annotations

import ipaddress
from typing import Any

from daiku.provider.context import Context
from daiku.provider.fields import INTEGER, STRING, Change, Field, ListOf, Props, ResourceType
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, TAGS, ZONE, address
from daiku.wire.http import Json
from daiku.wire.sakura_calls import APPEAR_SECONDS, as_dict, as_list, id_of
from daiku.wire.sakura_kinds import INTERNET

_RANGE = "the API cannot change the size of the address range"


def _bandwidth_problem(value: Any) -> str:
    if value in (100, 250, 500) or (1000 <= value <= 10000 and value % 500 == 0):
        return ""
    return f"must be 100, 250, 500 or 1000 to 10000 in steps of 500, not {value}"


TYPE = ResourceType(
    name="sakura:cloud:Internet",
    description="Router+switch: a range of global addresses on a switch of its own.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ZONE,
        Field(
            name="bandwidthMbps",
            type=INTEGER,
            description="Bandwidth in Mbps.",
            default=100,
            change=Change.ID_CHANGE,
            reason="the API makes a new router with the same addresses for another bandwidth",
            problem=_bandwidth_problem,
        ),
        Field(
            name="networkMaskLen",
            type=INTEGER,
            description="Prefix length of the global range: 26, 27 or 28.",
            default=28,
            change=Change.REPLACE,
            reason=_RANGE,
            problem=lambda value: "" if value in (26, 27, 28) else f"must be 26, 27 or 28, not {value}",
        ),
        Field(
            name="resourceId",
            type=STRING,
            description=RESOURCE_ID.description,
            output=True,
            varies_with=("bandwidthMbps",),
        ),
        Field(name="switchId", type=STRING, description="The switch of the router.", output=True),
        Field(name="networkAddress", type=STRING, description="First address of the range.", output=True),
        address("gateway", "Default gateway of the range.", output=True),
        Field(
            name="ipAddresses",
            type=ListOf(STRING),
            description="Addresses for hosts, in order.",
            output=True,
        ),
    ),
)


class InternetHandler(CloudObject):
    type = TYPE
    kind = INTERNET

    def make(self, ctx: Context, goal: Goal) -> Json:
        body = {
            **self.named(goal),
            "BandWidthMbps": goal.inputs["bandwidthMbps"],
            "NetworkMaskLen": goal.inputs["networkMaskLen"],
        }
        return ctx.cloud.create(INTERNET, body, zone=goal.zone)

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        live = ctx.cloud.read(INTERNET, id_of(live), zone=goal.zone, appear_within=APPEAR_SECONDS)
        live = self.set_attributes(ctx, live, goal)
        if int(live.get("BandWidthMbps") or 0) != goal.inputs["bandwidthMbps"]:
            ctx.cloud.update(INTERNET, id_of(live), self.named(goal), zone=goal.zone)
            new = ctx.cloud.change_bandwidth(id_of(live), goal.inputs["bandwidthMbps"], zone=goal.zone)
            live = ctx.cloud.read(INTERNET, id_of(new), zone=goal.zone, appear_within=APPEAR_SECONDS)
        return live

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        """What was routed here besides its own range goes first."""
        live = ctx.cloud.read(INTERNET, ident, zone=zone, appear_within=APPEAR_SECONDS)
        switch = as_dict(live.get("Switch"))
        for subnet in as_list(switch.get("Subnets"))[1:]:
            ctx.cloud.act("DELETE", INTERNET, ident, f"subnet/{id_of(subnet)}", zone=zone)
        for net in as_list(switch.get("IPv6Nets")):
            ctx.cloud.act("DELETE", INTERNET, ident, f"ipv6net/{id_of(net)}", zone=zone)
        super().remove(ctx, ident, zone)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        switch = as_dict(live.get("Switch"))
        subnet = as_dict(next(iter(as_list(switch.get("Subnets"))), {}))
        return {
            **self.common_state(ctx, live),
            "zone": prior.get("zone") or ctx.zone,
            "bandwidthMbps": int(live.get("BandWidthMbps") or 0),
            "networkMaskLen": int(live.get("NetworkMaskLen") or 0),
            "switchId": id_of(switch),
            "networkAddress": str(subnet.get("NetworkAddress") or ""),
            "gateway": str(subnet.get("DefaultRoute") or ""),
            "ipAddresses": _addresses(as_dict(subnet.get("IPAddresses"))),
        }


def _addresses(span: Json) -> list[str]:
    if not span.get("Min") or not span.get("Max"):
        return []
    first, last = (int(ipaddress.IPv4Address(str(span[end]))) for end in ("Min", "Max"))
    return [str(ipaddress.IPv4Address(number)) for number in range(first, last + 1)]
