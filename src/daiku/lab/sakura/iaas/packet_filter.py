"""Packet filters: a list of rules with a hash that guards it against lost updates."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from daiku.lab.sakura.iaas.bodies import Body, Common, parse, require_name, set_common
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Interface, PacketFilter, Rule
from daiku.lab.sakura.iaas.wire import (
    Call,
    Reply,
    common_view,
    conflict,
    created,
    fingerprint,
    routes,
    single,
)

MAX_RULES = 30
MAX_PORT = 65_535


def _ports(value: str) -> str:
    """One port or a range `from-to`; "" is any."""
    ends = value.split("-") if value else []
    if len(ends) > len(("from", "to")) or any(not (end.isascii() and end.isdigit()) for end in ends):
        raise ValueError("must be a port or a range of ports")
    numbers = [int(end) for end in ends]
    if any(not 0 <= number <= MAX_PORT for number in numbers) or numbers != sorted(numbers):
        raise ValueError("must be a port or a range of ports")
    return value


Ports = Annotated[str, Field(max_length=11), AfterValidator(_ports)]


class RuleBody(Body):
    Protocol: Literal["http", "https", "tcp", "udp", "icmp", "fragment", "ip"]
    SourceNetwork: Annotated[str, Field(max_length=64)] | None = None
    SourcePort: Ports | None = None
    DestinationPort: Ports | None = None
    Action: Literal["allow", "deny"]
    Description: Annotated[str, Field(max_length=512)] | None = None


class FilterBody(Common):
    Expression: Annotated[list[RuleBody], Field(max_length=MAX_RULES)] | None = None
    ExpressionHash: str | None = None


class Envelope(Body):
    PacketFilter: FilterBody
    OriginalExpressionHash: str | None = None


def _hash(row: PacketFilter) -> str:
    return fingerprint([rule.model_dump() for rule in row.rules])


def filter_view(row: PacketFilter) -> dict[str, Any]:
    view = common_view(row) | {
        "RequiredHostVersion": 0,
        "Expression": [rule.model_dump() for rule in row.rules],
        "ExpressionHash": _hash(row),
    }
    return {key: value for key, value in view.items() if key not in ("Tags", "Icon", "ModifiedAt")}


def _set(row: PacketFilter, body: FilterBody, now: float) -> None:
    if body.Expression is not None:
        row.rules = [
            Rule.model_validate(rule.model_dump(exclude_none=True, include=set(Rule.model_fields)))
            for rule in body.Expression
        ]
    set_common(row, body, now)


@routes.on("GET", "/packetfilter")
def find(call: Call) -> Reply:
    return listing(call, "PacketFilters", [filter_view(row) for row in call.all(PacketFilter)])


@routes.on("POST", "/packetfilter")
def create(call: Call) -> Reply:
    body = parse(call, Envelope, call.body).PacketFilter
    require_name(body)
    row = PacketFilter(id=call.world.new_id(), zone=call.zone)
    _set(row, body, call.now)
    return created("PacketFilter", filter_view(call.world.add(row)))


@routes.on("GET", "/packetfilter/{id}")
def read(call: Call) -> Reply:
    return single("PacketFilter", filter_view(call.get(PacketFilter)))


@routes.on("PUT", "/packetfilter/{id}")
def update(call: Call) -> Reply:
    row = call.get(PacketFilter)
    body = parse(call, Envelope, call.body)
    for seen in (body.OriginalExpressionHash, body.PacketFilter.ExpressionHash):
        if seen and seen != _hash(row):
            raise conflict("ExpressionHash: the rules were changed by somebody else.")
    _set(row, body.PacketFilter, call.now)
    return single("PacketFilter", filter_view(row))


@routes.on("DELETE", "/packetfilter/{id}")
def delete(call: Call) -> Reply:
    row = call.get(PacketFilter)
    if any(nic.packet_filter == row.id for nic in call.world.rows(Interface)):
        raise conflict("An interface uses the packet filter.")
    call.world.remove(row)
    return single("PacketFilter", filter_view(row))
