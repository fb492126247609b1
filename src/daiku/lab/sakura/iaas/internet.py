"""Router+switch: an address block, a switch that comes with it, and a bandwidth whose change gives a new id."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from daiku.lab.sakura.iaas import addresses
from daiku.lab.sakura.iaas.bodies import Address, Body, Common, parse, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.catalog import BANDWIDTHS_MBPS
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Internet, Ipv6Net, Subnet, Switch
from daiku.lab.sakura.iaas.subnets import bandwidth_view, each, subnet_view, subnets_view, usable
from daiku.lab.sakura.iaas.switch import refuse_if_used
from daiku.lab.sakura.iaas.wire import (
    Call,
    Id,
    Reply,
    bad_request,
    common_view,
    conflict,
    created,
    done,
    not_found,
    routes,
    single,
)
from daiku.lab.sakura.world import World

MASKS = (26, 27, 28)
HIDDEN_SECONDS = 10.0


class InternetBody(Common):
    BandWidthMbps: int | None = None
    NetworkMaskLen: int | None = None


class SubnetBody(Body):
    NetworkMaskLen: int = 28
    NextHop: Address = ""


def internet_view(world: World, row: Internet) -> dict[str, Any]:
    switch = world.find(Switch, row.switch)
    ipv6 = [] if row.ipv6 is None else [ipv6_view(row.ipv6)]
    return (
        common_view(row)
        | bandwidth_view(row)
        | {
            "Scope": "user",
            "NetworkMaskLen": row.mask,
            "Switch": {
                "ID": Id(row.switch),
                "Name": switch.name if switch is not None else row.name,
                "Scope": "user",
                "Subnets": subnets_view(row),
                "IPv6Nets": ipv6,
            },
        }
    )


def ipv6_view(net: Ipv6Net) -> dict[str, Any]:
    return {"ID": Id(net.id), "IPv6Prefix": net.prefix, "IPv6PrefixLen": 64, "Scope": "Global"}


def _bandwidth(value: int | None) -> int:
    if value not in BANDWIDTHS_MBPS:
        raise bad_request("Internet.BandWidthMbps: no such plan")
    return value


@routes.on("GET", "/internet")
def find(call: Call) -> Reply:
    return listing(call, "Internet", [internet_view(call.world, row) for row in call.all(Internet)])


@routes.on("POST", "/internet")
def create(call: Call) -> Reply:
    body = parse_in(call, "Internet", InternetBody)
    require_name(body)
    bandwidth = _bandwidth(body.BandWidthMbps)
    if body.NetworkMaskLen not in MASKS:
        raise bad_request("Internet.NetworkMaskLen: 26, 27 or 28 is wanted")
    mask = body.NetworkMaskLen
    network = addresses.block(call.world, mask)
    world, hidden = call.world, call.now + HIDDEN_SECONDS
    switch = Switch(id=world.new_id(), zone=call.zone, visible_at=hidden)
    row = Internet(
        id=world.new_id(), zone=call.zone, switch=switch.id, bandwidth=bandwidth, mask=mask, visible_at=hidden
    )
    row.subnets = [Subnet(id=world.new_id(), network=network, mask=mask)]
    switch.internet = row.id
    for record in (switch, row):
        set_common(record, body, call.now)
        world.add(record)
    return created("Internet", internet_view(world, row))


@routes.on("GET", "/internet/{id}")
def read(call: Call) -> Reply:
    return single("Internet", internet_view(call.world, call.get(Internet)))


@routes.on("PUT", "/internet/{id}")
def update(call: Call) -> Reply:
    row = call.get(Internet)
    set_common(row, parse_in(call, "Internet", InternetBody), call.now)
    switch = call.world.find(Switch, row.switch)
    if switch is not None:
        switch.name = row.name
    return single("Internet", internet_view(call.world, row))


@routes.on("DELETE", "/internet/{id}")
def delete(call: Call) -> Reply:
    row = call.get(Internet)
    switch = call.world.find(Switch, row.switch)
    if len(row.subnets) > 1 or row.ipv6 is not None:
        raise conflict("The router has subnets or an IPv6 network.")
    if switch is not None:
        refuse_if_used(call.world, switch)
    view = internet_view(call.world, row)
    if switch is not None:
        call.world.remove(switch)
    call.world.remove(row)
    return single("Internet", view)


@routes.on("PUT", "/internet/{id}/bandwidth")
def change_bandwidth(call: Call) -> Reply:
    row = call.get(Internet)
    row.bandwidth = _bandwidth(parse_in(call, "Internet", InternetBody).BandWidthMbps)
    row.modified = call.now
    call.world.rename(row, call.world.new_id())
    switch = call.world.find(Switch, row.switch)
    if switch is not None:
        switch.internet = row.id
    return single("Internet", internet_view(call.world, row))


def _next_hop(row: Internet, address: str) -> str:
    low, high = (IPv4Address(end) for end in usable(row.subnets[0]))
    if not address or not low <= IPv4Address(address) <= high:
        raise bad_request(f"NextHop: an address from {low} to {high} is wanted")
    return address


def _routed(call: Call) -> tuple[Internet, Subnet]:
    row = call.get(Internet)
    for subnet in row.subnets[1:]:
        if subnet.id == int(call.holes["subnet"]):
            return row, subnet
    raise not_found()


def _routed_view(row: Internet, subnet: Subnet) -> dict[str, Any]:
    """These calls list the block's addresses one by one, where other views say from and to."""
    addresses_ = [{"IPAddress": address, "HostName": None} for address in each(subnet)]
    return subnet_view(row, subnet) | {"IPAddresses": addresses_}


@routes.on("POST", "/internet/{id}/subnet")
def add_subnet(call: Call) -> Reply:
    row = call.get(Internet)
    body = parse(call, SubnetBody, call.body)
    if body.NetworkMaskLen not in MASKS:
        raise bad_request("NetworkMaskLen: 26, 27 or 28 is wanted")
    hop = _next_hop(row, body.NextHop)
    network = addresses.block(call.world, body.NetworkMaskLen)
    subnet = Subnet(id=call.world.new_id(), network=network, mask=body.NetworkMaskLen, next_hop=hop)
    row.subnets = [*row.subnets, subnet]
    return created("Subnet", _routed_view(row, subnet))


@routes.on("PUT", "/internet/{id}/subnet/{subnet}")
def update_subnet(call: Call) -> Reply:
    row, subnet = _routed(call)
    subnet.next_hop = _next_hop(row, parse(call, SubnetBody, call.body).NextHop)
    return single("Subnet", _routed_view(row, subnet))


@routes.on("DELETE", "/internet/{id}/subnet/{subnet}")
def delete_subnet(call: Call) -> Reply:
    row, subnet = _routed(call)
    row.subnets = [other for other in row.subnets if other.id != subnet.id]
    return done()


@routes.on("POST", "/internet/{id}/ipv6net")
def enable_ipv6(call: Call) -> Reply:
    row = call.get(Internet)
    if row.ipv6 is not None:
        raise conflict("The router has an IPv6 network already.")
    net_id = call.world.new_id()
    row.ipv6 = Ipv6Net(id=net_id, prefix=f"2001:db8:{net_id >> 16 & 0xFFFF:x}:{net_id & 0xFFFF:x}::")
    return created("IPv6Net", ipv6_view(row.ipv6))


@routes.on("DELETE", "/internet/{id}/ipv6net/{net}")
def disable_ipv6(call: Call) -> Reply:
    row = call.get(Internet)
    if row.ipv6 is None or row.ipv6.id != int(call.holes["net"]):
        raise not_found()
    row.ipv6 = None
    return done()
