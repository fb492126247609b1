"""Where daiku keeps what it must remember about a cluster: one private folder beside the cluster file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from daiku.errors import StateError

PRIVATE_DIRECTORY = 0o700
STATE_VARIABLE = "DAIKU_STATE_DIR"


@dataclass(frozen=True, slots=True)
class State:
    """The folder `.daiku/<cluster>/`. It holds a private key, so only its owner can enter it."""

    directory: Path

    @classmethod
    def open(cls, base: Path, cluster: str) -> Self:
        """The state of `cluster` below `base` (the folder of the cluster file); made when it is missing.

        StateError when it cannot be made or is not ours to write.
        """
        directory = base / ".daiku" / cluster
        make_private_directory(directory)
        return cls(directory)

    @classmethod
    def of(cls, file: Path, cluster: str, environ: Mapping[str, str] = os.environ) -> Self:
        """The state of the cluster that `file` describes: below $DAIKU_STATE_DIR, else beside the file.

        The lab sets the variable, so that a rehearsal with a file never touches the state of the real cluster.
        """
        return cls.open(cls._base(file, environ), cluster)

    @classmethod
    def unopened(cls, file: Path, cluster: str, environ: Mapping[str, str] = os.environ) -> Self:
        """As `of`, but nothing is made: for who only looks whether something is there."""
        return cls(cls._base(file, environ) / ".daiku" / cluster)

    @staticmethod
    def _base(file: Path, environ: Mapping[str, str]) -> Path:
        return Path(environ.get(STATE_VARIABLE) or file.absolute().parent)

    @property
    def database(self) -> Path:
        """The SQLite file of the journal, the lock and the pinned host keys."""
        return self.directory / "ledger.sqlite"

    @property
    def audit_log(self) -> Path:
        """Who did what: one line an entry, never rewritten."""
        return self.directory / "audit.log"

    @property
    def keys(self) -> Path:
        """The folder of the cluster's own SSH key."""
        return self.directory / "keys"


def make_private_directory(directory: Path) -> None:
    """Make `directory` (and what is above it) with mode 0700; one that is more open is closed."""
    try:
        directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(PRIVATE_DIRECTORY)
    except OSError as error:
        raise StateError(
            f"cannot use the state folder: {error.strerror}",
            where=str(directory),
            hint="it has to be a folder that you own and may write; it keeps keys, journal and lock",
        ) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StateError(
            "cannot write to the state folder",
            where=str(directory),
            hint="its owner or mode does not let you in",
        )
