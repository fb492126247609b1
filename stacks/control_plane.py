"""The control plane: VMs that run the API servers and etcd."""

from __future__ import annotations

import pulumi

from daiku.stacks.vm import VmPool, VmPoolArgs


class ControlPlane(VmPool):
    """An odd number of VMs: etcd's members are on them."""

    def __init__(self, name: str, args: VmPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ControlPlane", name, args, opts)
