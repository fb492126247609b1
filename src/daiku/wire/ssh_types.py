"""What SSH is asked for and what it answers: plain values, so that other rooms can name them without paramiko."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a host is reached. `user` is the account that logs in."""

    host: str
    port: int
    user: str


@dataclass(frozen=True, slots=True)
class Result:
    """Exit status and output of a command."""

    status: int
    stdout: bytes
    stderr: bytes


class HostKeys(Protocol):
    """The pinned host keys. A key is text: `ssh-ed25519 AAAA...`."""

    def pinned(self, host: str) -> str | None:
        """The key pinned for `host`, or None when there is none yet."""
        ...

    def pin(self, host: str, key: str) -> None:
        """Trust `key` for `host` from now on."""
        ...


def fingerprint(key: str) -> str:
    """`SHA256:...` of a public key in text form, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
