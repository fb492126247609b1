"""Finding a tool: on PATH, in the cache, or built once from its pinned Go module."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
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
    return provide_all((tool,), progress, environ)[tool.name]


def provide_all(
    tools: Sequence[Tool],
    progress: Progress,
    environ: Mapping[str, str] = os.environ,
    *,
    ready: Callable[[Tool, Path], None] = lambda _tool, _path: None,
) -> dict[str, Path]:
    """Executables by name, one after the other; tools of one module share what is compiled for the others.

    `ready` is called with each as soon as it is there. Raises MissingToolError at the first that fails.
    """
    cache = cache_root(environ)
    found: dict[str, Path] = {}
    with ExitStack() as scratch:
        for tool in tools:
            found[tool.name] = _on_path(tool, environ) or _in_cache(tool, cache, progress, environ, scratch)
            ready(tool, found[tool.name])
    return found


def is_there(tool: Tool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `provide` would answer without building."""
    built = _home(tool, cache_root(environ)) / "bin" / tool.name
    return built.is_file() or _on_path(tool, environ) is not None


def _home(tool: Tool, cache: Path) -> Path:
    return cache / tool.name / digest(tool)


def _on_path(tool: Tool, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(tool.name, path=environ.get("PATH", ""))
    return Path(found).resolve() if found and tool.accepts(_version(tool, found)) else None


def _in_cache(
    tool: Tool, cache: Path, progress: Progress, environ: Mapping[str, str], scratch: ExitStack
) -> Path:
    home = _home(tool, cache)
    executable = home / "bin" / tool.name
    if not executable.is_file():
        with locked(home):
            if not executable.is_file():
                _build(tool, cache, home, progress, environ, scratch)
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


def _build(
    tool: Tool,
    cache: Path,
    home: Path,
    progress: Progress,
    environ: Mapping[str, str],
    scratch: ExitStack,
) -> None:
    toolchain = go.find_or_install(cache, progress, environ)
    settings = {**environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
    if toolchain.own:
        # Nobody else uses these on a machine without Go, and they would grow to gigabytes: gone after the last build.
        caches = _private_caches(cache / ".go")
        scratch.callback(shutil.rmtree, caches, ignore_errors=True)
        settings["GOPATH"] = str(caches)
        settings["GOCACHE"] = str(caches / "build")
    with published(home) as fresh:
        (fresh / "bin").mkdir()
        command = [
            # Builds run beside everything else: they get the time that is left.
            *((nice, "-n", "10") if (nice := shutil.which("nice")) else ()),
            *(str(toolchain.go), "build", *BUILD_FLAGS, "-v", "-ldflags", tool.ldflags),
            *("-o", str(fresh / "bin" / tool.name), tool.package),
        ]
        what = f"building {tool.name} {tool.version} (about {tool.minutes} min, once)"
        result = run_with_progress(
            command, what, progress, cwd=tool.module, environ=settings, counted="packages"
        )
        if result.code != 0:
            raise MissingToolError(
                f"not on PATH, and the build from its Go module failed: {result.last_line}",
                where=tool.name,
                hint=f"install {tool.name} {tool.version} on PATH, or mend Go's "
                "access to its module proxy (go env GOPROXY) and try again: what was built is kept",
            )


def _private_caches(parent: Path) -> Path:
    """A folder for this thread's builds, so that no builder takes away what another works with; those of processes
    that died are removed."""
    for left in parent.glob("*-*"):
        if not Path("/proc", left.name.partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    return parent / f"{os.getpid()}-{threading.get_ident()}"


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
