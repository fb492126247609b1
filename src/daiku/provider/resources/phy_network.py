"""The networks of a PHY server's port: what a port was before is restored on deletion."""

from __future__ import annotations

from daiku.provider.fields import BOOLEAN, STRING, Change, Field, ListOf, ResourceType
from daiku.provider.resources.common import ident

TYPE = ResourceType(
    name="sakura:phy:PhyNetwork",
    description="The network assignment of one port of a PHY server, and the sealing of others. The API "
    "allows "
    "five network changes in five minutes a server. Deletion restores what was there before.",
    fields=(
        ident(
            "serverId",
            "Service ID of the server.",
            required=True,
            change=Change.REPLACE,
            reason="another machine's port is another assignment",
        ),
        Field(
            name="port",
            type=STRING,
            description="Nickname or ID of the port.",
            required=True,
            change=Change.REPLACE,
            reason="another port is another assignment",
        ),
        Field(
            name="mode",
            type=STRING,
            description="access: one untagged network; trunk: tagged networks.",
            default="access",
            choices=("access", "trunk"),
        ),
        Field(
            name="privateNetworkIds",
            type=ListOf(STRING, unordered=True),
            description="Private networks on the port.",
            default=[],
        ),
        Field(
            name="internet",
            type=STRING,
            description="Internet side: none, common (the common subnet), or the ID of a dedicated subnet.",
            default="none",
        ),
        Field(name="enabled", type=BOOLEAN, description="Whether the port is up.", default=True),
        Field(
            name="disablePorts",
            type=ListOf(STRING, unordered=True),
            description="Nicknames or IDs of ports to switch off once this one is set: the public one.",
            default=[],
        ),
        Field(name="portId", type=STRING, description="ID of the port.", output=True),
        Field(
            name="previous",
            type=STRING,
            description="What the ports were before (JSON), restored on deletion.",
            output=True,
        ),
    ),
)
