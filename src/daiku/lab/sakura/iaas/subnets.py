"""Subnets of a router+switch, as the switch, the router and the NICs on it show them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from daiku.lab.sakura.iaas.models import Internet, Subnet, UserSubnet
from daiku.lab.sakura.iaas.wire import Id

SERVICE_CLASS = "cloud/internet/router/{mbps}m"


def bandwidth_view(row: Internet) -> dict[str, Any]:
    return {"BandWidthMbps": row.bandwidth, "ServiceClass": SERVICE_CLASS.format(mbps=row.bandwidth)}


def default_route(subnet: Subnet) -> str | None:
    """The router's address; the first two behind it are its two machines. Routed subnets have none."""
    return None if subnet.next_hop else str(IPv4Network(f"{subnet.network}/{subnet.mask}")[1])


def usable(subnet: Subnet) -> tuple[str, str]:
    """First and last address for the customer."""
    network = IPv4Network(f"{subnet.network}/{subnet.mask}")
    return (str(network[0]), str(network[-1])) if subnet.next_hop else (str(network[4]), str(network[-2]))


def each(subnet: Subnet) -> list[str]:
    """The customer's addresses one by one."""
    low, high = (int(IPv4Address(end)) for end in usable(subnet))
    return [str(IPv4Address(number)) for number in range(low, high + 1)]


def subnet_view(row: Internet, subnet: Subnet) -> dict[str, Any]:
    low, high = usable(subnet)
    return {
        "ID": Id(subnet.id),
        "NetworkAddress": subnet.network,
        "NetworkMaskLen": subnet.mask,
        "DefaultRoute": default_route(subnet),
        "NextHop": subnet.next_hop,
        "StaticRoute": None,
        "ServiceClass": "cloud/global-ip-address-v4/28",
        "IPAddresses": {"Min": low, "Max": high},
        "Internet": {"BandWidthMbps": row.bandwidth},
    }


def subnets_view(row: Internet) -> list[dict[str, Any]]:
    return [subnet_view(row, subnet) for subnet in row.subnets]


def user_subnet_view(subnet: UserSubnet | None) -> dict[str, Any] | None:
    if subnet is None:
        return None
    return {"DefaultRoute": subnet.default_route, "NetworkMaskLen": subnet.mask}
