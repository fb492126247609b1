"""The cluster's own SSH key: Ed25519, made once, known to no other cluster."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daiku.errors import StateError
from daiku.ledger.private_files import ensure

NAME = "deploy"


def ensure_deploy_key(directory: Path) -> tuple[Path, str]:
    """The private key's file (mode 0600) and the public key's text (`ssh-ed25519 AAAA...`); made on the first call.

    The file's name ends in `.age` when it is sealed. Two first calls at once end with the same key. StateError: the
    file cannot be unsealed, is damaged or holds another kind of key.
    """
    path, content = ensure(directory / NAME, _make)
    try:
        private = serialization.load_ssh_private_key(content, password=None)
    except (ValueError, UnsupportedAlgorithm) as error:
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


def _make() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
