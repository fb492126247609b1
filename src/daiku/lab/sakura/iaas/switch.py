"""Switches: an L2 segment of a zone, plain or made by a router+switch."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Annotated, Any

from pydantic import BeforeValidator

from daiku.lab.sakura import hybrid
from daiku.lab.sakura.iaas.bodies import (
    Address,
    Common,
    Mask,
    none_if_zero,
    parse_in,
    require_name,
    set_common,
)
from daiku.lab.sakura.iaas.bodies import Body as WireBody
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import (
    Appliance,
    Bridge,
    Interface,
    Internet,
    LocalRouter,
    Server,
    Switch,
    UserSubnet,
)
from daiku.lab.sakura.iaas.server_view import server_view
from daiku.lab.sakura.iaas.subnets import bandwidth_view, subnets_view, user_subnet_view
from daiku.lab.sakura.iaas.wire import (
    Call,
    Id,
    Reply,
    bad_request,
    common_view,
    conflict,
    created,
    done,
    routes,
    single,
)
from daiku.lab.sakura.iaas.zones import region_of, zone_view
from daiku.lab.sakura.world import World


class SubnetBody(WireBody):
    DefaultRoute: Address = ""
    NetworkMaskLen: Annotated[Mask | None, BeforeValidator(none_if_zero)] = None


class SwitchBody(Common):
    UserSubnet: SubnetBody | None = None


def switch_view(world: World, row: Switch) -> dict[str, Any]:
    """A switch as the API shows it."""
    internet = world.find(Internet, row.internet)
    bridge = world.find(Bridge, row.bridge)
    return common_view(row) | {
        "Scope": "user",
        "ServiceClass": "cloud/switch/default",
        "UserSubnet": user_subnet_view(row.user_subnet),
        "Subnets": [] if internet is None else subnets_view(internet),
        "IPv6Nets": [],
        "Internet": None
        if internet is None
        else {"ID": Id(internet.id), "Name": internet.name, "Scope": "user"} | bandwidth_view(internet),
        "Bridge": None if bridge is None else {"ID": Id(bridge.id), "Name": bridge.name},
        "ServerCount": len(servers_on(world, row.id)),
        "ApplianceCount": len(appliances_on(world, row.id)),
        "HybridConnection": hybrid.switch_side(world, row),
        "Zone": zone_view(row.zone),
    }


def servers_on(world: World, switch_id: int) -> list[int]:
    """Ids of the servers with a NIC on the switch."""
    return sorted({nic.server for nic in world.rows(Interface) if nic.switch == switch_id})


def appliances_on(world: World, switch_id: int) -> list[int]:
    """Ids of the appliances with a leg on the switch."""
    return [a.id for a in world.rows(Appliance) if any(nic.switch == switch_id for nic in a.nics)]


def refuse_if_used(world: World, row: Switch) -> None:
    """409 while anything is attached."""
    if servers_on(world, row.id):
        raise conflict("A server is connected to the switch.")
    if appliances_on(world, row.id):
        raise conflict("An appliance is connected to the switch.")
    if row.bridge is not None:
        raise conflict("The switch is connected to a bridge.")
    for router in world.rows(LocalRouter):
        if (router.settings.get("Switch") or {}).get("Code") == str(row.id):
            raise conflict("A local router is connected to the switch.")


def _set(row: Switch, body: SwitchBody) -> None:
    if not body.given("UserSubnet"):
        return
    subnet = body.UserSubnet
    if subnet is None or subnet.NetworkMaskLen is None:
        if subnet is not None and subnet.DefaultRoute:
            raise bad_request("UserSubnet: the property NetworkMaskLen is required")
        row.user_subnet = None
        return
    if subnet.DefaultRoute:
        network = IPv4Interface(f"{subnet.DefaultRoute}/{subnet.NetworkMaskLen}").network
        if subnet.DefaultRoute in (str(network.network_address), str(network.broadcast_address)):
            raise bad_request("UserSubnet.DefaultRoute: not a host address of the subnet")
    row.user_subnet = UserSubnet(default_route=subnet.DefaultRoute, mask=subnet.NetworkMaskLen)


@routes.on("GET", "/switch")
def find(call: Call) -> Reply:
    return listing(call, "Switches", [switch_view(call.world, row) for row in call.all(Switch)])


@routes.on("POST", "/switch")
def create(call: Call) -> Reply:
    body = parse_in(call, "Switch", SwitchBody)
    require_name(body)
    row = Switch(id=0, zone=call.zone)
    set_common(row, body, call.now)
    _set(row, body)
    call.world.add(row)
    hybrid.join_by_tag(call.world, row)
    return created("Switch", switch_view(call.world, row))


@routes.on("GET", "/switch/{id}")
def read(call: Call) -> Reply:
    return single("Switch", switch_view(call.world, call.get(Switch)))


@routes.on("PUT", "/switch/{id}")
def update(call: Call) -> Reply:
    row = call.get(Switch)
    body = parse_in(call, "Switch", SwitchBody)
    _set(row, body)
    set_common(row, body, call.now)
    hybrid.join_by_tag(call.world, row)
    return single("Switch", switch_view(call.world, row))


@routes.on("DELETE", "/switch/{id}")
def delete(call: Call) -> Reply:
    row = call.get(Switch)
    if row.internet is not None:
        raise conflict("The switch belongs to a router and is deleted with it.")
    refuse_if_used(call.world, row)
    view = switch_view(call.world, row)
    call.world.remove(row)
    return single("Switch", view)


@routes.on("GET", "/switch/{id}/server")
def servers(call: Call) -> Reply:
    found = [call.world.find(Server, server) for server in servers_on(call.world, call.get(Switch).id)]
    return listing(call, "Servers", [server_view(call.world, row) for row in found if row is not None])


@routes.on("PUT", "/switch/{id}/to/bridge/{bridge}")
def connect(call: Call) -> Reply:
    row = call.get(Switch)
    bridge = call.get(Bridge, call.holes["bridge"])
    if row.bridge is not None:
        raise conflict("The switch is connected to a bridge already.")
    if bridge.region != region_of(row.zone):
        raise bad_request("The bridge is of another region.")
    if any(other.bridge == bridge.id and other.zone == row.zone for other in call.world.rows(Switch)):
        raise conflict("The bridge holds a switch of this zone already.")
    row.bridge = bridge.id
    return done()


@routes.on("DELETE", "/switch/{id}/to/bridge")
def disconnect(call: Call) -> Reply:
    row = call.get(Switch)
    if row.bridge is None:
        raise conflict("The switch is not connected to a bridge.")
    row.bridge = None
    return done()
