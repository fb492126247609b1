"""One VM of Sakura Cloud on the node network: a disk from a public archive and a server that boots it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from daiku.plan.model import NodePlan
from daiku.provider import sdk
from daiku.stacks.common import Component, sakura_tags


@dataclass(frozen=True, kw_only=True)
class VmArgs:
    """`archive_id` is the archive of the node's image; `ssh_keys` open the administrator's account."""

    cluster: str
    node: NodePlan
    switch_id: pulumi.Input[str]
    archive_id: pulumi.Input[str]
    ssh_keys: tuple[str, ...]


class Vm(Component):
    """`incarnation` is the disk's ID: another disk is another machine, with another SSH host key."""

    resource_id: pulumi.Output[str]
    incarnation: pulumi.Output[str]

    def __init__(self, name: str, args: VmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Vm", name, opts)
        node = args.node
        tags = sakura_tags(args.cluster, node.role)
        prefix = int(node.address_cidr.partition("/")[2])
        # A new publication of the same image must not replace the disks of running machines, so the archive's ID
        # is ignored after the first time; the image is part of the name, so that another image is another disk.
        self.disk = sdk.Disk(
            f"{node.name}-{node.image}",
            {
                "name": node.name,
                "tags": tags,
                "plan": "ssd",
                "size_gb": node.disk_gib,
                "source_archive_id": args.archive_id,
            },
            self.child(ignore=["sourceArchiveId"]),
        )
        # Keys are written at the first boot only; later changes of them are `daiku apply`'s, without a restart.
        self.server = sdk.Server(
            node.name,
            {
                "name": node.name,
                "tags": tags,
                "cpu": node.cpu,
                "memory_gb": node.memory_gib,
                "network_interfaces": [{"upstream": args.switch_id, "user_ip_address": node.address}],
                "disks": [self.disk.resource_id],
                "disk_edit": {
                    "hostname": node.name,
                    "disable_password_auth": True,
                    "ssh_keys": list(args.ssh_keys),
                    "ip_address": node.address,
                    "gateway": node.gateway,
                    "network_mask_len": prefix,
                },
                "power": "up",
            },
            self.child(ignore=["diskEdit.sshKeys"]),
        )
        self.resource_id = self.server.resource_id
        self.incarnation = self.disk.resource_id
        self.register_outputs({"resourceId": self.resource_id, "incarnation": self.incarnation})


@dataclass(frozen=True, kw_only=True)
class VmPoolArgs:
    """Equal VMs: `nodes` of one role."""

    cluster: str
    nodes: tuple[NodePlan, ...]
    switch_id: pulumi.Input[str]
    ssh_keys: tuple[str, ...]


class VmPool(Component):
    """The VMs of one role. `vms` is by node name, in the plan's order."""

    vms: dict[str, Vm]

    def __init__(
        self, kind: str, name: str, args: VmPoolArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(kind, name, opts)
        archives = {
            image: sdk.get_archive({"tags": [image]}, pulumi.InvokeOptions(parent=self)).apply(lambda a: a.id)
            for image in sorted({node.image for node in args.nodes})
        }
        self.vms = {
            node.name: Vm(
                node.name,
                VmArgs(
                    cluster=args.cluster,
                    node=node,
                    switch_id=args.switch_id,
                    archive_id=archives[node.image],
                    ssh_keys=args.ssh_keys,
                ),
                self.child(),
            )
            for node in args.nodes
        }
        self.register_outputs({"servers": {name: vm.resource_id for name, vm in self.vms.items()}})
