"""A disk of a server."""

from __future__ import annotations

from daiku.errors import ApiError, ConflictError
from daiku.provider.context import Context
from daiku.provider.fields import INTEGER, STRING, Change, Failure, Field, ListOf, Props, ResourceType
from daiku.provider.identity import TAG
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.provider.resources.common import DESCRIPTION, ICON, NAME, RESOURCE_ID, TAGS, ZONE, ident
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import DISK, SERVER

PLANS = {"ssd": "4", "hdd": "2"}
_SOURCES = {"sourceArchiveId": "SourceArchive", "sourceDiskId": "SourceDisk"}
_BESIDE = {"kmsKeyId": "KMSKey", "dedicatedStorageId": "TargetDedicatedStorageContract"}
"""What a creation says beside the disk itself."""
_FIXED = "the API cannot change it: a new disk is made, and what is on the old one is lost"

TYPE = ResourceType(
    name="sakura:cloud:Disk",
    description="A disk, blank or copied from an archive or another disk.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ICON,
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
        ident(
            "kmsKeyId",
            "Key of the key management service that encrypts it.",
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="distantFrom",
            type=ListOf(STRING, unordered=True),
            description="IDs of disks from whose storage this one is kept apart.",
            default=[],
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        ident(
            "dedicatedStorageId",
            "Contract of the dedicated storage that it lies on.",
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        ident("sourceArchiveId", "Archive to copy (see getArchive).", change=Change.REPLACE, reason=_FIXED),
        ident("sourceDiskId", "Disk to copy.", change=Change.REPLACE, reason=_FIXED),
        RESOURCE_ID,
    ),
)


class DiskHandler(CloudObject):
    type = TYPE
    kind = DISK

    def check(self, inputs: Props) -> list[Failure]:
        if "sourceArchiveId" in inputs and "sourceDiskId" in inputs:
            return [Failure("sourceDiskId", "and sourceArchiveId cannot both be the source")]
        if "kmsKeyId" in inputs and inputs["encryption"] == "none":
            return [Failure("kmsKeyId", "needs encryption: aes256_xts")]
        return []

    def make(self, ctx: Context, goal: Goal) -> Json:
        inputs = goal.inputs
        body: Json = {
            **self.named(goal),
            "Plan": {"ID": int(PLANS[inputs["plan"]])},
            "SizeMB": inputs["sizeGb"] * 1024,
            "Connection": inputs["connection"],
            "EncryptionAlgorithm": inputs["encryption"],
        }
        for name, key in _SOURCES.items():
            if name in inputs:
                body[key] = {"ID": inputs[name]}
        extra: Json = {key: {"ID": inputs[name]} for name, key in _BESIDE.items() if name in inputs}
        if inputs["distantFrom"]:
            extra["DistantFrom"] = inputs["distantFrom"]
        return ctx.cloud.create(DISK, body, zone=goal.zone, extra=extra, once=True)

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        """A copy that failed is deleted and made again."""
        for last in (False, False, True):
            try:
                live = ctx.cloud.wait_available(DISK, id_of(live), zone=goal.zone)
                break
            except ApiError as error:
                if error.code != "failed" or last:
                    raise
                ctx.cloud.delete_when_free(DISK, id_of(live), zone=goal.zone)
                live = self._make(ctx, goal)
        return self.set_attributes(ctx, live, goal)

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        """A disk that is replaced is still connected: its server is stopped, and its own update starts it again."""
        server_id = id_of(as_dict(ctx.cloud.read(DISK, ident, zone=zone).get("Server")))
        if server_id:
            server = ctx.cloud.read(SERVER, server_id, zone=zone)
            ours = any(str(tag).startswith(TAG) for tag in as_list(server.get("Tags")))
            running = as_dict(server.get("Instance")).get("Status") != "down"
            if running and not ours:
                raise ConflictError(
                    f"it is connected to the running server {server.get('Name')}, which is not daiku's",
                    where=f"disk {ident}",
                    hint="shut that server down, or disconnect the disk from it",
                )
            if running:
                ctx.cloud.power_off(SERVER, server_id, zone=zone)
            ctx.cloud.act("DELETE", DISK, ident, "to/server", zone=zone)
        super().remove(ctx, ident, zone)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        plan = id_of(as_dict(live.get("Plan")))
        state = {
            **self.common_state(ctx, live),
            "zone": prior.get("zone") or ctx.zone,
            "plan": next((name for name, number in PLANS.items() if number == plan), plan),
            "sizeGb": int(live.get("SizeMB") or 0) // 1024,
            "connection": str(live.get("Connection") or "virtio"),
            "encryption": str(live.get("EncryptionAlgorithm") or "none"),
            # The API does not tell what a creation said beside the disk itself.
            "distantFrom": prior.get("distantFrom", []),
        }
        state |= {name: prior[name] for name in _BESIDE if name in prior}
        for name, key in _SOURCES.items():
            # The API forgets a source that was deleted since; the disk is still its copy.
            if source := id_of(as_dict(live.get(key))) or prior.get(name, ""):
                state[name] = source
        return state
