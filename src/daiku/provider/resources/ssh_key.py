"""A public SSH key in the account."""

from __future__ import annotations

from daiku.provider.fields import STRING, Change, Field, ResourceType
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID

TYPE = ResourceType(
    name="sakura:cloud:SshKey",
    description="A public SSH key that disk configuration can install.",
    fields=(
        NAME,
        DESCRIPTION,
        Field(
            name="publicKey",
            type=STRING,
            description="The key as in authorized_keys.",
            required=True,
            change=Change.REPLACE,
            reason="the API cannot change a key",
        ),
        RESOURCE_ID,
        Field(name="fingerprint", type=STRING, description="MD5 fingerprint of the key.", output=True),
    ),
)
