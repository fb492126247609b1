"""The VPC router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi

from daiku.provider.sdk.base import Resource


class VpcRouterPublicInterfaceArgs(TypedDict):
    """The public side of a redundant router (plan premium and above)."""

    switch_id: pulumi.Input[str]
    virtual_ip_address: pulumi.Input[str]
    ip_addresses: pulumi.Input[Sequence[pulumi.Input[str]]]
    vrid: pulumi.Input[int]
    aliases: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]


class VpcRouterPrivateInterfaceArgs(TypedDict):
    """A private NIC, eth1 to eth7."""

    index: pulumi.Input[int]
    switch_id: pulumi.Input[str]
    virtual_ip_address: NotRequired[pulumi.Input[str]]
    ip_addresses: pulumi.Input[Sequence[pulumi.Input[str]]]
    network_mask_len: pulumi.Input[int]


class VpcRouterStaticNatArgs(TypedDict):
    """One global address that stands for one private address."""

    global_address: pulumi.Input[str]
    private_address: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]


class VpcRouterPortForwardingArgs(TypedDict):
    """One port of the public address that leads to a private host."""

    protocol: NotRequired[pulumi.Input[str]]
    global_port: pulumi.Input[int]
    private_address: pulumi.Input[str]
    private_port: pulumi.Input[int]
    description: NotRequired[pulumi.Input[str]]


class VpcRouterFirewallRuleArgs(TypedDict):
    """One rule; the first that matches decides."""

    protocol: pulumi.Input[str]
    source_network: NotRequired[pulumi.Input[str]]
    source_port: NotRequired[pulumi.Input[str]]
    destination_network: NotRequired[pulumi.Input[str]]
    destination_port: NotRequired[pulumi.Input[str]]
    action: NotRequired[pulumi.Input[str]]
    logging: NotRequired[pulumi.Input[bool]]
    description: NotRequired[pulumi.Input[str]]


class VpcRouterFirewallArgs(TypedDict):
    """The rules of one NIC."""

    index: NotRequired[pulumi.Input[int]]
    receive: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterFirewallRuleArgs]]]]
    send: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterFirewallRuleArgs]]]]


class VpcRouterDhcpServerArgs(TypedDict):
    """A DHCP range on one private NIC."""

    index: pulumi.Input[int]
    range_start: pulumi.Input[str]
    range_stop: pulumi.Input[str]
    dns_servers: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]


class VpcRouterDhcpStaticMappingArgs(TypedDict):
    """A fixed address for one MAC address."""

    mac_address: pulumi.Input[str]
    ip_address: pulumi.Input[str]


class VpcRouterDnsForwardingArgs(TypedDict):
    """DNS forwarding for a private NIC."""

    index: pulumi.Input[int]
    dns_servers: pulumi.Input[Sequence[pulumi.Input[str]]]


class VpcRouterStaticRouteArgs(TypedDict):
    """One route."""

    prefix: pulumi.Input[str]
    next_hop: pulumi.Input[str]


class VpcRouterSiteToSiteArgs(TypedDict):
    """A site-to-site IPsec tunnel."""

    peer: pulumi.Input[str]
    remote_id: pulumi.Input[str]
    pre_shared_secret: pulumi.Input[str]
    routes: pulumi.Input[Sequence[pulumi.Input[str]]]
    local_prefixes: pulumi.Input[Sequence[pulumi.Input[str]]]


class VpcRouterIpsecArgs(TypedDict):
    """How all IPsec tunnels are negotiated."""

    ike_lifetime: NotRequired[pulumi.Input[int]]
    dpd_interval: NotRequired[pulumi.Input[int]]
    dpd_timeout: NotRequired[pulumi.Input[int]]
    esp_lifetime: NotRequired[pulumi.Input[int]]
    encryption: NotRequired[pulumi.Input[str]]
    hash: NotRequired[pulumi.Input[str]]
    dh_group: NotRequired[pulumi.Input[str]]


class VpcRouterPptpArgs(TypedDict):
    """Remote access by PPTP."""

    range_start: pulumi.Input[str]
    range_stop: pulumi.Input[str]


class VpcRouterL2tpArgs(TypedDict):
    """Remote access by L2TP/IPsec."""

    range_start: pulumi.Input[str]
    range_stop: pulumi.Input[str]
    pre_shared_secret: pulumi.Input[str]


class VpcRouterWireGuardPeerArgs(TypedDict):
    """A WireGuard peer."""

    name: pulumi.Input[str]
    ip_address: pulumi.Input[str]
    public_key: pulumi.Input[str]


class VpcRouterWireGuardArgs(TypedDict):
    """The WireGuard server."""

    ip_address: pulumi.Input[str]
    peers: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterWireGuardPeerArgs]]]]


class VpcRouterUserArgs(TypedDict):
    """A remote access account."""

    name: pulumi.Input[str]
    password: pulumi.Input[str]


class VpcRouterMaintenanceArgs(TypedDict):
    """The hour in which Sakura may restart the router."""

    day_of_week: pulumi.Input[int]
    hour: pulumi.Input[int]


class VpcRouterArgs(TypedDict):
    """Inputs of `VpcRouter`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]
    plan: NotRequired[pulumi.Input[str]]
    version: NotRequired[pulumi.Input[int]]
    public_interface: NotRequired[pulumi.Input[VpcRouterPublicInterfaceArgs]]
    private_interfaces: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterPrivateInterfaceArgs]]]]
    internet_connection: NotRequired[pulumi.Input[bool]]
    static_nat: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterStaticNatArgs]]]]
    port_forwardings: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterPortForwardingArgs]]]]
    firewalls: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterFirewallArgs]]]]
    dhcp_servers: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterDhcpServerArgs]]]]
    dhcp_static_mappings: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterDhcpStaticMappingArgs]]]]
    dns_forwarding: NotRequired[pulumi.Input[VpcRouterDnsForwardingArgs]]
    static_routes: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterStaticRouteArgs]]]]
    site_to_site: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterSiteToSiteArgs]]]]
    ipsec: NotRequired[pulumi.Input[VpcRouterIpsecArgs]]
    pptp: NotRequired[pulumi.Input[VpcRouterPptpArgs]]
    l2tp: NotRequired[pulumi.Input[VpcRouterL2tpArgs]]
    wire_guard: NotRequired[pulumi.Input[VpcRouterWireGuardArgs]]
    users: NotRequired[pulumi.Input[Sequence[pulumi.Input[VpcRouterUserArgs]]]]
    syslog_host: NotRequired[pulumi.Input[str]]
    maintenance: NotRequired[pulumi.Input[VpcRouterMaintenanceArgs]]


class VpcRouter(Resource):
    """A VPC router. Its settings are saved and applied: what the state shows is live."""

    resource_id: pulumi.Output[str]
    applied: pulumi.Output[bool]
    public_ip: pulumi.Output[str]
    wire_guard_public_key: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: VpcRouterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:VpcRouter", resource_name, args, opts)
