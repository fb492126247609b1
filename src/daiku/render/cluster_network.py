"""Networks of pods: Cilium, Multus, Whereabouts and the rails' virtual functions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, ClassVar

from daiku.plan.model import Plan, RailPlan
from daiku.plan.nodes import DOMAIN
from daiku.render.cluster_parts import RAIL_GROUP_LABEL, Chart, Files, chart_note
from daiku.render.engine import render
from daiku.render.images import image, image_parts

SRIOV_NAMESPACE = "sriov-network-operator"
RAILS_NAMESPACE = "rails"
"""Holds the network attachment definitions of the rails; the only namespace whose networks all pods may
name."""
_RESOURCE = re.compile(r"[a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class CiliumValues:
    template: ClassVar[str] = "cluster/cilium/values.yaml.j2"
    cluster: str
    api_host: str
    api_port: int
    native: bool
    pods_cidr: str
    node_mask: int
    devices: tuple[str, ...]
    node_cidr: str
    mtu: int
    pods_mtu: int
    operators: int


@dataclass(frozen=True, slots=True)
class Multus:
    template: ClassVar[str] = "cluster/multus/multus.yaml.j2"
    image: str
    daemon_config: str


@dataclass(frozen=True, slots=True)
class WhereaboutsValues:
    template: ClassVar[str] = "cluster/whereabouts/values.yaml.j2"
    repository: str
    tag: str


@dataclass(frozen=True, slots=True)
class SriovValues:
    template: ClassVar[str] = "cluster/sriov/values.yaml.j2"
    resource_prefix: str


@dataclass(frozen=True, slots=True)
class RailNetwork:
    """One rail as pods see it. `ipam` is JSON, as the resource wants it."""

    name: str
    resource: str
    pool: str
    nic: str
    vfs: int
    mtu: int
    ipam: str


@dataclass(frozen=True, slots=True)
class Rails:
    template: ClassVar[str] = "cluster/rails/rails.yaml.j2"
    namespace: str
    network_namespace: str
    group_label: str
    pools: tuple[str, ...]
    rails: tuple[RailNetwork, ...]
    meta_plugins: str
    example_networks: str
    example_resource: str


def network_parts(plan: Plan) -> Files:
    """Cilium always; Multus and the rest where a pool gives virtual functions to pods."""
    files = {
        "10-cilium/chart.yaml": chart_note(plan, "cilium", "kube-system"),
        "10-cilium/values.yaml": render(cilium(plan)),
    }
    rails = tuple(rail_network(rail) for rail in plan.rails if rail.vfs)
    if not rails:
        return files
    repository, tag = image_parts(plan.release, "whereabouts")
    # This chart is published with every version of the program and carries its number.
    note = Chart("whereabouts-chart", tag.removeprefix("v").partition("@")[0], "whereabouts", "kube-system")
    return files | {
        "20-multus/multus.yaml": render(Multus(image(plan.release, "multus"), _daemon_config())),
        "21-whereabouts/chart.yaml": render(note),
        "21-whereabouts/values.yaml": render(WhereaboutsValues(repository, tag)),
        "22-sriov/chart.yaml": chart_note(plan, "sriov-network-operator", SRIOV_NAMESPACE),
        "22-sriov/values.yaml": render(SriovValues(DOMAIN)),
        "23-rails/rails.yaml": render(_rails(rails)),
    }


def cilium(plan: Plan) -> CiliumValues:
    """Values of Cilium's chart."""
    host, _, port = plan.api_endpoint.rpartition(":")
    return CiliumValues(
        cluster=plan.cluster,
        api_host=host,
        api_port=int(port),
        native=plan.pods_mode == "native",
        pods_cidr=plan.pods_cidr,
        node_mask=plan.pods_node_mask,
        devices=tuple(sorted({node.interface for node in plan.nodes})),
        node_cidr=plan.node_network.cidr,
        mtu=plan.mtu.node,
        pods_mtu=plan.mtu.pods,
        operators=min(2, len(plan.nodes)),
    )


def rail_network(rail: RailPlan) -> RailNetwork:
    """The network of one rail for pods. ValueError: no resource can be named after the pool."""
    name = f"{rail.pool}-rail{rail.rail}"
    resource = name.replace("-", "_")
    if not _RESOURCE.fullmatch(resource):
        raise ValueError(f"{resource!r} cannot name a resource of the SR-IOV operator")
    pods, subnet = IPv4Network(rail.pods_cidr), IPv4Network(rail.subnet)
    # Not the first and last address of the half: they are the subnet's own broadcast or look like a
    # network's.
    ipam = {
        "type": "whereabouts",
        "range": rail.subnet,
        "range_start": str(pods.network_address + 1),
        "range_end": str(pods.broadcast_address - 1),
    }
    assert pods.subnet_of(subnet)
    return RailNetwork(name, resource, rail.pool, rail.nic, rail.vfs, rail.mtu, _json(ipam))


def _rails(rails: tuple[RailNetwork, ...]) -> Rails:
    first = [rail for rail in rails if rail.pool == rails[0].pool]
    return Rails(
        namespace=SRIOV_NAMESPACE,
        network_namespace=RAILS_NAMESPACE,
        group_label=RAIL_GROUP_LABEL,
        pools=tuple(sorted({rail.pool for rail in rails})),
        rails=rails,
        meta_plugins=_meta_plugins(),
        example_networks=", ".join(f"{RAILS_NAMESPACE}/{rail.name}" for rail in first),
        example_resource=f"{DOMAIN}/{first[0].resource}",
    )


def _meta_plugins() -> str:
    # A pod has four interfaces in four subnets: each answers for its own address only.
    tuning = {
        "type": "tuning",
        "sysctl": {
            "net.ipv4.conf.IFNAME.arp_announce": "2",
            "net.ipv4.conf.IFNAME.arp_ignore": "1",
            "net.ipv4.conf.IFNAME.rp_filter": "2",
        },
    }
    return f"{_json({'type': 'rdma'})},{_json(tuning)}"


def _daemon_config() -> str:
    config = {
        "chrootDir": "/hostroot",
        "cniVersion": "1.0.0",
        "cniConfigDir": "/host/etc/cni/net.d",
        "multusAutoconfigDir": "/host/etc/cni/net.d",
        "multusConfigFile": "auto",
        "socketDir": "/host/run/multus/",
        "logLevel": "verbose",
        "logToStderr": True,
        # A pod may name networks of its own namespace and the rails, not those of another tenant.
        "namespaceIsolation": True,
        "globalNamespaces": RAILS_NAMESPACE,
    }
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
