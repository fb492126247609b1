"""A switch: one L2 network."""

from __future__ import annotations

from daiku.provider.fields import STRING, Field, ResourceType
from daiku.provider.resources.common import (
    DESCRIPTION,
    NAME,
    RESOURCE_ID,
    TAGS,
    ZONE,
    address,
    ident,
    mask,
)

TYPE = ResourceType(
    name="sakura:cloud:Switch",
    description="A switch: one L2 network of a zone.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
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
