"""What the APIs see of a machine that powered itself off: nobody asked them for it, but its power is off."""

from __future__ import annotations

from daiku.lab.sakura.iaas import power
from daiku.lab.sakura.iaas.models import Server
from daiku.lab.sakura.phy.models import PhyServer
from daiku.lab.sakura.world import World


def powered_itself_off(world: World, machine: str, boots: int) -> None:
    """The machine with that id, of that boot, has ended. One that was booted again or removed meanwhile stays as it
    is."""
    with world.lock:
        for row in world.rows(PhyServer):
            if row.service_id == machine and row.boots == boots and row.power == "on":
                row.power = "off"
                row.stamp += 1
        for server in world.rows(Server):
            if str(server.uid) == machine and server.power.boots == boots:
                power.ended(world, server)
    world.changed()
