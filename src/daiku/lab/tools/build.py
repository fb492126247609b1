"""Finding a tool: on PATH, in the cache, or built once from its pinned Go module."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daiku.errors import MissingToolError
from daiku.lab.tools import go
from daiku.lab.tools.cache import cache_root, locked, published
from daiku.lab.tools.catalog import TOOLS, Tool, Version
from daiku.lab.tools.progress import Progress, run_with_progress

BUILD_FLAGS: Final = ("-mod=readonly", "-modcacherw", "-trimpath", "-buildvcs=false")


def find_or_build(name: str, progress: Progress, environ: Mapping[str, str] = os.environ) -> Path:
    """The executable of a tool of the catalogue; MissingToolError says what to install when all three ways fail.

    `progress` gets a line at least every two seconds while something is built.
    """
    return provide(TOOLS[name], progress, environ)


def provide(tool: Tool, progress: Progress, environ: Mapping[str, str] = os.environ) -> Path:
    """`find_or_build` for a tool that need not be in the catalogue."""
    found = shutil.which(tool.name, path=environ.get("PATH", ""))
    if found and _version(tool, found) >= tool.oldest:
        return Path(found).resolve()
    cache = cache_root(environ)
    home = cache / tool.name / digest(tool)
    executable = home / "bin" / tool.name
    if not executable.is_file():
        with locked(home):
            if not executable.is_file():
                _build(tool, cache, home, progress, environ)
    return executable


def digest(tool: Tool) -> str:
    """What the executable is made of: the pinned modules, the flags and the machine's kind. 16 hex digits."""
    made_of = hashlib.sha256()
    for part in (
        (tool.module / "go.mod").read_bytes(),
        (tool.module / "go.sum").read_bytes(),
        " ".join((tool.package, tool.ldflags, *BUILD_FLAGS)).encode(),
        f"{sys.platform}-{platform.machine()}".encode(),
    ):
        made_of.update(hashlib.sha256(part).digest())
    return made_of.hexdigest()[:16]


def _build(tool: Tool, cache: Path, home: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    toolchain = go.find_or_install(cache, progress, environ)
    settings = {**environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
    if toolchain.own:
        # Nobody else uses these on a machine without Go, and they would grow to gigabytes: gone after the build.
        settings["GOPATH"] = str(cache / ".go" / tool.name)
        settings["GOCACHE"] = str(cache / ".go" / tool.name / "build")
    with published(home) as scratch:
        (scratch / "bin").mkdir()
        command = [
            *(str(toolchain.go), "build", *BUILD_FLAGS, "-v", "-ldflags", tool.ldflags),
            *("-o", str(scratch / "bin" / tool.name), tool.package),
        ]
        what = f"building {tool.name} {tool.version} (about {tool.minutes} min, once)"
        result = run_with_progress(
            command, what, progress, cwd=tool.module, environ=settings, counted="packages"
        )
        if result.code != 0:
            raise MissingToolError(
                f"not on PATH, and the build from its Go module failed: {result.last_line}",
                where=tool.name,
                hint=f"install {tool.name} {'.'.join(map(str, tool.oldest))} or newer on PATH, or mend Go's "
                "access to its module proxy (go env GOPROXY) and try again: what was built is kept",
            )
    if toolchain.own:
        shutil.rmtree(cache / ".go" / tool.name, ignore_errors=True)


def _version(tool: Tool, executable: str) -> Version:
    """What the executable says it is; (0, 0, 0) when it does not answer with a version."""
    try:
        answer = subprocess.run(
            [executable, *tool.version_command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0, 0)
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)
