"""The first day: what exists before any call. Idempotent, so that a restored world receives what was ordered since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daiku.lab.sakura.iaas.catalog import PUBLIC_ARCHIVES, PUBLIC_ICONS, PUBLIC_IMAGES
from daiku.lab.sakura.iaas.models import Archive, Cdrom, Icon, Installed
from daiku.lab.sakura.iaas.zones import ZONES
from daiku.lab.sakura.inventory import DedicatedSubnetItem, PhyServerItem, PrivateNetworkItem
from daiku.lab.sakura.phy.images import IMAGES
from daiku.lab.sakura.phy.models import PhyAccount, PhyChannel, PhyInstalled, PhyPort, PhyServer, PhyService

if TYPE_CHECKING:
    from daiku.lab.sakura.world import World

ACCOUNT_ROW = 1
FIRST_CHANNEL, FIRST_PORT = 1001, 2001


def deliver(world: World) -> None:
    """Add what the service offers to everybody, and the inventory's rows that are missing."""
    _archives(world)
    _images_and_icons(world)
    if world.find(PhyAccount, ACCOUNT_ROW) is None:
        world.add(PhyAccount(id=ACCOUNT_ROW))
    inventory = world.inventory
    for item in inventory.phy_servers:
        if _service(world, item, "server"):
            world.add(_server(world, item))
    for item in inventory.private_networks:
        _service(world, item, "private_network")
    for item in inventory.dedicated_subnets:
        _service(world, item, "dedicated_subnet")


def _archives(world: World) -> None:
    present = {(a.zone, a.name) for a in world.rows(Archive) if a.scope == "shared"}
    for zone in ZONES:
        for public in PUBLIC_ARCHIVES:
            if (zone, public.name) not in present:
                installed = Installed(
                    login=public.login, editable=public.editable, cloud_init=public.cloud_init
                )
                row = Archive(
                    id=world.new_id(), zone=zone, name=public.name, tags=list(public.tags), scope="shared"
                )
                row.size_mb, row.installed = public.size_mb, installed
                world.add(row)


def _images_and_icons(world: World) -> None:
    images = {(image.zone, image.name) for image in world.rows(Cdrom) if image.scope == "shared"}
    for zone in ZONES:
        for name in PUBLIC_IMAGES:
            if (zone, name) not in images:
                world.add(Cdrom(id=world.new_id(), zone=zone, name=name, scope="shared"))
    for icon_id, name in PUBLIC_ICONS.items():
        if world.find(Icon, icon_id) is None:
            world.add(Icon(id=icon_id, name=name, scope="shared"))


def _service(
    world: World, item: PhyServerItem | PrivateNetworkItem | DedicatedSubnetItem, category: str
) -> bool:
    """True when the service was missing and is there now."""
    row = PhyService.model_validate(
        {
            "id": int(item.service_id),
            "service_id": item.service_id,
            "category": category,
            "name": item.nickname,
        }
    )
    if isinstance(item, PhyServerItem):
        row.note = item.description
    if world.find(PhyService, row.id) is not None:
        return False
    world.add(row)
    return True


def _server(world: World, item: PhyServerItem) -> PhyServer:
    channels: dict[object, PhyChannel] = {}
    ports: list[PhyPort] = []
    for number, port in enumerate(item.ports, start=1):
        key = ("own", port.nic) if port.channel is None else port.channel
        if key not in channels:
            channel_id = world.next_in("phy-channel", FIRST_CHANNEL)
            channels[key] = PhyChannel(channel_id=channel_id, nics=[], speed=port.link_speed_type)
        channels[key].nics.append(port.nic)
        ports.append(
            PhyPort.model_validate(
                {
                    "port_id": world.next_in("phy-port", FIRST_PORT),
                    "nickname": port.nickname or f"{item.nickname}-port{number:02d}",
                    "channel": channels[key].channel_id,
                    "nics": [port.nic],
                    "mode": port.mode(),
                    "internet": port.internet,
                    "private_networks": list(port.private_networks),
                }
            )
        )
    row = PhyServer(
        id=int(item.service_id), service_id=item.service_id, channels=list(channels.values()), ports=ports
    )
    if item.installed is not None:
        row.generation = 1
        row.installed = PhyInstalled(
            image=item.installed, login=IMAGES[item.installed].superuser_name, generation=1
        )
    if item.power:
        row.power, row.cached, row.boots = "on", "on", 1
    row.cached_at = world.clock.now()
    return row
