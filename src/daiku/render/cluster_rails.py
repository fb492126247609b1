"""The rails for pods: virtual functions by the SR-IOV operator, whole NICs by a device plugin, or resource claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.model import Plan, PoolPlan, RailPlan
from daiku.plan.namespaces import RAILS, SRIOV
from daiku.plan.nodes import DOMAIN
from daiku.render.cluster_parts import RAIL_GROUP_LABEL, Files, chart_parts, gpu_pools
from daiku.render.engine import render
from daiku.render.images import image, image_parts
from daiku.render.rail_cni import canonical, cluster_wide_addresses, further_plugins, rail_name


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
    """One rail as pods see it. `pci` is empty when the inventory does not say. `ipam` and `meta_plugins` are JSON as
    the resource wants it; `ipam` is empty where each machine holds the configuration."""

    name: str
    resource: str
    pool: str
    nic: str
    pci: str
    numa: int
    vfs: int
    mtu: int
    ipam: str
    meta_plugins: str


@dataclass(frozen=True, slots=True)
class Functions:
    """Virtual functions: the operator's configuration, policies by the inventory, and a network a rail."""

    template: ClassVar[str] = "cluster/sriov/policies.yaml.j2"
    namespace: str
    network_namespace: str
    group_label: str
    resource_prefix: str
    pools: tuple[str, ...]
    rails: tuple[RailNetwork, ...]
    example_networks: str


@dataclass(frozen=True, slots=True)
class DevicePlugin:
    """Whole NICs as resources: `config` is JSON."""

    template: ClassVar[str] = "cluster/rails/device-plugin.yaml.j2"
    image: str
    pools: tuple[str, ...]
    group_label: str
    config: str


@dataclass(frozen=True, slots=True)
class Networks:
    """Attachment definitions whose configuration lies on each machine, under the network's name."""

    template: ClassVar[str] = "cluster/rails/networks.yaml.j2"
    namespace: str
    resource_prefix: str
    rails: tuple[RailNetwork, ...]


@dataclass(frozen=True, slots=True)
class DranetValues:
    template: ClassVar[str] = "cluster/rails/dranet-values.yaml.j2"
    group_label: str
    pools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """`expression` selects devices, in CEL."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class DeviceClasses:
    template: ClassVar[str] = "cluster/rails/device-classes.yaml.j2"
    classes: tuple[DeviceClass, ...]


def rail_parts(plan: Plan) -> Files:
    """Everything that gives pods their rails; nothing where no pool does."""
    functions, whole, claims = (_rails(plan, way) for way in ("sriov", "host-device", "dranet"))
    files: Files = {}
    if functions or whole:
        files["20-multus/multus.yaml"] = render(Multus(image(plan.release, "multus"), _daemon_config()))
    if any(rail.ipam for rail in functions):
        files |= _whereabouts(plan)
    if functions:
        values = SriovValues(DOMAIN)
        chart, release = "sriov-network-operator-chart", "sriov-network-operator"
        files |= chart_parts(plan, "22-sriov", chart, SRIOV, values, release=release)
        files["23-rails/rails.yaml"] = render(_functions(functions))
    if whole:
        files["23-rails/device-plugin.yaml"] = render(_device_plugin(plan, whole))
    local = tuple(rail for rail in (*functions, *whole) if not rail.ipam)
    if local:
        files["23-rails/networks.yaml"] = render(Networks(RAILS, DOMAIN, local))
    if claims:
        pools = tuple(sorted({rail.pool for rail in claims}))
        values = DranetValues(RAIL_GROUP_LABEL, pools)
        files |= chart_parts(plan, "24-dranet", "dranet", "kube-system", values)
        classes = DeviceClasses(tuple(_device_class(rail) for rail in claims))
        files["25-rail-claims/device-classes.yaml"] = render(classes)
    return files


def has_networks(plan: Plan) -> bool:
    """Whether pods name networks of rails: they lie in a namespace of their own."""
    return bool(_rails(plan, "sriov") or _rails(plan, "host-device"))


def has_functions(plan: Plan) -> bool:
    """Whether some NIC has virtual functions."""
    return bool(_rails(plan, "sriov"))


def _rails(plan: Plan, attach: str) -> tuple[RailNetwork, ...]:
    there = set(gpu_pools(plan))
    found: list[RailNetwork] = []
    for rail in plan.rails:
        pool = plan.pool(rail.pool)
        if rail.pool in there and pool.attach == attach and (rail.vfs or attach != "sriov"):
            found.append(rail_network(pool, rail, _pci(plan, rail)))
    return tuple(found)


def _pci(plan: Plan, rail: RailPlan) -> str:
    # Of equal servers: any one's.
    node = next(node for node in plan.by_role("gpu") if node.pool == rail.pool)
    return node.rails[rail.rail].pci or ""


def rail_network(pool: PoolPlan, rail: RailPlan, pci: str = "") -> RailNetwork:
    """One rail for pods. ValueError: no resource can be named after the pool."""
    names = rail_name(rail.pool, rail.rail)
    leased = pool.attach == "sriov" and pool.ipam == "whereabouts"
    return RailNetwork(
        names.network,
        names.resource,
        rail.pool,
        rail.nic,
        pci,
        rail.numa,
        rail.vfs,
        rail.mtu,
        canonical(cluster_wide_addresses(rail)) if leased else "",
        ",".join(canonical(plugin) for plugin in further_plugins(pool, rail)),
    )


def _functions(rails: tuple[RailNetwork, ...]) -> Functions:
    first = [rail for rail in rails if rail.pool == rails[0].pool]
    return Functions(
        namespace=SRIOV,
        network_namespace=RAILS,
        group_label=RAIL_GROUP_LABEL,
        resource_prefix=DOMAIN,
        pools=tuple(sorted({rail.pool for rail in rails})),
        rails=rails,
        example_networks=", ".join(f"{RAILS}/{rail.name}" for rail in first),
    )


def _device_plugin(plan: Plan, rails: tuple[RailNetwork, ...]) -> DevicePlugin:
    resources = [
        {
            "resourceName": rail.resource,
            "resourcePrefix": DOMAIN,
            # By its address: the plugin knows names only of virtual functions.
            "selectors": [{"vendors": ["15b3"], "pciAddresses": [rail.pci], "isRdma": True}],
        }
        for rail in rails
    ]
    return DevicePlugin(
        image(plan.release, "sriov-device-plugin"),
        tuple(sorted({rail.pool for rail in rails})),
        RAIL_GROUP_LABEL,
        canonical({"resourceList": resources}) + "\n",
    )


def _device_class(rail: RailNetwork) -> DeviceClass:
    # One expression, from left to right: a device of another driver lacks the attributes, and to ask for a missing
    # one fails the whole claim.
    attributes = 'device.attributes["dra.net"]'
    return DeviceClass(
        rail.name,
        f'device.driver == "dra.net" && has({attributes}.ifName) && {attributes}.ifName == "{rail.nic}" && '
        f"has({attributes}.rdma) && {attributes}.rdma",
    )


def _whereabouts(plan: Plan) -> Files:
    values = WhereaboutsValues(*image_parts(plan.release, "whereabouts"))
    return chart_parts(
        plan, "21-whereabouts", "whereabouts-chart", "kube-system", values, release="whereabouts"
    )


def _daemon_config() -> str:
    config: dict[str, Any] = {
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
        "globalNamespaces": RAILS,
    }
    return canonical(config) + "\n"
