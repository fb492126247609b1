"""What logs in to hosts, and through which machines of the operator's own: said by the operator's environment.

Without a word of the operator it is the cluster's own key and nothing else. Each operator may say more, because what
one has (an agent, a certificate, a bastion of the office) is nothing that the cluster file could know:

=================  ================================================================================================
DAIKU_SSH_KEY      a private key file of any kind; a certificate `KEY-cert.pub` beside it is shown with it
DAIKU_SSH_AGENT    `1`: the keys and certificates of the agent at SSH_AUTH_SOCK are offered, too
DAIKU_SSH_VIA      `user@host[:port]`, several with commas, in the order of the way: bastions before the cluster's own
=================  ================================================================================================
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from daiku.errors import StateError
from daiku.wire.sealing import SUFFIX, unsealed
from daiku.wire.ssh_types import Endpoint, fingerprint

KEY, AGENT, VIA = "DAIKU_SSH_KEY", "DAIKU_SSH_AGENT", "DAIKU_SSH_VIA"
MOST_KEYS = 5
"""Keys offered to one server, at most: sshd hangs up after six failed ones (MaxAuthTries)."""

_VIA = re.compile(r"(?P<user>[A-Za-z_][\w.-]*)@(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Login:
    """`key_files` and then, with `agent`, the agent's keys are offered. `via`: bastions to go through first."""

    key_files: tuple[Path, ...]
    agent: bool = False
    via: tuple[Endpoint, ...] = ()

    @classmethod
    def of(cls, what: Path | Self) -> Self:
        """A Login, of a key file one with that key alone."""
        return cls((what,)) if isinstance(what, Path) else what

    @contextmanager
    def keys(self) -> Generator[list[paramiko.PKey]]:
        """The keys to offer, in their order. The agent, if it is asked, is connected for as long as the block lasts.

        StateError: a key file or the agent cannot be used.
        """
        keys: list[paramiko.PKey] = [load_key(path) for path in self.key_files]
        if not self.agent:
            yield keys
            return
        agent = _agent()
        try:
            yield [*keys, *agent.get_keys()][:MOST_KEYS]
        finally:
            agent.close()


def login_from_environment(key_file: Path, environ: Mapping[str, str] = os.environ) -> Login:
    """How this operator logs in; `key_file` is the cluster's own key. StateError names a variable that is wrong."""
    own = environ.get(KEY, "")
    if own and not Path(own).expanduser().is_file():
        raise StateError(f"{KEY} names no file", where=own, hint="give the path of a private key")
    files = (Path(own).expanduser(), key_file) if own else (key_file,)
    agent = environ.get(AGENT, "")
    if agent not in ("", "0", "1"):
        raise StateError(
            f"{AGENT} is 1 or 0, not {agent!r}", hint="the agent itself is the one at SSH_AUTH_SOCK"
        )
    return Login(files, agent == "1", _via(environ.get(VIA, "")))


def _via(text: str) -> tuple[Endpoint, ...]:
    ways: list[Endpoint] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        match = _VIA.fullmatch(word)
        port = int(match["port"] or 22) if match else 0
        if match is None or not 0 < port < 65536:
            raise StateError(f"{VIA}: not a way in: {word!r}", hint="write user@host or user@host:port")
        ways.append(Endpoint(match["host"].strip("[]"), port, match["user"]))
    return tuple(ways)


def load_key(path: Path) -> paramiko.PKey:
    """The private key in `path` (sealed if that ends in `.age`), with the certificate `path-cert.pub` if there is one.

    StateError when it is missing, damaged, encrypted in another way or of an unknown kind.
    """
    try:
        if path.suffix == SUFFIX:
            return paramiko.Ed25519Key(file_obj=io.StringIO(unsealed(path).decode()))
        return paramiko.PKey.from_path(path)
    except (OSError, paramiko.SSHException, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StateError(
            f"cannot use the private key: {error}",
            where=str(path),
            hint="an unencrypted key in OpenSSH format is needed, as `ssh-keygen -t ed25519` writes; "
            f"add a key with a passphrase to an agent and set {AGENT}=1",
        ) from error


def named(keys: list[paramiko.PKey]) -> str:
    """The keys for a message: their fingerprints, and which of them came with a certificate."""
    words: list[str] = []
    for key in keys:
        certificate = " (with a certificate)" if getattr(key, "public_blob", None) else ""
        words.append(fingerprint(f"{key.get_name()} {key.get_base64()}") + certificate)
    return ", ".join(words)


def _agent() -> paramiko.Agent:
    try:
        agent = paramiko.Agent()
    except (OSError, paramiko.SSHException) as error:
        raise StateError(
            f"the SSH agent does not answer: {error}", hint=f"start one, or unset {AGENT}"
        ) from error
    if not agent.get_keys():
        agent.close()
        raise StateError(
            f"{AGENT} is 1, and no SSH agent with a key answers at SSH_AUTH_SOCK",
            where=os.environ.get("SSH_AUTH_SOCK", ""),
            hint=f"start one (`eval $(ssh-agent)`, `ssh-add`), or unset {AGENT}",
        )
    return agent
