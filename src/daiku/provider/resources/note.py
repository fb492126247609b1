"""A note: a startup script or a cloud-init document."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import STRING, Field, Props, ResourceType
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import ICON, NAME, RESOURCE_ID, TAGS
from daiku.wire.http import Json
from daiku.wire.sakura_kinds import NOTE

TYPE = ResourceType(
    name="sakura:cloud:Note",
    description="A startup script or cloud-init document that servers run at boot.",
    fields=(
        NAME,
        TAGS,
        ICON,
        Field(
            name="noteClass",
            type=STRING,
            description="What the content is.",
            default="shell",
            choices=("shell", "yaml_cloud_config"),
        ),
        Field(name="content", type=STRING, description="The text.", required=True),
        RESOURCE_ID,
    ),
)


class NoteHandler(CloudObject):
    type = TYPE
    kind = NOTE

    def make(self, ctx: Context, goal: Goal) -> Json:
        return ctx.cloud.create(NOTE, {**self.named(goal), **self.attributes(goal)}, once=True)

    def attributes(self, goal: Goal) -> Json:
        return {"Class": goal.inputs["noteClass"], "Content": goal.inputs["content"]}

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        return {
            **self.common_state(ctx, live),
            "noteClass": str(live.get("Class") or ""),
            "content": str(live.get("Content") or ""),
        }
