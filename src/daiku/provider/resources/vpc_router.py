"""A VPC router: NAT egress, forwarded ports, VPN and static routes for private switches."""

from __future__ import annotations

from daiku.provider.fields import INTEGER, STRING, Change, Field, ResourceType
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, TAGS, ZONE
from daiku.provider.resources.vpc_router_fields import NETWORK_FIELDS, SETTINGS_FIELDS

PLANS = {"standard": "1", "premium": "2", "highspec": "3", "highspec4000": "4"}

TYPE = ResourceType(
    name="sakura:cloud:VpcRouter",
    description="A VPC router. Its settings are saved and applied: what the state shows is live.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ZONE,
        Field(
            name="plan",
            type=STRING,
            description="standard: single, 80 Mbps, shared segment; premium 400 Mbps, highspec 1.6 Gbps, "
            "highspec4000 4 Gbps: redundant, on a router+switch.",
            default="standard",
            choices=tuple(PLANS),
            change=Change.REPLACE,
            reason="the API cannot change the plan of a router",
        ),
        Field(
            name="version",
            type=INTEGER,
            description="Router software generation.",
            default=2,
            change=Change.REPLACE,
            reason="the API cannot change the generation of a router",
        ),
        *NETWORK_FIELDS,
        *SETTINGS_FIELDS,
        RESOURCE_ID,
        APPLIED,
        Field(
            name="publicIp",
            type=STRING,
            description="Global address: the virtual one of a redundant router.",
            output=True,
        ),
        Field(
            name="wireGuardPublicKey",
            type=STRING,
            description="Public key of the WireGuard server, empty without one.",
            output=True,
            varies_with=("wireGuard",),
        ),
    ),
)
