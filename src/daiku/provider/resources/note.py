"""A note: a startup script or a cloud-init document."""

from __future__ import annotations

from daiku.provider.fields import STRING, Field, ResourceType
from daiku.provider.resources.common import NAME, RESOURCE_ID, TAGS

TYPE = ResourceType(
    name="sakura:cloud:Note",
    description="A startup script or cloud-init document that servers run at boot.",
    fields=(
        NAME,
        TAGS,
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
