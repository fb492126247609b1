"""The lab's inventory from a cluster file: the servers, networks and contracts that the file adopts exist already.

So a user rehearses with the very file that builds the real cluster. Spare servers follow the last ID of each pool,
so that growing the pool can be rehearsed too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from daiku.lab.sakura.inventory import (
    Account,
    AwsConnectItem,
    HybridItem,
    Inventory,
    PhyServerItem,
    PortItem,
    PrivateNetworkItem,
    RailItem,
)
from daiku.spec.cluster import Cluster
from daiku.spec.machines import GpuPool

_FIRST_PUBLIC_HOST = 10


def inventory(
    cluster: Cluster, *, account: Account, secrets: Mapping[str, str], spares: int = 12
) -> Inventory:
    """What must exist before the first API call for `cluster` to be built.

    secrets: environment variable -> value, for the secrets that the file names (the AWS connection's peer key).
    spares: further PHY servers a pool.
    """
    hybrid = cluster.network.node.hybrid
    networks = {hybrid.private_network} if hybrid else set[str]()
    servers = list(_servers(cluster, spares))
    return Inventory(
        account=account,
        phy_servers=tuple(servers),
        private_networks=tuple(
            PrivateNetworkItem(service_id=network, nickname=f"{cluster.name}-node", vlan_id=100 + index)
            for index, network in enumerate(sorted(networks))
        ),
        hybrid=tuple(
            HybridItem(private_network=network, switch_tag=f"hybrid={network}")
            for network in sorted(networks)
        ),
        aws_connect=(
            (
                AwsConnectItem(
                    resource_id=cluster.aws.connect.resource_id,
                    secret_key=secrets[cluster.aws.connect.secret_key.from_env],
                    prefixes=(cluster.aws.vpc.cidr,),  # pyright: ignore[reportArgumentType] - pydantic parses it
                ),
            )
            if cluster.aws
            else ()
        ),
    )


def _servers(cluster: Cluster, spares: int) -> Iterator[PhyServerItem]:
    host = _FIRST_PUBLIC_HOST
    for pool in cluster.gpu_pools:
        ids = sorted(node.id for node in pool.nodes)
        last = int(ids[-1])
        ids += [f"{last + extra:012d}" for extra in range(1, spares + 1)]
        for service_id in ids:
            yield _server(pool, service_id, f"198.51.100.{host}")
            host += 1


def _server(pool: GpuPool, service_id: str, address: str) -> PhyServerItem:
    return PhyServerItem(
        service_id=service_id,
        nickname=f"{pool.name}-{service_id[-4:]}",
        ipv4=address,  # pyright: ignore[reportArgumentType] - pydantic parses it
        ports=(
            PortItem(
                nic=pool.provisioning_port,
                nickname=pool.provisioning_port,
                mac=_mac(service_id, pool.provisioning_port),
                internet="common_subnet",
            ),
            PortItem(nic=pool.node_port, nickname=pool.node_port, mac=_mac(service_id, pool.node_port)),
        ),
        rails=tuple(
            RailItem(
                nic=rail.nic,
                mac=_mac(service_id, rail.nic),
                segment=f"rail-{pool.name}-{number}",
                mtu=pool.fabric.mtu,
            )
            for number, rail in enumerate(pool.fabric.rails)
        ),
    )


def _mac(service_id: str, nic: str) -> str:
    """A locally administered address that depends on the server and the NIC alone."""
    digest = hashlib.sha256(f"{service_id}/{nic}".encode()).hexdigest()
    return ":".join(["02", *(digest[i : i + 2] for i in range(0, 10, 2))])
