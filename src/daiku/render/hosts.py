"""From the plan to the bundle of each machine."""

from __future__ import annotations

from daiku.plan.facts import Facts
from daiku.plan.model import NodePlan, Plan
from daiku.render.bundle import Expectation, HostBundle, Trigger
from daiku.render.host_backup import backup_files
from daiku.render.host_disks import disk_expectations, disk_files
from daiku.render.host_kubernetes import kubernetes_files
from daiku.render.host_live import expectations
from daiku.render.host_network import network_files
from daiku.render.host_rails import rail_files
from daiku.render.host_system import packages, system_files
from daiku.render.triggers import INSTALL, TRIGGERS


def shared(plan: Plan) -> Plan:
    """What the files of a machine may depend on besides the machine itself: the plan without the other workers.

    Bundles are made of nothing else, so that equal shared parts, an equal node and an equal provider ID give
    an equal bundle: nobody can be touched by another machine's coming or going.
    """
    return plan.model_copy(update={"nodes": plan.by_role("control-plane"), "spec_digest": ""})


def host_bundle(plan: Plan, facts: Facts, node: NodePlan, *, install: bool = False) -> HostBundle:
    """Everything that one machine must hold.

    `install`: the release's packages are installed, at their versions. That needs an apt source that has them, so it
    is off where there is none, as in the lab; then packages are only pinned and held.

    Of the facts only this machine's provider ID is used, so that other machines may come and go. ValueError:
    the release does not lock an image that is needed, or the plan contradicts itself.
    """
    made = facts.node(node.name)
    return bundle(shared(plan), node, made.provider_id if made else "", install=install)


def bundle(common: Plan, node: NodePlan, provider_id: str, *, install: bool = False) -> HostBundle:
    """As `host_bundle`, from the plan's shared part; `provider_id` is empty before the machine was made."""
    files = (
        *network_files(common, node),
        *system_files(common, node),
        *kubernetes_files(common, node, provider_id),
        *rail_files(common, node),
        *disk_files(common, node),
        *backup_files(common, node),
    )
    used = {file.trigger for file in files}
    triggers = tuple(t for name, t in TRIGGERS.items() if name in used)
    expected = (*expectations(node, files), *disk_expectations(common, node))
    if install:
        pins = tuple((package.name, package.version) for package in packages(common.release, node))
        triggers = (*triggers, Trigger("packages", INSTALL, 55, packages=pins))
        expected = (*expected, *(Expectation("package", name, version, "packages") for name, version in pins))
    return HostBundle(node.name, files, triggers, expected)


def host_bundles(plan: Plan, facts: Facts, *, install: bool = False) -> tuple[HostBundle, ...]:
    """The bundles of all machines, in the plan's order; `install` as for one."""
    common, ids = shared(plan), provider_ids(facts)
    return tuple(bundle(common, node, ids.get(node.name, ""), install=install) for node in plan.nodes)


def provider_ids(facts: Facts) -> dict[str, str]:
    """By the machines' names; those not made yet are missing."""
    return {node.name: node.provider_id for node in facts.nodes}
