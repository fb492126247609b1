"""The vendor's own work on a bare-metal server: `administrative_lock`, which comes and goes without any API call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daiku.lab.sakura.faults import FaultRule
from daiku.lab.sakura.phy.models import PhyServer, PhyService

if TYPE_CHECKING:
    from daiku.lab.sakura.world import World


def label(world: World, row: PhyServer) -> str:
    """What fault rules know a bare-metal server by."""
    service = world.find(PhyService, row.id)
    return f"phy {row.service_id} {service.name if service is not None else ''}"


def hold_servers(world: World, added: list[FaultRule]) -> None:
    """Lock what the new rules name; without any rule left, unlock everything. The caller holds the world's lock."""
    for row in world.rows(PhyServer):
        if not world.faults.rules:
            row.held = False
            continue
        rule = world.faults.strikes("administrative_lock", label(world, row), among=added)
        if rule is None or row.held:
            continue
        row.held = True
        row.hold_stamp += 1
        if rule.seconds is not None:
            world.schedule(rule.seconds, "phy.released", row.id, row.hold_stamp)
