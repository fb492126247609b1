"""GPU pools: names, identities, the block of node addresses and each node's place in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from daiku.errors import Fault
from daiku.plan import addressing
from daiku.plan.view import View
from daiku.spec.source import Path

MAX_HOST_NAME = 63


def names(view: View) -> Iterator[Fault]:
    """Pool names make host names: they must differ, from each other and from the VMs' ones."""
    first: dict[str, Path] = {}
    for _, path, pool in view.pools():
        here = (*path, "name")
        if pool.name in addressing.RESERVED_POOL_NAMES:
            hint = "taken by the cloud VMs"
            yield view.source.fault(here, f"a pool cannot be called {pool.name}", hint)
        if first.setdefault(pool.name, here) != here:
            yield view.clash(here, f"two pools are called {pool.name}", first[pool.name], "the other pool")
        longest = max((n.index for n in pool.nodes), default=1)
        name = addressing.gpu_name(view.cluster.name, pool.name, longest)
        if len(name) > MAX_HOST_NAME:
            yield view.clash(
                here,
                f"the host name {name} is longer than {MAX_HOST_NAME} characters",
                ("name",),
                "first part of the name",
                "shorten the pool's name: the cluster's cannot change",
            )


def identities(view: View) -> Iterator[Fault]:
    """A server is one node, and an index one name and one address."""
    ids: dict[str, Path] = {}
    indexes: dict[tuple[Path, int], Path] = {}
    for path, pool, node in view.gpu_nodes():
        id_path, index_path = (*path, "id"), (*path, "index")
        if ids.setdefault(node.id, id_path) != id_path:
            yield view.clash(
                id_path, f"server {node.id} is in the file twice", ids[node.id], "the first time"
            )
        key = (path[:2], node.index)
        if indexes.setdefault(key, index_path) != index_path:
            yield view.clash(
                index_path,
                f"index {node.index} is taken in pool {pool.name}",
                indexes[key],
                "the node that has it",
                "an index gives name and addresses; take a free one",
            )


def blocks(view: View) -> Iterator[Fault]:
    """Every pool's block lies in the node network and touches no other pool's."""
    network = view.node_network
    for position, path, pool in view.pools():
        block = view.block(position)
        if block.subnet_of(network) and block != network:
            continue
        given = pool.addresses is not None
        yield view.clash(
            (*path, "addresses"),
            f"block {block} of pool {pool.name} is {'not a part of' if given else 'beyond'} the node network {network}",
            ("network", "node", "cidr"),
            "node network",
            "" if given else "take a wider node network, or give the pool `addresses`",
        )
    for (a, a_path, a_pool), (b, b_path, b_pool) in combinations(view.pools(), 2):
        if view.block(a).overlaps(view.block(b)):
            yield view.clash(
                (*b_path, "addresses"),
                f"block {view.block(b)} of pool {b_pool.name} overlaps {view.block(a)} of pool {a_pool.name}",
                (*a_path, "addresses"),
                f"block {view.block(a)}",
            )


def block_places(view: View) -> Iterator[Fault]:
    """Every index has an address in its pool's block."""
    for position, path, pool in view.pools():
        block = view.block(position)
        for place, node in enumerate(pool.nodes):
            if not addressing.fits(block, node.index):
                yield view.clash(
                    (*path, "nodes", place, "index"),
                    f"index {node.index} has no address in {block}, which ends at {block.num_addresses - 2}",
                    (*path, "addresses"),
                    f"block {block} of pool {pool.name}{'' if pool.addresses else ' (default)'}",
                    "give the pool a wider block with `addresses`, or take a smaller index",
                )


def hybrid(view: View) -> Iterator[Fault]:
    """Without the hybrid connection GPU servers and cloud VMs are on two networks."""
    if view.cluster.gpu_pools and view.cluster.network.node.hybrid is None:
        yield view.clash(
            ("network", "node", "hybrid"),
            "`hybrid` is missing: GPU servers cannot reach the node network",
            ("gpuPools",),
            "pools of GPU servers",
            'hybrid: { privateNetwork: "service ID of the PHY private network" }',
        )


def interfaces(view: View) -> Iterator[Fault]:
    """Node network, first contact and every rail: a NIC each."""
    for _, path, pool in view.pools():
        taken = {pool.provisioning_port: ((*path, "provisioningPort"), "first contact")}
        uses = [((*path, "nodePort"), pool.node_port, "the node network")]
        uses += [
            ((*path, "fabric", "rails", i, "nic"), rail.nic, f"rail {i}")
            for i, rail in enumerate(pool.fabric.rails)
        ]
        for here, nic, use in uses:
            where, other = taken.setdefault(nic, (here, use))
            if where != here:
                yield view.clash(here, f"{nic} is used twice: for {use} and for {other}", where, other)
