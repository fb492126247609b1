"""Which machine is reached where, as whom and through whom: from the Plan and the Facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daiku.wire.ssh_types import Endpoint

if TYPE_CHECKING:  # pydantic, which they bring along, takes 70 ms to import
    from daiku.plan.facts import Facts
    from daiku.plan.model import NodePlan, Plan

SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Target:
    """A machine of the cluster and its SSH server, as seen from where the connection starts."""

    name: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Targets:
    """The machines of a cluster. All but `bastion` are reached through it; None: all are reached directly."""

    bastion: Target | None
    hosts: tuple[Target, ...]


def targets_of(plan: Plan, facts: Facts) -> Targets:
    """The machines in the plan's order, less the bastion: the machine that the router's forwarded port leads to.

    The nodes have no way in from the internet but that port. ValueError: the plan's bastion is none of its nodes.
    """
    bastion: Target | None = None
    hosts: list[Target] = []
    for node in plan.nodes:
        if node.address == plan.router.bastion_address:
            endpoint = Endpoint(facts.router_address, facts.bastion_port, login_user(node))
            bastion = Target(node.name, endpoint)
        else:
            hosts.append(Target(node.name, Endpoint(node.address, SSH_PORT, login_user(node))))
    if bastion is None:
        raise ValueError(f"no node has the bastion's address {plan.router.bastion_address}")
    return Targets(bastion, tuple(hosts))


def login_user(node: NodePlan) -> str:
    """The account that the keys of a fresh disk open: Ubuntu's images have one of their own, the others root."""
    return "ubuntu" if "ubuntu" in node.image.lower() else "root"
