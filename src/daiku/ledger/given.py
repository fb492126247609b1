"""Secrets that the operator gives, by name: kept as the cluster's own, sealed when the operator seals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, Self

from daiku.errors import StateError
from daiku.ledger.private_files import ensure, remove, replace
from daiku.wire.sealing import SUFFIX


@dataclass(frozen=True, slots=True)
class Given:
    """Kept below `directory`, one file each. Names are those of `plan.given.GIVEN`."""

    directory: Path

    @classmethod
    def beside(cls, keys: Path) -> Self:
        """Those of the cluster whose keys are in the folder `keys`; there need be none yet."""
        return cls(keys / "given")

    def put(self, name: str, value: bytes) -> None:
        """Keep `value`, instead of an earlier one. StateError: it cannot be written."""
        replace(self.directory / name, value)

    def read(self, name: str) -> bytes:
        """The value. StateError: it was not given, or cannot be read."""
        return ensure(self.directory / name, lambda: _missing(name))[1]

    def times(self) -> dict[str, datetime]:
        """When each was given, by name; nothing is unsealed."""
        if not self.directory.is_dir():
            return {}
        files = (path for path in self.directory.iterdir() if not path.name.startswith("."))
        return {
            path.name.removesuffix(SUFFIX): datetime.fromtimestamp(path.stat().st_mtime, UTC)
            for path in sorted(files)
        }

    def remove(self, name: str) -> bool:
        """Forget one; whether it was there."""
        return remove(self.directory / name)


def _missing(name: str) -> NoReturn:
    raise StateError(f"the secret {name} was not given", hint=f"daiku secret set {name} --from FILE")
