"""The files of a running lab: where it is reached, with which dummy keys, and by which process it is held."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from daiku.errors import LabError

DEFAULT_DIR = Path(".daiku/lab")


class LabConfig(BaseModel):
    """What the lab's process is started with. Keys are made afresh for each lab; they open nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cluster: str
    cluster_file: str
    state_dir: str
    scale: float
    seed: int
    spares: int
    token: str
    secret: str
    admin_token: str
    connect_secret: str
    bin_dir: str
    restore: str = ""
    """A saved state that the lab begins with; "" begins anew."""


class LabState(BaseModel):
    """What a running lab answers at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int
    sakura_url: str
    aws_url: str
    config: LabConfig


def lab_dir() -> Path:
    """$DAIKU_LAB_DIR, else .daiku/lab below the current folder."""
    return Path(os.environ.get("DAIKU_LAB_DIR", str(DEFAULT_DIR))).absolute()


def write_private(path: Path, text: str) -> None:
    """Write whole or not at all, readable by the owner only."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def read_state(folder: Path) -> LabState | None:
    """The running lab of this folder, or None when there is none (also when its process has gone)."""
    path = folder / "lab.json"
    try:
        state = LabState.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        raise LabError(
            f"the lab's state cannot be read: {error}", where=str(path), hint="run: daiku lab down"
        ) from error
    return state if alive(state.pid) else None


def holder(folder: Path) -> int | None:
    """The process that holds the lab of this folder, None when none runs. Also of a lab whose state another version
    of daiku wrote: it must be possible to end it."""
    try:
        pid = json.loads((folder / "lab.json").read_text(encoding="utf-8"))["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if isinstance(pid, int) and alive(pid) else None


def alive(pid: int) -> bool:
    """Whether `pid` is a lab process that runs (a recycled number is not)."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return b"daiku.lab.daemon" in command and state != "Z"
