"""Defaults that depend on other settings: what daiku decides when the file is silent.

Layout of the first /24 of the node network (offsets from the network address):

    1        gateway: the VPC router (plan standard), or its VIP (redundant plans, then 2 and 3 are the real ones)
    8, 9     load balancer (9 for plan highspec)
    11..     control plane, by number
    31..     management nodes, by number

Pool k (from 0) has the (k+1)-th /24 after it. All functions are total: a network that is too small gives addresses
outside it, and the plan's checks say so with the line.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from daiku.spec.cluster import Cluster

CONTROL_PLANE_OFFSET = 10
MANAGEMENT_OFFSET = 30
MAX_CONTROL_PLANES = 7
DEFAULT_BANDWIDTH_MBPS = 500


def node_network(cluster: Cluster) -> IPv4Network:
    return IPv4Network(cluster.network.node.cidr)


def at(network: IPv4Network, offset: int) -> str:
    """The address that many after the start of a network, as text."""
    return str(IPv4Address(int(network.network_address) + offset))


def gateway(cluster: Cluster) -> str:
    """The nodes' default gateway."""
    return cluster.network.node.gateway or at(node_network(cluster), 1)


def router_addresses(cluster: Cluster) -> tuple[str, ...]:
    """The VPC router's private leg: its address, or its VIP and then the two real ones."""
    if cluster.network.egress.router == "standard":
        return (gateway(cluster),)
    network = node_network(cluster)
    return (gateway(cluster), at(network, 2), at(network, 3))


def load_balancer_addresses(cluster: Cluster) -> tuple[str, ...]:
    """The load balancer's own addresses: one, or two when it is redundant."""
    if cluster.load_balancer.addresses:
        return cluster.load_balancer.addresses
    network = node_network(cluster)
    return (at(network, 8), at(network, 9)) if cluster.load_balancer.plan == "highspec" else (at(network, 8),)


def bandwidth_mbps(cluster: Cluster) -> int | None:
    """Of the router+switch in front of the VPC router; None for plan standard, which has none."""
    egress = cluster.network.egress
    return None if egress.router == "standard" else (egress.bandwidth_mbps or DEFAULT_BANDWIDTH_MBPS)


def pool_block(cluster: Cluster, position: int) -> IPv4Network:
    """The node addresses of the pool at that place in the file."""
    given = cluster.gpu_pools[position].addresses
    return (
        IPv4Network(given) if given else IPv4Network(f"{at(node_network(cluster), 256 * (position + 1))}/24")
    )


def fill(cluster: Cluster) -> Cluster:
    """The same cluster with every default written out, nodes by index: their place in the list means nothing."""
    network = cluster.network.model_copy(
        update={
            "node": cluster.network.node.model_copy(update={"gateway": gateway(cluster)}),
            "egress": cluster.network.egress.model_copy(update={"bandwidth_mbps": bandwidth_mbps(cluster)}),
        }
    )
    balancer = cluster.load_balancer.model_copy(update={"addresses": load_balancer_addresses(cluster)})
    pools = tuple(
        pool.model_copy(
            update={
                "addresses": str(pool_block(cluster, position)),
                "nodes": tuple(sorted(pool.nodes, key=lambda n: (n.index, n.id))),
            }
        )
        for position, pool in enumerate(cluster.gpu_pools)
    )
    return cluster.model_copy(update={"network": network, "load_balancer": balancer, "gpu_pools": pools})
