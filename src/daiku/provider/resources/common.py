"""Properties that most cloud resources share, and what is wrong with a value in general."""

from __future__ import annotations

import ipaddress
from typing import Any

from daiku.provider.fields import INTEGER, STRING, Change, Field, ListOf, Props

ZONE_REASON = "an object cannot move to another zone"


def _tags_problem(value: Any) -> str:
    """At most eight of at most 32 characters each, and none of daiku's own."""
    tags = [tag for tag in value if isinstance(tag, str)]
    if any(tag.startswith("daiku-id=") for tag in tags):
        return "the tag daiku-id is daiku's own"
    if long := [tag for tag in tags if not 1 <= len(tag) <= 32]:
        return f"a tag has 1 to 32 characters: {long[0]!r}"
    return "at most 8 tags: of the ten that the API allows daiku needs two" if len(tags) > 8 else ""


NAME = Field(name="name", type=STRING, description="Name in the control panel.", required=True)
DESCRIPTION = Field(
    name="description", type=STRING, description="Free text in the control panel.", default=""
)
TAGS = Field(
    name="tags",
    type=ListOf(STRING, unordered=True),
    description="Tags in the control panel, besides daiku's own identity tag.",
    default=[],
    problem=_tags_problem,
)
ZONE = Field(
    name="zone",
    type=STRING,
    description="Zone of the object, such as is1b. Default: the provider's zone.",
    default_from="zone",
    change=Change.REPLACE,
    reason=ZONE_REASON,
)
RESOURCE_ID = Field(
    name="resourceId",
    type=STRING,
    description="ID in the API now. Give this one to other resources: it stays right where the API changes "
    "IDs.",
    output=True,
)


def address_problem(value: Any) -> str:
    """An IPv4 address."""
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return f"not an IPv4 address: {value!r}"
    return ""


def prefix_problem(value: Any) -> str:
    """An IPv4 prefix such as 10.0.0.0/24, no host bits set."""
    try:
        ipaddress.IPv4Network(value)
    except ValueError:
        return f"not an IPv4 prefix: {value!r}"
    return ""


def cidr_problem(value: Any) -> str:
    """An IPv4 address with its prefix length, such as 10.0.0.5/24."""
    try:
        interface = ipaddress.IPv4Interface(value)
    except ValueError:
        return f"not an address with a prefix length: {value!r}"
    return (
        "" if "/" in value and interface.network.prefixlen < 32 else f"a prefix length is missing: {value!r}"
    )


def id_problem(value: Any) -> str:
    """A resource ID: 12 digits."""
    return (
        ""
        if isinstance(value, str) and len(value) == 12 and value.isdigit()
        else f"not a 12-digit ID: {value!r}"
    )


def told(prior: Props, name: str) -> bool:
    """Whether the state names a property that is the API's choice where nobody asked for a value: it was asked for
    before, or an import shows everything.
    """
    return not prior or name in prior


def between(low: int, high: int):
    """A number from `low` to `high`."""

    def problem(value: Any) -> str:
        return "" if low <= value <= high else f"must be from {low} to {high}, not {value}"

    return problem


def address(name: str, description: str, **more: Any) -> Field:
    return Field(name=name, type=STRING, description=description, problem=address_problem, **more)


def port(name: str, description: str, **more: Any) -> Field:
    return Field(name=name, type=INTEGER, description=description, problem=between(1, 65535), **more)


def mask(name: str, description: str, **more: Any) -> Field:
    return Field(name=name, type=INTEGER, description=description, problem=between(8, 30), **more)


def ident(name: str, description: str, **more: Any) -> Field:
    return Field(name=name, type=STRING, description=description, problem=id_problem, **more)


ICON = ident("iconId", "Icon in the control panel: its ID.")
