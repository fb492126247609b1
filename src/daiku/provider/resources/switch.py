"""A switch: one L2 network."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import STRING, Failure, Field, Props, ResourceType
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import (
    DESCRIPTION,
    ICON,
    NAME,
    RESOURCE_ID,
    TAGS,
    ZONE,
    address,
    ident,
    mask,
)
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, id_of
from daiku.wire.sakura_kinds import SWITCH

TYPE = ResourceType(
    name="sakura:cloud:Switch",
    description="A switch: one L2 network of a zone.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ICON,
        ZONE,
        address(
            "defaultRoute", "Default gateway, shown in the control panel and used by disk configuration."
        ),
        mask("networkMaskLen", "Prefix length of the network, shown with the gateway."),
        ident("bridgeId", "Bridge that joins this switch with those of other zones."),
        RESOURCE_ID,
        Field(
            name="hybridConnectionId",
            type=STRING,
            description="ID of the hybrid connection with PHY, empty without one (ordered in the control "
            "panel).",
            output=True,
        ),
    ),
)


class SwitchHandler(CloudObject):
    type = TYPE
    kind = SWITCH

    def check(self, inputs: Props) -> list[Failure]:
        if ("defaultRoute" in inputs) != ("networkMaskLen" in inputs):
            return [Failure("networkMaskLen", "and defaultRoute go together: both, or none")]
        return []

    def make(self, ctx: Context, goal: Goal) -> Json:
        return ctx.cloud.create(
            SWITCH, {**self.named(goal), **self.attributes(goal)}, zone=goal.zone, once=True
        )

    def attributes(self, goal: Goal) -> Json:
        if "defaultRoute" not in goal.inputs:
            return {"UserSubnet": None}
        subnet = {
            "DefaultRoute": goal.inputs["defaultRoute"],
            "NetworkMaskLen": goal.inputs["networkMaskLen"],
        }
        return {"UserSubnet": subnet}

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        live = self.set_attributes(ctx, live, goal)
        ident, wanted = id_of(live), goal.inputs.get("bridgeId", "")
        joined = id_of(as_dict(live.get("Bridge")))
        if joined == wanted:
            return live
        if joined:
            ctx.cloud.act("DELETE", SWITCH, ident, "to/bridge", zone=goal.zone)
        if wanted:
            ctx.cloud.act("PUT", SWITCH, ident, f"to/bridge/{wanted}", zone=goal.zone)
        return ctx.cloud.read(SWITCH, ident, zone=goal.zone)

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        if id_of(as_dict(ctx.cloud.read(SWITCH, ident, zone=zone).get("Bridge"))):
            ctx.cloud.act("DELETE", SWITCH, ident, "to/bridge", zone=zone)
        ctx.cloud.delete_switch(ident, zone=zone)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        state = self.common_state(ctx, live)
        state["zone"] = prior.get("zone") or ctx.zone
        subnet = as_dict(live.get("UserSubnet"))
        if subnet.get("DefaultRoute"):
            state["defaultRoute"] = str(subnet["DefaultRoute"])
            state["networkMaskLen"] = int(subnet["NetworkMaskLen"])
        if bridge := id_of(as_dict(live.get("Bridge"))):
            state["bridgeId"] = bridge
        state["hybridConnectionId"] = id_of(as_dict(live.get("HybridConnection")))
        return state
