"""Machines that power themselves off: the APIs see it, and switch them on again."""

from __future__ import annotations

from daiku.lab.sakura import World
from daiku.lab.sakura.left import powered_itself_off

from .conftest import GPU1, Caller
from .phy_calls import INSTALL, server
from .test_servers import server as vm


def test_a_bare_metal_server_that_powered_itself_off_is_off_and_can_be_switched_on(
    api: Caller, world: World
) -> None:
    api.phy("POST", f"/servers/{GPU1}/os_install/", INSTALL)
    api.wait(3600)
    standing = world.topology().machines[0]
    assert standing.power
    powered_itself_off(world, standing.id, standing.boots - 1)  # of the boot before: heard of too late
    assert world.topology().machines[0].power
    powered_itself_off(world, standing.id, standing.boots)
    assert not world.topology().machines[0].power
    assert api.phy("GET", f"/servers/{GPU1}/power_status/").json["power_status"]["status"] == "off"
    assert server(api)["cached_power_status"]["status"] == "off"
    api.phy("POST", f"/servers/{GPU1}/power_control/", {"operation": "on"})
    again = world.topology().machines[0]
    assert (again.power, again.boots) == (True, standing.boots + 1)


def test_a_vm_that_powered_itself_off_is_down_and_can_be_booted(api: Caller, world: World) -> None:
    path = f"/server/{vm(api)['ID']}"
    api.do("PUT", f"{path}/power", {})
    api.wait(15)
    (standing,) = (m for m in world.topology().machines if m.kind == "vm")
    powered_itself_off(world, standing.id, standing.boots)
    assert api.read(path, "Server")["Instance"]["Status"] == "down"
    assert api.cloud("DELETE", f"{path}/power", {}).status == 409
    api.do("PUT", f"{path}/power", {})
    api.wait(15)
    (again,) = (m for m in world.topology().machines if m.kind == "vm")
    assert (again.power, again.boots) == (True, standing.boots + 1)
