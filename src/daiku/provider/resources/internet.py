"""Router+switch: a range of global addresses with its own switch."""

from __future__ import annotations

from typing import Any

from daiku.provider.fields import INTEGER, STRING, Change, Field, ListOf, ResourceType
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, TAGS, ZONE, address

_RANGE = "the API cannot change the size of the address range"


def _bandwidth_problem(value: Any) -> str:
    if value in (100, 250, 500) or (1000 <= value <= 10000 and value % 500 == 0):
        return ""
    return f"must be 100, 250, 500 or 1000 to 10000 in steps of 500, not {value}"


TYPE = ResourceType(
    name="sakura:cloud:Internet",
    description="Router+switch: a range of global addresses on a switch of its own.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ZONE,
        Field(
            name="bandwidthMbps",
            type=INTEGER,
            description="Bandwidth in Mbps.",
            default=100,
            change=Change.ID_CHANGE,
            reason="the API makes a new router with the same addresses for another bandwidth",
            problem=_bandwidth_problem,
        ),
        Field(
            name="networkMaskLen",
            type=INTEGER,
            description="Prefix length of the global range: 26, 27 or 28.",
            default=28,
            change=Change.REPLACE,
            reason=_RANGE,
            problem=lambda value: "" if value in (26, 27, 28) else f"must be 26, 27 or 28, not {value}",
        ),
        Field(
            name="resourceId",
            type=STRING,
            description=RESOURCE_ID.description,
            output=True,
            varies_with=("bandwidthMbps",),
        ),
        Field(name="switchId", type=STRING, description="The switch of the router.", output=True),
        Field(name="networkAddress", type=STRING, description="First address of the range.", output=True),
        address("gateway", "Default gateway of the range.", output=True),
        Field(
            name="ipAddresses",
            type=ListOf(STRING),
            description="Addresses for hosts, in order.",
            output=True,
        ),
    ),
)
