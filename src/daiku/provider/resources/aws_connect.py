"""The AWS connection option: adopted, because the order and its values come on paper."""

from __future__ import annotations

from daiku.provider.fields import BOOLEAN, INTEGER, STRING, Change, Field, ListOf, ResourceType
from daiku.provider.resources.common import between

_PEER = "another peer is another connection"

TYPE = ResourceType(
    name="sakura:cloud:AwsConnect",
    description="An AWS connection option as a peer of a local router. It is ordered in the control panel; "
    "here it is "
    "adopted by the peer ID and secret key that Sakura issues. Deletion takes the peer out; the order stays.",
    fields=(
        Field(
            name="localRouterId",
            type=STRING,
            description="The local router.",
            required=True,
            change=Change.REPLACE,
            reason=_PEER,
        ),
        Field(
            name="peerId",
            type=STRING,
            description="Resource ID that Sakura issued.",
            required=True,
            change=Change.REPLACE,
            reason=_PEER,
        ),
        Field(
            name="secretKey",
            type=STRING,
            description="Secret key that Sakura issued.",
            required=True,
            secret=True,
        ),
        Field(name="enabled", type=BOOLEAN, description="Whether routes are exchanged.", default=True),
        Field(name="description", type=STRING, description="Free text.", default=""),
        Field(name="awsAccountId", type=STRING, description="AWS account of the other side, for the record."),
        Field(
            name="vifType",
            type=STRING,
            description="Virtual interface on the AWS side, for the record.",
            default="private",
            choices=("private", "transit"),
        ),
        Field(
            name="vlan",
            type=INTEGER,
            description="VLAN of the virtual interface, for the record.",
            problem=between(1, 4094),
        ),
        Field(name="amazonAsn", type=INTEGER, description="ASN of the AWS side, for the record."),
        Field(name="customerAsn", type=INTEGER, description="ASN of the Sakura side, for the record."),
        Field(name="amazonAddress", type=STRING, description="BGP address of the AWS side, for the record."),
        Field(
            name="customerAddress", type=STRING, description="BGP address of the Sakura side, for the record."
        ),
        Field(
            name="state",
            type=STRING,
            description="Health of the peering as the API tells it.",
            output=True,
            varies_with=("enabled",),
        ),
        Field(
            name="routes",
            type=ListOf(STRING),
            description="Prefixes learnt from the peer.",
            output=True,
            varies_with=("enabled",),
        ),
    ),
)
