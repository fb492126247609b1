"""The account's global addresses, blocks and IPv6 networks of a zone, as listings of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from daiku.lab.sakura.iaas.bodies import Body, parse_in
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.internet import ipv6_view
from daiku.lab.sakura.iaas.models import Interface, Internet, ReverseName, Server, Subnet, Switch
from daiku.lab.sakura.iaas.subnets import bandwidth_view, default_route, each, subnet_view
from daiku.lab.sakura.iaas.wire import Call, Id, Reply, bad_request, not_found, routes, single
from daiku.lab.sakura.records import timestamp

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|")


class AddressBody(Body):
    HostName: str | None = None


def _blocks(call: Call) -> Iterator[tuple[Internet, Subnet]]:
    for row in call.all(Internet):
        for subnet in row.subnets:
            yield row, subnet


def _reverse(call: Call) -> dict[str, ReverseName]:
    return {row.address: row for row in call.all(ReverseName)}


def address_views(call: Call) -> list[dict[str, Any]]:
    """Addresses of NICs on the shared segment, then those of every block, in order."""
    names = _reverse(call)
    views = list[dict[str, Any]]()
    for nic in call.all(Interface):
        if nic.shared and nic.address is not None:
            owner = call.world.find(Server, nic.server)
            server = None if owner is None else {"ID": Id(owner.id), "Name": owner.name}
            interface = {"ID": Id(nic.id), "IPAddress": nic.address, "Server": server}
            views.append({"IPAddress": nic.address, "Interface": interface, "Subnet": None})
    for row, subnet in _blocks(call):
        shown = subnet_view(row, subnet)
        views += [{"IPAddress": address, "Interface": None, "Subnet": shown} for address in each(subnet)]
    return [
        {"HostName": names[view["IPAddress"]].name if view["IPAddress"] in names else None} | view
        for view in views
    ]


def _one(call: Call) -> dict[str, Any]:
    for view in address_views(call):
        if view["IPAddress"] == call.holes["address"]:
            return view
    raise not_found()


@routes.on("GET", "/ipaddress")
def find_addresses(call: Call) -> Reply:
    return listing(call, "IPAddress", address_views(call))


@routes.on("GET", "/ipaddress/{address:address}")
def read_address(call: Call) -> Reply:
    return single("IPAddress", _one(call))


@routes.on("PUT", "/ipaddress/{address:address}")
def name_address(call: Call) -> Reply:
    """Sets what the address resolves to; an empty name takes it away. No DNS zone is looked at here."""
    address = str(_one(call)["IPAddress"])
    wanted = parse_in(call, "IPAddress", AddressBody).HostName or ""
    if _HOST_NAME.fullmatch(wanted) is None:
        raise bad_request("HostName: not a host name")
    row = _reverse(call).get(address)
    if row is None and wanted:
        call.world.add(ReverseName(id=call.world.new_id(), zone=call.zone, address=address, name=wanted))
    elif row is not None and wanted:
        row.name, row.modified = wanted, call.now
    elif row is not None:
        call.world.remove(row)
    return single("IPAddress", _one(call))


def _subnet_resource(call: Call, row: Internet, subnet: Subnet) -> dict[str, Any]:
    """A block by itself shows its addresses one by one, and hangs on the router's switch."""
    switch = call.world.find(Switch, row.switch)
    router = {"ID": Id(row.id), "Name": row.name} | bandwidth_view(row)
    names = _reverse(call)
    return subnet_view(row, subnet) | {
        "CreatedAt": timestamp(row.created),
        "DefaultRoute": default_route(subnet),
        "ServiceID": Id(row.id),
        "Internet": router,
        "Switch": {"ID": Id(row.switch), "Name": switch.name if switch else row.name, "Internet": router},
        "IPAddresses": [
            {"IPAddress": address, "HostName": names[address].name if address in names else None}
            for address in each(subnet)
        ],
    }


@routes.on("GET", "/subnet")
def find_subnets(call: Call) -> Reply:
    return listing(call, "Subnets", [_subnet_resource(call, row, subnet) for row, subnet in _blocks(call)])


@routes.on("GET", "/subnet/{id}")
def read_subnet(call: Call) -> Reply:
    for row, subnet in _blocks(call):
        if subnet.id == int(call.holes["id"]):
            return single("Subnet", _subnet_resource(call, row, subnet))
    raise not_found()


def _ipv6_resource(row: Internet) -> dict[str, Any] | None:
    if row.ipv6 is None:
        return None
    return ipv6_view(row.ipv6) | {
        "IPv6PrefixTail": row.ipv6.prefix.replace("::", ":ffff:ffff:ffff:ffff"),
        "ServiceID": Id(row.id),
        "ServiceClass": "cloud/global-ip-address-v6/64",
        "NamedIPv6AddrCount": 0,
        "CreatedAt": timestamp(row.created),
        "Switch": {"ID": Id(row.switch), "Name": row.name, "Internet": {"ID": Id(row.id)}},
    }


@routes.on("GET", "/ipv6net")
def find_ipv6(call: Call) -> Reply:
    views = [_ipv6_resource(row) for row in call.all(Internet)]
    return listing(call, "IPv6Nets", [view for view in views if view is not None])


@routes.on("GET", "/ipv6net/{id}")
def read_ipv6(call: Call) -> Reply:
    for row in call.all(Internet):
        view = _ipv6_resource(row)
        if view is not None and row.ipv6 is not None and row.ipv6.id == int(call.holes["id"]):
            return single("IPv6Net", view)
    raise not_found()
