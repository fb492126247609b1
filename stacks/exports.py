"""From the components' outputs to the Facts: one plain value, without a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pulumi

from daiku.plan.model import Plan
from daiku.provider import sdk
from daiku.stacks.vm import Vm


@dataclass(kw_only=True)
class Made:
    """What the components gave, while the program runs."""

    router_address: pulumi.Output[str]
    nodes: list[pulumi.Output[dict[str, str]]] = field(default_factory=list[pulumi.Output[dict[str, str]]])
    resources: dict[str, pulumi.Output[str]] = field(default_factory=dict[str, pulumi.Output[str]])

    def add_vm(self, plan: Plan, name: str, vm: Vm) -> None:
        """A VM; its provider ID is `sakura://<zone>/<server ID>`."""
        self.nodes.append(
            pulumi.Output.all(vm.resource_id, vm.incarnation).apply(
                lambda got: {
                    "name": name,
                    "resource_id": got[0],
                    "provider_id": f"sakura://{plan.zone}/{got[0]}",
                    "incarnation": got[1],
                }
            )
        )

    def add_server(self, plan: Plan, name: str, server: sdk.PhyServer) -> None:
        """A PHY server; its provider ID is `sakura-phy://<service ID>`, which no reinstallation changes.

        A server that was released and adopted again has the provider's incarnation of before, but another disk and
        host key: the time of its installation tells them apart.
        """
        ident = plan.node(name).phy_id or ""
        self.nodes.append(
            pulumi.Output.all(server.incarnation, server.host_key, server.installed_at).apply(
                lambda got: {
                    "name": name,
                    "resource_id": ident,
                    "provider_id": f"sakura-phy://{ident}",
                    "incarnation": f"{got[0]} {got[2]}".strip(),
                    "host_key": got[1],
                }
            )
        )


def facts(plan: Plan, made: Made) -> pulumi.Output[dict[str, Any]]:
    """The value of the stack's output, in the shape of `daiku.plan.facts.Facts`."""
    order = {node.name: number for number, node in enumerate(plan.nodes)}

    def assemble(got: dict[str, Any]) -> dict[str, Any]:
        nodes = cast("list[dict[str, str]]", got["nodes"])
        resources = cast("dict[str, str]", got["resources"])
        return {
            "cluster": plan.cluster,
            "plan_digest": plan.digest(),
            "router_address": got["router_address"],
            "bastion_port": plan.router.bastion_port,
            "nodes": sorted(nodes, key=lambda node: order[node["name"]]),
            "resources": dict(sorted(resources.items())),
        }

    return pulumi.Output.all(
        router_address=made.router_address, nodes=made.nodes, resources=made.resources
    ).apply(assemble)
