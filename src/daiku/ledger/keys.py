"""The cluster's own SSH key: Ed25519, made once, known to no other cluster."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daiku.errors import StateError
from daiku.ledger.paths import make_private_directory

NAME = "deploy"


def ensure_deploy_key(directory: Path) -> tuple[Path, str]:
    """The private key's file (mode 0600) and the public key's text (`ssh-ed25519 AAAA...`); made on the first call.

    Two first calls at once end with the same key. StateError: the file is damaged or holds another kind of key.
    """
    make_private_directory(directory)
    path = directory / NAME
    if not path.exists():
        _make(path)
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        private = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise StateError(
            f"the cluster's SSH key cannot be read: {error}",
            where=str(path),
            hint="bring the file back from a copy: the hosts let in no other key. Only for a cluster without hosts, "
            "delete it, and a new one is made",
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise StateError("the cluster's SSH key is not an Ed25519 key", where=str(path))
    return path, public_text(private)


def public_text(private: Ed25519PrivateKey) -> str:
    """The public half as it stands in authorized_keys, without a comment."""
    text = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return text.decode()


def _make(path: Path) -> None:
    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    descriptor, temporary = tempfile.mkstemp(prefix=f".{NAME}-", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, does not replace the key that another process may have made meanwhile.
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        Path(temporary).unlink()
