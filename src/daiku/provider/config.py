"""The provider's settings. What is not set comes from the environment, as for every other part of daiku."""

from __future__ import annotations

from daiku.provider.fields import INTEGER, STRING, Field

CONFIG = (
    Field(name="zone", type=STRING, description="Default zone. Default: SAKURA_ZONE, else is1a."),
    Field(name="token", type=STRING, description="Access token. Default: SAKURA_ACCESS_TOKEN."),
    Field(
        name="secret",
        type=STRING,
        description="Access token secret. Default: SAKURA_ACCESS_TOKEN_SECRET.",
        secret=True,
    ),
    Field(name="apiRootUrl", type=STRING, description="Root of the cloud API. Default: SAKURA_API_ROOT_URL."),
    Field(
        name="phyApiRootUrl",
        type=STRING,
        description="Root of the PHY API. Default: SAKURA_PHY_API_ROOT_URL.",
    ),
    Field(
        name="rateLimit",
        type=STRING,
        description="Requests a second that the account may make, 0: no limit. Default: SAKURA_RATE_LIMIT.",
    ),
    Field(
        name="pollInterval",
        type=STRING,
        description="Seconds between two looks at a thing that is changing. Default: SAKURA_POLL_INTERVAL.",
    ),
    Field(
        name="namespace",
        type=STRING,
        description="Mixed into the identity tags: give each state backend its own where two of them use one "
        "account and the same stack name, so that neither adopts the other's objects.",
        default="",
    ),
    Field(
        name="sshKeyFile",
        type=STRING,
        description="Private key (Ed25519) that opens the bastion and freshly installed PHY servers.",
    ),
    Field(name="bastionHost", type=STRING, description="Host through which SSH goes. Default: straight."),
    Field(name="bastionPort", type=INTEGER, description="SSH port of the bastion.", default=22),
    Field(name="bastionUser", type=STRING, description="Account on the bastion.", default="root"),
    Field(
        name="bastionHostKey",
        type=STRING,
        description="Pinned host key of the bastion (ssh-ed25519 AAAA...). Default: see hostKeysFile.",
    ),
    Field(
        name="bastionName", type=STRING, description="Name of the bastion among host keys.", default="bastion"
    ),
    Field(
        name="bastionIncarnation",
        type=STRING,
        description="Changes when the bastion is made anew: its pinned key is void then.",
        default="",
    ),
    Field(
        name="hostKeysFile",
        type=STRING,
        description="The cluster's ledger, where the bastion's key is pinned at the first contact, for `daiku "
        "apply` too. Default: trusted at the first contact of each run.",
    ),
)
