"""A packet filter: stateless rules for NICs on the shared segment or a router+switch."""

from __future__ import annotations

from daiku.provider.fields import STRING, Field, ListOf, Object, ResourceType
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, ZONE

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
