"""A disk of a server."""

from __future__ import annotations

from daiku.provider.fields import INTEGER, STRING, Change, Field, ResourceType
from daiku.provider.resources.common import DESCRIPTION, NAME, RESOURCE_ID, TAGS, ZONE, ident

_FIXED = "the API cannot change it: a new disk is made, and what is on the old one is lost"

TYPE = ResourceType(
    name="sakura:cloud:Disk",
    description="A disk, blank or copied from an archive or another disk.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ZONE,
        Field(
            name="plan",
            type=STRING,
            description="Medium.",
            default="ssd",
            choices=("ssd", "hdd"),
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="sizeGb",
            type=INTEGER,
            description="Size in GiB.",
            default=20,
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="connection",
            type=STRING,
            description="How the server sees it.",
            default="virtio",
            choices=("virtio", "ide"),
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="encryption",
            type=STRING,
            description="Encryption of the medium.",
            default="none",
            choices=("none", "aes256_xts"),
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        ident("sourceArchiveId", "Archive to copy (see getArchive).", change=Change.REPLACE, reason=_FIXED),
        ident("sourceDiskId", "Disk to copy.", change=Change.REPLACE, reason=_FIXED),
        RESOURCE_ID,
    ),
)
