"""PHY's objects as its API shows them: rows joined with what the inventory says."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from daiku.lab.sakura import hybrid
from daiku.lab.sakura.inventory import (
    COMMON_GATEWAY,
    COMMON_SUBNET,
    DedicatedSubnetItem,
    PhyServerItem,
    PrivateNetworkItem,
    Tag,
)
from daiku.lab.sakura.phy.models import PhyChannel, PhyPort, PhyServer, PhyService
from daiku.lab.sakura.phy.wire import PhyError
from daiku.lab.sakura.records import timestamp
from daiku.lab.sakura.world import World

Item = PhyServerItem | PrivateNetworkItem | DedicatedSubnetItem
NAME_SERVERS = ("198.51.100.2", "198.51.100.3")
SPEEDS_MBPS = {"1gbe": 1000, "10gbe": 10_000}


def item_of(world: World, service_id: str) -> Item:
    """The inventory's entry; 404 for a service that the inventory no longer has."""
    inventory = world.inventory
    for item in (*inventory.phy_servers, *inventory.private_networks, *inventory.dedicated_subnets):
        if item.service_id == service_id:
            return item
    raise PhyError(404)


def server_item(world: World, service_id: str) -> PhyServerItem:
    item = item_of(world, service_id)
    if not isinstance(item, PhyServerItem):
        raise PhyError(404)
    return item


def service_of(world: World, service_id: str) -> PhyService:
    row = world.find(PhyService, int(service_id))
    if row is None or row.service_id != service_id:
        raise PhyError(404)
    return row


def servers_of(world: World) -> list[PhyServer]:
    """The servers that the inventory still has."""
    known = {item.service_id for item in world.inventory.phy_servers}
    return [row for row in world.rows(PhyServer) if row.service_id in known]


def _tags(tags: tuple[Tag, ...]) -> list[dict[str, Any]]:
    return [tag.model_dump() for tag in tags]


def quiet_view(world: World, service_id: str) -> dict[str, Any]:
    """A service inside another object."""
    row = service_of(world, service_id)
    return {
        "service_id": row.service_id,
        "nickname": row.name,
        "description": row.note,
        "activated": timestamp(row.created),
        "tags": _tags(item_of(world, service_id).tags),
    }


def service_view(world: World, row: PhyService) -> dict[str, Any]:
    item = item_of(world, row.service_id)
    plan = {"plan_id": item.plan_id, "name": item.plan_name} if isinstance(item, PhyServerItem) else None
    return quiet_view(world, row.service_id) | {
        "product_category": row.category,
        "plan": plan,
        "option_plans": [],
    }


def channel_view(row: PhyServer, channel: PhyChannel) -> dict[str, Any]:
    return {
        "port_channel_id": channel.channel_id,
        "bonding_type": channel.bonding,
        "ports": [port.port_id for port in row.ports if port.channel == channel.channel_id],
        "locked": row.shown_lock() is not None,
        "link_speed_type": channel.speed,
    }


def port_view(world: World, row: PhyServer, port: PhyPort) -> dict[str, Any]:
    channel = next(c for c in row.channels if c.channel_id == port.channel)
    local = SPEEDS_MBPS[channel.speed] * len(port.nics)
    return {
        "port_id": port.port_id,
        "nickname": port.nickname,
        "port_channel_id": port.channel,
        "mode": port.mode,
        "global_bandwidth_mbps": 500 if port.internet is not None else None,
        "local_bandwidth_mbps": local if port.private_networks else None,
        "enabled": port.enabled,
        "internet": _internet_view(world, port),
        "private_networks": [
            {"private_network_id": network, "nickname": service_of(world, network).name}
            for network in port.private_networks
        ],
    }


def _internet_view(world: World, port: PhyPort) -> dict[str, Any] | None:
    if port.internet is None:
        return None
    network, dedicated = COMMON_SUBNET, None
    if port.dedicated_subnet is not None:
        item = item_of(world, port.dedicated_subnet)
        assert isinstance(item, DedicatedSubnetItem)
        network = item.network
        dedicated = {
            "dedicated_subnet_id": item.service_id,
            "nickname": service_of(world, item.service_id).name,
        }
    return {
        "subnet_type": port.internet,
        "dedicated_subnet": dedicated,
        "network_address": str(network.network_address),
        "prefix_length": network.prefixlen,
    }


def server_view(world: World, row: PhyServer) -> dict[str, Any]:
    item = server_item(world, row.service_id)
    spec = item.spec.model_dump(mode="json")
    speeds = [channel.speed for channel in row.channels]
    spec["port_channel_1gbe_count"] = speeds.count("1gbe")
    spec["port_channel_10gbe_count"] = speeds.count("10gbe")
    spec["total_storage_device_count"] = sum(storage.device_count for storage in item.spec.storages)
    return {
        "server_id": row.service_id,
        "service": quiet_view(world, row.service_id),
        "zone": {"zone_id": item.zone_id, "region": item.region},
        "spec": spec,
        "cached_power_status": {"status": row.cached, "stored": timestamp(row.cached_at)},
        "ipv4": _ipv4_view(item),
        "port_channels": [channel_view(row, channel) for channel in row.channels],
        "ports": [port_view(world, row, port) for port in row.ports],
        "lock_status": row.shown_lock(),
    }


def _ipv4_view(item: PhyServerItem) -> dict[str, Any] | None:
    if item.ipv4 is None:
        return None
    return {
        "type": "common_ip_address",
        "ip_address": str(item.ipv4),
        "network_address": str(COMMON_SUBNET.network_address),
        "prefix_length": COMMON_SUBNET.prefixlen,
        "gateway_address": str(COMMON_GATEWAY),
        "name_servers": list(NAME_SERVERS),
    }


def subnet_view(world: World, item: DedicatedSubnetItem) -> dict[str, Any]:
    block: IPv4Network = item.network
    using = [r for r in servers_of(world) if any(p.dedicated_subnet == item.service_id for p in r.ports)]
    gateway = str(block[1])
    return {
        "dedicated_subnet_id": item.service_id,
        "service": quiet_view(world, item.service_id),
        "zone": {"zone_id": item.zone_id, "region": item.region},
        "ipv4": {
            "network_address": str(block.network_address),
            "prefix_length": block.prefixlen,
            "gateway_address": gateway,
            "broadcast_address": str(block.broadcast_address),
            "special_use_addresses": [
                {
                    "ip_address": gateway,
                    "description": "",
                    "type": "gateway",
                    "server": None,
                    "use_rdns": False,
                },
                {
                    "ip_address": str(block[2]),
                    "description": "",
                    "type": "gateway_real",
                    "server": None,
                    "use_rdns": False,
                },
                {
                    "ip_address": str(block[3]),
                    "description": "",
                    "type": "gateway_real",
                    "server": None,
                    "use_rdns": False,
                },
            ],
        },
        "ipv6": {
            "enabled": False,
            "network_address": None,
            "prefix_length": None,
            "gateway_address": None,
            "broadcast_address": None,
            "special_use_addresses": [],
        },
        "server_count": len(using),
        "firewall": None,
        "load_balancer": None,
        "config_status": "operational",
    }


def network_view(world: World, item: PrivateNetworkItem) -> dict[str, Any]:
    using = [r for r in servers_of(world) if any(item.service_id in p.private_networks for p in r.ports)]
    return {
        "private_network_id": item.service_id,
        "service": quiet_view(world, item.service_id),
        "zone": {"zone_id": item.zone_id, "region": item.region},
        "vlan_id": item.vlan_id,
        "hybrid": hybrid.network_side(world, item.service_id),
        "server_count": len(using),
    }
