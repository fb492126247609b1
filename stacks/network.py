"""The node network: one L2 switch, and the VPC router that is its only way in and out.

Nodes reach the internet through the router's source NAT. From outside only one port leads in, to the bastion's SSH.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from daiku.plan.model import NodeNetworkPlan, RouterPlan
from daiku.provider import sdk
from daiku.stacks.common import Component, sakura_tags

SSH_PORT = 22
ROUTER_GLOBAL_RANGE = 28
"""Prefix length of the redundant router's own global range: the smallest that can be ordered."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Decisions only: this component depends on nothing else."""

    cluster: str
    network: NodeNetworkPlan
    router: RouterPlan


class Network(Component):
    """`switch_id` is the L2 of all nodes; `router_address` the global address of the forwarded port."""

    switch_id: pulumi.Output[str]
    router_id: pulumi.Output[str]
    router_address: pulumi.Output[str]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Network", name, opts)
        prefix = args.router.prefix_length
        self.switch = sdk.Switch(
            "nodes",
            {
                "name": f"{args.cluster}-nodes",
                "tags": sakura_tags(args.cluster, *_hybrid(args.network)),
                "default_route": args.network.gateway,
                "network_mask_len": prefix,
            },
            self.child(),
        )
        self.router = self._router(args, prefix)
        self.switch_id = self.switch.resource_id
        self.router_id = self.router.resource_id
        self.router_address = self.router.public_ip
        self.register_outputs({"switchId": self.switch_id, "routerAddress": self.router_address})

    def _router(self, args: NetworkArgs, prefix: int) -> sdk.VpcRouter:
        plan = args.router
        private: sdk.VpcRouterPrivateInterfaceArgs = {
            "index": 1,
            "switch_id": self.switch.resource_id,
            "ip_addresses": list(plan.addresses),
            "network_mask_len": prefix,
        }
        settings: sdk.VpcRouterArgs = {
            "name": f"{args.cluster}-router",
            "tags": sakura_tags(args.cluster),
            "plan": plan.plan,
            "internet_connection": True,
            "port_forwardings": [
                {
                    "protocol": "tcp",
                    "global_port": plan.bastion_port,
                    "private_address": plan.bastion_address,
                    "private_port": SSH_PORT,
                    "description": "bastion",
                }
            ],
            "firewalls": firewall(plan),
            "static_routes": [{"prefix": r.to, "next_hop": r.via} for r in plan.routes if r.via is not None],
        }
        if plan.bandwidth_mbps is not None:
            virtual, *own = plan.addresses
            private["virtual_ip_address"] = virtual
            private["ip_addresses"] = own
            settings["public_interface"] = self._public_side(args.cluster, plan, plan.bandwidth_mbps)
        settings["private_interfaces"] = [private]
        return sdk.VpcRouter("router", settings, self.child())

    def _public_side(
        self, cluster: str, plan: RouterPlan, bandwidth_mbps: int
    ) -> sdk.VpcRouterPublicInterfaceArgs:
        """A redundant router stands on a router+switch of its own and takes its first three addresses."""
        uplink = sdk.Internet(
            "uplink",
            {
                "name": f"{cluster}-uplink",
                "tags": sakura_tags(cluster),
                "bandwidth_mbps": bandwidth_mbps,
                "network_mask_len": ROUTER_GLOBAL_RANGE,
            },
            self.child(),
        )
        addresses = uplink.ip_addresses
        return {
            "switch_id": uplink.switch_id,
            "virtual_ip_address": addresses.apply(lambda a: a[0]),
            "ip_addresses": [addresses.apply(lambda a: a[1]), addresses.apply(lambda a: a[2])],
            "vrid": plan.vrid,
        }


def _hybrid(network: NodeNetworkPlan) -> list[str]:
    """The PHY network that is to be joined with the switch: the joining is ordered by hand and cannot be seen here."""
    return [] if network.private_network is None else [f"hybrid={network.private_network}"]


def firewall(plan: RouterPlan) -> list[sdk.VpcRouterFirewallArgs]:
    """Rules of the public NIC that leave the bastion's port to `allow_from`; none when everybody may come.

    Both the forwarded port and the port behind it are named, because Sakura does not say whether a filter sees a
    packet before or after the forwarding.
    """
    if "0.0.0.0/0" in plan.allow_from:
        return []
    ports = sorted({str(plan.bastion_port), str(SSH_PORT)})
    allowed = [_rule("allow", port, source) for source in plan.allow_from for port in ports]
    return [{"index": 0, "receive": [*allowed, *(_rule("deny", port) for port in ports)]}]


def _rule(action: str, port: str, source: str = "") -> sdk.VpcRouterFirewallRuleArgs:
    return {
        "protocol": "tcp",
        "source_network": source,
        "destination_port": port,
        "action": action,
        "logging": action == "deny",
    }
