"""The tools that are built from pinned Go modules when they are not on PATH.

Each has a folder beside this file with a `go.mod` and a complete `go.sum`: they are the pin.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A Go program. `name` is the executable, `package` its import path, `module` the folder of its go.mod.

    `version_command` asks an executable found on PATH for its version; one older than `oldest` is passed over.
    `minutes` is what a build takes on two cores, for the first progress line.
    """

    name: str
    package: str
    module: Path
    version: str
    ldflags: str
    version_command: tuple[str, ...]
    oldest: Version
    minutes: int


_HERE = Path(__file__).parent

PULUMI: Final = Tool(
    name="pulumi",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    module=_HERE / "pulumi",
    version="3.259.0",
    ldflags="-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
    version_command=("version",),
    oldest=(3, 206, 0),  # the first whose events come over gRPC, which the Automation API prefers
    minutes=5,
)

TOOLS: Final = {tool.name: tool for tool in (PULUMI,)}
