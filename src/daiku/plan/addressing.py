"""Names and addresses of every machine. A machine's own index decides, never its place in a list or its neighbours."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Literal

from daiku.spec.defaults import CONTROL_PLANE_OFFSET, MANAGEMENT_OFFSET, at

VmRole = Literal["control-plane", "management"]

_SHORT: dict[VmRole, str] = {"control-plane": "cp", "management": "mgmt"}
_OFFSET: dict[VmRole, int] = {"control-plane": CONTROL_PLANE_OFFSET, "management": MANAGEMENT_OFFSET}

RESERVED_POOL_NAMES = frozenset({*_SHORT.values(), *_SHORT})


def vm_name(cluster: str, role: VmRole, index: int) -> str:
    """`ishikari-cp-1`. Indexes count from 1."""
    return f"{cluster}-{_SHORT[role]}-{index}"


def vm_address(network: IPv4Network, role: VmRole, index: int) -> str:
    """The address of a VM on the node network."""
    return at(network, _OFFSET[role] + index)


def gpu_name(cluster: str, pool: str, index: int) -> str:
    """`ishikari-h100-001`."""
    return f"{cluster}-{pool}-{index:03d}"


def halves(rail: IPv4Network) -> tuple[IPv4Network, IPv4Network]:
    """A rail's subnet: the lower half for the nodes, the upper for pods' virtual functions."""
    if rail.prefixlen > 30:
        return rail, rail
    lower, upper = rail.subnets(prefixlen_diff=1)
    return lower, upper


def fits(block: IPv4Network, index: int) -> bool:
    """Whether that index has an address in the block. Index 0 and the last address are never given."""
    return 0 < index < block.num_addresses - 1


def pod_share(rail: IPv4Network, index: int, vfs: int) -> tuple[str, str]:
    """First and last address of a rail that the pods of the node with that index (from 1) get, one a virtual
    function: `vfs` after each other in the upper half, past its first address. The file's other nodes mean nothing."""
    upper = halves(rail)[1]
    first = 1 + (index - 1) * vfs
    return at(upper, first), at(upper, first + vfs - 1)
