"""From rows to a `Topology`: what the two APIs' state means in cables, machines and boxes.

A segment is named after the first thing that makes it: `pn-ID` for a PHY private network (also when a cloud switch is
joined to it), else `sw-ID` of the switch with the lowest id; rails keep the inventory's names.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from daiku.lab.sakura.iaas.models import Appliance, Bridge, Disk, Interface, Server, Switch
from daiku.lab.sakura.iaas.server_view import disks_of, nics_of
from daiku.lab.sakura.inventory import COMMON_GATEWAY, COMMON_SUBNET, PhyServerItem
from daiku.lab.sakura.phy.models import PhyPort, PhyServer
from daiku.lab.topology import (
    INTERNET,
    Balancer,
    Forward,
    Machine,
    Nic,
    RealServer,
    Router,
    Segment,
    Topology,
    VirtualIp,
)

if TYPE_CHECKING:
    from daiku.lab.sakura.world import World


def topology(world: World) -> Topology:
    """The whole, in a stable order. The caller holds the world's lock."""
    names = segment_names(world)
    vms = [_vm(world, row, names) for row in world.rows(Server)]
    items = {item.service_id: item for item in world.inventory.phy_servers}
    phys = [
        _phy(row, items[row.service_id], names) for row in world.rows(PhyServer) if row.service_id in items
    ]
    boxes = [a for a in world.rows(Appliance) if a.availability == "available"]
    return Topology(
        segments=_segments(world, names),
        machines=tuple(sorted((*vms, *phys), key=lambda machine: machine.id)),
        routers=tuple(_router(a, names) for a in boxes if a.class_ == "vpcrouter"),
        balancers=tuple(_balancer(a, names) for a in boxes if a.class_ == "loadbalancer"),
    )


def segment_names(world: World) -> dict[str, str]:
    """`sw-ID` and `pn-ID` to the name of the segment that they are part of."""
    groups: list[set[str]] = [{f"pn-{item.service_id}"} for item in world.inventory.private_networks]
    switches = world.rows(Switch)
    groups += [{f"sw-{row.id}"} for row in switches]
    cables = [(f"sw-{row.id}", f"pn-{row.hybrid}") for row in switches if row.hybrid is not None]
    for bridge in world.rows(Bridge):
        ends = [f"sw-{row.id}" for row in switches if row.bridge == bridge.id]
        cables += [(ends[0], end) for end in ends[1:]]
    for one, other in cables:
        joined = [group for group in groups if one in group or other in group]
        groups = [group for group in groups if group not in joined] + [set[str]().union(*joined)]
    return {member: min(group) for group in groups for member in group}


def _segments(world: World, names: dict[str, str]) -> tuple[Segment, ...]:
    mtus = dict.fromkeys(names.values(), 1500) | {INTERNET: 1500}
    for item in world.inventory.private_networks:
        mtus[names[f"pn-{item.service_id}"]] = item.mtu
    for item in world.inventory.dedicated_subnets:
        mtus[f"ds-{item.service_id}"] = 1500
    for server in world.inventory.phy_servers:
        mtus |= {rail.segment: rail.mtu for rail in server.rails}
    return tuple(Segment(name, mtu) for name, mtu in sorted(mtus.items()))


def _vm(world: World, row: Server, names: dict[str, str]) -> Machine:
    disks = disks_of(world, row.id)
    boot = disks[0] if disks else None
    installed = boot.installed if boot is not None and boot.availability == "available" else None
    return Machine(
        id=str(row.uid),
        kind="vm",
        power=row.power.status == "up",
        boots=row.power.boots,
        root=f"disk-{boot.id}" if boot is not None and installed is not None and not row.silent else "",
        hostname=installed.hostname if installed is not None else "",
        login=installed.login if installed is not None else "root",
        authorized_keys=tuple(installed.authorized_keys) if installed is not None else (),
        nics=tuple(_vm_nic(i, nic, boot, names) for i, nic in enumerate(nics_of(world, row.id))),
    )


def _vm_nic(index: int, nic: Interface, boot: Disk | None, names: dict[str, str]) -> Nic:
    segment = INTERNET if nic.shared else names.get(f"sw-{nic.switch}")
    addresses: tuple[str, ...] = ()
    gateway: str | None = None
    installed = boot.installed if boot is not None else None
    if index == 0 and installed is not None:
        if installed.address and installed.mask:
            addresses = (f"{installed.address}/{installed.mask}",)
            gateway = installed.default_route or None
        elif nic.shared and nic.address is not None:
            addresses, gateway = (f"{nic.address}/{COMMON_SUBNET.prefixlen}",), str(COMMON_GATEWAY)
    return Nic(f"eth{index}", nic.mac, segment, addresses, gateway)


