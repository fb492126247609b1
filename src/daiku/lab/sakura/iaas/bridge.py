"""Bridges: one L2 segment out of switches of several zones of a region."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.bodies import Common, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Bridge, Switch
from daiku.lab.sakura.iaas.switch import appliances_on, servers_on
from daiku.lab.sakura.iaas.wire import Call, Id, Reply, common_view, conflict, created, routes, single
from daiku.lab.sakura.iaas.zones import region_of, region_view, zone_view


def bridge_view(call: Call, row: Bridge) -> dict[str, Any]:
    """A bridge as this zone shows it: `SwitchInZone` is the zone's own end."""
    switches = [switch for switch in call.world.rows(Switch) if switch.bridge == row.id]
    here = next((switch for switch in switches if switch.zone == call.zone), None)
    view = common_view(row) | {
        "ServiceClass": "cloud/bridge/default",
        "Region": region_view(row.region),
        "Info": {"Switches": [{"ID": Id(s.id), "Name": s.name, "Zone": zone_view(s.zone)} for s in switches]},
        "SwitchInZone": None
        if here is None
        else {
            "ID": Id(here.id),
            "Name": here.name,
            "Scope": "user",
            "ServerCount": len(servers_on(call.world, here.id)),
            "ApplianceCount": len(appliances_on(call.world, here.id)),
        },
    }
    return {key: value for key, value in view.items() if key not in ("Tags", "Icon", "ModifiedAt")}


@routes.on("GET", "/bridge")
def find(call: Call) -> Reply:
    return listing(call, "Bridges", [bridge_view(call, row) for row in call.all(Bridge)])


@routes.on("POST", "/bridge")
def create(call: Call) -> Reply:
    body = parse_in(call, "Bridge", Common)
    require_name(body)
    row = Bridge(id=call.world.new_id(), region=region_of(call.zone))
    set_common(row, body, call.now)
    return created("Bridge", bridge_view(call, call.world.add(row)))


@routes.on("GET", "/bridge/{id}")
def read(call: Call) -> Reply:
    return single("Bridge", bridge_view(call, call.get(Bridge)))


@routes.on("PUT", "/bridge/{id}")
def update(call: Call) -> Reply:
    row = call.get(Bridge)
    set_common(row, parse_in(call, "Bridge", Common), call.now)
    return single("Bridge", bridge_view(call, row))


@routes.on("DELETE", "/bridge/{id}")
def delete(call: Call) -> Reply:
    row = call.get(Bridge)
    if any(switch.bridge == row.id for switch in call.world.rows(Switch)):
        raise conflict("A switch is connected to the bridge.")
    view = bridge_view(call, row)
    call.world.remove(row)
    return single("Bridge", view)
