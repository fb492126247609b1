"""A bridge: joins switches of several zones into one L2 network."""

from __future__ import annotations

from daiku.provider.fields import ResourceType
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, ZONE

TYPE = ResourceType(
    name="sakura:cloud:Bridge",
    description="A bridge: joins one switch a zone into one L2 network.",
    fields=(NAME, DESCRIPTION, ZONE, RESOURCE_ID),
)
