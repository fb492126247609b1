"""Secrets at rest, sealed by age (age-encryption.org): what daiku must keep is unreadable without the operator's own.

=========================  ========================================================================================
DAIKU_AGE_IDENTITY         an age identity file, as `age-keygen` writes it: what is kept is sealed for it
DAIKU_AGE_RECIPIENTS       `age1...`, several with commas: others that shall be able to read it, too
DAIKU_PASSPHRASE_FILE      instead of an identity: a file whose first line is a passphrase
DAIKU_PASSPHRASE_COMMAND   instead of that file: a command that prints the passphrase, as a password manager does
=========================  ========================================================================================

No variable holds a secret itself. A sealed file ends in `.age` and is one that the `age` program opens as well.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyrage as _pyrage

from daiku.errors import StateError

pyrage: Any = _pyrage  # it comes without types

IDENTITY, RECIPIENTS = "DAIKU_AGE_IDENTITY", "DAIKU_AGE_RECIPIENTS"
PASSPHRASE_FILE, PASSPHRASE_COMMAND = "DAIKU_PASSPHRASE_FILE", "DAIKU_PASSPHRASE_COMMAND"
SUFFIX = ".age"
COMMAND_SECONDS = 120.0
"""A password manager may ask a person."""


@dataclass(frozen=True, slots=True)
class Seal:
    """By identities and recipients, or by a passphrase."""

    identities: tuple[Any, ...] = field(default=(), repr=False)
    recipients: tuple[Any, ...] = ()
    passphrase: str = field(default="", repr=False)

    def close(self, data: bytes) -> bytes:
        """`data`, sealed."""
        if self.passphrase:
            return pyrage.passphrase.encrypt(data, self.passphrase)
        return pyrage.encrypt(data, list(self.recipients))

    def open(self, path: Path) -> bytes:
        """What is sealed in the file `path`. StateError: missing, damaged, or sealed for somebody else."""
        try:
            data = path.read_bytes()
            if self.passphrase:
                return pyrage.passphrase.decrypt(data, self.passphrase)
            return pyrage.decrypt(data, list(self.identities))
        except (OSError, pyrage.DecryptError) as error:
            raise StateError(
                f"cannot be unsealed: {error}",
                where=str(path),
                hint=f"{PASSPHRASE_FILE if self.passphrase else IDENTITY} must be what it was when the file was made",
            ) from error


def seal_from_environment(environ: Mapping[str, str] = os.environ) -> Seal | None:
    """What this operator seals with; None: nothing, files are kept with mode 0600. StateError names what is wrong."""
    given = [name for name in (IDENTITY, PASSPHRASE_FILE, PASSPHRASE_COMMAND) if environ.get(name)]
    if len(given) > 1:
        raise StateError(f"{' and '.join(given)} are set; one of them is meant", hint="unset all but one")
    if not given:
        return None
    (name,) = given
    return (_by_identity if name == IDENTITY else _by_passphrase)(name, environ[name], environ)


def unsealed(path: Path) -> bytes:
    """The content of a file that may be sealed (`.age`), by this process's environment. OSError, StateError."""
    if path.suffix != SUFFIX:
        return path.read_bytes()
    seal = seal_from_environment()
    if seal is None:
        raise StateError(
            "is sealed, and nothing is said to unseal it with",
            where=str(path),
            hint=f"set {IDENTITY}, {PASSPHRASE_FILE} or {PASSPHRASE_COMMAND} as when it was made",
        )
    return _opened(seal, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _opened(seal: Seal, path: Path, _changed: int) -> bytes:
    # A passphrase costs a second each time, on purpose; hosts are logged in to by the hundred.
    return seal.open(path)


def _by_identity(name: str, value: str, environ: Mapping[str, str]) -> Seal:
    try:
        lines = [line.strip() for line in Path(value).expanduser().read_text().splitlines()]
        texts = [line for line in lines if line and not line.startswith("#")]
        found = tuple(pyrage.x25519.Identity.from_str(text) for text in texts)
    except (OSError, ValueError, pyrage.IdentityError) as error:
        raise StateError(f"{name}: no identity can be read: {type(error).__name__}", where=value) from error
    if not found:
        raise StateError(
            f"{name}: the file holds no identity", where=value, hint="age-keygen -o FILE makes one"
        )
    others = [word.strip() for word in environ.get(RECIPIENTS, "").split(",") if word.strip()]
    try:
        more = [pyrage.x25519.Recipient.from_str(word) for word in others]
    except (ValueError, pyrage.RecipientError) as error:
        raise StateError(f"{RECIPIENTS}: not a recipient: {error}", hint="one begins with age1") from error
    return Seal(found, (*(identity.to_public() for identity in found), *more))


@lru_cache(maxsize=4)
def _asked(command: str) -> str:
    done = subprocess.run(
        shlex.split(command), stdout=subprocess.PIPE, text=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode:
        raise StateError(f"{PASSPHRASE_COMMAND} ended with exit status {done.returncode}", where=command)
    return done.stdout


def _by_passphrase(name: str, value: str, _environ: Mapping[str, str]) -> Seal:
    try:
        text = Path(value).expanduser().read_text() if name == PASSPHRASE_FILE else _asked(value)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise StateError(f"{name}: no passphrase can be read: {error}", where=value) from error
    passphrase = text.splitlines()[0].strip() if text.strip() else ""
    if not passphrase:
        raise StateError(f"{name}: the passphrase is empty", where=value)
    return Seal(passphrase=passphrase)
