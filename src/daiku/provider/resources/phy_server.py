"""A PHY server: adopted by its ID, installed at most once a generation, released and never destroyed."""

from __future__ import annotations

from daiku.provider.fields import INTEGER, STRING, Change, Field, ListOf, Object, ResourceType
from daiku.provider.resources.common import address, between, cidr_problem, ident

INSTALL = Object(
    "PhyInstall",
    "An OS installation by the PHY API. Everything on the disks is lost.",
    (
        Field(
            name="image", type=STRING, description="ID or name of an OS image of the server.", required=True
        ),
        Field(
            name="sshPublicKeys",
            type=ListOf(STRING),
            description="Keys of the administrator. The provider's sshKeyFile must belong to one of them "
            "if it is to "
            "log in. A change does not reinstall: raise the generation for that.",
            required=True,
            change=Change.LIVE,
            reason="it is used by the next installation",
        ),
        Field(
            name="generation",
            type=INTEGER,
            description="Raise it to install again. One generation is installed at most once.",
            default=1,
        ),
    ),
)

LOCAL_ADDRESS = Object(
    "PhyLocalAddress",
    "The address on the private network, set over SSH as /etc/netplan/50-daiku.yaml.",
    (
        Field(
            name="address",
            type=STRING,
            description="Address with prefix length.",
            required=True,
            problem=cidr_problem,
        ),
        Field(name="interface", type=STRING, description="Interface name, such as eno2."),
        Field(name="macAddress", type=STRING, description="MAC address that finds the interface instead."),
        address("gateway", "Default gateway."),
        Field(name="nameservers", type=ListOf(STRING), description="DNS servers.", default=[]),
        Field(name="mtu", type=INTEGER, description="MTU.", default=1500, problem=between(1280, 9216)),
    ),
)

TYPE = ResourceType(
    name="sakura:phy:PhyServer",
    description="A dedicated server of the PHY service. It cannot be ordered by API: it is adopted by its "
    "ID, and "
    "deletion releases it as `releasePolicy` says.",
    fields=(
        ident(
            "serverId",
            "Service ID of the server.",
            required=True,
            change=Change.REPLACE,
            reason="another machine is adopted and this one is released",
        ),
        Field(name="nickname", type=STRING, description="Name in the control panel. Default: left as it is."),
        Field(
            name="releasePolicy",
            type=STRING,
            description="What deletion does: nothing, power off, take its networks off and power off, or "
            "wipe "
            "it by an installation and power off.",
            default="keep",
            choices=("keep", "power-off", "detach", "reinstall"),
        ),
        Field(
            name="install",
            type=INSTALL,
            description=INSTALL.description,
            change=Change.REINSTALL,
            removal=Change.LIVE,
            reason="another OS image or generation was asked for",
        ),
        Field(name="localAddress", type=LOCAL_ADDRESS, description=LOCAL_ADDRESS.description),
        Field(name="zone", type=STRING, description="Zone of the machine.", output=True),
        Field(
            name="ipAddress",
            type=STRING,
            description="Address on the internet side, else empty.",
            output=True,
        ),
        Field(
            name="incarnation",
            type=STRING,
            description="Changes with every installation; empty before the first that daiku made.",
            output=True,
            varies_with=("install",),
        ),
        Field(
            name="installedAt",
            type=STRING,
            description="When the last installation by daiku ended (UTC, ISO 8601), else empty.",
            output=True,
            varies_with=("install",),
        ),
        Field(
            name="hostKey",
            type=STRING,
            description="SSH host key that was trusted at the moment of installation, else empty.",
            output=True,
            varies_with=("install",),
        ),
        Field(name="power", type=STRING, description="on, off, or empty where it is not known.", output=True),
        Field(name="cpuModel", type=STRING, description="CPU.", output=True),
        Field(name="memoryGb", type=INTEGER, description="Memory in GB.", output=True),
        Field(name="portIds", type=ListOf(INTEGER), description="IDs of its ports.", output=True),
    ),
)
