"""Management nodes: ingress and cluster services run on them, and the first is the bastion."""

from __future__ import annotations

import pulumi

from daiku.stacks.vm import Vm, VmPool, VmPoolArgs


class Management(VmPool):
    """`bastion` is the VM that the router's forwarded port leads to."""

    bastion: Vm

    def __init__(self, name: str, args: VmPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Management", name, args, opts)
        first = min(args.nodes, key=lambda node: node.index)
        self.bastion = self.vms[first.name]
