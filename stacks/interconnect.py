"""Sakura's side of the AWS connection: a local router on the node network, peered with the connection option."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from daiku.plan.model import ConnectPlan
from daiku.provider import sdk
from daiku.stacks.common import Component, sakura_tags


@dataclass(frozen=True, kw_only=True)
class InterconnectArgs:
    """`secret_key` is the peer's; it is kept as a secret. `gateway` is the node network's."""

    cluster: str
    account_id: str
    plan: ConnectPlan
    switch_id: pulumi.Input[str]
    gateway: str
    secret_key: str = field(repr=False)


class Interconnect(Component):
    """The peer and its values come on paper and are adopted; deletion takes the peer out, the order stays."""

    local_router_id: pulumi.Output[str]
    connect_id: pulumi.Output[str]

    def __init__(self, name: str, args: InterconnectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Interconnect", name, opts)
        plan, router = args.plan, args.plan.local_router
        self.local_router = sdk.LocalRouter(
            "local-router",
            {
                "name": f"{args.cluster}-local-router",
                "tags": sakura_tags(args.cluster),
                "switch_id": args.switch_id,
                "virtual_ip_address": router.vip,
                "ip_addresses": list(router.addresses),
                "network_mask_len": router.prefix_length,
                "vrid": router.vrid,
                "static_routes": [{"prefix": prefix, "next_hop": args.gateway} for prefix in router.routes],
            },
            self.child(),
        )
        self.connect = sdk.AwsConnect(
            "aws-connect",
            {
                "local_router_id": self.local_router.resource_id,
                "peer_id": plan.resource_id,
                "secret_key": pulumi.Output.secret(args.secret_key),
                "description": f"{args.cluster} to AWS",
                "aws_account_id": args.account_id,
                "vif_type": plan.type,
                "vlan": plan.vlan,
                "amazon_asn": plan.amazon_asn,
                "customer_asn": plan.customer_asn,
                "amazon_address": plan.amazon_address,
                "customer_address": plan.customer_address,
            },
            self.child(),
        )
        self.local_router_id = self.local_router.resource_id
        self.connect_id = self.connect.id
        self.register_outputs({"localRouterId": self.local_router_id, "connectId": self.connect_id})
