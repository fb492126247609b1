"""Two plans side by side: which machines come, go or change, and what that disturbs on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from daiku.plan.model import NodePlan, Plan
from daiku.spec.base import Disruption


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of the plan before and after, as plain JSON values; `path` is dotted, rails by number."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that stays but differs. `disruption` is the worst of its fields."""

    name: str
    fields: tuple[FieldChange, ...]
    disruption: Disruption


@dataclass(frozen=True, slots=True)
class PlanChange:
    """`added` and `removed` are names in the plans' order; `cluster` is all that belongs to no single node."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[NodeChange, ...]
    cluster: tuple[FieldChange, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.cluster)


NODE_FIELDS: dict[str, Disruption] = {
    "name": Disruption.REINSTALL,
    "role": Disruption.REINSTALL,
    "pool": Disruption.REINSTALL,
    "index": Disruption.REINSTALL,
    "interface": Disruption.ROLLING_REBOOT,
    "address": Disruption.REINSTALL,
    "address_cidr": Disruption.REINSTALL,
    "gateway": Disruption.APPLY,
    "mtu": Disruption.ROLLING_RESTART,
    "dns": Disruption.APPLY,
    "cpu": Disruption.ROLLING_REBOOT,
    "memory_gib": Disruption.ROLLING_REBOOT,
    "disk_gib": Disruption.REPLACE,
    "image": Disruption.REINSTALL,
    "phy_id": Disruption.REINSTALL,
    "rack": Disruption.APPLY,
    "provisioning_interface": Disruption.NONE,
    "rails": Disruption.ROLLING_REBOOT,
    "routes": Disruption.APPLY,
    "vips": Disruption.APPLY,
    "labels": Disruption.APPLY,
    "taints": Disruption.APPLY,
    "gpus": Disruption.NONE,
    "local_disks": Disruption.NONE,
    "local_disk_gb": Disruption.NONE,
    "release_policy": Disruption.NONE,
}
"""What a change of a NodePlan's field does to that node."""

RAIL_FIELDS: dict[str, Disruption] = {
    "rail": Disruption.ROLLING_REBOOT,
    "nic": Disruption.ROLLING_REBOOT,
    "address_cidr": Disruption.REINSTALL,
    "subnet": Disruption.REINSTALL,
    "pods_cidr": Disruption.REINSTALL,
    "mtu": Disruption.ROLLING_RESTART,
    "vfs": Disruption.ROLLING_REBOOT,
    "numa": Disruption.ROLLING_RESTART,
    "pci": Disruption.ROLLING_RESTART,
    "pods_first": Disruption.ROLLING_RESTART,
    "pods_last": Disruption.ROLLING_RESTART,
}
"""The same for a field of one rail; a rail more or less is `rails` as a whole."""

_SEVERITY = {disruption: rank for rank, disruption in enumerate(Disruption)}
_ON_HARDWARE = frozenset({"cpu", "memory_gib"})


def compare(old: Plan, new: Plan) -> PlanChange:
    """What differs from `old` to `new`. Equal plans give an empty (false) result."""
    before, after = {n.name: n for n in old.nodes}, {n.name: n for n in new.nodes}
    changed = [
        _node(before[name], node) for name, node in after.items() if name in before and before[name] != node
    ]
    # The digest differs whenever anything does, a comment on nobody's machine included.
    rest = {"nodes", "spec_digest"}
    return PlanChange(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(changed),
        cluster=tuple(
            _fields(old.model_dump(mode="json", exclude=rest), new.model_dump(mode="json", exclude=rest), "")
        ),
    )


def _node(old: NodePlan, new: NodePlan) -> NodeChange:
    fields = tuple(_fields(_plain(old), _plain(new), ""))
    worst = max((_disruption(new, f) for f in fields), key=lambda d: _SEVERITY[d])
    return NodeChange(new.name, fields, worst)


def _plain(node: NodePlan) -> dict[str, Any]:
    # Rails by number, so that a change inside one is told from a rail more or less.
    values = node.model_dump(mode="json")
    return {**values, "rails": {str(rail["rail"]): rail for rail in values["rails"]}}


def _disruption(node: NodePlan, field: FieldChange) -> Disruption:
    name, *rest = field.path.split(".")
    if name == "rails" and len(rest) == 2:
        return RAIL_FIELDS[rest[1]]
    # A GPU server has what it has: the file only describes it.
    return Disruption.NONE if node.role == "gpu" and name in _ON_HARDWARE else NODE_FIELDS[name]


def _fields(old: dict[str, Any], new: dict[str, Any], prefix: str) -> Iterator[FieldChange]:
    for key in [*old, *(k for k in new if k not in old)]:
        before, after, path = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _fields(cast("dict[str, Any]", before), cast("dict[str, Any]", after), f"{path}.")
        elif before != after:
            yield FieldChange(path, before, after)
