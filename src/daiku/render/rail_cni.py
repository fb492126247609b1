"""A rail as pods see it: names, and the chain of CNI plugins with its addresses. Pure values; the objects of the
cluster and the files of the machines are made of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from daiku.plan.model import NodePlan, PoolPlan, RailPlan, RailPort
from daiku.plan.nodes import DOMAIN

LEASES = "/run/daiku/rail-leases"
"""Addresses that a machine's pods hold, on its own range: gone with a reboot, like the pods."""
_RESOURCE = re.compile(r"[a-zA-Z0-9_]+")
_SYSCTLS = {
    # A pod has an interface a rail, each in its own subnet: each answers for its own address only.
    "net.ipv4.conf.IFNAME.arp_announce": "2",
    "net.ipv4.conf.IFNAME.arp_ignore": "1",
    "net.ipv4.conf.IFNAME.rp_filter": "2",
}


@dataclass(frozen=True, slots=True)
class RailName:
    """`network` names the attachment definition, `resource` the devices without their prefix."""

    network: str
    resource: str

    @property
    def full_resource(self) -> str:
        """As pods ask for it."""
        return f"{DOMAIN}/{self.resource}"


def rail_name(pool: str, rail: int) -> RailName:
    """Names of one rail of a pool. ValueError: no resource can be named after the pool."""
    network = f"{pool}-rail{rail}"
    resource = network.replace("-", "_")
    if not _RESOURCE.fullmatch(resource):
        raise ValueError(f"{resource!r} cannot name a resource of the SR-IOV operator")
    return RailName(network, resource)


def cluster_wide_addresses(rail: RailPlan) -> dict[str, Any]:
    """IPAM by Whereabouts: addresses of the upper half, with the mask of the whole subnet, leased in the cluster."""
    pods = IPv4Network(rail.pods_cidr)
    ipam: dict[str, Any] = {
        "type": "whereabouts",
        "range": rail.subnet,
        # Not the first and last address of the half: the first may be the router's, the last is the subnet's
        # broadcast.
        "range_start": str(pods.network_address + 1),
        "range_end": str(pods.broadcast_address - 1),
    }
    return ipam | _way_out(rail)


def addresses_of_node(rail: RailPlan, port: RailPort) -> dict[str, Any]:
    """IPAM without any lease in the cluster: of a NIC that moves into the pod its own address, of virtual functions
    one of the range that the plan gave the machine."""
    if not port.pods_first:
        own: dict[str, Any] = {"address": port.address_cidr}
        if rail.gateway:
            own["gateway"] = rail.gateway
        return {"type": "static", "addresses": [own]} | _way_out(rail)
    pool: dict[str, Any] = {
        "subnet": rail.subnet,
        "rangeStart": port.pods_first,
        "rangeEnd": port.pods_last,
    }
    if rail.gateway:
        pool["gateway"] = rail.gateway
    return {"type": "host-local", "dataDir": LEASES, "ranges": [[pool]]} | _way_out(rail)


def _way_out(rail: RailPlan) -> dict[str, Any]:
    return {"routes": [{"dst": cidr, "gw": rail.gateway} for cidr in rail.routes]} if rail.routes else {}


def further_plugins(pool: PoolPlan, rail: RailPlan) -> list[dict[str, Any]]:
    """What comes after the interface is in the pod: its RDMA device, its kernel settings, a table of its own."""
    plugins: list[dict[str, Any]] = []
    if pool.attach == "sriov":
        plugins.append({"type": "rdma"})
    plugins.append({"type": "tuning", "sysctl": _SYSCTLS | dict(pool.sysctls)})
    if rail.gateway:
        # Several routed rails in one pod: what has a rail's address as its source leaves by that rail.
        plugins.append({"type": "sbr"})
    return plugins


def node_config(pool: PoolPlan, rail: RailPlan, node: NodePlan) -> dict[str, Any]:
    """The network of one rail on one machine, as Multus reads it from the machine's disk when the attachment
    definition has no configuration of its own. The device that the pod was given is filled in by Multus."""
    port = node.rails[rail.rail]
    first: dict[str, Any] = {"type": "sriov", "link_state": "auto"}
    if pool.attach == "host-device":
        first = {"type": "host-device"}
    first["ipam"] = addresses_of_node(rail, port)
    return {
        "cniVersion": "1.0.0",
        "name": rail_name(rail.pool, rail.rail).network,
        "plugins": [first, *further_plugins(pool, rail)],
    }


def canonical(value: Any) -> str:
    """JSON with sorted keys, on one line."""
    return json.dumps(value, sort_keys=True)
