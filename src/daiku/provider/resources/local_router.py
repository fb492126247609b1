"""A local router: joins a switch with peers: other local routers, and AWS through the connection option."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import INTEGER, STRING, Field, ListOf, Object, Props, ResourceType
from daiku.provider.resources.cloud_object import CloudObject, Goal, same
from daiku.provider.resources.common import (
    DESCRIPTION,
    ICON,
    NAME,
    RESOURCE_ID,
    TAGS,
    address,
    between,
    mask,
    prefix_problem,
)
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import LOCAL_ROUTER

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
        ICON,
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


class LocalRouterHandler(CloudObject):
    type = TYPE
    kind = LOCAL_ROUTER

    def make(self, ctx: Context, goal: Goal) -> Json:
        return ctx.cloud.create(LOCAL_ROUTER, self.named(goal), once=True)

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        """The switch goes first, routes second; peers belong to other resources and stay."""
        live = self.set_attributes(ctx, live, goal)
        with ctx.locks[id_of(live)]:
            live = ctx.cloud.read(LOCAL_ROUTER, id_of(live))
            settings = settings_of(live)
            joined = {**settings, **_connection(goal.inputs)}
            if not all(same(settings.get(key), value) for key, value in _connection(goal.inputs).items()):
                live = save(ctx, live, joined)
            routes = [{"Prefix": r["prefix"], "NextHop": r["nextHop"]} for r in goal.inputs["staticRoutes"]]
            if _routes(live) != goal.inputs["staticRoutes"]:
                live = save(ctx, live, {**settings_of(live), "StaticRoutes": routes})
        return live

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        """The API refuses a router with peers."""
        with ctx.locks[ident]:
            live = ctx.cloud.read(LOCAL_ROUTER, ident)
            if as_list(settings_of(live).get("Peers")):
                save(ctx, live, {**settings_of(live), "Peers": []})
        super().remove(ctx, ident, zone)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        settings = settings_of(live)
        switch, interface = as_dict(settings.get("Switch")), as_dict(settings.get("Interface"))
        return {
            **self.common_state(ctx, live),
            "switchId": str(switch.get("Code") or ""),
            "switchCategory": str(switch.get("Category") or "cloud"),
            "switchZone": str(switch.get("ZoneID") or prior.get("switchZone") or ctx.zone),
            "virtualIpAddress": str(interface.get("VirtualIPAddress") or ""),
            "ipAddresses": [str(address) for address in as_list(interface.get("IPAddress"))],
            "networkMaskLen": int(interface.get("NetworkMaskLen") or 0),
            "vrid": int(interface.get("VRID") or 0),
            "staticRoutes": _routes(live),
            "secretKeys": [str(key) for key in as_list(as_dict(live.get("Status")).get("SecretKeys"))],
        }


def settings_of(live: Json) -> Json:
    """Settings.LocalRouter."""
    return as_dict(as_dict(live.get("Settings")).get("LocalRouter"))


def save(ctx: Context, live: Json, settings: Json) -> Json:
    """Replace the settings on which `live` stands; ConflictError when somebody else was faster."""
    return ctx.cloud.save_settings(
        LOCAL_ROUTER,
        id_of(live),
        {"LocalRouter": settings},
        settings_hash=str(live.get("SettingsHash") or ""),
    )


def _connection(inputs: Props) -> Json:
    return {
        "Switch": {
            "Code": inputs["switchId"],
            "Category": inputs["switchCategory"],
            "ZoneID": inputs["switchZone"],
        },
        "Interface": {
            "VirtualIPAddress": inputs["virtualIpAddress"],
            "IPAddress": inputs["ipAddresses"],
            "NetworkMaskLen": inputs["networkMaskLen"],
            "VRID": inputs["vrid"],
        },
    }


def _routes(live: Json) -> list[Props]:
    return [
        {"prefix": str(as_dict(r).get("Prefix") or ""), "nextHop": str(as_dict(r).get("NextHop") or "")}
        for r in as_list(settings_of(live).get("StaticRoutes"))
    ]
