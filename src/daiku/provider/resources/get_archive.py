"""The look-up of an OS image."""

from __future__ import annotations

from daiku.provider.fields import INTEGER, STRING, Field, FunctionType, ListOf

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
