"""A machine's network as files: name, known names, interfaces and routes, kernel settings of the network."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.model import NodePlan, Plan, Route
from daiku.render.bundle import HostFile
from daiku.render.engine import render
from daiku.render.triggers import SYSCTL_BRIDGE_FILE, SYSCTL_FILE

NETPLAN = "/etc/netplan/50-daiku.yaml"
NETPLAN_VIPS = "/etc/netplan/60-daiku-vips.yaml"
"""Only on machines with virtual addresses. A control plane may get it only after it has joined: with the
address on its own loopback it would look for the API server, and with it for etcd's members, on itself."""
API_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
"""What kubeadm writes when a machine becomes a control plane, and removes when it stops being one."""
_IMAGE_NETPLANS = ("00-installer-config.yaml", "01-netcfg.yaml", "50-cloud-init.yaml")
"""Where the images of VMs and GPU servers leave the network of their first boot."""


@dataclass(frozen=True, slots=True)
class Hostname:
    template: ClassVar[str] = "host/hostname.j2"
    name: str


@dataclass(frozen=True, slots=True)
class HostsEntry:
    address: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hosts:
    template: ClassVar[str] = "host/hosts.j2"
    entries: tuple[HostsEntry, ...]


@dataclass(frozen=True, slots=True)
class Port:
    """One Ethernet device. `mtu` 0 leaves the device's own; an `optional` one does not hold up the boot."""

    name: str
    comment: str = ""
    optional: bool = False
    mtu: int = 0
    addresses: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Netplan:
    template: ClassVar[str] = "host/netplan.yaml.j2"
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class NetplanVips:
    template: ClassVar[str] = "host/netplan-vips.yaml.j2"
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetplanNeutral:
    template: ClassVar[str] = "host/netplan-neutral.yaml.j2"
    instead: str


@dataclass(frozen=True, slots=True)
class CloudNetwork:
    template: ClassVar[str] = "host/cloud-network.cfg.j2"
    instead: str


@dataclass(frozen=True, slots=True)
class Sysctl:
    """`vip_interface` is the device that hears ARP for the virtual addresses, empty on machines without
    them."""

    template: ClassVar[str] = "host/sysctl.conf.j2"
    gpu: bool
    vip_interface: str
    rails: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SysctlBridge:
    template: ClassVar[str] = "host/sysctl-bridge.conf.j2"
    module: str


def network_files(plan: Plan, node: NodePlan) -> tuple[HostFile, ...]:
    """The network files of one machine. None of them names another GPU node: adding one changes no other
    machine.

    ValueError: a route of the plan leaves by a device that the machine does not have.
    """
    neutral = render(NetplanNeutral(NETPLAN))
    return (
        HostFile("/etc/hostname", render(Hostname(node.name)), trigger="hostname"),
        HostFile("/etc/hosts", render(hosts(plan, node))),
        HostFile(NETPLAN, render(netplan(node)), mode=0o600, trigger="netplan"),
        *_vips(node),
        *(
            HostFile(f"/etc/netplan/{name}", neutral, mode=0o600, trigger="netplan")
            for name in _IMAGE_NETPLANS
        ),
        HostFile("/etc/cloud/cloud.cfg.d/99-daiku-network.cfg", render(CloudNetwork(NETPLAN))),
        HostFile(SYSCTL_FILE, render(sysctl(node)), trigger="sysctl"),
        HostFile(SYSCTL_BRIDGE_FILE, render(SysctlBridge("br_netfilter")), trigger="sysctl-bridge"),
    )


def _vips(node: NodePlan) -> tuple[HostFile, ...]:
    if not node.vips:
        return ()
    content = render(NetplanVips(tuple(f"{vip}/32" for vip in node.vips)))
    return (HostFile(NETPLAN_VIPS, content, mode=0o600, trigger="netplan", after=vips_after(node)),)


def vips_after(node: NodePlan) -> str:
    """The path that must be there before the machine carries its virtual addresses; empty: none."""
    return API_MANIFEST if node.role == "control-plane" else ""


def hosts(plan: Plan, node: NodePlan) -> Hosts:
    """Names that a machine must resolve before there is any DNS: itself, the control plane, the virtual
    addresses."""
    names: dict[str, list[str]] = {node.address: [node.name]}
    for other in plan.by_role("control-plane"):
        if other.name != node.name:
            names.setdefault(other.address, []).append(other.name)
    for vip in plan.load_balancer.vips:
        known = names.setdefault(vip.address, [])
        further = [name for name in plan.api_names if not _is_address(name)] if vip.name == "api" else []
        known += [n for n in (f"{plan.cluster}-{vip.name}", *sorted(further)) if n not in known]
    return Hosts(tuple(HostsEntry(address, tuple(said)) for address, said in names.items()))


def netplan(node: NodePlan) -> Netplan:
    """The node interface with its address, default route and DNS; the provisioning port; the rails."""
    default = Route(to="default", dev=node.interface, via=node.gateway)
    routes: dict[str, list[Route]] = {node.interface: [default]}
    devices = {node.interface, *(rail.nic for rail in node.rails)}
    for route in node.routes:
        if route.dev not in devices:
            raise ValueError(
                f"{node.name}: the route to {route.to} leaves by {route.dev}, which it does not have"
            )
        routes.setdefault(route.dev, []).append(route)
    ports = [
        Port(
            node.interface,
            mtu=node.mtu,
            addresses=(node.address_cidr,),
            dns=node.dns,
            routes=tuple(routes[node.interface]),
        )
    ]
    if node.provisioning_interface:
        sealed = "The provisioning port: used for the first contact only, then without address."
        ports.append(Port(node.provisioning_interface, sealed, optional=True))
    ports += [
        Port(
            rail.nic,
            f"Rail {rail.rail}, subnet {rail.subnet}; {rail.pods_cidr} belongs to pods.",
            optional=True,
            mtu=rail.mtu,
            addresses=(rail.address_cidr,),
            routes=tuple(routes.get(rail.nic, ())),
        )
        for rail in node.rails
    ]
    return Netplan(tuple(ports))


def sysctl(node: NodePlan) -> Sysctl:
    """Kernel settings by what the machine carries."""
    return Sysctl(
        gpu=node.role == "gpu",
        # Only the node interface, not `all`: the kernel takes the higher of both, and rails must answer.
        vip_interface=node.interface if node.vips else "",
        rails=tuple(rail.nic for rail in node.rails),
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
