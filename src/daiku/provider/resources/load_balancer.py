"""The L4 DSR load balancer."""

from __future__ import annotations

from daiku.provider.fields import BOOLEAN, INTEGER, STRING, Change, Field, ListOf, Object, ResourceType
from daiku.provider.resources.common import (
    DESCRIPTION,
    NAME,
    RESOURCE_ID,
    TAGS,
    ZONE,
    address,
    between,
    ident,
    mask,
    port,
)

PLANS = {"standard": "1", "highspec": "2"}
_FIXED = "the API fixes the network side and the plan when the load balancer is made"

REAL_SERVER = Object(
    "LoadBalancerServer",
    "A real server. It must listen on the VIP's port and carry the VIP on its loopback (DSR).",
    (
        address("ipAddress", "Address on the same switch.", required=True),
        Field(name="enabled", type=BOOLEAN, description="Whether it gets traffic.", default=True),
        Field(
            name="protocol",
            type=STRING,
            description="Health check.",
            default="tcp",
            choices=("tcp", "http", "https", "ping"),
        ),
        Field(name="path", type=STRING, description="Path of an http or https check.", default=""),
        Field(name="status", type=INTEGER, description="HTTP status that is healthy.", default=200),
        Field(name="retry", type=INTEGER, description="Failed checks until it is down.", default=2),
        Field(name="connectTimeout", type=INTEGER, description="Seconds until a check fails.", default=6),
    ),
)

VIP = Object(
    "LoadBalancerVip",
    "A virtual IP address and port.",
    (
        address("virtualIpAddress", "The VIP.", required=True),
        port("port", "Port of the VIP and of the real servers.", required=True),
        Field(
            name="delayLoop",
            type=INTEGER,
            description="Seconds between health checks.",
            default=10,
            problem=between(10, 2147483647),
        ),
        Field(
            name="sorryServer", type=STRING, description="Server used when all others are down.", default=""
        ),
        Field(name="description", type=STRING, description="Free text.", default=""),
        Field(name="servers", type=ListOf(REAL_SERVER), description="Real servers.", default=[]),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:LoadBalancer",
    description="An L4 DSR load balancer. VIPs and real servers change while it runs.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ZONE,
        Field(
            name="plan",
            type=STRING,
            description="Plan.",
            default="standard",
            choices=tuple(PLANS),
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        ident(
            "switchId",
            "Switch that it and its real servers are on.",
            required=True,
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="vrid",
            type=INTEGER,
            description="VRRP ID, unique on the switch.",
            default=1,
            problem=between(1, 255),
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="ipAddresses",
            type=ListOf(STRING),
            description="Its own addresses: one, or two for a redundant pair.",
            required=True,
            problem=lambda value: "" if len(value) in (1, 2) else "one address, or two",
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        mask("networkMaskLen", "Prefix length.", required=True, change=Change.REPLACE, reason=_FIXED),
        address("defaultRoute", "Default gateway.", change=Change.REPLACE, reason=_FIXED),
        Field(
            name="vips",
            type=ListOf(VIP),
            description="Virtual addresses, at most 20.",
            default=[],
            problem=lambda value: "at most 20 VIPs" if len(value) > 20 else "",
        ),
        RESOURCE_ID,
    ),
)
