"""The table of a server: plan, NICs, disks and what is written on the first disk."""

from __future__ import annotations

from daiku.provider.fields import BOOLEAN, INTEGER, STRING, Change, Field, ListOf, Object, ResourceType
from daiku.provider.resources.common import (
    DESCRIPTION,
    ICON,
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

VARIABLE = Object(
    "ServerNoteVariable",
    "A value for a startup script.",
    (
        Field(name="name", type=STRING, description="Name of the variable.", required=True),
        Field(name="value", type=STRING, description="Its value.", required=True, secret=True),
    ),
)

NOTE = Object(
    "ServerNote",
    "A startup script with what it is told.",
    (
        ident("id", "The script.", required=True),
        Field(name="variables", type=ListOf(VARIABLE), description="Values for its variables.", default=[]),
        ident("apiKeyId", "API key that the script may use."),
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
            name="notes", type=ListOf(NOTE), description="Startup scripts, in order (see Note).", default=[]
        ),
        address("ipAddress", "Address of eth0 when it is on a switch."),
        address("gateway", "Default gateway of eth0."),
        mask("networkMaskLen", "Prefix length of eth0."),
        Field(name="enableDhcp", type=BOOLEAN, description="eth0 asks by DHCP.", default=False),
        Field(
            name="changePartitionUuid",
            type=BOOLEAN,
            description="New UUIDs for the partitions, for copies of one disk on one server.",
            default=False,
        ),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:Server",
    description="A server (VM). Its NICs, disks and first-boot settings belong to it.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ICON,
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
        *(
            Field(
                name=name,
                type=type_,
                description=f"{words} Default: the API's choice.",
                change=Change.ID_CHANGE,
                removal=Change.LIVE,
                reason=_PLAN,
            )
            for name, type_, words in (
                ("gpuModel", STRING, "GPU model, such as nvidia_v100_32gbvram."),
                ("cpuModel", STRING, "CPU model."),
                ("generation", INTEGER, "Generation of the plan: 100 or 200."),
            )
        ),
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
            name="confidentialVm",
            type=BOOLEAN,
            description="Whether its memory is encrypted against the host.",
            default=False,
            change=Change.REPLACE,
            reason="the API decides it when the server is made",
        ),
        ident(
            "privateHostId",
            "Private host that it runs on.",
            change=Change.RESTART,
            reason="it moves to another host only while it is down",
        ),
        ident("cdromId", "ISO image in its drive."),
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
            varies_with=("cpu", "memoryGb", "gpu", "gpuModel", "cpuModel", "generation", "commitment"),
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
