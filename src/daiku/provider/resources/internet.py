"""Router+switch: a range of global addresses with its own switch."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from daiku.provider.context import Context
from daiku.provider.fields import (
    BOOLEAN,
    INTEGER,
    STRING,
    Change,
    Field,
    ListOf,
    Object,
    Props,
    ResourceType,
)
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import DESCRIPTION, ICON, NAME, RESOURCE_ID, TAGS, ZONE, address
from daiku.provider.resources.once import make_once
from daiku.wire.http import Json
from daiku.wire.sakura_calls import APPEAR_SECONDS, as_dict, as_list, id_of
from daiku.wire.sakura_kinds import INTERNET

_RANGE = "the API cannot change the size of the address range"


def _bandwidth_problem(value: Any) -> str:
    if value in (100, 250, 500) or (1000 <= value <= 10000 and value % 500 == 0):
        return ""
    return f"must be 100, 250, 500 or 1000 to 10000 in steps of 500, not {value}"


def _mask_problem(value: Any) -> str:
    return "" if value in (26, 27, 28) else f"must be 26, 27 or 28, not {value}"


SUBNET = Object(
    "InternetSubnet",
    "A further range of global addresses, routed to one address of the first. Another prefix length gives the range "
    "back and takes a new one: its addresses change.",
    (
        Field(
            name="networkMaskLen",
            type=INTEGER,
            description="Prefix length: 26, 27 or 28.",
            required=True,
            problem=_mask_problem,
        ),
        address("nextHop", "Address of the first range that it is routed to.", required=True),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:Internet",
    description="Router+switch: a range of global addresses on a switch of its own.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ICON,
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
            problem=_mask_problem,
        ),
        Field(name="subnets", type=ListOf(SUBNET), description="Further ranges.", default=[]),
        Field(
            name="ipv6",
            type=BOOLEAN,
            description="Whether it has an IPv6 prefix; switched on again it gets another one.",
            default=False,
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
        Field(
            name="subnetAddresses",
            type=ListOf(STRING),
            description="First address and prefix length of each further range, in the order of `subnets`.",
            output=True,
            varies_with=("subnets",),
        ),
        Field(
            name="ipv6Prefix",
            type=STRING,
            description="Its IPv6 prefix with length, empty without one.",
            output=True,
            varies_with=("ipv6",),
        ),
    ),
)


class InternetHandler(CloudObject):
    type = TYPE
    kind = INTERNET

    def make(self, ctx: Context, goal: Goal) -> Json:
        body = {
            **self.named(goal),
            "BandWidthMbps": goal.inputs["bandwidthMbps"],
            "NetworkMaskLen": goal.inputs["networkMaskLen"],
        }
        return ctx.cloud.create(INTERNET, body, zone=goal.zone, once=True)

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        live = ctx.cloud.read(INTERNET, id_of(live), zone=goal.zone, appear_within=APPEAR_SECONDS)
        live = self.set_attributes(ctx, live, goal)
        if int(live.get("BandWidthMbps") or 0) != goal.inputs["bandwidthMbps"]:
            ctx.cloud.update(INTERNET, id_of(live), self.named(goal), zone=goal.zone)
            new = ctx.cloud.change_bandwidth(id_of(live), goal.inputs["bandwidthMbps"], zone=goal.zone)
            live = ctx.cloud.read(INTERNET, id_of(new), zone=goal.zone, appear_within=APPEAR_SECONDS)
        routed, switched = self._route(ctx, live, goal), self._switch_ipv6(ctx, live, goal)
        if routed or switched:
            live = ctx.cloud.read(INTERNET, id_of(live), zone=goal.zone)
        return live

    def _route(self, ctx: Context, live: Json, goal: Goal) -> bool:
        """Make the further ranges what is asked for: those that fit stay, others are led elsewhere, the rest is made
        anew or given back. Whether anything was done.
        """
        ident, zone = id_of(live), goal.zone
        pairs, spare = _matched(_routed(live), goal.inputs["subnets"])
        for wanted, subnet in pairs:
            body = {"NetworkMaskLen": wanted["networkMaskLen"], "NextHop": wanted["nextHop"]}
            if subnet is None:
                self._add(ctx, live, "subnet", body, _routed, zone)
            elif _subnet_state(subnet) != wanted:
                body = {"NextHop": wanted["nextHop"]}
                ctx.cloud.act("PUT", INTERNET, ident, f"subnet/{id_of(subnet)}", body, zone=zone)
        for subnet in spare:
            ctx.cloud.act("DELETE", INTERNET, ident, f"subnet/{id_of(subnet)}", zone=zone)
        return bool(spare) or any(s is None or _subnet_state(s) != w for w, s in pairs)

    def _add(
        self,
        ctx: Context,
        live: Json,
        path: str,
        body: Json,
        of: Callable[[Json], list[Json]],
        zone: str | None,
    ) -> None:
        """One more of what `of` reads from the router."""
        ident = id_of(live)

        def there() -> list[Json]:
            return of(ctx.cloud.read(INTERNET, ident, zone=zone))

        known = {id_of(item) for item in there()}
        make_once(
            ctx,
            lambda: ctx.cloud.act("POST", INTERNET, ident, path, body, zone=zone, once=True),
            lambda: next((item for item in there() if id_of(item) not in known), None),
        )

    def _switch_ipv6(self, ctx: Context, live: Json, goal: Goal) -> bool:
        nets = _ipv6_nets(live)
        if bool(nets) == goal.inputs["ipv6"]:
            return False
        if not nets:
            self._add(ctx, live, "ipv6net", {}, _ipv6_nets, goal.zone)
        for net in nets:
            ctx.cloud.act("DELETE", INTERNET, id_of(live), f"ipv6net/{id_of(net)}", zone=goal.zone)
        return True

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        """What was routed here besides its own range goes first."""
        live = ctx.cloud.read(INTERNET, ident, zone=zone, appear_within=APPEAR_SECONDS)
        for subnet in _routed(live):
            ctx.cloud.act("DELETE", INTERNET, ident, f"subnet/{id_of(subnet)}", zone=zone)
        for net in _ipv6_nets(live):
            ctx.cloud.act("DELETE", INTERNET, ident, f"ipv6net/{id_of(net)}", zone=zone)
        super().remove(ctx, ident, zone)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        switch = as_dict(live.get("Switch"))
        subnet = as_dict(next(iter(as_list(switch.get("Subnets"))), {}))
        further = _in_order(_routed(live), prior.get("subnets", []))
        net = next(iter(_ipv6_nets(live)), {})
        return {
            **self.common_state(ctx, live),
            "zone": prior.get("zone") or ctx.zone,
            "bandwidthMbps": int(live.get("BandWidthMbps") or 0),
            "networkMaskLen": int(live.get("NetworkMaskLen") or 0),
            "switchId": id_of(switch),
            "networkAddress": str(subnet.get("NetworkAddress") or ""),
            "gateway": str(subnet.get("DefaultRoute") or ""),
            "ipAddresses": _addresses(as_dict(subnet.get("IPAddresses"))),
            "subnets": [_subnet_state(subnet) for subnet in further],
            "subnetAddresses": [f"{s.get('NetworkAddress')}/{s.get('NetworkMaskLen')}" for s in further],
            "ipv6": bool(net),
            "ipv6Prefix": f"{net.get('IPv6Prefix')}/{net.get('IPv6PrefixLen')}" if net else "",
        }


def _routed(live: Json) -> list[Json]:
    """The further ranges: the first one is the router's own."""
    return [as_dict(subnet) for subnet in as_list(as_dict(live.get("Switch")).get("Subnets"))[1:]]


