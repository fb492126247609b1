"""Which addresses are handed out: always the lowest free one, so that a run can be repeated.

127.77.0.0/24 is the public side of routers on the shared segment, 127.77.1.0 and up the blocks of router+switches:
loopback, so that the lab can publish their port forwards. 198.51.100.0/24 is the lab's internet segment.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from daiku.lab.sakura.iaas.models import Appliance, Interface, Internet
from daiku.lab.sakura.iaas.wire import IaasError
from daiku.lab.sakura.inventory import COMMON_SUBNET
from daiku.lab.sakura.world import World

SHARED_PUBLIC = IPv4Network("127.77.0.0/24")
BLOCKS = IPv4Network("127.77.0.0/16")
_FIRST_COMMON = 129


def mac(row_id: int) -> str:
    """A NIC's address from its row's id, in Sakura's range."""
    return "9c:a3:ba:" + (row_id & 0xFFFFFF).to_bytes(3, "big").hex(":")


def _lowest(candidates: Iterable[IPv4Address], used: set[str], what: str) -> str:
    for address in candidates:
        if str(address) not in used:
            return str(address)
    raise IaasError(503, f"No {what} address is left.")


def common(world: World, count: int = 1) -> str:
    """A free address of the lab's internet segment. 503 unless there are `count`."""
    used = {nic.address for nic in world.rows(Interface)} | {a.outer for a in world.rows(Appliance)}
    used |= {str(item.ipv4) for item in world.inventory.phy_servers}
    hosts = [COMMON_SUBNET[n] for n in range(_FIRST_COMMON, COMMON_SUBNET.num_addresses - 1)]
    free = [host for host in hosts if str(host) not in used]
    if len(free) < count:
        raise IaasError(503, "No shared address is left.")
    return str(free[0])


def shared_public(world: World) -> str:
    """A free loopback address for a router on the shared segment."""
    used = {a.public for a in world.rows(Appliance)}
    return _lowest((SHARED_PUBLIC[n] for n in range(10, 255)), used, "public")


def block(world: World, mask: int) -> str:
    """The network address of a free block for a router+switch."""
    used = [IPv4Network(f"{s.network}/{s.mask}") for row in world.rows(Internet) for s in row.subnets]
    for network in BLOCKS.subnets(new_prefix=mask):
        if not network.overlaps(SHARED_PUBLIC) and not any(network.overlaps(other) for other in used):
            return str(network.network_address)
    raise IaasError(503, "No address block is left.")
