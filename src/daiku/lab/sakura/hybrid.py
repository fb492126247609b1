"""Hybrid connections: one L2 segment out of a cloud switch and a PHY private network.

In reality they are ordered in the control panel; both APIs only show them. Here the control panel is
`World.join_hybrid`, and the inventory's rules do it for switches that carry the agreed tag or name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daiku.lab.sakura.iaas.models import Switch
from daiku.lab.sakura.iaas.wire import Id

if TYPE_CHECKING:
    from daiku.lab.sakura.world import World

FIRST_HYBRID = 400_000_000_001


def joined_switch(world: World, private_network: str) -> Switch | None:
    """The switch that is joined to a private network."""
    return next((row for row in world.rows(Switch) if row.hybrid == private_network), None)


def join(world: World, switch_id: int, private_network: str) -> None:
    """Join the two. LookupError: unknown; ValueError: one of them is joined already."""
    row = world.find(Switch, switch_id)
    if row is None:
        raise LookupError(f"there is no switch {switch_id}")
    if all(item.service_id != private_network for item in world.inventory.private_networks):
        raise LookupError(f"there is no private network {private_network}")
    if row.hybrid is not None:
        raise ValueError(f"switch {switch_id} is joined to {row.hybrid} already")
    if joined_switch(world, private_network) is not None:
        raise ValueError(f"private network {private_network} is joined to another switch already")
    row.hybrid, row.hybrid_id = private_network, world.next_in("hybrid", FIRST_HYBRID)


def join_by_tag(world: World, row: Switch) -> None:
    """Carry out the inventory's rule for this switch; the first free private network wins, none is no error."""
    for item in world.inventory.hybrid:
        free = row.hybrid is None and joined_switch(world, item.private_network) is None
        if free and item.switch_tag in (*row.tags, row.name):
            join(world, row.id, item.private_network)


def switch_side(world: World, row: Switch) -> dict[str, Any] | None:
    """How the IaaS API shows the connection on a switch."""
    if row.hybrid is None or row.hybrid_id is None:
        return None
    network = next(
        (n.nickname for n in world.inventory.private_networks if n.service_id == row.hybrid), row.hybrid
    )
    return {
        "ID": Id(row.hybrid_id),
        "Services": [
            {
                "ServiceCategory": "cloud",
                "ServiceName": row.name,
                "ServiceCode": str(row.id),
                "CloudZone": row.zone,
                "IsMyself": True,
            },
            {
                "ServiceCategory": "dedicated-phy",
                "ServiceName": network,
                "ServiceCode": row.hybrid,
                "CloudZone": "",
                "IsMyself": False,
            },
        ],
    }


def network_side(world: World, private_network: str) -> dict[str, Any] | None:
    """How the PHY API shows the connection on a private network."""
    row = joined_switch(world, private_network)
    if row is None:
        return None
    return {
        "service_id": str(row.hybrid_id),
        "destinations": [
            {
                "destination_side_id": str(row.id),
                "service_name": row.name,
                "bridge_service_id": str(row.hybrid_id),
            }
        ],
    }