def _ipv6_nets(live: Json) -> list[Json]:
    return [as_dict(net) for net in as_list(as_dict(live.get("Switch")).get("IPv6Nets"))]


def _subnet_state(subnet: Json) -> Props:
    mask, hop = int(subnet.get("NetworkMaskLen") or 0), str(subnet.get("NextHop") or "")
    return {"networkMaskLen": mask, "nextHop": hop}


def _matched(live: list[Json], wanted: list[Props]) -> tuple[list[tuple[Props, Json | None]], list[Json]]:
    """Each wanted range with the live one that it is: the same, else one of its length; and what is left over."""
    spare = list(live)
    found: list[Json | None] = [None] * len(wanted)
    for same_hop in (True, False):
        for i, want in enumerate(wanted):
            fits = [
                subnet
                for subnet in spare
                if _subnet_state(subnet)["networkMaskLen"] == want["networkMaskLen"]
                and (not same_hop or _subnet_state(subnet) == want)
            ]
            if found[i] is None and fits:
                found[i] = fits[0]
                spare.remove(fits[0])
    return list(zip(wanted, found, strict=True)), spare


def _in_order(live: list[Json], before: list[Props]) -> list[Json]:
    """The live ranges in the order in which they were asked for: the API's order is that of their making."""
    pairs, spare = _matched(live, before)
    return [subnet for _, subnet in pairs if subnet is not None] + spare


def _addresses(span: Json) -> list[str]:
    if not span.get("Min") or not span.get("Max"):
        return []
    first, last = (int(ipaddress.IPv4Address(str(span[end]))) for end in ("Min", "Max"))
    return [str(ipaddress.IPv4Address(number)) for number in range(first, last + 1)]
