"""Interfaces: a server's NICs, what they are plugged into and which packet filter they pass."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas import addresses, power
from daiku.lab.sakura.iaas.bodies import Address, Body, Ref, parse_in
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Interface, PacketFilter, Server, Switch
from daiku.lab.sakura.iaas.server_view import nic_view, nics_of
from daiku.lab.sakura.iaas.wire import (
    Call,
    Id,
    Reply,
    bad_request,
    conflict,
    created,
    done,
    not_found,
    routes,
    single,
)
from daiku.lab.sakura.records import timestamp
from daiku.lab.sakura.world import World

MAX_NICS = 10


class InterfaceBody(Body):
    Server: Ref | None = None
    UserIPAddress: Address | None = None


def add_nic(world: World, server: Server, switch: int | None, *, shared: bool) -> Interface:
    """One more NIC behind the others."""
    row_id = world.new_id()
    order = max((nic.order for nic in nics_of(world, server.id)), default=-1) + 1
    row = Interface(id=row_id, zone=server.zone, server=server.id, order=order, mac=addresses.mac(row_id))
    _plug(world, row, switch, shared=shared)
    return world.add(row)


def _plug(world: World, row: Interface, switch: int | None, *, shared: bool) -> None:
    row.address = addresses.common(world) if shared else None
    row.shared, row.switch = shared, None if shared else switch


def interface_view(world: World, row: Interface) -> dict[str, Any]:
    server = world.find(Server, row.server)
    owner = None if server is None else {"ID": Id(server.id), "Name": server.name}
    return nic_view(world, row) | {
        "Server": owner,
        "CreatedAt": timestamp(row.created),
        "ModifiedAt": timestamp(row.modified),
    }


def _owner(call: Call, row: Interface) -> Server:
    return call.get(Server, row.server)


@routes.on("GET", "/interface")
def find(call: Call) -> Reply:
    return listing(call, "Interfaces", [interface_view(call.world, row) for row in call.all(Interface)])


@routes.on("POST", "/interface")
def create(call: Call) -> Reply:
    body = parse_in(call, "Interface", InterfaceBody)
    if body.Server is None or body.Server.ID is None:
        raise bad_request("The property Server is required")
    server = call.get(Server, body.Server.ID)
    power.require_down(server)
    if len(nics_of(call.world, server.id)) >= MAX_NICS:
        raise bad_request(f"The server has {MAX_NICS} interfaces already")
    row = add_nic(call.world, server, None, shared=False)
    row.user_address = body.UserIPAddress or ""
    return created("Interface", interface_view(call.world, row))


@routes.on("GET", "/interface/{id}")
def read(call: Call) -> Reply:
    return single("Interface", interface_view(call.world, call.get(Interface)))


@routes.on("PUT", "/interface/{id}")
def update(call: Call) -> Reply:
    row = call.get(Interface)
    body = parse_in(call, "Interface", InterfaceBody)
    if body.given("UserIPAddress"):
        row.user_address = body.UserIPAddress or ""
    row.modified = call.now
    return single("Interface", interface_view(call.world, row))


@routes.on("DELETE", "/interface/{id}")
def delete(call: Call) -> Reply:
    row = call.get(Interface)
    power.require_down(_owner(call, row))
    if row.shared or row.switch is not None:
        raise conflict("The interface is connected to a switch.")
    view = interface_view(call.world, row)
    call.world.remove(row)
    return single("Interface", view)


@routes.on("PUT", "/interface/{id}/to/switch/{switch}", "/interface/{id}/to/switch/shared")
def connect(call: Call) -> Reply:
    row = call.get(Interface)
    shared = "switch" not in call.holes
    switch = None if shared else call.get(Switch, call.holes["switch"]).id
    power.require_down(_owner(call, row))
    if row.shared or row.switch is not None:
        raise conflict("The interface is connected already.")
    _plug(call.world, row, switch, shared=shared)
    return done()


@routes.on("DELETE", "/interface/{id}/to/switch")
def disconnect(call: Call) -> Reply:
    row = call.get(Interface)
    power.require_down(_owner(call, row))
    if not row.shared and row.switch is None:
        raise conflict("The interface is not connected.")
    _plug(call.world, row, None, shared=False)
    return done()


@routes.on("PUT", "/interface/{id}/to/packetfilter/{filter}")
def filter_with(call: Call) -> Reply:
    row = call.get(Interface)
    row.packet_filter = call.get(PacketFilter, call.holes["filter"]).id
    return done()


@routes.on("DELETE", "/interface/{id}/to/packetfilter")
def unfilter(call: Call) -> Reply:
    row = call.get(Interface)
    if row.packet_filter is None:
        raise not_found()
    row.packet_filter = None
    return done()
