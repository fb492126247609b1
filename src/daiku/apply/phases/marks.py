"""Labels and taints of a Node: what the plan wants, and what is to be changed of what is there.

The kubelet sets most labels itself when it joins. It may not set its own role (NodeRestriction), and it sets nothing a
second time, so all are kept in line through the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daiku.apply.phases.decide import Machine
from daiku.apply.phases.facts import NodeSeen
from daiku.plan.facts import Facts
from daiku.plan.model import NodePlan, Plan
from daiku.plan.nodes import DOMAIN

STORAGE_DOMAIN = "topology.rook.io/rack"
"""Where copies must not lie together, as Rook reads it when it makes an OSD: so it must be there before Rook is."""
OWN_KEYS = (*(f"{DOMAIN}/{key}" for key in ("pool", "rack", "rail-group")), STORAGE_DOMAIN)
"""Labels that leave a Node when the plan has them no more."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What differs. A label of None goes; `taints` are all that the Node is to have, None when they are right."""

    labels: Mapping[str, str | None]
    taints: tuple[str, ...] | None

    def __bool__(self) -> bool:
        return bool(self.labels) or self.taints is not None

    def words(self) -> str:
        parts = [
            f"{key} {'goes' if value is None else f'is {value!r}'}" for key, value in self.labels.items()
        ]
        if self.taints is not None:
            parts.append(f"taints are {', '.join(self.taints) or 'none'}")
        return "; ".join(parts)

    def patch(self) -> dict[str, Any]:
        """As a merge patch of the Node."""
        patch: dict[str, Any] = {}
        if self.labels:
            patch["metadata"] = {"labels": dict(self.labels)}
        if self.taints is not None:
            patch["spec"] = {"taints": [_taint(text) for text in self.taints]}
        return patch


def machines_of(plan: Plan, facts: Facts | None) -> tuple[Machine, ...]:
    """The plan's machines that were made (without facts: all): control planes first, by index, then the others in the
    plan's order."""
    made = (
        {node.name: node.provider_id for node in facts.nodes} if facts else {n.name: "" for n in plan.nodes}
    )
    found = [
        Machine(
            name=node.name,
            address=node.address,
            control_plane=node.role == "control-plane",
            labels={
                **dict(node.labels),
                f"node-role.kubernetes.io/{node.role}": "",
                **_storage_domain(plan, node),
            },
            taints=node.taints,
            provider_id=made[node.name],
        )
        for node in sorted(
            plan.nodes, key=lambda n: (n.role != "control-plane", n.index if n.role == "control-plane" else 0)
        )
        if node.name in made
    ]
    return tuple(found)


def _storage_domain(plan: Plan, node: NodePlan) -> dict[str, str]:
    stores = node.role == "gpu" and plan.storage is not None and plan.storage.reliable_disks > 0
    return {STORAGE_DOMAIN: node.rack} if stores and node.rack else {}


def marks(machine: Machine, node: NodeSeen) -> Marks:
    """What is to be changed of the Node's labels and taints. Those that are not the plan's stay as they are."""
    labels: dict[str, str | None] = {
        key: value for key, value in sorted(machine.labels.items()) if node.labels.get(key) != value
    }
    labels |= {key: None for key in OWN_KEYS if key in node.labels and key not in machine.labels}
    wanted = set(machine.taints)
    slots = {_slot(text) for text in wanted}
    kept = {text for text in node.taints if _slot(text) not in slots}
    all_taints = tuple(sorted(kept | wanted))
    return Marks(labels, None if all_taints == tuple(sorted(node.taints)) else all_taints)


def _slot(taint: str) -> tuple[str, str]:
    """A Node holds one taint of a key and an effect."""
    left, _, effect = taint.rpartition(":")
    return left.partition("=")[0], effect


def _taint(text: str) -> dict[str, str]:
    left, _, effect = text.rpartition(":")
    key, equals, value = left.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if equals else {})}
