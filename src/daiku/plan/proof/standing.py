"""The plan against what the providers made: for validation after `up`, before Kubernetes is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from daiku.errors import Fault
from daiku.plan import addressing
from daiku.plan.facts import Facts, NodeFacts
from daiku.plan.model import Plan
from daiku.plan.proof.rule import Rule
from daiku.plan.view import View
from daiku.spec.source import Path


@dataclass(frozen=True, slots=True)
class Standing:
    """A plan and the facts of what stands."""

    view: View
    plan: Plan
    facts: Facts

    def setting(self, name: str) -> Path:
        """What in the file makes the machine of that name."""
        for path, pool, node in self.view.gpu_nodes():
            if addressing.gpu_name(self.view.cluster.name, pool.name, node.index) == name:
                return path
        role = next((node.role for node in self.plan.nodes if node.name == name), "")
        return ("controlPlane" if role == "control-plane" else "management", "count")


def of_this_plan(case: Standing) -> Iterator[Fault]:
    if case.facts.plan_digest != case.plan.digest():
        yield case.view.source.fault(
            (), f"what stands was made from another plan ({case.facts.plan_digest[:12] or 'none'})"
        )


def everybody_there(case: Standing) -> Iterator[Fault]:
    for node in case.plan.nodes:
        if case.facts.node(node.name) is None:
            yield case.view.source.fault(case.setting(node.name), f"{node.name} was never made")


def machines_apart(case: Standing) -> Iterator[Fault]:
    yield from _shared(case, "provider ID", lambda node: node.provider_id)


def keys_apart(case: Standing) -> Iterator[Fault]:
    yield from _shared(case, "host key", lambda node: node.host_key)


def _shared(case: Standing, what: str, value_of: Callable[[NodeFacts], str]) -> Iterator[Fault]:
    planned = {node.name for node in case.plan.nodes}
    first: dict[str, str] = {}
    for node in sorted(case.facts.nodes, key=lambda n: n.name):
        value = value_of(node)
        if not value or node.name not in planned:
            continue
        other = first.setdefault(value, node.name)
        if other != node.name:
            yield case.view.clash(
                case.setting(node.name),
                f"{node.name} and {other} have one {what}",
                case.setting(other),
                other,
            )


ERRORS = (
    Rule(
        "facts-of-another-plan",
        of_this_plan,
        "Hosts are configured for machines and addresses that are not the ones that stand.",
        "Run `daiku up` with this file.",
    ),
    Rule(
        "facts-node-missing",
        everybody_there,
        "The machine never joins, and what counts on it (quorum, replicas, quotas) is one short.",
        "Run `daiku up`; `daiku status` says what keeps it from being made.",
    ),
    Rule(
        "facts-machine-twice",
        machines_apart,
        "Two nodes claim one machine: the second one to join takes the first one's place.",
        "Give every node its own server; see what `daiku status` shows for both.",
    ),
)

WARNINGS = (
    Rule(
        "facts-host-key-shared",
        keys_apart,
        "Both were cloned with their keys: whoever has one machine can pose as the other.",
        "Reinstall one of them, or make new host keys.",
    ),
)
