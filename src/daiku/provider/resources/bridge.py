"""A bridge: joins switches of several zones into one L2 network."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import Props, ResourceType
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, ZONE
from daiku.wire.http import Json
from daiku.wire.sakura_kinds import BRIDGE

TYPE = ResourceType(
    name="sakura:cloud:Bridge",
    description="A bridge: joins one switch a zone into one L2 network.",
    fields=(NAME, DESCRIPTION, ZONE, RESOURCE_ID),
)


class BridgeHandler(CloudObject):
    type = TYPE
    kind = BRIDGE
    tagged = False

    def make(self, ctx: Context, goal: Goal) -> Json:
        return ctx.cloud.create(BRIDGE, self.named(goal), zone=goal.zone, once=True)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        return {**self.common_state(ctx, live), "zone": prior.get("zone") or ctx.zone}
