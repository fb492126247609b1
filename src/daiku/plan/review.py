"""All checks of a specification against itself, and what to think about although it is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from daiku.errors import Fault
from daiku.plan.checks import addresses, connection, control, pools, rails, ranges, sharing, workloads
from daiku.plan.proof.clashes import rule_of
from daiku.plan.view import View
from daiku.spec.load import Loaded, in_order

Check = Callable[[View], Iterator[Fault]]

REFUSALS: tuple[Check, ...] = (
    control.release,
    control.registries,
    control.quorum,
    control.bandwidth,
    control.vrrp,
    control.ingress_ports,
    control.keys,
    ranges.overlaps,
    ranges.pod_shares,
    ranges.services_size,
    addresses.outside,
    addresses.doubles,
    addresses.inside_blocks,
    pools.names,
    pools.identities,
    pools.blocks,
    pools.block_places,
    pools.hybrid,
    pools.interfaces,
    rails.places,
    rails.virtual_functions,
    rails.pci,
    rails.carries_node_traffic,
    rails.gateways,
    rails.whole_nics,
    sharing.mig,
    sharing.manager,
    sharing.speakers,
    workloads.disks,
    workloads.replicas,
    workloads.data_pools,
    workloads.tenant_names,
    workloads.tenant_namespaces,
    workloads.quotas,
    workloads.placement,
    connection.link,
    connection.asns,
    connection.gateway_kind,
    connection.subnets,
    connection.targets,
)

WARNINGS: tuple[Check, ...] = (
    control.production,
    control.snapshots,
    control.wide_l2,
    rails.roce,
    workloads.cache_source,
    connection.image,
)


def refusals(loaded: Loaded) -> list[Fault]:
    """Every reason why this cannot be built, top to bottom; empty when it can."""
    return _run(REFUSALS, loaded)


def warnings(loaded: Loaded) -> list[Fault]:
    """What can be built, but is likely not meant."""
    return _run(WARNINGS, loaded)


def _run(checks: tuple[Check, ...], loaded: Loaded) -> list[Fault]:
    view = View.of(loaded)
    return in_order([fault for check in checks for fault in rule_of(check)(view)])
