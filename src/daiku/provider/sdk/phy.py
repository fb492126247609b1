"""Bare metal of the PHY service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi

from daiku.provider.sdk.base import Resource


class PhyInstallArgs(TypedDict):
    """An OS installation by the PHY API. Everything on the disks is lost."""

    image: pulumi.Input[str]
    ssh_public_keys: pulumi.Input[Sequence[pulumi.Input[str]]]
    generation: NotRequired[pulumi.Input[int]]


class PhyLocalAddressArgs(TypedDict):
    """The address on the private network, set over SSH as /etc/netplan/50-daiku.yaml."""

    address: pulumi.Input[str]
    interface: NotRequired[pulumi.Input[str]]
    mac_address: NotRequired[pulumi.Input[str]]
    gateway: NotRequired[pulumi.Input[str]]
    nameservers: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    mtu: NotRequired[pulumi.Input[int]]


class PhyServerArgs(TypedDict):
    """Inputs of `PhyServer`."""

    server_id: pulumi.Input[str]
    nickname: NotRequired[pulumi.Input[str]]
    release_policy: NotRequired[pulumi.Input[str]]
    install: NotRequired[pulumi.Input[PhyInstallArgs]]
    local_address: NotRequired[pulumi.Input[PhyLocalAddressArgs]]


class PhyServer(Resource):
    """A dedicated server of the PHY service. It cannot be ordered by API: it is adopted by its ID, and
    deletion releases it as `releasePolicy` says.
    """

    zone: pulumi.Output[str]
    ip_address: pulumi.Output[str]
    incarnation: pulumi.Output[str]
    installed_at: pulumi.Output[str]
    host_key: pulumi.Output[str]
    power: pulumi.Output[str]
    cpu_model: pulumi.Output[str]
    memory_gb: pulumi.Output[int]
    port_ids: pulumi.Output[Sequence[int]]

    def __init__(
        self, resource_name: str, args: PhyServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:phy:PhyServer", resource_name, args, opts)


class PhyNetworkArgs(TypedDict):
    """Inputs of `PhyNetwork`."""

    server_id: pulumi.Input[str]
    port: pulumi.Input[str]
    mode: NotRequired[pulumi.Input[str]]
    private_network_ids: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    internet: NotRequired[pulumi.Input[str]]
    enabled: NotRequired[pulumi.Input[bool]]
    disable_ports: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    incarnation: NotRequired[pulumi.Input[str]]


class PhyNetwork(Resource):
    """The network assignment of one port of a PHY server, and the sealing of others. The API allows five
    network changes in five minutes a server. Deletion restores what was there before.
    """

    port_id: pulumi.Output[str]
    previous: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: PhyNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:phy:PhyNetwork", resource_name, args, opts)
