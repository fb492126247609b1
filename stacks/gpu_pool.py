"""GPU bare metal on the PHY service: servers are adopted by ID, installed once, and joined to the node network.

A node is two resources, the server and its wiring: the engine's local state grows with every resource, and pools
grow to hundreds of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from daiku.plan.model import NodePlan
from daiku.provider import sdk
from daiku.stacks.common import Component


@dataclass(frozen=True, kw_only=True)
class GpuPoolArgs:
    """`private_network` is the PHY network that the hybrid connection joins with the node switch."""

    nodes: tuple[NodePlan, ...]
    private_network: str
    ssh_keys: tuple[str, ...]


class GpuPool(Component):
    """`servers` is by node name. The public port is switched off once the node network is up."""

    servers: dict[str, sdk.PhyServer]

    def __init__(self, name: str, args: GpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("GpuPool", name, opts)
        self.servers = {node.name: self._node(node, args) for node in args.nodes}
        self.register_outputs({"servers": {name: server.id for name, server in self.servers.items()}})

    def _node(self, node: NodePlan, args: GpuPoolArgs) -> sdk.PhyServer:
        assert node.phy_id is not None
        server = sdk.PhyServer(
            node.name,
            {
                "server_id": node.phy_id,
                "nickname": node.name,
                "release_policy": node.release_policy or "keep",
                "install": {"image": node.image, "ssh_public_keys": list(args.ssh_keys)},
                # No gateway yet: the port is not on the node network before the wiring below, and until then the
                # answers to the bastion have to leave through the public port. `apply` sets the gateway.
                "local_address": {
                    "address": node.address_cidr,
                    "interface": node.interface,
                    "mtu": node.mtu,
                },
            },
            self.child(),
        )
        wiring: sdk.PhyNetworkArgs = {
            "server_id": node.phy_id,
            "port": node.interface,
            "mode": "access",
            "private_network_ids": [args.private_network],
            "internet": "none",
            "incarnation": server.incarnation,
        }
        if node.provisioning_interface is not None:
            wiring["disable_ports"] = [node.provisioning_interface]
        sdk.PhyNetwork(f"{node.name}-wiring", wiring, self.child(after=[server]))
        return server
