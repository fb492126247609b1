"""LocalRouters: a global item; it takes its switch first and its peers second, and loses the peers before it goes."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from daiku.lab.sakura.iaas.bodies import Address, Body, Common, Mask, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import LocalRouter, Switch
from daiku.lab.sakura.iaas.wire import (
    Call,
    Reply,
    bad_request,
    common_view,
    conflict,
    created,
    fingerprint,
    routes,
    single,
)
from daiku.lab.sakura.world import World

KEY_BYTES = 32


def _network(value: str) -> str:
    return str(IPv4Network(value))


class SwitchBody(Body):
    Code: Annotated[str, Field(strict=True)]
    Category: str = "cloud"
    ZoneID: str | int = ""


class InterfaceBody(Body):
    VirtualIPAddress: Address
    IPAddress: Annotated[list[Address], Field(min_length=2, max_length=2)]
    NetworkMaskLen: Mask
    VRID: Annotated[int, Field(ge=1, le=255)]


class PeerBody(Body):
    ID: Annotated[str, Field(strict=True, pattern=r"^\d{12}$")]
    SecretKey: str
    Enabled: bool = True
    Description: str = ""


class RouteBody(Body):
    Prefix: Annotated[str, AfterValidator(_network)]
    NextHop: Address


class RouterBody(Body):
    Switch: SwitchBody | None = None
    Interface: InterfaceBody | None = None
    Peers: list[PeerBody] | None = None
    StaticRoutes: list[RouteBody] | None = None


class SettingsBody(Body):
    LocalRouter: RouterBody | None = None


class ProviderBody(Body):
    Class: Literal["localrouter"]


class ItemBody(Common):
    Provider: ProviderBody | None = None
    Settings: SettingsBody | None = None
    SettingsHash: str | None = None
    Status: Any = None


def item_view(row: LocalRouter) -> dict[str, Any]:
    return common_view(row) | {
        "Availability": "available",
        "ServiceClass": "cloud/localrouter/default",
        "Provider": {
            "ID": 9001001,
            "Class": "localrouter",
            "Name": "localrouter1",
            "ServiceClass": "cloud/localrouter/default",
        },
        "Settings": {"LocalRouter": row.settings} if row.settings else None,
        "SettingsHash": fingerprint(row.settings),
        "Status": {"SecretKeys": [row.secret]},
    }


def _settings(call: Call, row: LocalRouter, body: RouterBody) -> dict[str, Any]:
    """The new settings; null and absent parts are gone, as the whole is replaced."""
    if body.Peers and not row.settings.get("Switch"):
        raise bad_request("Peers: connect the local router to a switch first")
    if (body.Switch is None) != (body.Interface is None):
        raise bad_request("Switch and Interface go together")
    if body.Switch is not None:
        _check_switch(call, row, body.Switch)
    for peer in body.Peers or []:
        if str(row.id) == peer.ID:
            raise bad_request("Peers.ID: the local router itself")
        if _secret(call.world, peer.ID) != peer.SecretKey:
            raise bad_request("Peers: no such peer, or its secret key is another")
    ids = [peer.ID for peer in body.Peers or []]
    if len(ids) != len(set(ids)):
        raise bad_request("Peers.ID: a peer is listed twice")
    return body.model_dump(exclude_none=True)


def _check_switch(call: Call, row: LocalRouter, body: SwitchBody) -> None:
    if body.Category != "cloud":
        return
    switch = call.world.find(Switch, int(body.Code)) if body.Code.isascii() and body.Code.isdigit() else None
    if switch is None or switch.zone != body.ZoneID:
        raise bad_request("Switch: there is no such switch in the zone")
    for other in call.world.rows(LocalRouter):
        if other.id != row.id and (other.settings.get("Switch") or {}).get("Code") == body.Code:
            raise conflict("The switch is connected to another local router.")


def _secret(world: World, peer_id: str) -> str | None:
    """The key that a peer wants: another local router's, or the AWS connect option's."""
    for item in world.inventory.aws_connect:
        if item.resource_id == peer_id:
            return item.secret_key
    row = world.find(LocalRouter, int(peer_id))
    return row.secret if row is not None else None


@routes.on("GET", "/commonserviceitem")
def find(call: Call) -> Reply:
    return listing(call, "CommonServiceItems", [item_view(row) for row in call.all(LocalRouter)])


@routes.on("POST", "/commonserviceitem")
def create(call: Call) -> Reply:
    body = parse_in(call, "CommonServiceItem", ItemBody)
    require_name(body)
    if body.Provider is None:
        raise bad_request("The property Provider is required")
    row = LocalRouter(id=0, secret="")
    if body.Settings is not None and body.Settings.LocalRouter is not None:
        row.settings = _settings(call, row, body.Settings.LocalRouter)
    set_common(row, body, call.now)
    call.world.add(row)
    row.secret = call.world.random_for(f"localrouter/{row.id}").randbytes(KEY_BYTES).hex()
    return created("CommonServiceItem", item_view(row))


@routes.on("GET", "/commonserviceitem/{id}")
def read(call: Call) -> Reply:
    return single("CommonServiceItem", item_view(call.get(LocalRouter)))


@routes.on("PUT", "/commonserviceitem/{id}")
def update(call: Call) -> Reply:
    row = call.get(LocalRouter)
    body = parse_in(call, "CommonServiceItem", ItemBody)
    if body.SettingsHash and body.SettingsHash != fingerprint(row.settings):
        raise conflict("SettingsHash: the settings were changed by somebody else.")
    if body.Settings is not None and body.Settings.LocalRouter is not None:
        row.settings = _settings(call, row, body.Settings.LocalRouter)
    set_common(row, body, call.now)
    return single("CommonServiceItem", item_view(row))


@routes.on("DELETE", "/commonserviceitem/{id}")
def delete(call: Call) -> Reply:
    row = call.get(LocalRouter)
    if row.settings.get("Peers"):
        raise conflict("The local router has peers.")
    call.world.remove(row)
    return single("CommonServiceItem", item_view(row))


@routes.on("GET", "/commonserviceitem/{id}/health")
def health(call: Call) -> Reply:
    """A peer is up when both ends name each other; the AWS connect option is always willing."""
    row = call.get(LocalRouter)
    peers = [_peer_health(call.world, row, peer) for peer in row.settings.get("Peers") or ()]
    return single("LocalRouter", {"Peers": peers})


def _peer_health(world: World, row: LocalRouter, peer: dict[str, Any]) -> dict[str, Any]:
    routes_: list[str] = []
    willing = False
    for item in world.inventory.aws_connect:
        if item.resource_id == peer["ID"]:
            willing, routes_ = True, [str(prefix) for prefix in item.prefixes]
    other = world.find(LocalRouter, int(peer["ID"]))
    if other is not None:
        willing = any(
            back["ID"] == str(row.id) and back["Enabled"] for back in other.settings.get("Peers") or ()
        )
        leg = other.settings.get("Interface")
        if leg is not None:
            routes_ = [str(IPv4Network(f"{leg['VirtualIPAddress']}/{leg['NetworkMaskLen']}", strict=False))]
    up = willing and peer["Enabled"]
    return {"ID": peer["ID"], "Status": "up" if up else "down", "Routes": routes_ if up else []}
