"""Networks: the node L2, pods, services, the way out, load balancing and the ways in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from daiku.spec.base import (
    Address,
    AnyCidr,
    Cidr,
    Disruption,
    Domain,
    Model,
    Name,
    OnChange,
    Port,
    ServiceId,
)


class Hybrid(Model):
    """The L2 joining of the cloud switch with a PHY private network (ordered in Sakura's control panel)."""

    private_network: Annotated[
        ServiceId,
        OnChange(Disruption.REPLACE),
        Field(description="Service ID of the PHY private network that the switch is joined with."),
    ]


class NodeNetwork(Model):
    """The one L2 that joins control plane, management and GPU nodes."""

    cidr: Annotated[Cidr, OnChange(Disruption.REBUILD), Field(description="Range of the node network.")]
    gateway: Annotated[
        Address | None,
        OnChange(Disruption.REBUILD),
        Field(description="Default gateway: the VPC router's address. Default: the first address."),
    ] = None
    mtu: Annotated[int, OnChange(Disruption.ROLLING_RESTART), Field(ge=1280, le=9000)] = 1500
    hybrid: Annotated[Hybrid | None, OnChange(Disruption.REPLACE, "GPU nodes lose the cluster")] = None


class PodNetwork(Model):
    cidr: Annotated[Cidr, OnChange(Disruption.REBUILD)] = "10.244.0.0/16"
    node_mask: Annotated[
        int,
        OnChange(Disruption.REBUILD),
        Field(ge=20, le=28, description="Prefix length of each node's share."),
    ] = 24
    mode: Annotated[
        Literal["vxlan", "native"],
        OnChange(Disruption.ROLLING_RESTART, "all agents restart together: plan a maintenance window"),
    ] = "vxlan"


class BgpPeer(Model):
    """A router outside the cluster."""

    address: Annotated[Address, OnChange(Disruption.APPLY)]
    asn: Annotated[int, OnChange(Disruption.APPLY), Field(ge=1, le=4_294_967_295)]
    multihop: Annotated[
        int,
        OnChange(Disruption.APPLY),
        Field(ge=1, le=255, description="Hops to the router; 1: on the node network."),
    ] = 1


class Bgp(Model):
    """What nodes tell outside routers. Node-to-node traffic never depends on it: Cilium's BGP only announces."""

    local_asn: Annotated[
        int,
        OnChange(Disruption.APPLY, "sessions restart"),
        Field(ge=1, le=4_294_967_295, description="AS number of the cluster."),
    ]
    peers: Annotated[tuple[BgpPeer, ...], OnChange(Disruption.APPLY), Field(min_length=1, max_length=8)]
    advertise: Annotated[
        tuple[Literal["pods", "load-balancers"], ...],
        OnChange(Disruption.APPLY),
        Field(
            min_length=1, max_length=2, description="Each node's pod range, or addresses of load balancers."
        ),
    ] = ("load-balancers",)
    pool: Annotated[
        Name,
        OnChange(Disruption.APPLY),
        Field(description="The machines that speak BGP: control-plane, management or a GPU pool."),
    ] = "management"


class ServiceNetwork(Model):
    cidr: Annotated[Cidr, OnChange(Disruption.REBUILD)] = "10.96.0.0/16"
    domain: Annotated[Domain, OnChange(Disruption.REBUILD)] = "cluster.local"


class Egress(Model):
    """The way out: a VPC router's source NAT. Nothing comes in but the forwarded bastion port."""

    router: Annotated[
        Literal["standard", "premium", "highspec", "highspec4000"],
        OnChange(Disruption.REPLACE, "nodes lose the internet while the router is replaced"),
        Field(
            description="VPC router plan: standard 80 Mbps single; premium 400 Mbps, highspec 1.6 Gbps, "
            "highspec4000 4 Gbps, all redundant."
        ),
    ] = "premium"
    bandwidth_mbps: Annotated[
        int | None,
        OnChange(Disruption.APPLY, "the router+switch gets a new ID"),
        Field(
            description="Bandwidth of the router+switch: 100, 250, 500 or 1000 to 10000 by 500. "
            "Not for plan standard. Default: 500."
        ),
    ] = None
    vrid: Annotated[
        int,
        OnChange(Disruption.REPLACE, "nodes lose the internet while the router is replaced"),
        Field(ge=1, le=255, description="VRRP group of a redundant router."),
    ] = 10
    dns: Annotated[tuple[Address, ...], OnChange(Disruption.APPLY), Field(min_length=1, max_length=3)] = (
        "133.242.0.3",
        "133.242.0.4",
    )


class Network(Model):
    node: NodeNetwork
    pods: PodNetwork = PodNetwork()
    services: ServiceNetwork = ServiceNetwork()
    egress: Egress = Egress()
    bgp: Annotated[Bgp | None, OnChange(Disruption.APPLY, "its routes go")] = None


class Ingress(Model):
    vip: Annotated[Address, OnChange(Disruption.APPLY), Field(description="VIP of the ingress controllers.")]
    ports: Annotated[tuple[Port, ...], OnChange(Disruption.APPLY), Field(min_length=1, max_length=18)] = (
        80,
        443,
    )


class LoadBalancer(Model):
    """Sakura's L4 DSR load balancer: API server redundancy and ingress."""

    plan: Annotated[Literal["standard", "highspec"], OnChange(Disruption.REPLACE)] = "standard"
    addresses: Annotated[
        tuple[Address, ...],
        OnChange(Disruption.REPLACE),
        Field(
            max_length=2,
            description="Own addresses; two make it redundant. Default: the eighth of the node network, "
            "for plan highspec the ninth too.",
        ),
    ] = ()
    vrid: Annotated[int, OnChange(Disruption.REPLACE), Field(ge=1, le=255)] = 1
    api_vip: Annotated[
        Address, OnChange(Disruption.REBUILD), Field(description="VIP of the API servers, port 6443.")
    ]
    ingress: Annotated[Ingress | None, OnChange(Disruption.APPLY)] = None


class Access(Model):
    """How people and daiku come in: SSH to the bastion (management node 1) through the VPC router."""

    bastion_port: Annotated[Port, OnChange(Disruption.APPLY)] = 20022
    allow_from: Annotated[tuple[AnyCidr, ...], OnChange(Disruption.APPLY)] = ("0.0.0.0/0",)
    authorized_keys: Annotated[
        tuple[str, ...],
        OnChange(Disruption.APPLY),
        Field(description="Public keys of people, next to the cluster's own deploy key."),
    ] = ()
