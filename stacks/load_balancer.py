"""Sakura's L4 DSR load balancer: the VIPs of the API servers and of ingress."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from daiku.plan.model import LoadBalancerPlan, VirtualIpPlan
from daiku.provider import sdk
from daiku.stacks.common import Component, sakura_tags


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    cluster: str
    plan: LoadBalancerPlan
    switch_id: pulumi.Input[str]


class LoadBalancer(Component):
    """Real servers are on the same switch and carry the VIP on their loopback."""

    resource_id: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("LoadBalancer", name, opts)
        plan = args.plan
        self.appliance = sdk.LoadBalancer(
            "load-balancer",
            {
                "name": f"{args.cluster}-lb",
                "tags": sakura_tags(args.cluster),
                "plan": plan.plan,
                "switch_id": args.switch_id,
                "vrid": plan.vrid,
                "ip_addresses": list(plan.addresses),
                "network_mask_len": plan.prefix_length,
                "default_route": plan.gateway,
                "vips": [virtual_ip(vip) for vip in plan.vips],
            },
            self.child(),
        )
        self.resource_id = self.appliance.resource_id
        self.register_outputs({"resourceId": self.resource_id})


def virtual_ip(vip: VirtualIpPlan) -> sdk.LoadBalancerVipArgs:
    """One VIP and port with its real servers and their health check."""
    return {
        "virtual_ip_address": vip.address,
        "port": vip.port,
        "description": vip.name,
        "servers": [
            {"ip_address": server.address, "protocol": vip.check, "path": vip.path} for server in vip.servers
        ],
    }