def _phy(row: PhyServer, item: PhyServerItem, names: dict[str, str]) -> Machine:
    vlans = {name.removeprefix("pn-") for name in names if name.startswith("pn-")}
    macs = {port.nic: port.mac for port in item.ports}
    nics = [nic for port in row.ports for nic in _port_nics(port, macs, item, names, vlans)]
    nics += [Nic(rail.nic, rail.mac, rail.segment) for rail in item.rails]
    installed = row.installed if row.lock != "os_install" else None
    return Machine(
        id=row.service_id,
        kind="phy",
        power=row.power == "on" and row.lock != "os_install",
        boots=row.boots,
        root=f"phy-{row.service_id}-{installed.generation}"
        if installed is not None and not row.silent
        else "",
        hostname="localhost" if installed is not None else "",
        login=installed.login if installed is not None else "root",
        authorized_keys=tuple(installed.authorized_keys) if installed is not None else (),
        nics=tuple(nics),
    )


def _port_nics(
    port: PhyPort, macs: dict[str, str], item: PhyServerItem, names: dict[str, str], known: set[str]
) -> list[Nic]:
    """The first NIC of a port carries it (a bond has one link here); a trunk's networks become `NIC.NETWORK`."""
    first, *others = port.nics
    idle = [Nic(name, macs[name], None) for name in others]
    networks = [network for network in port.private_networks if network in known]
    if not port.enabled:
        return [Nic(first, macs[first], None), *idle]
    addresses: tuple[str, ...] = ()
    gateway: str | None = None
    segment: str | None = None
    if port.internet == "common_subnet":
        segment = INTERNET
        if item.ipv4 is not None:
            addresses, gateway = (f"{item.ipv4}/{COMMON_SUBNET.prefixlen}",), str(COMMON_GATEWAY)
    elif port.internet == "dedicated_subnet":
        segment = f"ds-{port.dedicated_subnet}"
    elif port.mode == "access" and networks:
        segment = names[f"pn-{networks[0]}"]
    nics = [Nic(first, macs[first], segment, addresses, gateway), *idle]
    if port.mode == "trunk":
        nics += [Nic(f"{first}.{network}", macs[first], names[f"pn-{network}"]) for network in networks]
    return nics


def _router(row: Appliance, names: dict[str, str]) -> Router:
    live: dict[str, Any] = row.applied or {}
    legs = live.get("Interfaces") or []
    nics: list[Nic] = []
    for nic in row.nics:
        if nic.index == 0:
            nics.append(
                Nic(
                    "eth0",
                    nic.mac,
                    INTERNET,
                    (f"{row.outer}/{COMMON_SUBNET.prefixlen}",),
                    str(COMMON_GATEWAY),
                )
            )
            continue
        leg: dict[str, Any] = (legs[nic.index] if nic.index < len(legs) else None) or {}
        mask = leg.get("NetworkMaskLen")
        owned = [leg.get("VirtualIPAddress"), *(leg.get("IPAddress") or ())]
        addresses = tuple(f"{address}/{mask}" for address in owned if address and mask)
        nics.append(Nic(f"eth{nic.index}", nic.mac, names.get(f"sw-{nic.switch}"), addresses))
    rules = _block(live, "PortForwarding")
    forwards = [
        Forward(int(rule["GlobalPort"]), rule["PrivateAddress"], int(rule["PrivatePort"]))
        for rule in rules
        if rule["Protocol"] == "tcp"
    ]
    egress = (live.get("InternetConnection") or {}).get("Enabled", "False") == "True"
    return Router(
        id=str(row.id),
        power=row.power.status == "up",
        public_address=row.public,
        nics=tuple(nics),
        forwards=tuple(forwards),
        nat=egress,
    )


def _block(settings: dict[str, Any], key: str) -> list[dict[str, Any]]:
    block = settings.get(key) or {}
    return list(block.get("Config") or ()) if block.get("Enabled") == "True" else []


def _balancer(row: Appliance, names: dict[str, str]) -> Balancer:
    network = row.remark["Network"]
    mask = IPv4Network(f"0.0.0.0/{network['NetworkMaskLen']}").prefixlen
    addresses = tuple(f"{server['IPAddress']}/{mask}" for server in row.remark["Servers"])
    nic = row.nics[0]
    vips = (row.applied or {}).get("LoadBalancer") or []
    return Balancer(
        id=str(row.id),
        power=row.power.status == "up",
        nic=Nic(
            "eth0", nic.mac, names.get(f"sw-{nic.switch}"), addresses, network.get("DefaultRoute") or None
        ),
        vips=tuple(
            VirtualIp(
                vip["VirtualIPAddress"],
                int(vip["Port"]),
                tuple(_real(server) for server in vip.get("Servers") or ()),
            )
            for vip in vips
        ),
    )


def _real(server: dict[str, Any]) -> RealServer:
    check: dict[str, Any] = server.get("HealthCheck") or {}
    return RealServer(
        address=server["IPAddress"],
        port=int(server["Port"]),
        enabled=server.get("Enabled", "True") == "True",
        check=check.get("Protocol", "tcp"),
        path=check.get("Path") or "",
        status=int(check.get("Status") or 200),
    )
