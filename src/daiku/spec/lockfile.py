"""The lock file beside a cluster file: digests that `daiku release lock` was told by the registries.

A release names versions; a tag may be moved, a digest cannot. `cluster.lock.yaml` belongs into version control.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daiku.errors import Fault, SpecError

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
_HEAD = "# Written by `daiku release lock`: what the registries answered. Do not edit; run it again.\n"


class Locked(BaseModel):
    """`version` is what the release says, the tag of an image too; `digest` what the registry gave for it. A chart's
    `archive` is the SHA-256 of the file that helm installs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: str
    digest: Digest
    archive: Digest | None = None


class ReleaseLock(BaseModel):
    """Digests by name, for one release."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    release: str
    images: dict[str, Locked]
    charts: dict[str, Locked]


def path_of(cluster_file: Path) -> Path:
    """The lock file of a cluster file: `cluster.yaml` has `cluster.lock.yaml` beside it."""
    return cluster_file.with_name(f"{cluster_file.stem}.lock.yaml")


def read_lock(path: Path, release: str) -> ReleaseLock | None:
    """The lock of that release; None when there is no file. SpecError: it is damaged, or of another release."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _fault(path, "release", f"the lock file cannot be read: {error}") from None
    try:
        found = ReleaseLock.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))
    except (ValidationError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise _fault(path, "release", f"the lock file is damaged: {first}") from None
    if found.release != release:
        raise _fault(
            path, "release", f"it locks release {found.release}, and the cluster file says {release}"
        )
    return found


def dump(lock: ReleaseLock) -> str:
    """The file's text: the same for the same digests."""
    plain = lock.model_dump(mode="json", exclude_none=True)
    for kind in ("images", "charts"):
        plain[kind] = dict(sorted(plain[kind].items()))
    return _HEAD + yaml.safe_dump(plain, sort_keys=False, width=1 << 16)


def _fault(path: Path, where: str, message: str) -> SpecError:
    hint = "run `daiku release lock` again, or remove the file"
    return SpecError([Fault(path=where, message=message, hint=hint, file=str(path))])
