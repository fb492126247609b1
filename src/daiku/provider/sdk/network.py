"""Networks of Sakura Cloud: switches, routers, filters, load balancers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi

from daiku.provider.sdk.base import Resource


class SwitchArgs(TypedDict):
    """Inputs of `Switch`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]
    default_route: NotRequired[pulumi.Input[str]]
    network_mask_len: NotRequired[pulumi.Input[int]]
    bridge_id: NotRequired[pulumi.Input[str]]


class Switch(Resource):
    """A switch: one L2 network of a zone."""

    resource_id: pulumi.Output[str]
    hybrid_connection_id: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: SwitchArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:Switch", resource_name, args, opts)


class BridgeArgs(TypedDict):
    """Inputs of `Bridge`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]


class Bridge(Resource):
    """A bridge: joins one switch a zone into one L2 network."""

    resource_id: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: BridgeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:Bridge", resource_name, args, opts)


class InternetSubnetArgs(TypedDict):
    """A further range of global addresses, routed to one address of the first."""

    network_mask_len: pulumi.Input[int]
    next_hop: pulumi.Input[str]


class InternetArgs(TypedDict):
    """Inputs of `Internet`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]
    bandwidth_mbps: NotRequired[pulumi.Input[int]]
    network_mask_len: NotRequired[pulumi.Input[int]]
    subnets: NotRequired[pulumi.Input[Sequence[pulumi.Input[InternetSubnetArgs]]]]
    ipv6: NotRequired[pulumi.Input[bool]]


class Internet(Resource):
    """Router+switch: a range of global addresses on a switch of its own."""

    resource_id: pulumi.Output[str]
    switch_id: pulumi.Output[str]
    network_address: pulumi.Output[str]
    gateway: pulumi.Output[str]
    ip_addresses: pulumi.Output[Sequence[str]]
    subnet_addresses: pulumi.Output[Sequence[str]]
    ipv6_prefix: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: InternetArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:Internet", resource_name, args, opts)


class PacketFilterRuleArgs(TypedDict):
    """One rule; the first that matches decides."""

    protocol: pulumi.Input[str]
    source_network: NotRequired[pulumi.Input[str]]
    source_port: NotRequired[pulumi.Input[str]]
    destination_port: NotRequired[pulumi.Input[str]]
    action: NotRequired[pulumi.Input[str]]
    description: NotRequired[pulumi.Input[str]]


class PacketFilterArgs(TypedDict):
    """Inputs of `PacketFilter`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]
    rules: NotRequired[pulumi.Input[Sequence[pulumi.Input[PacketFilterRuleArgs]]]]


class PacketFilter(Resource):
    """A packet filter for NICs of servers."""

    resource_id: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: PacketFilterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:PacketFilter", resource_name, args, opts)


class LoadBalancerServerArgs(TypedDict):
    """A real server. It must listen on the VIP's port and carry the VIP on its loopback (DSR)."""

    ip_address: pulumi.Input[str]
    enabled: NotRequired[pulumi.Input[bool]]
    protocol: NotRequired[pulumi.Input[str]]
    path: NotRequired[pulumi.Input[str]]
    status: NotRequired[pulumi.Input[int]]
    retry: NotRequired[pulumi.Input[int]]
    connect_timeout: NotRequired[pulumi.Input[int]]


class LoadBalancerVipArgs(TypedDict):
    """A virtual IP address and port."""

    virtual_ip_address: pulumi.Input[str]
    port: pulumi.Input[int]
    delay_loop: NotRequired[pulumi.Input[int]]
    sorry_server: NotRequired[pulumi.Input[str]]
    description: NotRequired[pulumi.Input[str]]
    servers: NotRequired[pulumi.Input[Sequence[pulumi.Input[LoadBalancerServerArgs]]]]


class LoadBalancerArgs(TypedDict):
    """Inputs of `LoadBalancer`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]
    plan: NotRequired[pulumi.Input[str]]
    switch_id: pulumi.Input[str]
    vrid: NotRequired[pulumi.Input[int]]
    ip_addresses: pulumi.Input[Sequence[pulumi.Input[str]]]
    network_mask_len: pulumi.Input[int]
    default_route: NotRequired[pulumi.Input[str]]
    vips: NotRequired[pulumi.Input[Sequence[pulumi.Input[LoadBalancerVipArgs]]]]


class LoadBalancer(Resource):
    """An L4 DSR load balancer. VIPs and real servers change while it runs."""

    resource_id: pulumi.Output[str]
    applied: pulumi.Output[bool]

    def __init__(
        self, resource_name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:LoadBalancer", resource_name, args, opts)


class LocalRouterStaticRouteArgs(TypedDict):
    """One route."""

    prefix: pulumi.Input[str]
    next_hop: pulumi.Input[str]


class LocalRouterArgs(TypedDict):
    """Inputs of `LocalRouter`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    switch_id: pulumi.Input[str]
    switch_category: NotRequired[pulumi.Input[str]]
    switch_zone: NotRequired[pulumi.Input[str]]
    virtual_ip_address: pulumi.Input[str]
    ip_addresses: pulumi.Input[Sequence[pulumi.Input[str]]]
    network_mask_len: pulumi.Input[int]
    vrid: pulumi.Input[int]
    static_routes: NotRequired[pulumi.Input[Sequence[pulumi.Input[LocalRouterStaticRouteArgs]]]]


class LocalRouter(Resource):
    """A local router. Its peers are resources of their own (AwsConnect); others are left alone."""

    resource_id: pulumi.Output[str]
    secret_keys: pulumi.Output[Sequence[str]]

    def __init__(
        self, resource_name: str, args: LocalRouterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:LocalRouter", resource_name, args, opts)


class AwsConnectArgs(TypedDict):
    """Inputs of `AwsConnect`."""

    local_router_id: pulumi.Input[str]
    peer_id: pulumi.Input[str]
    secret_key: pulumi.Input[str]
    enabled: NotRequired[pulumi.Input[bool]]
    description: NotRequired[pulumi.Input[str]]
    aws_account_id: NotRequired[pulumi.Input[str]]
    vif_type: NotRequired[pulumi.Input[str]]
    vlan: NotRequired[pulumi.Input[int]]
    amazon_asn: NotRequired[pulumi.Input[int]]
    customer_asn: NotRequired[pulumi.Input[int]]
    amazon_address: NotRequired[pulumi.Input[str]]
    customer_address: NotRequired[pulumi.Input[str]]


class AwsConnect(Resource):
    """An AWS connection option as a peer of a local router. It is ordered in the control panel; here it is
    adopted by the peer ID and secret key that Sakura issues. Deletion takes the peer out; the order stays.
    """

    state: pulumi.Output[str]
    routes: pulumi.Output[Sequence[str]]

    def __init__(
        self, resource_name: str, args: AwsConnectArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:AwsConnect", resource_name, args, opts)
