"""Machines of Sakura Cloud: servers, disks, keys and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi

from daiku.provider.sdk.base import Resource


class NoteArgs(TypedDict):
    """Inputs of `Note`."""

    name: pulumi.Input[str]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    note_class: NotRequired[pulumi.Input[str]]
    content: pulumi.Input[str]


class Note(Resource):
    """A startup script or cloud-init document that servers run at boot."""

    resource_id: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: NoteArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:Note", resource_name, args, opts)


class SshKeyArgs(TypedDict):
    """Inputs of `SshKey`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    public_key: pulumi.Input[str]


class SshKey(Resource):
    """A public SSH key that disk configuration can install."""

    resource_id: pulumi.Output[str]
    fingerprint: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: SshKeyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:SshKey", resource_name, args, opts)


class DiskArgs(TypedDict):
    """Inputs of `Disk`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]
    plan: NotRequired[pulumi.Input[str]]
    size_gb: NotRequired[pulumi.Input[int]]
    connection: NotRequired[pulumi.Input[str]]
    encryption: NotRequired[pulumi.Input[str]]
    kms_key_id: NotRequired[pulumi.Input[str]]
    distant_from: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    dedicated_storage_id: NotRequired[pulumi.Input[str]]
    source_archive_id: NotRequired[pulumi.Input[str]]
    source_disk_id: NotRequired[pulumi.Input[str]]


class Disk(Resource):
    """A disk, blank or copied from an archive or another disk."""

    resource_id: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: DiskArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:Disk", resource_name, args, opts)


class ServerInterfaceArgs(TypedDict):
    """One NIC; the order is eth0, eth1 ..."""

    upstream: pulumi.Input[str]
    user_ip_address: NotRequired[pulumi.Input[str]]
    packet_filter_id: NotRequired[pulumi.Input[str]]


class ServerNoteVariableArgs(TypedDict):
    """A value for a startup script."""

    name: pulumi.Input[str]
    value: pulumi.Input[str]


class ServerNoteArgs(TypedDict):
    """A startup script with what it is told."""

    id: pulumi.Input[str]
    variables: NotRequired[pulumi.Input[Sequence[pulumi.Input[ServerNoteVariableArgs]]]]
    api_key_id: NotRequired[pulumi.Input[str]]


class ServerDiskEditArgs(TypedDict):
    """What is written on the first disk before the first boot (archives that support disk edit)."""

    hostname: NotRequired[pulumi.Input[str]]
    password: NotRequired[pulumi.Input[str]]
    disable_password_auth: NotRequired[pulumi.Input[bool]]
    ssh_keys: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    ssh_key_ids: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    notes: NotRequired[pulumi.Input[Sequence[pulumi.Input[ServerNoteArgs]]]]
    ip_address: NotRequired[pulumi.Input[str]]
    gateway: NotRequired[pulumi.Input[str]]
    network_mask_len: NotRequired[pulumi.Input[int]]
    enable_dhcp: NotRequired[pulumi.Input[bool]]
    change_partition_uuid: NotRequired[pulumi.Input[bool]]


class ServerArgs(TypedDict):
    """Inputs of `Server`."""

    name: pulumi.Input[str]
    description: NotRequired[pulumi.Input[str]]
    tags: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    icon_id: NotRequired[pulumi.Input[str]]
    zone: NotRequired[pulumi.Input[str]]
    cpu: NotRequired[pulumi.Input[int]]
    memory_gb: NotRequired[pulumi.Input[int]]
    gpu: NotRequired[pulumi.Input[int]]
    gpu_model: NotRequired[pulumi.Input[str]]
    cpu_model: NotRequired[pulumi.Input[str]]
    generation: NotRequired[pulumi.Input[int]]
    commitment: NotRequired[pulumi.Input[str]]
    confidential_vm: NotRequired[pulumi.Input[bool]]
    private_host_id: NotRequired[pulumi.Input[str]]
    cdrom_id: NotRequired[pulumi.Input[str]]
    interface_driver: NotRequired[pulumi.Input[str]]
    network_interfaces: NotRequired[pulumi.Input[Sequence[pulumi.Input[ServerInterfaceArgs]]]]
    disks: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    disk_edit: NotRequired[pulumi.Input[ServerDiskEditArgs]]
    user_data: NotRequired[pulumi.Input[str]]
    power: NotRequired[pulumi.Input[str]]


class Server(Resource):
    """A server (VM). Its NICs, disks and first-boot settings belong to it."""

    resource_id: pulumi.Output[str]
    ip_address: pulumi.Output[str]
    mac_addresses: pulumi.Output[Sequence[str]]
    interface_ids: pulumi.Output[Sequence[str]]

    def __init__(
        self, resource_name: str, args: ServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sakura:cloud:Server", resource_name, args, opts)
