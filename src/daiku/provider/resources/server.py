"""A server (VM): plan, NICs, disks and what is written on the disk before the first boot."""

from __future__ import annotations

from daiku.provider.fields import BOOLEAN, INTEGER, STRING, Change, Field, ListOf, Object, ResourceType
from daiku.provider.resources.common import (
    DESCRIPTION,
    NAME,
    TAGS,
    ZONE,
    address,
    between,
    ident,
    mask,
)

_PLAN = "another plan needs the server down and gives it a new ID"
_NICS = "the API connects NICs only while the server is down"
_DISKS = "the API connects disks only while the server is down"
_EDIT = "the disk is written only while the server is down"

NIC = Object(
    "ServerInterface",
    "One NIC; the order is eth0, eth1 ...",
    (
        Field(
            name="upstream",
            type=STRING,
            description="`shared` (the shared segment), `disconnect`, or the ID of a switch.",
            required=True,
        ),
        address(
            "userIpAddress", "Address shown in the control panel; it configures nothing.", change=Change.LIVE
        ),
        ident("packetFilterId", "Packet filter of this NIC.", change=Change.LIVE),
    ),
)

DISK_EDIT = Object(
    "ServerDiskEdit",
    "What is written on the first disk before the first boot (archives that support disk edit).",
    (
        Field(name="hostname", type=STRING, description="Host name."),
        Field(name="password", type=STRING, description="Password of the administrator.", secret=True),
        Field(
            name="disablePasswordAuth", type=BOOLEAN, description="No password log-in by SSH.", default=True
        ),
        Field(
            name="sshKeys",
            type=ListOf(STRING),
            description="Public keys of the administrator, as text.",
            default=[],
        ),
        Field(name="sshKeyIds", type=ListOf(STRING), description="IDs of SshKey resources.", default=[]),
        Field(
            name="noteIds", type=ListOf(STRING), description="IDs of startup scripts, in order.", default=[]
        ),
        address("ipAddress", "Address of eth0 when it is on a switch."),
        address("gateway", "Default gateway of eth0."),
        mask("networkMaskLen", "Prefix length of eth0."),
        Field(name="enableDhcp", type=BOOLEAN, description="eth0 asks by DHCP.", default=False),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:Server",
    description="A server (VM). Its NICs, disks and first-boot settings belong to it.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ZONE,
        Field(
            name="cpu",
            type=INTEGER,
            description="CPU cores.",
            default=1,
            change=Change.ID_CHANGE,
            reason=_PLAN,
            problem=between(1, 256),
        ),
        Field(
            name="memoryGb",
            type=INTEGER,
            description="Memory in GiB.",
            default=1,
            change=Change.ID_CHANGE,
            reason=_PLAN,
            problem=between(1, 2048),
        ),
        Field(
            name="gpu", type=INTEGER, description="GPUs.", default=0, change=Change.ID_CHANGE, reason=_PLAN
        ),
        Field(name="gpuModel", type=STRING, description="GPU model.", change=Change.ID_CHANGE, reason=_PLAN),
        Field(
            name="commitment",
            type=STRING,
            description="Whether its cores are its own.",
            default="standard",
            choices=("standard", "dedicatedcpu"),
            change=Change.ID_CHANGE,
            reason=_PLAN,
        ),
        Field(
            name="interfaceDriver",
            type=STRING,
            description="NIC model.",
            default="virtio",
            choices=("virtio", "e1000"),
            change=Change.RESTART,
            reason=_NICS,
        ),
        Field(
            name="networkInterfaces",
            type=ListOf(NIC),
            description="NICs, at most 10.",
            default=[],
            change=Change.RESTART,
            reason=_NICS,
            problem=lambda value: "at most 10 NICs" if len(value) > 10 else "",
        ),
        Field(
            name="disks",
            type=ListOf(STRING),
            description="IDs of its disks; the first boots.",
            default=[],
            change=Change.RESTART,
            reason=_DISKS,
        ),
        Field(
            name="diskEdit",
            type=DISK_EDIT,
            description=DISK_EDIT.description,
            change=Change.RESTART,
            reason=_EDIT,
        ),
        Field(
            name="userData",
            type=STRING,
            description="cloud-init user data, given at each boot (archives that support cloud-init).",
            secret=True,
            change=Change.RESTART,
            reason="cloud-init reads its data at boot",
        ),
        Field(
            name="power",
            type=STRING,
            description="Whether it runs.",
            default="up",
            choices=("up", "down"),
            change=Change.RESTART,
            reason="it is switched on or off",
        ),
        Field(
            name="resourceId",
            type=STRING,
            description="ID in the API now: another plan changes it. Give this one to other resources.",
            output=True,
            varies_with=("cpu", "memoryGb", "gpu", "gpuModel", "commitment"),
        ),
        Field(
            name="ipAddress",
            type=STRING,
            description="Global address of eth0 on the shared segment, else empty.",
            output=True,
            varies_with=("networkInterfaces",),
        ),
        Field(
            name="macAddresses",
            type=ListOf(STRING),
            description="MAC addresses in the order of the NICs.",
            output=True,
            varies_with=("networkInterfaces",),
        ),
        Field(
            name="interfaceIds",
            type=ListOf(STRING),
            description="IDs of the NICs in order.",
            output=True,
            varies_with=("networkInterfaces",),
        ),
    ),
)
