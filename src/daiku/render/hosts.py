"""From the plan to the bundle of each machine."""

from __future__ import annotations

from daiku.plan.facts import Facts
from daiku.plan.model import NodePlan, Plan
from daiku.render.bundle import HostBundle
from daiku.render.host_kubernetes import kubernetes_files
from daiku.render.host_live import expectations
from daiku.render.host_network import network_files
from daiku.render.host_system import system_files
from daiku.render.triggers import TRIGGERS


def host_bundle(plan: Plan, facts: Facts, node: NodePlan) -> HostBundle:
    """Everything that one machine must hold.

    Of the facts only this machine's provider ID is used, so that other machines may come and go. ValueError:
    the release does not lock an image that is needed, or the plan contradicts itself.
    """
    made = facts.node(node.name)
    files = (
        *network_files(plan, node),
        *system_files(plan, node),
        *kubernetes_files(plan, node, made.provider_id if made else ""),
    )
    used = {file.trigger for file in files}
    triggers = tuple(t for name, t in TRIGGERS.items() if name in used)
    return HostBundle(node.name, files, triggers, expectations(node, files))


def host_bundles(plan: Plan, facts: Facts) -> tuple[HostBundle, ...]:
    """The bundles of all machines, in the plan's order."""
    return tuple(host_bundle(plan, facts, node) for node in plan.nodes)
