"""Servers, their NICs and disks as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daiku.lab.sakura.iaas.catalog import DISK_PLANS, SERVER_PLANS, ServerPlan
from daiku.lab.sakura.iaas.models import (
    Cdrom,
    Disk,
    Interface,
    Internet,
    PacketFilter,
    PrivateHost,
    Server,
    Switch,
    UserSubnet,
)
from daiku.lab.sakura.iaas.subnets import bandwidth_view, default_route, user_subnet_view
from daiku.lab.sakura.iaas.wire import Id, common_view
from daiku.lab.sakura.iaas.zones import zone_view
from daiku.lab.sakura.inventory import COMMON_GATEWAY, COMMON_SUBNET
from daiku.lab.sakura.records import Power, timestamp

if TYPE_CHECKING:
    from daiku.lab.sakura.world import World

SHARED_SWITCH_ID = 112_900_000_000


def server_plan_view(plan: ServerPlan) -> dict[str, Any]:
    return {
        "ID": plan.id,
        "Name": plan.name,
        "CPU": plan.cpu,
        "MemoryMB": plan.memory_gb * 1024,
        "GPU": plan.gpu,
        "GPUModel": plan.gpu_model,
        "CPUModel": plan.cpu_model or "uncategorized",
        "Commitment": plan.commitment,
        "Generation": plan.generation,
        "ConfidentialVM": False,
        "ServiceClass": f"cloud/plan/{plan.cpu}core-{plan.memory_gb}gb",
        "Availability": "available",
    }


def instance_view(power: Power, zone: str, cdrom: dict[str, Any] | None = None) -> dict[str, Any]:
    up = power.status == "up"
    return {
        "Status": power.status,
        "BeforeStatus": power.before,
        "StatusChangedAt": timestamp(power.changed),
        "Host": {"Name": f"sac-{zone}-sv001", "InfoURL": ""} if up else None,
        "Warnings": None,
        "WarningsValue": 0,
        "CDROM": cdrom,
    }


def nic_switch_view(
    world: World,
    switch_id: int | None,
    *,
    shared: bool,
    network: str,
    gateway: str,
    user_subnet: UserSubnet | None = None,
) -> dict[str, Any] | None:
    """The switch behind a NIC: the shared segment, a plain switch (`Subnet` null), or a router's. `user_subnet` is
    the NIC's own, shown for the switch's.
    """
    if shared:
        return {
            "ID": Id(SHARED_SWITCH_ID),
            "Name": "スイッチ",
            "Scope": "shared",
            "Subnet": {
                "NetworkAddress": network,
                "NetworkMaskLen": 24,
                "DefaultRoute": gateway,
                "Internet": {"BandWidthMbps": 100},
            },
            "UserSubnet": None,
        }
    row = world.find(Switch, switch_id)
    if row is None:
        return None
    internet = world.find(Internet, row.internet)
    subnet = None
    if internet is not None:
        block = internet.subnets[0]
        subnet = {
            "NetworkAddress": block.network,
            "NetworkMaskLen": block.mask,
            "DefaultRoute": default_route(block),
            "Internet": bandwidth_view(internet),
        }
    return {
        "ID": Id(row.id),
        "Name": row.name,
        "Scope": "user",
        "Subnet": subnet,
        "UserSubnet": user_subnet_view(user_subnet or row.user_subnet),
    }


def nics_of(world: World, server_id: int) -> list[Interface]:
    """A server's NICs, eth0 first."""
    return sorted(
        (nic for nic in world.rows(Interface) if nic.server == server_id), key=lambda nic: nic.order
    )


def disks_of(world: World, server_id: int) -> list[Disk]:
    """A server's disks, the one it boots from first."""
    return sorted(
        (disk for disk in world.rows(Disk) if disk.server == server_id), key=lambda disk: disk.order
    )


def nic_view(world: World, nic: Interface) -> dict[str, Any]:
    """A NIC without its server."""
    packet_filter = world.find(PacketFilter, nic.packet_filter)
    network, gateway = str(COMMON_SUBNET.network_address), str(COMMON_GATEWAY)
    return {
        "ID": Id(nic.id),
        "MACAddress": nic.mac,
        "IPAddress": nic.address,
        "UserIPAddress": nic.user_address or None,
        "HostName": None,
        "Switch": nic_switch_view(
            world,
            nic.switch,
            shared=nic.shared,
            network=network,
            gateway=gateway,
            user_subnet=nic.user_subnet,
        ),
        "PacketFilter": None
        if packet_filter is None
        else {"ID": Id(packet_filter.id), "Name": packet_filter.name},
    }


def disk_plan_view(plan: int) -> dict[str, Any]:
    name, storage = DISK_PLANS[plan]
    return {"ID": plan, "Name": name, "StorageClass": storage}


def _drive(world: World, row: Server) -> dict[str, Any] | None:
    image = world.find(Cdrom, row.cdrom)
    return (
        None
        if image is None
        else {"ID": Id(image.id), "Name": image.name, "Availability": image.availability}
    )


def server_view(world: World, row: Server) -> dict[str, Any]:
    """A server as the API shows it."""
    disks = disks_of(world, row.id)
    host = world.find(PrivateHost, row.private_host)
    installed = next((disk.installed for disk in disks if disk.installed is not None), None)
    return common_view(row) | {
        "HostName": installed.hostname if installed is not None else "",
        "InterfaceDriver": row.driver,
        "Availability": "available",
        "ServiceClass": f"cloud/plan/{SERVER_PLANS[row.plan].cpu}core",
        "ServerPlan": server_plan_view(SERVER_PLANS[row.plan]),
        "Zone": zone_view(row.zone),
        "PrivateHost": None if host is None else {"ID": Id(host.id), "Name": host.name},
        "Instance": instance_view(row.power, row.zone, _drive(world, row)),
        "Interfaces": [nic_view(world, nic) for nic in nics_of(world, row.id)],
        "Disks": [
            {
                "ID": Id(disk.id),
                "Name": disk.name,
                "Connection": disk.connection,
                "ConnectionOrder": disk.order,
                "SizeMB": disk.size_mb,
                "Availability": disk.availability,
                "Plan": disk_plan_view(disk.plan),
                "Storage": storage_view(disk),
            }
            for disk in disks
        ],
    }


def storage_view(disk: Disk) -> dict[str, Any]:
    storage = DISK_PLANS[disk.plan][1]
    return {"ID": disk.plan * 1000 + 1, "Name": f"{storage}-{disk.zone}", "Class": storage, "Generation": 200}
