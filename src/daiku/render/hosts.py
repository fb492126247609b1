"""From the plan to the bundle of each machine."""

from __future__ import annotations

from daiku.plan.facts import Facts
from daiku.plan.model import NodePlan, Plan
from daiku.render.bundle import Expectation, HostBundle, Trigger
from daiku.render.host_kubernetes import kubernetes_files
from daiku.render.host_live import expectations
from daiku.render.host_network import network_files
from daiku.render.host_system import packages, system_files
from daiku.render.triggers import INSTALL, TRIGGERS


def host_bundle(plan: Plan, facts: Facts, node: NodePlan, *, install: bool = False) -> HostBundle:
    """Everything that one machine must hold.

    `install`: the release's packages are installed, at their versions. That needs an apt source that has them, so it
    is off where there is none, as in the lab; then packages are only pinned and held.

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
    expected = expectations(node, files)
    if install:
        pins = tuple((package.name, package.version) for package in packages(plan.release, node))
        triggers = (*triggers, Trigger("packages", INSTALL, 55, packages=pins))
        expected = (*expected, *(Expectation("package", name, version, "packages") for name, version in pins))
    return HostBundle(node.name, files, triggers, expected)


def host_bundles(plan: Plan, facts: Facts, *, install: bool = False) -> tuple[HostBundle, ...]:
    """The bundles of all machines, in the plan's order; `install` as for one."""
    return tuple(host_bundle(plan, facts, node, install=install) for node in plan.nodes)
