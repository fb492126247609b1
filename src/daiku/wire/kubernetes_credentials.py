"""How a client shows itself to an API server: a CA, a client certificate and its key, in memory only."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from daiku.errors import CredentialsError


@dataclass(frozen=True, slots=True)
class Credentials:
    """`server` is `https://host:port`. `tls_server_name` is the name in the server's certificate where it is not the
    one in `server` (behind a tunnel), else "". The three PEM texts; the key is never shown."""

    server: str
    ca_pem: str = field(repr=False)
    cert_pem: str = field(repr=False)
    key_pem: str = field(repr=False)
    tls_server_name: str = ""

    @classmethod
    def from_kubeconfig(cls, text: str, *, server: str = "", tls_server_name: str = "") -> Credentials:
        """The current context of a kubeconfig whose certificates stand in the file, as kubeadm writes it.

        `server` and `tls_server_name` replace what the file says. CredentialsError: it lacks one of the parts.
        """
        try:
            document: object = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise _unfit("it is not YAML") from error
        if not isinstance(document, dict):
            raise _unfit("it is not a mapping")
        config = cast("dict[str, Any]", document)
        context = _named(config, "contexts", str(config.get("current-context") or ""), "context")
        cluster = _named(config, "clusters", str(context.get("cluster") or ""), "cluster")
        user = _named(config, "users", str(context.get("user") or ""), "user")
        return cls(
            server or str(cluster.get("server") or ""),
            _pem(cluster, "certificate-authority-data"),
            _pem(user, "client-certificate-data"),
            _pem(user, "client-key-data"),
            tls_server_name or str(cluster.get("tls-server-name") or ""),
        )

    def kubeconfig(self) -> str:
        """A kubeconfig of these credentials, for a program that wants one. It holds the key."""
        cluster = {"server": self.server, "certificate-authority-data": _base64(self.ca_pem)}
        if self.tls_server_name:
            cluster["tls-server-name"] = self.tls_server_name
        user = {"client-certificate-data": _base64(self.cert_pem), "client-key-data": _base64(self.key_pem)}
        name = "daiku"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        return yaml.safe_dump(config)

    def tls(self) -> ssl.SSLContext:
        """A context that trusts this CA alone and shows the client certificate. CredentialsError: unusable PEM."""
        try:
            # Not create_default_context: where it is given nothing, it trusts every authority of the machine.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=self.ca_pem)
            # The module reads certificate and key from a path only: one that leads into our own memory.
            with memory_file((self.cert_pem.rstrip("\n") + "\n" + self.key_pem).encode()) as descriptor:
                context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        except (ssl.SSLError, ValueError) as error:
            raise CredentialsError(
                "the certificate authority, the client certificate or its key cannot be read",
                where=self.server,
                hint="fetch the administrator's kubeconfig again",
            ) from error
        return context


@contextmanager
def memory_file(content: bytes) -> Generator[int]:
    """The descriptor of a file that exists in memory alone while the block lasts. `/proc/self/fd/N` opens it, also in
    a child process to which N is passed."""
    descriptor = os.memfd_create("daiku", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield descriptor
    finally:
        os.close(descriptor)


def _named(config: dict[str, Any], section: str, name: str, key: str) -> dict[str, Any]:
    for entry in cast("list[dict[str, Any]]", config.get(section) or []):
        if entry.get("name") == name:
            return cast("dict[str, Any]", entry.get(key) or {})
    raise _unfit(f"{section} has no entry {name!r}")


def _pem(section: dict[str, Any], key: str) -> str:
    value: object = section.get(key)
    if not isinstance(value, str):
        raise _unfit(f"{key} is not in it")
    try:
        text = base64.b64decode(value, validate=True).decode()
    except ValueError as error:
        raise _unfit(f"{key} is not base64 of a PEM text") from error
    if not text.strip():
        raise _unfit(f"{key} is empty")
    return text


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unfit(why: str) -> CredentialsError:
    return CredentialsError(
        f"the kubeconfig cannot be used: {why}",
        where="kubeconfig",
        hint="give one that holds its certificates, as kubeadm writes to admin.conf",
    )
