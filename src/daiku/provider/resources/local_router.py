"""A local router: joins a switch with peers: other local routers, and AWS through the connection option."""

from __future__ import annotations

from daiku.provider.fields import INTEGER, STRING, Field, ListOf, Object, ResourceType
from daiku.provider.resources.common import (
    DESCRIPTION,
    NAME,
    RESOURCE_ID,
    TAGS,
    address,
    between,
    mask,
    prefix_problem,
)

ROUTE = Object(
    "LocalRouterStaticRoute",
    "One route.",
    (
        Field(name="prefix", type=STRING, description="Destination.", required=True, problem=prefix_problem),
        address("nextHop", "Next hop on the switch.", required=True),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:LocalRouter",
    description="A local router. Its peers are resources of their own (AwsConnect); others are left alone.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        Field(name="switchId", type=STRING, description="Switch that it is connected to.", required=True),
        Field(
            name="switchCategory",
            type=STRING,
            description="Service of the switch: cloud, vps ...",
            default="cloud",
        ),
        Field(
            name="switchZone",
            type=STRING,
            description="Zone of the switch. Default: the provider's zone.",
            default_from="zone",
        ),
        address("virtualIpAddress", "Shared address of the pair on the switch.", required=True),
        Field(
            name="ipAddresses",
            type=ListOf(STRING),
            description="The pair's own two addresses.",
            required=True,
            problem=lambda value: "" if len(value) == 2 else "two addresses",
        ),
        mask("networkMaskLen", "Prefix length.", required=True),
        Field(
            name="vrid",
            type=INTEGER,
            description="VRRP ID, unique on the switch.",
            required=True,
            problem=between(1, 255),
        ),
        Field(name="staticRoutes", type=ListOf(ROUTE), description="Routes behind the switch.", default=[]),
        RESOURCE_ID,
        Field(
            name="secretKeys",
            type=ListOf(STRING),
            description="What a peer needs to connect.",
            output=True,
            secret=True,
        ),
    ),
)
