"""The cluster's secrets by name: its own, 32 random bytes each, made on the first use and then kept, and those that
the operator gave."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from daiku.errors import StateError
from daiku.ledger.given import Given
from daiku.ledger.private_files import ensure
from daiku.plan.given import PREFIX

SIZE = 32
MARKS = "saved-plans"
"""Name of the secret that marks of others are made with."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Kept below `directory`, one file each, sealed when the operator seals."""

    directory: Path

    @property
    def given(self) -> Given:
        """Those of the operator, in a folder beside."""
        return Given.beside(self.directory.parent)

    def text(self, name: str) -> bytes:
        """The secret as it stands in a file: base64 (44 characters), or what was given where the name says so.

        ValueError: not a plain name; StateError: it cannot be read, or was not given.
        """
        if name.startswith(PREFIX):
            return self.given.read(name.removeprefix(PREFIX))
        if not _NAME.fullmatch(name):
            raise ValueError(f"not the name of a secret: {name!r}")
        path, content = ensure(self.directory / name, lambda: secrets.token_bytes(SIZE))
        if len(content) != SIZE:
            raise StateError(
                f"the secret {name} is damaged: {len(content)} bytes",
                where=str(path),
                hint="bring the file back from a copy: what was encrypted with it cannot be read without",
            )
        return base64.b64encode(content)

    def mark(self, name: str) -> str:
        """What may be written down to see later whether the secret is still the same: 64 hexadecimal digits.

        Its HMAC with a key that is kept as the secrets are: without the key nothing can be guessed by it, and who has
        the key can read the secret itself. Sealing a secret leaves its mark. Errors as of `text`.
        """
        return hmac.new(self.text(MARKS), name.encode() + b"\0" + self.text(name), "sha256").hexdigest()
