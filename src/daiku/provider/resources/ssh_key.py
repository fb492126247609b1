"""A public SSH key in the account."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import STRING, Change, Field, Props, ResourceType
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID
from daiku.wire.http import Json
from daiku.wire.sakura_kinds import SSH_KEY

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


class SshKeyHandler(CloudObject):
    type = TYPE
    kind = SSH_KEY
    tagged = False

    def make(self, ctx: Context, goal: Goal) -> Json:
        return ctx.cloud.create(
            SSH_KEY, {**self.named(goal), "PublicKey": goal.inputs["publicKey"]}, once=True
        )

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        return {
            **self.common_state(ctx, live),
            "publicKey": str(live.get("PublicKey") or ""),
            "fingerprint": str(live.get("Fingerprint") or ""),
        }
