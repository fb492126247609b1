"""The look-up of an OS image."""

from __future__ import annotations

from daiku.errors import NotFoundError
from daiku.provider.context import Context
from daiku.provider.fields import INTEGER, STRING, Field, FunctionType, ListOf, Props
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_list, id_of
from daiku.wire.sakura_kinds import ARCHIVE

TYPE = FunctionType(
    name="sakura:cloud:getArchive",
    description="The newest available archive with all of the tags, such as ubuntu-24.04-latest.",
    inputs=(
        Field(
            name="tags", type=ListOf(STRING, unordered=True), description="Tags that it has.", required=True
        ),
        Field(
            name="zone", type=STRING, description="Zone. Default: the provider's zone.", default_from="zone"
        ),
        Field(
            name="scope",
            type=STRING,
            description="Whose archives.",
            default="shared",
            choices=("shared", "user"),
        ),
    ),
    outputs=(
        Field(name="id", type=STRING, description="ID of the archive.", output=True),
        Field(name="name", type=STRING, description="Its name.", output=True),
        Field(name="sizeGb", type=INTEGER, description="Its size in GiB.", output=True),
        Field(name="tags", type=ListOf(STRING), description="Its tags.", output=True),
    ),
)


class GetArchive:
    type = TYPE

    def invoke(self, ctx: Context, inputs: Props) -> Props:
        tags = [str(tag) for tag in inputs["tags"]]
        zone = inputs.get("zone")
        shared = inputs["scope"] == "shared"
        found = ctx.cloud.find_archive(tags, zone=zone) if shared else self._own(ctx, tags, zone)
        return {
            "id": id_of(found),
            "name": str(found.get("Name") or ""),
            "sizeGb": int(found.get("SizeMB") or 0) // 1024,
            "tags": sorted(str(tag) for tag in as_list(found.get("Tags"))),
        }

    def _own(self, ctx: Context, tags: list[str], zone: str | None) -> Json:
        found = [
            archive
            for archive in ctx.cloud.find_by_tag(ARCHIVE, *tags, zone=zone)
            if archive.get("Scope") == "user" and archive.get("Availability") == "available"
        ]
        if not found:
            raise NotFoundError(
                f"no archive of the account is tagged {', '.join(tags)}", where=zone or ctx.zone
            )
        return max(found, key=lambda archive: (str(archive.get("CreatedAt") or ""), id_of(archive)))
